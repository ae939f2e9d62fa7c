/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which ports a pair is asked for: those that either end names, edges of ranges, and a sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/probe/ports.h"

static struct entry entry(uint8_t lo, uint8_t hi, uint16_t port_lo, uint16_t port_hi)
{
	return (struct entry) {
		.proto_lo = lo, .proto_hi = hi, .port_lo = port_lo, .port_hi = port_hi
	};
}

static bool has(const struct ask *a, size_t n, uint16_t proto, uint16_t port)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += a[i].proto == proto && a[i].port == port;
	assert_true(found <= 1);
	return found;
}

static void edges_of_ranges_and_no_more(void **state)
{
	const struct entry exact[] = { entry(IPPROTO_TCP, IPPROTO_TCP, 5432, 5432),
				       entry(IPPROTO_TCP, IPPROTO_TCP, 5432, 5432) };
	const struct entry range[] = { entry(IPPROTO_UDP, IPPROTO_UDP, 100, 200),
				       entry(IPPROTO_TCP, IPPROTO_TCP, 0, 65535),
				       entry(0, 255, 0, 65535) };
	const struct entry icmp[] = { entry(IPPROTO_ICMP, IPPROTO_ICMP, 0, 255) };
	const struct entry guard[] = { entry(IPPROTO_TCP, IPPROTO_TCP, 25, 25) };
	struct ruleset r = { 0 };
	struct asks l;

	r.entries[DIRECTION_INGRESS][ENTRY_EXACT] = (struct entry_list) { exact, 2 };
	r.entries[DIRECTION_INGRESS][ENTRY_RANGE] = (struct entry_list) { range, 3 };
	r.entries[DIRECTION_INGRESS][ENTRY_ICMP_RANGE] = (struct entry_list) { icmp, 1 };
	r.guards[DIRECTION_INGRESS][GUARD_PORT] = (struct entry_list) { guard, 1 };
	asks_of_ruleset(&r, DIRECTION_INGRESS, &l);
	assert_int_equal(l.n, 9);
	assert_int_equal(l.more, 0);
	assert_true(has(l.a, l.n, IPPROTO_TCP, 5432));
	assert_true(has(l.a, l.n, IPPROTO_UDP, 100));
	assert_true(has(l.a, l.n, IPPROTO_UDP, 200));
	assert_true(has(l.a, l.n, IPPROTO_UDP, 150));
	assert_true(has(l.a, l.n, IPPROTO_UDP, 99)); /* beside it: not named */
	assert_true(has(l.a, l.n, IPPROTO_UDP, 201));
	assert_true(has(l.a, l.n, IPPROTO_TCP, 25));
	assert_true(has(l.a, l.n, IPPROTO_ICMP, 8)); /* a request; no reply and no error */
	assert_true(has(l.a, l.n, IPPROTO_ICMP, 13));
	asks_of_ruleset(&r, DIRECTION_EGRESS, &l);
	assert_int_equal(l.n, 0);
	asks_of_ruleset(NULL, DIRECTION_EGRESS, &l);
	assert_int_equal(l.n, 0);
}

static void a_range_as_it_is_written(void **state)
{
	const struct port_spec range = { IPPROTO_TCP, 1, 65535 }, most = { IPPROTO_TCP, 0, 9 };
	const struct port_spec one = { IPPROTO_TCP, 7, 7 }, all = { IPPROTO_TCP, 0, 65535 };
	const struct port_spec icmp = { IPPROTO_ICMP, 0, 255 }, any = { PROTO_ANY, 0, 65535 };
	struct asks l = { 0 };

	assert_true(asks_is_range(&range));
	assert_true(asks_is_range(&most));
	assert_false(asks_is_range(&one));
	assert_false(asks_is_range(&all));
	assert_false(asks_is_range(&icmp));
	assert_false(asks_is_range(&any));
	asks_add_range(&l, &range); /* nothing is beside it but zero, which is no port */
	assert_int_equal(l.n, 3);
	assert_true(has(l.a, l.n, IPPROTO_TCP, 32768));
	asks_add_range(&l, &most);
	assert_int_equal(l.n, 7);
	assert_true(has(l.a, l.n, IPPROTO_TCP, 0));
	assert_true(has(l.a, l.n, IPPROTO_TCP, 4));
	assert_true(has(l.a, l.n, IPPROTO_TCP, 10));
}

static void what_does_not_fit_is_counted(void **state)
{
	struct entry many[BH_PROBE_PORTS_MAX + 3];
	struct ruleset r = { 0 };
	struct asks l;

	for (uint16_t i = 0; i < BH_ARRAY_SIZE(many); i++)
		many[i] =
			entry(IPPROTO_TCP, IPPROTO_TCP, (uint16_t)(1000 + i), (uint16_t)(1000 + i));
	r.entries[DIRECTION_EGRESS][ENTRY_EXACT] =
		(struct entry_list) { many, BH_ARRAY_SIZE(many) };
	asks_of_ruleset(&r, DIRECTION_EGRESS, &l);
	assert_int_equal(l.n, BH_PROBE_PORTS_MAX);
	assert_int_equal(l.more, 3);
}

static void both_ends_and_the_sample_once(void **state)
{
	const struct asks a = { .a = { { IPPROTO_TCP, 443 }, { IPPROTO_TCP, 5432 } }, .n = 2 };
	const struct asks b = { .a = { { IPPROTO_TCP, 5432 }, { IPPROTO_UDP, 9999 } }, .n = 2 };
	const struct port_spec udp = { IPPROTO_UDP, 0, 65535 }, one = { IPPROTO_TCP, 7, 7 };
	struct ask out[ASKS_PAIR_MAX];
	size_t n = asks_of_pair(&a, &b, NULL, out);

	assert_int_equal(n, 9); /* seven of the sample, 443 among them */
	assert_true(has(out, n, IPPROTO_TCP, 443));
	assert_true(has(out, n, IPPROTO_TCP, 5432));
	assert_true(has(out, n, IPPROTO_UDP, 9999));
	n = asks_of_pair(&a, &b, &udp, out);
	assert_int_equal(n, 3);
	assert_int_equal(asks_of_pair(&a, NULL, &one, out), 1);
	assert_int_equal(out[0].port, 7);
}

static void only_requests_can_be_asked(void **state)
{
	const struct port_spec echo = { IPPROTO_ICMP, 8, 8 }, unreachable = { IPPROTO_ICMP, 3, 3 };
	const struct port_spec all = { IPPROTO_ICMPV6, 0, 255 }, gre = { 47, 0, 0 };

	assert_true(ask_is_possible(&echo));
	assert_true(ask_is_possible(&all));
	assert_false(ask_is_possible(&unreachable));
	assert_false(ask_is_possible(&gre));
	assert_false(ask_fits(&(struct ask) { IPPROTO_ICMP, 8 }, AF_INET6));
	assert_true(ask_fits(&(struct ask) { IPPROTO_TCP, 8 }, AF_INET6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges_of_ranges_and_no_more),
		cmocka_unit_test(a_range_as_it_is_written),
		cmocka_unit_test(what_does_not_fit_is_counted),
		cmocka_unit_test(both_ends_and_the_sample_once),
		cmocka_unit_test(only_requests_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
