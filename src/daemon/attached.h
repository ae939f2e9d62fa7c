/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ATTACHED_H
#define DAEMON_ATTACHED_H

#include <bulkhead/ctl/ctl.h>

/*
 * What a starter asks beside `protect` and `released`. `ready`: could a container be taken now?
 * `examine`: a look into the namespace of one, as status has it. `retain`: of those of a runtime that
 * were told with a label, only these are there still.
 */
extern const struct ctl_arg attached_examine_args[];
extern const struct ctl_arg attached_retain_args[];

void attached_run_ready(struct ctl_call *call, const json_t *args, void *arg);
void attached_run_examine(struct ctl_call *call, const json_t *args, void *arg);
void attached_run_retain(struct ctl_call *call, const json_t *args, void *arg);

#endif
