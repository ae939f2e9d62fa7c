/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_PARK_H
#define DAEMON_PARK_H

#include <stddef.h>

#include <bulkhead/base/err.h>
#include <bulkhead/enforce/holds.h>

/*
 * What a daemon holds, parked with the service manager: systemd keeps a second descriptor of each
 * socket while the daemon is dead, restarts or is replaced, and hands them to the next one. So the
 * tables are never without their owner, nor the queues free. See FileDescriptorStoreMax= in
 * systemd.service(5).
 *
 * Names: nl-INODE is the owner, xsk-INODE-IFINDEX-QUEUE the socket on a queue; the inode of the
 * namespace is hexadecimal.
 */
struct park;

/* CAP: most descriptors, BH_PARKED_MAX at most. Without a service manager it parks nothing. */
int park_new(size_t cap, struct park **ret, struct bh_err *err);
void park_free(struct park *p); /* takes NULL; what is parked stays so */

/* What systemd says that it keeps; BH_PARKED_MAX when it does not say. */
size_t park_cap(void);

/*
 * Take over what an earlier run left: LISTEN_FDS and LISTEN_FDNAMES. What cannot be used is closed
 * here and there, and told in the log. From then on P is the keeper of H, and must outlive it.
 */
void park_restore(struct park *p, struct holds *h);

/* Now and then: what there was no room for, if there is some by now. */
void park_look(struct park *p, struct holds *h);

size_t park_refused(const struct park *p); /* descriptors there is no room for */

#endif
