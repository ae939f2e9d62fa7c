/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_METERS_H
#define DAEMON_METERS_H

#include "controller.h"
#include "logger.h"
#include "metrics.h"

/* The metrics of a controller: where they are asked for, and what fills them. */
struct meters;

/* As the host file of C->site says; *RET is NULL when it wants none. */
int meters_new(struct controller *c, struct meters **ret, struct bh_err *err);
void meters_free(struct meters *m); /* takes NULL */

/* All take NULL for M: nobody wants to know. */

/* One namespace was brought about, or could not be. */
void meters_applied(struct meters *m, const struct apply_result *res);
/* What the logger says of itself, about each second. */
void meters_logger(struct meters *m, const struct logger_state *s);
/* The policies were read anew: RESULT 0 or -errno. */
void meters_reloaded(struct meters *m, int result);
/* Does something stand in the policy files that was refused, so that older policies are in force? */
void meters_refused(struct meters *m, bool refused);
/* A comparison has ended: how long it took, of which the changes. */
void meters_compared(struct meters *m, uint64_t usec, uint64_t apply_usec);
/* The same of a look at everything; then how everything stands is read. */
void meters_looked(struct meters *m, struct site *s, size_t held, uint64_t usec,
		   uint64_t apply_usec);

#endif
