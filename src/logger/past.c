/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#define WAIT_USEC                                                                                  \
	10000000 /* for a history that another logger has still, or that cannot be opened */

struct past_sum {
	struct flows_account a;
	bool fresh; /* of this run, and not on the disk yet: what is lost may be taken back */
	/* of this run: of which namespace it is, and what its table had counted when it was let go of */
	uint64_t cookie, counter;
	struct past_sum *next;
};

/* What nobody goes on from at the moment: of other runs, and of namespaces that were let go of. */
struct past {
	struct past_sum *all;
	size_t n, fresh;
	bool read;     /* of the history; else it is tried again and again, */
	int64_t until; /* and waited for as long as this, by logger_clock() */
};

static void drop_oldest(struct past *p)
{
	struct past_sum **at = &p->all, *last;

	while ((*at)->next)
		at = &(*at)->next;
	last = *at;
	*at = NULL;
	p->n--;
	p->fresh -= last->fresh;
	free(last);
}

static int push(struct past *p, const struct flows_account *a, bool fresh)
{
	struct past_sum *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (p->n >= BH_LOGGER_PAST_MAX)
		drop_oldest(p); /* if it is met again all the same it begins anew */
	s->a = *a;
	s->fresh = fresh;
	s->next = p->all;
	p->all = s;
	p->n++;
	p->fresh += fresh;
	return 0;
}

/* Nobody goes on from A now. The table goes with its namespace: what is met there later counts anew. */
static void let_go(struct past *p, const struct space *s, const struct flows_account *a, bool fresh)
{
	struct flows_account gone = *a;

	gone.counter = INT64_MAX;
	if (push(p, &gone, fresh) < 0)
		return;
	p->all->cookie = s->cookie;
	p->all->counter = a->counter;
}

static int on_account(const struct flows_account *a, void *arg)
{
	return push(arg, a, false);
}

static void forget(struct past *p)
{
	while (p->all) {
		struct past_sum *first = p->all;

		p->all = first->next;
		free(first);
	}
	p->n = p->fresh = 0;
}

static bool is_its_past(const struct space *s, enum direction d, const struct flows_account *a)
{
	return a->netns == s->ino && a->direction == d && strcmp(a->endpoint, s->who.id) == 0;
}

/* Its namespace may not have ended, and was only not listed for a while: then the table stands. */
static struct past_sum *take(struct past *p, const struct space *s, enum direction d)
{
	for (struct past_sum **at = &p->all; *at; at = &(*at)->next) {
		struct past_sum *hit = *at;

		if (is_its_past(s, d, &hit->a)) {
			*at = hit->next;
			p->n--;
			p->fresh -= hit->fresh;
			if (hit->cookie && hit->cookie == s->cookie)
				hit->a.counter = hit->counter;
			return hit;
		}
	}
	return NULL;
}

/*
 * What was counted without knowing the past was counted from the table's first packet on: so much of it
 * as the past has counted in the same table is in it twice.
 */
static void add_earlier(uint64_t *denied, uint64_t *recorded, const struct flows_account *e)
{
	bool same_table = *denied >= e->counter;

	*denied += same_table ? e->denied - (e->counter < e->denied ? e->counter : e->denied)
			      : e->denied;
	*recorded += e->recorded;
}

void past_join(struct space *s)
{
	for (int d = 0; s->looked && d < DIRECTIONS; d++) {
		bh_autofree struct past_sum *hit = take(s->l->past, s, (enum direction)d);

		if (hit)
			add_earlier(&s->sums[d].denied, &s->sums[d].recorded, &hit->a);
		s->unkept = true;
	}
}

static void add_to_spaces(struct logger *l)
{
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next)
		past_join(each);
}

static const struct past_sum *find(const struct past *p, const struct flows_account *a)
{
	for (const struct past_sum *e = p->all; e; e = e->next)
		if (e->a.netns == a->netns && e->a.direction == a->direction &&
		    strcmp(e->a.endpoint, a->endpoint) == 0)
			return e;
	return NULL;
}

/* Of namespaces that ended meanwhile. */
static void add_to_ended(struct logger *l, struct past_sum *ended)
{
	while (ended) {
		bh_autofree struct past_sum *first = ended;
		const struct past_sum *hit = find(l->past, &first->a);
		struct flows_account *a = &first->a;

		ended = first->next;
		if (hit)
			add_earlier(&a->denied, &a->recorded, &hit->a);
		a->not_recorded = a->denied - (a->recorded < a->denied ? a->recorded : a->denied);
		(void)flows_put_account(l->flows, a);
	}
}

static bool read_past(struct logger *l)
{
	struct past *p = l->past;
	struct past_sum *ended = p->all;

	p->all = NULL;
	p->n = p->fresh = 0;
	p->read = flows_accounts(l->flows, on_account, p, NULL) >= 0;
	if (p->read) {
		add_to_spaces(l);
		add_to_ended(l, ended);
		return true;
	}
	forget(p);
	for (; ended; p->n++) { /* as it was */
		struct past_sum *next = ended->next;

		ended->next = p->all;
		p->all = ended;
		p->fresh += ended->fresh;
		ended = next;
	}
	return false;
}

int past_open(struct logger *l)
{
	l->past = calloc(1, sizeof(*l->past));
	if (!l->past)
		return -ENOMEM;
	l->past->until = logger_clock() + WAIT_USEC;
	(void)past_is_known(l);
	return 0;
}

bool past_is_known(struct logger *l)
{
	struct past *p = l->past;

	return p->read || read_past(l) || logger_clock() >= p->until;
}

void past_close(struct logger *l)
{
	if (l->past)
		forget(l->past);
	free(l->past);
	l->past = NULL;
}

/* --- meeting ----------------------------------------------------------------------------------- */

static uint64_t total_of(const struct nft_totals *t, enum direction d)
{
	return t->denied[d] + (d == DIRECTION_EGRESS ? t->raw : 0);
}

bool past_meet(struct space *s, const struct nft_totals *totals)
{
	unsigned met = 0, stands = 0;

	if (!s->l->past->read)
		return true; /* what there is may be in a record already */
	for (int d = 0; d < DIRECTIONS; d++) {
		bh_autofree struct past_sum *hit = take(s->l->past, s, (enum direction)d);

		if (!hit)
			continue;
		s->sums[d] = (struct space_sums) {
			.denied = hit->a.denied,
			.recorded = hit->a.recorded + s->sums[d].recorded,
			.counter = hit->a.counter,
			.allowed_recorded = s->sums[d].allowed_recorded,
		};
		met++;
		/* a smaller one is of a table that was made since: what it has counted is all new */
		stands += total_of(totals, (enum direction)d) >= hit->a.counter;
	}
	return met && stands == met;
}

/* --- keeping ----------------------------------------------------------------------------------- */

static void fill(const struct space *s, enum direction d, struct flows_account *a)
{
	const struct space_sums *sums = &s->sums[d];
	/* A record may be ahead of the reading that has its packet: whoever goes on from here has it. */
	uint64_t ahead = sums->recorded > sums->denied ? sums->recorded - sums->denied : 0;

	*a = (struct flows_account) {
		.netns = s->ino,
		.direction = d,
		.denied = sums->denied + ahead,
		.recorded = sums->recorded,
		.not_recorded = sums->denied + ahead - sums->recorded,
		.counter = sums->counter + ahead,
		.when = logger_now(),
	};
	snprintf(a->endpoint, sizeof(a->endpoint), "%s", s->who.id);
	snprintf(a->name, sizeof(a->name), "%s", s->who.name);
	snprintf(a->service, sizeof(a->service), "%s", s->who.services);
}

void past_keep(struct space *s)
{
	if (!s->looked || !s->who.known || (s->who.unknown && !s->ending))
		return;
	if (!s->l->past->read && !s->ending)
		return; /* they are in addition to those that are there */
	s->unkept = false;
	s->kept = logger_clock();
	for (int d = 0; d < DIRECTIONS; d++) {
		struct flows_account a;

		fill(s, (enum direction)d, &a);
		if (s->ending) {
			let_go(s->l->past, s, &a, true);
			a.counter = INT64_MAX;
		}
		if (s->l->past->read)
			(void)flows_put_account(s->l->flows, &a);
	}
}

void past_part(struct space *s)
{
	past_keep(s);
	for (int d = 0; d < DIRECTIONS; d++) {
		struct flows_account a;

		fill(s, (enum direction)d, &a);
		let_go(s->l->past, s, &a, true);
		s->sums[d].denied = s->sums[d].recorded = 0;
		s->sums[d].counter = a.counter; /* what is ahead of the reading is the other's */
	}
}

static bool is_of(const char *endpoint, enum direction d, const struct flow_record *rec)
{
	return rec->direction == d && strcmp(endpoint, rec->endpoint_id) == 0;
}

void past_unrecord(struct logger *l, const struct flow_record *rec)
{
	bool allowed = rec->verdict == RECORD_ALLOW;
	struct space *each, *next;

	HASH_ITER (hh, l->spaces, each, next) {
		struct space_sums *sums = &each->sums[rec->direction];
		uint64_t *recorded = allowed ? &sums->allowed_recorded : &sums->recorded;

		if (!is_of(each->who.id, rec->direction, rec))
			continue;
		*recorded -= rec->packets < *recorded ? rec->packets : *recorded;
		each->unkept = true;
		return;
	}
	for (struct past_sum *p = l->past->all; p && !allowed; p = p->next) {
		uint64_t n = rec->packets < p->a.recorded ? rec->packets : p->a.recorded;

		if (!p->fresh || !is_of(p->a.endpoint, p->a.direction, rec))
			continue;
		p->a.recorded -= n;
		p->a.not_recorded += n;
		(void)flows_put_account(l->flows, &p->a);
		return;
	}
}

void past_committed(struct logger *l)
{
	struct past_sum *p = l->past && l->past->fresh ? l->past->all : NULL;

	for (; p && l->past->fresh; p = p->next) { /* the youngest come first */
		l->past->fresh -= p->fresh;
		p->fresh = false;
	}
}

void past_keep_all(struct logger *l)
{
	struct space *each, *next;

	if (!l->past->read)
		(void)read_past(l);
	HASH_ITER (hh, l->spaces, each, next)
		if (each->unkept)
			past_keep(each);
}
