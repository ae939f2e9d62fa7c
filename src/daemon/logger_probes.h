/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_LOGGER_PROBES_H
#define DAEMON_LOGGER_PROBES_H

#include <bulkhead/ctl/ctl.h>

#include "logger.h"

/*
 * The logger is told of segmentation tests, whose hits are no use of a rule: of each that begins before it sends
 * anything, and of whatever is seen of one that did not say so (ctl/probing.h).
 */

/*
 * End CALL when the logger knows that a test BEGINS or has ended, or that it will know before it reads a counter:
 * at once, later, or with an error when it does not answer or no test is seen to run. K may be NULL.
 */
void logger_probes_wait(struct logger_link *k, struct ctl_call *call, bool begins);
/* Does a test run that holds the file that counts them? -EPERM: none does; else as ctl_probing_look(). */
int logger_probes_held(const struct controller *c, struct bh_err *err);
/* The call of somebody who waits is gone. */
void logger_probes_gone(struct ctl_call *call, void *arg);

#endif
