/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#include "networks.h"
#include "station.h"

/* Nobody's: of the documentation's; and where clouds keep their secrets. */
static const char *const outside[] = { "203.0.113.113", "169.254.169.254", "2001:db8:113::113" };

/* Who are no endpoints: the host, and outside those, what policies name, and what is asked for. */
#define BEYOND_MAX                                                                                 \
	(2 + BH_ARRAY_SIZE(outside) + BH_PROBE_NETWORKS_MAX * NETWORK_ADDRESSES +                  \
	 BH_PROBE_SINGLES_MAX)

/* --- endpoints --------------------------------------------------------------------------------- */

static void refuse(struct probe_party *p, enum probe_reason reason, const char *why)
{
	p->reason = reason;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

static bool is_hosts(const struct endpoint *e)
{
	return e->obstacle == ENDPOINT_HOST_NETWORK ||
	       (e->netns_ino && e->netns_ino == netns_own_ino());
}

/* Does a policy want something of who is in that namespace, though it cannot be had? */
static bool is_any_wanted(const struct site *s, size_t home)
{
	for (size_t i = home; i < s->endpoints->n; i++)
		if (s->rulesets->home_of[i] == home && site_is_wanted(s, i))
			return true;
	return false;
}

/* 0 also when it cannot be entered: the party says why. */
static int enter(struct probe_party *p, const struct endpoint *e, const struct probe_run *run,
		 const struct probe_options *o, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r;

	if (is_hosts(e)) {
		refuse(p, PROBE_HOST_NETWORK, "");
		p->wanted = is_any_wanted(run->site, p->endpoint);
		return 0;
	}
	if (!e->netns) {
		refuse(p, PROBE_NO_NETNS, endpoint_obstacle_text(e->obstacle));
		return 0;
	}
	r = station_open(e, run->source_port, &p->station, &why);
	if (r >= 0 && o->listen_only)
		r = station_listen(p->station, e, run->source_port, &why);
	if (r == -EPERM || r == -EADDRINUSE || r == -ENOMEM || r == -EMFILE)
		return bh_err_set(err, r, "%s", why.msg);
	if (r < 0) {
		station_close(p->station);
		p->station = NULL;
		refuse(p, PROBE_UNREACHABLE, why.msg);
		return 0;
	}
	p->netns_ino = p->station->ino;
	p->netns_cookie = p->station->cookie;
	return 0;
}

static int add_endpoint(struct probe_run *run, size_t i, const struct probe_options *o,
			struct bh_err *err)
{
	const struct endpoint *e = &run->site->endpoints->endpoints[i];
	const struct ruleset_item *item = site_item_of(run->site, i);
	struct probe_party *p = &run->parties[run->n_parties++];

	*p = (struct probe_party) {
		.kind = PROBE_ENDPOINT,
		.endpoint = i,
		.addrs = e->addrs,
		.n_addrs = e->n_addrs,
		/* what is wanted of it elsewhere is not held here */
		.ruleset = item && e->netns && !is_hosts(e) ? item->ruleset : NULL,
	};
	return enter(p, e, run, o, err);
}

/* --- the host, and outside --------------------------------------------------------------------- */

static bool is_in(const struct bh_addr *a, const struct bh_addr *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bh_addr_cmp(a, &list[i]) == 0)
			return true;
	return false;
}

/* The party that has it; NULL: none. */
static struct probe_party *who_has(const struct probe_run *run, const struct bh_addr *a)
{
	for (size_t i = 0; i < run->n_parties; i++) {
		struct probe_party *p = &run->parties[i];

		if (is_in(a, p->kind == PROBE_OUTSIDE ? &p->addr : p->addrs, p->n_addrs))
			return p;
	}
	return NULL;
}

/* Whoever is in one of the host's subnets would get it. */
static bool is_shared(const struct probe_run *run, const struct bh_addr *a)
{
	return is_in(a, run->site->endpoints->shared_addrs, run->site->endpoints->n_shared_addrs);
}

/* Nobody's alone: of multicast, of "this network", and IPv4 in the clothes of IPv6. */
static bool is_special(const struct bh_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, zeros[16];

	if (bh_addr_is_loopback(a))
		return true;
	if (a->family == AF_INET)
		return a->b[0] >= 224 || a->b[0] == 0;
	return a->b[0] == 0xff || !memcmp(a->b, mapped, sizeof(mapped)) ||
	       !memcmp(a->b, zeros, sizeof(zeros));
}

/* Once for each address; what has been for some is for all from then on if FOR_ALL. */
static struct probe_party *add_outside(struct probe_run *run, const struct bh_addr *a, bool for_all)
{
	struct probe_party *p = who_has(run, a);

	if (p) {
		p->for_some &= !for_all;
		return p;
	}
	if (is_special(a) || is_shared(run, a))
		return NULL;
	p = &run->parties[run->n_parties++];
	*p = (struct probe_party) {
		.kind = PROBE_OUTSIDE, .addr = *a, .n_addrs = 1, .for_some = !for_all
	};
	p->addrs = &p->addr;
	return p;
}

/* --- what policies name ------------------------------------------------------------------------ */

static int add_asker(struct probe_run *run, size_t from, const struct probe_party *to)
{
	struct probe_asker *a = bh_vec_push(&run->askers);

	if (!a)
		return run->askers.n == run->askers.max ? -E2BIG : -ENOMEM;
	*a = (struct probe_asker) { (uint32_t)(to - run->parties), (uint32_t)from };
	return 0;
}

/* Those who name the network ask for that address of it, too. */
static int add_askers(struct probe_run *run, const struct networks *n, size_t network,
		      const struct probe_party *to)
{
	const struct naming *all = n->namings.data;
	int r = 0;

	for (size_t i = 0; i < n->namings.n && r >= 0 && to->for_some; i++)
		if (all[i].network == network)
			r = add_asker(run, all[i].party, to);
	return r;
}

static void tell_special(struct probe_run *run, const struct networks *n, size_t network)
{
	const struct naming *all = n->namings.data;

	for (size_t i = 0; i < n->namings.n; i++)
		run->parties[all[i].party].special += all[i].network == network;
}

/* The last address of a network that somebody here is in is everybody's there: then the one before it. */
static struct bh_addr one_that_is_somebodys(const struct probe_run *run, struct bh_addr a)
{
	struct bh_addr before = a;

	return is_shared(run, &a) && bh_addr_prev(&before) ? before : a;
}

static int add_network(struct probe_run *run, const struct networks *n, size_t network)
{
	const struct bh_prefix *p = (const struct bh_prefix *)n->prefixes.data + network;
	struct bh_addr a[NETWORK_ADDRESSES];
	size_t count = network_addresses(p, a);
	bool none = true;
	int r = 0;

	for (size_t i = 0; i < count && r >= 0; i++) {
		struct bh_addr one = one_that_is_somebodys(run, a[i]);
		const struct probe_party *to = add_outside(run, &one, i == 0);

		none &= !bh_prefix_contains(p, &a[i]) || is_special(&a[i]);
		r = to ? add_askers(run, n, network, to) : 0;
	}
	if (none)
		tell_special(run, n, network);
	return r;
}

/* Single addresses that rules come to, and no network has: name servers. */
static void add_singles(struct probe_run *run, size_t party, const struct entry_list *l,
			size_t most)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct bh_addr *a = &l->e[i].addr.lo;

		if (i && bh_addr_cmp(a, &l->e[i - 1].addr.lo) == 0)
			continue;
		if (run->n_parties < most || who_has(run, a))
			add_outside(run, a, true);
		else
			run->parties[party].beyond += !is_special(a) && !is_shared(run, a);
	}
}

static int cmp_askers(const void *a, const void *b)
{
	const struct probe_asker *x = a, *y = b;

	return x->to != y->to ? (x->to > y->to) - (x->to < y->to)
			      : (x->from > y->from) - (x->from < y->from);
}

bool party_asks(const struct probe_run *run, uint32_t from, uint32_t to)
{
	const struct probe_asker key = { to, from };

	return !run->parties[to].for_some ||
	       (run->askers.n &&
		bsearch(&key, run->askers.data, run->askers.n, sizeof(key), cmp_askers));
}

static int add_named(struct probe_run *run, size_t endpoints, struct bh_err *err)
{
	static const unsigned kinds[] = { ENTRY_EXACT, ENTRY_HOST, ENTRY_ICMP };
	struct networks n;
	int r = networks_named(run, &n, err);
	size_t most;

	for (size_t i = 0; i < n.prefixes.n && r >= 0; i++)
		r = add_network(run, &n, i);
	networks_done(&n);
	if (r == -E2BIG)
		return bh_err_set(err, r,
				  "policies name more than %u networks, counted for each endpoint "
				  "that they are of",
				  BH_PROBE_ASKERS_MAX);
	if (r < 0)
		return bh_err_oom(err);
	if (run->askers.n)
		qsort(run->askers.data, run->askers.n, run->askers.size, cmp_askers);
	most = run->n_parties + BH_PROBE_SINGLES_MAX;
	for (size_t i = 0; i < endpoints; i++)
		for (size_t k = 0; run->parties[i].ruleset && k < BH_ARRAY_SIZE(kinds); k++)
			add_singles(run, i,
				    &run->parties[i].ruleset->entries[DIRECTION_EGRESS][kinds[k]],
				    most);
	return 0;
}

static int add_beyond(struct probe_run *run, struct bh_err *err)
{
	const struct endpoint_set *all = run->site->endpoints;
	size_t endpoints = run->n_parties;
	struct bh_addr a;

	if (all->n_host_addrs)
		run->parties[run->n_parties++] = (struct probe_party) {
			.kind = PROBE_HOST,
			.addrs = all->host_addrs,
			.n_addrs = all->n_host_addrs,
		};
	for (size_t i = 0; i < BH_ARRAY_SIZE(outside); i++)
		if (bh_addr_parse(outside[i], &a) >= 0)
			add_outside(run, &a, true);
	return add_named(run, endpoints, err);
}

/* --- all --------------------------------------------------------------------------------------- */

/* Some fifteen a namespace. */
static void raise_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

int plan_parties(struct probe_run *run, const struct probe_options *o, struct bh_err *err)
{
	const uint32_t *home_of = run->site->rulesets->home_of;
	size_t n = run->site->endpoints->n;
	int r = 0;

	if (!n)
		return bh_err_set(err, -ENOENT,
				  "there is no endpoint, so there is nothing to probe");
	raise_descriptors();
	bh_vec_init(&run->askers, sizeof(struct probe_asker), BH_PROBE_ASKERS_MAX);
	run->parties = calloc(n + BEYOND_MAX, sizeof(*run->parties));
	if (!run->parties)
		return bh_err_oom(err);
	for (size_t i = 0; i < n && r >= 0; i++)
		if (home_of[i] == i)
			r = add_endpoint(run, i, o, err);
	if (r >= 0)
		r = add_beyond(run, err);
	if (r >= 0 && o->to && !o->to->is_endpoint)
		add_outside(run, &o->to->addr, true);
	return r;
}
