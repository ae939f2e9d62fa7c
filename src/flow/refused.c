/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "refused.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define TURNS 3
#define BYTES 8192 /* eight times as many bits as two full sets have elements */

static uint32_t place_of(const struct flow_id *id)
{
	const uint8_t *b = (const uint8_t *)id;
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < sizeof(*id); i++)
		hash = (hash ^ b[i]) * 16777619u;
	return (hash ^ hash >> 16) % (BYTES * 8);
}

bool refused_has(const struct refused *r, const struct flow_id *id)
{
	uint32_t at = place_of(id);
	bool has = false;

	for (unsigned i = 0; r->marks && i < TURNS; i++)
		has |= r->marks[i * BYTES + at / 8] >> at % 8 & 1;
	return has;
}

int refused_add(struct refused *r, const struct flow_id *id)
{
	uint32_t at = place_of(id);

	if (!r->marks)
		r->marks = calloc(TURNS, BYTES);
	if (!r->marks)
		return -ENOMEM;
	r->marks[r->turn * BYTES + at / 8] |= (uint8_t)(1u << at % 8);
	return 0;
}

void refused_turn(struct refused *r)
{
	r->turn = (r->turn + 1) % TURNS;
	if (r->marks)
		memset(r->marks + (size_t)r->turn * BYTES, 0, BYTES);
}

void refused_done(struct refused *r)
{
	free(r->marks);
	r->marks = NULL;
}
