/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "past.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

struct past_sum {
	struct flows_account a;
	struct past_sum *next;
};

/* EARLIER: of another run, and not met yet. ENDED: of this one, and not on the disk yet. */
struct past {
	struct past_sum *earlier, *ended;
	size_t n;
};

static void free_all(struct past_sum **all)
{
	while (*all) {
		struct past_sum *first = *all;

		*all = first->next;
		free(first);
	}
}

static int push(struct past *p, struct past_sum **all, const struct flows_account *a)
{
	struct past_sum *s;

	if (p->n >= BH_LOGGER_PAST_MAX)
		return 0; /* it begins anew: the sums of the namespace are those of this run */
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->a = *a;
	s->next = *all;
	*all = s;
	p->n++;
	return 0;
}

static int on_account(const struct flows_account *a, void *arg)
{
	struct past *p = arg;

	return push(p, &p->earlier, a);
}

int past_open(struct logger *l)
{
	struct bh_err err = BH_ERR_INIT;
	int r;

	l->past = calloc(1, sizeof(*l->past));
	if (!l->past)
		return -ENOMEM;
	r = flows_accounts(l->flows, on_account, l->past, &err);
	if (r < 0 && r != -ENOMEM)
		logger_notice(err.msg, l);
	return r == -ENOMEM ? r : 0;
}

void past_close(struct logger *l)
{
	if (!l->past)
		return;
	free_all(&l->past->earlier);
	free_all(&l->past->ended);
	free(l->past);
	l->past = NULL;
}

/* --- meeting ----------------------------------------------------------------------------------- */

static struct past_sum *take_earlier(struct past *p, const struct space *s, enum direction d)
{
	for (struct past_sum **at = &p->earlier; *at; at = &(*at)->next) {
		struct past_sum *hit = *at;

		if (hit->a.netns == s->ino && hit->a.direction == d &&
		    strcmp(hit->a.endpoint, s->who.id) == 0) {
			*at = hit->next;
			p->n--;
			return hit;
		}
	}
	return NULL;
}

static uint64_t total_of(const struct nft_totals *t, enum direction d)
{
	return t->denied[d] + (d == DIRECTION_EGRESS ? t->raw : 0);
}

bool past_meet(struct space *s, const struct nft_totals *totals)
{
	bool met = false;

	for (int d = 0; d < DIRECTIONS; d++) {
		bh_autofree struct past_sum *hit = take_earlier(s->l->past, s, (enum direction)d);

		if (!hit)
			continue;
		s->sums[d] = (struct space_sums) {
			.denied = hit->a.denied,
			.recorded = hit->a.recorded + s->sums[d].recorded,
			.counter = hit->a.counter,
			.allowed_recorded = s->sums[d].allowed_recorded,
		};
		/* a smaller one is of a table that was made since: what it has counted is all new */
		met |= total_of(totals, (enum direction)d) >= hit->a.counter;
	}
	return met;
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
	s->unkept = false;
	for (int d = 0; d < DIRECTIONS; d++) {
		struct flows_account a;

		fill(s, (enum direction)d, &a);
		(void)flows_put_account(s->l->flows, &a);
		if (s->ending)
			(void)push(s->l->past, &s->l->past->ended, &a);
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
	for (struct past_sum *p = l->past->ended; p && !allowed; p = p->next) {
		uint64_t n = rec->packets < p->a.recorded ? rec->packets : p->a.recorded;

		if (!is_of(p->a.endpoint, p->a.direction, rec))
			continue;
		p->a.recorded -= n;
		p->a.not_recorded += n;
		(void)flows_put_account(l->flows, &p->a);
		return;
	}
}

void past_committed(struct logger *l)
{
	while (l->past && l->past->ended) {
		struct past_sum *first = l->past->ended;

		l->past->ended = first->next;
		l->past->n--;
		free(first);
	}
}
