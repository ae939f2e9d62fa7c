/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>

#include "networks.h"
#include "ports.h"
#include "station.h"
#include "verdict.h"

/* In whose name nothing may be sent. */
static const char *const stranger[] = { "198.51.100.213", "2001:db8:213::213" };

struct planner {
	struct probe_run *run;
	const struct probe_options *o;
	struct asks *egress, *ingress; /* of each party; NULL: out of memory */
	struct bh_vec cells;
};

/* --- what the policies say --------------------------------------------------------------------- */

static bool passes(const struct probe_run *run, const struct ruleset *r, enum direction d,
		   const struct bh_addr *remote, const struct probe_cell *c)
{
	const struct flow_key k = { d, *remote, c->proto, c->port };

	if (!r)
		return true;
	if (ruleset_guard(r, &k))
		return false;
	return r->open || r->mode == MODE_AUDIT || ruleset_lookup(r, &k, run->site->now) != NULL;
}

static void expect(const struct probe_run *run, struct probe_cell *c)
{
	const struct probe_party *from = &run->parties[c->from], *to = &run->parties[c->to];

	if (c->way != PROBE_STACK || !c->src.family || !c->dst.family)
		return;
	if (passes(run, from->ruleset, DIRECTION_EGRESS, &c->dst, c))
		c->facts |= PROBE_OUT_ALLOWED;
	if (passes(run, to->ruleset, DIRECTION_INGRESS, &c->src, c))
		c->facts |= PROBE_IN_ALLOWED;
}

/* --- cells ------------------------------------------------------------------------------------- */

static void not_probed(struct probe_cell *c, enum probe_reason reason)
{
	c->outcome = PROBE_NOT_PROBED;
	c->reason = (uint8_t)reason;
}

static int add(struct planner *p, const struct probe_cell *c, enum probe_reason reason)
{
	struct probe_cell *to = bh_vec_push(&p->cells);

	if (!to)
		return p->cells.n == p->cells.max ? -E2BIG : -ENOMEM;
	*to = *c;
	expect(p->run, to);
	if (reason)
		not_probed(to, reason == PROBE_NO_ROUTE ? verdict_no_route(to) : reason);
	return 0;
}

/* Nobody may be touched there who is not to be. */
static bool is_spared(const struct planner *p, const struct probe_party *to,
		      const struct probe_cell *c)
{
	return p->o->listen_only && to->station &&
	       station_listens(to->station, &c->dst, c->proto, c->port);
}

static int add_asks(struct planner *p, struct probe_cell *c, const struct ask *asks, size_t n,
		    enum probe_reason reason)
{
	const struct probe_party *to = &p->run->parties[c->to];
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		c->proto = asks[i].proto;
		c->port = asks[i].port;
		if (ask_fits(&asks[i], c->dst.family))
			r = add(p, c, !reason && is_spared(p, to, c) ? PROBE_LISTENING : reason);
	}
	return r;
}

/* --- raw --------------------------------------------------------------------------------------- */

static int add_frame(struct planner *p, struct probe_cell *c)
{
	const struct net_devices *all = &p->run->parties[c->from].station->devices;
	size_t at = c->to;

	for (size_t i = 0; i < all->n; i++) {
		const struct net_device *d = &all->d[(at + i) % all->n];

		if (!d->ethernet)
			continue;
		c->way = PROBE_FRAME;
		c->device = d->index;
		return add(p, c, PROBE_NO_REASON);
	}
	return 0;
}

static int add_spoof(struct planner *p, struct probe_cell *c)
{
	if (bh_addr_parse(stranger[c->dst.family == AF_INET6], &c->src) < 0)
		return 0;
	c->way = PROBE_SPOOF;
	return add(p, c, PROBE_NO_REASON);
}

/*
 * Neither may leave, to whatever port. The first port that is allowed is asked for, if there is one: then
 * nothing but the table netdev can stop the second. In audit mode both pass. To the other addresses of a
 * network they are no other packets.
 */
static int add_raw(struct planner *p, const struct probe_cell *pattern, const struct ask *asks,
		   size_t n)
{
	const struct ruleset *r = p->run->parties[pattern->from].ruleset;
	struct probe_cell c = *pattern;
	int q = 0;

	if (!r || r->mode == MODE_AUDIT || p->o->port || p->run->parties[pattern->to].for_some)
		return 0;
	c.proto = IPPROTO_UDP;
	c.port = 9;
	for (size_t i = 0; i < n; i++) {
		struct probe_cell try = *pattern;

		try.proto = asks[i].proto;
		try.port = asks[i].port;
		if (asks[i].proto == IPPROTO_UDP &&
		    passes(p->run, r, DIRECTION_EGRESS, &c.dst, &try)) {
			c.port = asks[i].port;
			break;
		}
	}
	q = add_frame(p, &c);
	/* who is open may invent sources: only what guardrails deny is held */
	return q < 0 || r->open ? q : add_spoof(p, &c);
}

/* --- pairs ------------------------------------------------------------------------------------- */

/* Any of the source's addresses of that family, where the kernel was not asked. */
static struct bh_addr any_source(const struct probe_party *from, uint8_t family)
{
	for (size_t i = 0; i < from->n_addrs; i++)
		if (from->addrs[i].family == family)
			return from->addrs[i];
	return (struct bh_addr) { 0 };
}

static enum probe_reason why_not(const struct probe_party *from, const struct probe_party *to)
{
	if (from->reason)
		return from->reason;
	if (!from->ruleset && !to->ruleset)
		return PROBE_NOT_PROTECTED;
	return to->reason == PROBE_UNREACHABLE ? to->reason : PROBE_NO_REASON;
}

/*
 * The source that the kernel would take. False: nobody is to be asked there. An address that all who are
 * in a subnet have, and, outside, one of the source's own, which no list of addresses has: it may always
 * go there.
 */
static bool find_source(const struct station *s, const struct probe_party *to,
			const struct bh_addr *dst, struct bh_addr *src, enum probe_reason *reason)
{
	int r = station_source(s, dst, src);
	bool own = r == 0 && bh_addr_cmp(src, dst) == 0;

	if (r < 0 || own)
		*reason = PROBE_NO_ROUTE;
	return r <= 0 && !(own && to->kind == PROBE_OUTSIDE);
}

static int add_address(struct planner *p, uint32_t from, uint32_t to, const struct bh_addr *dst,
		       const struct ask *asks, size_t n)
{
	const struct probe_party *f = &p->run->parties[from], *t = &p->run->parties[to];
	struct probe_cell c = { .from = from, .to = to, .dst = *dst };
	enum probe_reason reason = why_not(f, t);
	int r;

	c.src = any_source(f, dst->family);
	if (!reason && !find_source(f->station, t, dst, &c.src, &reason))
		return 0;
	if (!c.src.family)
		return 0; /* it has no address of this family: nothing can be sent or got */
	if (reason == PROBE_NOT_PROTECTED)
		return add(p, &c, reason);
	r = add_asks(p, &c, asks, n, reason);
	return r < 0 || reason ? r : add_raw(p, &c, asks, n);
}

static bool is_first_outside(const struct probe_run *run, uint32_t to)
{
	return to && run->parties[to].kind == PROBE_OUTSIDE &&
	       run->parties[to - 1].kind != PROBE_OUTSIDE;
}

/* Ports of a policy that were not even looked at, and networks that have no party of their own. */
static int add_more(struct planner *p, uint32_t from, uint32_t to)
{
	const struct probe_cell c = { .from = from, .to = to };
	size_t more = p->egress[from].more + p->ingress[to].more;
	int r = 0;

	if (is_first_outside(p->run, to))
		more += p->run->parties[from].beyond;

	for (size_t i = 0; i < more && !p->o->port && r >= 0; i++)
		r = add(p, &c, PROBE_TOO_MANY);
	return r;
}

static int add_pair(struct planner *p, uint32_t from, uint32_t to)
{
	const struct probe_party *f = &p->run->parties[from], *t = &p->run->parties[to];
	const struct probe_cell c = { .from = from, .to = to };
	struct ask asks[ASKS_PAIR_MAX];
	size_t n = asks_of_pair(&p->egress[from], &p->ingress[to], p->o->port, asks);
	int r = 0;

	if (f->reason && !f->n_addrs) /* no packet of it can be named: that it was not asked can */
		return add(p, &c, f->reason);
	for (size_t i = 0; i < t->n_addrs && r >= 0; i++)
		r = add_address(p, from, to, &t->addrs[i], asks, n);
	return r < 0 ? r : add_more(p, from, to);
}

/* --- filters ----------------------------------------------------------------------------------- */

static bool is_meant(const struct probe_run *run, uint32_t party, const struct explain_party *who)
{
	const struct probe_party *p = &run->parties[party];

	if (!who)
		return true;
	if (who->is_endpoint)
		return p->kind == PROBE_ENDPOINT &&
		       run->site->rulesets->home_of[who->endpoint] == p->endpoint;
	for (size_t i = 0; i < p->n_addrs; i++)
		if (bh_addr_cmp(&p->addrs[i], &who->addr) == 0)
			return true;
	return false;
}

/* Nothing is wanted of it but what the host may do, from which nothing is sent either. */
static bool is_as_the_host(const struct probe_party *p)
{
	return p->reason == PROBE_HOST_NETWORK && !p->wanted;
}

static int add_all(struct planner *p)
{
	struct probe_run *run = p->run;
	int r = 0;

	for (uint32_t from = 0; from < run->n_parties && r >= 0; from++) {
		struct probe_party *f = &run->parties[from];

		f->asked = f->kind == PROBE_ENDPOINT && is_meant(run, from, p->o->from);
		f->aimed_at =
			f->kind == PROBE_ENDPOINT && !p->o->from && is_meant(run, from, p->o->to);
		if (!f->asked || is_as_the_host(f))
			continue;
		for (uint32_t to = 0; to < run->n_parties && r >= 0; to++)
			if (to != from && is_meant(run, to, p->o->to) && party_asks(run, from, to))
				r = add_pair(p, from, to);
	}
	return r;
}

/* Ranges that touch are merged in rulesets: their ends are where they are written. */
static int on_rule(const struct compile_rule *r, void *arg)
{
	struct planner *p = arg;
	struct asks *all = r->direction == DIRECTION_EGRESS ? p->egress : p->ingress;

	for (size_t k = 0; r->rule && k < r->rule->n_ports; k++)
		for (size_t i = 0; asks_is_range(&r->rule->ports[k]) && i < p->run->n_parties; i++)
			if (party_has_rule(&p->run->parties[i], r->name))
				asks_add_range(&all[i], &r->rule->ports[k]);
	return 0;
}

static int plan(struct planner *p, struct bh_err *err)
{
	struct probe_run *run = p->run;
	int r;

	for (size_t i = 0; i < run->n_parties; i++) {
		const struct ruleset *rules = run->parties[i].ruleset;

		asks_of_ruleset(rules, DIRECTION_EGRESS, &p->egress[i]);
		asks_of_ruleset(rules, DIRECTION_INGRESS, &p->ingress[i]);
	}
	r = compile_each_rule(run->site->policies, on_rule, p, err);
	if (r >= 0)
		r = add_all(p);
	if (r == -E2BIG)
		return bh_err_set(
			err, r,
			"there are more than %u packets to send; ask for less with --from, "
			"--to or --port",
			BH_PROBE_CELLS_MAX);
	if (r < 0)
		return bh_err_oom(err);
	if (!p->cells.n)
		return bh_err_set(err, -ENOENT, "there is nothing to probe between these");
	return 0;
}

int plan_cells(struct probe_run *run, const struct probe_options *o, struct bh_err *err)
{
	struct planner p = { .run = run, .o = o };
	int r;

	p.egress = calloc(run->n_parties, sizeof(*p.egress));
	p.ingress = calloc(run->n_parties, sizeof(*p.ingress));
	bh_vec_init(&p.cells, sizeof(struct probe_cell), BH_PROBE_CELLS_MAX);
	r = p.egress && p.ingress ? plan(&p, err) : bh_err_oom(err);
	run->cells = p.cells.data;
	run->n_cells = p.cells.n;
	free(p.egress);
	free(p.ingress);
	return r;
}
