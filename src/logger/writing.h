/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_WRITING_H
#define LOGGER_WRITING_H

#include "space_private.h"

/* Where records go: the history, the outputs, and what is worth waking somebody for. */

/* When the controller has said all. 0 or -ENOMEM: what cannot be opened is trouble, and no failure. */
int writing_open(struct logger *l);
void writing_close(struct logger *l);

/* A record: signals that come of it. */
void write_signals(struct logger *l, const struct flow_record *rec);
/* Written at once, or when it is known which process it was; what comes of it behind it. Returns 0. */
int write_asking(struct space *s, struct flow_record *rec);
int write_telling(struct space *s, const struct flow_record *rec);
/* One of which no signal comes: those of a flood came of what it was made of. */
int write_record(struct space *s, const struct flow_record *rec);
/* What waits goes to the disk, if it can. */
void writing_commit(struct logger *l);
/* SIGHUP: files and sockets anew. */
void writing_reopen(struct logger *l);

#endif
