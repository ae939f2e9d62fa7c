/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_CHANGE_H
#define NFT_CHANGE_H

#include <bulkhead/nft/nft.h>

#include "batch.h"

/* What apply.c and change.c share: tables made anew, and tables changed in place. */

/* A run of batches, each of which is done onto the one before and nothing else. */
struct commits {
	struct nlsock *s;
	uint32_t at; /* the commit onto which the next is done; 0: any */
	struct nft_written *ret;
};

/* An empty batch onto what stands. */
void commits_begin(const struct commits *k, struct batch *b);
/* Send it unless it is empty; B is done with. */
int commits_end(struct commits *k, struct batch *b, struct bh_err *err);

uint32_t table_flags(const struct nft_want *want);
/* Index of a policy rule of R (may be NULL) by its counter's name, or -1. */
long find_rule(const struct ruleset *r, const char *name);
/* With the counters that every table has, which go on from HAVE. */
void add_table(struct batch *b, const struct nft_state *have, const struct nft_program *p,
	       unsigned table, uint32_t flags);
/* Of CHAIN, all that P has. */
void add_chain_rules(struct batch *b, const struct nft_program *p, unsigned chain);

/* HAVE is intact, and stays so from batch to batch. */
int change_in_place(struct commits *k, const struct nft_want *want, const struct nft_state *have,
		    struct bh_err *err);

#endif
