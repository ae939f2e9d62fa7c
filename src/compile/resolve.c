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
				 : (struct addr_list) { v4 < l->n ? l->a + v4 : NULL, l->n - v4 };
}

#define RUNS_MAX 16

/* Merge the sorted runs A[FROM..MIDDLE) and A[MIDDLE..TO) by way of TEMP. */
static void merge_runs(struct bh_addr *a, size_t from, size_t middle, size_t to,
		       struct bh_addr *temp)
{
	size_t i = 0, n = middle - from, j = middle, out = from;

	memcpy(temp, a + from, n * sizeof(*a));
	while (i < n)
		a[out++] = j < to && bh_addr_cmp(&a[j], &temp[i]) < 0 ? a[j++] : temp[i++];
}

/* Most lists are a few sorted ones in a row. */
static void sort_addrs(const struct resolver *r, struct bh_addr *a, size_t n)
{
	size_t runs[RUNS_MAX + 1] = { 0 }, count = 0;
	struct bh_addr *temp = NULL;

	for (size_t i = 1; i <= n && count < RUNS_MAX; i++)
		if (i == n || bh_addr_cmp(&a[i - 1], &a[i]) > 0)
			runs[++count] = i;
	if (count <= 1 && runs[count] == n)
		return;
	if (runs[count] == n)
		temp = bh_arena_array(r->arena, n, sizeof(*temp));
	if (!temp) {
		qsort(a, n, sizeof(*a), addr_cmp);
		return;
	}
	for (; count > 1; count = (count + 1) / 2) {
		for (size_t k = 0; k + 1 < count; k += 2)
			merge_runs(a, runs[k], runs[k + 1], runs[k + 2], temp);
		for (size_t k = 1; 2 * k <= count + 1; k++)
			runs[k] = runs[2 * k < count ? 2 * k : count];
	}
}

struct addr_list resolver_tidy(const struct resolver *r, struct bh_addr *a, size_t n,
			       bool contested)
{
	size_t out = 0;

	sort_addrs(r, a, n);
	for (size_t i = 0; i < n; i++) {
		if (out && bh_addr_cmp(&a[out - 1], &a[i]) == 0)
			continue;
		if (contested || !addr_list_contains(&r->contested, &a[i]))
			a[out++] = a[i];
	}
	return (struct addr_list) { a, out };
}

bool addr_list_equal(const struct addr_list *x, const struct addr_list *y)
{
	return x->n == y->n && (!x->n || memcmp(x->a, y->a, x->n * sizeof(*x->a)) == 0);
}

int addr_list_add_to(struct bh_rangeset *s, const struct addr_list *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		struct bh_range one = { l->a[i], l->a[i] };

		r = bh_rangeset_add(s, &one);
	}
	return r;
}

/* --- who is where ---------------------------------------------------------------------------- */

/* B is NULL: the host. */
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
		 b ? bh_escape_str(second, sizeof(second), e[b->endpoint].id) : "the host");
}

int resolver_find_contested(struct resolver *r, struct diag_list *diags)
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
	return addr_list_add_to(&r->denied, &r->contested);
}

int resolver_collect(struct resolver *r, const uint32_t *endpoints, size_t n, bool contested,
		     struct addr_list *ret)
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
	*ret = resolver_tidy(r, a, total, contested);
	return 0;
}

bool resolver_is_managed(const struct resolver *r, uint32_t i)
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
		if (resolver_is_managed(r, i))
			managed[n++] = i;
	}
	ret = resolver_collect(r, managed, n, false, &r->managed);
	for (size_t k = 0; ret >= 0 && k < p->n_services; k++)
		ret = resolver_collect(r, r->selection->endpoints_of[k].i,
				       r->selection->endpoints_of[k].n, false, &r->services[k]);
	if (e->n_host_addrs)
		memcpy(host, e->host_addrs, e->n_host_addrs * sizeof(*host));
	r->host = resolver_tidy(r, host, e->n_host_addrs, false);
	return ret;
}

static int add_singles(struct bh_rangeset *s, const struct bh_addr *a, size_t n)
{
	struct addr_list l = { a, n };

	return addr_list_add_to(s, &l);
}

int resolver_known_places(const struct endpoint_set *e, struct bh_rangeset *ret)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(not_world); i++) {
		struct bh_prefix p;

		r = bh_prefix_parse(not_world[i], &p);
		if (r >= 0) {
			struct bh_range range = bh_prefix_range(&p);

			r = bh_rangeset_add(ret, &range);
		}
	}
	if (r >= 0)
		r = add_singles(ret, e->host_addrs, e->n_host_addrs);
	return r < 0 ? r : add_singles(ret, e->shared_addrs, e->n_shared_addrs);
}

static int build_known(struct resolver *r)
{
	int ret = bh_rangeset_add_all(&r->known, &r->denied);

	for (size_t k = 0; ret >= 0 && k < r->in->policies->n_services; k++)
		ret = addr_list_add_to(&r->known, &r->services[k]);
	return ret < 0 ? ret : resolver_known_places(r->in->endpoints, &r->known);
}

/* --- the whole ------------------------------------------------------------------------------- */

int resolver_build_groups(struct resolver *r)
{
	const struct policy_set *p = r->in->policies;
	int ret = 0;

	r->groups = bh_arena_array(r->arena, p->n_groups + 1, sizeof(*r->groups));
	if (!r->groups)
		return -ENOMEM;
	for (size_t k = 0; ret >= 0 && k < p->n_groups; k++)
		ret = resolver_group(r, &p->groups[k], &r->groups[k]);
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
		ret = resolver_find_contested(r, diags);
	if (ret >= 0)
		ret = build_lists(r);
	if (ret >= 0)
		ret = resolver_build_groups(r);
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
