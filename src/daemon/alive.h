/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ALIVE_H
#define DAEMON_ALIVE_H

#include <bulkhead/store/runs.h>

#include "controller.h"

/*
 * That the daemon runs, and when it did not: for whoever reads the trail. A mark in the store is written
 * anew now and then (store/runs.h); what the last one left is told in the entry `start`.
 */
struct alive;

/* The trail is open: nobody else runs here. */
int alive_new(struct controller *c, struct alive **ret, struct bh_err *err);
void alive_free(struct alive *a); /* takes NULL */

/* What the entry `start` is to say. Returns OUT. */
const char *alive_sentence(const struct alive *a, char out[RUN_STR]);
/* The policies are in force: from now on it runs. */
void alive_begin(struct alive *a);
/* It ends, with RESULT (0: it was told to): an entry `stop`, and the mark says so. */
void alive_end(struct alive *a, int result);

#endif
