/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <glob.h>

#include <bulkhead/base/limits.h>

/*
 * Every tests/policy/bad/NAME.yaml is refused with exactly the words of NAME.expect.
 */

#define BAD "tests/policy/bad/"

static void check_case(const char *path)
{
	struct policy_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct policy_source src;
	char *data, *text;
	size_t len;

	assert_int_equal(bh_read_file(path, BH_POLICY_FILE_BYTES_MAX, &data, &len), 0);
	src = (struct policy_source) { path + strlen(BAD), data, len };
	diag_list_init(&diags);
	assert_int_equal(policy_parse(&src, 1, &set, &diags, &err), -EINVAL);
	assert_null(set);
	text = diags_text(&diags);
	assert_expected(path, text);
	free(text);
	free(data);
	diag_list_done(&diags);
}

static void test_bad_files(void **state)
{
	glob_t g;

	assert_int_equal(glob(BAD "*.yaml", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 30);
	for (size_t i = 0; i < g.gl_pathc; i++)
		check_case(g.gl_pathv[i]);
	globfree(&g);
}

/* Attacks that are too large to keep as files. */
static char *repeat(const char *piece, size_t times, const char *before, size_t *ret_len)
{
	size_t n = strlen(piece), b = strlen(before);
	char *s = malloc(b + n * times + 1);

	assert_non_null(s);
	memcpy(s, before, b);
	for (size_t i = 0; i < times; i++)
		memcpy(s + b + i * n, piece, n);
	*ret_len = b + n * times;
	s[*ret_len] = '\0';
	return s;
}

static void assert_attack(const char *before, const char *piece, size_t times, const char *expect)
{
	size_t len;
	char *s = repeat(piece, times, before, &len);

	assert_invalid_bytes(s, len, expect);
	free(s);
}

static void test_deep_nesting(void **state)
{
	static const char too_deep[] = "nested more than 32 deep; the rest of this file was not "
				       "read [yaml-depth]\n";
	char expect[256];

	snprintf(expect, sizeof(expect), "p.yaml:1:33: error: %s", too_deep);
	assert_attack("", "[", 10000, expect);
	snprintf(expect, sizeof(expect), "p.yaml:1:126: error: %s", too_deep);
	assert_attack("", "{a: ", 10000, expect);
	snprintf(expect, sizeof(expect), "p.yaml:1:65: error: %s", too_deep);
	assert_attack("", "- ", 10000, expect);
}

static void test_oversize(void **state)
{
	assert_attack("", "service: web\n", 100000000 / 13,
		      "p.yaml: error: larger than 16 MiB; this file was not read (split it into "
		      "several files) [file-too-big]\n");
	assert_attack("service: web\nselect: {labels: {app: web}}\nowner: ", "x", 5000,
		      "p.yaml:3:8: error: this text has 5000 bytes; 4096 is the most "
		      "[yaml-size]\n");
	assert_attack("group: g\ncidrs:\n", "- 10.0.0.0/8\n", 65537,
		      "p.yaml:3:1: error: 65537 cidrs; 65536 is the most [too-many]\n");
	assert_attack("group: g\ncidrs:\n", "-\n", (1 << 20) + 1,
		      "p.yaml:1048574:2: error: this document has more than 1048576 values; the "
		      "rest of this file was not read (split the document into several files) "
		      "[yaml-size]\n");
}

static void test_too_many_keys(void **state)
{
	char *yaml = NULL;
	size_t len;
	FILE *f = open_memstream(&yaml, &len);

	fputs("service: web\nselect:\n  labels:\n", f);
	for (unsigned i = 0; i < 300; i++)
		fprintf(f, "    k%u: v\n", i);
	fclose(f);
	assert_invalid_bytes(yaml, len,
			     "p.yaml:260:5: error: more than 256 keys in one mapping "
			     "[yaml-size]\n");
	free(yaml);
}

/* A file that cannot be read must not make its services look as if they did not exist. */
static void test_no_false_unknown_names(void **state)
{
	struct policy_source src[] = {
		{ "a.yaml", "service: a\nselect: {name: a}\ningress: [{from: [{service: b}]}]\n",
		  65 },
		{ "b.yaml", "service: b\nselect: {name: b}\nowner: [\n", 35 },
		{ "c.yaml", "service: c\nselect: {nam: c}\n", 28 },
	};
	struct bh_err err = BH_ERR_INIT;
	struct policy_set *set = NULL;
	struct diag_list diags;
	char *text;

	for (size_t i = 0; i < 3; i++)
		src[i].len = strlen(src[i].data);
	diag_list_init(&diags);
	assert_int_equal(policy_parse(src, 3, &set, &diags, &err), -EINVAL);
	text = diags_text(&diags);
	assert_string_equal(
		text,
		"b.yaml:4:1: error: not YAML: did not find expected node content while parsing a "
		"flow node; the rest of this file was not read [yaml-syntax]\n"
		"c.yaml:2:10: error: unknown key \"nam\" in a select (did you mean \"name\"?) "
		"[unknown-key]\n");
	free(text);
	diag_list_done(&diags);
}

static void test_duplicates_across_files(void **state)
{
	static const char yaml[] = "service: web\nselect: {name: web}\n";
	struct policy_source src[] = { { "a.yaml", yaml, sizeof(yaml) - 1 },
				       { "b.yaml", yaml, sizeof(yaml) - 1 } };
	struct bh_err err = BH_ERR_INIT;
	struct policy_set *set = NULL;
	struct diag_list diags;
	char *text;

	diag_list_init(&diags);
	assert_int_equal(policy_parse(src, 2, &set, &diags, &err), -EINVAL);
	text = diags_text(&diags);
	assert_string_equal(text, "b.yaml:1:10: error: a second service named \"web\", first at "
				  "a.yaml:1 (join the two, or give one another name) "
				  "[duplicate-service]\n");
	free(text);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_deep_nesting),
		cmocka_unit_test(test_oversize),
		cmocka_unit_test(test_too_many_keys),
		cmocka_unit_test(test_no_false_unknown_names),
		cmocka_unit_test(test_duplicates_across_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
