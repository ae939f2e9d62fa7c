/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Who is who, from who was who: what is the same of an endpoint is taken over under its new index,
 * which keeps every order there is.
 */

/* --- services and labels ---------------------------------------------------------------------- */

static int select_touched(struct compile_state *st, const struct delta *d, uint32_t i,
			  uint32_t *scratch, struct selection_list *ret)
{
	const struct policy_set *p = st->in.policies;
	const struct endpoint *e = &st->in.endpoints->endpoints[i];
	size_t n = 0;

	for (uint32_t k = 0; k < p->n_services; k++)
		if (select_matches(&p->services[k].select, st->in.endpoints, e,
				   st->host.image_labels))
			scratch[n++] = k;
	ret->i = bh_arena_memdup(st->next.arena, scratch, n * sizeof(*scratch));
	ret->n = n;
	return ret->i ? 0 : -ENOMEM;
}

static int copy_list(struct bh_arena *arena, const struct selection_list *l,
		     struct selection_list *ret)
{
	ret->i = bh_arena_memdup(arena, l->i, l->n * sizeof(*l->i));
	ret->n = l->n;
	return ret->i ? 0 : -ENOMEM;
}

/* The endpoints of each service, from the services of each endpoint. */
static int invert(struct compile_state *st)
{
	struct selection *s = &st->next.selection;
	size_t n = st->in.policies->n_services;

	for (size_t i = 0; i < st->in.endpoints->n; i++)
		for (size_t k = 0; k < s->services_of[i].n; k++)
			s->endpoints_of[s->services_of[i].i[k]].n++;
	for (size_t k = 0; k < n; k++) {
		s->endpoints_of[k].i =
			bh_arena_array(st->next.arena, s->endpoints_of[k].n + 1, sizeof(uint32_t));
		if (!s->endpoints_of[k].i)
			return -ENOMEM;
		s->endpoints_of[k].n = 0;
	}
	for (uint32_t i = 0; i < st->in.endpoints->n; i++)
		for (size_t k = 0; k < s->services_of[i].n; k++) {
			struct selection_list *l = &s->endpoints_of[s->services_of[i].i[k]];

			((uint32_t *)l->i)[l->n++] = i;
		}
	return 0;
}

static int select_many(struct compile_state *st)
{
	struct selection *all, *s = &st->next.selection;
	int r = selection_new(st->in.policies, st->in.endpoints, st->host.image_labels, &all, NULL);

	for (size_t i = 0; r >= 0 && i < st->in.endpoints->n; i++)
		r = copy_list(st->next.arena, &all->services_of[i], &s->services_of[i]);
	if (r >= 0)
		selection_free(all);
	return r;
}

static int select_few(struct compile_state *st, const struct delta *d)
{
	struct selection *s = &st->next.selection;
	uint32_t *scratch =
		bh_arena_array(st->scratch, st->in.policies->n_services + 1, sizeof(*scratch));
	int r = scratch ? 0 : -ENOMEM;

	for (uint32_t i = 0; r >= 0 && i < st->in.endpoints->n; i++)
		r = d->touched[i] ? select_touched(st, d, i, scratch, &s->services_of[i])
				  : copy_list(st->next.arena,
					      &st->now.selection.services_of[d->old_of[i]],
					      &s->services_of[i]);
	return r;
}

static int update_selection(struct compile_state *st, const struct delta *d)
{
	struct epoch *e = &st->next;
	int r;

	e->selection.arena = e->arena;
	e->selection.services_of =
		bh_arena_array(e->arena, st->in.endpoints->n + 1, sizeof(struct selection_list));
	e->selection.endpoints_of = bh_arena_array(e->arena, st->in.policies->n_services + 1,
						   sizeof(struct selection_list));
	if (!e->selection.services_of || !e->selection.endpoints_of)
		return -ENOMEM;
	r = d->many ? select_many(st) : select_few(st, d);
	return r < 0 ? r : invert(st);
}

static bool has_set(const struct compile_state *st, uint32_t i, const struct label_set *s)
{
	return label_set_has(&st->c.resolver, s, i);
}

/* Those that had the labels and are the same, and of the touched those that have them now. */
static int update_set(struct compile_state *st, const struct delta *d, size_t set)
{
	const struct selection_list *before = st->now.with ? &st->now.with[set] : NULL;
	struct label_set *s = &st->label_sets.sets[set];
	size_t n_before = before ? before->n : 0, k = 0, n = 0;
	uint32_t *v = bh_arena_array(st->next.arena, n_before + d->n + 1, sizeof(*v));
	bool *touched = &st->touched[state_list_of_set(st, set)];

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n_before; i++) {
		uint32_t at = d->new_of[before->i[i]];

		if (d->gone[before->i[i]]) {
			*touched = true;
			continue;
		}
		for (; k < d->n && d->list[k] < at; k++)
			if (has_set(st, d->list[k], s))
				v[n++] = d->list[k];
		v[n++] = at;
	}
	for (; k < d->n; k++)
		if (has_set(st, d->list[k], s))
			v[n++] = d->list[k];
	for (size_t i = 0; i < n && !*touched; i++)
		*touched = d->touched[v[i]];
	s->members = v;
	s->n_members = n;
	st->next.with[set] = (struct selection_list) { v, n };
	return 0;
}

/* From the index, as there are so many. */
static int build_set(struct compile_state *st, const struct term_index *x, size_t set)
{
	struct label_set *s = &st->label_sets.sets[set];
	size_t n = st->in.endpoints->n, count = 0;
	const struct term *t = label_set_candidates(s, x, &n);
	uint32_t *v = bh_arena_array(st->next.arena, n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t e = t ? t[i].endpoint : (uint32_t)i;

		if (!(count && v[count - 1] == e) && has_set(st, e, s))
			v[count++] = e;
	}
	s->members = v;
	s->n_members = count;
	st->next.with[set] = (struct selection_list) { v, count };
	st->touched[state_list_of_set(st, set)] = true;
	return 0;
}

static int update_sets(struct compile_state *st, const struct delta *d)
{
	struct term_index x = { 0 };
	int r = 0;

	st->next.with =
		bh_arena_array(st->next.arena, st->label_sets.n + 1, sizeof(*st->next.with));
	if (!st->next.with)
		return -ENOMEM;
	if (d->many)
		r = term_index_build(st->scratch, st->in.endpoints, st->host.image_labels, &x);
	for (size_t set = 0; r >= 0 && set < st->label_sets.n; set++)
		r = d->many ? build_set(st, &x, set) : update_set(st, d, set);
	return r;
}

static int update_guardrails(struct compile_state *st, const struct delta *d)
{
	const struct policy_set *p = st->in.policies;
	size_t n = st->in.endpoints->n;
	struct epoch *e = &st->next;

	e->selects = bh_arena_array(e->arena, p->n_guardrails + 1, sizeof(*e->selects));
	for (size_t k = 0; e->selects && k < p->n_guardrails; k++) {
		bool *v = bh_arena_array(e->arena, n + 1, sizeof(*v));

		if (!v)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			v[i] = d->touched[i] ? guard_selects(&st->c.resolver, &p->guardrails[k], i)
					     : st->now.selects[k][d->old_of[i]];
		e->selects[k] = v;
		st->c.guards.g[k].selects = v;
	}
	return e->selects ? 0 : -ENOMEM;
}

/* --- places and addresses --------------------------------------------------------------------- */

static int update_places(struct compile_state *st, const struct delta *d)
{
	struct epoch *e = &st->next;
	size_t n_before = st->now.endpoints ? st->now.endpoints->n : 0, n = 0, k = 0;
	struct place *fresh = bh_arena_array(st->scratch, d->n + 1, sizeof(*fresh));
	uint32_t *of = bh_arena_array(e->arena, st->in.endpoints->n + 1, sizeof(*of));

	e->places = bh_arena_array(e->arena, st->in.endpoints->n + 1, sizeof(*e->places));
	if (!fresh || !e->places || !of)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++)
		fresh[i] = place_of(st->in.endpoints, d->list[i]);
	qsort(fresh, d->n, sizeof(*fresh), place_cmp_endpoint);
	for (size_t i = 0; i < n_before; i++) {
		uint32_t was = st->now.places[i].endpoint;
		struct place p;

		if (d->gone[was])
			continue;
		p = place_of(st->in.endpoints, d->new_of[was]);
		while (k < d->n && place_cmp_endpoint(&fresh[k], &p) < 0)
			e->places[n++] = fresh[k++];
		e->places[n++] = p;
	}
	while (k < d->n)
		e->places[n++] = fresh[k++];
	claims_namespaces(e->places, n, of);
	e->claims.namespace_of = of;
	return 0;
}

static size_t count_addrs(const struct compile_state *st, const struct delta *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += st->in.endpoints->endpoints[d->list[i]].n_addrs;
	return n;
}

static int fresh_addrs(struct compile_state *st, const struct delta *d, size_t n,
		       struct claim **ret)
{
	struct claim *c = bh_arena_array(st->scratch, n + 1, sizeof(*c));
	size_t at = 0;

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct endpoint *e = &st->in.endpoints->endpoints[d->list[i]];

		for (size_t k = 0; k < e->n_addrs; k++)
			c[at++] = (struct claim) { e->addrs[k], d->list[i] };
	}
	qsort(c, n, sizeof(*c), claim_cmp);
	*ret = c;
	return 0;
}

static int update_addrs(struct compile_state *st, const struct delta *d)
{
	struct epoch *e = &st->next;
	size_t n_fresh = count_addrs(st, d), k = 0, n = 0;
	struct claim *fresh;
	int r = fresh_addrs(st, d, n_fresh, &fresh);

	e->addrs = bh_arena_array(e->arena, st->now.n_addrs + n_fresh + 1, sizeof(*e->addrs));
	if (r < 0 || !e->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < st->now.n_addrs; i++) {
		struct claim c = st->now.addrs[i];

		if (d->gone[c.endpoint])
			continue;
		c.endpoint = d->new_of[c.endpoint];
		while (k < n_fresh && claim_cmp(&fresh[k], &c) < 0)
			e->addrs[n++] = fresh[k++];
		e->addrs[n++] = c;
	}
	while (k < n_fresh)
		e->addrs[n++] = fresh[k++];
	e->n_addrs = n;
	return 0;
}

static int pick_claims(struct compile_state *st)
{
	struct epoch *e = &st->next;
	struct claim *c = bh_arena_array(e->arena, e->n_addrs + 1, sizeof(*c));
	size_t n = 0;

	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_addrs; i++)
		if (claims_name_somebody(&e->addrs[i].addr))
			c[n++] = e->addrs[i];
	e->claims.c = c;
	e->claims.n = n;
	return claims_take_host(e->arena, st->in.endpoints, &e->claims);
}

/* --- whose lists are touched ------------------------------------------------------------------ */

static void touch_of(struct compile_state *st, const struct selection_list *services,
		     const struct endpoint *e)
{
	for (size_t k = 0; k < services->n; k++)
		st->touched[services->i[k]] = true;
	if (services->n && e->obstacle != ENDPOINT_HOST_NETWORK)
		st->touched[state_list_more(st, LIST_MANAGED)] = true;
}

/* Label sets see to themselves. */
static void touch_lists(struct compile_state *st, const struct delta *d)
{
	for (size_t i = 0; i < d->n; i++)
		touch_of(st, &st->next.selection.services_of[d->list[i]],
			 &st->in.endpoints->endpoints[d->list[i]]);
	for (size_t i = 0; d->n_gone && i < st->now.endpoints->n; i++)
		if (d->gone[i])
			touch_of(st, &st->now.selection.services_of[i],
				 &st->now.endpoints->endpoints[i]);
}

int epoch_make(struct compile_state *st, const struct delta *d, struct bh_err *err)
{
	int r;

	st->next = (struct epoch) { .arena = bh_arena_new(), .endpoints = st->in.endpoints };
	follow_init(&st->next.hits);
	if (!st->next.arena)
		return bh_err_oom(err);
	r = update_selection(st, d);
	st->c.resolver.selection = &st->next.selection;
	if (r >= 0)
		r = update_sets(st, d);
	if (r >= 0)
		r = update_guardrails(st, d);
	if (r >= 0)
		r = update_places(st, d);
	if (r >= 0)
		r = update_addrs(st, d);
	if (r >= 0)
		r = pick_claims(st);
	if (r < 0)
		return bh_err_oom(err);
	st->c.resolver.claims = st->next.claims;
	touch_lists(st, d);
	return 0;
}

void epoch_done(struct epoch *e)
{
	for (size_t i = 0; i < e->n_spaces; i++)
		ruleset_share_put(e->spaces[i].held);
	bh_vec_done(&e->hits);
	bh_arena_free(e->arena);
	*e = (struct epoch) { 0 };
}
