/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_REFUSALS_H
#define DAEMON_REFUSALS_H

#include "controller.h"

/*
 * What users are refused stands on the audit trail, but nobody can fill it with that: at most
 * BH_REFUSALS_UID_MAX entries of one user and BH_REFUSALS_MAX of all within BH_REFUSALS_WINDOW_S. How
 * many were left out is an entry of its own, `left-out`, at the end of that time.
 */
struct refusals;

/* Hears the refusals of C->server from now on. */
int refusals_new(struct controller *c, struct refusals **ret, struct bh_err *err);
/* Tells first what was left out. Takes NULL. */
void refusals_free(struct refusals *r);

/* May one more entry of UID, of something that changed nothing, be written? Else it is counted. */
bool refusals_admit(struct refusals *r, uid_t uid);

#endif
