/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* --- numbers ------------------------------------------------------------------------------ */

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max, value;
	} good[] = {
		{ "0", 0, 0, 0 },
		{ "1", 1, 65535, 1 },
		{ "65535", 1, 65535, 65535 },
		{ "000000000000000000000000000080", 1, 65535, 80 },
		{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX },
		{ "9223372036854775808", 0, UINT64_MAX, 1ull << 63 },
	};
	uint64_t v;

	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++) {
		v = 77;
		assert_int_equal(bh_parse_u64(good[i].text, good[i].min, good[i].max, &v), 0);
		assert_int_equal(v, good[i].value);
	}
}

static void test_u64_refuses(void **state)
{
	static const char *const no_number[] = {
		"",
		" ",
		"+1",
		"-1",
		"-0",
		"0x10",
		"1e3",
		"1.0",
		"1,0",
		" 1",
		"1 ",
		"1\n",
		"\t1",
		"a",
		"1a",
		"1_000",
		"99999999999999999999x",
		"\xd9\xa1", /* ARABIC-INDIC DIGIT ONE */
	};
	static const struct {
		const char *text;
		uint64_t min, max;
	} outside[] = {
		{ "0", 1, 65535 },
		{ "65536", 1, 65535 },
		{ "18446744073709551615", 0, UINT64_MAX - 1 },
		{ "18446744073709551616", 0, UINT64_MAX },
		{ "18446744073709551620", 0, UINT64_MAX },
		{ "184467440737095516150", 0, UINT64_MAX },
		{ "99999999999999999999999999999999999999999999", 0, UINT64_MAX },
	};
	uint64_t v = 77;

	for (size_t i = 0; i < BH_ARRAY_SIZE(no_number); i++)
		if (bh_parse_u64(no_number[i], 0, UINT64_MAX, &v) != -EINVAL)
			fail_msg("taken for a number: '%s'", no_number[i]);
	for (size_t i = 0; i < BH_ARRAY_SIZE(outside); i++)
		if (bh_parse_u64(outside[i].text, outside[i].min, outside[i].max, &v) != -ERANGE)
			fail_msg("not out of range: %s", outside[i].text);
	assert_int_equal(v, 77);
}

/* --- globs -------------------------------------------------------------------------------- */

static void test_glob(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "?", "", false },
		{ "*", "", true },
		{ "**", "", true },
		{ "*?", "", false },
		{ "*?", "a", true },
		{ "web", "web", true },
		{ "web", "Web", false },
		{ "web", "webs", false },
		{ "web*", "web", true },
		{ "web*", "web-1", true },
		{ "web-?", "web-1", true },
		{ "web-?", "web-12", false },
		{ "*/web", "shop/web", true },
		{ "*/web", "a/b/web", true },
		{ "*web", "webweb", true },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "acb", false },
		{ "*aab", "aaaaab", true },
		{ "*a?", "aaaa", true },
		{ "a**b", "ab", true },
		{ "*a*", "bbb", false },
		/* no brackets, no escapes */
		{ "[ab]", "a", false },
		{ "[ab]", "[ab]", true },
		{ "\\*", "*", false },
		{ "\\*", "\\anything", true },
		{ "{a,b}", "a", false },
		/* a pattern's letters in the text */
		{ "a*c", "a*bc", true },
		{ "*", "*?[", true },
		{ "\xff*", "\xff\xfe", true },
		{ ".*", "x", false },
		{ "*", ".hidden", true },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		if (bh_glob_match(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);
}

/* What the two characters mean, word for word. */
static bool naive_glob(const char *p, const char *s)
{
	if (*p == '*')
		return naive_glob(p + 1, s) || (*s && naive_glob(p, s + 1));
	if (!*s || !*p)
		return !*s && !*p;
	return (*p == '?' || *p == *s) && naive_glob(p + 1, s + 1);
}

static void test_glob_random(void **state)
{
	char pattern[9], text[11];

	srandom(3);
	for (unsigned i = 0; i < 200000; i++) {
		size_t n = (size_t)random() % sizeof(pattern), m = (size_t)random() % sizeof(text);

		for (size_t j = 0; j < n; j++)
			pattern[j] = "ab*?"[random() % 4];
		for (size_t j = 0; j < m; j++)
			text[j] = "ab"[random() % 2];
		pattern[n] = text[m] = '\0';
		if (bh_glob_match(pattern, text) != naive_glob(pattern, text))
			fail_msg("'%s' on '%s'", pattern, text);
	}
}

/* Stars upon stars: a matcher that tries everything would not be back before the sun is gone. */
static void test_glob_bomb(void **state)
{
	char pattern[201], text[10001];
	struct timespec begin, end;

	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[199] = 'b';
	pattern[200] = '\0';
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	assert_false(bh_glob_match(pattern, text));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	assert_true(end.tv_sec - begin.tv_sec <= 2);
	text[sizeof(text) - 2] = 'b';
	assert_true(bh_glob_match(pattern, text));
}

/* --- did you mean ------------------------------------------------------------------------- */

static void assert_nearest(const char *word, const char *expect)
{
	static const char *const keys[] = { "service", "select", "ingress", "egress", "from",
					    "ports",   "mode",   "on-deny", "expires" };
	const char *near = bh_nearest(word, keys, BH_ARRAY_SIZE(keys));

	if (!expect) {
		if (near)
			fail_msg("%s is not near %s", word, near);
	} else {
		assert_non_null(near);
		assert_string_equal(near, expect);
	}
}

static void test_nearest(void **state)
{
	assert_nearest("form", "from"); /* two letters swapped */
	assert_nearest("prots", "ports");
	assert_nearest("port", "ports"); /* one is missing */
	assert_nearest("frrom", "from"); /* one too many */
	assert_nearest("fron", "from");  /* another one */
	assert_nearest("From", "from");  /* case */
	assert_nearest("MODE", "mode");
	assert_nearest("on_deny", "on-deny");
	assert_nearest("expiers", "expires");
	assert_nearest("ingres", "ingress");
	assert_nearest("engress", "ingress"); /* as near as egress: the first one */
	assert_nearest("service", "service");
}

static void test_nothing_near(void **state)
{
	static const char *const hostile[] = { "", "\xff\xff" };
	char huge[5000];

	assert_nearest("banana", NULL);
	assert_nearest("x", NULL);
	assert_nearest("", NULL);
	assert_nearest("anchor", NULL);
	assert_null(bh_nearest("from", NULL, 0));
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_nearest(huge, NULL);
	assert_null(bh_nearest("from", (const char *const[]) { huge }, 1));
	assert_null(bh_nearest("from", hostile, BH_ARRAY_SIZE(hostile)));
}

/* --- names -------------------------------------------------------------------------------- */

static void test_name(void **state)
{
	static const char *const good[] = {
		"a", "0", "web", "web-1", "a--b", "1password", "a-0",
	};
	static const char *const bad[] = {
		"",      "-",    "-web",  "web-", "Web",       "web_1", "web.1",
		"web 1", " web", "web\n", "w/eb", "w\xc3\xa4", "web:",  "*",
	};
	char name[65];

	memset(name, 'a', sizeof(name));
	name[63] = '\0';
	assert_true(bh_name_is_valid(name));
	name[63] = 'a';
	name[64] = '\0';
	assert_false(bh_name_is_valid(name));
	for (size_t i = 0; i < BH_ARRAY_SIZE(good); i++)
		assert_true(bh_name_is_valid(good[i]));
	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		if (bh_name_is_valid(bad[i]))
			fail_msg("accepted: '%s'", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),          cmocka_unit_test(test_u64_refuses),
		cmocka_unit_test(test_glob),         cmocka_unit_test(test_glob_random),
		cmocka_unit_test(test_glob_bomb),    cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_nothing_near), cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
