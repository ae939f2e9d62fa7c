/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watched.h"

#include <stdlib.h>

#include <utlist.h>

#define GUESTS_SURE 4 /* at each endpoint, though the room of all be used up */
#define FIRST_INTO  4

/* --- the tables ----------------------------------------------------------------------------- */

static struct watched *find(const struct watchlist *l, uint64_t id)
{
	struct watched *hit;

	HASH_FIND(hh, l->table, &id, sizeof(id), hit);
	return hit;
}

static bool put(struct watchlist *l, struct watched *w)
{
	HASH_ADD(hh, l->table, id, sizeof(w->id), w);
	if (!w->hh.tbl)
		return false;
	DL_APPEND(l->by_use, w);
	l->n++;
	return true;
}

static struct source *find_source(const struct watchlist *l, uint64_t id)
{
	struct source *hit;

	HASH_FIND(hh, l->afar, &id, sizeof(id), hit);
	return hit;
}

static bool put_source(struct watchlist *l, struct watched *at, struct source *s)
{
	HASH_ADD(hh, l->afar, id, sizeof(s->id), s);
	if (!s->hh.tbl)
		return false;
	s->host = at;
	DL_APPEND(at->guests, s);
	at->n_guests++;
	l->n_afar++;
	return true;
}

static void source_done(struct source *s)
{
	distinct_done(&s->ports);
	distinct_done(&s->peers);
}

static void drop_source(struct watchlist *l, struct source *s)
{
	HASH_DEL(l->afar, s);
	DL_DELETE(s->host->guests, s);
	s->host->n_guests--;
	l->n_afar--;
	source_done(s);
	free(s);
}

static void drop(struct watchlist *l, struct watched *w)
{
	while (w->guests)
		drop_source(l, w->guests);
	source_done(&w->own);
	free(w->into);
	HASH_DEL(l->table, w);
	DL_DELETE(l->by_use, w);
	l->n--;
	free(w);
}

void watchlist_done(struct watchlist *l)
{
	while (l->by_use)
		drop(l, l->by_use);
}

/* --- endpoints ------------------------------------------------------------------------------ */

static struct watched *add(struct watchlist *l, uint64_t id)
{
	struct watched *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->id = id;
	if (put(l, w))
		return w;
	free(w);
	return NULL;
}

struct watched *watchlist_get(struct watchlist *l, uint64_t id)
{
	struct watched *w = find(l, id);

	if (w) {
		DL_DELETE(l->by_use, w);
		DL_APPEND(l->by_use, w);
		return w;
	}
	if (l->n >= BH_SIGNAL_ENDPOINTS_MAX) {
		drop(l, l->by_use);
		l->forgotten++;
	}
	return add(l, id);
}

/* --- sources from afar ---------------------------------------------------------------------- */

static uint32_t weight(const struct source *s, uint32_t now)
{
	return now - s->last < BH_SIGNAL_SCAN_S ? s->ports.n + s->peers.n : 0;
}

/* Of those that tried least, the one that was seen first. */
static void forget_least(struct watchlist *l, struct watched *w, uint32_t now)
{
	struct source *least = w->guests;

	for (struct source *s = w->guests; s; s = s->next)
		if (weight(s, now) < weight(least, now))
			least = s;
	drop_source(l, least);
	l->forgotten++;
}

static struct watched *fullest(const struct watchlist *l)
{
	struct watched *most = l->by_use;

	for (struct watched *w = l->by_use; w; w = w->next)
		if (w->n_guests > most->n_guests)
			most = w;
	return most;
}

static void make_room(struct watchlist *l, struct watched *at, uint32_t now)
{
	if (at->n_guests >= BH_SIGNAL_SOURCES_EACH_MAX)
		forget_least(l, at, now);
	else if (l->n_afar >= BH_SIGNAL_SOURCES_MAX)
		forget_least(l, at->n_guests < GUESTS_SURE ? fullest(l) : at, now);
}

struct source *watchlist_source(struct watchlist *l, struct watched *at, uint64_t id, uint32_t now)
{
	struct source *s = find_source(l, id);

	if (s)
		return s;
	make_room(l, at, now);
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->id = id;
	if (put_source(l, at, s))
		return s;
	free(s);
	return NULL;
}

/* --- what is told now and again ------------------------------------------------------------- */

static bool grow_into(struct watched *w)
{
	size_t cap = w->cap_into ? 2 * w->cap_into : FIRST_INTO;
	struct repeated *into = realloc(w->into, cap * sizeof(*into));

	if (!into)
		return false;
	w->into = into;
	w->cap_into = cap;
	return true;
}

static struct repeated *take_place(struct repeated *e, uint64_t id)
{
	*e = (struct repeated) { .id = id };
	return e;
}

struct repeated *watched_into(struct watched *w, uint64_t id, int64_t before, bool *ret_full)
{
	struct repeated *old = NULL;

	*ret_full = false;
	for (size_t i = 0; i < w->n_into; i++) {
		if (w->into[i].id == id)
			return &w->into[i];
		if (w->into[i].told < before)
			old = &w->into[i];
	}
	if (w->n_into < BH_SIGNAL_ENTRIES_EACH_MAX) {
		if (w->n_into == w->cap_into && !grow_into(w))
			return NULL;
		return take_place(&w->into[w->n_into++], id);
	}
	*ret_full = !old;
	return old ? take_place(old, id) : NULL;
}
