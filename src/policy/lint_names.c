/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/cleanup.h>

#include "cover.h"
#include "lint.h"
#include "schema.h"

/* Groups and scopes: named by nobody, and groups that say a thing twice. */

struct uses {
	bool *group, *scope;         /* [group], [scope]: somebody names it */
	const struct guardrail **by; /* [scope]: the first guardrail that does */
};

static void use_group(struct lint *l, struct uses *u, const struct peer *p)
{
	const struct group *g = p->group ? lint_group(l, p->group) : NULL;

	if (g)
		u->group[g - l->set->groups] = true;
}

static void guardrail_names(struct lint *l, struct uses *u, const struct guardrail *g,
			    const char *scope)
{
	const struct scope *s = scope ? lint_scope(l, scope) : NULL;

	if (s && !u->by[s - l->set->scopes])
		u->by[s - l->set->scopes] = g;
}

static void use_guardrail_peer(struct lint *l, struct uses *u, const struct guardrail *g,
			       const struct peer *p)
{
	use_group(l, u, p);
	guardrail_names(l, u, g, p->scope);
	guardrail_names(l, u, g, p->not_scope);
}

static void use_guardrail(struct lint *l, struct uses *u, const struct guardrail *g)
{
	guardrail_names(l, u, g, g->scope);
	for (size_t i = 0; i < g->n_deny; i++) {
		const struct deny *d = &g->deny[i];

		for (size_t k = 0; k < d->rule.n_peers; k++)
			use_guardrail_peer(l, u, g, &d->rule.peers[k]);
		for (size_t k = 0; k < d->n_unless; k++)
			use_guardrail_peer(l, u, g, &d->unless[k].peer);
	}
}

static void use_service(struct lint *l, struct uses *u, const struct service *svc)
{
	const struct scope *s = svc->scope ? lint_scope(l, svc->scope) : NULL;

	if (s)
		u->scope[s - l->set->scopes] = true;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t k = 0; k < svc->n_rules[d]; k++)
			for (size_t i = 0; i < svc->rules[d][k].n_peers; i++)
				use_group(l, u, &svc->rules[d][k].peers[i]);
}

static void say_unused(struct lint *l, const struct uses *u)
{
	char place[PLACE_MAX];

	for (size_t i = 0; i < l->set->n_groups; i++) {
		const struct group *g = &l->set->groups[i];

		if (!u->group[i])
			lint_warn(l, ABOUT_DOCUMENT(g), &g->loc, "unused-group",
				  "name it in a rule, or remove it",
				  "no rule and no guardrail names group %s", g->name);
	}
	for (size_t i = 0; i < l->set->n_scopes; i++) {
		const struct scope *s = &l->set->scopes[i];

		if (u->scope[i])
			continue;
		if (u->by[i])
			lint_warn(l, ABOUT_DOCUMENT(s), &s->loc, "unused-scope",
				  "write scope: into its services",
				  "no service is in scope %s, which guardrail %s (%s) is about",
				  s->name, u->by[i]->name, place_format(place, &u->by[i]->loc));
		else
			lint_warn(l, ABOUT_DOCUMENT(s), &s->loc, "unused-scope",
				  "write scope: into its services, or remove it",
				  "no service is in scope %s", s->name);
	}
}

static int lint_unused(struct lint *l)
{
	size_t groups = l->set->n_groups, scopes = l->set->n_scopes;
	bh_autofree bool *group = calloc(groups + 1, sizeof(*group));
	bh_autofree bool *scope = calloc(scopes + 1, sizeof(*scope));
	bh_autofree const struct guardrail **by = calloc(scopes + 1, sizeof(*by));
	struct uses u = { group, scope, by };

	if (!group || !scope || !by)
		return -ENOMEM;
	for (size_t i = 0; i < l->set->n_services; i++)
		use_service(l, &u, &l->set->services[i]);
	for (size_t i = 0; i < l->set->n_guardrails; i++)
		use_guardrail(l, &u, &l->set->guardrails[i]);
	say_unused(l, &u);
	return 0;
}

/* --- prefixes of one group ---------------------------------------------------------------- */

struct numbered {
	struct bh_prefix p;
	size_t i;
};

static int numbered_cmp(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int r = bh_addr_cmp(&x->p.addr, &y->p.addr);

	if (r == 0)
		r = x->p.len - y->p.len;
	return r ? r : (x->i > y->i) - (x->i < y->i);
}

static const struct src_loc *cidr_loc(const struct group *g, size_t i)
{
	return g->cidr_locs ? &g->cidr_locs[i] : &g->loc;
}

static void say_overlap(struct lint *l, const struct group *g, const struct numbered *inner,
			const struct numbered *outer)
{
	char place[PLACE_MAX], a[BH_PREFIX_STR], b[BH_PREFIX_STR];
	bool equal = inner->p.len == outer->p.len;

	lint_warn(l, ABOUT_DOCUMENT(g), cidr_loc(g, inner->i), "overlapping-cidrs",
		  "remove the smaller one, or the larger one if that was not meant",
		  "%s%s%s is in group %s already (%s)", bh_prefix_format(a, &inner->p),
		  equal ? "" : " lies in ", equal ? "" : bh_prefix_format(b, &outer->p), g->name,
		  place_format(place, cidr_loc(g, outer->i)));
}

static int lint_group_overlaps(struct lint *l, const struct group *g)
{
	bh_autofree struct numbered *n = calloc(g->n_cidrs + 1, sizeof(*n));
	size_t outer = 0;

	if (!n)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_cidrs; i++)
		n[i] = (struct numbered) { g->cidrs[i], i };
	qsort(n, g->n_cidrs, sizeof(*n), numbered_cmp);
	for (size_t i = 1; i < g->n_cidrs; i++)
		if (prefix_inside(&n[i].p, &n[outer].p))
			say_overlap(l, g, &n[i], &n[outer]);
		else
			outer = i;
	return 0;
}

int lint_names(struct lint *l)
{
	int r = lint_unused(l);

	for (size_t i = 0; r >= 0 && i < l->set->n_groups; i++) {
		const struct group *g = &l->set->groups[i];

		if (!g->n_cidrs)
			lint_warn(l, ABOUT_DOCUMENT(g), &g->loc, "no-address",
				  "add a prefix to cidrs:",
				  "group \"%s\" is empty: a peer that names it matches nothing",
				  g->name);
		r = lint_group_overlaps(l, g);
	}
	return r;
}
