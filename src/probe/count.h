/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_COUNT_H
#define PROBE_COUNT_H

#include <bulkhead/probe/probe.h>

/* What our counters say, read and never written: they may be a daemon's. */

struct counts;
/* Before the first packet: what the denied sets and counters of every namespace have. */
int counts_begin(const struct probe_run *run, struct counts **ret, struct bh_err *err);
/* After the last: PROBE_COUNTED_OUT and PROBE_COUNTED_IN of every cell. */
int counts_end(struct counts *c, struct probe_run *run, struct bh_err *err);
void counts_free(struct counts *c); /* takes NULL */

#endif
