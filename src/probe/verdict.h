/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_VERDICT_H
#define PROBE_VERDICT_H

#include <bulkhead/probe/probe.h>

/*
 * From the facts of a packet to what they mean, pure. OBSERVED: the destination's namespace was listened
 * in. Sets outcome, fault and reason; a cell that was not to be probed stays as it is.
 */
void verdict_of(struct probe_cell *c, bool observed);

/* There is no way to its destination: PROBE_NO_ROUTE if both ends allow it, else PROBE_NO_WAY. */
enum probe_reason verdict_no_route(const struct probe_cell *c);

/*
 * Of all N cells between two ends: what was lost on the way to one address of an end that is allowed, and
 * came by another one, is PROBE_OTHER_WAY. What an end may get it gets by any of its addresses.
 */
void verdict_ways(struct probe_cell *cells, size_t n);

/* One end vanished: that proves nothing, unless the packet got where it may not. */
void verdict_vanished(struct probe_cell *c);

/* By how much a clock moved against another, in microseconds; 0 when within a second. */
int64_t verdict_jump(int64_t start, int64_t end, int64_t took);

/* Sums, over all cells and parties. */
void verdict_sums(struct probe_run *run);

#endif
