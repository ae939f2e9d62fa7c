/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

/* The search goes from the rules to the claims of addresses: peers are few, endpoints are many. */
struct search {
	const struct claims *claims;
	const bool *wanted;
	struct bh_vec *hits;
	uint32_t service, rule;
};

static int add_hit(struct search *s, const struct claim *c)
{
	uint32_t home = s->claims->namespace_of[c->endpoint];
	struct follow_hit *h;

	if (!s->wanted[home])
		return 0;
	h = bh_vec_push(s->hits);
	if (!h)
		return s->hits->n == s->hits->max ? -E2BIG : -ENOMEM;
	*h = (struct follow_hit) { home, s->service, s->rule,
				   c->addr.family == AF_INET ? FOLLOW_V4 : FOLLOW_V6 };
	return 0;
}

static int search_singles(struct search *s, const struct addr_list *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++) {
		size_t n;
		const struct claim *c = claims_find(s->claims, &l->a[i], &n);

		for (size_t k = 0; r >= 0 && k < n; k++)
			r = add_hit(s, &c[k]);
	}
	return r;
}

/* The world needs no search: it has no managed endpoint in it. */
static int search_target(struct search *s, const struct target *t)
{
	int r = search_singles(s, &t->singles);

	for (size_t i = 0; r >= 0 && i < t->n_ranges; i++) {
		size_t k = claims_lower(s->claims, &t->ranges[i].lo);

		for (; r >= 0 && k < s->claims->n; k++) {
			if (!bh_range_contains(&t->ranges[i], &s->claims->c[k].addr))
				break;
			r = add_hit(s, &s->claims->c[k]);
		}
	}
	return r;
}

int follow_hit_cmp(const void *a, const void *b)
{
	const struct follow_hit *x = a, *y = b;

	if (x->home != y->home)
		return x->home < y->home ? -1 : 1;
	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Several addresses of one namespace may be let in by one rule. */
void follow_join(struct bh_vec *v)
{
	struct follow_hit *h = v->data;
	size_t out = 0;

	if (v->n)
		qsort(h, v->n, sizeof(*h), follow_hit_cmp);
	for (size_t i = 0; i < v->n; i++) {
		if (out && follow_hit_cmp(&h[out - 1], &h[i]) == 0)
			h[out - 1].families |= h[i].families;
		else
			h[out++] = h[i];
	}
	v->n = out;
}

int follow_search(const struct claims *claims, const bool *wanted, uint32_t service, uint32_t rule,
		  const struct target *target, struct bh_vec *ret)
{
	struct search s = { claims, wanted, ret, service, rule };

	return search_target(&s, target);
}

void follow_init(struct bh_vec *hits)
{
	bh_vec_init(hits, sizeof(struct follow_hit),
		    (size_t)BH_RULESET_RULES_MAX * BH_ENDPOINTS_MAX);
}

int follow_find(const struct resolver *r, const struct live_service *live, const bool *wanted,
		struct bh_vec *ret)
{
	size_t n_services = r->in->policies->n_services;
	int error = 0;

	follow_init(ret);
	for (uint32_t k = 0; error >= 0 && k < n_services; k++) {
		const struct live_rule *rules = live[k].rules[DIRECTION_INGRESS];

		for (uint32_t i = 0; error >= 0 && i < live[k].n[DIRECTION_INGRESS]; i++)
			error = follow_search(&r->claims, wanted, k, i, &rules[i].piece.target,
					      ret);
	}
	follow_join(ret);
	return error;
}
