/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_HOLD_H
#define ENFORCE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/nlsock.h>

#include "standing.h"

/* What a hold is made of, for those who make one (holds.c of a
 * path, holds_restore.c of what is left) and who tells of it (holds_keep.c). */

/* The sockets on one device's queues, from queue 0 on. */
struct queues {
	uint32_t ifindex;
	int fds[BH_DEVICE_QUEUES_MAX];
	size_t n;
	size_t n_kept; /* of them, the keeper was told */
	bool seen;
};

/* First what is looked at of every one at every event: it stands together. */
struct hold {
	UT_hash_handle hh;
	uint64_t ino;
	struct standing standing;
	struct holds *of;
	int netns_fd;
	struct nlsock nl;
	bool kept; /* the keeper was told of the socket */
	struct queues *queues[BH_DEVICES_MAX];
	size_t n_queues;
	char xdp_why[BH_ERR_MAX];
};

struct bare {
	uint64_t ino;
	UT_hash_handle hh;
};

struct holds {
	struct hold *all;
	struct bare *bare;
	size_t turn;
	uint64_t serial;
	struct holds_keeper keeper;
};

/*
 * A new hold of the namespace NETNS_FD, which it takes, also on failure; NL, a socket there, is
 * taken on success. NL->fd -1: one is opened.
 */
int hold_add(struct holds *h, int netns_fd, uint64_t ino, const struct nlsock *nl,
	     struct hold **ret, struct bh_err *err);

/* Those of the device; made when there are none yet. NULL: BH_DEVICES_MAX, or out of memory. */
struct queues *hold_queues_of(struct hold *h, uint32_t ifindex);

/* Tell the keeper that these will be closed: all of H, or of one device. */
void hold_drop(struct hold *h);
void hold_drop_queues(struct hold *h, struct queues *q);

#endif
