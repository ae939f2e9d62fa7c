/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

#include "../../../src/ctl/frame.h"

static const struct ctl_arg args[] = {
	{ "paths", CTL_TYPE_STRINGS, true },
	{ "confirm", CTL_TYPE_INTEGER, false },
	{ "owner", CTL_TYPE_STRING, false },
	{ "dry", CTL_TYPE_BOOLEAN, false },
	{ NULL },
};

static int parse_bytes(const char *data, size_t len, struct bh_err *err)
{
	struct ctl_request req;
	int r = ctl_request_parse(data, len, &req, err);

	if (r < 0)
		return r;
	r = ctl_args_check(req.args, args, err);
	ctl_request_done(&req);
	return r;
}

static void assert_refused(const char *text, int r, const char *why)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(parse_bytes(text, strlen(text), &err), r);
	if (!strstr(err.msg, why))
		fail_msg("'%s' is not in '%s'", why, err.msg);
}

static void a_request(void **state)
{
	const char *text = " {\"v\":1,\"do\":\"apply\",\"paths\":[\"a\",\"b\"],\"confirm\":60}\n";
	struct bh_err err = BH_ERR_INIT;
	struct ctl_request req;

	assert_int_equal(ctl_request_parse(text, strlen(text), &req, &err), 0);
	assert_string_equal(json_string_value(req.verb), "apply");
	assert_int_equal(json_object_size(req.args), 2);
	assert_int_equal(json_integer_value(json_object_get(req.args, "confirm")), 60);
	assert_int_equal(ctl_args_check(req.args, args, &err), 0);
	assert_int_equal(ctl_args_check(req.args, NULL, &err), -EINVAL);
	ctl_request_done(&req);
}

static void what_is_no_request(void **state)
{
	assert_refused("", -EINVAL, "not JSON");
	assert_refused("[1]", -EINVAL, "not a JSON object");
	assert_refused("\"v\"", -EINVAL, "not JSON");
	assert_refused("{}", -EINVAL, "\"v\"");
	assert_refused("{\"v\":1}", -EINVAL, "\"do\"");
	assert_refused("{\"v\":\"1\",\"do\":\"x\"}", -EINVAL, "\"v\"");
	assert_refused("{\"v\":1.0,\"do\":\"x\"}", -EINVAL, "\"v\"");
	assert_refused("{\"v\":1,\"do\":2}", -EINVAL, "\"do\"");
	assert_refused("{\"v\":2,\"do\":\"x\"}", -EPROTONOSUPPORT, "version 1");
	assert_refused("{\"v\":99999999999999999999,\"do\":\"x\"}", -EINVAL, "not JSON");
}

static void strictness(void **state)
{
	assert_refused("{\"v\":1,\"v\":1,\"do\":\"x\"}", -EINVAL, "duplicate");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[],\"paths\":[]}", -EINVAL, "duplicate");
	assert_refused("{\"v\":1,\"do\":\"x\"} 1", -EINVAL, "end of file expected");
	assert_refused("{\"v\":1,\"do\":\"x\"}{}", -EINVAL, "end of file expected");
	assert_refused("{\"v\":1,\"do\":\"a\\u0000b\"}", -EINVAL, "not JSON");
	assert_refused("{\"v\":1,\"do\":\"\xff\"}", -EINVAL, "unable to decode");
	assert_refused("{\"v\":1,\"do\":\"\x1b[2J\"}", -EINVAL, "not JSON");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[],\"pathz\":1}", -EINVAL,
		       "unknown argument \"pathz\"");
}

static void a_nul_behind_the_request(void **state)
{
	static const char text[] = "{\"v\":1,\"do\":\"x\",\"paths\":[]}";
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(parse_bytes(text, sizeof(text) - 1, &err), 0);
	assert_int_equal(parse_bytes(text, sizeof(text), &err), -EINVAL);
}

static void types_of_arguments(void **state)
{
	assert_refused("{\"v\":1,\"do\":\"x\"}", -EINVAL, "\"paths\" is missing");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":\"a\"}", -EINVAL, "list of strings");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[1]}", -EINVAL, "list of strings");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[],\"dry\":0}", -EINVAL, "true or false");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[],\"owner\":null}", -EINVAL, "a string");
	assert_refused("{\"v\":1,\"do\":\"x\",\"paths\":[],\"confirm\":1.5}", -EINVAL,
		       "an integer");
}

/* {"v":1,"do":"x","d": and N lists */
static int parse_deep(unsigned n, struct bh_err *err)
{
	char text[BH_CTL_FRAME_MAX];
	struct ctl_request req;
	size_t len = (size_t)snprintf(text, sizeof(text), "{\"v\":1,\"do\":\"[[[{\\\"[[\",\"d\":");
	int r;

	memset(text + len, '[', n);
	memset(text + len + n, ']', n);
	text[len + 2 * n] = '}';
	r = ctl_request_parse(text, len + 2 * n + 1, &req, err);
	if (r == 0)
		ctl_request_done(&req);
	return r;
}

static void depth(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(parse_deep(BH_CTL_DEPTH_MAX - 1, &err), 0); /* brackets in strings: none */
	assert_int_equal(parse_deep(BH_CTL_DEPTH_MAX, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "nested"));
	assert_int_equal(parse_deep(30000, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "nested"));
}

static void length(void **state)
{
	static char text[BH_CTL_FRAME_MAX + 1];
	struct bh_err err = BH_ERR_INIT;
	size_t n = (size_t)sprintf(text, "{\"v\":1,\"do\":\"x\",\"paths\":[]}");

	memset(text + n, ' ', sizeof(text) - n);
	assert_int_equal(parse_bytes(text, BH_CTL_FRAME_MAX, &err), 0);
	assert_int_equal(parse_bytes(text, BH_CTL_FRAME_MAX + 1, &err), -EINVAL);
}

static void answers(void **state)
{
	static char out[BH_CTL_FRAME_MAX];
	struct bh_err err = BH_ERR_INIT;
	struct ctl_end end = { 0 };
	json_t *item = NULL;
	ssize_t n = ctl_item_write(out, json_pack("{s:s}", "id", "shop/web"));

	assert_int_equal(n, strlen("{\"item\":{\"id\":\"shop/web\"}}"));
	assert_int_equal(ctl_answer_parse(out, (size_t)n, &item, &end, &err), 1);
	assert_string_equal(json_string_value(json_object_get(item, "id")), "shop/web");
	json_decref(item);
	n = ctl_end_write(out, 1, NULL);
	assert_memory_equal(out, "{\"end\":{\"exit\":1}}", n);
	assert_int_equal(ctl_answer_parse(out, (size_t)n, &item, &end, &err), 0);
	assert_int_equal(end.exit, 1);
	assert_string_equal(end.error, "");
	n = ctl_end_write(out, 3, "no such \\x1b thing \x1b[31m \xc3");
	assert_int_equal(ctl_answer_parse(out, (size_t)n, &item, &end, &err), 0);
	assert_string_equal(end.error, "no such \\x1b thing \\x1b[31m \\xc3");
}

static void what_is_no_answer(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"item\":1}",
		"{\"end\":{}}",
		"{\"end\":[]}",
		"{\"end\":{\"exit\":256}}",
		"{\"end\":{\"exit\":-1}}",
		"{\"end\":{\"exit\":0,\"error\":1}}",
		"{\"end\":{\"exit\":0,\"more\":1}}",
		"{\"end\":{\"exit\":0},\"item\":{}}",
		"{\"else\":{}}",
		"nothing",
	};
	struct bh_err err = BH_ERR_INIT;
	struct ctl_end end;
	json_t *item;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(ctl_answer_parse(wrong[i], strlen(wrong[i]), &item, &end, &err),
				 -EBADMSG);
}

static void what_does_not_fit(void **state)
{
	static char out[BH_CTL_FRAME_MAX], text[BH_CTL_FRAME_MAX + 1];
	const size_t around = strlen("{\"item\":{\"t\":\"\"}}");

	memset(text, 'x', BH_CTL_FRAME_MAX - around);
	assert_int_equal(ctl_item_write(out, json_pack("{s:s}", "t", text)), BH_CTL_FRAME_MAX);
	text[BH_CTL_FRAME_MAX - around] = 'x';
	assert_int_equal(ctl_item_write(out, json_pack("{s:s}", "t", text)), -EMSGSIZE);
	assert_int_equal(ctl_item_write(out, NULL), -ENOMEM);
	memset(text, 'x', BH_CTL_FRAME_MAX); /* an error is cut */
	assert_true(ctl_end_write(out, 3, text) < 2 * BH_ERR_MAX);
	assert_int_equal(ctl_request_write(out, "x", json_pack("{s:s}", "t", text)), -EMSGSIZE);
}

static void tame_sentences(void **state)
{
	char out[BH_ERR_MAX], again[BH_ERR_MAX], text[BH_ERR_MAX + 10];

	assert_string_equal(ctl_tame(out, "a\\b\n"), "a\\b\\x0a");
	assert_string_equal(ctl_tame(again, out), out);
	assert_string_equal(ctl_tame(out, ""), "");
	/* Two-byte characters, cut at either of their bytes. */
	for (int odd = 0; odd < 2; odd++) {
		memset(text, 'x', sizeof(text));
		for (size_t i = (size_t)odd; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa4", 2);
		text[sizeof(text) - 1] = '\0';
		ctl_tame(out, text);
		assert_true(strlen(out) >= BH_ERR_MAX - 3 && strlen(out) < BH_ERR_MAX);
		assert_string_equal(out + strlen(out) - 3, "...");
		assert_string_equal(ctl_tame(again, out), out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request),
		cmocka_unit_test(what_is_no_request),
		cmocka_unit_test(strictness),
		cmocka_unit_test(a_nul_behind_the_request),
		cmocka_unit_test(types_of_arguments),
		cmocka_unit_test(depth),
		cmocka_unit_test(length),
		cmocka_unit_test(answers),
		cmocka_unit_test(what_is_no_answer),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(tame_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
