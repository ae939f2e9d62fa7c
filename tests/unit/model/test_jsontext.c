/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/jsontext.h>

#define PATH(...) ((const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

static struct bh_buf text;

static void hold(const char *s)
{
	bh_buf_done(&text);
	bh_buf_init(&text, 4096);
	assert_int_equal(bh_buf_addstr(&text, s), 0);
}

static int tear_down(void **state)
{
	bh_buf_done(&text);
	return 0;
}

static void test_parse(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: it is taken */
	} cases[] = {
		{ "{\"a\": 18446744073709551615}", NULL },
		{ " {} \n", NULL },
		{ "{\"a\": 1} // so\n", "1:10: JSON has no comments" },
		{ "{\n  # so\n  \"a\": 1}", "2:3: JSON has no comments" },
		{ "{\"a\": 1, \"a\": 2}", "duplicate" },
		{ "{\"a\": 1,}", "1:9:" },
		{ "[1]", "1:1: it is no object" },
		{ "", "1:0:" },
		{ "{\"a\": 1} {}", "end of file" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_err err = BH_ERR_INIT;
		json_t *root = NULL;
		int r = jsontext_parse(cases[i].text, strlen(cases[i].text), &root, &err);

		assert_int_equal(r, cases[i].why ? -EINVAL : 0);
		if (cases[i].why && !strstr(err.msg, cases[i].why))
			fail_msg("%s: %s", cases[i].text, err.msg);
		json_decref(root);
	}
}

static void finds(const char *const *path, const char *value)
{
	struct json_span at;

	assert_int_equal(jsontext_find(text.data, text.len, path, &at), 1);
	assert_int_equal(at.len, strlen(value));
	assert_memory_equal(text.data + at.at, value, at.len);
}

static void test_find(void **state)
{
	struct json_span at;

	hold(" { \"a\" : 1, \"b\":{\"c\":[\"}\",{\"d\":\"\\\"\\\\\"}], \"e\" :\"x\" },\"f\":true "
	     "}");
	finds(PATH("a"), "1");
	finds(PATH("b", "c"), "[\"}\",{\"d\":\"\\\"\\\\\"}]");
	finds(PATH("b", "e"), "\"x\"");
	finds(PATH("f"), "true");
	assert_int_equal(jsontext_find(text.data, text.len, PATH("c"), &at), 0);
	assert_int_equal(jsontext_find(text.data, text.len, PATH("a", "b"), &at), 0);
	assert_int_equal(jsontext_find(text.data, text.len, PATH("b", "c", "d"), &at), 0);
}

/* Which of them counts depends on who reads. */
static void test_cases(void **state)
{
	struct json_span at;

	hold("{\"hooks\":{},\"Hooks\":{}}");
	assert_int_equal(jsontext_find(text.data, text.len, PATH("hooks"), &at), -EEXIST);
	assert_int_equal(jsontext_set(&text, PATH(), "hooks", "1"), -EEXIST);
	hold("{\"HOOKS\":{}}");
	assert_int_equal(jsontext_find(text.data, text.len, PATH("hooks"), &at), -EEXIST);
	hold("{\"\\u0068ooks\":{}}");
	assert_int_equal(jsontext_find(text.data, text.len, PATH("hooks"), &at), -EEXIST);
}

static void test_set(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{ "{}", "{\"k\":1}" },
		{ "{\n}", "{\n    \"k\": 1\n}" },
		{ "{\"a\":2}", "{\"a\":2,\"k\":1}" },
		{ "{\"a\": 2 }", "{\"a\": 2,\"k\":1 }" },
		{ "{\n\t\"a\": 2,\n\t\"b\": []\n}\n",
		  "{\n\t\"a\": 2,\n\t\"b\": [],\n\t\"k\": 1\n}\n" },
		{ "{\"k\": {\"x\": [1,2]}, \"a\":2}", "{\"k\": 1, \"a\":2}" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		hold(cases[i].before);
		assert_int_equal(jsontext_set(&text, PATH(), "k", "1"), 0);
		assert_string_equal(text.data, cases[i].after);
	}
	hold("{\"a\":[]}");
	assert_int_equal(jsontext_set(&text, PATH("a"), "k", "1"), -ENOENT);
	assert_int_equal(jsontext_set(&text, PATH("b"), "k", "1"), -ENOENT);
	assert_int_equal(jsontext_set(&text, PATH("a", "b"), "k", "1"), -ENOENT);
}

static void test_append(void **state)
{
	hold("{\"h\":{\"p\":[], \"q\": [\n  {\"a\":[1]},\n  2\n ], \"s\":[\"]\"]}}");
	assert_int_equal(jsontext_append(&text, PATH("h", "p"), "{}"), 0);
	assert_int_equal(jsontext_append(&text, PATH("h", "q"), "3"), 0);
	assert_int_equal(jsontext_append(&text, PATH("h", "s"), "4"), 0);
	assert_string_equal(
		text.data,
		"{\"h\":{\"p\":[{}], \"q\": [\n  {\"a\":[1]},\n  2,\n  3\n ], \"s\":[\"]\",4]}}");
	assert_int_equal(jsontext_append(&text, PATH("h"), "3"), -ENOENT);
	assert_int_equal(jsontext_append(&text, PATH("x"), "3"), -ENOENT);
}

/* What was set is taken out again, and nothing else. */
static void test_remove(void **state)
{
	static const char *const texts[] = { "{}", "{\"a\":2}", "{\n\t\"a\": 2,\n\t\"b\": []\n}\n",
					     "{ \"a\": {\"k\": 7} }" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		hold(texts[i]);
		assert_int_equal(jsontext_set(&text, PATH(), "k", "{\"x\": 1}"), 0);
		assert_string_not_equal(text.data, texts[i]);
		assert_int_equal(jsontext_remove(&text, PATH(), "k"), 0);
		assert_string_equal(text.data, texts[i]);
		assert_int_equal(jsontext_remove(&text, PATH(), "k"), 0);
		assert_string_equal(text.data, texts[i]);
	}
	hold("{\n  \"k\": 1,\n  \"a\": 2\n}");
	assert_int_equal(jsontext_remove(&text, PATH(), "k"), 0);
	assert_string_equal(text.data, "{\n  \"a\": 2\n}");
}

static void test_full(void **state)
{
	bh_buf_done(&text);
	bh_buf_init(&text, 10);
	bh_buf_addstr(&text, "{\"a\":2}");
	assert_int_equal(jsontext_set(&text, PATH(), "key", "1"), -EFBIG);
	assert_int_equal(bh_buf_error(&text), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_find),
		cmocka_unit_test(test_cases),  cmocka_unit_test(test_set),
		cmocka_unit_test(test_append), cmocka_unit_test(test_remove),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
