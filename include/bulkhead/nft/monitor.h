/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_MONITOR_H
#define BULKHEAD_NFT_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Who changes nf_tables, in whichever namespace. The kernel tells of every commit, whoever makes it,
 * but not of what it refused, and not of tables that vanish with their owner. It asks every listener on
 * the host at each commit whether it is for him: so there is one for all namespaces. Source:
 * NFNLGRP_NFTABLES, NFT_MSG_NEWGEN (include/uapi/linux/netfilter/nf_tables.h), NETLINK_LISTEN_ALL_NSID.
 */

/*
 * A socket in the namespace NETNS_FD that hears of commits there, and in all those that it has a
 * number for (netns_id()); never blocks; the caller's. -EPERM without CAP_NET_BROADCAST.
 */
int nft_monitor_open(int netns_fd, int *ret_fd, struct bh_err *err);

struct nft_commit {
	int32_t netns_id; /* of the namespace; -1: the listener's own */
	uint32_t port;    /* of the socket: no other in that namespace has it at the same time */
	pid_t pid;        /* of the process, as seen from here; 0: not told */
	char name[72];    /* what it calls itself, escaped: it may lie; "?": not told */
};

/*
 * Read what is there, at most some buffers of it. FN gets every commit. *RET_MISSED: some could not be
 * kept for us (BH_MONITOR_RCVBUF), so there may have been others, anywhere.
 */
int nft_monitor_read(int fd, void (*fn)(const struct nft_commit *, void *), void *arg,
		     bool *ret_missed);

/* The messages of one read; pure, for tests. DATA is aligned for a struct nlmsghdr. */
void nft_monitor_parse(const void *data, size_t len, int32_t netns_id,
		       void (*fn)(const struct nft_commit *, void *), void *arg);

#endif
