/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_FOLDERS_H
#define DAEMON_FOLDERS_H

#include "controller.h"

/*
 * The folders in which namespaces come and go, seen by inotify. What comes is denied first, as the host
 * file says, also while an engine is waited for; all else is reconcile.h's.
 */
struct folders;

int folders_new(struct controller *c, struct folders **ret, struct bh_err *err);
void folders_free(struct folders *f); /* takes NULL */

/* Watch those that the site's endpoints live in, and those in which new ones will: all anew. */
void folders_sync(struct folders *f, const struct site *s);

#endif
