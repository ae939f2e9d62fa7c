/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/holds.h>

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/xsk.h>

#include "handle.h"
#include "hold.h"

struct holds *holds_new(void)
{
	descriptors_raise();
	return calloc(1, sizeof(struct holds));
}

static void queues_close(struct queues *q)
{
	while (q->n)
		close(q->fds[--q->n]);
	q->n_kept = 0;
}

static void queues_free(struct queues *q)
{
	queues_close(q);
	free(q);
}

static void hold_free(struct hold *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_queues; i++)
		queues_free(h->queues[i]);
	standing_done(&h->standing);
	nlsock_done(&h->nl);
	if (h->netns_fd >= 0)
		close(h->netns_fd);
	free(h);
}

static int order_ino(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_among(uint64_t ino, const uint64_t *inos, size_t n)
{
	return n && bsearch(&ino, inos, n, sizeof(*inos), order_ino);
}

static void forget_bare(struct holds *h, const uint64_t *keep, size_t n)
{
	struct bare *each, *next;

	HASH_ITER (hh, h->bare, each, next)
		if (!is_among(each->ino, keep, n)) {
			HASH_DEL(h->bare, each);
			free(each);
		}
}

void holds_free(struct holds *h)
{
	struct hold *each, *next;

	if (!h)
		return;
	HASH_ITER (hh, h->all, each, next) {
		HASH_DEL(h->all, each);
		hold_free(each);
	}
	forget_bare(h, NULL, 0);
	free(h);
}

static struct hold *find(const struct holds *h, uint64_t ino)
{
	struct hold *hit;

	HASH_FIND(hh, h->all, &ino, sizeof(ino), hit);
	return hit;
}

struct hold *holds_find(const struct holds *h, uint64_t netns_ino)
{
	return netns_ino ? find(h, netns_ino) : NULL;
}

static struct hold *hold_new(int netns_fd, uint64_t ino)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	if (!hold) {
		close(netns_fd);
		return NULL;
	}
	*hold = (struct hold) { .ino = ino, .netns_fd = netns_fd, .nl = NLSOCK_INIT };
	snprintf(hold->xdp_why, sizeof(hold->xdp_why), "its devices were not looked at yet");
	return hold;
}

int hold_add(struct holds *h, int netns_fd, uint64_t ino, const struct nlsock *nl,
	     struct hold **ret, struct bh_err *err)
{
	struct hold *hold = hold_new(netns_fd, ino);
	int r = 0;

	if (!hold)
		return bh_err_oom(err);
	if (HASH_COUNT(h->all) >= BH_NAMESPACES_MAX)
		r = bh_err_set(err, -E2BIG, "more than %d namespaces are held", BH_NAMESPACES_MAX);
	else if (nl->fd < 0)
		r = nlsock_open(&hold->nl, netns_fd, NETLINK_NETFILTER, err);
	else
		hold->nl = *nl;
	if (r < 0) {
		hold_free(hold);
		return r;
	}
	hold->of = h;
	h->serial++;
	HASH_ADD(hh, h->all, ino, sizeof(hold->ino), hold);
	*ret = hold;
	return 0;
}

int holds_open(struct holds *h, const struct endpoint *e, struct hold **ret, struct bh_err *err)
{
	static const struct nlsock none = NLSOCK_INIT;
	bh_autoclose int fd = -1;
	uint64_t ino;
	int r = endpoint_netns_open(e, &fd, &ino, err);

	if (r < 0)
		return r;
	*ret = find(h, ino);
	return *ret ? 0 : hold_add(h, BH_STEAL_FD(fd), ino, &none, ret, err);
}

void holds_release(struct holds *h, uint64_t netns_ino)
{
	struct hold *hold = find(h, netns_ino);

	if (!hold)
		return;
	h->serial++;
	HASH_DEL(h->all, hold);
	hold_drop(hold);
	hold_free(hold);
}

size_t holds_keep_only(struct holds *h, const uint64_t *inos, size_t n,
		       void (*on_gone)(uint64_t, void *), void *arg)
{
	struct hold *each, *next;

	HASH_ITER (hh, h->all, each, next)
		if (!is_among(each->ino, inos, n)) {
			on_gone(each->ino, arg);
			h->serial++;
			HASH_DEL(h->all, each);
			hold_drop(each);
			hold_free(each);
		}
	forget_bare(h, inos, n);
	return HASH_COUNT(h->all);
}

int holds_note_bare(struct holds *h, uint64_t netns_ino)
{
	struct bare *b;

	if (!netns_ino || holds_is_bare(h, netns_ino))
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->ino = netns_ino;
	HASH_ADD(hh, h->bare, ino, sizeof(b->ino), b);
	return 0;
}

bool holds_is_bare(const struct holds *h, uint64_t netns_ino)
{
	struct bare *b;

	HASH_FIND(hh, h->bare, &netns_ino, sizeof(netns_ino), b);
	return b != NULL;
}

size_t holds_next_turn(struct holds *h, size_t part, size_t n)
{
	size_t first = n ? h->turn % n : 0;

	h->turn = first + part;
	return first;
}

size_t holds_count(const struct holds *h)
{
	return HASH_COUNT(h->all);
}

uint64_t holds_serial(const struct holds *h)
{
	return h->serial;
}

struct nlsock *hold_socket(struct hold *h)
{
	return &h->nl;
}

int hold_netns(const struct hold *h)
{
	return h->netns_fd;
}

bool hold_is_sure(struct hold *h)
{
	const struct standing *st = hold_standing(h);

	return st->known && !st->stale;
}

void hold_doubt(struct hold *h)
{
	h->standing.stale = true;
}

void holds_ask_numbers(struct holds *h)
{
	for (struct hold *each = h->all; each; each = each->hh.next)
		each->standing.unsure = true;
}

struct standing *hold_standing(struct hold *h)
{
	return &h->standing;
}

uint64_t hold_ino(const struct hold *h)
{
	return h->ino;
}

/* Its own commit is no reason to read: any number but the next one is. */
int hold_retire(struct hold *h, const struct nft_denied *flows, size_t n,
		int (*fn)(const struct nft_denied *, void *), void *arg, struct bh_err *err)
{
	struct standing *st = &h->standing;
	uint32_t commit;
	int r = nft_denied_retire(&h->nl, flows, n, fn, arg, err);

	if (st->known && nft_commit_id(&h->nl, &commit, NULL) >= 0 && commit == st->commit_id + 1)
		st->commit_id = commit;
	return r;
}

/* --- queues ---------------------------------------------------------------------------------- */

struct queues *hold_queues_of(struct hold *h, uint32_t ifindex)
{
	struct queues *q;

	for (size_t i = 0; i < h->n_queues; i++)
		if (h->queues[i]->ifindex == ifindex)
			return h->queues[i];
	q = h->n_queues < BH_DEVICES_MAX ? calloc(1, sizeof(*q)) : NULL;
	if (!q)
		return NULL;
	q->ifindex = ifindex;
	h->queues[h->n_queues++] = q;
	return q;
}

/* Those of devices that are gone. */
static void forget_unseen(struct hold *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_queues; i++)
		if (h->queues[i]->seen)
			h->queues[n++] = h->queues[i];
		else {
			hold_drop_queues(h, h->queues[i]);
			queues_free(h->queues[i]);
		}
	h->n_queues = n;
}

/* One that left the namespace has let go of them, whatever its index is when it is back. */
static bool all_bound(const struct queues *q)
{
	for (size_t i = 0; i < q->n; i++)
		if (!xsk_is_bound(q->fds[i]))
			return false;
	return true;
}

/* Those that are ours already stay so; the rest is tried at every look, also whether there are more. */
static int take_device(struct hold *h, const struct net_device *d, struct bh_err *err)
{
	struct queues *q = hold_queues_of(h, d->index);
	char name[80];
	int r;

	if (!q)
		return bh_err_oom(err);
	q->seen = true;
	if (!all_bound(q)) {
		hold_drop_queues(h, q);
		queues_close(q);
	}
	r = xsk_occupy(h->netns_fd, d->index, q->fds, BH_DEVICE_QUEUES_MAX, &q->n, err);
	if (r >= 0 || r == -EOPNOTSUPP)
		return 0;
	bh_escape_str(name, sizeof(name), d->name);
	if (r == -EBUSY)
		return bh_err_set(err, r, "a socket of AF_XDP that is not ours is open on %s",
				  name);
	return bh_err_prefix(err, r, "device %s", name);
}

void hold_take_queues(struct hold *h, const struct net_devices *devices)
{
	struct bh_err why = BH_ERR_INIT;

	h->xdp_why[0] = '\0';
	if (devices->more)
		snprintf(h->xdp_why, sizeof(h->xdp_why), "it has more than %d network devices",
			 BH_DEVICES_MAX);
	for (size_t i = 0; i < h->n_queues; i++)
		h->queues[i]->seen = false;
	for (size_t i = 0; i < devices->n; i++)
		if (take_device(h, &devices->d[i], &why) < 0 && !h->xdp_why[0])
			snprintf(h->xdp_why, sizeof(h->xdp_why), "%s", why.msg);
	forget_unseen(h);
	hold_keep(h);
}

bool hold_closes_xdp(const struct hold *h)
{
	return !h->xdp_why[0];
}

const char *hold_xdp_why(const struct hold *h)
{
	return h->xdp_why;
}
