/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_POLICY_UTIL_H
#define TESTS_UNIT_POLICY_UTIL_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/text.h>
#include <bulkhead/policy/policy.h>

/* Diagnostics as a person reads them; free() it. */
static inline char *diags_text(struct diag_list *diags)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	diag_list_sort(diags);
	diag_list_print(diags, f, false);
	fclose(f);
	return text;
}

/* One file named "p.yaml"; LEN bytes. */
static inline int parse_bytes(const char *data, size_t len, struct policy_set **ret,
			      struct diag_list *diags)
{
	struct policy_source src = { "p.yaml", data, len };
	struct bh_err err = BH_ERR_INIT;

	return policy_parse(&src, 1, ret, diags, &err);
}

/*
 * TEXT must be what stands in NAME.expect beside NAME.yaml. With BULKHEAD_WRITE_EXPECT=1 it is written
 * there instead: read it before you commit.
 */
static inline void assert_expected(const char *yaml_path, const char *text)
{
	const char *write = getenv("BULKHEAD_WRITE_EXPECT");
	char path[512], *expect = NULL;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%.*s.expect", (int)strlen(yaml_path) - 5, yaml_path);
	if (write && *write == '1') {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	assert_int_equal(bh_read_file(path, 1 << 20, &expect, &len), 0);
	assert_string_equal(text, expect);
	free(expect);
}

/* A set that must be valid without a word. */
static inline struct policy_set *parse_valid(const char *yaml)
{
	struct policy_set *set = NULL;
	struct diag_list diags;
	char *text;
	int r;

	diag_list_init(&diags);
	r = parse_bytes(yaml, strlen(yaml), &set, &diags);
	text = diags_text(&diags);
	assert_string_equal(text, "");
	assert_int_equal(r, 0);
	free(text);
	diag_list_done(&diags);
	return set;
}

/* A valid set, linted at NOW; what lint said must be EXPECT. */
static inline void assert_lint(const char *yaml, int64_t now, const char *expect)
{
	struct policy_set *set = parse_valid(yaml);
	struct diag_list diags;
	char *text;

	diag_list_init(&diags);
	policy_lint(set, now, &diags);
	text = diags_text(&diags);
	assert_string_equal(text, expect);
	free(text);
	diag_list_done(&diags);
	policy_set_free(set);
}

/* An invalid file of LEN bytes: nothing is returned, and what was said must be EXPECT. */
static inline void assert_invalid_bytes(const char *data, size_t len, const char *expect)
{
	struct policy_set *set = (void *)0x1;
	struct diag_list diags;
	char *text;

	diag_list_init(&diags);
	assert_int_equal(parse_bytes(data, len, &set, &diags), -EINVAL);
	assert_ptr_equal(set, (void *)0x1);
	text = diags_text(&diags);
	assert_string_equal(text, expect);
	free(text);
	diag_list_done(&diags);
}

#define assert_invalid(yaml, expect) assert_invalid_bytes(yaml, strlen(yaml), expect)

#endif
