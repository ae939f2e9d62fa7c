/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_SPACE_H
#define LOGGER_SPACE_H

#include "logger.h"

/*
 * One network namespace: its log, its counts, and the looks at them. A look is asked for question by
 * question (the kernel is asked by the controller), so that it holds up nothing.
 */

/* Takes both descriptors, also on failure. One that is there already is replaced. */
int space_attach(struct logger *l, uint64_t ino, int log_fd, int counts_fd, struct bh_err *err);
/* Count to the end; when that is done LG_DETACHED is sent. Not there: at once. */
void space_detach(struct logger *l, uint64_t ino);
/* The final counts of flows that were to be retired. */
void space_retired(struct logger *l, const struct lg_flows *m);

/* Who is who has changed. */
void spaces_identify(struct logger *l);
/* Once a second: look at those where something may be new, and at the others in turn. */
void spaces_look(struct logger *l);
/* Record what is known, and let go of all. */
void spaces_finish(struct logger *l);
void spaces_add_stats(const struct logger *l, struct lg_stats *stats);

#endif
