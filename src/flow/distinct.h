/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_DISTINCT_H
#define BULKHEAD_SRC_FLOW_DISTINCT_H

#include <stddef.h>
#include <stdint.h>

/*
 * The distinct things seen within the last BH_SIGNAL_SCAN_S seconds: exact up to
 * BH_SIGNAL_DISTINCT_MAX, then the latest ones. Zeroed is empty. Times: seconds, that do not go back.
 */
struct distinct {
	struct distinct_entry {
		uint32_t key, at;
	} * e;
	uint32_t n, cap;
};

int distinct_add(struct distinct *d, uint32_t key, uint32_t now); /* 0 or -ENOMEM */
uint32_t distinct_count(struct distinct *d, uint32_t now);
void distinct_done(struct distinct *d);

#endif
