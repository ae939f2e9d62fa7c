/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <endian.h>

#include "fixture.h"

#include <libmnl/libmnl.h>

#include "../../../src/nft/attr.h"
#include "../../../src/nft/kernel.h"

/*
 * Attributes as a hostile or damaged message would have them. Each message lies at the very end of
 * a block of its own size, so that reading past it is found by the sanitizer. (Netlink pads
 * messages to 4 bytes, and the padding may be read.)
 */

static char *block;

static struct nlmsghdr *message(const void *attrs, size_t len)
{
	struct nlmsghdr *nlh;

	free(block);
	block = calloc(1, NLMSG_LENGTH(sizeof(struct nfgenmsg)) + MNL_ALIGN(len));
	assert_non_null(block);
	nlh = (void *)block;
	nlh->nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(struct nfgenmsg)) + len);
	if (len)
		memcpy(block + NLMSG_LENGTH(sizeof(struct nfgenmsg)), attrs, len);
	return nlh;
}

static int teardown(void **state)
{
	free(block);
	block = NULL;
	return 0;
}

/* Type and payload of one attribute, which says that it is SAID bytes long. */
struct one {
	struct nlattr a;
	uint8_t b[16];
};

static struct one one(uint16_t type, uint16_t said, const void *payload, size_t len)
{
	struct one o = { { said, type }, { 0 } };

	memcpy(o.b, payload, len);
	return o;
}

static void test_types(void **state)
{
	struct one attrs[3] = { one(1, 20, "one", 3), one(9, 20, "nine", 4), one(1, 20, "two", 3) };
	const struct nlattr *tb[5];

	attr_parse(message(attrs, sizeof(attrs)), tb, 4);
	assert_null(tb[0]);
	assert_string_equal(mnl_attr_get_payload(tb[1]), "two");
	assert_null(tb[2]);
	assert_null(tb[4]);
}

/* The flags in the upper bits of a type are no part of it. */
static void test_nested_flag(void **state)
{
	struct one o = one(2 | NLA_F_NESTED, 8, "x", 2);
	const struct nlattr *tb[3];

	attr_parse(message(&o, 8), tb, 2);
	assert_true(attr_is(tb[2], "x"));
}

static void test_no_message(void **state)
{
	struct nlmsghdr *nlh = message(NULL, 0);
	const struct nlattr *tb[3];

	attr_parse(nlh, tb, 2);
	assert_null(tb[1]);
	nlh->nlmsg_len =
		sizeof(*nlh); /* not even what every message of the subsystem begins with */
	attr_parse(nlh, tb, 2);
	assert_null(tb[1]);
	attr_parse_nested(NULL, tb, 2);
	assert_null(tb[1]);
}

/* Lengths that are a lie: under a header's, over the message, at every size of what is there. */
static void test_lying_lengths(void **state)
{
	for (size_t there = 4; there <= sizeof(struct one); there++)
		for (uint16_t said = 0; said < 64; said++) {
			struct one o = one(1, said, "abcdefghijklmnop", 16);
			const struct nlattr *tb[2];

			attr_parse(message(&o, there), tb, 1);
			assert_int_equal(tb[1] != NULL, said >= 4 && said <= MNL_ALIGN(there));
		}
}

static void test_lying_nests(void **state)
{
	for (uint16_t outer = 4; outer <= 20; outer++)
		for (uint16_t inner = 0; inner < 40; inner++) {
			struct one o = one(1, outer, "", 0);
			struct nlattr in = { inner, 1 };
			const struct nlattr *tb[2], *sub[2];

			memcpy(o.b, &in, sizeof(in));
			attr_parse(message(&o, outer), tb, 1);
			assert_non_null(tb[1]);
			attr_parse_nested(tb[1], sub, 1);
			assert_int_equal(sub[1] != NULL, inner >= 4 && inner + 4 <= outer);
		}
}

static void test_numbers(void **state)
{
	uint32_t v32 = 7;
	uint64_t v64 = 7;
	const struct nlattr *tb[2];
	uint64_t be64 = htobe64(UINT64_C(0x0102030405060708));
	uint32_t be32 = htobe32(0x01020304);

	for (uint16_t len = 0; len <= 12; len++) {
		struct one o = one(1, (uint16_t)(4 + len), &be64, 8);

		attr_parse(message(&o, 4 + len), tb, 1);
		assert_int_equal(attr_u64(tb[1], &v64), len == 8);
		assert_int_equal(v64, len < 8 ? 7 : UINT64_C(0x0102030405060708));
		memcpy(o.b, &be32, sizeof(be32));
		attr_parse(message(&o, 4 + len), tb, 1);
		assert_int_equal(attr_u32(tb[1], &v32), len == 4);
		assert_int_equal(v32, len < 4 ? 7 : 0x01020304);
	}
	assert_false(attr_u32(NULL, &v32));
	assert_false(attr_u64(NULL, &v64));
}

static void test_strings(void **state)
{
	struct one o = one(1, 4 + 8, "payments", 8);
	const struct nlattr *tb[2];
	char out[9] = "untouched";

	attr_parse(message(&o, 4 + 8), tb, 1); /* no NUL */
	assert_false(attr_string(tb[1], out, sizeof(out)));
	assert_memory_equal(out, "untouched", 9);
	assert_false(attr_is(tb[1], "payments"));
	o = one(1, 4 + 9, "payments", 9);
	attr_parse(message(&o, 4 + 9), tb, 1);
	assert_false(attr_string(tb[1], out, 8)); /* no room */
	assert_true(attr_string(tb[1], out, 9));
	assert_string_equal(out, "payments");
	assert_true(attr_is(tb[1], "payments"));
	assert_false(attr_is(tb[1], "payment"));
	assert_false(attr_is(tb[1], "payments2"));
	o = one(1, 4, "", 0);
	attr_parse(message(&o, 4), tb, 1); /* nothing at all */
	assert_false(attr_string(tb[1], out, sizeof(out)));
	assert_false(attr_is(tb[1], ""));
	assert_false(attr_string(NULL, out, sizeof(out)));
	assert_false(attr_is(NULL, ""));
}

/* nftables' user data: type, length, value. Whatever it says, the comment is a bounded string. */
static const char *comment(const void *udata, size_t len)
{
	static char out[8];
	struct one o = one(1, (uint16_t)(4 + len), udata, len);
	const struct nlattr *tb[2];

	memset(out, 'x', sizeof(out));
	attr_parse(message(&o, 4 + len), tb, 1);
	attr_comment(tb[1], out, sizeof(out));
	return out;
}

static void test_comments(void **state)
{
	char out[8] = "x";

	attr_comment(NULL, out, sizeof(out));
	assert_string_equal(out, "");
	assert_string_equal(comment("", 0), "");
	assert_string_equal(comment("\0", 1), "");              /* no length */
	assert_string_equal(comment("\0\4abc", 6), "abc");      /* as nft(8) writes it */
	assert_string_equal(comment("\0\3abc", 5), "abc");      /* without its NUL */
	assert_string_equal(comment("\0\4abc", 5), "");         /* longer than what is there */
	assert_string_equal(comment("\1\1z\0\4abc", 9), "abc"); /* behind something else */
	assert_string_equal(comment("\1\377z\0\4abc", 9), "");  /* behind a lie */
	assert_string_equal(comment("\0\0\0\4abc", 8), "");     /* the first one counts */
	assert_string_equal(comment("\0\12abcdefghi", 12), "abcdefg"); /* cut to the room */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),       cmocka_unit_test(test_nested_flag),
		cmocka_unit_test(test_no_message),  cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_lying_nests), cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_strings),     cmocka_unit_test(test_comments),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
