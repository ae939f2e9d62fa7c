/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_EXCHANGE_H
#define PROBE_EXCHANGE_H

#include <bulkhead/probe/probe.h>

/*
 * Send every cell that is to be asked, at the rate, and note what is heard of each: PROBE_SENT, SEEN,
 * IN, OUT, and its error. What left and did not come is sent again.
 */
int exchange_run(struct probe_run *run, const struct probe_options *o, struct bh_err *err);

#endif
