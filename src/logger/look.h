/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_LOOK_H
#define LOGGER_LOOK_H

#include "space_private.h"

/*
 * A look at the counts of a namespace, in the order that flow_account asks for: the log is read until
 * nothing is there, then the totals, the flows of both families, the totals again. Each is a question
 * that the controller sends; the answer comes by the namespace's own socket.
 */

void look_begin(struct space *s);
int look_on_answer(sd_event_source *source, int fd, uint32_t revents,
		   void *arg); /* ARG: the space */
void look_retired(struct space *s, const struct lg_flows *m);
/* One that was never answered is given up, and begun anew at the next turn. */
void look_check_time(struct space *s);

#endif
