/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_ASSEMBLE_H
#define BULKHEAD_SRC_COMPILE_ASSEMBLE_H

#include "resolve.h"

/* A rule with its peers resolved: what one policy rule contributes to a ruleset. */
struct piece {
	const char *name, *where; /* of the counter */
	enum direction direction;
	int64_t expires;
	struct target target;
	const struct port_spec *ports;
	size_t n_ports;
	bool is_guard; /* of a guardrail: listed by its name, no more */
	bool is_more;  /* of the same rule as the piece before it: its name is that very text */
};

/*
 * Fill rules and entries of RET from N pieces, which stand in the order of the policy: rules that
 * never expire own what they cover, then those that expire later, then those that come first.
 * Everything lives in ARENA. -E2BIG with a sentence when a cap is reached, -EEXIST when two rules
 * have one name, -ENOMEM.
 */
int assemble(struct bh_arena *arena, const struct piece *pieces, size_t n, struct ruleset *ret,
	     struct bh_err *err);

/* What may be said otherwise in one direction of a ruleset whose rules are the same. */
struct patch {
	enum direction direction;
	struct addr_list moved; /* single addresses that came into targets or left them */
	bool boxes;             /* ranges as well: all that is no hash */
};

/*
 * LISTS are the entries that assemble() made of the N pieces as they were; afterwards those of the
 * pieces as they are, in ARENA. The errors of assemble().
 */
int assemble_patch(struct bh_arena *arena, const struct piece *pieces, size_t n,
		   const struct patch *patch, struct entry_list lists[ENTRY_KINDS],
		   struct bh_err *err);

#endif
