/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "util.h"

/* The seal: what was altered is seen, by whatever byte. */

/* RFC 8410, 10.3: the key of its example, and its public half of 10.1. */
static const char private_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
	"-----END PRIVATE KEY-----\n";
static const char public_pem[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				 "-----END PUBLIC KEY-----\n";

static struct report_key key_of(const char *pem)
{
	struct report_key k;

	assert_int_equal(report_key_parse(pem, strlen(pem), &k, NULL), 0);
	return k;
}

static void test_keys(void **state)
{
	static const char *const wrong[] = {
		"",
		"x",
		"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTu\n-----END PRIVATE "
		"KEY-----\n",
		"-----END PRIVATE KEY----------BEGIN PRIVATE KEY-----",
		"-----BEGIN PUBLIC KEY-----\n"
		"MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
		"-----END PUBLIC KEY-----\n", /* X25519 */
	};
	struct report_key a = key_of(private_pem), b = key_of(public_pem), c;

	assert_true(a.is_private);
	assert_false(b.is_private);
	assert_memory_equal(a.public, b.public, sizeof(a.public));
	for (size_t i = 0; i < BH_ARRAY_SIZE(wrong); i++)
		assert_int_equal(report_key_parse(wrong[i], strlen(wrong[i]), &c, NULL), -EINVAL);
}

static json_t *judged(void)
{
	json_t *r = facts();

	assert_int_equal(report_judge(r, NULL), 0);
	return r;
}

static struct report_checked checked(const struct bh_buf *b, const struct report_key *key)
{
	struct report_checked c;

	assert_int_equal(report_check(b->data, b->len, key, &c, NULL), 0);
	return c;
}

static void test_each_format(void **state)
{
	struct report_key key = key_of(private_pem), public = key_of(public_pem), other = public;
	json_t *r = judged();

	other.public[0] ^= 1;
	for (unsigned f = 0; f < REPORT_FORMATS; f++) {
		enum report_format format = (enum report_format)f;
		struct report_checked c;
		struct bh_buf b;

		written(r, format, NULL, &b);
		c = checked(&b, &public);
		assert_true(c.intact && !c.is_signed && !c.is_by_key && c.format == format);
		bh_buf_done(&b);
		written(r, format, &key, &b);
		c = checked(&b, &public);
		assert_true(c.intact && c.is_signed && c.signature_right && c.is_by_key);
		c = checked(&b, &other);
		assert_true(c.intact && c.signature_right && !c.is_by_key);
		bh_buf_done(&b);
	}
	json_decref(r);
}

/* Whatever byte of a page is another: it is not intact, or no report. */
static void test_each_byte(void **state)
{
	struct report_key key = key_of(private_pem);
	json_t *r = judged();
	struct bh_buf b;

	written(r, REPORT_MARKDOWN, &key, &b);
	for (size_t i = 0; i < b.len; i++) {
		struct report_checked c;
		char was = b.data[i];

		b.data[i] = was == 'a' ? 'b' : 'a';
		if (report_check(b.data, b.len, &key, &c, NULL) >= 0 && c.intact && c.is_signed &&
		    c.signature_right && c.is_by_key)
			fail_msg("byte %zu was altered, and nobody has seen it", i);
		b.data[i] = was;
	}
	for (size_t n = 0; n < b.len; n++) {
		struct report_checked c;

		if (report_check(b.data, n, &key, &c, NULL) >= 0)
			fail_msg("cut off at %zu", n);
	}
	bh_buf_done(&b);
	json_decref(r);
}

/* JSON is sealed as an object: another layout is the same report, another value is not. */
static void test_json(void **state)
{
	struct report_key key = key_of(private_pem);
	json_t *r = judged(), *o, *back = NULL;
	bh_autofree char *compact = NULL, *altered = NULL, *cut = NULL;
	struct report_checked c;
	struct bh_buf b;

	written(r, REPORT_JSON, &key, &b);
	o = json_loads(bh_buf_str(&b), 0, NULL);
	compact = json_dumps(o, JSON_COMPACT);
	assert_int_equal(report_check(compact, strlen(compact), &key, &c, NULL), 0);
	assert_true(c.intact && c.signature_right && c.is_by_key);
	assert_int_equal(report_read(compact, strlen(compact), &back, NULL), 0);
	assert_true(json_equal(back, r));
	json_decref(back);
	put(o, "report.requirements.0.verdict", "\"finding\"");
	altered = json_dumps(o, 0);
	assert_int_equal(report_check(altered, strlen(altered), &key, &c, NULL), 0);
	assert_false(c.intact || c.signature_right);
	put(o, "signature.value", "\"00\"");
	cut = json_dumps(o, 0);
	assert_int_equal(report_check(cut, strlen(cut), &key, &c, NULL), -EINVAL);
	assert_int_equal(report_check("{}", 2, NULL, &c, NULL), -EINVAL);
	assert_int_equal(report_read("[1]", 3, &back, NULL), -EINVAL);
	json_decref(o);
	bh_buf_done(&b);
	json_decref(r);
}

/* A seal that was put into the page is not the last line. */
static void test_forged(void **state)
{
	json_t *r = judged();
	struct report_checked c;
	struct bh_buf b;

	written(r, REPORT_HTML, NULL, &b);
	bh_buf_addstr(&b, "<p>more</p>\n");
	assert_int_equal(report_check(b.data, b.len, NULL, &c, NULL), -EINVAL);
	bh_buf_done(&b);
	json_decref(r);
}

static void test_tame(void **state)
{
	json_t *o = json_pack("{s:s, s:[s], s:s}", "a", "x\x1b[1m", "b", "\xe2\x80\xae", "bad key",
			      "x");

	report_tame(o);
	assert_string_equal(json_string_value(json_object_get(o, "a")), "x\\x1b[1m");
	assert_string_equal(json_string_value(json_array_get(json_object_get(o, "b"), 0)),
			    "\\xe2\\x80\\xae");
	assert_null(json_object_get(o, "bad key"));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),      cmocka_unit_test(test_each_format),
		cmocka_unit_test(test_each_byte), cmocka_unit_test(test_json),
		cmocka_unit_test(test_forged),    cmocka_unit_test(test_tame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
