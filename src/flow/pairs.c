/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pairs.h"

#include <errno.h>
#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

struct pair {
	struct signals_known known;
	int64_t noted; /* the `seen` that came with the serial */
	uint64_t serial;
	struct pair_owner *owner;
	struct pair *prev, *next; /* of the same owner */
	UT_hash_handle hh;
};

struct pair_owner {
	uint64_t id;
	size_t n;
	struct pair *pairs;
	UT_hash_handle hh;
};

/* --- the tables ----------------------------------------------------------------------------- */

static struct pair *find_pair(const struct pairs *p, uint64_t id)
{
	struct pair *hit;

	HASH_FIND(hh, p->table, &id, sizeof(id), hit);
	return hit;
}

static struct pair_owner *find_owner(const struct pairs *p, uint64_t id)
{
	struct pair_owner *hit;

	HASH_FIND(hh, p->owners, &id, sizeof(id), hit);
	return hit;
}

static bool put_owner(struct pairs *p, struct pair_owner *o)
{
	HASH_ADD(hh, p->owners, id, sizeof(o->id), o);
	return o->hh.tbl;
}

static bool put_pair(struct pairs *p, struct pair *e)
{
	HASH_ADD(hh, p->table, known.pair, sizeof(e->known.pair), e);
	if (!e->hh.tbl)
		return false;
	DL_APPEND(e->owner->pairs, e);
	e->owner->n++;
	p->n++;
	return true;
}

static void drop_owner(struct pairs *p, struct pair_owner *o)
{
	if (o->n)
		return;
	HASH_DEL(p->owners, o);
	free(o);
}

static void drop_pair(struct pairs *p, struct pair *e)
{
	struct pair_owner *o = e->owner;

	HASH_DEL(p->table, e);
	DL_DELETE(o->pairs, e);
	o->n--;
	p->n--;
	free(e);
}

/* --- room ----------------------------------------------------------------------------------- */

static void forget_first_seen(struct pairs *p, struct pair_owner *o)
{
	struct pair *first = o->pairs;

	for (struct pair *e = o->pairs; e; e = e->next)
		if (e->known.seen < first->known.seen)
			first = e;
	drop_pair(p, first);
	p->forgotten++;
}

static struct pair_owner *richest(const struct pairs *p)
{
	struct pair_owner *most = p->owners;

	for (struct pair_owner *o = p->owners; o; o = o->hh.next)
		if (o->n > most->n)
			most = o;
	return most;
}

/* For one more of O. */
static void make_room(struct pairs *p, struct pair_owner *o)
{
	struct pair_owner *rich;

	if (o->n >= BH_SIGNAL_PAIRS_OWNER_MAX)
		forget_first_seen(p, o);
	if (p->n < BH_SIGNAL_PAIRS_MAX)
		return;
	rich = richest(p);
	forget_first_seen(p, rich);
	if (rich != o)
		drop_owner(p, rich);
}

static struct pair_owner *owner_of(struct pairs *p, uint64_t id)
{
	struct pair_owner *o = find_owner(p, id);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->id = id;
	if (put_owner(p, o))
		return o;
	free(o);
	return NULL;
}

/* --- what is asked of it -------------------------------------------------------------------- */

bool pairs_see(struct pairs *p, uint64_t pair, int64_t now)
{
	struct pair *e = find_pair(p, pair);

	if (!e)
		return false;
	e->known.seen = now;
	if (now - e->noted >= BH_SIGNAL_SEEN_S * INT64_C(1000000)) {
		e->noted = now;
		e->serial = ++p->serial;
	}
	return true;
}

int pairs_add(struct pairs *p, const struct signals_known *k)
{
	struct pair *e = find_pair(p, k->pair);
	struct pair_owner *o;

	if (e) {
		o = e->owner;
		drop_pair(p, e);
		drop_owner(p, o);
	}
	o = owner_of(p, k->owner);
	e = calloc(1, sizeof(*e));
	if (o && e) {
		make_room(p, o);
		*e = (struct pair) { .known = *k, .noted = k->seen, .owner = o };
		e->serial = ++p->serial;
		if (put_pair(p, e))
			return 0;
	}
	free(e);
	if (o)
		drop_owner(p, o);
	return -ENOMEM;
}

int pairs_each(const struct pairs *p, uint64_t after,
	       int (*fn)(const struct signals_known *k, void *arg), void *arg)
{
	int r = 0;

	if (p->serial <= after)
		return 0;
	for (struct pair *e = p->table; e && r >= 0; e = e->hh.next)
		if (e->serial > after)
			r = fn(&e->known, arg);
	return r < 0 ? r : 0;
}

void pairs_done(struct pairs *p)
{
	while (p->table) {
		struct pair_owner *o = p->table->owner;

		drop_pair(p, p->table);
		drop_owner(p, o);
	}
}
