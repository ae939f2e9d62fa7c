/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_LIFE_H
#define DAEMON_ANNOUNCED_LIFE_H

#include <bulkhead/base/err.h>

#include "announcement.h"

/*
 * When a container that nobody lists is over: when its first process has ended, and where none was named,
 * when its namespace has lost its name. Numbers of both are given again: a process is known by when it was
 * started, too.
 */

/*
 * What A says, compared with what there is; its netns_ino, and when its process was started, are noted
 * in A->said. -EINVAL: no network namespace, or the host's own, or not the one of the process; -ESTALE; -ESRCH.
 */
int announced_life_begin(struct announcement *a, struct bh_err *err);
bool announced_life_lasts(const struct announcement *a);

#endif
