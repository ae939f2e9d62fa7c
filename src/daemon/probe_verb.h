/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_PROBE_VERB_H
#define DAEMON_PROBE_VERB_H

#include <bulkhead/ctl/ctl.h>

/*
 * Somebody sends packets of a segmentation test, or has sent them: it is written on the audit trail, so
 * that what is denied of them is not taken for an attack, and the logger is told, so that what is allowed of
 * them is not taken for use of a rule: the answer comes when it knows.
 */
extern const struct ctl_arg probe_args[];
void probe_run_verb(struct ctl_call *call, const json_t *args, void *arg);

#endif
