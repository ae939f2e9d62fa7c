/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_REFUSED_H
#define BULKHEAD_SRC_FLOW_REFUSED_H

#include <stdbool.h>
#include <stdint.h>

struct flow_id;

/*
 * The flows that found no room in memory, as marks at their hashes: none is ever overlooked, a few
 * others pass for refused. A mark lasts until two dumps in a row did not renew it: one dump may
 * miss a flow.
 */
struct refused {
	uint8_t *marks; /* of three turns; NULL: none yet */
	unsigned turn;
};

bool refused_has(const struct refused *r, const struct flow_id *id);
int refused_add(struct refused *r, const struct flow_id *id); /* 0 or -ENOMEM */
void refused_turn(struct refused *r);                         /* at the end of each dump */
void refused_done(struct refused *r);

#endif
