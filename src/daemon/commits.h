/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_COMMITS_H
#define DAEMON_COMMITS_H

#include "controller.h"

/*
 * Who changes nf_tables in the namespaces that are held: one listener hears of all of them. What was
 * changed by somebody else is logged with his name, and looked at; what went unheard is found by the
 * numbers of commits.
 */
struct commits;

/* -ENOMEM. That it cannot be listened is logged, and tried again at each full look. */
int commits_new(struct controller *c, struct commits **ret, struct bh_err *err);
void commits_free(struct commits *k); /* takes NULL */

/* A full look begins: the listener is opened if there is none, and changes are told anew. */
void commits_look(struct commits *k);

/* Hear of this namespace. *RET_ID: its number, for commits_forget(); as it was when nothing listens. */
int commits_hear(struct commits *k, int netns_fd, uint64_t netns_ino, int32_t *ret_id);
void commits_forget(struct commits *k, int32_t id,
		    uint64_t netns_ino); /* one that is not is passed over */

#endif
