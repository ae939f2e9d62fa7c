/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/*
 * Never the world, whoever has them: this host, this link, multicast, and the places where clouds
 * serve credentials to whoever asks (invariant 14).
 */
static const char *const not_world[] = {
	"0.0.0.0/8",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"224.0.0.0/4",
	"240.0.0.0/4",
	"100.100.100.200/32", /* metadata of Alibaba Cloud */
	"168.63.129.16/32",   /* platform address of Azure */
	"192.0.0.192/32",     /* metadata of Oracle Cloud, classic */
	"::/128",
	"::1/128",
	"fe80::/10",
	"ff00::/8",
	"fd00:ec2::254/128",   /* metadata of AWS */
	"fd20:ce::254/128",    /* metadata of Google Cloud */
	"64:ff9b::a9fe:0/112", /* 169.254/16 through NAT64 */
};

static int addr_cmp(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

bool addr_list_contains(const struct addr_list *l, const struct bh_addr *a)
{
	return l->n && bsearch(a, l->a, l->n, sizeof(*a), addr_cmp);
}

struct addr_list addr_list_family(const struct addr_list *l, uint8_t family)
{
	size_t v4 = 0;

	while (v4 < l->n && l->a[v4].family == AF_INET)
		v4++;
	return family == AF_INET ? (struct addr_list) { l->a, v4 }
				 : (struct addr_list) { l->a + v4, l->n - v4 };
}

struct addr_list resolver_tidy(const struct resolver *r, struct bh_addr *a, size_t n)
{
	size_t out = 0;

	if (n)
		qsort(a, n, sizeof(*a), addr_cmp);
	for (size_t i = 0; i < n; i++) {
		if (out && bh_addr_cmp(&a[out - 1], &a[i]) == 0)
			continue;
		if (!addr_list_contains(&r->contested, &a[i]))
			a[out++] = a[i];
	}
	return (struct addr_list) { a, out };
}

static int range_add_addrs(struct bh_rangeset *s, const struct addr_list *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		struct bh_range one = { l->a[i], l->a[i] };

		r = bh_rangeset_add(s, &one);
	}
	return r;
}

/* --- who is where ---------------------------------------------------------------------------- */

static void warn_contested(const struct resolver *r, const struct claim *a, const struct claim *b,
			   struct diag_list *diags)
{
	const struct endpoint *e = r->in->endpoints->endpoints;
	const struct src_loc nowhere = { 0 };
	char text[BH_ADDR_STR], first[128], second[128];

	diag_add(diags, DIAG_WARNING, &nowhere, "address-claimed-twice",
		 "give each its own address; until then both ways are denied to it",
		 "address %s is claimed by both %s and %s", bh_addr_format(text, &a->addr),
		 bh_escape_str(first, sizeof(first), e[a->endpoint].id),
		 bh_escape_str(second, sizeof(second), e[b->endpoint].id));
}

static int find_contested(struct resolver *r, struct diag_list *diags)
{
	const struct claims *c = &r->claims;
	struct bh_addr *a = bh_arena_array(r->arena, c->n + 1, sizeof(*a));
	size_t n = 0, count;

	if (!a)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i += count) {
		const struct claim *other;

		for (count = 1; i + count < c->n; count++) {
			if (bh_addr_cmp(&c->c[i].addr, &c->c[i + count].addr) != 0)
				break;
		}
		if (!claims_conflict(c, &c->c[i], count, &other))
			continue;
		warn_contested(r, &c->c[i], other, diags);
		a[n++] = c->c[i].addr;
	}
	r->contested = (struct addr_list) { a, n };
	return range_add_addrs(&r->denied, &r->contested);
}

/* The addresses of N endpoints. */
static int collect(struct resolver *r, const uint32_t *endpoints, size_t n, struct addr_list *ret)
{
	const struct endpoint *e = r->in->endpoints->endpoints;
	struct bh_addr *a;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += e[endpoints[i]].n_addrs;
	a = bh_arena_array(r->arena, total + 1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	total = 0;
	for (size_t i = 0; i < n; i++) {
		const struct endpoint *x = &e[endpoints[i]];

		if (x->n_addrs)
			memcpy(a + total, x->addrs, x->n_addrs * sizeof(*a));
		total += x->n_addrs;
	}
	*ret = resolver_tidy(r, a, total);
	return 0;
}

/*
 * Selected by some service. A container in the host's namespace has the host's addresses; only
 * `entity: host` or its service by name opens those.
 */
static bool is_managed(const struct resolver *r, uint32_t i)
{
	return r->selection->services_of[i].n &&
	       r->in->endpoints->endpoints[i].obstacle != ENDPOINT_HOST_NETWORK;
}

static int build_lists(struct resolver *r)
{
	const struct policy_set *p = r->in->policies;
	const struct endpoint_set *e = r->in->endpoints;
	bh_autofree uint32_t *managed = calloc(e->n + 1, sizeof(*managed));
	struct bh_addr *host = bh_arena_array(r->arena, e->n_host_addrs + 1, sizeof(*host));
	size_t n = 0;
	int ret = 0;

	r->services = bh_arena_array(r->arena, p->n_services + 1, sizeof(*r->services));
	if (!managed || !host || !r->services)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->n; i++) {
		if (is_managed(r, i))
			managed[n++] = i;
	}
	ret = collect(r, managed, n, &r->managed);
	for (size_t k = 0; ret >= 0 && k < p->n_services; k++)
		ret = collect(r, r->selection->endpoints_of[k].i, r->selection->endpoints_of[k].n,
			      &r->services[k]);
	if (e->n_host_addrs)
		memcpy(host, e->host_addrs, e->n_host_addrs * sizeof(*host));
	r->host = resolver_tidy(r, host, e->n_host_addrs);
	return ret;
}

static int build_known(struct resolver *r)
{
	const struct endpoint_set *e = r->in->endpoints;
	int ret = bh_rangeset_add_all(&r->known, &r->denied);

	for (size_t i = 0; ret >= 0 && i < BH_ARRAY_SIZE(not_world); i++) {
		struct bh_prefix p;

		ret = bh_prefix_parse(not_world[i], &p);
		if (ret >= 0) {
			struct bh_range range = bh_prefix_range(&p);

			ret = bh_rangeset_add(&r->known, &range);
		}
	}
	if (ret >= 0)
		ret = range_add_addrs(&r->known, &r->managed);
	for (size_t k = 0; ret >= 0 && k < r->in->policies->n_services; k++)
		ret = range_add_addrs(&r->known, &r->services[k]);
	for (size_t i = 0; ret >= 0 && i < e->n_host_addrs; i++) {
		struct bh_range one = { e->host_addrs[i], e->host_addrs[i] };

		ret = bh_rangeset_add(&r->known, &one);
	}
	return ret;
}

/* --- one peer -------------------------------------------------------------------------------- */

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
	r = range_add_addrs(&all, &g->singles);
	for (size_t i = 0; r >= 0 && i < g->n_ranges; i++)
		r = bh_rangeset_add(&all, &g->ranges[i]);
	if (r >= 0) {
		keep_singles_in_ranges(d, &all, true);
		r = d->ranges.n ? bh_rangeset_intersect(&d->ranges, &all) : 0;
	}
	bh_rangeset_done(&all);
	return r;
}

/* Managed endpoints with all the labels of the peer. */
static int label_list(struct resolver *r, const struct peer *p, struct addr_list *ret)
{
	size_t n, count = 0;
	const struct term *t = term_index_labels(&r->terms, p->labels, p->n_labels, &n);
	bh_autofree uint32_t *hit = calloc(n + 1, sizeof(*hit));

	if (!hit)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t e = t[i].endpoint;

		if (is_managed(r, e) &&
		    select_labels_match(&r->in->endpoints->endpoints[e], p->labels, p->n_labels,
					r->image_labels))
			hit[count++] = e;
	}
	return collect(r, hit, count, ret);
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
		ret = label_list(r, p, &lists[n++]);
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

/* *ret_list is set instead of the draft when the peer is one list as it stands. */
static int resolve_peer(struct resolver *r, const struct peer *p, struct draft *d, bool *ret_world,
			struct addr_list *ret_list)
{
	const struct target *g = p->group ? find_group(r, p->group) : NULL;
	struct addr_list lists[4];
	size_t n;
	int ret;

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
	ret->singles = resolver_tidy(r, a, d->n);
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

/* --- the whole ------------------------------------------------------------------------------- */

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

static int build_groups(struct resolver *r)
{
	const struct policy_set *p = r->in->policies;
	int ret = 0;

	r->groups = bh_arena_array(r->arena, p->n_groups + 1, sizeof(*r->groups));
	if (!r->groups)
		return -ENOMEM;
	for (size_t k = 0; ret >= 0 && k < p->n_groups; k++) {
		struct draft d = { 0 };

		ret = draft_group(&d, &p->groups[k]);
		if (ret >= 0)
			ret = draft_finish(r, &d, &r->groups[k]);
		draft_done(&d);
	}
	return ret;
}

int resolver_init(struct resolver *r, const struct compile_input *in,
		  const struct selection *selection, struct bh_arena *arena,
		  struct diag_list *diags, struct bh_err *err)
{
	int ret;

	*r = (struct resolver) {
		.arena = arena,
		.in = in,
		.selection = selection,
		.image_labels = in->host && in->host->image_labels,
	};
	bh_rangeset_init(&r->known);
	bh_rangeset_init(&r->denied);
	ret = term_index_build(arena, in->endpoints, r->image_labels, &r->terms);
	if (ret >= 0)
		ret = claims_build(arena, in->endpoints, &r->claims);
	if (ret >= 0)
		ret = find_contested(r, diags);
	if (ret >= 0)
		ret = build_lists(r);
	if (ret >= 0)
		ret = build_groups(r);
	if (ret >= 0)
		ret = build_known(r);
	if (ret == -E2BIG)
		return bh_err_set(err, ret, "the endpoints have more than %d addresses",
				  BH_RANGES_MAX);
	return ret < 0 ? bh_err_oom(err) : 0;
}

void resolver_done(struct resolver *r)
{
	bh_rangeset_done(&r->known);
	bh_rangeset_done(&r->denied);
}
