/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/report/breadth.h>

/* PREFIXES: joined with " ". */
static bool is_world(const char *prefixes)
{
	struct bh_rangeset s;
	char text[512], *rest = text, *one;
	bool world;

	bh_rangeset_init(&s);
	strcpy(text, prefixes);
	while ((one = strsep(&rest, " ")) != NULL) {
		struct bh_prefix p;
		struct bh_range r;

		assert_true(bh_prefix_parse(one, &p) >= 0);
		r = bh_prefix_range(&p);
		assert_true(bh_rangeset_add(&s, &r) >= 0);
	}
	world = report_is_world(&s);
	bh_rangeset_done(&s);
	return world;
}

static void test_the_world_in_pieces(void **state)
{
	assert_true(is_world("0.0.0.0/0"));
	assert_true(is_world("::/0"));
	assert_true(is_world("0.0.0.0/1 128.0.0.0/1"));
	assert_true(is_world("0.0.0.0/2 64.0.0.0/3 96.0.0.0/4 128.0.0.0/3"));
	assert_true(is_world("2000::/4 3000::/5"));
	assert_false(is_world("2000::/4"));
	assert_true(is_world("10.0.0.0/8 2000::/3"));
	assert_false(is_world("128.0.0.0/2"));
	assert_false(is_world("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3 fc00::/7"));
	assert_false(is_world("9.9.9.0/24 2001:db8::/32"));
}

static void test_all_ports_by_other_names(void **state)
{
	static const char *const broad[] = {
		"any",          "tcp",        "any but 22/tcp",         "1-65535/tcp",
		"443/tcp, udp", "1-1025/tcp", "1-600/tcp, 700-1300/tcp"
	};
	static const char *const narrow[] = { "443/tcp", "1-1024/tcp", "icmp",
					      "1-600/tcp, 1-600/udp", "53/tcp, 53/udp" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(broad); i++)
		assert_true(report_is_broad(broad[i]));
	for (size_t i = 0; i < BH_ARRAY_SIZE(narrow); i++)
		assert_false(report_is_broad(narrow[i]));
}

static void test_ports_that_meet(void **state)
{
	assert_true(report_ports_meet("22/tcp, 443/tcp", "80/tcp, 400-500/tcp"));
	assert_true(report_ports_meet("22/tcp", "any but 80/tcp"));
	assert_true(report_ports_meet("any", "22/tcp"));
	assert_false(report_ports_meet("22/tcp, 443/tcp", "443/udp, 23-442/tcp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_world_in_pieces),
		cmocka_unit_test(test_all_ports_by_other_names),
		cmocka_unit_test(test_ports_that_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
