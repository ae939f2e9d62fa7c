/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "controller.h"
#include "keeping.h"

/* Policies that are read anew, judged, and put in force or refused as a whole. */

/* A change of policies that somebody wants. */
struct reload {
	const char *action;          /* for the audit trail */
	const struct ctl_peer *peer; /* who wants it; NULL: the daemon itself */
	bool strict;                 /* refuse what cannot be held; the host file may say so, too */
	unsigned confirm; /* taken back unless confirmed in so many seconds; 0: for good */
	const struct generation
		*back;          /* its policies, which become the files; NULL: as the files are */
	enum settling settling; /* SETTLING_EXPIRED: nothing that can be overcome stops it */
	bool again; /* it is on the audit trail that it failed: no entry when it comes to nothing */
	void (*tell)(const char *line, void *arg);
	void (*fn)(json_t *applied, void *arg); /* may be NULL */
	void *arg;                              /* of both */
};

/*
 * Read, judge, and put in force or refuse as a whole; then keep it and write it down. As
 * reload_policies(), and: -EACCES when some of it is not the peer's (TELL hears what), -EBUSY while
 * another change waits to be confirmed, -EIO when it could not be taken back or written.
 */
int reload_run(struct controller *c, const struct reload *rq, struct bh_err *err);
/* Write down that it came to nothing for R, which is returned. */
int reload_failed(struct controller *c, const struct reload *rq, int r, const struct bh_err *err);

/* ACTION with which the daemon begins: its entry says what became of the run before (alive.h). */
#define RELOAD_START "start"

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
