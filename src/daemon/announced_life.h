/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_LIFE_H
#define DAEMON_ANNOUNCED_LIFE_H

#include <bulkhead/base/err.h>

#include "announcement.h"

/*
 * When a container that nobody lists is over: when its first process has ended, wherever that went
 * meanwhile, and where none was named, when its namespace has lost its name. Numbers of both are given again: a
 * process is known by when it was started, too, and a namespace by its cookie.
 */

/*
 * What A says, compared with what there is; its netns_ino and cookie, and when its process was started, are noted
 * in A->said. -EINVAL: no network namespace, or the host's own, or not the one of the process; -ESTALE; -ESRCH;
 * -EAGAIN, -EMFILE, ...: it cannot be looked at.
 */
int announced_life_begin(struct announcement *a, struct bh_err *err);
/* What cannot be looked at lasts: for want of a descriptor nobody is let go of. */
bool announced_life_lasts(struct announcement *a);
/*
 * Does A->netns lead to its namespace? Its process may have left it, and others not: then it leads through
 * one of them from here on. 1: yes; 2: by another way now; 0: nobody is in it, and it is mounted nowhere; -E2BIG,
 * -ENOMEM, ...: the host's namespaces could not be looked through, or nothing is to be read of its process, which
 * lives: it may be in there.
 */
int announced_life_reach(struct announcement *a);

#endif
