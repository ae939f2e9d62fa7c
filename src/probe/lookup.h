/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_LOOKUP_H
#define PROBE_LOOKUP_H

#include <bulkhead/probe/probe.h>

#include "packet.h"

/* Which cell a packet is of. */

/* Once the cells are made: those that are sent are found. -ENOMEM. */
int lookup_init(struct probe_run *run);

/* How a cell's packet looks on the wire. */
void lookup_key(const struct probe_run *run, const struct probe_cell *c, struct packet_key *ret);

/* FN gets each cell with that key. O(log n). */
void lookup_each(const struct probe_run *run, const struct packet_key *k,
		 void (*fn)(struct probe_cell *c, void *arg), void *arg);

#endif
