/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "networks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

/* --- of one network ------------------------------------------------------------------------------ */

/* The lowest of its upper half; a single address is its own. */
static struct bh_addr middle(const struct bh_prefix *p)
{
	struct bh_addr a = p->addr;

	if (p->len < 8 * bh_addr_len(a.family))
		a.b[p->len / 8] |= (uint8_t)(0x80 >> p->len % 8);
	return a;
}

/* What has its own address, and one that all who are in it have, is represented by another. */
static struct bh_addr that_stands_for(const struct bh_prefix *p)
{
	struct bh_addr a = p->addr;

	if (p->len + 1u < 8 * bh_addr_len(a.family))
		bh_addr_next(&a);
	return a;
}

size_t network_addresses(const struct bh_prefix *p, struct bh_addr out[NETWORK_ADDRESSES])
{
	struct bh_range r = bh_prefix_range(p);
	size_t n = 0;

	out[n++] = that_stands_for(p);
	out[n++] = r.lo;
	out[n++] = middle(p);
	out[n++] = r.hi;
	if (bh_addr_prev(&r.lo))
		out[n++] = r.lo;
	if (bh_addr_next(&r.hi))
		out[n++] = r.hi;
	return n;
}

/* --- of all policies ----------------------------------------------------------------------------- */

struct collector {
	struct probe_run *run;
	struct networks *found;
	const char *rule; /* the name of its counter */
};

static int rule_at(const void *name, const void *rule)
{
	return strcmp(name, ((const struct ruleset_rule *)rule)->name);
}

bool party_has_rule(const struct probe_party *p, const char *name)
{
	return p->ruleset && p->ruleset->n_rules &&
	       bsearch(name, p->ruleset->rules, p->ruleset->n_rules, sizeof(*p->ruleset->rules),
		       rule_at);
}

static bool same_prefix(const struct bh_prefix *a, const struct bh_prefix *b)
{
	return a->len == b->len && bh_addr_cmp(&a->addr, &b->addr) == 0;
}

/* Its index; n when there is no room for it. -ENOMEM. */
static ssize_t index_of(struct networks *found, const struct bh_prefix *p)
{
	const struct bh_prefix *all = found->prefixes.data;
	struct bh_prefix *slot;
	size_t i;

	for (i = 0; i < found->prefixes.n; i++)
		if (same_prefix(&all[i], p))
			return (ssize_t)i;
	if (i == BH_PROBE_NETWORKS_MAX)
		return (ssize_t)i;
	slot = bh_vec_push(&found->prefixes);
	if (!slot)
		return -ENOMEM;
	*slot = *p;
	return (ssize_t)i;
}

static int add_naming(struct networks *found, size_t network, size_t party)
{
	const struct naming *last = found->namings.data;
	struct naming *slot;

	if (found->namings.n && last[found->namings.n - 1].network == network &&
	    last[found->namings.n - 1].party == party)
		return 0;
	slot = bh_vec_push(&found->namings);
	if (!slot)
		return found->namings.n == found->namings.max ? -E2BIG : -ENOMEM;
	*slot = (struct naming) { (uint32_t)network, (uint32_t)party };
	return 0;
}

static int add_network(const struct collector *c, const struct bh_prefix *p)
{
	ssize_t at = -1;
	int r = 0;

	for (size_t i = 0; i < c->run->n_parties && r >= 0; i++) {
		struct probe_party *party = &c->run->parties[i];

		if (!party_has_rule(party, c->rule))
			continue;
		if (at < 0) /* what nobody here has takes no room */
			at = index_of(c->found, p);
		if (at < 0)
			return (int)at;
		if (at == BH_PROBE_NETWORKS_MAX)
			party->beyond++;
		else
			r = add_naming(c->found, (size_t)at, i);
	}
	return r;
}

static int add_networks(const struct collector *c, const struct bh_prefix *p, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_network(c, &p[i]);
	return r;
}

/* One that says more of whom it means is of endpoints, which are asked anyway. */
static bool is_outside(const struct peer *p)
{
	return !p->service && !p->n_labels && !p->scope && !p->pods;
}

static int add_peer(const struct collector *c, const struct peer *p)
{
	const struct group *g =
		p->group ? policy_set_group(c->run->site->policies, p->group) : NULL;
	int r = 0;

	if (!is_outside(p))
		return 0;
	if (p->has_cidr)
		r = add_network(c, &p->cidr);
	if (r >= 0)
		r = add_networks(c, p->except, p->n_except);
	return r < 0 || !g ? r : add_networks(c, g->cidrs, g->n_cidrs);
}

/* The rule of a guardrail's entry is the first thing in it. */
static int add_unless(const struct collector *c, const struct deny *d)
{
	int r = 0;

	for (size_t i = 0; i < d->n_unless && r >= 0; i++)
		r = add_peer(c, &d->unless[i].peer);
	return r;
}

/* Whoever is no endpoint: nothing is sent from there. */
static bool is_from_outside(const struct peer *p)
{
	return is_outside(p) && p->entity != ENTITY_MANAGED &&
	       (p->entity != ENTITY_NONE || p->has_cidr || p->group);
}

static void tell_from_outside(const struct collector *c, const struct rule *rule)
{
	bool any = false;

	for (size_t i = 0; i < rule->n_peers; i++)
		any = any || is_from_outside(&rule->peers[i]);
	for (size_t i = 0; any && i < c->run->n_parties; i++)
		c->run->parties[i].from_outside += party_has_rule(&c->run->parties[i], c->rule);
}

static int on_rule(const struct compile_rule *r, void *arg)
{
	struct collector *c = arg;
	int q = 0;

	c->rule = r->name;
	if (r->direction == DIRECTION_INGRESS && r->rule && !r->guardrail)
		tell_from_outside(c, r->rule);
	if (r->direction != DIRECTION_EGRESS || !r->rule)
		return 0;
	for (size_t i = 0; i < r->rule->n_peers && q >= 0; i++)
		q = add_peer(c, &r->rule->peers[i]);
	return q < 0 || !r->guardrail ? q : add_unless(c, (const struct deny *)r->rule);
}

/* No rule says so of who is not isolated: everybody comes in. */
static bool is_open(const struct ruleset *r)
{
	bool open = r->open;

	for (size_t i = 0; i < r->n_rules; i++) {
		const char *end = strstr(r->rules[i].name, ".in.not-isolated");

		open = open || (end && strcmp(end, ".in.not-isolated") == 0);
	}
	return open;
}

static void tell_open(struct probe_run *run)
{
	for (size_t i = 0; i < run->n_parties; i++)
		if (run->parties[i].ruleset)
			run->parties[i].from_outside += is_open(run->parties[i].ruleset);
}

int networks_named(struct probe_run *run, struct networks *ret, struct bh_err *err)
{
	struct collector c = { .run = run, .found = ret };

	bh_vec_init(&ret->prefixes, sizeof(struct bh_prefix), BH_PROBE_NETWORKS_MAX);
	bh_vec_init(&ret->namings, sizeof(struct naming), BH_PROBE_ASKERS_MAX);
	tell_open(run);
	return compile_each_rule(run->site->policies, on_rule, &c, err);
}

void networks_done(struct networks *n)
{
	bh_vec_done(&n->prefixes);
	bh_vec_done(&n->namings);
}
