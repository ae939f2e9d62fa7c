/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <stdlib.h>
#include <string.h>

void program_add_rule(struct nft_program *p, unsigned chain, const char *comment,
		      const struct nft_op *ops)
{
	struct nft_rule *r = &p->rules[p->n_rules];
	size_t len = comment ? strnlen(comment, sizeof(r->comment) - 1) : 0;

	if (p->n_rules == PROGRAM_RULES_MAX)
		abort(); /* the shape below is bounded: this is a defect of ours */
	p->n_rules++;
	memset(r, 0, sizeof(*r));
	r->chain = (uint8_t)chain;
	for (int i = 0; i < RULE_OPS_MAX && ops[i].kind; i++)
		r->ops[i] = ops[i];
	if (len)
		memcpy(r->comment, comment, len);
	p->has_chain[chain] = true;
}

bool program_has_guards(const struct nft_program *p)
{
	for (unsigned i = SET_GUARDS; i < NFT_MAPS; i++)
		if (p->named[i] || p->named[SET_OTHER(i)])
			return true;
	return false;
}
