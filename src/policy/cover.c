/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cover.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lint.h"

bool prefix_inside(const struct bh_prefix *inner, const struct bh_prefix *outer)
{
	return inner->addr.family == outer->addr.family && inner->len >= outer->len &&
	       bh_prefix_contains(outer, &inner->addr);
}

static bool prefixes_meet(const struct bh_prefix *a, const struct bh_prefix *b)
{
	return prefix_inside(a, b) || prefix_inside(b, a);
}

bool port_inside(const struct port_spec *inner, const struct port_spec *outer)
{
	if (outer->proto == PROTO_ANY)
		return true;
	return inner->proto == outer->proto && inner->lo >= outer->lo && inner->hi <= outer->hi;
}

bool ports_inside(struct lint *l, const struct port_spec *a, size_t n_a, const struct port_spec *b,
		  size_t n_b)
{
	for (size_t i = 0; i < n_a; i++) {
		size_t k = 0;

		if (!lint_step(l, n_b))
			return false;
		while (k < n_b && !port_inside(&a[i], &b[k]))
			k++;
		if (k == n_b)
			return false;
	}
	return true;
}

bool ports_meet(const struct port_spec *a, const struct port_spec *b)
{
	if (a->proto == PROTO_ANY || b->proto == PROTO_ANY)
		return true;
	return a->proto == b->proto && a->lo <= b->hi && b->lo <= a->hi;
}

/* --- groups ------------------------------------------------------------------------------- */

static int prefix_cmp(const void *a, const void *b)
{
	const struct bh_prefix *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : x->len - y->len;
}

static int group_cover_make(struct group_cover *ret, const struct group *g)
{
	ret->p = calloc(g->n_cidrs + 1, sizeof(*ret->p));
	if (!ret->p)
		return -ENOMEM;
	if (!g->n_cidrs)
		return 0;
	memcpy(ret->p, g->cidrs, g->n_cidrs * sizeof(*ret->p));
	qsort(ret->p, g->n_cidrs, sizeof(*ret->p), prefix_cmp);
	for (size_t i = 0; i < g->n_cidrs; i++)
		if (!ret->n || !prefix_inside(&ret->p[i], &ret->p[ret->n - 1]))
			ret->p[ret->n++] = ret->p[i];
	return 0;
}

struct group_cover *group_covers_new(const struct policy_set *set)
{
	struct group_cover *g = calloc(set->n_groups + 1, sizeof(*g));

	for (size_t i = 0; g && i < set->n_groups; i++)
		if (group_cover_make(&g[i], &set->groups[i]) < 0) {
			group_covers_free(g, i);
			return NULL;
		}
	return g;
}

void group_covers_free(struct group_cover *g, size_t n)
{
	for (size_t i = 0; g && i < n; i++)
		free(g[i].p);
	free(g);
}

bool group_cover_has(const struct group_cover *g, const struct bh_prefix *p)
{
	size_t lo = 0, hi = g->n;

	while (lo < hi) { /* the last that does not begin after P */
		size_t mid = lo + (hi - lo) / 2;

		if (prefix_cmp(&g->p[mid], p) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && prefix_inside(p, &g->p[lo - 1]);
}

static const struct group_cover *cover_of(const struct lint *l, const char *name)
{
	const struct group *g = name ? lint_group(l, name) : NULL;

	return g ? &l->group_covers[g - l->set->groups] : NULL;
}

/* --- two peers ---------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool has_label(const struct label *in, size_t n, const struct label *l)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(in[i].key, l->key) == 0 && strcmp(in[i].value, l->value) == 0)
			return true;
	return false;
}

static bool has_labels(struct lint *l, const struct peer *q, const struct peer *p)
{
	const struct service *s = p->service ? lint_service(l, p->service) : NULL;

	for (size_t i = 0; i < q->n_labels; i++)
		if (!has_label(p->labels, p->n_labels, &q->labels[i]) &&
		    !(s && has_label(s->select.labels, s->select.n_labels, &q->labels[i])))
			return false;
	return true;
}

/* All of a group in another, or in a prefix and out of what it excepts. */
static bool group_inside(struct lint *l, const struct group_cover *g, const struct peer *q)
{
	const struct group_cover *outer = cover_of(l, q->group);

	for (size_t i = 0; i < g->n; i++) {
		if (!lint_step(l, 1 + q->n_except))
			return false;
		if (outer && !group_cover_has(outer, &g->p[i]))
			return false;
		if (q->has_cidr && !prefix_inside(&g->p[i], &q->cidr))
			return false;
		for (size_t k = 0; k < q->n_except; k++)
			if (prefixes_meet(&g->p[i], &q->except[k]))
				return false;
	}
	return g->n > 0;
}

static bool is_excepted(const struct bh_prefix *x, const struct peer *p)
{
	if (!prefixes_meet(x, &p->cidr))
		return true;
	for (size_t i = 0; i < p->n_except; i++)
		if (prefix_inside(x, &p->except[i]))
			return true;
	return false;
}

static bool cidr_covers(struct lint *l, const struct peer *q, const struct peer *p)
{
	const struct group_cover *g = cover_of(l, p->group);

	if (!p->has_cidr)
		return g && group_inside(l, g, q);
	if (!prefix_inside(&p->cidr, &q->cidr))
		return false;
	for (size_t i = 0; i < q->n_except; i++)
		if (!is_excepted(&q->except[i], p))
			return false;
	return true;
}

static bool group_covers(struct lint *l, const struct peer *q, const struct peer *p)
{
	const struct group_cover *outer = cover_of(l, q->group), *inner = cover_of(l, p->group);

	if (same(q->group, p->group) || (outer && p->has_cidr && group_cover_has(outer, &p->cidr)))
		return true;
	return inner && group_inside(l, inner, q);
}

static bool entity_covers(const struct peer *q, const struct peer *p)
{
	return q->entity == p->entity ||
	       (q->entity == ENTITY_MANAGED && (p->service || p->n_labels));
}

/* Certainly no member of the scope: whoever is that service is nothing in it. */
static bool is_outside(struct lint *l, const char *scope, const struct peer *p)
{
	const struct service *s = p->service ? lint_service(l, p->service) : NULL;
	const struct overlap *others;

	if (same(p->not_scope, scope) || p->entity == ENTITY_WORLD)
		return true;
	if (!s || overlaps_get(&l->overlaps, lint_service_index(l, s), &others) < 0 ||
	    !lint_step(l, others->n))
		return false;
	for (size_t i = 0; i < others->n; i++)
		if (same(l->set->services[others->i[i]].scope, scope))
			return false;
	return true;
}

static bool scope_covers(const struct lint *l, const struct peer *q, const struct peer *p)
{
	const struct service *s = p->service ? lint_service(l, p->service) : NULL;

	return same(q->scope, p->scope) || (s && same(q->scope, s->scope));
}

bool peer_covers(struct lint *l, const struct peer *q, const struct peer *p)
{
	if (!q->service && !q->n_labels && !q->group && !q->has_cidr && !q->scope &&
	    !q->not_scope && q->entity == ENTITY_NONE)
		return false;
	return (!q->service || same(q->service, p->service)) &&
	       (!q->n_labels || has_labels(l, q, p)) && (!q->group || group_covers(l, q, p)) &&
	       (!q->has_cidr || cidr_covers(l, q, p)) &&
	       (q->entity == ENTITY_NONE || entity_covers(q, p)) &&
	       (!q->scope || scope_covers(l, q, p)) &&
	       (!q->not_scope || is_outside(l, q->not_scope, p));
}

bool peers_disjoint(struct lint *l, const struct peer *q, const struct peer *p)
{
	const struct service *a = q->service ? lint_service(l, q->service) : NULL;
	const struct service *b = p->service ? lint_service(l, p->service) : NULL;

	if (q->has_cidr && p->has_cidr && !prefixes_meet(&q->cidr, &p->cidr))
		return true;
	if ((a && p->entity == ENTITY_WORLD) || (b && q->entity == ENTITY_WORLD))
		return true;
	return a && b && a != b && selectors_disjoint(&a->select, &b->select);
}
