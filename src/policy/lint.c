/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lint.h"
#include "schema.h"

#define DAY  86400
#define SOON (14 * DAY)

enum { V4 = 1, V6 = 2, BOTH = V4 | V6 };

#define warn(l, loc, id, hint, ...) diag_add((l)->diags, DIAG_WARNING, loc, id, hint, __VA_ARGS__)

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
	const struct group *g = p->group ? policy_set_group(l->set, p->group) : NULL;
	unsigned families = p->has_cidr ? family_bit(&p->cidr) : BOTH, in_group = 0;

	for (size_t i = 0; p->has_cidr && i < p->n_except; i++)
		if (p->except[i].len == p->cidr.len)
			return 0;
	for (size_t i = 0; g && i < g->n_cidrs && in_group != families; i++)
		if (!p->has_cidr || prefixes_meet(&p->cidr, &g->cidrs[i]))
			in_group |= family_bit(&g->cidrs[i]);
	return g ? families & in_group : families;
}

static void lint_expiry(const struct lint *l, const struct rule *r)
{
	char when[BH_TIME_STR];

	if (!r->expires || r->expires > l->now + SOON)
		return;
	bh_format_time(when, r->expires * 1000000);
	if (rule_is_over(r, l->now))
		warn(l, &r->loc, "expired-rule", "renew expires: or remove the rule",
		     "this rule expired at %s and allows nothing any more", when);
	else
		warn(l, &r->loc, "expires-soon", "renew expires: in time, or let it end",
		     "this rule expires in %lld days, at %s",
		     (long long)((r->expires - l->now) / DAY), when);
}

/* 0.0.0.0/0 is more than the Internet: it names the metadata address and every container too. */
static void lint_everything(const struct lint *l, const struct peer *p, enum direction dir)
{
	char text[BH_PREFIX_STR];

	if (dir == DIRECTION_EGRESS && p->has_cidr && p->cidr.len == 0 && !p->n_except &&
	    !p->service && !p->n_labels && !p->group && p->entity == ENTITY_NONE)
		warn(l, &p->loc, "whole-family",
		     "entity: world leaves out containers, the host and metadata addresses",
		     "%s includes containers, the host and the cloud metadata address",
		     bh_prefix_format(text, &p->cidr));
}

static void lint_icmp(const struct lint *l, const struct rule *r, unsigned families)
{
	for (size_t i = 0; i < r->n_ports; i++) {
		uint16_t proto = r->ports[i].proto;

		if (proto == IPPROTO_ICMP && families == V6)
			warn(l, &r->loc, "icmp-family", "write icmpv6",
			     "icmp is IPv4, but every peer of this rule is IPv6");
		else if (proto == IPPROTO_ICMPV6 && families == V4)
			warn(l, &r->loc, "icmp-family", "write icmp",
			     "icmpv6 is IPv6, but every peer of this rule is IPv4");
	}
}

static void lint_rule(const struct lint *l, const struct rule *r, enum direction dir)
{
	const char *key = dir == DIRECTION_EGRESS ? "to" : "from";
	unsigned families = 0;

	lint_expiry(l, r);
	if (!r->n_peers)
		warn(l, &r->loc, "no-peers", "name a peer or remove the rule",
		     "%s: [] matches nothing", key);
	for (size_t i = 0; i < r->n_peers; i++) {
		const struct peer *p = &r->peers[i];
		unsigned has = peer_families(l, p);

		if (!has)
			warn(l, &p->loc, "no-address", NULL,
			     "no address is in all that this peer names: it matches nothing");
		lint_everything(l, p, dir);
		families |= has;
	}
	lint_icmp(l, r, families);
}

/* What is denied needs peers and families as what is allowed does, and may name everything. */
static void lint_guardrail(const struct lint *l, const struct guardrail *g)
{
	for (size_t i = 0; i < g->n_deny; i++) {
		const struct rule *r = &g->deny[i].rule;
		unsigned families = 0;

		if (!r->n_peers)
			warn(l, &r->loc, "no-peers", "name a peer or remove the entry",
			     "%s: [] denies nothing",
			     g->deny[i].direction == DIRECTION_EGRESS ? "to" : "from");
		for (size_t k = 0; k < r->n_peers; k++) {
			unsigned has = peer_families(l, &r->peers[k]);

			if (!has)
				warn(l, &r->peers[k].loc, "no-address", NULL,
				     "no address is in all that this peer names: nothing is "
				     "denied");
			families |= has;
		}
		lint_icmp(l, r, families);
	}
}

static void lint_groups(const struct lint *l)
{
	for (size_t i = 0; i < l->set->n_groups; i++) {
		const struct group *g = &l->set->groups[i];

		if (!g->n_cidrs)
			warn(l, &g->loc, "no-address", "add a prefix to cidrs:",
			     "group \"%s\" is empty: a peer that names it matches nothing",
			     g->name);
	}
}

void policy_lint(const struct policy_set *set, int64_t now, struct diag_list *diags)
{
	struct lint l = { set, now, diags };
	struct src_loc nowhere = { 0 };

	if (!set->n_services && !set->n_guardrails)
		warn(&l, &nowhere, "no-service", NULL,
		     "there is no service in the policies: no container is protected");
	for (size_t i = 0; i < set->n_services; i++)
		for (unsigned d = 0; !set->services[i].is_k8s && d < DIRECTIONS; d++)
			for (size_t k = 0; k < set->services[i].n_rules[d]; k++)
				lint_rule(&l, &set->services[i].rules[d][k], (enum direction)d);
	for (size_t i = 0; i < set->n_guardrails; i++)
		lint_guardrail(&l, &set->guardrails[i]);
	lint_groups(&l);
	if (lint_scopes(&l) < 0)
		warn(&l, &nowhere, "not-checked", NULL,
		     "out of memory: flows that cross a scope were not looked for");
	if (lint_one_sided(&l) < 0)
		warn(&l, &nowhere, "not-checked", NULL,
		     "out of memory: one-sided flows were not looked for");
}
