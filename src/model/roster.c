/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/roster.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1 /* what was not added shows in its handle */
#include <uthash.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/addrindex.h>

#include "roster_wire.h"

struct standing_ruleset {
	uint64_t ino;
	struct ruleset *ruleset;
	UT_hash_handle hh;
};

struct members {
	struct bh_arena *arena;
	struct roster_member *m;
	size_t n, cap;
	struct addr_index index;
};

struct roster {
	struct members members;
	struct standing_ruleset *rulesets;
};

/* --- members ----------------------------------------------------------------------------------- */

static void members_done(struct members *all)
{
	bh_arena_free(all->arena);
	free(all->m);
	addr_index_done(&all->index);
	*all = (struct members) { 0 };
}

static int members_begin(struct members *all)
{
	members_done(all);
	all->arena = bh_arena_new();
	return all->arena ? 0 : -ENOMEM;
}

static struct roster_member *members_push(struct members *all)
{
	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;
		struct roster_member *m = reallocarray(all->m, cap, sizeof(*m));

		if (!m)
			return NULL;
		all->m = m;
		all->cap = cap;
	}
	return &all->m[all->n++];
}

static int take_member(struct members *all, struct wire *w)
{
	struct roster_member *m;

	if (!all->arena || all->n == BH_ENDPOINTS_MAX)
		return -EBADMSG;
	m = members_push(all);
	if (!m)
		return -ENOMEM;
	wire_get_member(w, all->arena, m);
	return 0;
}

/* By namespace, each namespace's in the order in which they were told. */
static int order_members(const void *a, const void *b)
{
	const struct roster_member *x = a, *y = b;

	return x->endpoint.netns_ino < y->endpoint.netns_ino ? -1
	       : x->endpoint.netns_ino > y->endpoint.netns_ino
		       ? 1
		       : strcmp(x->endpoint.id, y->endpoint.id);
}

static int members_finish(struct members *all)
{
	struct addr_index *x = &all->index;
	int r = 0;

	if (all->n)
		qsort(all->m, all->n, sizeof(*all->m), order_members);
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->m[i].endpoint.n_addrs && r >= 0; k++)
			r = addr_index_add(x, &all->m[i].endpoint.addrs[k], i,
					   all->m[i].endpoint.netns_ino);
	addr_index_finish(x);
	return r;
}

/* --- rulesets ---------------------------------------------------------------------------------- */

static void forget(struct standing_ruleset **all, uint64_t ino)
{
	struct standing_ruleset *s;

	HASH_FIND(hh, *all, &ino, sizeof(ino), s);
	if (!s)
		return;
	HASH_DEL(*all, s);
	ruleset_free(s->ruleset);
	free(s);
}

static void forget_all(struct standing_ruleset **all)
{
	struct standing_ruleset *each, *next;

	HASH_ITER (hh, *all, each, next)
		forget(all, each->ino);
}

/* Takes S. */
static int put(struct standing_ruleset **all, struct standing_ruleset *s)
{
	HASH_ADD(hh, *all, ino, sizeof(s->ino), s);
	if (s->hh.tbl)
		return 0;
	ruleset_free(s->ruleset);
	free(s);
	return -ENOMEM;
}

/* Takes RULESET. */
static int remember(struct standing_ruleset **all, uint64_t ino, struct ruleset *ruleset)
{
	struct standing_ruleset *s = calloc(1, sizeof(*s));

	if (!s) {
		ruleset_free(ruleset);
		return -ENOMEM;
	}
	forget(all, ino);
	s->ino = ino;
	s->ruleset = ruleset;
	return put(all, s);
}

/* --- taking ------------------------------------------------------------------------------------ */

/* What was told, before any of it counts. */
struct news {
	bool has_members;
	struct members members;
	struct standing_ruleset *rulesets;
};

static int take_one(struct news *n, struct wire *w)
{
	uint32_t kind = wire_get_u32(w);
	struct ruleset *ruleset = NULL;
	uint64_t ino;
	int r;

	switch (kind) {
	case ROSTER_MEMBERS:
		n->has_members = true;
		return members_begin(&n->members);
	case ROSTER_MEMBER:
		return take_member(&n->members, w);
	case ROSTER_RULESET:
		ino = wire_get_u64(w);
		r = wire_get_ruleset(w, &ruleset);
		return r < 0 ? r : remember(&n->rulesets, ino, ruleset);
	}
	return -EBADMSG;
}

static int merge(struct roster *r, struct news *n)
{
	struct standing_ruleset *each, *next;
	int e = 0;

	if (n->has_members) {
		members_done(&r->members);
		r->members = n->members;
		n->members = (struct members) { 0 };
	}
	HASH_ITER (hh, n->rulesets, each, next) {
		HASH_DEL(n->rulesets, each);
		forget(&r->rulesets, each->ino);
		if (put(&r->rulesets, each) < 0)
			e = -ENOMEM;
	}
	return e;
}

int roster_take(struct roster *r, const void *data, size_t len, struct bh_err *err)
{
	struct wire w = { .p = data, .left = len };
	struct news n = { 0 };
	int e = 0;

	while (w.left && e >= 0) {
		e = take_one(&n, &w);
		if (e >= 0)
			e = w.error;
	}
	if (e >= 0 && n.has_members)
		e = members_finish(&n.members);
	if (e >= 0)
		e = merge(r, &n);
	members_done(&n.members);
	forget_all(&n.rulesets);
	return e < 0 ? bh_err_errno(err, e, "what the controller tells of its site") : 0;
}

/* --- asking ------------------------------------------------------------------------------------ */

struct roster *roster_new(void)
{
	return calloc(1, sizeof(struct roster));
}

void roster_free(struct roster *r)
{
	if (!r)
		return;
	members_done(&r->members);
	forget_all(&r->rulesets);
	free(r);
}

const struct roster_member *roster_in(const struct roster *r, uint64_t netns_ino)
{
	size_t lo = 0, hi = r->members.n;

	while (lo < hi) { /* the first that is not below */
		size_t mid = lo + (hi - lo) / 2;

		if (r->members.m[mid].endpoint.netns_ino < netns_ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == r->members.n || r->members.m[lo].endpoint.netns_ino != netns_ino)
		return NULL;
	return &r->members.m[lo];
}

const struct roster_member *roster_in_as(const struct roster *r, uint64_t netns_ino, const char *id)
{
	const struct roster_member *m = roster_in(r, netns_ino), *end = r->members.m + r->members.n;

	for (; m && m < end && m->endpoint.netns_ino == netns_ino; m++)
		if (strcmp(m->endpoint.id, id) == 0)
			return m;
	return NULL;
}

const struct ruleset *roster_ruleset(const struct roster *r, uint64_t netns_ino)
{
	struct standing_ruleset *s;

	HASH_FIND(hh, r->rulesets, &netns_ino, sizeof(netns_ino), s);
	return s ? s->ruleset : NULL;
}

void roster_forget(struct roster *r, uint64_t netns_ino)
{
	forget(&r->rulesets, netns_ino);
}

const struct roster_member *roster_at(const struct roster *r, const struct bh_addr *a)
{
	const struct addr_owner *hit = addr_index_find(&r->members.index, a);

	return hit ? &r->members.m[hit->owner] : NULL;
}
