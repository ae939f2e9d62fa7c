/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_XSK_H
#define BULKHEAD_SYS_XSK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/err.h>

/*
 * Sockets of AF_XDP hand frames to a device behind every hook of its namespace, and CAP_NET_RAW is
 * enough to open one. But each queue of a device takes one socket only: who is bound to all of them
 * keeps others out for as long as the descriptors are open. Source: net/xdp/xsk.c, xsk_bind().
 */

/* False when this kernel has no such sockets: then there is nothing to keep out. */
bool xsk_supported(void);

/*
 * Bind a socket that sends and receives nothing to every queue of device IFINDEX in the namespace,
 * from queue *N on: FDS has the sockets of those before. It gets at most CAP descriptors, *N of them
 * then, also on failure; the caller closes them. -EBUSY:
 * somebody is bound to one already; -EOPNOTSUPP: the device takes no such sockets, so nobody can
 * bind; -ENODEV; -E2BIG: more than CAP queues; -ENOBUFS, -ENOMEM: of locked memory (RLIMIT_MEMLOCK).
 */
int xsk_occupy(int netns_fd, uint32_t ifindex, int *fds, size_t cap, size_t *n, struct bh_err *err);

/* FD may be anything. */
bool xsk_is_socket(int fd);

/* Is it still? A device that leaves its namespace, or ends, lets go of its sockets. */
bool xsk_is_bound(int fd);

#endif
