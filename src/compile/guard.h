/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_GUARD_H
#define BULKHEAD_SRC_COMPILE_GUARD_H

#include "assemble.h"

/* Guardrails: whom they select, and what they deny as disjoint boxes. */

/* An entry of deny:, resolved, its exceptions taken out. */
struct live_deny {
	const char *name, *where; /* of the counter */
	enum direction direction;
	const struct entry *boxes; /* disjoint; `rule` says nothing */
	size_t n_boxes;
};

struct live_guardrail {
	const bool *selects; /* [endpoint] */
	struct live_deny *deny;
	size_t n_deny;
};

struct guard_memo;

struct guards {
	struct live_guardrail *g; /* [guardrail] */
	size_t n;
	/* what those that meet deny together, while their boxes stay the same; lives in MEMORY */
	struct guard_memo *memos[DIRECTIONS];
	struct bh_arena *memory;
};

/* Names live in ARENA, the rest in the resolver's. 0 or -errno with ERR set. */
int guards_make(struct resolver *r, struct bh_arena *arena, struct guards *ret, struct bh_err *err);
/*
 * The same step by step: what depends on the policies alone (names in NAMES, the rest in PLANS),
 * does G select endpoint I, and the boxes of one entry, in the resolver's arena. -ENOMEM, -E2BIG.
 */
int guards_name(struct resolver *r, struct bh_arena *names, struct bh_arena *plans,
		struct guards *ret);
bool guard_selects(const struct resolver *r, const struct guardrail *g, size_t i);
int guard_make_deny(struct resolver *r, const struct deny *d, struct live_deny *ret);
/* -E2BIG with its sentence. */
int guards_too_many(const struct guardrail *g, struct bh_err *err);
/* Is endpoint I selected by any? */
bool guards_select(const struct guards *g, size_t i);

/* What stands for it among the rules of a ruleset: its name. */
struct piece guard_piece(const struct live_deny *d);

/*
 * ret->guards from N guardrails (indexes, ascending): where several deny a flow, the first owns it.
 * RET has its rules already. -E2BIG, -ENOMEM with ERR set.
 */
int guards_assemble(struct guards *g, const uint32_t *which, size_t n, struct bh_arena *arena,
		    struct ruleset *ret, struct bh_err *err);

/*
 * The addresses that a peer of a guardrail names, added to RET. WIDE, for what is denied: an
 * address that two namespaces claim is either's. Otherwise, for exceptions, it is nobody's.
 * -E2BIG, -ENOMEM.
 */
int guard_peer(struct resolver *r, const struct peer *p, bool wide, struct bh_rangeset *ret);

#endif
