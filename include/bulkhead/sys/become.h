/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_BECOME_H
#define BULKHEAD_SYS_BECOME_H

#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Be user UID and group GID for good, without supplementary groups and without any capability: for
 * reading what belongs to somebody who may have made anything of it. Afterwards it is proven that there
 * is no way back. The process cannot be traced by others of that user. -EPERM when it is not permitted;
 * then some of it may have happened, and the process should end.
 */
int become_user(uid_t uid, gid_t gid, struct bh_err *err);

#endif
