/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "cover.h"
#include "lint.h"
#include "schema.h"

/*
 * What a rule allows and another allows already, or a guardrail denies. Of two that are equal the later
 * one is told, so that whoever removes all that is told still allows the same.
 */

struct covered {
	struct lint *l;
	struct cover_index rules;            /* of one service and direction */
	struct cover_index deny[DIRECTIONS]; /* of all guardrails */
	struct bh_vec found;                 /* struct found: [peer of one rule] */
	const struct service *svc;
};

struct found {
	const struct cover_item *by; /* NULL: nothing */
	bool no_address;
};

/* A deny: of a guardrail, as an item's owner. */
struct deny_ref {
	const struct guardrail *g;
	const struct deny *deny;
};

#define PEER_STR 200
static const char *peer_text(char out[PEER_STR], const struct peer *p)
{
	char prefix[BH_PREFIX_STR], shown[100];

	if (p->service)
		snprintf(out, PEER_STR, "service %s", p->service);
	else if (p->group)
		snprintf(out, PEER_STR, "group %s", p->group);
	else if (p->has_cidr)
		snprintf(out, PEER_STR, "%s", bh_prefix_format(prefix, &p->cidr));
	else if (p->n_labels)
		snprintf(out, PEER_STR, "label %s",
			 bh_escape_str(shown, sizeof(shown), p->labels->key));
	else
		snprintf(out, PEER_STR, "%s",
			 p->entity == ENTITY_WORLD     ? "entity world"
			 : p->entity == ENTITY_HOST    ? "entity host"
			 : p->entity == ENTITY_MANAGED ? "entity managed"
						       : "this peer");
	return out;
}

static bool is_addresses(const struct peer *p)
{
	return peer_is_cidr(p) || (p->group && !p->service && !p->n_labels);
}

/* --- by another rule ---------------------------------------------------------------------- */

static bool lasts_as_long(int64_t q, int64_t p)
{
	return !q || (p && q >= p);
}

static bool item_covers(struct lint *l, const struct cover_item *q, const struct cover_item *p)
{
	return lasts_as_long(q->expires, p->expires) &&
	       ports_inside(l, p->ports, p->n_ports, q->ports, q->n_ports) &&
	       peer_covers(l, q->peer, p->peer);
}

struct by_rule {
	struct lint *l;
	const struct cover_item *p, *outside, *inside;
};

static bool try_rule(const struct cover_item *q, void *arg)
{
	struct by_rule *s = arg;

	if (q == s->p || (q->owner == s->p->owner && s->inside) || !item_covers(s->l, q, s->p) ||
	    (q->order > s->p->order && item_covers(s->l, s->p, q)))
		return false;
	if (q->owner == s->p->owner)
		s->inside = q;
	else
		s->outside = q;
	return s->outside;
}

static int index_rules(struct covered *c, enum direction dir)
{
	const struct service *svc = c->svc;
	size_t order = 0;

	cover_reset(&c->rules);
	for (size_t k = 0; k < svc->n_rules[dir]; k++) {
		const struct rule *r = &svc->rules[dir][k];

		for (size_t i = 0; !rule_is_over(r, c->l->now) && i < r->n_peers; i++) {
			const struct cover_item item = { &r->peers[i], r->ports, r->n_ports,
							 r->expires,   r,        order++ };

			if (!peer_has_no_address(c->l, item.peer) &&
			    cover_add(&c->rules, &item) < 0)
				return -ENOMEM;
		}
	}
	cover_sort(&c->rules);
	return 0;
}

static void say_shadowed(struct covered *c, const struct rule *r, const struct found *found)
{
	const struct rule *by = NULL;
	char place[PLACE_MAX];
	bool more = false;

	for (size_t i = 0; i < r->n_peers; i++) {
		const struct rule *owner = found[i].by ? found[i].by->owner : NULL;

		more = more || (by && owner && owner != r && owner != by);
		by = owner && owner != r && !by ? owner : by;
	}
	lint_warn(c->l, ABOUT(c->svc, r), &r->loc, "shadowed-rule",
		  "remove this rule, or narrow the other one",
		  "all that this rule allows is allowed at %s%s already",
		  place_format(place, &by->loc), more ? " and by others" : "");
}

static void say_peer(struct covered *c, const struct rule *r, const struct peer *p,
		     const struct cover_item *by)
{
	char place[PLACE_MAX], inner[PEER_STR], outer[PEER_STR];
	bool addresses = is_addresses(p) && is_addresses(by->peer), equal;

	equal = strcmp(peer_text(inner, p), peer_text(outer, by->peer)) == 0;
	lint_warn(c->l, ABOUT(c->svc, r), &p->loc,
		  addresses ? "overlapping-cidrs" : "duplicate-peer",
		  addresses ? "remove the smaller one, or the larger one if that was not meant"
			    : "remove one of the two",
		  "%s%s%s%s is allowed at %s already, on the same ports", inner,
		  equal ? "" : ", which lies in ", equal ? "" : outer, equal ? "" : ",",
		  place_format(place, &by->peer->loc));
}

/* FOUND says of each peer of the rule by what it is covered. */
static void say_rule(struct covered *c, const struct rule *r, const struct found *found)
{
	bool whole = true, outside = false;

	/* Whatever covers a peer of this rule that covers another covers that one, too. */
	for (size_t i = 0; i < r->n_peers; i++) {
		bool by_other = found[i].by && found[i].by->owner != r;

		whole = whole && (by_other || found[i].no_address);
		outside = outside || by_other;
	}
	if (whole && outside) {
		say_shadowed(c, r, found);
		return;
	}
	for (size_t i = 0; i < r->n_peers; i++)
		if (found[i].by)
			say_peer(c, r, &r->peers[i], found[i].by);
}

static int found_room(struct covered *c, size_t n)
{
	c->found.n = 0;
	while (c->found.n < n)
		if (!bh_vec_push(&c->found))
			return -ENOMEM;
	if (n)
		memset(c->found.data, 0, n * sizeof(struct found));
	return 0;
}

/* The items of a rule stand together, in the order of its peers. */
static int check_rules(struct covered *c)
{
	const struct cover_item *items = c->rules.items.data;

	for (size_t k = 0; k < c->rules.items.n;) {
		const struct rule *r = items[k].owner;
		struct found *found;

		if (found_room(c, r->n_peers) < 0)
			return -ENOMEM;
		found = c->found.data;
		for (size_t i = 0; i < r->n_peers; i++)
			found[i].no_address = true;
		for (; k < c->rules.items.n && items[k].owner == r; k++) {
			struct by_rule s = { c->l, &items[k], NULL, NULL };
			struct found *f = &found[items[k].peer - r->peers];

			cover_find(c->l, &c->rules, items[k].peer, try_rule, &s);
			*f = (struct found) { s.outside ? s.outside : s.inside, false };
		}
		if (!c->l->exhausted)
			say_rule(c, r, found);
	}
	return 0;
}

/* --- by a guardrail ----------------------------------------------------------------------- */

static bool names_service(struct lint *l, const struct guardrail *g, const char *name)
{
	for (size_t i = 0; i < g->n_services && lint_step(l, 1); i++)
		if (strcmp(g->services[i], name) == 0)
			return true;
	return false;
}

/* Every endpoint of the service, for certain? */
static bool selects_all_of(struct lint *l, const struct guardrail *g, const struct service *svc)
{
	const struct peer by_labels = { .labels = g->labels, .n_labels = g->n_labels };
	const struct peer as_service = { .service = svc->name };

	if (g->all)
		return true;
	if (!g->n_labels && !g->scope && !g->n_services)
		return false;
	return (!g->n_labels || peer_covers(l, &by_labels, &as_service)) &&
	       (!g->scope || (svc->scope && strcmp(g->scope, svc->scope) == 0)) &&
	       (!g->n_services || names_service(l, g, svc->name));
}

struct by_guardrail {
	struct lint *l;
	const struct service *selected;
	const struct peer *peer;
	const struct rule *rule;
	const struct cover_item *by;
};

static bool is_excepted(const struct by_guardrail *s, const struct deny *d)
{
	for (size_t i = 0; i < d->n_unless && lint_step(s->l, 1); i++) {
		if (peers_disjoint(s->l, &d->unless[i].peer, s->peer))
			continue;
		for (size_t a = 0; a < d->unless[i].n_ports; a++)
			for (size_t b = 0; b < s->rule->n_ports; b++)
				if (ports_meet(&d->unless[i].ports[a], &s->rule->ports[b]))
					return true;
	}
	return false;
}

static bool try_deny(const struct cover_item *q, void *arg)
{
	struct by_guardrail *s = arg;
	const struct deny_ref *ref = q->owner;

	if (!ports_inside(s->l, s->rule->ports, s->rule->n_ports, q->ports, q->n_ports) ||
	    !peer_covers(s->l, q->peer, s->peer) || !selects_all_of(s->l, ref->g, s->selected) ||
	    is_excepted(s, ref->deny))
		return false;
	s->by = q;
	return true;
}

/* At the end whose rule it is, or at the other one if the peer is a service. */
static const struct cover_item *find_deny(struct covered *c, enum direction dir,
					  const struct rule *r, const struct peer *p)
{
	enum direction far_dir = dir == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	const struct service *far = p->service ? lint_service(c->l, p->service) : NULL;
	const struct peer near = { .service = c->svc->name };
	struct by_guardrail s = { c->l, c->svc, p, r, NULL };

	if (cover_find(c->l, &c->deny[dir], p, try_deny, &s))
		return s.by;
	if (!far)
		return NULL;
	s = (struct by_guardrail) { c->l, far, &near, r, NULL };
	return cover_find(c->l, &c->deny[far_dir], &near, try_deny, &s) ? s.by : NULL;
}

static void say_denied(struct covered *c, const struct rule *r, const struct peer *p,
		       const struct cover_item *by)
{
	const struct deny_ref *ref = by->owner;
	char place[PLACE_MAX];

	lint_warn(c->l, ABOUT(c->svc, r), p ? &p->loc : &r->loc, "shadowed-by-guardrail",
		  "remove it, or make an exception with unless: in the guardrail",
		  "guardrail %s (%s) denies all that this %s allows", ref->g->name,
		  place_format(place, &ref->deny->rule.loc), p ? "peer" : "rule");
}

static int check_denied(struct covered *c, enum direction dir, const struct rule *r)
{
	const struct cover_item *first = NULL;
	size_t denied = 0, peers = 0;
	struct found *found;

	if (found_room(c, r->n_peers) < 0)
		return -ENOMEM;
	found = c->found.data;
	for (size_t i = 0; i < r->n_peers; i++) {
		if (peer_has_no_address(c->l, &r->peers[i]))
			continue;
		peers++;
		found[i].by = find_deny(c, dir, r, &r->peers[i]);
		denied += found[i].by != NULL;
		first = first ? first : found[i].by;
	}
	if (!first || c->l->exhausted)
		return 0;
	if (denied == peers)
		say_denied(c, r, NULL, first);
	for (size_t i = 0; denied < peers && i < r->n_peers; i++)
		if (found[i].by)
			say_denied(c, r, &r->peers[i], found[i].by);
	return 0;
}

static int index_denies(struct covered *c, struct deny_ref *refs)
{
	const struct policy_set *set = c->l->set;
	size_t n = 0;

	for (size_t i = 0; i < set->n_guardrails; i++)
		for (size_t k = 0; k < set->guardrails[i].n_deny; k++) {
			const struct deny *d = &set->guardrails[i].deny[k];

			refs[n] = (struct deny_ref) { &set->guardrails[i], d };
			for (size_t p = 0; p < d->rule.n_peers; p++) {
				const struct cover_item item = { &d->rule.peers[p], d->rule.ports,
								 d->rule.n_ports,   0,
								 &refs[n],          n };

				if (cover_add(&c->deny[d->direction], &item) < 0)
					return -ENOMEM;
			}
			n++;
		}
	for (unsigned d = 0; d < DIRECTIONS; d++)
		cover_sort(&c->deny[d]);
	return 0;
}

static size_t count_denies(const struct policy_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n_guardrails; i++)
		n += set->guardrails[i].n_deny;
	return n;
}

/* --- all ---------------------------------------------------------------------------------- */

static int check_service(struct covered *c, const struct service *svc)
{
	int r = 0;

	c->svc = svc;
	for (unsigned d = 0; r >= 0 && d < DIRECTIONS; d++) {
		r = index_rules(c, (enum direction)d);
		if (r >= 0)
			r = check_rules(c);
		for (size_t k = 0; r >= 0 && c->l->set->n_guardrails && k < svc->n_rules[d]; k++)
			if (!rule_is_over(&svc->rules[d][k], c->l->now))
				r = check_denied(c, (enum direction)d, &svc->rules[d][k]);
	}
	return r;
}

int lint_covered(struct lint *l)
{
	const struct policy_set *set = l->set;
	bh_autofree struct deny_ref *refs = calloc(count_denies(set) + 1, sizeof(*refs));
	struct covered c = { .l = l };
	int r;

	cover_init(&c.rules);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		cover_init(&c.deny[d]);
	bh_vec_init(&c.found, sizeof(struct found), SIZE_MAX / sizeof(struct found));
	r = refs ? index_denies(&c, refs) : -ENOMEM;
	for (size_t i = 0; r >= 0 && i < set->n_services; i++)
		if (!set->services[i].is_k8s) /* there is no accept: in it, and a union is usual */
			r = check_service(&c, &set->services[i]);
	cover_done(&c.rules);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		cover_done(&c.deny[d]);
	bh_vec_done(&c.found);
	return r;
}
