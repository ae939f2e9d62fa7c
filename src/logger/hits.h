/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_HITS_H
#define LOGGER_HITS_H

#include "space_private.h"

/* What policy rules let pass: their counters, now and then, and last before the namespace goes. */

/* Is it time for a look at them? */
bool hits_due(const struct space *s);
/* An answer to NFT_ASK_RULES is complete, or will not come. */
void hits_take(struct space *s);
void hits_missed(struct space *s);
/* No more comes of this namespace. */
void hits_end(struct space *s);
/* Each second or so: a logger runs. */
void hits_tick(struct logger *l);
/* A number of this start of the machine, for flows_options. */
int64_t hits_boot(void);

#endif
