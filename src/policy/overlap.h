/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_OVERLAP_PRIVATE_H
#define BULKHEAD_POLICY_OVERLAP_PRIVATE_H

#include <bulkhead/model/policy.h>

/*
 * An endpoint may be several services and then gets the union of their rules. What is said about
 * one service is certain only if every service that could share an endpoint with it is looked at.
 */

/* Services that one endpoint could be together with a service, itself among them; ascending. */
struct overlap {
	uint32_t *i;
	size_t n; /* 0 = not asked for yet */
};

/* For all services of a set, each found when first asked for. */
struct overlaps {
	const struct policy_set *set;
	struct overlap *of; /* [service] */
	struct fact *facts; /* of each service, sorted by what they say */
};

int overlaps_init(struct overlaps *o, const struct policy_set *set); /* 0 or -ENOMEM */
void overlaps_done(struct overlaps *o);
int overlaps_get(struct overlaps *o, size_t service, const struct overlap **ret);

/* True only if no endpoint can match both. */
bool selectors_disjoint(const struct selector *a, const struct selector *b);
bool labels_disjoint(const struct label *a, size_t na, const struct label *b, size_t nb);

#endif
