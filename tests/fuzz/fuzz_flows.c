/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include <bulkhead/store/rules.h>

#include "../../src/store/flows_reader.h"

/*
 * Somebody else's history of flows, as bytes of the database. Beyond not crashing: every record that
 * comes out of it can be printed; what a terminal gets is harmless; pages of a few and all at once are the
 * same records; groups add up to them.
 */

#define STEPS_MAX 2000000 /* of SQLite's machine: a file may be made to have no end */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static int steps;

static int on_progress(void *arg)
{
	return ++steps > STEPS_MAX / 1000;
}

/* In memory, and so not in WAL mode, whatever the file says. */
static sqlite3 *open_bytes(const uint8_t *data, size_t size)
{
	unsigned char *copy = sqlite3_malloc64(size ? size : 1);
	sqlite3 *db = NULL;

	must(copy && sqlite3_open(":memory:", &db) == SQLITE_OK);
	memcpy(copy, data, size);
	if (size > 20)
		copy[18] = copy[19] = 1;
	must(sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
				 SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) ==
	     SQLITE_OK);
	sqlite3_progress_handler(db, 1000, on_progress, NULL);
	return db;
}

static void must_be_tame(const struct bh_buf *line)
{
	struct bh_buf b;

	bh_buf_init(&b, 1 << 20);
	bh_tame(&b, bh_buf_str(line), line->len - 1); /* but for the newline */
	must(b.len == line->len - 1 && memcmp(bh_buf_str(&b), bh_buf_str(line), b.len) == 0);
	bh_buf_done(&b);
}

struct seen {
	uint64_t n, packets;
	struct bh_buf line;
};

static int on_record(const struct flow_record *rec, void *arg)
{
	struct seen *s = arg;

	must(rec->verdict <= RECORD_ALLOW && rec->rule_kind < RECORD_RULE_KINDS);
	must(rec->n_samples <= RECORD_SAMPLES && rec->packet.len <= sizeof(rec->packet.bytes));
	bh_buf_reset(&s->line);
	must(flow_record_json(rec, &s->line) == 0);
	bh_buf_reset(&s->line);
	must(flow_record_text(rec, &s->line, false) == 0);
	must_be_tame(&s->line);
	s->n++;
	s->packets += rec->packets;
	return 0;
}

static int on_signal(const struct flow_signal *g, void *arg)
{
	struct seen *s = arg;

	bh_buf_reset(&s->line);
	must(flow_signal_json(g, &s->line) == 0);
	bh_buf_reset(&s->line);
	must(flow_signal_text(g, &s->line, false) == 0);
	must_be_tame(&s->line);
	return 0;
}

static int on_group(const struct flows_group *g, void *arg)
{
	struct seen *s = arg;

	must(g->records > 0);
	s->n += g->records;
	s->packets += g->packets;
	for (int i = 0; i < 3; i++)
		must(strlen(g->values[i]) <= 1024);
	return 0;
}

static int on_rule(const struct flows_rule *rule, void *arg)
{
	must(rule->idle <= rule->watched && rule->idle >= 0);
	must(strlen(rule->name) < sizeof(rule->name));
	return 0;
}

static int on_account(const struct flows_account *a, void *arg)
{
	must(strlen(a->endpoint) < RECORD_STR && a->direction < DIRECTIONS);
	return 0;
}

/* All pages, as long as they go on. */
static void by_pages(struct flows_reader *r, struct seen *s)
{
	const struct flows_filter all = { 0 };
	struct flows_order o = { .limit = 3 };
	bool more = true;

	while (more && flows_query(r, &all, &o, on_record, s, &o.after, &more, NULL) >= 0)
		;
}

static void ask(struct flows_reader *r, struct seen *once, struct seen *other)
{
	static const struct flows_peer peer = { .word = "ledger" };
	const struct flows_filter all = { 0 }, some = { .peers = &peer,
							.n_peers = 1,
							.since = INT64_C(1800000001) * 1000000 };
	const struct flows_order time = { 0 }, most = { .sort = FLOWS_BY_PACKETS, .reverse = true };
	uint64_t packets[10] = { 0 };
	struct flows_timeline t = { .n = 10, .packets = packets };
	struct flows_totals totals;
	struct flows_state state;

	if (flows_query(r, &all, &time, on_record, once, NULL, NULL, NULL) >= 0 && once->n < 100)
		by_pages(r, other);
	flows_query(r, &some, &most, on_record, other, NULL, NULL, NULL);
	flows_query_signals(r, &all, &time, on_signal, once, NULL, NULL, NULL);
	for (enum flows_field f = 0; f + 2 < FLOWS_FIELDS; f++) {
		const enum flows_field by[] = { f, f + 1, f + 2 };

		other->n = other->packets = 0;
		if (flows_group(r, &all, by, 3, &most, on_group, other, &t, &totals, NULL) < 0)
			continue;
		must(other->n == totals.records && other->packets == totals.packets);
	}
	flows_sums(r, on_account, NULL, NULL);
	flows_rules(r, on_rule, NULL, NULL);
	flows_summary(r, &state, NULL);
	flows_follow(r, &some, on_record, on_signal, other, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct flows_reader *r = calloc(1, sizeof(*r));
	struct seen once = { 0 }, other = { 0 };

	must(r != NULL);
	steps = 0;
	r->dir = -1;
	r->db = open_bytes(data, size);
	bh_buf_init(&once.line, 1 << 20);
	bh_buf_init(&other.line, 1 << 20);
	if (flows_db_harden(r->db, true, NULL) >= 0 && flows_reader_prepare(r, NULL) >= 0)
		ask(r, &once, &other);
	flows_reader_close(r);
	bh_buf_done(&once.line);
	bh_buf_done(&other.line);
	return 0;
}
