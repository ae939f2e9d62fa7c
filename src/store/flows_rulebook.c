/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_rulebook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define PAGE_BYTES 4096
#define RULE_BYTES 512 /* of one row, with its part of the rest; rules have an eighth of the room */
#define READ_BYTES 64  /* the same of a reading */

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

void book_drop_reading(struct rule_book *b, struct reading_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->readings, e);
	free(e);
}

/* Its readings are of no use; the entry itself goes. */
void book_drop_space(struct rule_book *b, struct space_entry *s)
{
	while (s->first) {
		struct reading_entry *e = s->first;

		s->first = e->next;
		book_drop_reading(b, e);
	}
	HASH_DEL(b->spaces, s);
	free(s);
}

void book_drop_ended(struct rule_book *b, struct ended_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->ended, e);
	free(e);
}

void book_drop_rule(struct rule_book *b, struct rule_entry *e)
{
	b->waiting -= e->dirty;
	HASH_DEL(b->rules, e);
	free(e);
}

void book_drop_all(struct rule_book *b)
{
	struct space_entry *s, *next_space;
	struct rule_entry *e, *next;

	HASH_ITER (hh, b->spaces, s, next_space)
		book_drop_space(b, s);
	HASH_ITER (hh, b->rules, e, next)
		book_drop_rule(b, e);
	while (b->ended)
		book_drop_ended(b, b->ended);
}

void flows_rules_free(struct flows *f)
{
	if (f->rules)
		book_drop_all(f->rules);
	free(f->rules);
	f->rules = NULL;
}

void book_mark_rule(struct rule_book *b, struct rule_entry *e)
{
	b->waiting += !e->dirty;
	e->dirty = true;
}

void book_mark_reading(struct rule_book *b, struct reading_entry *e)
{
	b->waiting += !e->dirty;
	e->dirty = true;
}

void book_mark_ended(struct rule_book *b, struct ended_entry *e)
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
		book_mark_rule(b, e);
	HASH_ITER (hh, b->readings, r, next_reading)
		book_mark_reading(b, r);
	HASH_ITER (hh, b->ended, g, next_ended)
		book_mark_ended(b, g);
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

void flows_rules_probes(struct flows *f, uint64_t mark)
{
	f->rules->probes = mark;
}

uint64_t flows_rules_probes_before(const struct flows *f)
{
	return f->rules->born;
}

bool book_is_name(const char *s)
{
	size_t len = strlen(s);

	return len && len <= BH_NFT_NAME_MAX && strspn(s, NAME_CHARS) == len;
}

struct rule_entry *book_find_rule(const struct rule_book *b, const char *name)
{
	struct rule_entry *e;

	HASH_FIND(hh, b->rules, name, strlen(name), e);
	return e;
}

struct rule_entry *book_add_rule(struct rule_book *b, const struct flows_rule_row *row)
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

struct reading_entry *book_add_reading(struct rule_book *b, const struct reading_key *key)
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

struct ended_entry *book_find_ended(const struct rule_book *b, const struct space_key *key)
{
	struct ended_entry *e;

	HASH_FIND(hh, b->ended, key, sizeof(*key), e);
	return e;
}

struct ended_entry *book_add_ended(struct rule_book *b, const struct space_key *key, int64_t seen)
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
