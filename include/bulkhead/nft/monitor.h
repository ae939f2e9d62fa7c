/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_MONITOR_H
#define BULKHEAD_NFT_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Who changes nf_tables in a namespace. The kernel tells of every commit, whoever makes it, but not
 * of what it refused, and not of tables that vanish with their owner. Source: NFNLGRP_NFTABLES,
 * NFT_MSG_NEWGEN (include/uapi/linux/netfilter/nf_tables.h).
 */

/* A socket that hears of commits in the namespace; never blocks; the caller's. */
int nft_monitor_open(int netns_fd, int *ret_fd, struct bh_err *err);

struct nft_commit {
	pid_t pid;     /* of the process, as seen from here; 0: not told */
	char name[72]; /* what it calls itself, escaped: it may lie; "?": not told */
};

/*
 * Read what is there, at most some buffers of it. FN gets every commit that was not made by the
 * socket OWN (its netlink port, which no other in the namespace has at the same time). *RET_MISSED: some could not be kept for us, so there may have been others.
 */
int nft_monitor_read(int fd, uint32_t own, void (*fn)(const struct nft_commit *, void *), void *arg,
		     bool *ret_missed);

/* The messages of one read; pure, for tests. DATA is aligned for a struct nlmsghdr. */
void nft_monitor_parse(const void *data, size_t len, uint32_t own,
		       void (*fn)(const struct nft_commit *, void *), void *arg);

#endif
