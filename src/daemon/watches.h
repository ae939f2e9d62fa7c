/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_WATCHES_H
#define DAEMON_WATCHES_H

#include "controller.h"

/*
 * What tells that something may have changed: the devices and addresses of every namespace that is
 * held (rtnetlink), somebody else's changes of its nf_tables, the end of the process that it was made for (pidfd), and the folders in which
 * namespaces come and go (inotify). Each only marks it: reconcile_touch().
 */
int watches_new(struct controller *c, struct watches **ret, struct bh_err *err);
void watches_free(struct watches *w); /* takes NULL */

/*
 * Watch what is held now, and no more; with FOLDERS also see where namespaces come and go. A failure
 * is logged: the next look finds what was missed.
 */
void watches_sync(struct watches *w, const struct site *s, const struct holds *holds, bool folders);
/* The hold of this namespace is about to be released. */
void watches_forget(struct watches *w, uint64_t netns_ino);

#endif
