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

#include "station.h"

/* Nobody's: of the documentation's; and where clouds keep their secrets. */
static const char *const outside[] = { "203.0.113.113", "169.254.169.254", "2001:db8:113::113" };

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

/* 0 also when it cannot be entered: the party says why. */
static int enter(struct probe_party *p, const struct endpoint *e, const struct probe_run *run,
		 const struct probe_options *o, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r;

	if (is_hosts(e)) {
		refuse(p, PROBE_HOST_NETWORK, "");
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
	}
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

static bool is_known(const struct probe_run *run, const struct bh_addr *a)
{
	for (size_t i = 0; i < run->n_parties; i++) {
		const struct probe_party *p = &run->parties[i];

		if (is_in(a, p->kind == PROBE_OUTSIDE ? &p->addr : p->addrs, p->n_addrs))
			return true;
	}
	return is_in(a, run->site->endpoints->shared_addrs, run->site->endpoints->n_shared_addrs);
}

static bool is_multicast(const struct bh_addr *a)
{
	return a->family == AF_INET ? a->b[0] >= 224 || a->b[0] == 0 : a->b[0] == 0xff;
}

static bool is_to_be_asked(const struct probe_run *run, const struct bh_addr *a)
{
	return !is_known(run, a) && !is_multicast(a) && !bh_addr_is_loopback(a);
}

static void add_outside(struct probe_run *run, const struct bh_addr *a)
{
	struct probe_party *p = &run->parties[run->n_parties];

	if (!is_to_be_asked(run, a))
		return;
	*p = (struct probe_party) { .kind = PROBE_OUTSIDE, .addr = *a, .n_addrs = 1 };
	p->addrs = &p->addr;
	run->n_parties++;
}

/* Of a network not its own address, which is nobody's. */
static struct bh_addr first_of(const struct bh_range *r)
{
	struct bh_addr a = r->lo;

	if (bh_addr_cmp(&r->lo, &r->hi) < 0)
		bh_addr_next(&a);
	return a;
}

/* Those that PARTY names; what is too much is counted, so that it is told as not probed. */
static void add_named(struct probe_run *run, size_t party, const struct entry_list *l, size_t most)
{
	for (size_t i = 0; i < l->n; i++) {
		struct bh_addr a = first_of(&l->e[i].addr);

		if (i && bh_addr_cmp(&l->e[i].addr.lo, &l->e[i - 1].addr.lo) == 0)
			continue;
		if (run->n_parties < most)
			add_outside(run, &a);
		else
			run->parties[party].beyond += is_to_be_asked(run, &a);
	}
}

static void add_beyond(struct probe_run *run)
{
	static const unsigned kinds[] = { ENTRY_EXACT, ENTRY_HOST, ENTRY_ICMP, ENTRY_RANGE,
					  ENTRY_ICMP_RANGE };
	const struct endpoint_set *all = run->site->endpoints;
	size_t endpoints = run->n_parties, most;
	struct bh_addr a;

	if (all->n_host_addrs)
		run->parties[run->n_parties++] = (struct probe_party) {
			.kind = PROBE_HOST,
			.addrs = all->host_addrs,
			.n_addrs = all->n_host_addrs,
		};
	for (size_t i = 0; i < BH_ARRAY_SIZE(outside); i++)
		if (bh_addr_parse(outside[i], &a) >= 0)
			add_outside(run, &a);
	most = run->n_parties + BH_PROBE_OUTSIDE_MAX;
	for (size_t i = 0; i < endpoints; i++)
		for (size_t k = 0; run->parties[i].ruleset && k < BH_ARRAY_SIZE(kinds); k++)
			add_named(run, i,
				  &run->parties[i].ruleset->entries[DIRECTION_EGRESS][kinds[k]],
				  most);
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
	run->parties = calloc(n + 2 + BH_ARRAY_SIZE(outside) + BH_PROBE_OUTSIDE_MAX,
			      sizeof(*run->parties));
	if (!run->parties)
		return bh_err_oom(err);
	for (size_t i = 0; i < n && r >= 0; i++)
		if (home_of[i] == i)
			r = add_endpoint(run, i, o, err);
	if (r < 0)
		return r;
	add_beyond(run);
	if (o->to && !o->to->is_endpoint)
		add_outside(run, &o->to->addr);
	return 0;
}
