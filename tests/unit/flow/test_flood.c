/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/flow/flood.h>

#define SECOND 1000000
#define BEGIN  (INT64_C(1000) * SECOND)

static struct flow_record last;
static unsigned handed_out;
static uint64_t packets;

static int on_record(struct flow_record *rec, void *arg)
{
	last = *rec;
	handed_out++;
	packets += rec->packets;
	return 0;
}

static struct flood *flood_of(uint32_t per_second)
{
	const struct flood_options o = { .per_second = per_second, .emit = on_record };
	struct flood *f;

	assert_int_equal(flood_new(&o, &f, NULL), 0);
	handed_out = 0;
	packets = 0;
	return f;
}

static struct flow_record record(unsigned peer, uint16_t port, int64_t when)
{
	return (struct flow_record) {
		.first_seen = when,
		.last_seen = when,
		.direction = DIRECTION_EGRESS,
		.packets = 2,
		.bytes = 100,
		.proto = IPPROTO_UDP,
		.destination = { .addr = { AF_INET,
					   { 10, 0, (uint8_t)(peer >> 8), (uint8_t)peer } },
				 .has_port = true,
				 .port = port },
	};
}

/* Returns how many were let pass. */
static unsigned offer(struct flood *f, unsigned n, int64_t when)
{
	unsigned passed = 0;

	for (unsigned i = 0; i < n; i++) {
		struct flow_record r = record(i, 53, when);

		if (!flood_takes(f, &r, when))
			passed++;
	}
	return passed;
}

static void test_few_pass(void **state)
{
	struct flood *f = flood_of(10);

	for (int s = 0; s < 5; s++)
		assert_int_equal(offer(f, 10, BEGIN + s * SECOND), 10);
	flood_tick(f, BEGIN + 10 * SECOND, true);
	assert_int_equal(handed_out, 0);
	flood_free(f);
}

/* To the packet: what passed and what was handed out is what there was. */
static void test_many_are_one(void **state)
{
	struct flood *f = flood_of(10);
	unsigned passed = offer(f, 1000, BEGIN);

	assert_int_equal(passed, 10);
	flood_tick(f, BEGIN + SECOND, false);
	assert_int_equal(handed_out, 0);
	flood_tick(f, BEGIN + FLOOD_QUIET_USEC, false);
	assert_int_equal(handed_out, 1);
	assert_true(last.aggregated);
	assert_int_equal(last.packets, 2 * 990);
	assert_int_equal(last.bytes, 100 * 990);
	assert_int_equal(last.flows, 990);
	assert_int_equal(last.n_samples, RECORD_SAMPLES);
	assert_int_equal(last.samples[0].peer.b[3], 10);
	assert_int_equal(last.samples[0].port, 53);
	assert_int_equal(last.first_seen, BEGIN);
	assert_int_equal(last.last_seen, BEGIN);
	flood_free(f);
}

/* It is told no later for that. */
static void test_clock_set_back(void **state)
{
	struct flood *f = flood_of(10);

	offer(f, 1000, BEGIN);
	flood_tick(f, BEGIN - 1000 * SECOND, false);
	assert_int_equal(handed_out, 1);
	assert_int_equal(last.packets, 2 * 990);
	flood_free(f);
}

/* One that goes on is told all the same, and each part is told once. */
static void test_goes_on(void **state)
{
	struct flood *f = flood_of(1);
	unsigned passed = 0;

	for (int s = 0; s < 25; s++) {
		passed += offer(f, 100, BEGIN + s * SECOND);
		flood_tick(f, BEGIN + s * SECOND, false);
	}
	assert_int_equal(handed_out, 2);
	flood_tick(f, BEGIN + 25 * SECOND, true);
	assert_int_equal(handed_out, 3);
	assert_int_equal(packets + 2 * passed, 25 * 100 * 2);
	flood_free(f);
}

/* Flows are counted once each, up to a number. */
static void test_flows(void **state)
{
	struct flood *f = flood_of(1);

	for (int i = 0; i < 3; i++)
		offer(f, 100, BEGIN);
	flood_tick(f, BEGIN, true);
	assert_int_equal(last.flows, 100);
	offer(f, 10 * BH_FLOOD_FLOWS_MAX, BEGIN);
	flood_tick(f, BEGIN, true);
	assert_int_equal(last.flows, BH_FLOOD_FLOWS_MAX / 4 * 3);
	flood_free(f);
}

/* What differs in direction, verdict or kind of rule is not mixed. */
static void test_apart(void **state)
{
	struct flood *f = flood_of(1);
	struct flow_record r = record(1, 1, BEGIN);

	offer(f, 1, BEGIN);
	for (int d = 0; d < DIRECTIONS; d++)
		for (int v = RECORD_DENY; v <= RECORD_AUDIT; v++)
			for (int k = RECORD_DEFAULT_DENY; k <= RECORD_ALLOWED; k++) {
				r.direction = (enum direction)d;
				r.verdict = (enum record_verdict)v;
				r.rule_kind = (enum record_rule_kind)k;
				assert_true(flood_takes(f, &r, BEGIN));
			}
	flood_tick(f, BEGIN, true);
	assert_int_equal(handed_out, 2 * 2 * (RECORD_ALLOWED + 1));
	flood_free(f);
}

/* What is allowed takes nothing from what is denied, nor the other way round. */
static void test_allowed_apart(void **state)
{
	struct flood *f = flood_of(10);
	struct flow_record r = record(1, 1, BEGIN);
	unsigned passed = 0;

	r.verdict = RECORD_ALLOW;
	r.rule_kind = RECORD_ALLOWED;
	for (unsigned i = 0; i < 100; i++)
		passed += !flood_takes(f, &r, BEGIN);
	assert_int_equal(passed, 10);
	assert_int_equal(offer(f, 100, BEGIN), 10);
	flood_tick(f, BEGIN, true);
	assert_int_equal(handed_out, 2);
	assert_int_equal(packets, 2 * 2 * 90);
	flood_free(f);
}

/* A clock that is set back or forth neither stops the records nor lets a flood pass. */
static void test_clock(void **state)
{
	struct flood *f = flood_of(10);

	offer(f, 100, BEGIN);
	assert_int_equal(offer(f, 100, BEGIN - 3600 * (int64_t)SECOND), 0);
	assert_int_equal(offer(f, 100, BEGIN + 3600 * (int64_t)SECOND), 10);
	flood_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_pass),       cmocka_unit_test(test_many_are_one),
		cmocka_unit_test(test_clock_set_back), cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_flows),          cmocka_unit_test(test_apart),
		cmocka_unit_test(test_allowed_apart),  cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
