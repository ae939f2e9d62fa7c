/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A content whose rules are the same, but for a few addresses: only the parts that say so are made. */

struct repair {
	struct patch patch[DIRECTIONS];
	struct bh_vec moved[DIRECTIONS]; /* struct bh_addr */
	bool due[DIRECTIONS], guards;
};

/* False: too much has changed for it. */
static bool repair_moves(const struct compile_state *st, struct repair *p, int d,
			 const struct moves *m, bool narrow)
{
	const struct bh_addr *a = st->moved.data;

	if (m->change == CHANGE_NONE)
		return true;
	if (m->change == CHANGE_MUCH)
		return false;
	p->due[d] = true;
	p->patch[d].boxes |= narrow;
	for (size_t i = 0; i < m->n; i++) {
		struct bh_addr *slot = bh_vec_push(&p->moved[d]);

		if (!slot)
			return false;
		*slot = a[m->at + i];
	}
	return true;
}

static bool repair_service(const struct compile_state *st, struct repair *p, uint32_t k)
{
	const struct service *s = &st->in.policies->services[k];

	if (!st->service_changed[k])
		return true;
	for (int d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < s->n_rules[d]; i++) {
			const struct plan *plan = &st->rule_plans[d][k][i];

			if (!repair_moves(st, p, d, &plan->moves, plan->narrow))
				return false;
		}
	return true;
}

static int addr_cmp(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

static struct addr_list unique(struct bh_vec *v)
{
	struct bh_addr *a = v->data;
	size_t n = 0;

	if (v->n)
		qsort(a, v->n, sizeof(*a), addr_cmp);
	for (size_t i = 0; i < v->n; i++)
		if (!n || bh_addr_cmp(&a[n - 1], &a[i]) != 0)
			a[n++] = a[i];
	return (struct addr_list) { a, n };
}

/* The same rules say a little else: what, and where? */
static bool can_repair(const struct compile_state *st, const struct content *k, struct repair *p)
{
	const struct subject *s = &k->key;

	for (size_t i = 0; i < s->services.n; i++)
		if (!repair_service(st, p, s->services.i[i]))
			return false;
	for (size_t i = 0; i < s->n_hits; i++) {
		const struct follow_hit *h = &s->hits[i];
		const struct plan *plan = &st->rule_plans[DIRECTION_INGRESS][h->service][h->rule];

		if (plan->needs.n_ports && plan->moves.change != CHANGE_NONE)
			return false;
		if (!repair_moves(st, p, DIRECTION_EGRESS, &st->moves[h->service], plan->narrow))
			return false;
	}
	for (size_t i = 0; i < s->guards.n; i++)
		p->guards |= st->guard_changed[s->guards.i[i]];
	for (int d = 0; d < DIRECTIONS; d++) {
		p->patch[d].direction = (enum direction)d;
		p->patch[d].moved = unique(&p->moved[d]);
	}
	return true;
}

static bool same_kinds(const struct entry_list *a, const struct entry_list *b, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!content_same_list(&a[k], &b[k]))
			return false;
	return true;
}

/* What one part of it comes to, in a share of its own; *RET is NULL when that is the same. */
static int repair_entries(struct compile_state *st, struct content *k, const struct repair *p,
			  int d, struct ruleset *body, struct ruleset_share **ret)
{
	struct bh_vec pieces = { 0 };
	struct bh_arena *arena;
	int r;

	*ret = content_new_part(st->c.err, &arena);
	if (!*ret)
		return -ENOMEM;
	content_lend(st, st->scratch); /* names are needed for their order alone */
	r = compiler_make_pieces(&st->c, &k->key, &pieces);
	if (r >= 0)
		r = assemble_patch(arena, pieces.data, pieces.n, &p->patch[d], body->entries[d],
				   st->c.err);
	bh_vec_done(&pieces);
	if (r >= 0 && !same_kinds(body->entries[d], k->body.entries[d], ENTRY_KINDS))
		return 0;
	memcpy(body->entries[d], k->body.entries[d], sizeof(body->entries[d]));
	ruleset_share_put(*ret);
	*ret = NULL;
	return r;
}

static int repair_guards(struct compile_state *st, struct content *k, struct ruleset *body,
			 struct ruleset_share **ret)
{
	struct bh_arena *arena;
	bool same = true;
	int r;

	*ret = content_new_part(st->c.err, &arena);
	if (!*ret)
		return -ENOMEM;
	memset(body->guards, 0, sizeof(body->guards));
	r = guards_assemble(&st->c.guards, k->key.guards.i, k->key.guards.n, arena, body,
			    st->c.err);
	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		same = same && same_kinds(body->guards[d], k->body.guards[d], GUARD_KINDS);
	if (r >= 0 && !same)
		return 0;
	memcpy(body->guards, k->body.guards, sizeof(body->guards));
	ruleset_share_put(*ret);
	*ret = NULL;
	return r;
}

static int repair_body(struct compile_state *st, struct content *k, const struct repair *p)
{
	struct ruleset_share *parts[CONTENT_PARTS] = { 0 };
	struct ruleset body = k->body;
	bool any = false;
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		if (p->due[d])
			r = repair_entries(st, k, p, d, &body, &parts[PART_EGRESS + d]);
	if (r >= 0 && p->guards)
		r = repair_guards(st, k, &body, &parts[PART_GUARDS]);
	for (int i = 0; i < CONTENT_PARTS; i++) {
		any |= parts[i] != NULL;
		if (!parts[i])
			parts[i] = ruleset_share_get(k->parts[i]);
	}
	if (r >= 0 && any)
		return content_set_body(st, k, &body, parts);
	for (int i = 0; i < CONTENT_PARTS; i++)
		ruleset_share_put(parts[i]);
	return r;
}

bool content_mend(struct compile_state *st, struct content *k, int *ret)
{
	struct repair p = { 0 };
	bool can;

	for (int d = 0; d < DIRECTIONS; d++)
		bh_vec_init(&p.moved[d], sizeof(struct bh_addr), SIZE_MAX);
	can = can_repair(st, k, &p);
	if (can)
		*ret = repair_body(st, k, &p);
	for (int d = 0; d < DIRECTIONS; d++)
		bh_vec_done(&p.moved[d]);
	return can;
}
