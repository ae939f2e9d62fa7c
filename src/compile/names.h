/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_NAMES_H
#define BULKHEAD_SRC_COMPILE_NAMES_H

#include <bulkhead/base/arena.h>
#include <bulkhead/model/policy.h>

/*
 * What rules are called in the kernel. Names depend on what a rule says, not on where it stands,
 * so that its counter survives edits around it. All strings live in ARENA. NULL or -ENOMEM: out of
 * memory.
 */

/*
 * The last part of the name of each of N rules, unique among them: "checkout",
 * "from-web.8443-tcp"; RESERVED (or NULL) is nobody's. RET has N places.
 */
int names_of_list(struct bh_arena *arena, const struct rule *const *rules, size_t n,
		  enum direction d, const char *reserved, const char **ret);
/* Of a service's rules in direction D; RET has n_rules[D] places. */
int names_of_rules(struct bh_arena *arena, const struct service *s, enum direction d,
		   const char **ret);
/* "payments.in.checkout"; cut with a hash to BH_NFT_NAME_MAX. */
const char *names_full(struct bh_arena *arena, const struct service *s, enum direction d,
		       const char *slug);
/* "web.out.follow-payments.checkout": what OTHER lets in and S follows. */
const char *names_follow(struct bh_arena *arena, const struct service *s,
			 const struct service *other, const char *slug);

/* "guardrail_no-metadata.out.to-169.254.0.0-16" */
const char *names_guard(struct bh_arena *arena, const struct guardrail *g, enum direction d,
			const char *slug);

/* "FILE:LINE", at most BH_NFT_COMMENT_MAX bytes (the front of the path goes first). */
const char *names_where(struct bh_arena *arena, const struct src_loc *loc);
/* The same in at most MAX bytes. */
const char *names_where_within(struct bh_arena *arena, const struct src_loc *loc, size_t max);
/* Hostile text that may stand in an nft comment, in quotes: at most MAX bytes, "..." when cut. */
const char *names_text(struct bh_arena *arena, const char *s, size_t max);

#endif
