/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* What the entries of from:/to: come to: AND inside an entry, OR between them. */

/* A peer being worked out: single addresses and ranges apart. */
struct draft {
	struct bh_addr *a;
	size_t n, cap;
	struct bh_rangeset ranges;
};

static int draft_add_single(struct draft *d, const struct bh_addr *a)
{
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 16;
		struct bh_addr *grown;

		if (d->n >= BH_RANGES_MAX)
			return -E2BIG;
		grown = realloc(d->a, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		d->a = grown;
		d->cap = cap;
	}
	d->a[d->n++] = *a;
	return 0;
}

static int draft_add_list(struct draft *d, const struct addr_list *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++)
		r = draft_add_single(d, &l->a[i]);
	return r;
}

static int draft_add_prefix(struct draft *d, const struct bh_prefix *p)
{
	struct bh_range range = bh_prefix_range(p);

	if (p->len == 8 * bh_addr_len(p->addr.family))
		return draft_add_single(d, &p->addr);
	return bh_rangeset_add(&d->ranges, &range);
}

static void draft_done(struct draft *d)
{
	free(d->a);
	bh_rangeset_done(&d->ranges);
}

/* Keep the single addresses that L has (or has not). */
static void keep_singles(struct draft *d, const struct addr_list *l, bool have)
{
	size_t out = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (addr_list_contains(l, &d->a[i]) == have)
			d->a[out++] = d->a[i];
	}
	d->n = out;
}

static void keep_singles_in_ranges(struct draft *d, const struct bh_rangeset *s, bool have)
{
	size_t out = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (bh_rangeset_contains(s, &d->a[i]) == have)
			d->a[out++] = d->a[i];
	}
	d->n = out;
}

static int subtract(struct draft *d, const struct bh_rangeset *s)
{
	if (!s->n)
		return 0;
	keep_singles_in_ranges(d, s, false);
	return d->ranges.n ? bh_rangeset_subtract(&d->ranges, s) : 0;
}

static int except_ranges(const struct peer *p, struct bh_rangeset *s)
{
	int r = 0;

	bh_rangeset_init(s);
	for (size_t i = 0; r >= 0 && i < p->n_except; i++) {
		struct bh_range range = bh_prefix_range(&p->except[i]);

		r = bh_rangeset_add(s, &range);
	}
	return r;
}

/* The peer's cidr minus except, against what the draft holds. */
static int intersect_cidr(struct draft *d, const struct peer *p)
{
	struct bh_range range = bh_prefix_range(&p->cidr);
	struct bh_rangeset s, except;
	int r;

	bh_rangeset_init(&s);
	r = except_ranges(p, &except);
	if (r >= 0)
		r = bh_rangeset_add(&s, &range);
	if (r >= 0)
		r = bh_rangeset_subtract(&s, &except);
	if (r >= 0) {
		keep_singles_in_ranges(d, &s, true);
		r = d->ranges.n ? bh_rangeset_intersect(&d->ranges, &s) : 0;
	}
	bh_rangeset_done(&except);
	bh_rangeset_done(&s);
	return r;
}

static const struct target *find_group(const struct resolver *r, const char *name)
{
	const struct group *g = policy_set_group(r->in->policies, name);

	return g ? &r->groups[g - r->in->policies->groups] : NULL;
}

static int add_group(struct draft *d, const struct target *g)
{
	int r = draft_add_list(d, &g->singles);

	for (size_t i = 0; r >= 0 && i < g->n_ranges; i++)
		r = bh_rangeset_add(&d->ranges, &g->ranges[i]);
	return r;
}

static int intersect_group(struct draft *d, const struct target *g)
{
	struct bh_rangeset all;
	int r;

	bh_rangeset_init(&all);
	r = addr_list_add_to(&all, &g->singles);
	for (size_t i = 0; r >= 0 && i < g->n_ranges; i++)
		r = bh_rangeset_add(&all, &g->ranges[i]);
	if (r >= 0) {
		keep_singles_in_ranges(d, &all, true);
		r = d->ranges.n ? bh_rangeset_intersect(&d->ranges, &all) : 0;
	}
	bh_rangeset_done(&all);
	return r;
}

/* What is kept up to date elsewhere. */
static int known_labels(struct resolver *r, const struct label *labels, bool contested,
			struct addr_list *ret)
{
	const struct label_set *s = label_sets_find(r->label_sets, labels);

	if (!s)
		return -ENOENT; /* cannot be: all peers were gone through */
	if (contested)
		return resolver_collect(r, s->members, s->n_members, true, ret);
	*ret = r->label_sets->addrs[s - r->label_sets->sets];
	return 0;
}

static int found_labels(struct resolver *r, const struct label *labels, size_t n_labels,
			bool contested, struct addr_list *ret)
{
	size_t n, count = 0;
	const struct term *t = term_index_labels(&r->terms, labels, n_labels, &n);
	bh_autofree uint32_t *hit = calloc(n + 1, sizeof(*hit));

	if (!hit)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t e = t[i].endpoint;

		if (resolver_is_managed(r, e) &&
		    select_labels_match(&r->in->endpoints->endpoints[e], labels, n_labels,
					r->image_labels))
			hit[count++] = e;
	}
	return resolver_collect(r, hit, count, contested, ret);
}

int resolver_labels(struct resolver *r, const struct label *labels, size_t n, bool contested,
		    struct addr_list *ret)
{
	return r->label_sets ? known_labels(r, labels, contested, ret)
			     : found_labels(r, labels, n, contested, ret);
}

/* The keys of a peer that name endpoints, as lists; 0 of them when it has none. */
static int endpoint_lists(struct resolver *r, const struct peer *p, struct addr_list lists[4],
			  size_t *ret_n)
{
	const struct service *s =
		p->service ? policy_set_service(r->in->policies, p->service) : NULL;
	size_t n = 0;
	int ret = 0;

	if (p->service)
		lists[n++] =
			s ? r->services[s - r->in->policies->services] : (struct addr_list) { 0 };
	if (p->n_labels)
		ret = resolver_labels(r, p->labels, p->n_labels, false, &lists[n++]);
	if (p->pods)
		ret = resolver_pods(r, p->pods, &lists[n++]);
	if (p->entity == ENTITY_MANAGED)
		lists[n++] = r->managed;
	if (p->entity == ENTITY_HOST)
		lists[n++] = r->host;
	*ret_n = n;
	return ret;
}

/* A peer whose keys are only cidr, group and perhaps world. */
static int draft_ranges(const struct resolver *r, const struct peer *p, const struct target *g,
			struct draft *d)
{
	int ret;

	if (!p->has_cidr)
		return add_group(d, g);
	ret = draft_add_prefix(d, &p->cidr);
	if (ret >= 0 && p->n_except)
		ret = intersect_cidr(d, p);
	return ret < 0 || !g ? ret : intersect_group(d, g);
}

/* Everybody but whoever cannot be told apart. */
static int draft_all(const struct resolver *r, struct draft *d)
{
	int ret = 0;

	for (size_t i = 0; ret >= 0 && i < BH_ARRAY_SIZE(resolver_everything); i++)
		ret = bh_rangeset_add(&d->ranges, &resolver_everything[i]);
	return ret < 0 ? ret : subtract(d, &r->denied);
}

/* *ret_list is set instead of the draft when the peer is one list as it stands. */
static int resolve_peer(struct resolver *r, const struct peer *p, struct draft *d, bool *ret_world,
			struct addr_list *ret_list)
{
	const struct target *g = p->group ? find_group(r, p->group) : NULL;
	struct addr_list lists[4];
	size_t n;
	int ret;

	if (p->entity == ENTITY_ALL)
		return draft_all(r, d);
	if (p->group && !g)
		return 0;
	ret = endpoint_lists(r, p, lists, &n);
	if (ret < 0)
		return ret;
	if (n == 1 && !p->has_cidr && !g && p->entity != ENTITY_WORLD) {
		*ret_list = lists[0];
		return 0;
	}
	if (!n && !p->has_cidr && !g) {
		*ret_world |= p->entity == ENTITY_WORLD;
		return 0;
	}
	if (!n) {
		ret = draft_ranges(r, p, g, d);
	} else {
		ret = draft_add_list(d, &lists[0]);
		for (size_t i = 1; i < n; i++)
			keep_singles(d, &lists[i], true);
		if (ret >= 0 && p->has_cidr)
			ret = intersect_cidr(d, p);
		if (ret >= 0 && g)
			ret = intersect_group(d, g);
	}
	if (ret >= 0 && p->entity == ENTITY_WORLD)
		ret = subtract(d, &r->known);
	return ret < 0 ? ret : subtract(d, &r->denied);
}

/* A draft of ranges may have been cut down to single addresses. */
static int draft_finish(struct resolver *r, struct draft *d, struct target *ret)
{
	struct bh_range *ranges = bh_arena_array(r->arena, d->ranges.n + 1, sizeof(*ranges));
	struct bh_addr *a;
	size_t n = 0;
	int error = 0;

	for (size_t i = 0; ranges && error >= 0 && i < d->ranges.n; i++) {
		const struct bh_range *x = &d->ranges.r[i];

		if (bh_addr_cmp(&x->lo, &x->hi) == 0)
			error = draft_add_single(d, &x->lo);
		else
			ranges[n++] = *x;
	}
	if (error < 0)
		return error;
	a = bh_arena_array(r->arena, d->n + 1, sizeof(*a));
	if (!a || !ranges)
		return -ENOMEM;
	if (d->n)
		memcpy(a, d->a, d->n * sizeof(*a));
	ret->singles = resolver_tidy(r, a, d->n, false);
	ret->ranges = ranges;
	ret->n_ranges = n;
	return 0;
}

/* Pour one peer's outcome into the rule's. */
static int merge(struct draft *all, const struct draft *d, const struct addr_list *list)
{
	struct addr_list singles = { d->a, d->n };
	int r = draft_add_list(all, &singles);

	if (r >= 0 && d->ranges.n)
		r = bh_rangeset_add_all(&all->ranges, &d->ranges);
	return r < 0 ? r : draft_add_list(all, list);
}

static int resolve_rule(struct resolver *r, const struct rule *rule, struct draft *all,
			struct target *ret)
{
	int error = 0;

	for (size_t i = 0; error >= 0 && i < rule->n_peers; i++) {
		struct draft d = { 0 };
		struct addr_list list = { 0 };

		error = resolve_peer(r, &rule->peers[i], &d, &ret->world, &list);
		if (error >= 0 && rule->n_peers == 1 && list.n) {
			ret->singles = list; /* shared, not copied: it may be long */
			return 0;
		}
		if (error >= 0)
			error = merge(all, &d, &list);
		draft_done(&d);
	}
	return error < 0 ? error : draft_finish(r, all, ret);
}

int resolver_rule(struct resolver *r, const struct rule *rule, struct target *ret,
		  struct bh_err *err)
{
	struct draft all = { 0 };
	int error;

	*ret = (struct target) { 0 };
	error = resolve_rule(r, rule, &all, ret);
	draft_done(&all);
	if (error == -E2BIG)
		return bh_err_set(err, error,
				  "the peers of this rule come to more than %d addresses; name "
				  "wider prefixes",
				  BH_RANGES_MAX);
	return error < 0 ? bh_err_oom(err) : 0;
}

static int prefix_cmp(const void *a, const void *b)
{
	const struct bh_prefix *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : (int)x->len - (int)y->len;
}

/* In order, so that building the set only appends. */
static int draft_group(struct draft *d, const struct group *g)
{
	bh_autofree struct bh_prefix *p = calloc(g->n_cidrs + 1, sizeof(*p));
	int ret = 0;

	if (!p)
		return -ENOMEM;
	if (g->n_cidrs)
		memcpy(p, g->cidrs, g->n_cidrs * sizeof(*p));
	qsort(p, g->n_cidrs, sizeof(*p), prefix_cmp);
	for (size_t i = 0; ret >= 0 && i < g->n_cidrs; i++)
		ret = draft_add_prefix(d, &p[i]);
	return ret;
}

int resolver_group(struct resolver *r, const struct group *g, struct target *ret)
{
	struct draft d = { 0 };
	int error = draft_group(&d, g);

	if (error >= 0)
		error = draft_finish(r, &d, ret);
	draft_done(&d);
	return error;
}
