/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the facts of a packet mean: a table of all that can be, and never a pass without proof. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>

#include "../../../src/probe/verdict.h"

#define OUT_OK PROBE_OUT_ALLOWED
#define IN_OK  PROBE_IN_ALLOWED
#define TRIED  PROBE_TRIED
#define SENT   (PROBE_TRIED | PROBE_SENT)
#define SEEN   (SENT | PROBE_SEEN)
#define IN     (SEEN | PROBE_IN)

static const struct row {
	uint8_t way;
	unsigned facts;
	int error;
	bool unobserved;
	enum probe_outcome outcome;
	unsigned why; /* fault or reason */
} rows[] = {
	/* at the source */
	{ PROBE_STACK, TRIED | PROBE_COUNTED_OUT, EPERM, false, PROBE_AGREES, 0 },
	{ PROBE_STACK, TRIED, EPERM, false, PROBE_NOT_PROBED, PROBE_UNCOUNTED },
	{ PROBE_STACK, TRIED | OUT_OK, EPERM, false, PROBE_FINDING, PROBE_HELD_BACK },
	{ PROBE_STACK, TRIED | OUT_OK | PROBE_COUNTED_OUT, ENOBUFS, false, PROBE_FINDING,
	  PROBE_HELD_BACK },
	{ PROBE_STACK, TRIED | OUT_OK, ENOBUFS, false, PROBE_NOT_PROBED, PROBE_NOT_SENT },
	{ PROBE_STACK, TRIED | OUT_OK, ENETUNREACH, false, PROBE_NOT_PROBED, PROBE_NO_WAY },
	{ PROBE_STACK, TRIED | OUT_OK | IN_OK, EHOSTUNREACH, false, PROBE_NOT_PROBED,
	  PROBE_NO_ROUTE },
	{ PROBE_STACK, TRIED | PROBE_COUNTED_OUT, EINVAL, false, PROBE_NOT_PROBED, PROBE_NOT_SENT },
	{ PROBE_STACK, OUT_OK | IN_OK, 0, false, PROBE_NOT_PROBED, PROBE_NOT_SENT },
	{ PROBE_STACK, SENT, 0, false, PROBE_FINDING, PROBE_LEFT },
	{ PROBE_STACK, SENT | PROBE_COUNTED_OUT, 0, true, PROBE_FINDING, PROBE_LEFT },
	{ PROBE_STACK, SENT | OUT_OK | IN_OK, 0, true, PROBE_AGREES, 0 },
	/* at the destination */
	{ PROBE_STACK, IN | OUT_OK | IN_OK, 0, false, PROBE_AGREES, 0 },
	{ PROBE_STACK, IN | OUT_OK, 0, false, PROBE_FINDING, PROBE_LET_IN },
	{ PROBE_STACK, IN | OUT_OK | PROBE_COUNTED_IN, 0, false, PROBE_FINDING, PROBE_LET_IN },
	{ PROBE_STACK, SEEN | OUT_OK | PROBE_COUNTED_IN, 0, false, PROBE_AGREES, 0 },
	{ PROBE_STACK, SEEN | OUT_OK | IN_OK | PROBE_COUNTED_IN, 0, false, PROBE_FINDING,
	  PROBE_KEPT_OUT },
	{ PROBE_STACK, SEEN | OUT_OK | IN_OK, 0, false, PROBE_FINDING, PROBE_FOREIGN_DROP },
	{ PROBE_STACK, SEEN | OUT_OK, 0, false, PROBE_NOT_PROBED, PROBE_UNCOUNTED },
	{ PROBE_STACK, SENT | OUT_OK, 0, false, PROBE_NOT_PROBED, PROBE_LOST },
	{ PROBE_STACK, SENT | OUT_OK | IN_OK, 0, false, PROBE_NOT_PROBED, PROBE_LOST },
	/* raw */
	{ PROBE_FRAME, TRIED | PROBE_COUNTED_OUT, ENOBUFS, false, PROBE_AGREES, 0 },
	{ PROBE_FRAME, TRIED, ENOBUFS, false, PROBE_NOT_PROBED, PROBE_NOT_SENT },
	{ PROBE_FRAME, SENT, 0, false, PROBE_FINDING, PROBE_LEFT },
	{ PROBE_SPOOF, TRIED | PROBE_COUNTED_OUT, EPERM, false, PROBE_AGREES, 0 },
	{ PROBE_SPOOF, SENT | PROBE_COUNTED_OUT, 0, false, PROBE_AGREES, 0 },
	{ PROBE_SPOOF, SENT | PROBE_OUT | PROBE_COUNTED_OUT, 0, false, PROBE_FINDING, PROBE_LEFT },
	{ PROBE_SPOOF, SENT, 0, false, PROBE_NOT_PROBED, PROBE_LOST },
};

static void each_row(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct probe_cell c = { .way = r->way,
					.facts = (uint16_t)r->facts,
					.error = r->error };

		verdict_of(&c, !r->unobserved);
		if (c.outcome != r->outcome ||
		    (c.outcome == PROBE_FINDING ? c.fault : c.reason) != r->why)
			fail_msg("row %zu: outcome %d, fault %d, reason %d", i, c.outcome, c.fault,
				 c.reason);
	}
}

/* Whatever the facts: denied and let in never agrees, and what nobody counted neither. */
static void never_a_pass_without_proof(void **state)
{
	for (unsigned facts = 0; facts < 512; facts++) {
		struct probe_cell c = { .facts = (uint16_t)facts,
					.error = facts & PROBE_SENT ? 0 : EPERM };
		bool out = facts & PROBE_OUT_ALLOWED, in = facts & PROBE_IN_ALLOWED;

		verdict_of(&c, true);
		if (c.outcome != PROBE_AGREES)
			continue;
		assert_true(facts & PROBE_TRIED);
		if (!out)
			assert_true(!(facts & PROBE_SENT) && (facts & PROBE_COUNTED_OUT));
		else if (!in)
			assert_true(!(facts & PROBE_IN) && (facts & PROBE_COUNTED_IN));
		else
			assert_true((facts & PROBE_SENT) && (facts & PROBE_IN));
	}
}

static void who_vanished_proves_nothing(void **state)
{
	struct probe_cell agrees = { .outcome = PROBE_AGREES };
	struct probe_cell kept = { .outcome = PROBE_FINDING, .fault = PROBE_KEPT_OUT };
	struct probe_cell in = { .outcome = PROBE_FINDING, .fault = PROBE_LET_IN };
	struct probe_cell lost = { .outcome = PROBE_NOT_PROBED, .reason = PROBE_LOST };

	verdict_vanished(&agrees);
	verdict_vanished(&kept);
	verdict_vanished(&in);
	verdict_vanished(&lost);
	assert_int_equal(agrees.reason, PROBE_VANISHED);
	assert_int_equal(agrees.outcome, PROBE_NOT_PROBED);
	assert_int_equal(kept.outcome, PROBE_NOT_PROBED);
	assert_int_equal(kept.fault, PROBE_NO_FAULT);
	assert_int_equal(in.outcome, PROBE_FINDING);
	assert_int_equal(lost.reason, PROBE_LOST);
}

static void another_address_of_the_same_end(void **state)
{
	const uint16_t both = OUT_OK | IN_OK;
	struct probe_cell c[] = {
		{ .to = 1, .port = 7, .reason = PROBE_LOST, .facts = SENT | both },
		{ .to = 1, .port = 7, .outcome = PROBE_AGREES, .facts = IN | both },
		{ .to = 1, .port = 8, .reason = PROBE_NO_ROUTE, .facts = both },
		{ .to = 1, .port = 7, .reason = PROBE_LOST, .facts = SENT | OUT_OK },
		{ .to = 1,
		  .port = 7,
		  .reason = PROBE_LOST,
		  .facts = SENT | both,
		  .dst.family = AF_INET6 },
		{ .to = 1, .port = 7, .reason = PROBE_VANISHED, .facts = SENT | both },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(c); i++)
		if (c[i].reason)
			c[i].outcome = PROBE_NOT_PROBED;
	verdict_ways(c, BH_ARRAY_SIZE(c));
	assert_int_equal(c[0].reason, PROBE_OTHER_WAY);
	assert_int_equal(c[0].outcome, PROBE_NOT_PROBED);
	assert_int_equal(c[2].reason, PROBE_NO_ROUTE);
	assert_int_equal(c[3].reason, PROBE_LOST); /* it is not allowed there */
	assert_int_equal(c[4].reason, PROBE_LOST); /* the other family */
	assert_int_equal(c[5].reason, PROBE_VANISHED);
}

static void a_clock_that_was_set(void **state)
{
	struct probe_run run = { 0 };

	assert_int_equal(verdict_jump(1000000, 3000000, 2000000), 0);
	assert_int_equal(verdict_jump(1000000, 3900000, 2000000), 0); /* within a second */
	assert_int_equal(verdict_jump(10000000, 3000000, 2000000), -9000000);
	assert_int_equal(verdict_jump(0, 3602000000, 2000000), 3600000000);
	assert_true(probe_is_clean(&run));
	run.totals.not_probed = run.totals.reason[PROBE_NO_WAY] = 2;
	assert_true(probe_is_clean(&run));
	run.totals.reason[PROBE_LOST] = 1;
	assert_false(probe_is_clean(&run));
	run.totals.reason[PROBE_LOST] = 0;
	run.jump = -9000000;
	assert_false(probe_is_clean(&run));
}

static void sums_close(void **state)
{
	struct probe_cell cells[] = {
		{ .outcome = PROBE_AGREES, .facts = PROBE_SENT | PROBE_IN_ALLOWED },
		{ .outcome = PROBE_AGREES },
		{ .outcome = PROBE_FINDING, .fault = PROBE_LEFT },
		{ .outcome = PROBE_NOT_PROBED, .reason = PROBE_LOST },
		{ .outcome = PROBE_NOT_PROBED, .reason = PROBE_LOST },
	};
	struct probe_party parties[] = { { .checked = true },
					 { .checked = true, .table_bad = true } };
	struct probe_run run = { .cells = cells, .n_cells = 5, .parties = parties, .n_parties = 2 };
	const struct probe_totals *t = &run.totals;

	run.totals.sent = 7;
	verdict_sums(&run);
	assert_int_equal(t->packets, t->agree + t->findings + t->not_probed);
	assert_int_equal(t->packets, 5);
	assert_int_equal(t->passed, 1);
	assert_int_equal(t->denied, 1);
	assert_int_equal(t->fault[PROBE_LEFT], 1);
	assert_int_equal(t->reason[PROBE_LOST], 2);
	assert_int_equal(t->tables, 2);
	assert_int_equal(t->tables_bad, 1);
	assert_int_equal(t->sent, 7);
	assert_false(probe_is_clean(&run));
}

/* An end may have several, and what was not asked about has none. */
static void what_is_not_covered(void **state)
{
	struct probe_party parties[] = {
		{ .asked = true, .aimed_at = true, .special = 2, .from_outside = 3 },
		{ .asked = true, .reason = PROBE_HOST_NETWORK, .special = 1 },
		{ .special = 1, .from_outside = 1 },
		{ .aimed_at = true, .special = 1, .from_outside = 1 },
		{ .asked = true, .aimed_at = true },
	};
	static const struct probe_gap expected[] = {
		{ 0, PROBE_SPECIAL, 2 },
		{ 0, PROBE_FROM_OUTSIDE, 3 },
		{ 1, PROBE_HOST_NETWORK, 0 },
		{ 3, PROBE_FROM_OUTSIDE, 1 },
	};
	struct probe_run run = { .parties = parties, .n_parties = BH_ARRAY_SIZE(parties) };
	struct probe_gap g;
	size_t at = 0, n;

	for (n = 0; probe_next_uncovered(&run, &at, &g); n++) {
		assert_true(n < BH_ARRAY_SIZE(expected));
		assert_int_equal(g.party, expected[n].party);
		assert_int_equal(g.reason, expected[n].reason);
		assert_int_equal(g.n, expected[n].n);
	}
	assert_int_equal(n, BH_ARRAY_SIZE(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(never_a_pass_without_proof),
		cmocka_unit_test(who_vanished_proves_nothing),
		cmocka_unit_test(another_address_of_the_same_end),
		cmocka_unit_test(a_clock_that_was_set),
		cmocka_unit_test(sums_close),
		cmocka_unit_test(what_is_not_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
