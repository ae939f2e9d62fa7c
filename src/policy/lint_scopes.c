/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/text.h>
#include <bulkhead/model/insecure.h>

#include "cover.h"

#define DAY 86400

/*
 * A flow crosses a scope when one end is in it and the other may lie outside. What a rule outside
 * says of labels, prefixes or everybody is not taken for a crossing: the scope's own rule is.
 */

/* The scope of the service that a peer names, or NULL. */
static const char *scope_of(const struct lint *l, const struct peer *p)
{
	const struct service *s = p->service ? lint_service(l, p->service) : NULL;

	return s ? s->scope : NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Does a rule of a service in SCOPE reach out of it? */
static bool leaves(const struct lint *l, const struct rule *r, const char *scope)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (!same(scope_of(l, &r->peers[i]), scope))
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

static void check_fields(struct lint *l, const struct service *svc, const struct rule *r,
			 const struct scope *s)
{
	char hint[HINT_MAX];

	for (int f = 0; f < SCOPE_FIELDS; f++) {
		const char *name = scope_field_name((enum scope_field)f);

		if (!s->require[f] || has_field(svc, r, (enum scope_field)f))
			continue;
		snprintf(hint, sizeof(hint), "add %s: to %s %s", name,
			 f == SCOPE_OWNER ? "service" : "this rule of", svc->name);
		lint_warn(l, ABOUT(svc, r), &r->loc, "scope-field", hint,
			  "this flow crosses scope %s, which requires \"%s\"", s->name, name);
	}
}

static void check_review(struct lint *l, const struct service *svc, const struct rule *r,
			 const struct scope *s)
{
	int64_t t;

	if (!s->review_days || (!r->reviewed && s->require[SCOPE_REVIEWED]))
		return;
	lint_later(l, ABOUT(svc, r), "review-due");
	if (!r->reviewed)
		lint_warn(l, ABOUT(svc, r), &r->loc, "review-due",
			  "look at it and write today's date in reviewed:",
			  "this flow crosses scope %s, which wants it reviewed every %u days, and "
			  "says of no review",
			  s->name, s->review_days);
	else if (bh_parse_date(r->reviewed, &t) >= 0 && t + (int64_t)s->review_days * DAY <= l->now)
		lint_warn(l, ABOUT(svc, r), &r->loc, "review-due",
			  "look at it again and write today's date in reviewed:",
			  "this flow crosses scope %s and was last reviewed at %s, more than %u "
			  "days ago",
			  s->name, r->reviewed, s->review_days);
}

static void check_scope(struct lint *l, const struct service *svc, const struct rule *r,
			const struct scope *s)
{
	check_fields(l, svc, r, s);
	check_review(l, svc, r, s);
}

/* Scopes that were looked at for one rule, so that each is said once. */
struct seen {
	size_t *rule_of; /* [scope] */
	size_t rule;
};

static void check_crossing(struct lint *l, const struct service *svc, const struct rule *r,
			   struct seen *seen)
{
	const struct scope *s;

	seen->rule++;
	if (svc->scope && leaves(l, r, svc->scope) && (s = lint_scope(l, svc->scope)))
		check_scope(l, svc, r, s);
	for (size_t i = 0; i < r->n_peers; i++) {
		const char *name = scope_of(l, &r->peers[i]);

		s = name && !same(name, svc->scope) ? lint_scope(l, name) : NULL;
		if (!s || seen->rule_of[s - l->set->scopes] == seen->rule)
			continue;
		seen->rule_of[s - l->set->scopes] = seen->rule;
		check_scope(l, svc, r, s);
	}
}

static bool is_world(const struct peer *p)
{
	return p->entity == ENTITY_WORLD ? !p->has_cidr || !p->cidr.len
					 : peer_is_cidr(p) && !p->cidr.len;
}

static void check_world(struct lint *l, const struct service *svc, const struct rule *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		if (is_world(&r->peers[i]))
			lint_warn(l, ABOUT(svc, r), &r->peers[i].loc, "world-egress",
				  "name the destinations with cidr: or group:",
				  "%s is in scope %s and may send to the whole world from here",
				  svc->name, svc->scope);
}

/* What stays in the scope is told at its destination alone. */
static void check_insecure(struct lint *l, const struct service *svc, const struct rule *r,
			   enum direction d)
{
	char port[PORT_SPEC_STR];

	if (d == DIRECTION_EGRESS && !leaves(l, r, svc->scope))
		return;
	for (size_t i = 0; i < r->n_ports; i++) {
		const struct insecure_port *known = insecure_port_find(&r->ports[i]);

		if (!known)
			continue;
		lint_warn(l, ABOUT(svc, r), &r->loc, "insecure-port",
			  "use a secure one, or accept it and say what makes up for it",
			  "%s is in scope %s, and %s is %s", svc->name, svc->scope,
			  port_spec_format(port, &r->ports[i]), known->what);
		return;
	}
}

static void check_inside(struct lint *l, const struct service *svc, const struct rule *r,
			 enum direction d)
{
	check_insecure(l, svc, r, d);
	if (d == DIRECTION_EGRESS)
		check_world(l, svc, r);
}

int lint_scopes(struct lint *l)
{
	struct seen seen = { calloc(l->set->n_scopes + 1, sizeof(size_t)), 0 };

	if (!seen.rule_of)
		return -ENOMEM;
	for (size_t i = 0; l->set->n_scopes && i < l->set->n_services; i++) {
		const struct service *svc = &l->set->services[i];

		for (int d = 0; d < DIRECTIONS; d++)
			for (size_t k = 0; k < svc->n_rules[d]; k++) {
				const struct rule *r = &svc->rules[d][k];

				if (rule_is_over(r, l->now))
					continue;
				check_crossing(l, svc, r, &seen);
				if (svc->scope)
					check_inside(l, svc, r, (enum direction)d);
			}
	}
	free(seen.rule_of);
	return 0;
}
