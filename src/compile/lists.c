/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* The addresses of each service, of each set of labels, of all managed endpoints and of the host. */

int state_bury(struct compile_state *st, void *p)
{
	void **slot = p ? bh_vec_push(&st->buried) : NULL;

	if (slot)
		*slot = p;
	return !p || slot ? 0 : -ENOMEM;
}

/* --- contested addresses ---------------------------------------------------------------------- */

/* What is in one of two sorted lists only. */
static int differences(struct bh_arena *arena, const struct addr_list *x, const struct addr_list *y,
		       struct addr_list *ret)
{
	struct bh_addr *v = bh_arena_array(arena, x->n + y->n + 1, sizeof(*v));
	size_t i = 0, j = 0, n = 0;

	if (!v)
		return -ENOMEM;
	while (i < x->n || j < y->n) {
		int order = i == x->n ? 1 : j == y->n ? -1 : bh_addr_cmp(&x->a[i], &y->a[j]);

		if (order < 0) {
			v[n++] = x->a[i++];
		} else if (order > 0) {
			v[n++] = y->a[j++];
		} else {
			i++;
			j++;
		}
	}
	*ret = (struct addr_list) { v, n };
	return 0;
}

static bool is_member(const struct label_set *s, uint32_t endpoint)
{
	size_t lo = 0, hi = s->n_members;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->members[mid] < endpoint)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n_members && s->members[lo] == endpoint;
}

static void touch_claimant(struct compile_state *st, uint32_t endpoint)
{
	const struct selection_list *services = &st->next.selection.services_of[endpoint];

	for (size_t k = 0; k < services->n; k++)
		st->touched[services->i[k]] = true;
	for (size_t set = 0; set < st->label_sets.n; set++)
		if (is_member(&st->label_sets.sets[set], endpoint))
			st->touched[state_list_of_set(st, set)] = true;
}

/* Whoever claims an address that turned sees it come or go. */
static void touch_claimants(struct compile_state *st)
{
	for (size_t i = 0; i < st->turned.n; i++) {
		size_t n;
		const struct claim *c = claims_find(&st->c.resolver.claims, &st->turned.a[i], &n);

		for (size_t k = 0; k < n; k++)
			touch_claimant(st, c[k].endpoint);
	}
	if (st->turned.n)
		st->touched[state_list_more(st, LIST_MANAGED)] =
			st->touched[state_list_more(st, LIST_HOST)] = true;
}

static int update_contested(struct compile_state *st, struct diag_list *diags)
{
	struct resolver *r = &st->c.resolver;
	int error;

	bh_rangeset_done(&r->denied);
	r->arena = st->next.arena;
	error = resolver_find_contested(r, diags);
	r->arena = st->scratch;
	st->next.contested = r->contested;
	if (error >= 0)
		error = differences(st->scratch, &st->now.contested, &r->contested, &st->turned);
	if (error >= 0)
		touch_claimants(st);
	return error;
}

/* So many, and beginning anew is no dearer. */
#define MOVED_MAX 64

struct moves state_note_moves(struct compile_state *st, const struct addr_list *x,
			      const struct addr_list *y)
{
	struct moves ret = { CHANGE_FEW, st->moved.n, 0 };
	size_t i = 0, j = 0;

	while (i < x->n || j < y->n) {
		int order = i == x->n ? 1 : j == y->n ? -1 : bh_addr_cmp(&x->a[i], &y->a[j]);
		const struct bh_addr *a = order < 0 ? &x->a[i] : &y->a[j];
		struct bh_addr *slot;

		i += order <= 0;
		j += order >= 0;
		if (!order)
			continue;
		slot = ret.n++ < MOVED_MAX ? bh_vec_push(&st->moved) : NULL;
		if (!slot)
			return (struct moves) { CHANGE_MUCH, 0, 0 };
		*slot = *a;
	}
	return ret;
}

/* --- lists ------------------------------------------------------------------------------------ */

static int list_set(struct compile_state *st, size_t which, const struct addr_list *l)
{
	struct bh_addr *copy;

	if (addr_list_equal(&st->lists[which], l))
		return 0;
	copy = malloc(l->n * sizeof(*copy) + 1);
	if (!copy)
		return -ENOMEM;
	if (l->n)
		memcpy(copy, l->a, l->n * sizeof(*copy));
	if (state_bury(st, (void *)st->lists[which].a) < 0) {
		free(copy);
		return -ENOMEM;
	}
	st->moves[which] = state_note_moves(st, &st->lists[which], l);
	st->lists[which] = (struct addr_list) { copy, l->n };
	st->changed[which] = true;
	return 0;
}

static int update_members(struct compile_state *st, size_t which, const uint32_t *members, size_t n)
{
	struct addr_list l;
	int r;

	if (!st->touched[which])
		return 0;
	r = resolver_collect(&st->c.resolver, members, n, false, &l);
	return r < 0 ? r : list_set(st, which, &l);
}

/* From the sorted addresses of all: there are too many to sort them each time. */
static int pick(struct compile_state *st, bool managed, struct addr_list *ret)
{
	const struct resolver *r = &st->c.resolver;
	const struct epoch *e = &st->next;
	struct bh_addr *v = bh_arena_array(st->scratch, e->n_addrs + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_addrs; i++) {
		const struct claim *c = &e->addrs[i];

		if (managed ? !resolver_is_managed(r, c->endpoint)
			    : !e->selection.services_of[c->endpoint].n)
			continue;
		if ((n && bh_addr_cmp(&v[n - 1], &c->addr) == 0) ||
		    addr_list_contains(&r->contested, &c->addr))
			continue;
		v[n++] = c->addr;
	}
	*ret = (struct addr_list) { v, n };
	return 0;
}

static int update_managed(struct compile_state *st)
{
	size_t which = state_list_more(st, LIST_MANAGED);
	struct addr_list l;
	int r;

	if (!st->touched[which])
		return 0;
	r = pick(st, true, &l);
	return r < 0 ? r : list_set(st, which, &l);
}

/* Guardrails look at the host's addresses as they stand: any other order counts as touched. */
static int update_host(struct compile_state *st)
{
	const struct endpoint_set *a = st->now.endpoints, *b = st->in.endpoints;
	size_t which = state_list_more(st, LIST_HOST);
	struct addr_list x = { a ? a->host_addrs : NULL, a ? a->n_host_addrs : 0 };
	struct addr_list y = { b->host_addrs, b->n_host_addrs };
	struct bh_addr *v;

	if (!addr_list_equal(&x, &y))
		st->touched[which] = true;
	if (!st->touched[which])
		return 0;
	v = bh_arena_memdup(st->scratch, y.a, y.n * sizeof(*y.a));
	if (!v)
		return -ENOMEM;
	y = resolver_tidy(&st->c.resolver, v, y.n, false);
	return list_set(st, which, &y);
}

/* --- what is not the world -------------------------------------------------------------------- */

static bool same_set(const struct bh_rangeset *x, const struct bh_rangeset *y)
{
	return x->n == y->n && (!x->n || memcmp(x->r, y->r, x->n * sizeof(*x->r)) == 0);
}

static int make_known(struct compile_state *st, struct bh_rangeset *ret)
{
	struct bh_rangeset places = { 0 };
	struct addr_list l;
	int r = pick(st, false, &l);

	if (r >= 0)
		r = addr_list_add_to(ret, &l);
	if (r >= 0)
		r = resolver_known_places(st->in.endpoints, &places);
	if (r >= 0)
		r = bh_rangeset_add_all(&places, &st->c.resolver.denied);
	if (r >= 0)
		r = bh_rangeset_add_all(ret, &places);
	bh_rangeset_done(&places);
	return r;
}

static int update_known(struct compile_state *st)
{
	struct bh_rangeset *known = &st->c.resolver.known, fresh = { 0 };
	int r = make_known(st, &fresh);

	st->known_changed = r >= 0 && !same_set(known, &fresh);
	if (!st->known_changed) {
		bh_rangeset_done(&fresh);
		return r;
	}
	bh_rangeset_done(known);
	*known = fresh;
	ruleset_share_put(st->known);
	st->known = NULL;
	return 0;
}

static int update_all(struct compile_state *st)
{
	const struct selection *s = &st->next.selection;
	size_t n = st->in.policies->n_services;
	int r = 0;

	for (size_t k = 0; r >= 0 && k < n; k++)
		r = update_members(st, k, s->endpoints_of[k].i, s->endpoints_of[k].n);
	for (size_t set = 0; r >= 0 && set < st->label_sets.n; set++)
		r = update_members(st, state_list_of_set(st, set), st->label_sets.sets[set].members,
				   st->label_sets.sets[set].n_members);
	if (r >= 0)
		r = update_managed(st);
	if (r >= 0)
		r = update_host(st);
	return r;
}

int lists_update(struct compile_state *st, struct diag_list *diags, struct bh_err *err)
{
	int r = update_contested(st, diags);

	if (r >= 0)
		r = update_all(st);
	st->c.resolver.managed = st->lists[state_list_more(st, LIST_MANAGED)];
	st->c.resolver.host = st->lists[state_list_more(st, LIST_HOST)];
	if (r >= 0)
		r = update_known(st);
	if (r == -E2BIG)
		return bh_err_set(err, r, "the endpoints have more than %d addresses",
				  BH_RANGES_MAX);
	return r < 0 ? bh_err_oom(err) : 0;
}
