/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include "set.h"

#define DAY 86400

/*
 * A flow crosses a scope when one end is in it and the other may lie outside. What a rule outside
 * says of labels, prefixes or everybody is not taken for a crossing: the scope's own rule is.
 */
struct crossing {
	const struct lint *l;
	struct name_entry *names; /* of all services, sorted */
};

/* The scope of the service that a peer names, or NULL. */
static const char *scope_of(const struct crossing *c, const struct peer *p)
{
	const struct name_entry *e =
		p->service ? names_find(c->names, c->l->set->n_services, p->service) : NULL;

	return e ? c->l->set->services[e->index].scope : NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Does a rule of a service in SCOPE reach out of it? */
static bool leaves(const struct crossing *c, const struct rule *r, const char *scope)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (!same(scope_of(c, &r->peers[i]), scope))
			return true;
	return false;
}

/* Does a peer before the I-th name this scope already? */
static bool named_before(const struct crossing *c, const struct rule *r, size_t i,
			 const char *scope)
{
	for (size_t k = 0; k < i; k++)
		if (same(scope_of(c, &r->peers[k]), scope))
			return true;
	return false;
}

static bool has_field(const struct service *svc, const struct rule *r, enum scope_field f)
{
	switch (f) {
	case SCOPE_REASON:
		return r->reason;
	case SCOPE_OWNER:
		return svc->owner;
	case SCOPE_REVIEWED:
		return r->reviewed;
	case SCOPE_TICKET:
		return r->ticket;
	}
	return true;
}

static void check_fields(const struct lint *l, const struct service *svc, const struct rule *r,
			 const struct scope *s)
{
	char hint[HINT_MAX];

	for (int f = 0; f < SCOPE_FIELDS; f++) {
		const char *name = scope_field_name((enum scope_field)f);

		if (!s->require[f] || has_field(svc, r, (enum scope_field)f))
			continue;
		snprintf(hint, sizeof(hint), "add %s: to %s %s", name,
			 f == SCOPE_OWNER ? "service" : "this rule of", svc->name);
		diag_add(l->diags, DIAG_WARNING, &r->loc, "scope-field", hint,
			 "this flow crosses scope %s, which requires \"%s\"", s->name, name);
	}
}

static void check_review(const struct lint *l, const struct rule *r, const struct scope *s)
{
	int64_t t;

	if (!s->review_days || !r->reviewed || bh_parse_date(r->reviewed, &t) < 0 ||
	    t + (int64_t)s->review_days * DAY > l->now)
		return;
	diag_add(l->diags, DIAG_WARNING, &r->loc, "review-due",
		 "look at it again and write today's date in reviewed:",
		 "this flow crosses scope %s and was last reviewed at %s, more than %u days ago",
		 s->name, r->reviewed, s->review_days);
}

static void check_scope(const struct lint *l, const struct service *svc, const struct rule *r,
			const char *name)
{
	const struct scope *s = policy_set_scope(l->set, name);

	if (!s)
		return;
	check_fields(l, svc, r, s);
	check_review(l, r, s);
}

static void check_rule(const struct crossing *c, const struct service *svc, const struct rule *r)
{
	if (rule_is_over(r, c->l->now))
		return;
	if (svc->scope && leaves(c, r, svc->scope))
		check_scope(c->l, svc, r, svc->scope);
	for (size_t i = 0; i < r->n_peers; i++) {
		const char *scope = scope_of(c, &r->peers[i]);

		if (scope && !same(scope, svc->scope) && !named_before(c, r, i, scope))
			check_scope(c->l, svc, r, scope);
	}
}

int lint_scopes(const struct lint *l)
{
	size_t n = l->set->n_services;
	bh_autofree struct name_entry *names = calloc(n + 1, sizeof(*names));
	const struct crossing c = { l, names };

	if (!names)
		return -ENOMEM;
	if (!l->set->n_scopes)
		return 0;
	for (size_t i = 0; i < n; i++)
		names[i] = (struct name_entry) { l->set->services[i].name, i };
	names_sort(names, n);
	for (size_t i = 0; i < n; i++) {
		const struct service *svc = &l->set->services[i];

		for (int d = 0; d < DIRECTIONS; d++)
			for (size_t k = 0; k < svc->n_rules[d]; k++)
				check_rule(&c, svc, &svc->rules[d][k]);
	}
	return 0;
}
