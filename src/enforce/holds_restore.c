/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hold made of the descriptors that an earlier process left. Nothing of a socket of AF_XDP has to be
 * mapped again: what it was given to send from stays pinned by the kernel as long as the socket is open
 * (net/xdp/xdp_umem.c), and nothing is ever sent.
 */
#include <errno.h>
#include <linux/netlink.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/xsk.h>

#include "hold.h"

static int restore_owner(struct holds *h, uint64_t ino, int fd, int *netns_fd, struct bh_err *err)
{
	struct nlsock nl = NLSOCK_INIT;
	bool other = false;
	struct hold *hold;
	int r;

	if (holds_find(h, ino))
		return bh_err_set(err, -EEXIST, "its namespace has an owner already");
	r = nlsock_adopt(&nl, fd, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = nft_owned_by_other(&nl, &other, err);
	if (r >= 0 && other)
		r = bh_err_set(err, -EPERM, "its tables belong to another socket");
	if (r >= 0)
		r = hold_add(h, BH_STEAL_FD(*netns_fd), ino, &nl, &hold, err);
	if (r >= 0)
		hold->kept = true;
	return r;
}

static int find_or_add(struct holds *h, uint64_t ino, int *netns_fd, struct hold **ret,
		       struct bh_err *err)
{
	static const struct nlsock none = NLSOCK_INIT;

	*ret = holds_find(h, ino);
	return *ret ? 0 : hold_add(h, BH_STEAL_FD(*netns_fd), ino, &none, ret, err);
}

/* Which device and queue it is bound to, the kernel does not tell: that is taken on trust. */
static int check_queue(const struct held *what, int fd, struct bh_err *err)
{
	if (!xsk_is_socket(fd))
		return bh_err_set(err, -EINVAL, "it is not a socket of AF_XDP");
	if (!xsk_is_bound(fd))
		return bh_err_set(err, -ENXIO, "its device is gone");
	if (!what->ifindex || what->queue >= BH_DEVICE_QUEUES_MAX)
		return bh_err_set(err, -EINVAL, "there is no such queue");
	return 0;
}

static int restore_queue(struct holds *h, const struct held *what, int fd, int *netns_fd,
			 struct bh_err *err)
{
	struct queues *q;
	struct hold *hold;
	int r = check_queue(what, fd, err);

	if (r >= 0)
		r = find_or_add(h, what->netns_ino, netns_fd, &hold, err);
	if (r < 0)
		return r;
	q = hold_queues_of(hold, what->ifindex);
	if (!q)
		return bh_err_oom(err);
	if (q->n != what->queue)
		return bh_err_set(err, q->n > what->queue ? -EEXIST : -EINVAL,
				  "it is not the next queue of its device");
	q->fds[q->n++] = fd;
	q->n_kept = q->n;
	return 0;
}

int holds_restore(struct holds *h, const struct held *what, int fd, struct bh_err *err)
{
	bh_autoclose int netns_fd = -1;
	uint64_t ino;
	int r = netns_of_socket(fd, &netns_fd, &ino, err);

	if (r < 0)
		return r;
	if (ino != what->netns_ino || ino == netns_own_ino())
		return bh_err_set(err, -ESTALE, "it is of another namespace");
	return what->kind == HELD_OWNER ? restore_owner(h, ino, fd, &netns_fd, err)
					: restore_queue(h, what, fd, &netns_fd, err);
}
