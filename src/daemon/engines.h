/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ENGINES_H
#define DAEMON_ENGINES_H

#include "controller.h"

/*
 * Docker and Podman tell of what happens in them. Every event only marks that something may have
 * changed: reconcile_touch().
 */
struct engines;

/* Follow those that the options and the host file of C->site name; none with an inventory. */
int engines_new(struct controller *c, struct engines **ret, struct bh_err *err);
void engines_free(struct engines *e); /* takes NULL */

#endif
