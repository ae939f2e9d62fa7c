/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_PROTECT_H
#define DAEMON_PROTECT_H

#include "controller.h"

/*
 * The verbs of those who start containers. `protect` is answered when the kernel has the policy of the
 * container and the logger the log of its namespace, or when it is clear that this does not come about.
 */
struct protect;

int protect_new(struct controller *c, struct protect **ret, struct bh_err *err);
void protect_free(struct protect *p); /* takes NULL; after the server, whose calls it answers */

/* Does anybody wait? */
bool protect_waits(const struct protect *p);
/* Who waits is not asked about before UNTIL (hints_wait()). */
void protect_put_off(const struct protect *p, uint64_t until);

/* Something was brought about: whoever waits for it is answered. Takes NULL. */
void protect_settle(struct protect *p);

/*
 * The endpoint that this is, or, where an engine or the inventory knows its namespace by another id, that
 * one. False: it is not known.
 */
bool protect_find(const struct controller *c, enum endpoint_runtime runtime, const char *id,
		  uint64_t netns_ino, size_t *ret);

extern const struct ctl_arg protect_released_args[];
void protect_run(struct ctl_call *call, const json_t *args, void *arg);
void protect_run_released(struct ctl_call *call, const json_t *args, void *arg);
void protect_gone(struct ctl_call *call, void *arg);

#endif
