/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* Peers of guardrails, as plain sets of addresses: what denies needs no hash. */

static int keep_list(struct bh_rangeset *s, const struct addr_list *l)
{
	struct bh_rangeset set;
	int r;

	bh_rangeset_init(&set);
	r = addr_list_add_to(&set, l);
	if (r >= 0)
		r = bh_rangeset_intersect(s, &set);
	bh_rangeset_done(&set);
	return r;
}

static int drop_list(struct bh_rangeset *s, const struct addr_list *l)
{
	struct bh_rangeset set;
	int r;

	bh_rangeset_init(&set);
	r = addr_list_add_to(&set, l);
	if (r >= 0)
		r = bh_rangeset_subtract(s, &set);
	bh_rangeset_done(&set);
	return r;
}

/* The addresses of the endpoints of all services of a scope (or of the one service). */
static int services_list(struct resolver *r, const char *service, const char *scope, bool wide,
			 struct addr_list *ret)
{
	const struct policy_set *p = r->in->policies;
	size_t total = 0;
	uint32_t *v = NULL;

	for (int pass = 0; pass < 2; pass++) {
		if (pass) {
			v = bh_arena_array(r->arena, total + 1, sizeof(*v));
			if (!v)
				return -ENOMEM;
			total = 0;
		}
		for (size_t k = 0; k < p->n_services; k++) {
			const struct selection_list *l = &r->selection->endpoints_of[k];
			const struct service *s = &p->services[k];

			if (service ? strcmp(s->name, service) != 0
				    : !s->scope || strcmp(s->scope, scope) != 0)
				continue;
			if (pass && l->n)
				memcpy(v + total, l->i, l->n * sizeof(*v));
			total += l->n;
		}
	}
	return resolver_collect(r, v, total, wide, ret);
}

static int managed_list(struct resolver *r, bool wide, struct addr_list *ret)
{
	size_t n = r->in->endpoints->n, count = 0;
	bh_autofree uint32_t *v = calloc(n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		if (resolver_is_managed(r, i))
			v[count++] = i;
	return resolver_collect(r, v, count, wide, ret);
}

static int keep_endpoints(struct resolver *r, const struct peer *p, bool wide,
			  struct bh_rangeset *s)
{
	struct addr_list l;
	int ret = 0;

	if (p->service) {
		ret = services_list(r, p->service, NULL, wide, &l);
		ret = ret < 0 ? ret : keep_list(s, &l);
	}
	if (ret >= 0 && p->n_labels) {
		ret = resolver_labels(r, p->labels, p->n_labels, wide, &l);
		ret = ret < 0 ? ret : keep_list(s, &l);
	}
	if (ret >= 0 && p->scope) {
		ret = services_list(r, NULL, p->scope, wide, &l);
		ret = ret < 0 ? ret : keep_list(s, &l);
	}
	if (ret >= 0 && p->not_scope) { /* the fewer are inside, the more are outside */
		ret = services_list(r, NULL, p->not_scope, !wide, &l);
		ret = ret < 0 ? ret : drop_list(s, &l);
	}
	if (ret >= 0 && p->entity == ENTITY_MANAGED) {
		ret = managed_list(r, wide, &l);
		ret = ret < 0 ? ret : keep_list(s, &l);
	}
	return ret;
}

static int keep_group(const struct resolver *r, const char *name, struct bh_rangeset *s)
{
	const struct group *g = policy_set_group(r->in->policies, name);

	return bh_rangeset_keep_prefixes(s, g ? g->cidrs : NULL, g ? g->n_cidrs : 0, NULL, 0);
}

static int keep_host(const struct resolver *r, struct bh_rangeset *s)
{
	const struct endpoint_set *e = r->in->endpoints;
	struct bh_rangeset set;
	int ret = 0;

	bh_rangeset_init(&set);
	for (size_t i = 0; ret >= 0 && i < e->n_host_addrs; i++) {
		struct bh_range one = { e->host_addrs[i], e->host_addrs[i] };

		ret = bh_rangeset_add(&set, &one);
	}
	if (ret >= 0)
		ret = bh_rangeset_intersect(s, &set);
	bh_rangeset_done(&set);
	return ret;
}

/* `known` has the contested addresses: whose they are is not known, so the world may have them. */
static int keep_world(const struct resolver *r, bool wide, struct bh_rangeset *s)
{
	struct bh_rangeset known;
	int ret;

	bh_rangeset_init(&known);
	ret = bh_rangeset_add_all(&known, &r->known);
	if (ret >= 0 && wide)
		ret = bh_rangeset_subtract(&known, &r->denied);
	if (ret >= 0)
		ret = bh_rangeset_subtract(s, &known);
	bh_rangeset_done(&known);
	return ret;
}

static bool says_nothing(const struct peer *p)
{
	return !p->service && !p->n_labels && !p->group && !p->scope && !p->not_scope &&
	       !p->has_cidr && p->entity == ENTITY_NONE;
}

int guard_peer(struct resolver *r, const struct peer *p, bool wide, struct bh_rangeset *ret)
{
	struct bh_rangeset s;
	int error;

	if (says_nothing(p))
		return 0;
	bh_rangeset_init(&s);
	error = bh_rangeset_universe(&s);
	if (error >= 0)
		error = keep_endpoints(r, p, wide, &s);
	if (error >= 0 && p->group)
		error = keep_group(r, p->group, &s);
	if (error >= 0 && p->has_cidr)
		error = bh_rangeset_keep_prefixes(&s, &p->cidr, 1, p->except, p->n_except);
	if (error >= 0 && p->entity == ENTITY_HOST)
		error = keep_host(r, &s);
	if (error >= 0 && p->entity == ENTITY_WORLD)
		error = keep_world(r, wide, &s);
	if (error >= 0 && !wide)
		error = bh_rangeset_subtract(&s, &r->denied);
	if (error >= 0)
		error = bh_rangeset_add_all(ret, &s);
	bh_rangeset_done(&s);
	return error;
}
