/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "controller.h"

/*
 * The verb `privileges`: what a container that is about to be made is to be started without. It waits, in
 * bounds, until the engine has said what the container is.
 */
int privileges_new(struct controller *c, struct privileges **ret, struct bh_err *err);
void privileges_free(struct privileges *p); /* takes NULL; after the server */

extern const struct ctl_arg privileges_args[];
void privileges_run(struct ctl_call *call, const json_t *args, void *arg);
void privileges_gone(struct ctl_call *call, void *arg);

/* Its engine has said what this container is. P may be NULL: there is none yet. */
void privileges_known(struct privileges *p, const char *container);

#endif
