/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_PAIRS_H
#define BULKHEAD_SRC_FLOW_PAIRS_H

#include <bulkhead/flow/signals.h>

/*
 * The pairs that are known to have been denied. Each takes the memory of one owner: who is over his
 * bound loses his own that was seen first, and over the bound of all, whoever has most does.
 */
struct pairs {
	struct pair *table;
	struct pair_owner *owners;
	size_t n;
	uint64_t serial; /* of the last that was learnt or seen anew */
	uint64_t forgotten;
};

/* Is it known? Then it was seen again at NOW. */
bool pairs_see(struct pairs *p, uint64_t pair, int64_t now);
/* Put one in; one that is known becomes what K says. 0 or -ENOMEM. */
int pairs_add(struct pairs *p, const struct signals_known *k);
int pairs_each(const struct pairs *p, uint64_t after,
	       int (*fn)(const struct signals_known *k, void *arg), void *arg);
void pairs_done(struct pairs *p);

#endif
