/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/signals.h>

#include "records.h"

static const struct party web = { "shop/web", "web", "web", "shop", { 10, 0, 0, 1 } };
static const struct party web2 = { "shop/web2", "web2", "web", "shop", { 10, 0, 0, 2 } };
static const struct party db = { "shop/db", "db", "db", "shop, cde", { 10, 0, 0, 3 } };
static const struct party cache = { "shop/cache", "cache", NULL, NULL, { 10, 0, 0, 4 } };
static const struct party stranger = { .addr = { 192, 0, 2, 7 } };

/* --- what is told --------------------------------------------------------------------------- */

#define TOLD_MAX 100000

struct told {
	size_t n, of[SIGNAL_KINDS];
	struct flow_signal last;
	int fails; /* what emit returns */
};

static int on_signal(const struct flow_signal *s, void *arg)
{
	struct told *t = arg;

	t->n++;
	t->of[s->kind]++;
	t->last = *s;
	assert_in_range(t->n, 1, TOLD_MAX);
	assert_non_null(memchr(s->reason, '\0', sizeof(s->reason)));
	assert_true(s->reason[0]);
	return t->fails;
}

static struct signals *fresh(struct told *t)
{
	const struct signals_options o = { .key = "sixteen bytes...", .kept = true, on_signal, t };
	struct signals *s;

	*t = (struct told) { 0 };
	assert_int_equal(signals_new(&o, &s, NULL), 0);
	return s;
}

static void feed(struct signals *s, const struct flow_record *r)
{
	assert_int_equal(signals_record(s, r), 0);
}

static void feed_new(struct signals *s, struct flow_record r)
{
	feed(s, &r);
}

/* --- first denied --------------------------------------------------------------------------- */

static void first_is_told_once(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 6379, DIRECTION_EGRESS, BEGIN);

	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 1);
	assert_string_equal(t.last.record.endpoint_id, "shop/web");
	feed_new(s, counted_later(r, 7));
	feed_new(s, denied(&web, &db, 6379, DIRECTION_EGRESS, BEGIN + 86400 * SECOND * 30));
	feed_new(s, denied(&web2, &db, 6379, DIRECTION_EGRESS, BEGIN)); /* the same service */
	feed_new(s, denied(&web, &db, 6379, DIRECTION_INGRESS,
			   BEGIN)); /* the same, at its other end */
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 1);
	signals_free(s);
}

static void first_tells_ends_port_and_protocol_apart(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 6379, DIRECTION_EGRESS, BEGIN);

	feed(s, &r);
	r.destination.port = 6380;
	feed(s, &r);
	r.proto = IPPROTO_UDP;
	feed(s, &r);
	r.destination.has_port = false;
	feed(s, &r);
	r.proto = IPPROTO_ICMP;
	r.has_icmp = true;
	feed(s, &r);
	r.icmp_type = 8;
	feed(s, &r);
	feed_new(s, denied(&web, &cache, 6379, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&db, &web, 6379, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&stranger, &web, 6379, DIRECTION_INGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 9);
	signals_free(s);
}

/* A name that is another's address or service does not pass for it. */
static void first_takes_no_name_for_another(void **state)
{
	const struct party named = { "x/1", "web", NULL, NULL, { 10, 0, 0, 9 } };
	const struct party called = { "web", "", NULL, NULL, { 10, 0, 0, 8 } };
	struct told t;
	struct signals *s = fresh(&t);

	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&named, &db, 1, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&called, &db, 1, DIRECTION_EGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 3);
	signals_free(s);
}

static void what_belongs_to_a_connection_is_no_attempt(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);

	for (unsigned port = 33000; port < 33100; port++) {
		struct flow_record r = denied(&db, &web, port, DIRECTION_INGRESS, BEGIN);

		r.tcp_flags = 0x18;
		feed(s, &r);
		feed_new(s, counted_later(r, 3));
		r.rule_kind = RECORD_REVOKED;
		feed(s, &r);
	}
	assert_int_equal(t.n, 0);
	feed_new(s, denied(&db, &web, 33000, DIRECTION_INGRESS, BEGIN)); /* but a SYN is */
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 1);
	signals_free(s);
}

static void what_is_allowed_or_unknown_gives_none(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN);

	r.verdict = RECORD_ALLOW;
	feed(s, &r);
	r.verdict = RECORD_DENY;
	r.aggregated = true;
	feed(s, &r);
	assert_int_equal(t.n, 0);
	r.aggregated = false;
	r.verdict = RECORD_AUDIT;
	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 1);
	assert_non_null(strstr(t.last.reason, "(audit mode: it passed)"));
	signals_free(s);
}

/* Over the allowance nothing is learnt: it is told when it comes again. */
static void first_is_bounded_and_not_lost(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct signals_stats stats;

	for (unsigned i = 0; i < 14; i++)
		feed_new(s, denied(&web, &db, 1000 + i, DIRECTION_EGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], BH_SIGNAL_TOLD_EACH_MAX);
	/* what comes in has an allowance of its own */
	feed_new(s, denied(&stranger, &web, 22, DIRECTION_INGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], BH_SIGNAL_TOLD_EACH_MAX + 1);
	for (unsigned i = 0; i < 14; i++)
		feed_new(s, denied(&web, &db, 1000 + i, DIRECTION_EGRESS, BEGIN + 400 * SECOND));
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 15);
	signals_stats(s, &stats);
	assert_int_equal(stats.kept_back[SIGNAL_FIRST_DENIED], 4);
	assert_int_equal(stats.told[SIGNAL_FIRST_DENIED], 15);
	assert_int_equal(stats.pairs, 15);
	signals_free(s);
}

static void what_is_kept_back_is_told_with_the_next(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);

	for (unsigned i = 0; i < 14; i++)
		feed_new(s, denied(&web, &db, 1000 + i, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&web, &db, 999, DIRECTION_EGRESS, BEGIN + 400 * SECOND));
	assert_non_null(strstr(t.last.reason, "; 4 more of this kind were kept back"));
	feed_new(s, denied(&web, &db, 998, DIRECTION_EGRESS, BEGIN + 400 * SECOND));
	assert_null(strstr(t.last.reason, "kept back"));
	signals_free(s);
}

/* --- known pairs, kept ---------------------------------------------------------------------- */

struct kept {
	struct signals_known k[64];
	size_t n;
	int fails;
};

static int keep(const struct signals_known *k, void *arg)
{
	struct kept *to = arg;

	assert_in_range(to->n, 0, 63);
	to->k[to->n++] = *k;
	return to->fails;
}

static void known_pairs_outlive_the_process(void **state)
{
	struct told t, t2;
	struct kept kept = { .n = 0 };
	struct signals *s = fresh(&t), *again;
	uint64_t mark = 0;

	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&stranger, &web, 2, DIRECTION_INGRESS, BEGIN));
	assert_int_equal(signals_known_each(s, &mark, keep, &kept), 0);
	assert_int_equal(kept.n, 2);
	again = fresh(&t2);
	for (size_t i = 0; i < kept.n; i++)
		assert_int_equal(signals_known_add(again, &kept.k[i]), 0);
	feed_new(again, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN + SECOND));
	feed_new(again, denied(&stranger, &web, 2, DIRECTION_INGRESS, BEGIN + SECOND));
	assert_int_equal(t2.of[SIGNAL_FIRST_DENIED], 0);
	feed_new(again, denied(&web, &db, 2, DIRECTION_EGRESS, BEGIN + SECOND));
	assert_int_equal(t2.of[SIGNAL_FIRST_DENIED], 1);
	signals_free(s);
	signals_free(again);
}

static void only_what_is_new_is_kept_again(void **state)
{
	struct told t;
	struct kept kept = { .n = 0 };
	struct signals *s = fresh(&t);
	uint64_t mark = 0, before;

	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN));
	signals_known_each(s, &mark, keep, &kept);
	signals_known_each(s, &mark, keep, &kept);
	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN + SECOND));
	signals_known_each(s, &mark, keep, &kept);
	assert_int_equal(kept.n, 1);
	/* seen again a day later: the row moves; what fails comes again */
	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN + 86400 * SECOND));
	before = mark;
	kept.fails = -EIO;
	assert_int_equal(signals_known_each(s, &mark, keep, &kept), -EIO);
	assert_int_equal(mark, before);
	kept.fails = 0;
	assert_int_equal(signals_known_each(s, &mark, keep, &kept), 0);
	assert_int_equal(kept.n, 3);
	assert_int_equal(kept.k[0].pair, kept.k[2].pair);
	assert_int_equal(kept.k[2].seen, BEGIN + 86400 * SECOND);
	signals_free(s);
}

/* What is kept may have been written by anybody. */
static void nonsense_that_was_kept_does_no_harm(void **state)
{
	static const int64_t seen[] = { INT64_MIN, -1, 0, INT64_MAX };
	struct told t;
	struct kept kept = { .n = 0 };
	struct signals *s = fresh(&t), *other;
	uint64_t mark = 0;

	feed_new(s, denied(&web, &cache, 1, DIRECTION_EGRESS, BEGIN));
	signals_known_each(s, &mark, keep, &kept);
	for (size_t i = 0; i < BH_ARRAY_SIZE(seen); i++) {
		struct signals_known k = kept.k[0];

		other = fresh(&t);
		k.seen = seen[i];
		assert_int_equal(signals_known_add(other, &k), 0);
		assert_int_equal(signals_known_add(other, &k), 0);
		feed_new(other, denied(&web, &cache, 1, DIRECTION_EGRESS, BEGIN));
		assert_int_equal(t.n, 0);
		signals_free(other);
	}
	signals_free(s);
}

static void digests_mean_nothing_without_the_key(void **state)
{
	const struct signals_options o = { .key = "another key.....", .emit = on_signal };
	struct told t, t2 = { 0 };
	struct signals_options with = o;
	struct kept kept = { .n = 0 };
	struct signals *s = fresh(&t), *other;
	uint64_t mark = 0;

	with.arg = &t2;
	assert_int_equal(signals_new(&with, &other, NULL), 0);
	feed_new(s, denied(&web, &cache, 1, DIRECTION_EGRESS, BEGIN));
	feed_new(other, denied(&web, &cache, 1, DIRECTION_EGRESS, BEGIN));
	assert_non_null(strstr(t2.last.reason, "for the first time since this began"));
	signals_known_each(s, &mark, keep, &kept);
	mark = 0;
	signals_known_each(other, &mark, keep, &kept);
	assert_int_not_equal(kept.k[0].pair, kept.k[1].pair);
	assert_int_not_equal(kept.k[0].owner, kept.k[1].owner);
	signals_free(s);
	signals_free(other);
}

/* --- scans ---------------------------------------------------------------------------------- */

static void scan_of_ports_is_told_at_the_15th_and_when_it_doubles(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	static const unsigned told_at[] = { 15, 30, 60, 120, 240 };
	size_t k = 0;

	for (unsigned i = 1; i <= 1000; i++) {
		feed_new(s, denied(&stranger, &web, i, DIRECTION_INGRESS, BEGIN + i));
		if (k < BH_ARRAY_SIZE(told_at) && i == told_at[k])
			k++;
		assert_int_equal(t.of[SIGNAL_PORT_SCAN], k);
	}
	assert_int_equal(t.last.kind, SIGNAL_PORT_SCAN);
	assert_int_equal(t.last.ports, 240);
	assert_int_equal(t.last.peers, 1);
	assert_int_equal(t.last.window_s, BH_SIGNAL_SCAN_S);
	assert_int_equal(t.last.packets, 120);
	/* a window later it is told that it goes on, and that there are more than are counted */
	feed_new(s, denied(&stranger, &web, 9, DIRECTION_INGRESS, BEGIN + 300 * SECOND - 1));
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 5);
	signals_free(s);
}

static void scan_that_goes_on_is_told_once_a_window(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);

	for (unsigned i = 0; i < 3000; i++) /* ten a second */
		feed_new(s, denied(&web, &cache, 1 + i, DIRECTION_EGRESS, BEGIN + i * SECOND / 10));
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 5);
	for (unsigned i = 3000; i < 12100; i++)
		feed_new(s, denied(&web, &cache, 1 + i, DIRECTION_EGRESS, BEGIN + i * SECOND / 10));
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 8);
	assert_int_equal(t.last.ports, BH_SIGNAL_DISTINCT_MAX);
	assert_non_null(strstr(t.last.reason, "at least 256 ports of cache"));
	signals_free(s);
}

static void scan_of_peers_and_of_both_ends_of_ours(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct party far = { .addr = { 198, 51, 100, 0 } };

	for (far.addr[3] = 1; far.addr[3] <= 8; far.addr[3]++)
		feed_new(s, denied(&web, &far, 443, DIRECTION_EGRESS, BEGIN));
	/* the same container, seen at others of ours: they are its peers as well */
	for (uint8_t i = 1; i <= 7; i++) {
		struct party ours = { "shop/o", "o", "o", NULL, { 10, 1, 0, i } };

		feed_new(s, denied(&web, &ours, 443, DIRECTION_INGRESS, BEGIN));
	}
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 1);
	assert_int_equal(t.last.peers, 15);
	assert_int_equal(t.last.ports, 1);
	assert_non_null(strstr(t.last.reason, "web tried 1 port of 15 addresses within 300 s"));
	signals_free(s);
}

static void slow_or_repeated_is_no_scan(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);

	for (unsigned i = 0; i < 500; i++) /* fourteen within any window */
		feed_new(s, denied(&web, &db, 1 + i, DIRECTION_EGRESS, BEGIN + i * 22 * SECOND));
	for (unsigned i = 0; i < 500; i++)
		feed_new(s, denied(&stranger, &db, 1 + i % 14, DIRECTION_INGRESS,
				   BEGIN + 20000 * SECOND + i));
	for (unsigned i = 0; i < 500; i++)
		feed_new(s, counted_later(denied(&cache, &db, 1 + i, DIRECTION_EGRESS,
						 BEGIN + 30000 * SECOND),
					  2));
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 0);
	signals_free(s);
}

static void samples_of_an_aggregate_count(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN);

	r.aggregated = true;
	r.packets = 5000;
	r.source = r.destination = (struct record_end) { 0 };
	for (int k = 0; k < 2; k++) {
		r.n_samples = RECORD_SAMPLES;
		for (unsigned i = 0; i < RECORD_SAMPLES; i++)
			r.samples[i] = (struct record_sample) { { AF_INET, { 10, 0, 0, 3 } },
								IPPROTO_TCP,
								(uint16_t)(1 + i + 8 * k) };
		feed(s, &r);
	}
	assert_int_equal(t.n, 1);
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 1);
	assert_int_equal(t.last.packets, 10000);
	signals_free(s);
}

/*
 * Sources of a flood push out each other: not one that tried more than they before, and never a
 * container of ours.
 */
static void a_flood_of_sources_hides_no_scanner(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct signals_stats stats;
	unsigned port = 3;

	for (uint32_t i = 0; i < 200000; i++) {
		struct party random = { .addr = { 100, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
						  (uint8_t)i } };

		feed_new(s, denied(&random, &web, 80, DIRECTION_INGRESS, BEGIN + i));
		for (unsigned k = 0; i == 5000 && k < port; k++)
			feed_new(s, denied(&stranger, &web, 1 + k, DIRECTION_INGRESS, BEGIN + i));
		if (i % 10000 != 6000)
			continue;
		feed_new(s, denied(&stranger, &web, 1 + port++, DIRECTION_INGRESS, BEGIN + i));
		feed_new(s, denied(&web, &cache, port, DIRECTION_EGRESS, BEGIN + i));
	}
	assert_int_equal(t.of[SIGNAL_PORT_SCAN], 2);
	signals_stats(s, &stats);
	assert_true(stats.sources_forgotten > 190000);
	/* ten of what came in, and all the same ten of what went out */
	assert_int_equal(stats.pairs, 2 * BH_SIGNAL_TOLD_EACH_MAX);
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], 2 * BH_SIGNAL_TOLD_EACH_MAX);
	signals_free(s);
}

/* --- raw sockets, scopes -------------------------------------------------------------------- */

static void raw_sockets_are_told_once_a_minute(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 80, DIRECTION_EGRESS, BEGIN);

	r.rule_kind = RECORD_RAW_SOCKET;
	r.has_frame = true;
	r.source.addr.family = r.destination.addr.family = 0;
	r.destination.scope[0] = '\0';
	for (int i = 0; i < 50; i++)
		feed(s, &r);
	assert_int_equal(t.n, 1);
	assert_int_equal(t.of[SIGNAL_RAW_SOCKET], 1);
	assert_int_equal(t.last.packets, 1);
	r.last_seen += 60 * SECOND;
	r.packets = 100;
	r.aggregated = true;
	feed(s, &r);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.last.packets, 149);
	assert_non_null(strstr(t.last.reason, "web sent 149 frames that were made by hand"));
	signals_free(s);
}

static void into_a_scope_from_outside(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);

	feed_new(s, denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 1); /* both are in shop */
	assert_string_equal(t.last.scope, "cde");
	assert_string_equal(t.last.reason,
			    "web, which is outside of scope cde, was denied db in it on 1/tcp");
	feed_new(s, denied(&web2, &db, 2, DIRECTION_INGRESS, BEGIN + SECOND)); /* the other end */
	feed_new(s, denied(&db, &web, 3, DIRECTION_EGRESS, BEGIN));
	feed_new(s, denied(&db, &cache, 3, DIRECTION_EGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 2); /* web2 has a memory of its own */
	feed_new(s, denied(&stranger, &db, 3, DIRECTION_INGRESS, BEGIN));
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 4); /* shop and cde */
	feed_new(s, denied(&web, &db, 4, DIRECTION_EGRESS, BEGIN + 2 * SECOND));
	feed_new(s, denied(&web, &db, 4, DIRECTION_EGRESS, BEGIN + 600 * SECOND));
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 5);
	assert_int_equal(t.last.packets, 2);
	assert_non_null(strstr(t.last.reason, "; 2 packets since this was told last"));
	signals_free(s);
}

/* A list that fills its array may end in the middle of a name. */
static void a_scope_that_was_cut_is_none(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&stranger, &web, 1, DIRECTION_INGRESS, BEGIN);
	size_t n = sizeof(r.destination.scope) - 1;

	memset(r.destination.scope, 'x', n);
	memcpy(r.destination.scope, "cde, ", 5);
	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 1);
	assert_string_equal(t.last.scope, "cde");
	r.destination.scope[n - 1] = '\0';
	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], 2);
	signals_free(s);
}

static void scopes_are_bounded(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct signals_stats stats;

	for (uint32_t i = 0; i < 50000; i++) {
		struct party random = { .addr = { 100, 0, (uint8_t)(i >> 8), (uint8_t)i } };

		feed_new(s, denied(&random, &db, 80, DIRECTION_INGRESS, BEGIN + i));
	}
	assert_int_equal(t.of[SIGNAL_INTO_SCOPE], BH_SIGNAL_TOLD_EACH_MAX);
	signals_stats(s, &stats);
	assert_int_equal(stats.kept_back[SIGNAL_INTO_SCOPE], 100000 - BH_SIGNAL_TOLD_EACH_MAX);
	signals_free(s);
}

/* --- bounds --------------------------------------------------------------------------------- */

static struct signals_known known(uint64_t owner, uint64_t pair, int64_t seen)
{
	return (struct signals_known) { .pair = pair, .owner = owner, .seen = seen };
}

static int count(const struct signals_known *k, void *arg)
{
	size_t *of = arg;

	of[k->owner]++;
	return 0;
}

#define LATE 3976 /* of 5000: the others are one owner's room */

static int count_late(const struct signals_known *k, void *arg)
{
	*(size_t *)arg += k->owner == 2 && k->seen >= LATE;
	return 0;
}

static void a_pair_takes_its_owners_room_only(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct signals_stats stats;
	size_t of[256] = { 0 }, late = 0;
	uint64_t mark = 0;

	for (uint64_t i = 0; i < 100; i++) {
		const struct signals_known k = known(1, i, (int64_t)i);

		assert_int_equal(signals_known_add(s, &k), 0);
	}
	for (uint64_t i = 0; i < 5000; i++) {
		const struct signals_known k = known(2, 1000000 + i, (int64_t)(i * 7919 % 5000));

		assert_int_equal(signals_known_add(s, &k), 0);
	}
	signals_known_each(s, &mark, count, of);
	assert_int_equal(of[1], 100);
	assert_int_equal(of[2], BH_SIGNAL_PAIRS_OWNER_MAX);
	mark = 0;
	signals_known_each(s, &mark, count_late, &late);
	assert_in_range(late, BH_SIGNAL_PAIRS_OWNER_MAX - 1, BH_SIGNAL_PAIRS_OWNER_MAX);
	/* over all owners: the richest give */
	for (uint64_t i = 0; i < 255 * 400; i++) {
		const struct signals_known k = known(3 + i % 252, 2000000 + i, (int64_t)i);

		assert_int_equal(signals_known_add(s, &k), 0);
	}
	for (uint64_t i = 0; i < 50; i++) {
		const struct signals_known k = known(255, 3000000 + i, (int64_t)i);

		assert_int_equal(signals_known_add(s, &k), 0);
	}
	memset(of, 0, sizeof(of));
	mark = 0;
	signals_known_each(s, &mark, count, of);
	assert_int_equal(of[1], 100);
	assert_int_equal(of[255], 50);
	signals_stats(s, &stats);
	assert_int_equal(stats.pairs, BH_SIGNAL_PAIRS_MAX);
	assert_int_equal(stats.pairs_forgotten, 100 + 5000 + 255 * 400 + 50 - BH_SIGNAL_PAIRS_MAX);
	signals_free(s);
}

static void endpoints_are_bounded(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct signals_stats stats;

	for (uint32_t i = 0; i < 2 * BH_SIGNAL_ENDPOINTS_MAX; i++) {
		char id[16];
		const struct party p = {
			id, id, NULL, NULL, { 10, 9, (uint8_t)(i >> 8), (uint8_t)i }
		};
		const struct party far = { .addr = { 10, 10, (uint8_t)(i >> 8), (uint8_t)i } };

		snprintf(id, sizeof(id), "e%u", i);
		feed_new(s, denied(&far, &p, 80, DIRECTION_INGRESS, BEGIN + i));
	}
	signals_stats(s, &stats);
	assert_int_equal(t.of[SIGNAL_FIRST_DENIED], BH_SIGNAL_TOLD_MAX);
	assert_in_range(stats.sources_forgotten, BH_SIGNAL_ENDPOINTS_MAX,
			3 * BH_SIGNAL_ENDPOINTS_MAX);
	assert_int_equal(stats.no_memory, 0);
	signals_free(s);
}

static void what_emit_says_comes_back(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 1, DIRECTION_EGRESS, BEGIN);

	t.fails = -EPIPE;
	assert_int_equal(signals_record(s, &r), -EPIPE);
	assert_int_equal(t.n, 1);
	signals_free(s);
	signals_free(NULL);
}

/* Names of containers are hostile, and long ones do not break a sentence. */
static void reasons_are_harmless(void **state)
{
	char evil[RECORD_STR];
	struct party bad = { evil, evil, evil, "\033[2Jx", { 10, 0, 0, 66 } };
	struct told t;
	struct signals *s = fresh(&t);

	memset(evil, '\033', sizeof(evil) - 1);
	evil[sizeof(evil) - 1] = '\0';
	for (unsigned i = 1; i < 200; i++) {
		struct flow_record r =
			denied(i % 2 ? &bad : &stranger, &bad, i,
			       i % 2 ? DIRECTION_EGRESS : DIRECTION_INGRESS, BEGIN + i);

		r.verdict = RECORD_AUDIT;
		r.rule_kind = i % 3 ? RECORD_DEFAULT_DENY : RECORD_RAW_SOCKET;
		feed(s, &r);
		assert_null(strpbrk(t.last.reason, "\033\n"));
		assert_non_null(strstr(t.last.reason, "(audit mode: it passed)"));
	}
	assert_true(t.of[0] && t.of[1] && t.of[2] && t.of[3]);
	signals_free(s);
}

/* Clocks are set, and records of several namespaces come a little late. */
static void time_may_go_back(void **state)
{
	struct told t;
	struct signals *s = fresh(&t);
	struct flow_record r = denied(&web, &db, 80, DIRECTION_EGRESS, BEGIN);

	r.rule_kind = RECORD_RAW_SOCKET;
	feed(s, &r);
	for (int i = 0; i < 100; i++) {
		r.last_seen = BEGIN - (i % 2) * SECOND;
		feed(s, &r);
	}
	assert_int_equal(t.of[SIGNAL_RAW_SOCKET], 1);
	r.last_seen = BEGIN - 86400 * SECOND;
	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_RAW_SOCKET], 2);
	feed(s, &r);
	assert_int_equal(t.of[SIGNAL_RAW_SOCKET], 2);
	signals_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_is_told_once),
		cmocka_unit_test(first_tells_ends_port_and_protocol_apart),
		cmocka_unit_test(first_takes_no_name_for_another),
		cmocka_unit_test(what_belongs_to_a_connection_is_no_attempt),
		cmocka_unit_test(what_is_allowed_or_unknown_gives_none),
		cmocka_unit_test(first_is_bounded_and_not_lost),
		cmocka_unit_test(what_is_kept_back_is_told_with_the_next),
		cmocka_unit_test(known_pairs_outlive_the_process),
		cmocka_unit_test(only_what_is_new_is_kept_again),
		cmocka_unit_test(nonsense_that_was_kept_does_no_harm),
		cmocka_unit_test(digests_mean_nothing_without_the_key),
		cmocka_unit_test(scan_of_ports_is_told_at_the_15th_and_when_it_doubles),
		cmocka_unit_test(scan_that_goes_on_is_told_once_a_window),
		cmocka_unit_test(scan_of_peers_and_of_both_ends_of_ours),
		cmocka_unit_test(slow_or_repeated_is_no_scan),
		cmocka_unit_test(samples_of_an_aggregate_count),
		cmocka_unit_test(a_flood_of_sources_hides_no_scanner),
		cmocka_unit_test(raw_sockets_are_told_once_a_minute),
		cmocka_unit_test(into_a_scope_from_outside),
		cmocka_unit_test(a_scope_that_was_cut_is_none),
		cmocka_unit_test(scopes_are_bounded),
		cmocka_unit_test(a_pair_takes_its_owners_room_only),
		cmocka_unit_test(endpoints_are_bounded),
		cmocka_unit_test(what_emit_says_comes_back),
		cmocka_unit_test(reasons_are_harmless),
		cmocka_unit_test(time_may_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
