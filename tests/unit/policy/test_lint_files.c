/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <glob.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/lint.h>

/*
 * Every tests/policy/lint/NAME.yaml is valid, and linted at NOW it gets exactly the words of NAME.expect:
 * what is warned of, and then what is accepted. Each file has what looks alike and is right, too.
 */

#define LINT "tests/policy/lint/"
#define NOW  1790000000 /* 2026-09-21T14:13:20Z */

static void add_accepted(struct bh_buf *to, const struct diag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		bh_buf_addf(to, "accepted: %s:%u [%s] %s\n", l->d[i].file, l->d[i].line, l->d[i].id,
			    l->d[i].accepted);
}

static void check_case(const char *path)
{
	struct diag_list diags, accepted;
	struct bh_err err = BH_ERR_INIT;
	struct policy_set *set = NULL;
	struct policy_source src;
	char *data, *text;
	struct bh_buf all;
	size_t len;

	bh_buf_init(&all, 1 << 20);
	assert_int_equal(bh_read_file(path, BH_POLICY_FILE_BYTES_MAX, &data, &len), 0);
	src = (struct policy_source) { path + strlen(LINT), data, len };
	diag_list_init(&diags);
	diag_list_init(&accepted);
	diags.accepted = &accepted;
	if (policy_parse(&src, 1, &set, &diags, &err) == 0)
		policy_lint(set, NOW, &diags);
	text = diags_text(&diags);
	bh_buf_addstr(&all, text);
	diag_list_sort(&accepted);
	add_accepted(&all, &accepted);
	assert_expected(path, bh_buf_str(&all));
	assert_int_equal(diags.errors, 0);
	bh_buf_done(&all);
	free(text);
	free(data);
	diag_list_done(&diags);
	diag_list_done(&accepted);
	policy_set_free(set);
}

/* Every lint that needs nothing but policies has a file of its name. */
static void test_files(void **state)
{
	char path[256];
	glob_t g;

	assert_int_equal(glob(LINT "*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		check_case(g.gl_pathv[i]);
	globfree(&g);
	for (size_t i = 0; i < lints_n; i++) {
		snprintf(path, sizeof(path), LINT "%s.yaml", lints[i].id);
		if (!lints[i].endpoints && strcmp(lints[i].id, "not-checked") != 0)
			assert_int_equal(access(path, R_OK), 0);
	}
}

static void test_table(void **state)
{
	for (size_t i = 0; i < lints_n; i++) {
		assert_ptr_equal(lint_find(lints[i].id), &lints[i]);
		assert_true(i == 0 || strcmp(lints[i - 1].id, lints[i].id) < 0);
		assert_true(lints[i].title[0] && lints[i].why[0] && lints[i].fix[0]);
	}
	assert_null(lint_find("no-such-lint"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
