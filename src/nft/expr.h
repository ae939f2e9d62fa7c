/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_EXPR_H
#define NFT_EXPR_H

#include "program.h"

struct nlattr;

/*
 * The expressions of a rule, as the payload of NFTA_RULE_EXPRESSIONS. Built once for each
 * different list of operations and kept: every namespace has much the same rules. NULL when out of
 * memory.
 */
struct expr_bytes {
	const void *data;
	size_t len;
};
const struct expr_bytes *expr_of_rule(const struct nft_rule *r);

/*
 * Does the kernel's NFTA_RULE_EXPRESSIONS attribute mean exactly this rule? The kernel writes its
 * attributes in its own way, so the first comparison of each form goes through libnftnl's text;
 * a form that was found equal is remembered. Hostile: the attribute.
 */
bool expr_matches(const struct nft_rule *r, const struct nlattr *expressions);

#endif
