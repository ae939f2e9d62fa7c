/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lint.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

#include "schema.h"

#define DAY  86400
#define SOON ((int64_t)BH_EXPIRES_SOON_DAYS * DAY)

enum { V4 = 1, V6 = 2, BOTH = V4 | V6 };

static unsigned family_bit(const struct bh_prefix *p)
{
	return p->addr.family == AF_INET ? V4 : V6;
}

static bool prefixes_meet(const struct bh_prefix *a, const struct bh_prefix *b)
{
	return a->addr.family == b->addr.family &&
	       (bh_prefix_contains(a, &b->addr) || bh_prefix_contains(b, &a->addr));
}

/* Address families this peer can have; 0 = no address at all. */
static unsigned peer_families(const struct lint *l, const struct peer *p)
{
	const struct group *g = p->group ? lint_group(l, p->group) : NULL;
	unsigned families = p->has_cidr ? family_bit(&p->cidr) : BOTH, in_group = 0;

	for (size_t i = 0; p->has_cidr && i < p->n_except; i++)
		if (p->except[i].len == p->cidr.len)
			return 0;
	for (size_t i = 0; g && i < g->n_cidrs && in_group != families; i++)
		if (!p->has_cidr || prefixes_meet(&p->cidr, &g->cidrs[i]))
			in_group |= family_bit(&g->cidrs[i]);
	return g ? families & in_group : families;
}

bool peer_has_no_address(const struct lint *l, const struct peer *p)
{
	return !peer_families(l, p);
}

static void lint_expiry(struct lint *l, const struct lint_about *about, const struct rule *r)
{
	char when[BH_TIME_STR];

	if (!r->expires)
		return;
	lint_later(l, about, "expired-rule");
	if (!rule_is_over(r, l->now))
		lint_later(l, about, "expires-soon");
	if (r->expires > l->now + SOON)
		return;
	bh_format_time(when, r->expires * 1000000);
	if (rule_is_over(r, l->now))
		lint_warn(l, about, &r->loc, "expired-rule", "renew expires: or remove the rule",
			  "this rule expired at %s and allows nothing any more", when);
	else
		lint_warn(l, about, &r->loc, "expires-soon",
			  "renew expires: in time, or let it end",
			  "this rule expires in %lld days, at %s",
			  (long long)((r->expires - l->now) / DAY), when);
}

/* 0.0.0.0/0 is more than the Internet: it names the metadata address and every container too. */
static void lint_everything(struct lint *l, const struct lint_about *about, const struct peer *p,
			    enum direction dir)
{
	char text[BH_PREFIX_STR];

	if (dir == DIRECTION_EGRESS && p->has_cidr && p->cidr.len == 0 && !p->n_except &&
	    !p->service && !p->n_labels && !p->group && p->entity == ENTITY_NONE)
		lint_warn(l, about, &p->loc, "whole-family",
			  "entity: world leaves out containers, the host and metadata addresses",
			  "%s includes containers, the host and the cloud metadata address",
			  bh_prefix_format(text, &p->cidr));
}

static void lint_icmp(struct lint *l, const struct lint_about *about, const struct rule *r,
		      unsigned families)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		uint16_t proto = r->ports[i].proto;

		if (proto == IPPROTO_ICMP && families == V6)
			lint_warn(l, about, &r->loc, "icmp-family", "write icmpv6",
				  "icmp is IPv4, but every peer of this rule is IPv6");
		else if (proto == IPPROTO_ICMPV6 && families == V4)
			lint_warn(l, about, &r->loc, "icmp-family", "write icmp",
				  "icmpv6 is IPv6, but every peer of this rule is IPv4");
	}
}

static void lint_rule(struct lint *l, const struct lint_about *about, const struct rule *r,
		      enum direction dir)
{
	const char *key = dir == DIRECTION_EGRESS ? "to" : "from";
	unsigned families = 0;

	lint_expiry(l, about, r);
	if (!r->n_peers)
		lint_warn(l, about, &r->loc, "no-peers", "name a peer or remove the rule",
			  "%s: [] matches nothing", key);
	for (size_t i = 0; i < r->n_peers; i++) {
		const struct peer *p = &r->peers[i];
		unsigned has = peer_families(l, p);

		if (!has)
			lint_warn(l, about, &p->loc, "no-address", NULL,
				  "no address is in all that this peer names: it matches nothing");
		lint_everything(l, about, p, dir);
		families |= has;
	}
	lint_icmp(l, about, r, families);
}

/* What is denied needs peers and families as what is allowed does, and may name everything. */
static void lint_guardrail(struct lint *l, const struct guardrail *g)
{
	for (size_t i = 0; i < g->n_deny; i++) {
		const struct rule *r = &g->deny[i].rule;
		const struct lint_about *about = ABOUT(g, r);
		unsigned families = 0;

		if (!r->n_peers)
			lint_warn(l, about, &r->loc, "no-peers", "name a peer or remove the entry",
				  "%s: [] denies nothing",
				  g->deny[i].direction == DIRECTION_EGRESS ? "to" : "from");
		for (size_t k = 0; k < r->n_peers; k++) {
			unsigned has = peer_families(l, &r->peers[k]);

			if (!has)
				lint_warn(l, about, &r->peers[k].loc, "no-address", NULL,
					  "no address is in all that this peer names: nothing is "
					  "denied");
			families |= has;
		}
		lint_icmp(l, about, r, families);
	}
}

void lint_rules(struct lint *l)
{
	for (size_t i = 0; i < l->set->n_services; i++) {
		const struct service *svc = &l->set->services[i];

		for (unsigned d = 0; !svc->is_k8s && d < DIRECTIONS; d++)
			for (size_t k = 0; k < svc->n_rules[d]; k++)
				lint_rule(l, ABOUT(svc, &svc->rules[d][k]), &svc->rules[d][k],
					  (enum direction)d);
	}
	for (size_t i = 0; i < l->set->n_guardrails; i++)
		lint_guardrail(l, &l->set->guardrails[i]);
}
