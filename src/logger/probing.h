/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_PROBING_H
#define LOGGER_PROBING_H

#include "space_private.h"

/*
 * Segmentation tests, whose hits are no use of a rule. Before one begins the counters are read once more, so
 * that what they have until then counts as use, and when it has ended, so that it soon counts again. Nothing
 * depends on these looks: what they would have found is taken for the test's.
 */

/* As the controller knows them when the logger begins. */
void probing_open(struct logger *l, uint64_t mark);
int probing_told(struct logger *l, const struct lg_probes *m);
/* Each second. */
void probing_tick(struct logger *l);

/* A counter that was never read may be as old as this, flows_probes_mark(). */
uint64_t probing_born(const struct space *s);
/* Is this namespace waited for? Was it asked for that? */
bool probing_waits(const struct space *s);
bool probing_asked(const struct space *s);
/* Its counters are asked for; they were read, or will not be. */
void probing_asks(struct space *s);
void probing_has(struct space *s);
void probing_leaves(struct space *s); /* no more comes of it */

#endif
