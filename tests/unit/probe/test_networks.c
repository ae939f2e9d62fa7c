/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of a network: what stands for it, its edges, its middle, and what is just outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/probe/networks.h"

static const struct row {
	const char *network, *asked;
} rows[] = {
	{ "192.0.2.0/24", "192.0.2.1 192.0.2.0 192.0.2.128 192.0.2.255 192.0.1.255 192.0.3.0" },
	{ "192.0.2.128/25",
	  "192.0.2.129 192.0.2.128 192.0.2.192 192.0.2.255 192.0.2.127 192.0.3.0" },
	{ "10.0.0.4/30", "10.0.0.5 10.0.0.4 10.0.0.6 10.0.0.7 10.0.0.3 10.0.0.8" },
	{ "10.0.0.4/31", "10.0.0.4 10.0.0.4 10.0.0.5 10.0.0.5 10.0.0.3 10.0.0.6" },
	{ "10.0.0.4/32", "10.0.0.4 10.0.0.4 10.0.0.4 10.0.0.4 10.0.0.3 10.0.0.5" },
	{ "0.0.0.0/0", "0.0.0.1 0.0.0.0 128.0.0.0 255.255.255.255" },
	{ "128.0.0.0/1", "128.0.0.1 128.0.0.0 192.0.0.0 255.255.255.255 127.255.255.255" },
	{ "2001:db8::/32",
	  "2001:db8::1 2001:db8:: 2001:db8:8000:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff "
	  "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::" },
	{ "2001:db8::6/127",
	  "2001:db8::6 2001:db8::6 2001:db8::7 2001:db8::7 2001:db8::5 2001:db8::8" },
	{ "2001:db8::6/128",
	  "2001:db8::6 2001:db8::6 2001:db8::6 2001:db8::6 2001:db8::5 2001:db8::7" },
	{ "::/0", "::1 :: 8000:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

static void the_edges_of_each(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++) {
		struct bh_addr a[NETWORK_ADDRESSES];
		char text[BH_ADDR_STR], all[NETWORK_ADDRESSES * (BH_ADDR_STR + 1)] = "";
		struct bh_prefix p;
		size_t n;

		assert_int_equal(bh_prefix_parse(rows[i].network, &p), 0);
		n = network_addresses(&p, a);
		for (size_t k = 0; k < n; k++) {
			strcat(all, k ? " " : "");
			strcat(all, bh_addr_format(text, &a[k]));
		}
		assert_string_equal(all, rows[i].asked);
	}
}

static void a_rule_by_the_name_of_its_counter(void **state)
{
	const struct ruleset_rule rules[] = {
		{ "db.out.a", "f:1", DIRECTION_EGRESS },
		{ "db.out.b", "f:2", DIRECTION_EGRESS },
		{ "guardrail_x.out.c", "f:3", DIRECTION_EGRESS },
	};
	const struct ruleset r = { .rules = rules, .n_rules = 3 }, empty = { 0 };
	const struct probe_party has = { .ruleset = &r }, none = { .ruleset = &empty },
				 open = { 0 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(rules); i++)
		assert_true(party_has_rule(&has, rules[i].name));
	assert_false(party_has_rule(&has, "db.out.aa"));
	assert_false(party_has_rule(&none, "db.out.a"));
	assert_false(party_has_rule(&open, "db.out.a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_edges_of_each),
		cmocka_unit_test(a_rule_by_the_name_of_its_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
