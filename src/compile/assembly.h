/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_ASSEMBLY_H
#define BULKHEAD_SRC_COMPILE_ASSEMBLY_H

#include <bulkhead/base/buf.h>

#include "assemble.h"
#include "boxes.h"

/* The entries of one direction while they are gathered: by assemble.c, and by patch.c for a few. */

struct assembly {
	struct bh_arena *arena, *scratch;
	struct bh_vec hashed[3];          /* struct entry: ENTRY_EXACT, ENTRY_HOST, ENTRY_ICMP */
	struct bh_vec boxes[ENTRY_KINDS]; /* struct box, for the kinds of intervals */
};

struct ranking {
	const struct piece *piece;
	uint32_t order; /* in the policy */
	uint32_t final; /* index in ruleset.rules */
};

void assembly_init(struct assembly *a);
void assembly_done(struct assembly *a);
/* What a piece says of single addresses in hashes, and all else that it says. -E2BIG, -ENOMEM. */
int assembly_add_hashed(struct assembly *a, const struct piece *p, uint32_t rank);
int assembly_add_boxes(struct assembly *a, const struct piece *p, uint32_t rank);
/* Sort by key and keep of each key the one whose rule comes first; how many those are. */
size_t assembly_keep_owners(struct entry *e, size_t n);
/* Hand the entries to the ruleset, with the rule's place and expiry instead of its rank. */
int assembly_deliver(struct bh_arena *arena, const struct bh_vec *v, size_t n,
		     const struct ranking *by_rank, struct entry_list *ret);
int assembly_deliver_boxes(struct assembly *a, enum entry_kind kind, const struct ranking *by_rank,
			   struct entry_list *ret);
/* The sentence for R, which it returns. */
int assembly_error(int r, struct bh_err *err);

/* Sort by name, which is the order of rules in a ruleset, and note the places. */
void ranking_find_places(struct ranking *v, size_t n);
/* For qsort(): egress before ingress; then who owns what several cover. */
int ranking_cmp_precedence(const void *a, const void *b);

#endif
