/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handle.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

/* Descriptors that the rest of the process needs. */
#define HANDLES_RESERVE 64

size_t descriptors_raise(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 256;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		getrlimit(RLIMIT_NOFILE, &rl);
	}
	return rl.rlim_cur;
}

static size_t handles_max(void)
{
	size_t all = descriptors_raise();

	return all > 2 * HANDLES_RESERVE ? all - HANDLES_RESERVE : HANDLES_RESERVE;
}

void handles_init(struct handles *h)
{
	*h = (struct handles) { .cap = handles_max() };
	if (h->cap > 16384)
		h->cap = 16384;
}

static void handles_close_all(struct handles *h)
{
	for (size_t i = 0; i < h->n; i++)
		nlsock_done(&h->s[i]);
	h->n = 0;
}

void handles_done(struct handles *h)
{
	handles_close_all(h);
	free(h->s);
	*h = (struct handles) { 0 };
}

int endpoint_netns_open(const struct endpoint *e, int *ret_fd, uint64_t *ret_ino,
			struct bh_err *err)
{
	bh_autoclose int fd = -1;
	uint64_t ino;
	int r = netns_open(e->netns, &fd, &ino, err);

	if (r < 0)
		return r;
	if (ino == netns_own_ino())
		return bh_err_set(err, -EINVAL, "its namespace is the host's own");
	if (e->netns_ino && ino != e->netns_ino)
		return bh_err_set(err, -ESTALE,
				  "its namespace was replaced by another; run the command again");
	if (ret_ino)
		*ret_ino = ino;
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

int frames_of(int netns_fd, struct nft_frames *ret, struct bh_err *err)
{
	struct net_devices devices;
	int r = runtime_devices(netns_fd, &devices, err);

	if (r >= 0)
		nft_frames_of(&devices, ret);
	return r;
}

int handles_open(struct handles *h, const struct endpoint *e, struct nlsock **ret,
		 struct nft_frames *frames, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r;

	if (!h->s && !(h->s = calloc(h->cap, sizeof(*h->s))))
		return bh_err_oom(err);
	if (h->n == h->cap)
		handles_close_all(h);
	r = endpoint_netns_open(e, &fd, NULL, err);
	if (r < 0)
		return r;
	h->s[h->n] = (struct nlsock)NLSOCK_INIT;
	r = frames_of(fd, frames, err);
	if (r >= 0)
		r = nlsock_open(&h->s[h->n], fd, NETLINK_NETFILTER, err);
	if (r < 0)
		return r;
	*ret = &h->s[h->n++];
	return 0;
}
