/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_PLAN_H
#define PROBE_PLAN_H

#include <bulkhead/probe/probe.h>

/* Who is asked what. */

/*
 * The parties of the site: endpoints first, one for each namespace, entered where that is possible; then
 * the host and addresses outside. -EPERM; -ENOENT: there is no endpoint.
 */
int plan_parties(struct probe_run *run, const struct probe_options *o, struct bh_err *err);

/* Does FROM ask for TO? Of an address that only some ask for, if its policies name it. O(log n). */
bool party_asks(const struct probe_run *run, uint32_t from, uint32_t to);

/* A cell for each packet, in the order in which they are sent. -E2BIG. */
int plan_cells(struct probe_run *run, const struct probe_options *o, struct bh_err *err);

#endif
