/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#include "judge.h"

/* --- networks ----------------------------------------------------------------------------------- */

int verify_note_networks(struct verify *v, size_t endpoint, int netns_fd)
{
	struct verify_seen *seen = &v->seen[endpoint];
	struct bh_prefix all[BH_VERIFY_NETWORKS_MAX];
	struct bh_err why = BH_ERR_INIT;
	char who[128];
	size_t n = 0;
	int r = runtime_networks(netns_fd, all, BH_ARRAY_SIZE(all), &n, &why);

	seen->networks = calloc(n + 1, sizeof(*seen->networks));
	if (!seen->networks)
		return bh_err_oom(v->err);
	memcpy(seen->networks, all, n * sizeof(*all));
	seen->n_networks = n;
	if (r >= 0)
		return 0;
	return verify_tell(v, "unreachable", endpoint,
			   v->site->endpoints->endpoints[endpoint].netns_ino,
			   "%s: who is beside it is not known to the end: %.400s",
			   verify_name(v, endpoint, who), why.msg);
}

static const struct bh_prefix *common(const struct bh_prefix *a, size_t n,
				      const struct verify_seen *b)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < b->n_networks; k++)
			if (bh_prefix_contains(&a[i], &b->networks[k].addr) ||
			    bh_prefix_contains(&b->networks[k], &a[i].addr))
				return &a[i];
	return NULL;
}

/* Who of the scope is on one of these networks? VERIFY_NOBODY: nobody that a policy protects. */
static size_t met_by(const struct verify *v, const struct bh_prefix *networks, size_t n, size_t but,
		     const struct bh_prefix **ret_network)
{
	for (size_t i = 0; i < v->site->endpoints->n; i++) {
		const struct verify_seen *seen = &v->seen[i];

		if (i == but || !seen->in_scope || !site_item_of(v->site, i))
			continue;
		*ret_network = common(networks, n, seen);
		if (*ret_network)
			return i;
	}
	return VERIFY_NOBODY;
}

/* --- neighbours --------------------------------------------------------------------------------- */

/* In one namespace they have one table, and its members are told of elsewhere. */
static bool is_together(const struct verify *v, size_t a, size_t b)
{
	const struct endpoint *e = v->site->endpoints->endpoints;

	return e[a].netns_ino && e[a].netns_ino == e[b].netns_ino;
}

/* Whoever may take the tables away, or go round them; a daemon keeps sockets of AF_XDP out. */
static bool gets_round(const struct verify *v, size_t i)
{
	static const bool grave[] = {
		[ENDPOINT_HOST_NETWORK] = true, [ENDPOINT_PRIVILEGED] = true,
		[ENDPOINT_NET_ADMIN] = true,    [ENDPOINT_NO_NETNS] = true,
		[ENDPOINT_OWN_STACK] = true,    [ENDPOINT_UNREADABLE] = true,
	};
	size_t whose;
	enum endpoint_obstacle o = members_obstacle(&v->members, i, &whose);

	if (o == ENDPOINT_RAW_SOCKETS || o == ENDPOINT_XDP_SOCKETS)
		return !verify_is_ours(v, i);
	return grave[o];
}

/* One with findings of its own needs no other. What is outside of the scope counts by what it may do. */
static bool is_weak(const struct verify *v, size_t i)
{
	const struct verify_seen *seen = &v->seen[i];

	if (seen->judged)
		return seen->state == STATE_UNMANAGED || seen->state == STATE_OFF;
	return !site_item_of(v->site, i) || gets_round(v, i);
}

static const char *state_text(const struct verify *v, size_t i)
{
	const struct verify_seen *seen = &v->seen[i];

	if (seen->judged)
		return endpoint_state_name(seen->state);
	return site_item_of(v->site, i) ? "weak" : "unmanaged";
}

static int tell_neighbour(struct verify *v, size_t i)
{
	const struct verify_seen *seen = &v->seen[i];
	const struct bh_prefix *network;
	char who[128], other[128], net[BH_PREFIX_STR];
	size_t met = met_by(v, seen->networks, seen->n_networks, i, &network);

	if (met == VERIFY_NOBODY || is_together(v, i, met))
		return 0;
	return verify_tell(v, "neighbour-unheld", i, v->site->endpoints->endpoints[i].netns_ino,
			   "%s (%s) is on network %s with %s%s%s", verify_name(v, i, who),
			   state_text(v, i), bh_prefix_format(net, network),
			   verify_name(v, met, other), v->o->scope ? " of scope " : "",
			   v->o->scope ? v->o->scope : "");
}

/* Who was found out of reach before needs no other finding. */
static int tell_unknown(struct verify *v, size_t i, int r, const char *why)
{
	const struct verify_seen *seen = &v->seen[i];
	char who[128];

	if (seen->judged && seen->state == STATE_UNREACHABLE)
		return 0;
	return verify_tell(v, verify_has_gone(r) ? "vanished" : "unreachable", i,
			   v->site->endpoints->endpoints[i].netns_ino,
			   "%s: whether it is on a network of what is protected is not known: "
			   "%.400s",
			   verify_name(v, i, who), why);
}

/*
 * Of the host, it is on all of its bridges' networks; it is told of in its own name. Without a namespace
 * and without a reason for that it is on another host.
 */
static int look_at_networks(struct verify *v, size_t i)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[i];
	enum endpoint_obstacle own = members_own_obstacle(&v->members, i);
	bh_autoclose int fd = -1;
	struct bh_err why = BH_ERR_INIT;
	int r;

	if (own == ENDPOINT_HOST_NETWORK || (!e->netns && own == ENDPOINT_HOLDABLE))
		return 0;
	if (!e->netns)
		return tell_unknown(v, i, -EINVAL, endpoint_obstacle_text(own));
	r = endpoint_netns_open(e, &fd, NULL, &why);
	return r < 0 ? tell_unknown(v, i, r, why.msg) : verify_note_networks(v, i, fd);
}

int verify_neighbours(struct verify *v)
{
	size_t n = v->site->endpoints->n;
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = look_at_networks(v, i);
	for (size_t i = 0; i < n && r >= 0; i++)
		if (is_weak(v, i))
			r = tell_neighbour(v, i);
	return r;
}

/* --- who is not listed -------------------------------------------------------------------------- */

static bool is_listed(const struct verify *v, uint64_t ino)
{
	for (size_t i = 0; i < v->site->endpoints->n; i++)
		if (v->site->endpoints->endpoints[i].netns_ino == ino)
			return true;
	return false;
}

static const char *whose(const struct runtime_namespace *n, char out[256])
{
	char comm[64], path[160];

	if (n->pid)
		snprintf(out, 256, "process %d (%s)", n->pid,
			 bh_escape_str(comm, sizeof(comm), n->comm));
	else
		snprintf(out, 256, "mounted at %s", bh_escape_str(path, sizeof(path), n->path));
	return out;
}

/* Of a scope, only what is beside it; of all, each that has a device. */
static int look_inside(struct verify *v, const struct runtime_namespace *n, int fd)
{
	struct bh_prefix networks[BH_VERIFY_NETWORKS_MAX];
	static struct net_devices devices;
	const struct bh_prefix *network = NULL;
	char who[256], other[128], net[BH_PREFIX_STR];
	size_t n_networks = 0, met;
	bool whole;

	if (runtime_devices(fd, &devices, NULL) >= 0 && !devices.n)
		return 0;
	whole = runtime_networks(fd, networks, BH_ARRAY_SIZE(networks), &n_networks, NULL) >= 0;
	met = met_by(v, networks, n_networks, VERIFY_NOBODY, &network);
	if (met != VERIFY_NOBODY)
		return verify_tell(v, "unlisted-namespace", VERIFY_NOBODY, n->ino,
				   "network namespace %" PRIu64
				   " (%s) is nobody's that is listed, and on "
				   "network %s with %s",
				   n->ino, whose(n, who), bh_prefix_format(net, network),
				   verify_name(v, met, other));
	if (!whole)
		return verify_tell(
			v, "unlisted-namespace", VERIFY_NOBODY, n->ino,
			"network namespace %" PRIu64
			" (%s) is nobody's that is listed, and its networks are not known "
			"to the end: whether it is beside one that is protected neither",
			n->ino, whose(n, who));
	if (v->o->scope)
		return 0;
	return verify_tell(v, "unlisted-namespace", VERIFY_NOBODY, n->ino,
			   "network namespace %" PRIu64
			   " (%s), with %zu %s, is nobody's that is listed",
			   n->ino, whose(n, who), devices.n, devices.n == 1 ? "device" : "devices");
}

static int on_namespace(const struct runtime_namespace *n, void *arg)
{
	struct verify *v = arg;
	bh_autoclose int fd = -1;
	struct bh_err why = BH_ERR_INIT;
	uint64_t ino;
	char who[256];
	int r;

	if (is_listed(v, n->ino))
		return 0;
	r = netns_open(n->path, &fd, &ino, &why);
	if (verify_has_gone(r) || (r >= 0 && ino != n->ino))
		return 0; /* it was nobody's, and is no more */
	if (r >= 0)
		return look_inside(v, n, fd);
	return verify_tell(v, "unlisted-namespace", VERIFY_NOBODY, n->ino,
			   "network namespace %" PRIu64
			   " (%s) is nobody's that is listed, and cannot be opened: whether it is "
			   "beside one that is protected is not known: %.300s",
			   n->ino, whose(n, who), why.msg);
}

int verify_unlisted(struct verify *v)
{
	struct bh_err why = BH_ERR_INIT;
	int r = runtime_namespaces(on_namespace, v, &why);

	if (r > 0)
		return verify_tell(
			v, "unlisted-namespace", VERIFY_NOBODY, 0,
			"whether a network namespace is nobody's that is listed is not known: "
			"%.300s",
			why.msg);
	if (r < 0 && v->err && why.msg[0])
		*v->err = why;
	return r;
}
