/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CHANGE_VERBS_H
#define DAEMON_CHANGE_VERBS_H

#include <bulkhead/ctl/ctl.h>

/* The verbs that change what is in force. All keep to the owners of a team: teams.c. */

extern const struct ctl_arg change_apply_args[], change_rollback_args[];

void change_run_apply(struct ctl_call *call, const json_t *args, void *arg);
void change_run_rollback(struct ctl_call *call, const json_t *args, void *arg);
void change_run_confirm(struct ctl_call *call, const json_t *args, void *arg);

#endif
