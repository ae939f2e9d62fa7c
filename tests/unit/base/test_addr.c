/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	if (bh_addr_parse(s, &a) < 0)
		fail_msg("not an address: %s", s);
	return a;
}

static struct bh_prefix prefix(const char *s)
{
	struct bh_prefix p;

	if (bh_prefix_parse(s, &p) < 0)
		fail_msg("not a prefix: %s", s);
	return p;
}

static struct bh_range range(const char *lo, const char *hi)
{
	return (struct bh_range) { addr(lo), addr(hi) };
}

static void assert_addr(const struct bh_addr *a, const char *expect)
{
	char text[BH_ADDR_STR];

	assert_ptr_equal(bh_addr_format(text, a), text);
	assert_string_equal(text, expect);
}

/* --- addresses ---------------------------------------------------------------------------- */

static void test_parse(void **state)
{
	static const char *const canonical[] = {
		"0.0.0.0",
		"10.77.1.2",
		"127.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"2001:db8::1",
		"2001:db8:0:1:1:1:1:1",
		"fe80::1:0:0:1",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(canonical); i++) {
		struct bh_addr a = addr(canonical[i]);

		assert_int_equal(a.family, strchr(canonical[i], ':') ? AF_INET6 : AF_INET);
		assert_addr(&a, canonical[i]);
	}
}

/* RFC 5952: small letters, no leading zeros, the first longest run of zeros is the short one. */
static void test_format_is_canonical(void **state)
{
	static const char *const pairs[][2] = {
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:0db8:0:0:0:0:0:0001", "2001:db8::1" },
		{ "2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "2001:db8::192.0.2.1", "2001:db8::c000:201" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		struct bh_addr a = addr(pairs[i][0]);

		assert_addr(&a, pairs[i][1]);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"10",
		"10.0.0",
		"10.0.0.0.0",
		"10.0.0.256",
		"10.0.0.-1",
		"10.0.0.01",
		"010.0.0.1",
		"0x0a.0.0.1",
		" 10.0.0.1",
		"10.0.0.1 ",
		"10.0.0.1\n",
		"10.0.0.1/32",
		"10.0.0.1:80",
		"localhost",
		":",
		":::",
		"1::2::3",
		"12345::",
		"fe80::1%lo",
		"fe80::1%1",
		"[::1]",
		"1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9",
		"::g",
		"::10.0.0.256",
		"::ffff:10.0.0.1",
		"::ffff:0:0",
		"::FFFF:a00:1",
		"0:0:0:0:0:ffff:10.0.0.1",
		"1111111111111111111111111111111111111111111111111111111111111111111111111",
	};
	struct bh_addr a;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		if (bh_addr_parse(bad[i], &a) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
	assert_int_equal(bh_addr_parse("::fffe:10.0.0.1", &a), 0); /* not a mapped one */
}

/* What is no address byte stays zero, so that memcmp() orders. */
static void test_unused_bytes(void **state)
{
	static const uint8_t zeros[12];
	struct bh_addr a;

	memset(&a, 0xaa, sizeof(a));
	assert_int_equal(bh_addr_parse("1.2.3.4", &a), 0);
	assert_memory_equal(a.b, ((uint8_t[]) { 1, 2, 3, 4 }), 4);
	assert_memory_equal(a.b + 4, zeros, 12);
	memset(&a, 0xaa, sizeof(a));
	assert_true(bh_addr_from_bytes(&a, "\x7f\0\0\1", 4));
	assert_memory_equal(a.b + 4, zeros, 12);
	assert_addr(&a, "127.0.0.1");
	assert_int_equal(bh_addr_len(AF_INET), 4);
	assert_int_equal(bh_addr_len(AF_INET6), 16);
}

static void test_from_bytes(void **state)
{
	uint8_t bytes[64];
	struct bh_addr a;

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t len = 1; len < sizeof(bytes); len++)
		assert_int_equal(bh_addr_from_bytes(&a, bytes, len), len == 4 || len == 16);
	assert_false(bh_addr_from_bytes(&a, bytes, 65535));
	assert_true(bh_addr_from_bytes(&a, bytes, 4));
	assert_addr(&a, "255.255.255.255");
	assert_true(bh_addr_from_bytes(&a, bytes, 16));
	assert_addr(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

/* The order in which sets are kept. */
static void test_cmp(void **state)
{
	static const char *const sorted[] = {
		"0.0.0.0",         "0.0.0.1", "9.255.255.255", "10.0.0.0", "128.0.0.0",
		"255.255.255.255", "::",      "::1",           "100::",    "2001:db8::1",
		"8000::",          "ffff::",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(sorted); i++)
		for (size_t j = 0; j < BH_ARRAY_SIZE(sorted); j++) {
			struct bh_addr a = addr(sorted[i]), b = addr(sorted[j]);
			int r = bh_addr_cmp(&a, &b);

			assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
		}
}

static void test_next_and_prev(void **state)
{
	static const char *const pairs[][2] = {
		{ "0.0.0.0", "0.0.0.1" },
		{ "10.0.0.255", "10.0.1.0" },
		{ "10.255.255.255", "11.0.0.0" },
		{ "127.255.255.255", "128.0.0.0" },
		{ "255.255.255.254", "255.255.255.255" },
		{ "::", "::1" },
		{ "2001:db8::ffff:ffff", "2001:db8::1:0:0" },
		{ "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "8000::" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		struct bh_addr a = addr(pairs[i][0]);

		assert_true(bh_addr_next(&a));
		assert_addr(&a, pairs[i][1]);
		assert_true(bh_addr_prev(&a));
		assert_addr(&a, pairs[i][0]);
	}
}

static void test_ends_of_the_world(void **state)
{
	struct bh_addr a;

	a = addr("255.255.255.255");
	assert_false(bh_addr_next(&a));
	assert_addr(&a, "255.255.255.255");
	a = addr("0.0.0.0");
	assert_false(bh_addr_prev(&a));
	assert_addr(&a, "0.0.0.0");
	a = addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_false(bh_addr_next(&a));
	assert_addr(&a, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	a = addr("::");
	assert_false(bh_addr_prev(&a));
	assert_addr(&a, "::");
}

/* --- prefixes ----------------------------------------------------------------------------- */

static void test_prefix(void **state)
{
	static const char *const pairs[][2] = {
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.32.0.0/11", "10.32.0.0/11" },
		{ "10.0.0.1", "10.0.0.1/32" },
		{ "10.0.0.1/32", "10.0.0.1/32" },
		{ "255.255.255.254/31", "255.255.255.254/31" },
		{ "::/0", "::/0" },
		{ "::1", "::1/128" },
		{ "2001:DB8:0::/48", "2001:db8::/48" },
		{ "8000::/1", "8000::/1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};
	char text[BH_PREFIX_STR];

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		struct bh_prefix p = prefix(pairs[i][0]), again;

		assert_ptr_equal(bh_prefix_format(text, &p), text);
		assert_string_equal(text, pairs[i][1]);
		again = prefix(text);
		assert_memory_equal(&again.addr, &p.addr, sizeof(p.addr));
		assert_int_equal(again.len, p.len);
	}
}

static void test_prefix_refuses(void **state)
{
	static const struct {
		const char *text;
		int r;
	} bad[] = {
		{ "", -EINVAL },
		{ "/", -EINVAL },
		{ "/8", -EINVAL },
		{ "10.0.0.0/", -EINVAL },
		{ "10.0.0.0/-1", -EINVAL },
		{ "10.0.0.0/+8", -EINVAL },
		{ "10.0.0.0/ 8", -EINVAL },
		{ "10.0.0.0/8 ", -EINVAL },
		{ "10.0.0.0/8/8", -EINVAL },
		{ "10.0.0.0/255.0.0.0", -EINVAL },
		{ "10.0.0/8", -EINVAL },
		{ "10/8", -EINVAL },
		{ "::ffff:0:0/96", -EINVAL },
		{ "::ffff:10.0.0.0/104", -EINVAL },
		{ "fe80::1%lo/64", -EINVAL },
		{ "10.0.0.0/33", -ERANGE },
		{ "10.0.0.0/256", -ERANGE },
		{ "10.0.0.0/99999999999999999999999", -ERANGE },
		{ "::/129", -ERANGE },
		{ "1111111111111111111111111111111111111111111111111111111111/8", -EINVAL },
	};
	struct bh_prefix p;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		if (bh_prefix_parse(bad[i].text, &p) != bad[i].r)
			fail_msg("not refused as it should be: %s", bad[i].text);
}

/* The hint says what was meant. */
static void test_prefix_with_host_bits(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.0.0.1/8", "10.0.0.0/8" },
		{ "10.255.0.0/9", "10.128.0.0/9" },
		{ "1.2.3.4/0", "0.0.0.0/0" },
		{ "255.255.255.255/31", "255.255.255.254/31" },
		{ "2001:db8::1/32", "2001:db8::/32" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0", "::/0" },
		{ "::1/127", "::/127" },
	};
	char text[BH_PREFIX_STR];
	struct bh_prefix p;

	for (size_t i = 0; i < BH_ARRAY_SIZE(pairs); i++) {
		assert_int_equal(bh_prefix_parse(pairs[i][0], &p), -EDOM);
		assert_string_equal(bh_prefix_format(text, &p), pairs[i][1]);
	}
}

static void test_prefix_contains(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} cases[] = {
		{ "10.0.0.0/8", "10.0.0.0", true },
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "0.0.0.0/0", "0.0.0.0", true },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::", false },
		{ "::/0", "0.0.0.0", false },
		{ "::/0", "::", true },
		{ "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ "10.32.0.0/11", "10.63.255.255", true },
		{ "10.32.0.0/11", "10.64.0.0", false },
		{ "10.0.0.1/32", "10.0.0.1", true },
		{ "10.0.0.1/32", "10.0.0.0", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "::1/128", "::1", true },
		{ "::1/128", "::", false },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_prefix p = prefix(cases[i].prefix);
		struct bh_addr a = addr(cases[i].addr);
		struct bh_range r = bh_prefix_range(&p);

		if (bh_prefix_contains(&p, &a) != cases[i].in ||
		    bh_range_contains(&r, &a) != cases[i].in)
			fail_msg("%s in %s", cases[i].addr, cases[i].prefix);
	}
}

/* --- ranges ------------------------------------------------------------------------------- */

/* Every prefix length of both families, on addresses of all bits, some and none: both ways. */
static void test_prefix_range_and_back(void **state)
{
	static const char *const addrs[] = {
		"0.0.0.0", "255.255.255.255", "10.77.1.129",
		"::",      "2001:db8::1:1",   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	char text[BH_PREFIX_STR + BH_ADDR_STR];

	for (size_t i = 0; i < BH_ARRAY_SIZE(addrs); i++) {
		struct bh_addr a = addr(addrs[i]), before;

		for (unsigned len = 0; len <= bh_addr_len(a.family) * 8; len++) {
			struct bh_prefix p, back;
			struct bh_range r;

			snprintf(text, sizeof(text), "%s/%u", addrs[i], len);
			assert_true(bh_prefix_parse(text, &p) != -EINVAL); /* host bits may be */
			r = bh_prefix_range(&p);
			assert_true(bh_range_contains(&r, &a));
			assert_int_equal(r.hi.family, a.family);
			assert_true(bh_range_is_prefix(&r, &back));
			assert_int_equal(back.len, len);
			assert_int_equal(bh_addr_cmp(&back.addr, &p.addr), 0);
			before = r.lo;
			assert_false(bh_addr_prev(&before) && bh_prefix_contains(&p, &before));
			before = r.hi;
			assert_false(bh_addr_next(&before) && bh_prefix_contains(&p, &before));
		}
	}
}

/* All ranges within 256 addresses against what a prefix is: a power of two, and aligned to it. */
static void test_is_prefix(void **state)
{
	for (unsigned family = 0; family < 2; family++)
		for (unsigned lo = 0; lo < 256; lo++)
			for (unsigned hi = lo; hi < 256; hi++) {
				struct bh_range r = family ? range("2001:db8::", "2001:db8::")
							   : range("10.0.0.0", "10.0.0.0");
				size_t last = bh_addr_len(r.lo.family) - 1;
				unsigned n = hi - lo + 1;
				struct bh_prefix p;
				bool is = (n & (n - 1)) == 0 && lo % n == 0;

				r.lo.b[last] = (uint8_t)lo;
				r.hi.b[last] = (uint8_t)hi;
				assert_int_equal(bh_range_is_prefix(&r, &p), is);
				if (is)
					assert_int_equal(1u << ((last + 1) * 8 - p.len), n);
			}
}

/* The addresses of a subnet that are nobody's. */
static void test_subnet_shared(void **state)
{
	static const struct {
		const char *text, *first, *second;
	} subnets[] = {
		{ "10.77.0.254/24", "10.77.0.0", "10.77.0.255" },
		{ "10.77.0.254/30", "10.77.0.252", "10.77.0.255" },
		{ "10.77.0.254/31", NULL, NULL },
		{ "10.77.0.254", NULL, NULL },
		{ "10.77.0.254/0", "0.0.0.0", "255.255.255.255" },
		{ "fd00:77::fe/64", "fd00:77::", NULL },
		{ "fd00:77::fe/126", "fd00:77::fc", NULL },
		{ "fd00:77::fe/127", NULL, NULL },
		{ "fd00:77::fe", NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(subnets) / sizeof(*subnets); i++) {
		struct bh_addr a, shared[2];
		char text[BH_ADDR_STR];
		uint8_t len;
		size_t n;

		assert_int_equal(bh_interface_parse(subnets[i].text, &a, &len), 0);
		n = bh_subnet_shared(&a, len, shared);
		assert_int_equal(n, !!subnets[i].first + !!subnets[i].second);
		if (n > 0)
			assert_string_equal(bh_addr_format(text, &shared[0]), subnets[i].first);
		if (n > 1)
			assert_string_equal(bh_addr_format(text, &shared[1]), subnets[i].second);
	}
}

static void test_range_format(void **state)
{
	static const struct {
		const char *lo, *hi, *text;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", "10.0.0.1" },
		{ "10.0.0.0", "10.255.255.255", "10.0.0.0/8" },
		{ "10.0.0.1", "10.0.0.9", "10.0.0.1-10.0.0.9" },
		{ "10.0.0.1", "10.0.0.2", "10.0.0.1-10.0.0.2" },
		{ "10.0.0.0", "10.0.0.1", "10.0.0.0/31" },
		{ "0.0.0.0", "255.255.255.255", "0.0.0.0/0" },
		{ "0.0.0.1", "255.255.255.255", "0.0.0.1-255.255.255.255" },
		{ "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0" },
		{ "2001:db8::", "2001:db8::ffff", "2001:db8::/112" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
		  "1111:2222:3333:4444:5555:6666:7777:8888-"
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe" },
	};
	char text[BH_RANGE_STR];

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_range r = range(cases[i].lo, cases[i].hi);

		assert_ptr_equal(bh_range_format(text, &r), text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_range_contains(void **state)
{
	struct bh_range r = range("10.0.0.5", "10.0.1.5");
	struct bh_addr a;

	static const char *const in[] = { "10.0.0.5", "10.0.0.6", "10.0.0.255", "10.0.1.5" };
	static const char *const out[] = { "10.0.0.4",        "10.0.1.6", "0.0.0.0",
					   "255.255.255.255", "a00:5::",  "::" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(in); i++)
		a = addr(in[i]), assert_true(bh_range_contains(&r, &a));
	for (size_t i = 0; i < BH_ARRAY_SIZE(out); i++)
		a = addr(out[i]), assert_false(bh_range_contains(&r, &a));
}

/* Random addresses of both families come back from their text as they were. */
static void test_round_trip(void **state)
{
	char text[BH_ADDR_STR];

	srandom(5952);
	for (unsigned i = 0; i < 20000; i++) {
		struct bh_addr a = { .family = i % 2 ? AF_INET6 : AF_INET }, b;

		for (size_t j = 0; j < bh_addr_len(a.family); j++)
			a.b[j] = random() % 3 ? (uint8_t)random() : 0;
		if (a.family == AF_INET6)
			a.b[0] |= 0x20; /* no mapped ones among them */
		assert_int_equal(bh_addr_parse(bh_addr_format(text, &a), &b), 0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

/* What is no address has its place, too: lists are sorted with it, and searched. */
static void test_cmp_is_an_order(void **state)
{
	static const struct bh_addr all[] = {
		{ 0 },
		{ .family = AF_INET },
		{ .family = AF_INET, .b = { 10, 0, 0, 1 } },
		{ .family = AF_INET6 },
		{ .family = AF_INET6, .b = { 0x20, 1 } },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		for (size_t k = 0; k < BH_ARRAY_SIZE(all); k++) {
			int r = bh_addr_cmp(&all[i], &all[k]);

			assert_int_equal((r > 0) - (r < 0), (i > k) - (i < k));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_format_is_canonical),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_unused_bytes),
		cmocka_unit_test(test_from_bytes),
		cmocka_unit_test(test_cmp),
		cmocka_unit_test(test_cmp_is_an_order),
		cmocka_unit_test(test_next_and_prev),
		cmocka_unit_test(test_ends_of_the_world),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_refuses),
		cmocka_unit_test(test_prefix_with_host_bits),
		cmocka_unit_test(test_prefix_contains),
		cmocka_unit_test(test_prefix_range_and_back),
		cmocka_unit_test(test_is_prefix),
		cmocka_unit_test(test_subnet_shared),
		cmocka_unit_test(test_range_format),
		cmocka_unit_test(test_range_contains),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
