/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_MEET_H
#define NFT_MEET_H

#include "program.h"

/* Do two pieces of rulesets speak of the same flows? */

/* Is there a flow in both boxes? */
bool entries_meet(const struct entry *a, const struct entry *b);

/*
 * Is there a flow in one of A and one of B? Of both only what changes counts (struct map_plan). Where
 * that is too much to look through, yes.
 */
bool lists_meet(const struct entry_list *a, const uint8_t *a_steps, const struct entry_list *b,
		const uint8_t *b_steps);

/* Have both programs the same known addresses? */
bool same_ranges(const struct nft_program *a, const struct nft_program *b, unsigned family);
/* Is there, among what changes of L, an address that only one of both knows? */
bool ranges_meet(const struct nft_program *a, const struct nft_program *b, unsigned family,
		 const struct entry_list *l, const uint8_t *steps);
/* What both know; the caller frees it. -ENOMEM. */
int common_ranges(const struct nft_program *a, const struct nft_program *b, unsigned family,
		  struct bh_range **ret, size_t *ret_n);

#endif
