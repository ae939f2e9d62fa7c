/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_NOTED_H
#define DAEMON_NOTED_H

#include "announced.h"
#include "controller.h"

/*
 * Word that starters left of whom they quarantined while no daemon was there, or it hung (ctl/notes.h): taken when
 * it comes, seen by inotify, and with each look.
 */
struct noted;

/* What is there is taken at once. A has it. */
int noted_new(struct controller *c, struct announced *a, struct noted **ret, struct bh_err *err);
void noted_free(struct noted *n); /* takes NULL */

void noted_take(struct noted *n);

#endif
