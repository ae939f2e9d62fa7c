/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_TRAIL_H
#define DAEMON_TRAIL_H

#include "controller.h"

/* What the daemon writes on the audit trail: docs/audit.md. */

/* DIR NULL: the default. Errors as audit_open(). */
int trail_open(const char *dir, unsigned files, struct audit **ret, struct bh_err *err);

/* A change that was asked for, and what became of it. */
struct trail_change {
	const char *action;          /* "start", "reload", "apply", "rollback", ... */
	const struct ctl_peer *peer; /* NULL: nobody at the socket, but the daemon itself */
	const struct site *before;   /* what was in force; policies NULL: nothing */
	const struct site *after;    /* what was to be; NULL: it was not valid */
	int result;                  /* 0 or -errno */
	const char *detail;          /* one sentence, or "" */
	bool nothing;                /* what is in force is what was, whatever AFTER was to be */
};

/*
 * On failure ERR says so, and the change stands as it is. What changed nothing is written for a user
 * within bounds only (refusals.h): 0, and it is counted.
 */
int trail_append(struct controller *c, const struct trail_change *change, struct bh_err *err);

/* Before a change: -EIO when it could not be written down. */
int trail_ready(struct controller *c, struct bh_err *err);

#endif
