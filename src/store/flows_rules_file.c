/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include <bulkhead/base/limits.h>

#include "flows_rulebook.h"

/* The sums of policy rules in the file: written with all else, read once, forgotten when they are old. */

#define USEC        INT64_C(1000000)
#define AGE_USEC    (3600 * USEC)
#define KEPT_USEC   (BH_RULES_KEPT_S * USEC)
#define UNREAD_USEC (BH_RULES_READING_S * USEC)

_Static_assert(BH_RULES_READING_S < BH_RULES_KEPT_S, "no reading is left of a rule that goes");

/* --- in the file ------------------------------------------------------------------------------ */

static int write_rule(struct flows *f, const struct rule_entry *e, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[PUT_RULE];
	const struct flows_rule *rule = &e->row.rule;

	sqlite3_bind_int64(s, 1, e->row.id);
	sqlite3_bind_text(s, 2, rule->name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 3, (int64_t)rule->packets);
	sqlite3_bind_int64(s, 4, (int64_t)rule->bytes);
	sqlite3_bind_int64(s, 5, rule->since);
	sqlite3_bind_int64(s, 6, rule->first_hit);
	sqlite3_bind_int64(s, 7, rule->last_hit);
	sqlite3_bind_int64(s, 8, rule->read);
	sqlite3_bind_int64(s, 9, rule->watched);
	sqlite3_bind_int64(s, 10, e->row.idle_from);
	sqlite3_bind_int64(s, 11, e->row.seen);
	sqlite3_bind_int64(s, 12, (int64_t)rule->probe_packets);
	sqlite3_bind_int64(s, 13, (int64_t)rule->probe_bytes);
	sqlite3_bind_int64(s, 14, rule->last_probe);
	return flows_db_step(s, err);
}

static void bind_space(sqlite3_stmt *s, const struct space_key *key)
{
	sqlite3_bind_int64(s, 1, (int64_t)key->netns);
	sqlite3_bind_int64(s, 2, (int64_t)key->cookie);
}

static int write_reading(struct flows *f, const struct reading_entry *e, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[PUT_READING];

	bind_space(s, &e->key.space);
	sqlite3_bind_int64(s, 3, e->key.rule);
	sqlite3_bind_int64(s, 4, (int64_t)e->packets);
	sqlite3_bind_int64(s, 5, (int64_t)e->bytes);
	sqlite3_bind_int64(s, 6, e->seen);
	sqlite3_bind_int64(s, 7, (int64_t)e->probes);
	return flows_db_step(s, err);
}

static int write_ended(struct flows *f, const struct ended_entry *e, struct bh_err *err)
{
	const struct reading_entry ended = { .key.space = e->key, .seen = e->seen };
	int r;

	bind_space(f->statements[DROP_READINGS], &e->key);
	r = flows_db_step(f->statements[DROP_READINGS], err);
	return r < 0 ? r : write_reading(f, &ended, err);
}

/* What ended comes first: it may be there again, with readings of its own. */
int flows_rules_write(struct flows *f, struct bh_err *err)
{
	struct rule_book *b = f->rules;
	struct reading_entry *r, *next_reading;
	struct ended_entry *g, *next_ended;
	struct rule_entry *e, *next;
	int q = 0;

	if (!b->waiting)
		return 0;
	f->numbers[FLOWS_WATCHED] = b->watched;
	f->numbers[FLOWS_PROBES] = (int64_t)b->probes;
	HASH_ITER (hh, b->ended, g, next_ended)
		if (q >= 0 && g->dirty)
			q = write_ended(f, g, err);
	HASH_ITER (hh, b->rules, e, next)
		if (q >= 0 && e->dirty)
			q = write_rule(f, e, err);
	HASH_ITER (hh, b->readings, r, next_reading)
		if (q >= 0 && r->dirty)
			q = write_reading(f, r, err);
	return q;
}

void flows_rules_written(struct flows *f)
{
	struct rule_book *b = f->rules;
	struct reading_entry *r, *next_reading;
	struct ended_entry *g, *next_ended;
	struct rule_entry *e, *next;

	if (!b->waiting)
		return;
	HASH_ITER (hh, b->ended, g, next_ended)
		g->dirty = false;
	HASH_ITER (hh, b->rules, e, next)
		if (e->dirty) {
			e->written = e->row.rule.watched;
			e->dirty = false;
		}
	HASH_ITER (hh, b->readings, r, next_reading)
		if (r->dirty) {
			r->written = r->seen;
			r->dirty = false;
		}
	b->waiting = 0;
}

/* --- what was there before -------------------------------------------------------------------- */

static int load_rules(struct flows *f, struct bh_err *err)
{
	static const char sql[] = "SELECT " FLOWS_RULE_COLUMNS " FROM rule ORDER BY id LIMIT ?";
	struct rule_book *b = f->rules;
	struct flows_rule_row row;
	struct rule_entry *e;
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(f->db, sql, &s, err);

	if (r >= 0)
		sqlite3_bind_int64(s, 1, BH_RULE_SUMS_MAX);
	while (r >= 0 && (r = flows_db_next(s, err)) > 0) {
		flows_rule_read(s, &row);
		if (sqlite3_errcode(f->db) == SQLITE_NOMEM)
			r = bh_err_oom(err);
		if (r < 0 || !book_is_name(row.rule.name) || row.id <= 0 || row.id == INT64_MAX ||
		    book_find_rule(b, row.rule.name))
			continue;
		e = book_add_rule(b, &row);
		if (!e) {
			r = bh_err_oom(err);
			continue;
		}
		e->written = row.rule.watched;
		b->next_id = row.id >= b->next_id ? row.id + 1 : b->next_id;
	}
	sqlite3_finalize(s);
	return r;
}

static int take_reading(struct flows *f, sqlite3_stmt *s, struct bh_err *err)
{
	const struct reading_key key = {
		.space = { (uint64_t)sqlite3_column_int64(s, 0),
			   (uint64_t)sqlite3_column_int64(s, 1) },
		.rule = sqlite3_column_int64(s, 2),
	};
	int64_t seen = sqlite3_column_int64(s, 5);
	struct reading_entry *e;

	if (!key.rule)
		return book_add_ended(f->rules, &key.space, seen) ? 0 : bh_err_oom(err);
	e = book_add_reading(f->rules, &key);
	if (!e && HASH_COUNT(f->rules->readings) >= f->rules->readings_max)
		return 0; /* no file of ours has so many */
	if (!e)
		return bh_err_oom(err);
	e->packets = (uint64_t)sqlite3_column_int64(s, 3);
	e->bytes = (uint64_t)sqlite3_column_int64(s, 4);
	e->seen = e->written = seen;
	e->probes = (uint64_t)sqlite3_column_int64(s, 6);
	return 0;
}

static int load_readings(struct flows *f, struct bh_err *err)
{
	static const char sql[] = "SELECT netns, cookie, rule, packets, bytes, seen, probes "
				  "FROM reading ORDER BY seen LIMIT ?";
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(f->db, sql, &s, err);

	if (r >= 0)
		sqlite3_bind_int64(s, 1, BH_RULE_READINGS_MAX + 2 * BH_RULE_ENDED_MAX);
	while (r >= 0 && (r = flows_db_next(s, err)) > 0)
		r = take_reading(f, s, err);
	sqlite3_finalize(s);
	return r;
}

/* Whatever there is room for now: what is not known would be counted again. */
static int load_all(struct flows *f, bool same_boot, struct bh_err *err)
{
	struct rule_book *b = f->rules;
	size_t rules_max = b->rules_max, readings_max = b->readings_max;
	int r;

	b->rules_max = BH_RULE_SUMS_MAX;
	b->readings_max = BH_RULE_READINGS_MAX;
	r = load_rules(f, err);
	if (r >= 0)
		r = same_boot ? load_readings(f, err)
			      : flows_db_run(f->db, "DELETE FROM reading", err);
	b->rules_max = rules_max;
	b->readings_max = readings_max;
	return r;
}

/*
 * Once: from then on the memory is right, whatever becomes of the file. Namespaces of an earlier start of
 * the machine are gone, and their numbers are given out again.
 */
int flows_rules_load(struct flows *f, struct bh_err *err)
{
	struct rule_book *b = f->rules;
	bool same = !f->o.boot || f->numbers[FLOWS_BOOT] == f->o.boot;
	int r = 0;

	if (!b->known) {
		r = load_all(f, same, err);
		if (r < 0) {
			book_drop_all(b);
			return r;
		}
		b->watched += f->numbers[FLOWS_WATCHED];
		b->born = (uint64_t)f->numbers[FLOWS_PROBES];
		b->known = true;
	}
	if (f->o.boot)
		f->numbers[FLOWS_BOOT] = f->o.boot;
	return 0;
}

/* --- retention -------------------------------------------------------------------------------- */

static int remove_reading(struct flows *f, struct reading_entry *e, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[DROP_READING];

	bind_space(s, &e->key.space);
	sqlite3_bind_int64(s, 3, e->key.rule);
	return flows_db_step(s, err);
}

static int age_space(struct flows *f, struct space_entry *s, struct bh_err *err)
{
	struct rule_book *b = f->rules;
	struct reading_entry **at = &s->first;
	int r = 0;

	while (r >= 0 && *at) {
		struct reading_entry *e = *at;

		if (e->dirty || b->watched - e->seen < UNREAD_USEC) {
			at = &e->next;
			continue;
		}
		r = remove_reading(f, e, err);
		*at = e->next;
		book_drop_reading(b, e);
	}
	return r;
}

static int age_rule(struct flows *f, struct rule_entry *e, struct bh_err *err)
{
	int r;

	sqlite3_bind_int64(f->statements[DROP_RULE], 1, e->row.id);
	r = flows_db_step(f->statements[DROP_RULE], err);
	book_drop_rule(f->rules, e);
	return r;
}

int flows_rules_age(struct flows *f, struct bh_err *err)
{
	struct rule_book *b = f->rules;
	struct space_entry *s, *next_space;
	struct rule_entry *e, *next;
	int r = 0;

	if (b->watched - b->aged_at < AGE_USEC)
		return 0;
	b->aged_at = b->watched;
	HASH_ITER (hh, b->spaces, s, next_space) {
		if (r >= 0)
			r = age_space(f, s, err);
		if (!s->first)
			book_drop_space(b, s);
	}
	while (b->ended && !b->ended->dirty && b->watched - b->ended->seen >= UNREAD_USEC)
		book_drop_ended(b, b->ended);
	if (r >= 0 && b->ended) {
		sqlite3_bind_int64(f->statements[DROP_ENDED], 1, b->ended->seen);
		r = flows_db_step(f->statements[DROP_ENDED], err);
	}
	HASH_ITER (hh, b->rules, e, next)
		if (r >= 0 && !e->dirty && b->watched - e->row.seen >= KEPT_USEC)
			r = age_rule(f, e, err);
	return r;
}
