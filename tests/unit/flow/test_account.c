/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/account.h>

/* --- a record book ------------------------------------------------------------------------ */

struct book {
	struct flow_record last;
	unsigned records;
	uint64_t packets[DIRECTIONS], aggregated[DIRECTIONS];
	void (*seen)(const struct flow_record *rec, void *arg);
	void *arg;
	int fail; /* what the next emit returns */
};

static int book_emit(struct flow_record *rec, void *arg)
{
	struct book *b = arg;

	assert_true(rec->packets > 0);
	assert_true(rec->first_seen <= rec->last_seen);
	b->last = *rec;
	b->records++;
	b->packets[rec->direction] += rec->packets;
	if (rec->aggregated)
		b->aggregated[rec->direction] += rec->packets;
	if (b->seen)
		b->seen(rec, b->arg);
	return b->fail;
}

struct fixture {
	struct flow_budget budget;
	struct book book;
	struct flow_account *a;
};

static void fixture_init(struct fixture *x, int64_t update_usec, size_t budget)
{
	struct flow_account_options o = {
		.logged = true,
		.update_usec = update_usec,
		.budget = &x->budget,
		.emit = book_emit,
		.arg = &x->book,
	};
	struct bh_err err = BH_ERR_INIT;

	*x = (struct fixture) { .budget.max = budget };
	assert_int_equal(flow_account_new(&o, &x->a, &err), 0);
}

static void fixture_done(struct fixture *x)
{
	flow_account_free(x->a);
	assert_int_equal(x->budget.used, 0);
}

#define SEC 1000000ll
#define OIF 7 /* by which egress leaves */

static struct bh_addr v4(uint8_t last)
{
	return (struct bh_addr) { .family = AF_INET, .b = { 10, 77, 1, last } };
}

static struct flow_count tcp(uint16_t port, uint64_t packets, uint64_t expires_ms)
{
	return (struct flow_count) {
		.oif = OIF,
		.source = v4(1),
		.destination = v4(2),
		.proto = IPPROTO_TCP,
		.port = port,
		.packets = packets,
		.bytes = packets * 60,
		.expires_ms = expires_ms,
	};
}

static struct flow_log_event event_of(const struct flow_count *c, int64_t when)
{
	bool icmp = c->proto == IPPROTO_ICMP;

	return (struct flow_log_event) {
		.has_packet = true,
		.packet = {
			.source = c->source, .destination = c->destination, .proto = c->proto,
			.has_ports = !icmp, .sport = 40000, .dport = icmp ? 0 : c->port,
			.has_icmp = icmp, .icmp_type = icmp ? (uint8_t)(c->port >> 8) : 0,
			.icmp_code = icmp ? (uint8_t)c->port : 0,
			.has_key = true, .key = c->port, .length = 60,
		},
		.ifindex_out = c->oif,
		.interface = "eth0",
		.has_uid = true,
		.uid = 1000,
		.when = when,
	};
}

static void feed(struct fixture *x, int64_t now, bool baseline, const struct flow_count *c,
		 size_t n, uint64_t denied)
{
	struct flow_totals t = { .denied = { denied } };

	if (baseline)
		flow_account_baseline(x->a, now);
	else
		flow_account_snapshot(x->a, now);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(flow_account_flow(x->a, &c[i]), 0);
	assert_int_equal(flow_account_end(x->a, &t), 0);
}

static void feed_event(struct fixture *x, const struct flow_count *c, int64_t when)
{
	struct flow_log_event ev = event_of(c, when);

	assert_int_equal(flow_account_event(x->a, FLOW_LOG_DENY, &ev), 0);
}

static void assert_sums(struct fixture *x, uint64_t denied, uint64_t recorded)
{
	struct flow_sums s;

	flow_account_sums(x->a, DIRECTION_EGRESS, &s);
	assert_int_equal(s.denied, denied);
	assert_int_equal(s.recorded, recorded);
	assert_int_equal(s.not_recorded, denied - recorded);
}

/* --- single cases ------------------------------------------------------------------------- */

static void test_event_then_growth(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 1, 3600000);

	fixture_init(&x, 30 * SEC, 100);
	feed(&x, 0, true, NULL, 0, 7);
	feed_event(&x, &c, 1 * SEC);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 1);
	assert_int_equal(x.book.last.bytes, 60);
	assert_true(x.book.last.has_uid && x.book.last.uid == 1000);
	assert_int_equal(x.book.last.destination.port, 5432);
	assert_int_equal(x.book.last.source.port, 40000);
	assert_string_equal(x.book.last.interface, "eth0");

	c.packets = 5;
	feed(&x, 2 * SEC, false, &c, 1, 12);
	assert_int_equal(x.book.records, 1); /* four wait for the next update */
	c.packets = 9;
	feed(&x, 32 * SEC, false, &c, 1, 16);
	assert_int_equal(x.book.records, 2);
	assert_int_equal(x.book.last.packets, 8);
	assert_int_equal(x.book.last.first_seen, 1 * SEC);
	assert_int_equal(x.book.last.last_seen, 32 * SEC);
	assert_false(x.book.last.source.has_port);
	assert_int_equal(flow_account_finish(x.a, 33 * SEC), 0);
	assert_int_equal(x.book.records, 2);
	assert_sums(&x, 9, 9);
	fixture_done(&x);
}

/* An hour, while packets wait: they are recorded no later for that. */
static void test_clock_set_back(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 1, 3600000);

	fixture_init(&x, 30 * SEC, 100);
	feed(&x, 5000 * SEC, true, NULL, 0, 7);
	feed_event(&x, &c, 5001 * SEC);
	c.packets = 5;
	feed(&x, 5002 * SEC, false, &c, 1, 12);
	assert_int_equal(x.book.records, 1);
	feed(&x, 1402 * SEC, false, &c, 1, 12);
	assert_int_equal(x.book.records, 2);
	assert_int_equal(x.book.last.packets, 4);
	assert_int_equal(flow_account_finish(x.a, 1403 * SEC), 0);
	assert_sums(&x, 5, 5);
	fixture_done(&x);
}

/* Flows that were met before would fill the kernel's set for as long. */
static void test_clock_set_back_retires(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 3, 3600000), out[4];

	fixture_init(&x, 30 * SEC, 100);
	feed(&x, 5000 * SEC, true, NULL, 0, 7);
	feed(&x, 5001 * SEC, false, &c, 1, 10);
	for (int i = 0; i < 4; i++)
		feed(&x, (1401 + i) * SEC, false, &c, 1, 10);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 1);
	fixture_done(&x);
}

static void test_late_event_counts_once(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 3, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed(&x, 1 * SEC, false, &c, 1, 3);
	assert_int_equal(x.book.records, 0); /* its event may come yet */
	feed_event(&x, &c, 1 * SEC + 1);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 3);
	assert_true(x.book.last.has_uid);
	feed_event(&x, &c, 1 * SEC + 2); /* two processors met the flow at once */
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_sums(&x, 3, 3);
	fixture_done(&x);
}

/* The count came first, and shows but the one packet: its record says all that its event does. */
static void test_late_event_of_the_only_packet(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 1, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed(&x, 1 * SEC, false, &c, 1, 1);
	feed_event(&x, &c, 1 * SEC + 1);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 1);
	assert_int_equal(x.book.last.source.port, 40000);
	assert_int_equal(x.book.last.first_seen, 1 * SEC + 1);
	c.packets = 4;
	feed(&x, 2 * SEC, false, &c, 1, 4);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.records, 2);
	assert_false(x.book.last.source.has_port);
	assert_sums(&x, 4, 4);
	fixture_done(&x);
}

static void test_lost_event(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 3, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed(&x, 1 * SEC, false, &c, 1, 3);
	feed(&x, 2 * SEC, false, &c, 1, 3);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 3);
	assert_false(x.book.last.has_uid);
	assert_int_equal(x.book.last.first_seen, 0); /* some time between the two snapshots */
	assert_int_equal(x.book.last.last_seen, 1 * SEC);
	assert_sums(&x, 3, 3);
	fixture_done(&x);
}

static void test_baseline_is_not_ours(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 50, 3000000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, &c, 1, 50);
	feed_event(&x, &c, 1); /* of a packet that is in the baseline */
	c.expires_ms -= 1000;
	feed(&x, 1 * SEC, false, &c, 1, 50);
	assert_int_equal(x.book.records, 0);
	c.packets = 52;
	c.expires_ms -= 1000;
	feed(&x, 2 * SEC, false, &c, 1, 52);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 2);
	assert_sums(&x, 2, 2);
	fixture_done(&x);
}

static void test_flow_met_again(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 5, 2000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, &c, 1, 5);
	feed_event(&x, &c, 3 * SEC); /* the kernel forgot it at 2 s */
	assert_int_equal(x.book.records, 0);
	c = tcp(5432, 7, 3599000);
	feed(&x, 4 * SEC, false, &c, 1, 12);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.packets, 7);
	assert_true(x.book.last.has_uid);
	assert_sums(&x, 7, 7);
	fixture_done(&x);
}

static void test_vanished_tail_is_aggregated(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 5, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	feed(&x, 2 * SEC, false, NULL, 0, 9); /* four more, then somebody deleted the element */
	feed(&x, 3 * SEC, false, NULL, 0, 9);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 5);
	assert_int_equal(x.budget.used, 0);
	assert_false(flow_account_settled(x.a));
	feed(&x, 4 * SEC, false, NULL, 0, 9);
	assert_true(flow_account_settled(x.a));
	assert_int_equal(flow_account_finish(x.a, 4 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 4);
	assert_sums(&x, 9, 9);
	fixture_done(&x);
}

static void test_missed_once_by_a_dump(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 5, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	feed(&x, 2 * SEC, false, NULL, 0, 6);
	c.packets = 6;
	feed(&x, 3 * SEC, false, &c, 1, 6);
	assert_int_equal(flow_account_finish(x.a, 4 * SEC), 0);
	assert_sums(&x, 6, 6);
	fixture_done(&x);
}

static void test_retire_idle(void **state)
{
	struct fixture x;
	struct flow_count c[2] = { tcp(5432, 5, 3600000), tcp(5433, 1, 3600000) }, out[4];

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c[0], 1);
	feed_event(&x, &c[1], 1);
	feed(&x, 1 * SEC, false, c, 2, 6);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 0);
	c[1].packets = 2;
	feed(&x, 2 * SEC, false, c, 2, 7);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 0);
	c[1].packets = 3;
	feed(&x, 3 * SEC, false, c, 2, 8);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 1);
	assert_int_equal(out[0].port, 5432);
	assert_int_equal(out[0].packets, 5);

	c[0].packets = 8; /* three more until the kernel deleted it */
	c[0].expires_ms = 0;
	assert_int_equal(flow_account_retired(x.a, &c[0], 4 * SEC), 0);
	assert_int_equal(x.book.last.packets, 7);
	feed(&x, 5 * SEC, false, &c[1], 1, 11);
	feed(&x, 6 * SEC, false, &c[1], 1, 11);
	assert_int_equal(x.budget.used, 1);
	c[0] = tcp(5432, 1, 3600000);
	feed_event(&x, &c[0], 7 * SEC); /* met again: logged again */
	assert_int_equal(x.book.last.packets, 1);
	feed(&x, 8 * SEC, false, c, 2, 12);
	assert_int_equal(flow_account_finish(x.a, 9 * SEC), 0);
	assert_sums(&x, 12, 12);
	fixture_done(&x);
}

/* Forgotten, met anew and retired before its event was read: one record or the other, not both. */
static void test_retire_met_again(void **state)
{
	for (int events = 0; events <= 2; events++) {
		struct fixture x;
		struct flow_count c = tcp(5432, 5, 3000), again = tcp(5432, 2, 0);

		fixture_init(&x, 0, 100);
		feed(&x, 0, true, NULL, 0, 0);
		feed_event(&x, &c, 1);
		feed(&x, 1 * SEC, false, &c, 1, 5);
		assert_int_equal(flow_account_retired(x.a, &again, 5 * SEC), 0);
		for (int i = 0; i < events; i++)
			feed_event(&x, &again, 5 * SEC + i);
		feed(&x, 6 * SEC, false, NULL, 0, 7);
		feed(&x, 7 * SEC, false, NULL, 0, 7);
		assert_int_equal(x.budget.used, 0);
		assert_int_equal(flow_account_finish(x.a, 7 * SEC), 0);
		assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 0);
		assert_sums(&x, 7, 7);
		fixture_done(&x);
	}
}

/* Quiet until it was retired: its next event is of a new element, and recorded at once. */
static void test_retire_quiet(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 5, 3600000), out[1];

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	for (int i = 1; i <= 3; i++)
		feed(&x, i * SEC, false, &c, 1, 5);
	assert_int_equal(flow_account_candidates(x.a, out, 1), 1);
	assert_int_equal(flow_account_retired(x.a, &c, 4 * SEC), 0);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 5);
	assert_int_equal(x.budget.used, 0);
	feed_event(&x, &c, 4 * SEC + 1);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 6);
	fixture_done(&x);
}

static void test_retire_before_expiry(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(5432, 5, 9000), out[4];

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 0); /* just met */
	c.packets++;
	c.expires_ms -= 1000;
	feed(&x, 2 * SEC, false, &c, 1, 6);
	assert_int_equal(flow_account_candidates(x.a, out, 0), 0);
	assert_int_equal(flow_account_candidates(x.a, out, 4), 1);
	fixture_done(&x);
}

static void feed_totals(struct fixture *x, int64_t now, struct flow_totals t)
{
	flow_account_snapshot(x->a, now);
	assert_int_equal(flow_account_end(x->a, &t), 0);
}

static void test_rest_and_revoked(void **state)
{
	struct fixture x;
	struct flow_totals t = { { 100, 10 }, { 20, 0 } };
	struct flow_count c = tcp(80, 1, 0);
	struct flow_log_event ev = event_of(&c, 5);

	fixture_init(&x, 0, 100);
	flow_account_baseline(x.a, 0);
	assert_int_equal(flow_account_end(x.a, &t), 0);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_REVOKED, &ev), 0);
	assert_false(x.book.last.aggregated);
	assert_int_equal(x.book.last.destination.port, 80);
	assert_int_equal(x.book.last.rule_kind, RECORD_REVOKED);
	t = (struct flow_totals) { { 112, 13 }, { 27, 3 } };
	feed_totals(&x, 1 * SEC, t);
	feed_totals(&x, 1 * SEC, t);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(flow_account_finish(x.a, 1 * SEC), 0);
	assert_int_equal(x.book.records, 4);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 5 + 6);
	assert_int_equal(x.book.aggregated[DIRECTION_INGRESS], 3);
	assert_sums(&x, 12, 12);
	fixture_done(&x);
}

/* The set is full: known flows go on, the others are recorded together, now and then. */
static void test_rest_beside_flows(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 1, 3600000);

	fixture_init(&x, 30 * SEC, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	for (int i = 1; i <= 40; i++) {
		c.packets += 2;
		feed(&x, i * SEC, false, &c, 1, c.packets + (uint64_t)i * 10);
	}
	/* Begun between the baseline and the first snapshot; of the last one none is sure. */
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 290);
	assert_int_equal(flow_account_finish(x.a, 40 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 390);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 390 + 81);
	assert_sums(&x, 481, 471);
	fixture_done(&x);
}

/* Between the two readings of the totals more is denied: it is of the next snapshot. */
static void test_rest_is_never_too_much(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 9, 3600000);

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed(&x, 1 * SEC, false, NULL, 0, 4); /* missed by the dump */
	feed(&x, 2 * SEC, false, &c, 1, 7);   /* two came between the totals and the dump */
	feed(&x, 3 * SEC, false, &c, 1, 9);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 0);
	assert_sums(&x, 9, 9);
	fixture_done(&x);
}

/* One flow that leaves by two interfaces is counted in two elements. */
static void test_two_interfaces(void **state)
{
	struct fixture x;
	struct flow_count c[3] = { tcp(1, 4, 3600000), tcp(1, 5, 3600000), tcp(1, 6, 3600000) };

	fixture_init(&x, 0, 100);
	c[1].oif = OIF + 1;
	c[2].oif = 0;
	feed(&x, 0, true, NULL, 0, 0);
	for (int i = 0; i < 3; i++)
		feed_event(&x, &c[i], 1);
	feed(&x, 1 * SEC, false, c, 3, 9);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 9);
	assert_int_equal(x.book.packets[DIRECTION_INGRESS], 6);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 0);
	fixture_done(&x);
}

/* Unlogged: nothing of it is recorded, then or later. */
static void test_unlogged(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000);
	struct flow_log_event ev = event_of(&c, 5);

	fixture_init(&x, 1 * SEC, 100);
	feed(&x, 0, true, NULL, 0, 0);
	feed_event(&x, &c, 1);
	flow_account_set_mode(x.a, false, false);
	feed(&x, 1 * SEC, false, &c, 1, 30);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_REVOKED, &ev), 0);
	feed_totals(&x, 9 * SEC, (struct flow_totals) { { 60 }, { 20 } });
	assert_int_equal(x.book.records, 1);
	assert_sums(&x, 60, 1);
	flow_account_set_mode(x.a, false, true);
	feed_totals(&x, 10 * SEC, (struct flow_totals) { { 65 }, { 21 } });
	feed_totals(&x, 11 * SEC, (struct flow_totals) { { 70 }, { 22 } });
	assert_int_equal(x.book.records, 1);
	feed_totals(&x, 12 * SEC, (struct flow_totals) { { 75 }, { 24 } });
	feed_totals(&x, 13 * SEC, (struct flow_totals) { { 75 }, { 24 } });
	assert_int_equal(flow_account_finish(x.a, 13 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 5);
	assert_sums(&x, 75, 6);
	fixture_done(&x);
}

static void test_budget(void **state)
{
	struct fixture x;
	struct flow_count c[3] = { tcp(1, 4, 3600000), tcp(2, 5, 3600000), tcp(3, 6, 3600000) };

	fixture_init(&x, 0, 2);
	feed(&x, 0, true, NULL, 0, 0);
	for (int i = 0; i < 3; i++)
		feed_event(&x, &c[i], 1);
	assert_int_equal(x.book.records, 2);
	feed(&x, 1 * SEC, false, c, 3, 15);
	assert_int_equal(x.budget.used, 2);
	x.budget.max = 10; /* too late for the third: it is of the rest */
	feed(&x, 2 * SEC, false, c, 2, 15);
	feed_event(&x, &c[2], 2 * SEC + 1);
	feed(&x, 3 * SEC, false, c, 3, 15);
	assert_int_equal(x.budget.used, 2);
	feed(&x, 4 * SEC, false, c, 2, 15); /* forgotten by the kernel */
	feed(&x, 5 * SEC, false, c, 2, 15);
	feed_event(&x, &c[2], 5 * SEC + 1); /* and met anew */
	feed(&x, 6 * SEC, false, c, 3, 21);
	assert_int_equal(x.budget.used, 3);
	assert_int_equal(flow_account_finish(x.a, 6 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 6);
	assert_sums(&x, 21, 21);
	fixture_done(&x);
}

/* Others have used up all: some are this namespace's own, the rest is counted. */
static void test_own_flows(void **state)
{
	struct fixture x;
	struct flow_count c[3] = { tcp(1, 4, 3600000), tcp(2, 5, 3600000), tcp(3, 6, 3600000) };

	fixture_init(&x, 0, 100);
	feed(&x, 0, true, NULL, 0, 0);
	x.budget.used += 100;
	x.budget.own = 2;
	for (int i = 0; i < 3; i++)
		feed_event(&x, &c[i], 1);
	assert_int_equal(x.book.records, 2);
	assert_int_equal(x.budget.used, 102);
	feed(&x, 1 * SEC, false, c, 3, 15);
	feed(&x, 2 * SEC, false, c, 3, 15);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 6);
	assert_sums(&x, 15, 15);
	x.budget.used -= 100;
	fixture_done(&x);
}

/* What did not fit when we came must not pass for new when there is room. */
static void test_budget_full_at_baseline(void **state)
{
	struct fixture x;
	struct flow_count c[2] = { tcp(1, 4, 3600000), tcp(2, 50, 3600000) };

	fixture_init(&x, 0, 1);
	feed(&x, 0, true, c, 2, 54);
	x.budget.max = 10;
	c[0].packets = 5;
	c[1].packets = 51;
	feed(&x, 1 * SEC, false, c, 2, 56);
	feed(&x, 1 * SEC, false, c, 2, 56);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 1);
	assert_sums(&x, 2, 2);
	fixture_done(&x);
}

/* The table was made anew meanwhile: its counters begin at nothing. */
static void test_counters_made_anew(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000);

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 100);
	feed(&x, 1 * SEC, false, NULL, 0, 110);
	feed(&x, 2 * SEC, false, &c, 1, 4);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 10);
	assert_sums(&x, 14, 14);
	fixture_done(&x);
}

/* A packet that was cut off before its key: only the count can tell which flow it was. */
static void test_event_without_key(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000);
	struct flow_log_event ev = event_of(&c, 5);

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	ev.packet.has_key = ev.packet.has_ports = false;
	ev.packet.key = ev.packet.dport = 0;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), 0);
	ev.has_packet = false;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), 0);
	assert_int_equal(x.book.records, 0);
	/* Where no count knows flows, there is nothing to wait for. */
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_REVOKED, &ev), 0);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.source.addr.family, 0);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 0);
	assert_sums(&x, 5, 5);
	fixture_done(&x);
}

/* The event of a flow that was first seen in a count may be on its way for a while. */
static void test_retire_waits_for_the_event(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000), out[1];
	int64_t now = 0;

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	for (now = 1; now <= 10; now++) {
		feed(&x, now * SEC, false, &c, 1, 4);
		assert_int_equal(flow_account_candidates(x.a, out, 1), 0);
	}
	feed(&x, now * SEC, false, &c, 1, 4);
	assert_int_equal(flow_account_candidates(x.a, out, 1), 1);
	assert_sums(&x, 4, 4);
	fixture_done(&x);
}

static void test_audit(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000), d = tcp(2, 1, 3600000);
	struct flow_log_event ev = event_of(&d, 5);

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	flow_account_set_mode(x.a, true, true);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_AUDIT, &ev), 0);
	assert_int_equal(x.book.last.verdict, RECORD_AUDIT);
	feed(&x, 1 * SEC, false, &c, 1, 5);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.last.packets, 4);
	assert_int_equal(x.book.last.verdict, RECORD_AUDIT);
	ev.ifindex_out = 0;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), 0);
	assert_int_equal(x.book.last.direction, DIRECTION_INGRESS);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	fixture_done(&x);
}

/* A guardrail's denials are that in audit mode, too; without an event the kind is to be found. */
static void test_guardrail(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 1, 3600000), d = tcp(2, 1, 3600000);
	struct flow_log_event ev = event_of(&c, 5);

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	flow_account_set_mode(x.a, true, true);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_GUARD, &ev), 0);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	assert_int_equal(x.book.last.rule_kind, RECORD_GUARDRAIL);
	assert_true(x.book.last.logged);
	c.packets = 3;
	c.bytes = 180;
	feed(&x, 1 * SEC, false, &c, 1, 3);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.last.packets, 2);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	assert_int_equal(x.book.last.rule_kind, RECORD_GUARDRAIL);
	assert_true(x.book.last.logged);
	/* other rules now: the flow is still in the kernel's set, and nobody logs it again */
	flow_account_set_mode(x.a, true, true);
	c.packets = 4;
	feed(&x, 3 * SEC, false, &c, 1, 4);
	assert_int_equal(flow_account_finish(x.a, 4 * SEC), 0);
	assert_int_equal(x.book.last.verdict, RECORD_AUDIT);
	assert_int_equal(x.book.last.rule_kind, RECORD_DEFAULT_DENY);
	assert_false(x.book.last.logged);
	/* the log message was lost */
	feed(&x, 5 * SEC, false, &d, 1, 5);
	assert_int_equal(flow_account_finish(x.a, 6 * SEC), 0);
	assert_false(x.book.last.logged);
	/* nothing of services is logged: all that there is is a guardrail's */
	flow_account_set_mode(x.a, false, false);
	ev = event_of(&(struct flow_count) { .oif = 2,
					     .source = v4(1),
					     .destination = v4(9),
					     .proto = IPPROTO_TCP,
					     .port = 9 },
		      7);
	x.book.records = 0;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_GUARD, &ev), 0);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.rule_kind, RECORD_GUARDRAIL);
	ev.packet.dport = ev.packet.key = 10;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), 0);
	assert_int_equal(x.book.records, 1);
	flow_account_set_mode(x.a, true, true);
	/* an ended connection in audit mode: services end none there */
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_REVOKED, &ev), 0);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	fixture_done(&x);
}

/* --- what is allowed ---------------------------------------------------------------------- */

static void feed_allowed(struct fixture *x, int64_t now, bool baseline, uint64_t allowed)
{
	struct flow_totals t = { .denied = { 7 }, .allowed = { allowed } };

	if (baseline)
		flow_account_baseline(x->a, now);
	else
		flow_account_snapshot(x->a, now);
	assert_int_equal(flow_account_end(x->a, &t), 0);
}

static void assert_allowed(const struct fixture *x, uint64_t allowed, uint64_t recorded)
{
	struct flow_allowed a;

	flow_account_allowed(x->a, DIRECTION_EGRESS, &a);
	assert_int_equal(a.allowed, allowed);
	assert_int_equal(a.recorded, recorded);
	assert_int_equal(a.not_recorded, allowed - recorded);
}

/* Each is a record of one packet, whatever is said of denials, and part of no count of them. */
static void test_allowed(void **state)
{
	struct flow_count c = tcp(5432, 1, 3600000);
	struct flow_log_event ev = event_of(&c, 5);
	struct fixture x;

	fixture_init(&x, 0, 10);
	flow_account_set_mode(x.a, false, false); /* log: {denied: false, allowed: true} */
	feed_allowed(&x, 0, true, 100);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_ALLOW, &ev), 0);
	assert_int_equal(x.book.last.verdict, RECORD_ALLOW);
	assert_int_equal(x.book.last.rule_kind, RECORD_ALLOWED);
	assert_int_equal(x.book.last.packets, 1);
	assert_int_equal(x.book.last.bytes, 60);
	assert_int_equal(x.book.last.uid, 1000);
	assert_int_equal(x.book.last.destination.port, 5432);
	assert_true(x.book.last.logged);
	assert_allowed(&x, 1, 1); /* ahead of the counter */
	feed_allowed(&x, 1 * SEC, false, 101);
	assert_allowed(&x, 1, 1);
	/* beyond the kernel's limit, or their messages were lost */
	feed_allowed(&x, 2 * SEC, false, 111);
	assert_allowed(&x, 11, 1);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.records, 1);
	assert_sums(&x, 0, 0);
	/* the table was made anew */
	feed_allowed(&x, 4 * SEC, false, 2);
	assert_allowed(&x, 13, 1);
	fixture_done(&x);
}

/* --- frames ------------------------------------------------------------------------------- */

static void feed_raw(struct fixture *x, int64_t now, bool baseline, uint64_t denied, uint64_t raw)
{
	struct flow_totals t = { .denied = { denied }, .raw = raw };

	if (baseline)
		flow_account_baseline(x->a, now);
	else
		flow_account_snapshot(x->a, now);
	assert_int_equal(flow_account_end(x->a, &t), 0);
}

/* The bytes of the packet that was logged are in its record, and in no other. */
static void test_bytes(void **state)
{
	static const uint8_t bytes[60] = { 0x45, [59] = 7 };
	struct flow_count c = tcp(5432, 1, 3600000);
	struct flow_log_event ev = event_of(&c, 5);
	struct fixture x;

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	ev.data = bytes;
	ev.data_len = 44;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), 0);
	assert_int_equal(x.book.last.packet.len, 44);
	assert_int_equal(x.book.last.packet.ip_at, 0);
	assert_int_equal(x.book.last.packet.length, 60); /* what its header says */
	assert_memory_equal(x.book.last.packet.bytes, bytes, 44);
	ev.ip_at = 14;
	ev.data_len = 60;
	ev.packet.length = 20; /* a lie: there is more of it */
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_RAW, &ev), 0);
	assert_int_equal(x.book.last.packet.len, 60);
	assert_int_equal(x.book.last.packet.ip_at, 14);
	assert_int_equal(x.book.last.packet.length, 60);
	assert_int_equal(x.book.last.packet.bytes[59], 7);

	c.packets = 3;
	feed(&x, 1 * SEC, false, &c, 1, 3);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.last.packets, 2);
	assert_int_equal(x.book.last.packet.len, 0);
	fixture_done(&x);
}

/* A frame of no IP, as ARP is. */
static struct flow_log_event frame_at(int64_t when)
{
	return (struct flow_log_event) {
		.has_frame = true,
		.frame = { .source = { 2, 0, 0, 0, 0, 1 },
			   .destination = { 255, 255, 255, 255, 255, 255 },
			   .type = 0x0806 },
		.ifindex_out = OIF,
		.interface = "eth0",
		.has_uid = true,
		.uid = 1000,
		.when = when,
	};
}

static void feed_frame(struct fixture *x, enum flow_log_kind kind, int64_t when)
{
	struct flow_log_event ev = frame_at(when);

	assert_int_equal(flow_account_event(x->a, kind, &ev), 0);
}

/* A frame is a record by itself, and its packet is in the sum once. */
static void test_frame(void **state)
{
	struct flow_count c = tcp(5432, 1, 3600000);
	struct flow_log_event ev = frame_at(5), ip = event_of(&c, 6);
	struct fixture x;

	fixture_init(&x, 0, 10);
	feed_raw(&x, 0, true, 3, 40);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_RAW, &ev), 0);
	assert_int_equal(x.book.records, 1);
	assert_int_equal(x.book.last.rule_kind, RECORD_RAW_SOCKET);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	assert_int_equal(x.book.last.direction, DIRECTION_EGRESS);
	assert_int_equal(x.book.last.packets, 1);
	assert_int_equal(x.book.last.bytes, 0);
	assert_true(x.book.last.logged && x.book.last.has_uid && !x.book.last.aggregated);
	assert_string_equal(x.book.last.interface, "eth0");
	assert_true(x.book.last.has_frame);
	assert_int_equal(x.book.last.frame_type, 0x0806);
	assert_memory_equal(x.book.last.frame_source, ev.frame.source, 6);
	assert_memory_equal(x.book.last.frame_destination, ev.frame.destination, 6);
	assert_int_equal(x.book.last.source.addr.family, 0);
	assert_sums(&x, 1, 1); /* its event is ahead of the count */

	/* one that holds IP: it belongs to no flow, though there be one with its addresses */
	ip.has_frame = true;
	ip.frame = (struct frame) { .type = 0x0800 };
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_RAW, &ip), 0);
	assert_int_equal(x.budget.used, 0);
	assert_int_equal(x.book.last.destination.port, 5432);
	assert_int_equal(x.book.last.bytes, 60);
	/* whatever direction its device says */
	ip.ifindex_out = 0;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_RAW, &ip), 0);
	assert_int_equal(x.book.last.direction, DIRECTION_EGRESS);
	feed_raw(&x, 1 * SEC, false, 3, 43);
	feed_raw(&x, 2 * SEC, false, 3, 43);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.records, 3);
	assert_sums(&x, 3, 3);
	fixture_done(&x);
}

/* More than are logged: the rest is one record, apart from what the policy denies. */
static void test_many_frames(void **state)
{
	struct flow_sums in;
	struct fixture x;

	fixture_init(&x, 30 * SEC, 10);
	feed_raw(&x, 0, true, 0, 0);
	for (int i = 0; i < 10; i++)
		feed_frame(&x, FLOW_LOG_RAW, 1 + i);
	feed_raw(&x, 1 * SEC, false, 0, 25);
	feed_raw(&x, 2 * SEC, false, 7, 25);
	feed_raw(&x, 3 * SEC, false, 7, 25);
	assert_int_equal(x.book.records, 10); /* until the next update */
	feed_raw(&x, 40 * SEC, false, 7, 30);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 10 + 15 + 7);
	assert_int_equal(x.book.aggregated[DIRECTION_EGRESS], 15 + 7);
	assert_int_equal(x.book.last.rule_kind, RECORD_RAW_SOCKET); /* of flows, then of frames */
	assert_int_equal(x.book.last.packets, 15);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	assert_false(x.book.last.has_frame);
	assert_int_equal(flow_account_finish(x.a, 41 * SEC), 0);
	assert_int_equal(x.book.last.packets, 5);
	assert_sums(&x, 37, 37);
	flow_account_sums(x.a, DIRECTION_INGRESS, &in);
	assert_int_equal(in.denied | in.recorded | in.not_recorded, 0);
	fixture_done(&x);
}

/* In audit mode they pass, unless there are guardrails: the log says which it was. */
static void test_frames_that_pass(void **state)
{
	struct fixture x;

	fixture_init(&x, 0, 10);
	flow_account_set_mode(x.a, true, true);
	feed_raw(&x, 0, true, 0, 0);
	feed_frame(&x, FLOW_LOG_RAW_AUDIT, 1);
	assert_int_equal(x.book.last.verdict, RECORD_AUDIT);
	assert_int_equal(x.book.last.rule_kind, RECORD_RAW_SOCKET);
	feed_raw(&x, 1 * SEC, false, 0, 3);
	assert_int_equal(flow_account_finish(x.a, 2 * SEC), 0);
	assert_int_equal(x.book.last.packets, 2);
	assert_int_equal(x.book.last.verdict, RECORD_AUDIT);
	feed_frame(&x, FLOW_LOG_RAW, 3 * SEC);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	feed_raw(&x, 4 * SEC, false, 0, 6);
	assert_int_equal(flow_account_finish(x.a, 5 * SEC), 0);
	assert_int_equal(x.book.last.packets, 2);
	assert_int_equal(x.book.last.verdict, RECORD_DENY);
	assert_sums(&x, 6, 6);
	fixture_done(&x);
}

/* Where nothing of services is logged there is no record, but where guardrails log there is. */
static void test_unlogged_frames(void **state)
{
	struct fixture x;

	fixture_init(&x, 0, 10);
	flow_account_set_mode(x.a, false, false);
	feed_raw(&x, 0, true, 0, 0);
	feed_raw(&x, 1 * SEC, false, 0, 4);
	feed_raw(&x, 2 * SEC, false, 0, 4);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_int_equal(x.book.records, 0);
	assert_sums(&x, 4, 0);
	feed_frame(&x, FLOW_LOG_RAW, 4 * SEC);
	assert_int_equal(x.book.records, 1);
	feed_raw(&x, 5 * SEC, false, 0, 5);
	feed_raw(&x, 6 * SEC, false, 0, 5);
	assert_int_equal(flow_account_finish(x.a, 7 * SEC), 0);
	assert_int_equal(x.book.packets[DIRECTION_EGRESS], 1);
	fixture_done(&x);
}

/* A table made anew counts from nothing: what was logged before is not lost, nor counted twice. */
static void test_frames_of_a_table_made_anew(void **state)
{
	struct flow_count c = tcp(5432, 4, 3600000);
	struct fixture x;

	fixture_init(&x, 0, 10);
	feed_raw(&x, 0, true, 0, 100);
	for (int i = 0; i < 5; i++)
		feed_frame(&x, FLOW_LOG_RAW, 1 + i);
	feed_raw(&x, 1 * SEC, false, 0, 0); /* with none of the five */
	assert_sums(&x, 5, 5);
	/* denied and not yet in a record: the frames do not make up for it */
	feed(&x, 2 * SEC, false, &c, 1, 4);
	assert_sums(&x, 9, 5);
	assert_int_equal(flow_account_finish(x.a, 3 * SEC), 0);
	assert_sums(&x, 9, 9);
	fixture_done(&x);
}

static void test_emit_error_is_handed_on(void **state)
{
	struct fixture x;
	struct flow_count c = tcp(1, 4, 3600000);
	struct flow_log_event ev = event_of(&c, 5);

	fixture_init(&x, 0, 10);
	feed(&x, 0, true, NULL, 0, 0);
	x.book.fail = -EPIPE;
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_DENY, &ev), -EPIPE);
	assert_int_equal(flow_account_event(x.a, FLOW_LOG_RAW, &ev), -EPIPE);
	fixture_done(&x);
}

/* --- a kernel, simulated ------------------------------------------------------------------ */

#define FLOWS    48 /* possible flows, half of them in each direction */
#define SET_SIZE 30
#define QUEUE    4096

struct sim_flow {
	struct flow_count key;
	bool present, missed; /* in the set; left out of the last dump */
	int64_t ends;         /* ms */
	uint64_t packets, bytes;
	/* Since the baseline: counted in the set, denied, and in records of its own. Of flows that
	 * differ in the interface alone, the first has it all: records do not tell them apart. */
	uint64_t truth, denied, recorded;
};

struct sim_event {
	enum flow_log_kind kind;
	struct flow_log_event ev;
	int64_t ready; /* ms: the kernel hands it over then */
};

struct sim {
	uint64_t rng;
	struct fixture x;
	struct sim_flow flows[FLOWS];
	struct flow_totals totals;
	uint64_t denied[DIRECTIONS]; /* since the baseline */
	struct sim_event queue[QUEUE];
	size_t n_queue;
	int64_t now; /* ms */
	bool listening;
	/* what may go wrong */
	int64_t timeout_ms;
	unsigned lose_percent, miss_percent, delete_percent, anew_percent;
	bool hostile_start, quiet;
};

static uint32_t sim_random(struct sim *s, uint32_t below)
{
	s->rng = s->rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(s->rng >> 33) % below;
}

static bool sim_percent(struct sim *s, unsigned percent)
{
	return sim_random(s, 100) < percent;
}

static void sim_log(struct sim *s, enum flow_log_kind kind, const struct sim_flow *f)
{
	struct sim_event *e = &s->queue[s->n_queue];

	if (!s->listening || s->n_queue == QUEUE || sim_percent(s, s->lose_percent))
		return;
	e->kind = kind;
	e->ev = event_of(&f->key, s->now * 1000);
	if (sim_percent(s, 3))
		e->ev.packet.has_key = false;
	e->ready = s->now + sim_random(s, 100);
	s->n_queue++;
}

static enum direction sim_direction(const struct sim_flow *f)
{
	return flow_direction(f->key.oif);
}

/* Expired elements stay in the set until they are collected. */
static size_t sim_set_used(struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < FLOWS; i++) {
		struct sim_flow *f = &s->flows[i];

		if (f->present && f->ends <= s->now && sim_percent(s, 30))
			f->present = false;
		n += f->present;
	}
	return n;
}

static struct sim_flow *sim_first(struct sim_flow *f)
{
	return f->key.oif == 2 ? f - 1 : f;
}

static void sim_count_denied(struct sim *s, struct sim_flow *f, bool in_set)
{
	s->totals.denied[sim_direction(f)]++;
	s->denied[sim_direction(f)]++;
	sim_first(f)->denied++;
	if (!in_set)
		return;
	f->packets++;
	f->bytes += 60;
	sim_first(f)->truth++;
}

static void sim_packet(struct sim *s, struct sim_flow *f)
{
	if (sim_percent(s, 2)) {
		s->totals.revoked[sim_direction(f)]++;
		if (sim_percent(s, 50))
			sim_log(s, FLOW_LOG_REVOKED, f);
		sim_count_denied(s, f, false);
		return;
	}
	if (!f->present || f->ends <= s->now) {
		bool again = f->present;

		f->present = false;
		if (!again && sim_set_used(s) >= SET_SIZE) {
			sim_count_denied(s, f, false);
			return;
		}
		f->present = true;
		f->missed = false;
		f->ends = s->now + s->timeout_ms;
		f->packets = f->bytes = 0;
		sim_log(s, FLOW_LOG_DENY, f);
		if (sim_percent(s, 10)) { /* two processors at once: both log, both count */
			sim_count_denied(s, f, true);
			sim_log(s, FLOW_LOG_DENY, f);
		}
	}
	sim_count_denied(s, f, true);
}

/* A frame made by hand, with the addresses of a flow: of it, the flow knows nothing. */
static void sim_frame(struct sim *s)
{
	if (sim_percent(s, 60)) /* the kernel logs so many a second */
		sim_log(s, FLOW_LOG_RAW, &s->flows[sim_random(s, FLOWS)]);
	s->totals.raw++;
	s->denied[DIRECTION_EGRESS]++;
}

/* Somebody deletes the table, and it is made again. */
static void sim_anew(struct sim *s)
{
	s->totals = (struct flow_totals) { 0 };
	for (size_t i = 0; i < FLOWS; i++)
		s->flows[i].present = false;
}

static void sim_traffic(struct sim *s, unsigned upto)
{
	if (sim_percent(s, s->anew_percent))
		sim_anew(s);
	for (unsigned n = sim_random(s, upto + 1); n; n--) {
		struct sim_flow *f = &s->flows[sim_random(s, FLOWS)];

		for (unsigned k = sim_percent(s, 20) ? sim_random(s, 20) : 1; k; k--)
			sim_packet(s, f);
		if (sim_percent(s, 10))
			sim_frame(s);
	}
}

static void sim_drain(struct sim *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_queue; i++) {
		struct sim_event *e = &s->queue[i];

		if (e->ready > s->now)
			s->queue[kept++] = *e;
		else
			assert_int_equal(flow_account_event(s->x.a, e->kind, &e->ev), 0);
	}
	s->n_queue = kept;
}

static struct flow_count sim_count(const struct sim *s, const struct sim_flow *f)
{
	struct flow_count c = f->key;

	c.packets = f->packets;
	c.bytes = f->bytes;
	c.expires_ms = (uint64_t)(f->ends - s->now);
	return c;
}

static void sim_dump(struct sim *s)
{
	bool resized = sim_percent(s, 40);

	for (size_t i = 0; i < FLOWS; i++) {
		struct sim_flow *f = &s->flows[i];

		f->missed = !f->missed && resized && sim_percent(s, s->miss_percent);
		for (int twice = sim_percent(s, 5); twice >= 0 && !f->missed; twice--) {
			struct flow_count c = sim_count(s, f);

			if (f->present && f->ends > s->now)
				assert_int_equal(flow_account_flow(s->x.a, &c), 0);
			if (!s->quiet && sim_percent(s, 10))
				sim_traffic(s, 2);
		}
	}
}

/* The counts of a baseline or a snapshot, in the order that the account wants. */
static void sim_counts(struct sim *s, int dumps)
{
	struct flow_totals t = s->totals;

	for (; dumps; dumps--)
		sim_dump(s);
	memcpy(t.revoked, s->totals.revoked, sizeof(t.revoked));
	t.raw = s->totals.raw;
	assert_int_equal(flow_account_end(s->x.a, &t), 0);
}

static void sim_retire(struct sim *s)
{
	struct flow_count out[FLOWS];
	size_t n = flow_account_candidates(s->x.a, out, FLOWS);

	for (size_t k = 0; k < n; k++) {
		s->now += sim_random(s, 5);
		if (sim_percent(s, 10))
			sim_traffic(s, 3);
		for (size_t i = 0; i < FLOWS; i++) {
			struct sim_flow *f = &s->flows[i];
			struct flow_count final = sim_count(s, f);

			if (!f->present || f->key.oif != out[k].oif || f->key.port != out[k].port)
				continue;
			f->present = false;
			final.expires_ms = 0;
			if (f->ends > s->now)
				assert_int_equal(
					flow_account_retired(s->x.a, &final, s->now * 1000), 0);
		}
	}
}

static void sim_record(const struct flow_record *rec, void *arg)
{
	struct sim *s = arg;

	/* Never ahead of the kernel: not in sum, and no flow by itself. */
	assert_true(s->x.book.packets[rec->direction] <= s->denied[rec->direction]);
	if (rec->aggregated || rec->rule_kind == RECORD_RAW_SOCKET)
		return;
	for (size_t i = 0; i < FLOWS; i++) {
		struct sim_flow *f = &s->flows[i];
		uint16_t port = rec->has_icmp ? (uint16_t)(rec->icmp_type << 8 | rec->icmp_code)
					      : rec->destination.port;

		if (sim_direction(f) != rec->direction || f->key.port != port || f != sim_first(f))
			continue;
		f->recorded += rec->packets;
		assert_true(f->recorded <= f->denied);
	}
}

static void sim_start(struct sim *s, uint64_t seed)
{
	s->rng = seed * 2654435761u + 1;
	fixture_init(&s->x, sim_percent(s, 50) ? 5 * SEC : 0, 1000);
	for (size_t i = 0; i < FLOWS; i++) {
		struct flow_count *k = &s->flows[i].key;

		*k = tcp((uint16_t)(i / 3 + 256), 0, 0);
		k->oif = (uint32_t)i % 3; /* each port: ingress, and egress by two interfaces */
		k->proto = i / 3 % 5 ? IPPROTO_TCP : IPPROTO_ICMP;
	}
	sim_traffic(s, 60);
	memset(s->denied, 0, sizeof(s->denied));
	for (size_t i = 0; i < FLOWS; i++)
		s->flows[i].truth = s->flows[i].denied = 0;
	flow_account_baseline(s->x.a, s->now * 1000);
	s->quiet = !s->hostile_start;
	s->totals.raw = 0;
	sim_counts(s, 2);
	s->denied[DIRECTION_EGRESS] -= s->totals.raw; /* they are read last: before the baseline */
	s->quiet = false;
	s->x.book.seen = sim_record;
	s->x.book.arg = s;
	sim_traffic(s, 5); /* before the log is open */
	s->listening = true;
}

static void sim_step(struct sim *s)
{
	sim_traffic(s, sim_percent(s, 50) ? 30 : 0);
	s->now += 300 + sim_random(s, 1200);
	sim_traffic(s, sim_percent(s, 20) ? 3 : 0);
	if (sim_percent(s, s->delete_percent))
		s->flows[sim_random(s, FLOWS)].present = false;
	sim_drain(s);
	sim_traffic(s, sim_percent(s, 20) ? 3 : 0);
	flow_account_snapshot(s->x.a, s->now * 1000);
	sim_counts(s, 1);
	sim_retire(s);
}

static void sim_finish(struct sim *s, struct flow_sums sums[DIRECTIONS])
{
	s->now += 1000;
	s->quiet = true;
	sim_drain(s);
	for (int i = 0; i < 2 || !flow_account_settled(s->x.a); i++) {
		assert_true(i < 100);
		flow_account_snapshot(s->x.a, s->now * 1000);
		sim_counts(s, 1);
	}
	assert_int_equal(flow_account_finish(s->x.a, s->now * 1000), 0);
	for (int d = 0; d < DIRECTIONS; d++) {
		flow_account_sums(s->x.a, d, &sums[d]);
		assert_true(sums[d].denied <= s->denied[d]);
		assert_int_equal(sums[d].recorded, s->x.book.packets[d]);
		assert_int_equal(sums[d].denied, sums[d].recorded + sums[d].not_recorded);
		/* Nothing comes any more: all that could be read is in a record. */
		assert_int_equal(sums[d].not_recorded, 0);
		if (!s->anew_percent)
			assert_int_equal(sums[d].denied, s->denied[d]);
	}
	fixture_done(&s->x);
}

/* Events get lost and come late, dumps stutter, flows are forgotten and met again: all is found. */
static void test_simulated_all_found(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		bh_autofree struct sim *s = calloc(1, sizeof(*s));
		struct flow_sums sums[DIRECTIONS];

		assert_non_null(s);
		s->timeout_ms = seed % 2 ? 30000 : 3600000;
		s->lose_percent = (unsigned)(seed % 3) * 20;
		sim_start(s, seed);
		for (int i = 0; i < 60; i++)
			sim_step(s);
		sim_finish(s, sums);
		assert_true(sums[0].denied > 100 && sums[1].denied > 100);
	}
}

/* What the set counted of a flow is in records of that flow, not in the rest. */
static void test_simulated_flow_by_flow(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		bh_autofree struct sim *s = calloc(1, sizeof(*s));
		struct flow_sums sums[DIRECTIONS];

		assert_non_null(s);
		s->timeout_ms = 3600000;
		s->lose_percent = (unsigned)(seed % 3) * 20;
		sim_start(s, seed);
		for (int i = 0; i < 60; i++)
			sim_step(s);
		sim_finish(s, sums);
		for (size_t i = 0; i < FLOWS; i++)
			assert_true(s->flows[i].recorded >= s->flows[i].truth);
	}
}

/*
 * Elements vanish with their last counts, dumps miss some, memory is short and then not: never more
 * than was denied, no flow more than its own, and in the end all of it.
 */
static void test_simulated_losses(void **state)
{
	uint64_t denied = 0, aggregated = 0;

	for (uint64_t seed = 1; seed <= 1000; seed++) {
		bh_autofree struct sim *s = calloc(1, sizeof(*s));
		struct flow_sums sums[DIRECTIONS];
		bool short_of_memory = seed % 6 == 0;

		assert_non_null(s);
		s->timeout_ms = 2000 + (int64_t)(seed % 7) * 3000;
		s->lose_percent = (unsigned)(seed % 3) * 20;
		s->miss_percent = (unsigned)(seed % 4) * 5;
		s->delete_percent = (unsigned)(seed % 5) * 10;
		s->hostile_start = seed % 2;
		s->anew_percent = seed % 11 ? 0 : 1;
		sim_start(s, seed);
		for (int i = 0; i < 60; i++) {
			s->x.budget.max = short_of_memory ? sim_random(s, FLOWS) : 1000;
			sim_step(s);
		}
		sim_finish(s, sums);
		for (int d = 0; d < DIRECTIONS; d++) {
			denied += sums[d].denied;
			aggregated += s->x.book.aggregated[d];
		}
	}
	print_message("denied %lu, of no flow %lu\n", denied, aggregated);
	assert_true(aggregated < denied / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_then_growth),
		cmocka_unit_test(test_late_event_counts_once),
		cmocka_unit_test(test_late_event_of_the_only_packet),
		cmocka_unit_test(test_lost_event),
		cmocka_unit_test(test_baseline_is_not_ours),
		cmocka_unit_test(test_flow_met_again),
		cmocka_unit_test(test_vanished_tail_is_aggregated),
		cmocka_unit_test(test_missed_once_by_a_dump),
		cmocka_unit_test(test_retire_idle),
		cmocka_unit_test(test_retire_met_again),
		cmocka_unit_test(test_retire_quiet),
		cmocka_unit_test(test_retire_before_expiry),
		cmocka_unit_test(test_rest_and_revoked),
		cmocka_unit_test(test_rest_beside_flows),
		cmocka_unit_test(test_rest_is_never_too_much),
		cmocka_unit_test(test_two_interfaces),
		cmocka_unit_test(test_unlogged),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_clock_set_back_retires),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_own_flows),
		cmocka_unit_test(test_budget_full_at_baseline),
		cmocka_unit_test(test_counters_made_anew),
		cmocka_unit_test(test_event_without_key),
		cmocka_unit_test(test_retire_waits_for_the_event),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_guardrail),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_frames_that_pass),
		cmocka_unit_test(test_unlogged_frames),
		cmocka_unit_test(test_frames_of_a_table_made_anew),
		cmocka_unit_test(test_emit_error_is_handed_on),
		cmocka_unit_test(test_simulated_all_found),
		cmocka_unit_test(test_simulated_flow_by_flow),
		cmocka_unit_test(test_simulated_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
