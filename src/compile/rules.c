/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What rules and entries of guardrails come to, where something that they look at has changed. */

static bool is_due(const struct compile_state *st, const struct needs *n, const bool *lists)
{
	if ((n->known && st->known_changed) || (n->contested && st->turned.n))
		return true;
	for (size_t i = 0; i < n->n_lists; i++)
		if (lists[n->lists[i]])
			return true;
	return false;
}

/* --- targets ---------------------------------------------------------------------------------- */

static bool same_ranges(const struct target *x, const struct target *y)
{
	return x->n_ranges == y->n_ranges &&
	       (!x->n_ranges ||
		memcmp(x->ranges, y->ranges, x->n_ranges * sizeof(*x->ranges)) == 0);
}

static bool same_target(const struct target *x, const struct target *y)
{
	return x->world == y->world && addr_list_equal(&x->singles, &y->singles) &&
	       same_ranges(x, y);
}

/* A target may be one of the lists as it stands; that is replaced only together with the target. */
static bool is_list(const struct compile_state *st, const struct needs *n, const struct bh_addr *a)
{
	for (size_t i = 0; i < n->n_lists; i++)
		if (st->lists[n->lists[i]].a == a)
			return true;
	return false;
}

/* One block: ranges, then single addresses. */
static int copy_target(const struct target *t, bool singles, struct target *ret, void **ret_memory)
{
	size_t ranges = t->n_ranges * sizeof(*t->ranges);
	size_t n = singles ? t->singles.n : 0;
	char *block = malloc(ranges + n * sizeof(*t->singles.a) + 1);

	if (!block)
		return -ENOMEM;
	*ret = *t;
	if (ranges)
		memcpy(block, t->ranges, ranges);
	ret->ranges = (struct bh_range *)block;
	if (singles) {
		if (n)
			memcpy(block + ranges, t->singles.a, n * sizeof(*t->singles.a));
		ret->singles.a = (struct bh_addr *)(block + ranges);
	}
	*ret_memory = block;
	return 0;
}

static int replace_target(struct compile_state *st, size_t k, enum direction d, size_t i,
			  const struct target *fresh, bool expired)
{
	struct live_rule *rule = &st->c.live[k].rules[d][i];
	struct plan *plan = &st->rule_plans[d][k][i];
	struct target copy;
	void *memory;

	if (copy_target(fresh, !is_list(st, &plan->needs, fresh->singles.a), &copy, &memory) < 0)
		return -ENOMEM;
	if (state_bury(st, plan->memory) < 0) {
		free(memory);
		return -ENOMEM;
	}
	plan->moves.change = CHANGE_MUCH; /* also when the rule itself comes or goes */
	if (expired == rule->expired && same_ranges(&rule->piece.target, &copy) &&
	    rule->piece.target.world == copy.world)
		plan->moves = state_note_moves(st, &rule->piece.target.singles, &copy.singles);
	plan->memory = memory;
	rule->piece.target = copy;
	rule->expired = expired;
	st->service_changed[k] = true;
	return 0;
}

static int update_rule(struct compile_state *st, size_t k, enum direction d, size_t i, bool all)
{
	const struct rule *rule = &st->in.policies->services[k].rules[d][i];
	const struct live_rule *live = &st->c.live[k].rules[d][i];
	bool expired = rule->expires && rule->expires <= st->in.now;
	struct target fresh;
	int r;

	if (!all && expired == live->expired &&
	    (expired || !is_due(st, &st->rule_plans[d][k][i].needs, st->changed)))
		return 0;
	r = compiler_resolve_rule(&st->c, k, d, i, &fresh);
	if (r < 0)
		return r;
	if (!all && expired == live->expired && same_target(&fresh, &live->piece.target))
		return 0;
	return replace_target(st, k, d, i, &fresh, expired) < 0 ? bh_err_oom(st->c.err) : 0;
}

/* --- guardrails ------------------------------------------------------------------------------- */

static bool same_box(const struct entry *x, const struct entry *y)
{
	return entry_cmp(x, y) == 0 && x->rule == y->rule;
}

static bool same_boxes(const struct live_deny *x, const struct live_deny *y)
{
	if (x->n_boxes != y->n_boxes)
		return false;
	for (size_t i = 0; i < x->n_boxes; i++)
		if (!same_box(&x->boxes[i], &y->boxes[i]))
			return false;
	return true;
}

static int update_deny(struct compile_state *st, size_t k, size_t i, bool all)
{
	const struct guardrail *g = &st->in.policies->guardrails[k];
	struct live_deny *live = &st->c.guards.g[k].deny[i], fresh = *live;
	struct plan *plan = &st->deny_plans[k][i];
	struct entry *copy;
	int r;

	if (!all && !is_due(st, &plan->needs, st->touched))
		return 0;
	fresh.boxes = NULL;
	fresh.n_boxes = 0;
	r = guard_make_deny(&st->c.resolver, &g->deny[i], &fresh);
	if (r == -E2BIG)
		return guards_too_many(g, st->c.err);
	if (r < 0)
		return bh_err_oom(st->c.err);
	if (!all && same_boxes(live, &fresh))
		return 0;
	copy = malloc(fresh.n_boxes * sizeof(*copy) + 1);
	if (!copy || state_bury(st, plan->memory) < 0) {
		free(copy);
		return bh_err_oom(st->c.err);
	}
	if (fresh.n_boxes)
		memcpy(copy, fresh.boxes, fresh.n_boxes * sizeof(*copy));
	plan->memory = copy;
	fresh.boxes = copy;
	*live = fresh;
	st->guard_changed[k] = true;
	return 0;
}

int rules_update(struct compile_state *st, bool all, struct bh_err *err)
{
	const struct policy_set *p = st->in.policies;
	int r = 0;

	st->c.err = err;
	for (size_t k = 0; r >= 0 && k < p->n_services; k++)
		for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
			for (size_t i = 0; r >= 0 && i < p->services[k].n_rules[d]; i++)
				r = update_rule(st, k, (enum direction)d, i, all);
	for (size_t k = 0; r >= 0 && k < p->n_guardrails; k++)
		for (size_t i = 0; r >= 0 && i < p->guardrails[k].n_deny; i++)
			r = update_deny(st, k, i, all);
	return r;
}
