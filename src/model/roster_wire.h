/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MODEL_ROSTER_WIRE_H
#define MODEL_ROSTER_WIRE_H

#include <bulkhead/model/roster.h>

/* The bytes of a roster, in this machine's order. */

enum roster_item { ROSTER_MEMBERS, ROSTER_MEMBER, ROSTER_RULESET };

/* What is still to be read. The first error stays; all that is read after it is 0, "" or NULL. */
struct wire {
	const uint8_t *p;
	size_t left;
	int error; /* -EBADMSG, -ENOMEM */
};

uint32_t wire_get_u32(struct wire *w);
uint64_t wire_get_u64(struct wire *w);
/* Strings and arrays live in ARENA. W->error tells. */
void wire_get_member(struct wire *w, struct bh_arena *arena, struct roster_member *ret);
/* *RET stands alone: ruleset_free(). */
int wire_get_ruleset(struct wire *w, struct ruleset **ret);

#endif
