/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_BOXES_H
#define BULKHEAD_SRC_COMPILE_BOXES_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/model/ruleset.h>

/* Overlapping address x protocol x port boxes -> disjoint ones. */

struct box_spec {
	uint8_t proto_lo, proto_hi;
	uint16_t port_lo, port_hi;
};

/*
 * What one rule allows on one range of addresses. A lower RANK wins where rules overlap. A spec
 * for ICMP is left out on IPv6 addresses, one for ICMPv6 on IPv4 ones.
 */
struct box {
	struct bh_range addr;
	const struct box_spec *specs;
	size_t n_specs;
	uint32_t rank;
};

/*
 * Append to OUT (a vector of struct entry) entries that are pairwise disjoint and cover exactly
 * what the N boxes cover, each with the rank of its owner in entry.rule and expires 0. The address
 * intervals of two entries are equal or disjoint; neighbours that allow the same are one. Sorts
 * BOXES. -E2BIG when OUT is full, -ENOMEM.
 */
int boxes_normalise(struct box *boxes, size_t n, struct bh_vec *out);

#endif
