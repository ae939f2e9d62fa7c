/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_PLAN_H
#define NFT_PLAN_H

#include "program.h"

/*
 * How a table in place is brought from one program to another without a packet noticing that both
 * judge alike. nf_tables' batches are atomic for rules, for hashes, and for an interval map by
 * itself, but an interval map's new elements count a moment later than all else of the batch. So a
 * change is cut into steps whose states in between allow what both programs allow, and deny what
 * both deny: denials come first and go last, what is allowed comes before it goes. Steps that need
 * not be apart share a batch; most changes are one.
 */
enum step {
	STEP_FILL,    /* what guardrails deny from now on; interval maps that no rule names yet */
	STEP_GUARD,   /* rules name the guardrails' new maps */
	STEP_ADD,     /* what is allowed from now on: elements, and rules that name new maps */
	STEP_REPLACE, /* elements in place of others, maps in place of others; how rules end */
	STEP_TAKE,    /* what is no longer allowed */
	STEP_UNGUARD, /* what guardrails no longer deny */
	STEPS
};

/* What becomes of an entry: 0: it stays; else the step + 1, by which it goes or comes. */
#define ENTRY_STEP(s) ((uint8_t)((s) + 1))
/* Of one that goes and comes again: for the same flows, with another rule or another end. */
#define ENTRY_SAME 0x80

struct map_plan {
	uint8_t *gone, *added; /* of each old and each new entry; in the plan's STEPS */
	size_t n_gone, n_added;
	bool reshaped; /* boxes come that overlap others which go */
	bool remade;   /* the new map is filled under the other name */
};

struct plan {
	const struct nft_program *old, *new; /* of NEW, the sets alone */
	struct map_plan maps[NFT_MAPS];
	uint8_t *steps;
	/* the step in which a set is made, first named by a rule, and no longer; STEPS: in none */
	uint8_t made[NFT_ALL_SETS], named[NFT_ALL_SETS];
	uint8_t unnamed[NFT_ALL_SETS], removed[NFT_ALL_SETS];
	/* what is in the known set of both */
	struct bh_range *common[FAMILIES];
	size_t n_common[FAMILIES];
	bool cut[STEPS]; /* a batch ends with this step */
	bool at_once;    /* none may: there has to be one batch */
};

/*
 * NEW's sets get their places. RECREATE [rule of NEW]: its counter is made anew, so that all that
 * refers to it goes and comes again. AT_ONCE: in one batch. P borrows all of it. -ENOMEM.
 */
int plan_make(struct plan *p, const struct nft_program *old, struct nft_program *new,
	      const bool *recreate, bool at_once);
void plan_done(struct plan *p);
/* One batch will do. */
bool plan_is_one(const struct plan *p);

/* What stands when all is done up to STEP. OUT need not be filled before. */
void plan_program(const struct plan *p, int step, struct nft_program *out);

#endif
