/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_rules.h"
#include "flows_writer.h"
#include "flows_hash.h"

/* The sums of each policy rule, and what was read last: in memory as the accounts are. */

#define USEC        INT64_C(1000000)
#define NAME_CHARS  "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define PAGE_BYTES  4096
#define RULE_BYTES  512 /* of one row, with its part of the rest; rules have an eighth of the room */
#define READ_BYTES  64  /* the same of a reading */
#define AGE_USEC    (3600 * USEC)
#define KEPT_USEC   (BH_RULES_KEPT_S * USEC)
#define UNREAD_USEC (BH_RULES_READING_S * USEC)

_Static_assert(BH_RULES_READING_S < BH_RULES_KEPT_S, "no reading is left of a rule that goes");

struct rule_entry {
	UT_hash_handle hh;
	struct flows_rule_row row;
	int64_t written; /* `watched`, as the file has it */
	bool dirty;
};

struct space_key {
	uint64_t netns, cookie;
};

struct reading_key {
	struct space_key space;
	int64_t rule;
};

struct reading_entry {
	UT_hash_handle hh;
	struct reading_key key;
	uint64_t packets, bytes;
	int64_t seen, written;
	bool dirty;
	struct reading_entry *next; /* of the same namespace */
};

struct space_entry {
	UT_hash_handle hh;
	struct space_key key;
	struct reading_entry *first;
};

/*
 * One that ended, or seemed to: if it is met again all the same, what its counters have is counted already.
 * In the file a reading of rule 0.
 */
struct ended_entry {
	UT_hash_handle hh;
	struct space_key key;
	int64_t seen;
	bool dirty; /* its readings are in the file, and this is not */
};

struct rule_book {
	struct rule_entry *rules;
	struct reading_entry *readings;
	struct space_entry *spaces;
	struct ended_entry *ended; /* the oldest first, as a hash hands out what was added */
	size_t rules_max, readings_max;
	int64_t watched, aged_at, next_id;
	size_t waiting; /* entries that are not as the file has them */
	bool known;     /* the file was read, or there was none */
	uint64_t left_out;
};

/* --- in memory -------------------------------------------------------------------------------- */

static size_t room(const struct flows *f, size_t max, size_t bytes)
{
	size_t fits = (size_t)(f->pages_max * PAGE_BYTES / 8) / bytes;

	return fits < max ? fits : max;
}

int flows_rules_open(struct flows *f)
{
	f->rules = calloc(1, sizeof(*f->rules));
	if (!f->rules)
		return -ENOMEM;
	f->rules->next_id = 1;
	f->rules->rules_max = room(f, BH_RULE_SUMS_MAX, RULE_BYTES);
	f->rules->readings_max = room(f, BH_RULE_READINGS_MAX, READ_BYTES);
	return 0;
}

static void drop_reading(struct rule_book *b, struct reading_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->readings, e);
	free(e);
}

/* Its readings are of no use; the entry itself goes. */
static void drop_space(struct rule_book *b, struct space_entry *s)
{
	while (s->first) {
		struct reading_entry *e = s->first;

		s->first = e->next;
		drop_reading(b, e);
	}
	HASH_DEL(b->spaces, s);
	free(s);
}

static void drop_ended(struct rule_book *b, struct ended_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->ended, e);
	free(e);
}

static void drop_rule(struct rule_book *b, struct rule_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->rules, e);
	free(e);
}

static void drop_all(struct rule_book *b)
{
	struct space_entry *s, *next_space;
	struct rule_entry *e, *next;

	HASH_ITER (hh, b->spaces, s, next_space)
		drop_space(b, s);
	HASH_ITER (hh, b->rules, e, next)
		drop_rule(b, e);
	while (b->ended)
		drop_ended(b, b->ended);
}

void flows_rules_free(struct flows *f)
{
	if (f->rules)
		drop_all(f->rules);
	free(f->rules);
	f->rules = NULL;
}

static void mark_rule(struct rule_book *b, struct rule_entry *e)
{
	b->waiting += !e->dirty;
	e->dirty = true;
}

static void mark_reading(struct rule_book *b, struct reading_entry *e)
{
	b->waiting += !e->dirty;
	e->dirty = true;
}

static void mark_ended(struct rule_book *b, struct ended_entry *e)
{
	b->waiting += !e->dirty;
	e->dirty = true;
}

void flows_rules_mark(struct flows *f)
{
	struct rule_book *b = f->rules;
	struct reading_entry *r, *next_reading;
	struct ended_entry *g, *next_ended;
	struct rule_entry *e, *next;

	HASH_ITER (hh, b->rules, e, next)
		mark_rule(b, e);
	HASH_ITER (hh, b->readings, r, next_reading)
		mark_reading(b, r);
	HASH_ITER (hh, b->ended, g, next_ended)
		mark_ended(b, g);
}

bool flows_rules_wait(const struct flows *f)
{
	return f->rules && f->rules->waiting;
}

bool flows_rules_known(const struct flows *f)
{
	return f->rules->known;
}

void flows_rules_watched(struct flows *f, int64_t usec)
{
	if (usec > 0)
		f->rules->watched += usec;
}

static struct rule_entry *find_rule(const struct rule_book *b, const char *name)
{
	struct rule_entry *e;

	HASH_FIND(hh, b->rules, name, strlen(name), e);
	return e;
}

static struct rule_entry *add_rule(struct rule_book *b, const struct flows_rule_row *row)
{
	struct rule_entry *e;

	if (HASH_COUNT(b->rules) >= b->rules_max)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->row = *row;
	HASH_ADD_KEYPTR(hh, b->rules, e->row.rule.name, strlen(e->row.rule.name), e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

static struct space_entry *space_of(struct rule_book *b, const struct space_key *key)
{
	struct space_entry *s;

	HASH_FIND(hh, b->spaces, key, sizeof(*key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = *key;
	HASH_ADD(hh, b->spaces, key, sizeof(s->key), s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

static struct reading_entry *add_reading(struct rule_book *b, const struct reading_key *key)
{
	struct space_entry *s = space_of(b, &key->space);
	struct reading_entry *e;

	if (!s || HASH_COUNT(b->readings) >= b->readings_max)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, b->readings, key, sizeof(e->key), e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	e->next = s->first;
	s->first = e;
	return e;
}

static struct ended_entry *find_ended(const struct rule_book *b, const struct space_key *key)
{
	struct ended_entry *e;

	HASH_FIND(hh, b->ended, key, sizeof(*key), e);
	return e;
}

static struct ended_entry *add_ended(struct rule_book *b, const struct space_key *key, int64_t seen)
{
	struct ended_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->key = *key;
	e->seen = seen;
	HASH_ADD(hh, b->ended, key, sizeof(e->key), e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

/* --- counting --------------------------------------------------------------------------------- */

static bool is_name(const char *s)
{
	size_t len = strlen(s);

	return len && len <= BH_NFT_NAME_MAX && strspn(s, NAME_CHARS) == len;
}

static int no_room(struct flows *f, const char *what)
{
	if (!f->rules->left_out++)
		flows_writer_notice(f,
				    "%s are left out of the sums of policy rules: there is no room "
				    "for more",
				    what);
	return -ENOBUFS;
}

/* What is in no namespace for a while is a service that rests; for long, a rule that was taken away. */
static void watch(struct rule_book *b, struct rule_entry *e)
{
	int64_t since = b->watched - e->row.seen;

	if (since > 0 && since <= BH_RULES_ABSENT_S * USEC)
		e->row.rule.watched += since;
	e->row.seen = b->watched;
}

static uint64_t growth(uint64_t last, uint64_t now)
{
	return now >= last ? now - last : now; /* smaller: the table was made anew */
}

static void count(struct rule_book *b, struct rule_entry *e, uint64_t packets, uint64_t bytes,
		  int64_t now)
{
	struct flows_rule *rule = &e->row.rule;

	watch(b, e);
	rule->read = now;
	if (packets) {
		rule->packets += packets;
		rule->bytes += bytes;
		rule->first_hit = rule->first_hit ? rule->first_hit : now;
		rule->last_hit = now;
		e->row.idle_from = rule->watched;
	}
	if (packets || rule->watched - e->written >= BH_RULES_WRITE_S * USEC)
		mark_rule(b, e);
}

static struct rule_entry *rule_of(struct flows *f, const char *name, int64_t now)
{
	struct rule_book *b = f->rules;
	struct rule_entry *e = find_rule(b, name);
	struct flows_rule_row row = {
		.id = b->next_id,
		.rule.since = now,
		.rule.read = now,
		.seen = b->watched,
	};

	if (e)
		return e;
	memcpy(row.rule.name, name, strlen(name) + 1);
	e = add_rule(b, &row);
	if (!e)
		return NULL;
	b->next_id++;
	mark_rule(b, e);
	return e;
}

static struct reading_entry *first_reading(struct rule_book *b, const struct reading_key *key,
					   const struct flows_rule_reading *r)
{
	struct reading_entry *e = add_reading(b, key);

	if (e)
		mark_reading(b, e);
	if (e && find_ended(b, &key->space)) {
		e->packets = r->packets;
		e->bytes = r->bytes;
	}
	return e;
}

int flows_put_rule(struct flows *f, const struct flows_rule_reading *r, int64_t now)
{
	struct rule_book *b = f->rules;
	struct reading_key key = { .space = { r->netns, r->cookie } };
	struct reading_entry *last;
	struct rule_entry *e;

	if (!b->known)
		return -EAGAIN;
	if (!is_name(r->rule))
		return -EINVAL;
	e = rule_of(f, r->rule, now);
	if (!e)
		return no_room(f, "policy rules");
	key.rule = e->row.id;
	HASH_FIND(hh, b->readings, &key, sizeof(key), last);
	if (!last)
		last = first_reading(b, &key, r);
	if (!last) /* not counted at all: it would be counted again at each look */
		return no_room(f, "counters of containers");
	count(b, e, growth(last->packets, r->packets), growth(last->bytes, r->bytes), now);
	last->seen = b->watched;
	if (last->packets != r->packets || last->seen - last->written >= UNREAD_USEC / 4)
		mark_reading(b, last);
	last->packets = r->packets;
	last->bytes = r->bytes;
	return 0;
}

void flows_rules_forget(struct flows *f, uint64_t netns, uint64_t cookie)
{
	struct rule_book *b = f->rules;
	const struct space_key key = { netns, cookie };
	struct ended_entry *e = find_ended(b, &key);
	struct space_entry *s;

	HASH_FIND(hh, b->spaces, &key, sizeof(key), s);
	if (!s)
		return; /* nothing was read of it */
	if (e)
		drop_ended(b, e); /* it is the youngest now */
	e = add_ended(b, &key, b->watched);
	if (!e)
		return; /* its readings stay until they are too old */
	drop_space(b, s);
	mark_ended(b, e);
	if (HASH_COUNT(b->ended) > BH_RULE_ENDED_MAX && !b->ended->dirty)
		drop_ended(b, b->ended);
}

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
		if (r < 0 || !is_name(row.rule.name) || row.id <= 0 || row.id == INT64_MAX ||
		    find_rule(b, row.rule.name))
			continue;
		e = add_rule(b, &row);
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
		return add_ended(f->rules, &key.space, seen) ? 0 : bh_err_oom(err);
	e = add_reading(f->rules, &key);
	if (!e && HASH_COUNT(f->rules->readings) >= f->rules->readings_max)
		return 0; /* no file of ours has so many */
	if (!e)
		return bh_err_oom(err);
	e->packets = (uint64_t)sqlite3_column_int64(s, 3);
	e->bytes = (uint64_t)sqlite3_column_int64(s, 4);
	e->seen = e->written = seen;
	return 0;
}

static int load_readings(struct flows *f, struct bh_err *err)
{
	static const char sql[] = "SELECT netns, cookie, rule, packets, bytes, seen FROM reading "
				  "ORDER BY seen LIMIT ?";
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
			drop_all(b);
			return r;
		}
		b->watched += f->numbers[FLOWS_WATCHED];
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
		drop_reading(b, e);
	}
	return r;
}

static int age_rule(struct flows *f, struct rule_entry *e, struct bh_err *err)
{
	int r;

	sqlite3_bind_int64(f->statements[DROP_RULE], 1, e->row.id);
	r = flows_db_step(f->statements[DROP_RULE], err);
	drop_rule(f->rules, e);
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
			drop_space(b, s);
	}
	while (b->ended && !b->ended->dirty && b->watched - b->ended->seen >= UNREAD_USEC)
		drop_ended(b, b->ended);
	if (r >= 0 && b->ended) {
		sqlite3_bind_int64(f->statements[DROP_ENDED], 1, b->ended->seen);
		r = flows_db_step(f->statements[DROP_ENDED], err);
	}
	HASH_ITER (hh, b->rules, e, next)
		if (r >= 0 && !e->dirty && b->watched - e->row.seen >= KEPT_USEC)
			r = age_rule(f, e, err);
	return r;
}
