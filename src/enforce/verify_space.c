/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/nft/foreign.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/xsk.h>

#define NAMED_MAX 8 /* devices in one sentence */

/* --- chains of others --------------------------------------------------------------------------- */

struct foreign {
	struct verify *v;
	size_t endpoint;
};

static const char *owner_text(const struct nft_foreign_chain *c, char out[64])
{
	out[0] = '\0';
	if (c->owner)
		snprintf(out, 64, ", owned by the socket with netlink port %u", c->owner);
	return out;
}

static int on_chain(const struct nft_foreign_chain *c, void *arg)
{
	const struct foreign *f = arg;
	struct verify *v = f->v;
	uint64_t netns = v->site->endpoints->endpoints[f->endpoint].netns_ino;
	char table[160], chain[160], type[48], owner[64];

	bh_escape_str(table, sizeof(table), c->table);
	bh_escape_str(chain, sizeof(chain), c->chain);
	bh_escape_str(type, sizeof(type), c->type);
	if (c->rewrites)
		return verify_tell(
			v, "foreign-rewrites", f->endpoint, netns,
			"chain %s of table %s %s (%s, hook %s, priority %d%s) comes to rules "
			"that change or redirect packets (%s)",
			chain, c->family, table, type, c->hook, c->priority, owner_text(c, owner),
			c->rewrites);
	return verify_tell(v, "foreign-chain", f->endpoint, netns,
			   "chain %s of table %s %s (%s, hook %s, priority %d%s)%s", chain,
			   c->family, table, type, c->hook, c->priority, owner_text(c, owner),
			   c->translates ? " translates addresses, before ours look" : "");
}

int verify_foreign(struct verify *v, size_t endpoint, struct nlsock *s)
{
	struct foreign f = { v, endpoint };
	struct bh_err err = BH_ERR_INIT;
	int told = 0, r = nft_foreign(s, on_chain, &f, &err);

	if (r < 0 && err.msg[0])
		told = verify_tell(v, "unreachable", endpoint,
				   v->site->endpoints->endpoints[endpoint].netns_ino,
				   "chains of others cannot be listed: %.400s", err.msg);
	return r < 0 && !err.msg[0] ? r : told;
}

/* --- devices ------------------------------------------------------------------------------------ */

static bool is_hooked(const struct nft_frames *have, const char *device)
{
	for (size_t i = 0; have && i < have->n_devices; i++)
		if (strcmp(have->devices[i], device) == 0)
			return true;
	return false;
}

/* Names that no device has yet are hooked, too; one that is not there sends nothing. */
static bool is_there(const struct net_devices *now, const char *device)
{
	for (size_t i = 0; i < now->n; i++)
		if (strcmp(now->d[i].name, device) == 0)
			return true;
	return false;
}

/* The names of those, the first few; returns how many there are. */
static size_t name_unhooked(const struct nft_frames *want, const struct nft_frames *have,
			    const struct net_devices *now, char *out, size_t cap)
{
	char shown[64];
	size_t n = 0, len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < want->n_devices; i++) {
		const char *device = want->devices[i];

		if (is_hooked(have, device) || !is_there(now, device))
			continue;
		if (n++ < NAMED_MAX && len < cap)
			len += (size_t)snprintf(out + len, cap - len, "%s%s", n > 1 ? ", " : "",
						bh_escape_str(shown, sizeof(shown), device));
	}
	if (n > NAMED_MAX && len < cap)
		snprintf(out + len, cap - len, " and %zu more", n - NAMED_MAX);
	return n;
}

int verify_devices(struct verify *v, size_t endpoint, const struct nft_want *want,
		   const struct nft_state *have)
{
	const struct endpoint *e = &v->site->endpoints->endpoints[endpoint];
	static struct net_devices now;
	bh_autoclose int fd = -1;
	struct bh_err err = BH_ERR_INIT;
	char who[128], names[256];
	int r = 0;

	if (!want->frames)
		return 0;
	r = endpoint_netns_open(e, &fd, NULL, &err);
	if (r >= 0)
		r = runtime_devices(fd, &now, &err);
	if (r < 0)
		return verify_tell(v, "unreachable", endpoint, e->netns_ino,
				   "%s: its devices cannot be listed: %.400s",
				   verify_name(v, endpoint, who), err.msg);
	if (now.more)
		r = verify_tell(v, "devices-too-many", endpoint, e->netns_ino,
				"%s: frames made by hand pass the devices beyond the first %d",
				verify_name(v, endpoint, who), BH_DEVICES_MAX);
	if (r < 0 || !name_unhooked(want->frames, have->frames, &now, names, sizeof(names)))
		return r;
	return verify_tell(v, "device-unhooked", endpoint, e->netns_ino,
			   "%s: no chain of the table netdev is at its device %s",
			   verify_name(v, endpoint, who), names);
}

/* --- queues ------------------------------------------------------------------------------------- */

/* 1: queue N can be taken, so it is anybody's; it is let go of at once. 0: it cannot. */
static int try_queue(int netns_fd, uint32_t ifindex, size_t queue, struct bh_err *err)
{
	int fds[BH_DEVICE_QUEUES_MAX];
	size_t n = queue;
	int r = xsk_occupy(netns_fd, ifindex, fds, BH_ARRAY_SIZE(fds), &n, err);

	for (size_t i = queue; i < n; i++)
		close(fds[i]);
	return n > queue ? 1 : r;
}

static bool is_taken(int netns_fd, const struct net_device *d, char *why)
{
	struct bh_err err = BH_ERR_INIT;
	char shown[64];
	size_t queue = 0;
	int r = -EBUSY;

	while (r == -EBUSY && queue < BH_DEVICE_QUEUES_MAX)
		r = try_queue(netns_fd, d->index, queue++, &err);
	if (r == 0 || r == -EOPNOTSUPP || r == -ENODEV)
		return true; /* behind the last one; none can be bound; it has gone */
	bh_escape_str(shown, sizeof(shown), d->name);
	if (r == 1)
		snprintf(why, BH_ERR_MAX, "queue %zu of its device %s is free", queue - 1, shown);
	else
		snprintf(why, BH_ERR_MAX,
			 "whether the queues of its device %s are held cannot be found "
			 "out: %.300s",
			 shown, err.msg);
	return false;
}

bool verify_queues_taken(int netns_fd, char *why)
{
	static struct net_devices now;
	struct bh_err err = BH_ERR_INIT;
	int r = runtime_devices(netns_fd, &now, &err);

	if (r < 0 || now.more) {
		snprintf(why, BH_ERR_MAX, "its devices cannot be listed%s%.300s", r < 0 ? ": " : "",
			 r < 0 ? err.msg : "");
		return false;
	}
	for (size_t i = 0; i < now.n; i++)
		if (!is_taken(netns_fd, &now.d[i], why))
			return false;
	return true;
}
