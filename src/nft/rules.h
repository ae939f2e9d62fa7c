/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_RULES_H
#define NFT_RULES_H

#include "program.h"

/* A small way of writing rules down. */

#define OP1(k)       ((struct nft_op) { .kind = (k) })
#define OP2(k, x)    ((struct nft_op) { .kind = (k), .a = (uint8_t)(x) })
#define OP3(k, x, y) ((struct nft_op) { .kind = (k), .a = (uint8_t)(x), .b = (uint8_t)(y) })

/* RULE(program, chain, comment, op, op, ...); the comment may be NULL. */
#define RULE(p, chain, comment, ...)                                                               \
	program_add_rule(p, chain, comment, (const struct nft_op[]) { __VA_ARGS__, { 0 } })

void program_add_rule(struct nft_program *p, unsigned chain, const char *comment,
		      const struct nft_op *ops);

/* Does a guardrail deny something here? */
bool program_has_guards(const struct nft_program *p);

/* The table netdev, when P has frames. */
void lower_frames(struct nft_program *p);
/* Does HAVE hook all that WANT hooks? */
bool nft_frames_covers(const struct nft_frames *want, const struct nft_frames *have);

#endif
