/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ROLLBACK_H
#define DAEMON_ROLLBACK_H

#include "reload.h"

/* Back to a generation that is kept: its policies become the files of the policy directory, and come in
 * force. The host file stays as it is, and the one in force goes on counting. */

/*
 * NAME: the beginning of a generation's id; NULL: the one that was in force before. RQ says for whom, as
 * for reload_run(); its action and generation are set here. -EINVAL: NAME is no name, or its policies
 * are not valid; -ENOENT, -ENOTUNIQ, -EBADMSG as generations_find() and generations_load(); -EIO: the
 * files could not be written, and nothing was changed; further errors as reload_run().
 */
int rollback_run(struct controller *c, const char *name, struct reload *rq, struct bh_err *err);

/* The files of generation ID only; RET_SITE is what they say, to be freed with site_done() in any case. */
int rollback_files(struct controller *c, const char *id, struct site *ret_site, struct bh_err *err);

/* The files of G, for PEER. 0, or -EIO or -ENOMEM with nothing changed. */
int rollback_write(struct controller *c, const struct generation *g, const struct ctl_peer *peer,
		   struct bh_err *err);
/* The same; when it is broken off, the next start carries it out. */
int rollback_begin(struct controller *c, const struct generation *g, const struct ctl_peer *peer,
		   struct bh_err *err);

/* The time to confirm is over. ARG is the controller. */
int rollback_on_deadline(sd_event_source *source, uint64_t usec, void *arg);

#endif
