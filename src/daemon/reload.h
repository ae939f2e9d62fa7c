/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "controller.h"

/* Policies that are read anew, judged, and put in force or refused as a whole. */

/*
 * Read the policies anew. When they are valid they replace the old ones, else nothing changes:
 * -EINVAL, and TELL has got each line of what is wrong. Then everything is compared; FN (may be NULL)
 * gets each object of report_applied(). STRICT, or the host file: -EPERM, and nothing changes, when
 * something cannot be held. -EAGAIN: the endpoints cannot be listed now, it is tried again. ACTION and
 * PEER (NULL: none) are for the audit trail.
 */
int reload_policies(struct controller *c, const char *action, const struct ctl_peer *peer,
		    bool strict, void (*tell)(const char *line, void *arg),
		    void (*fn)(json_t *applied, void *arg), void *arg, struct bh_err *err);

/*
 * The policies as they stand in their files, and what they mean for the endpoints of this moment;
 * when those cannot be listed, for those that were known (NEXT->outdated), or NEXT->endpoints is NULL;
 * ERR says why then, and 0 is returned. -EINVAL:
 * they are not valid. The caller frees with site_done() in any case.
 */
int reload_read(struct controller *c, struct site *next, void (*tell)(const char *line, void *arg),
		void *arg, struct bh_err *err);

#endif
