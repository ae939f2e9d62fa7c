/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_EXPLAIN_H
#define BULKHEAD_SRC_COMPILE_EXPLAIN_H

#include "claims.h"

struct explainer {
	struct bh_arena *arena;
	const struct compile_input *in;
	struct claims claims;
	const struct ruleset **ruleset_of; /* [endpoint], NULL = not held */
};

#define NO_ENDPOINT UINT32_MAX

/* One end of one pair of addresses, judged. */
struct side {
	enum direction direction; /* what it looks at: egress at the source */
	struct bh_addr addr;
	uint32_t endpoint; /* or NO_ENDPOINT */
	const struct ruleset *ruleset;
	const struct entry *guard; /* a guardrail denies it */
	const struct entry *hit;   /* a service allows it, if no guardrail denies it */
	bool passes;
};

struct question {
	uint16_t proto, port; /* or ICMP type */
	struct side source, destination;
};

/* Who has this address, when exactly one namespace says so or one must be chosen. */
uint32_t explain_owner(const struct explainer *x, const struct bh_addr *a);
/* A name for a person: the endpoint's, else the address. Escaped, into OUT. */
#define PARTY_STR 80
const char *explain_name(const struct explainer *x, uint32_t endpoint, const struct bh_addr *a,
			 char out[PARTY_STR]);

/* Fill what one end says, and return how its sentence goes on, in TEXT. */
#define SIDE_STR 360
void sentence_side(const struct explainer *x, const struct question *q, const struct side *s,
		   struct explain_end *ret, char text[SIDE_STR]);
/* ret->sentence for an answered question. */
void sentence_write(const struct explainer *x, const struct question *q, struct explanation *ret);

#endif
