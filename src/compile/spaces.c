/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * Namespaces: of one in which no endpoint is touched all is taken over, as long as its hits are the
 * same. The others are looked at anew.
 */

struct work {
	struct compile_state *st;
	const struct delta *d;
	bool *marked;             /* [endpoint, first of its namespace]: look at it anew */
	bool *hunt;               /* the same: only for its hits */
	bool *wanted;             /* [endpoint, first]: search rules for its hits */
	struct subject *subjects; /* [space], of those that are marked */
	uint32_t *run;            /* [space] -> where its places begin */
	struct bh_vec fresh;      /* struct follow_hit */
};

static uint32_t first_of(const struct work *w, uint32_t endpoint)
{
	return w->st->next.claims.namespace_of[endpoint];
}

/* The space that took over from one before, or NULL. */
static const struct space *space_before(const struct work *w, uint32_t first)
{
	uint32_t was = w->d->old_of[first], at;

	if (was == NONE || w->marked[first])
		return NULL;
	at = w->st->now.space_at[w->st->now.claims.namespace_of[was]];
	return at == NONE ? NULL : &w->st->now.spaces[at];
}

/* --- which of them are others ----------------------------------------------------------------- */

static bool has_turned_resolver(const struct work *w, uint32_t i)
{
	const struct endpoint *e = &w->st->in.endpoints->endpoints[i];

	for (size_t k = 0; w->st->turned.n && k < e->n_resolvers; k++)
		if (addr_list_contains(&w->st->turned, &e->resolvers[k]))
			return true;
	return false;
}

/* Namespaces that an endpoint came to, left, or is another in. */
static int mark(struct work *w)
{
	const struct epoch *now = &w->st->now;
	size_t n = w->st->in.endpoints->n, n_before = now->endpoints ? now->endpoints->n : 0;
	bool *left = bh_arena_array(w->st->scratch, n_before + 1, sizeof(*left));

	w->marked = bh_arena_array(w->st->scratch, n + 1, sizeof(*w->marked));
	w->hunt = bh_arena_array(w->st->scratch, n + 1, sizeof(*w->hunt));
	w->wanted = bh_arena_array(w->st->scratch, n + 1, sizeof(*w->wanted));
	if (!left || !w->marked || !w->hunt || !w->wanted)
		return -ENOMEM;
	for (size_t i = 0; i < n_before; i++)
		if (w->d->gone[i])
			left[now->claims.namespace_of[i]] = true;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t was = w->d->old_of[i];

		if (w->d->touched[i] || left[now->claims.namespace_of[was]] ||
		    has_turned_resolver(w, i))
			w->marked[first_of(w, i)] = true;
	}
	return 0;
}

/* --- spaces ----------------------------------------------------------------------------------- */

static int make_space(struct work *w, size_t run, size_t end, uint32_t *members)
{
	struct compile_state *st = w->st;
	struct epoch *e = &st->next;
	struct space *s = &e->spaces[e->n_spaces];
	struct subject *subject = &w->subjects[e->n_spaces];
	size_t n = 0;
	bool any;
	int r;

	for (size_t i = run; i < end; i++)
		if (compiler_is_subject(&st->c, e->places[i].endpoint, false))
			members[n++] = e->places[i].endpoint;
	if (!n)
		return 0;
	r = compiler_make_subject(&st->c, members, n, subject, &any);
	if (r < 0 || !any)
		return r;
	*s = (struct space) {
		.first = e->places[run].endpoint,
		.home = subject->home,
		.before = NONE,
		.follows = compiler_follows(&st->c, &subject->services),
	};
	w->run[e->n_spaces++] = (uint32_t)run;
	return 0;
}

static void take_over(struct work *w, const struct space *before, uint32_t first, size_t run)
{
	struct epoch *e = &w->st->next;

	e->spaces[e->n_spaces] = (struct space) {
		.first = first,
		.home = w->d->new_of[before->home],
		.content = before->content,
		.before = (uint32_t)(before - w->st->now.spaces),
		.follows = before->follows,
	};
	w->run[e->n_spaces++] = (uint32_t)run;
}

static int list_spaces(struct work *w)
{
	struct compile_state *st = w->st;
	struct epoch *e = &st->next;
	size_t n = st->in.endpoints->n, end;
	uint32_t *members = bh_arena_array(st->scratch, n + 1, sizeof(*members));
	int r = 0;

	e->spaces = bh_arena_array(e->arena, n + 1, sizeof(*e->spaces));
	e->space_at = bh_arena_array(e->arena, n + 1, sizeof(*e->space_at));
	w->subjects = bh_arena_array(st->scratch, n + 1, sizeof(*w->subjects));
	w->run = bh_arena_array(st->scratch, n + 1, sizeof(*w->run));
	if (!members || !e->spaces || !e->space_at || !w->subjects || !w->run)
		return -ENOMEM;
	memset(e->space_at, 0xff, (n + 1) * sizeof(*e->space_at)); /* NONE */
	for (size_t run = 0; r >= 0 && run < n; run = end) {
		uint32_t first = e->places[run].endpoint;
		const struct space *before = space_before(w, first);
		size_t count = e->n_spaces;

		for (end = run + 1; end < n && first_of(w, e->places[end].endpoint) == first; end++)
			;
		if (before)
			take_over(w, before, first, run);
		else if (w->marked[first])
			r = make_space(w, run, end, members);
		if (e->n_spaces > count)
			e->space_at[first] = (uint32_t)count;
	}
	return r;
}

/* --- hits ------------------------------------------------------------------------------------- */

/* Whoever has an address that came into a target, or left it. */
static void mark_moved(struct work *w)
{
	const struct bh_addr *a = w->st->moved.data;

	for (size_t i = 0; i < w->st->moved.n; i++) {
		size_t n;
		const struct claim *c = claims_find(&w->st->next.claims, &a[i], &n);

		for (size_t k = 0; k < n; k++)
			w->hunt[first_of(w, c[k].endpoint)] = true;
	}
}

static int hunt_address(struct work *w, uint32_t first, const struct bh_addr *a)
{
	const struct compiler *c = &w->st->c;
	uint8_t family = a->family == AF_INET ? FOLLOW_V4 : FOLLOW_V6;

	for (uint32_t k = 0; k < w->st->in.policies->n_services; k++)
		for (uint32_t i = 0; i < c->live[k].n[DIRECTION_INGRESS]; i++) {
			struct follow_hit *h;

			if (!target_has(&c->live[k].rules[DIRECTION_INGRESS][i].piece.target, a))
				continue;
			h = bh_vec_push(&w->fresh);
			if (!h)
				return -ENOMEM;
			*h = (struct follow_hit) { first, k, i, family };
		}
	return 0;
}

/* All hits of one namespace, from the side of its addresses. */
static int hunt_space(struct work *w, size_t at)
{
	const struct epoch *e = &w->st->next;
	uint32_t first = e->spaces[at].first;
	int r = 0;

	for (size_t i = w->run[at]; r >= 0 && i < w->st->in.endpoints->n; i++) {
		const struct endpoint *x = &e->endpoints->endpoints[e->places[i].endpoint];

		if (first_of(w, e->places[i].endpoint) != first)
			break;
		for (size_t k = 0; r >= 0 && k < x->n_addrs; k++)
			if (claims_name_somebody(&x->addrs[k]))
				r = hunt_address(w, first, &x->addrs[k]);
	}
	return r;
}

static bool must_search(const struct compile_state *st, uint32_t service, uint32_t rule)
{
	return st->rule_plans[DIRECTION_INGRESS][service][rule].moves.change == CHANGE_MUCH;
}

/* And of one rule, from its side. */
static int search_rules(struct work *w)
{
	struct compile_state *st = w->st;
	int r = 0;

	for (uint32_t k = 0; r >= 0 && k < st->in.policies->n_services; k++)
		for (uint32_t i = 0; r >= 0 && i < st->c.live[k].n[DIRECTION_INGRESS]; i++)
			if (w->d->many || must_search(st, k, i))
				r = follow_search(
					&st->next.claims, w->wanted, k, i,
					&st->c.live[k].rules[DIRECTION_INGRESS][i].piece.target,
					&w->fresh);
	return r;
}

static int find_fresh(struct work *w)
{
	const struct epoch *e = &w->st->next;
	bool any = false;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < e->n_spaces; i++) {
		const struct space *s = &e->spaces[i];

		if (!s->follows)
			continue;
		if (w->d->many || !w->hunt[s->first])
			any = w->wanted[s->first] = true;
		else
			r = hunt_space(w, i);
	}
	if (r >= 0 && any)
		r = search_rules(w);
	follow_join(&w->fresh);
	return r;
}

static int push_hit(struct bh_vec *v, const struct follow_hit *h)
{
	struct follow_hit *slot = bh_vec_push(v);

	if (slot)
		*slot = *h;
	return slot ? 0 : -ENOMEM;
}

/* Does the hit still stand? *RET is the same hit under today's index. */
static bool keep_hit(const struct work *w, const struct follow_hit *h, struct follow_hit *ret)
{
	uint32_t first = w->d->new_of[h->home];

	if (w->d->many || first == NONE || w->hunt[first] || first_of(w, first) != first ||
	    must_search(w->st, h->service, h->rule))
		return false;
	*ret = *h;
	ret->home = first;
	return true;
}

static int merge_hits(struct work *w)
{
	const struct follow_hit *old = w->st->now.hits.data, *fresh = w->fresh.data;
	struct bh_vec *out = &w->st->next.hits;
	struct follow_hit kept;
	size_t k = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < w->st->now.hits.n; i++) {
		if (!keep_hit(w, &old[i], &kept))
			continue;
		while (r >= 0 && k < w->fresh.n && follow_hit_cmp(&fresh[k], &kept) < 0)
			r = push_hit(out, &fresh[k++]);
		if (r >= 0)
			r = push_hit(out, &kept);
	}
	while (r >= 0 && k < w->fresh.n)
		r = push_hit(out, &fresh[k++]);
	return r;
}

/* Both in the order of namespaces. */
static void hand_out(struct work *w)
{
	struct epoch *e = &w->st->next;
	const struct follow_hit *h = e->hits.data;
	size_t end;

	for (size_t i = 0; i < e->hits.n; i = end) {
		struct space *s = &e->spaces[e->space_at[h[i].home]];

		for (end = i; end < e->hits.n && h[end].home == h[i].home; end++)
			;
		s->hits_at = i;
		s->n_hits = end - i;
	}
}

static int update_hits(struct work *w)
{
	int r;

	for (uint32_t i = 0; i < w->st->in.endpoints->n; i++)
		w->hunt[i] = w->marked[i];
	mark_moved(w);
	follow_init(&w->fresh);
	r = find_fresh(w);
	if (r >= 0)
		r = merge_hits(w);
	if (r >= 0)
		hand_out(w);
	bh_vec_done(&w->fresh);
	return r;
}

/* --- contents --------------------------------------------------------------------------------- */

static int find_contents(struct work *w)
{
	struct epoch *e = &w->st->next;
	const struct follow_hit *hits = e->hits.data;

	for (size_t i = 0; i < e->n_spaces; i++) {
		struct space *s = &e->spaces[i];
		struct subject key = s->content ? s->content->key : w->subjects[i];

		key.hits = s->n_hits ? hits + s->hits_at : NULL;
		key.n_hits = s->n_hits;
		if (!s->content || subject_cmp_content(&key, &s->content->key) != 0)
			s->content = content_get(w->st, &key);
		if (!s->content)
			return -ENOMEM;
		s->content->used = true;
	}
	return 0;
}

int spaces_update(struct compile_state *st, const struct delta *d, struct bh_err *err)
{
	struct work w = { .st = st, .d = d };
	int r = mark(&w);

	if (r >= 0)
		r = list_spaces(&w);
	if (r >= 0)
		r = update_hits(&w);
	if (r >= 0)
		r = find_contents(&w);
	return r < 0 ? bh_err_oom(err) : 0;
}
