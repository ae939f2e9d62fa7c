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
	uint32_t *i; /* free() it */
	size_t n;
};

int overlap_of(const struct policy_set *set, size_t service, struct overlap *ret);

/* True only if no endpoint can match both. */
bool selectors_disjoint(const struct selector *a, const struct selector *b);
bool labels_disjoint(const struct label *a, size_t na, const struct label *b, size_t nb);

#endif
