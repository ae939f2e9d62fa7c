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
	for (size_t i = 0; i < n->n_ports; i++)
		if (st->touched[n->ports[i]])
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

/* What a rule comes to. */
struct outcome {
	struct target target;
	struct named_list named;
};

static size_t count_named(const struct named_list *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->t[i].to.n;
	return n;
}

/* What has to be aligned comes first. */
static char *copy_named(char *block, const struct named_list *l, struct named_list *ret)
{
	struct named_target *t = (struct named_target *)block;

	block += l->n * sizeof(*t);
	for (size_t i = 0; i < l->n; i++) {
		t[i] = l->t[i];
		t[i].to.a = memcpy(block, l->t[i].to.a, l->t[i].to.n * sizeof(*t->to.a));
		block += l->t[i].to.n * sizeof(*t->to.a);
	}
	*ret = (struct named_list) { t, l->n };
	return block;
}

/* One block: named ports, ranges, then single addresses. */
static int copy_outcome(const struct outcome *o, bool singles, struct outcome *ret,
			void **ret_memory)
{
	const struct target *t = &o->target;
	size_t ranges = t->n_ranges * sizeof(*t->ranges);
	size_t n = singles ? t->singles.n : 0;
	size_t named =
		o->named.n * sizeof(*o->named.t) + count_named(&o->named) * sizeof(struct bh_addr);
	char *block = malloc(named + ranges + n * sizeof(*t->singles.a) + 1);

	if (!block)
		return -ENOMEM;
	*ret_memory = block;
	ret->target = *t;
	block = copy_named(block, &o->named, &ret->named);
	if (ranges)
		memcpy(block, t->ranges, ranges);
	ret->target.ranges = (struct bh_range *)block;
	if (singles) {
		if (n)
			memcpy(block + ranges, t->singles.a, n * sizeof(*t->singles.a));
		ret->target.singles.a = (struct bh_addr *)(block + ranges);
	}
	return 0;
}

static int replace_target(struct compile_state *st, size_t k, enum direction d, size_t i,
			  const struct outcome *fresh, bool expired)
{
	struct live_rule *rule = &st->c.live[k].rules[d][i];
	struct plan *plan = &st->rule_plans[d][k][i];
	bool shared = is_list(st, &plan->needs, fresh->target.singles.a);
	struct outcome copy;
	void *memory;

	if (copy_outcome(fresh, !shared, &copy, &memory) < 0)
		return -ENOMEM;
	if (state_bury(st, plan->memory) < 0) {
		free(memory);
		return -ENOMEM;
	}
	plan->moves.change = CHANGE_MUCH; /* also when the rule itself comes or goes */
	if (expired == rule->expired && same_ranges(&rule->piece.target, &copy.target) &&
	    rule->piece.target.world == copy.target.world &&
	    named_list_equal(&rule->named, &copy.named))
		plan->moves =
			state_note_moves(st, &rule->piece.target.singles, &copy.target.singles);
	plan->memory = memory;
	rule->piece.target = copy.target;
	rule->named = copy.named;
	rule->expired = expired;
	st->service_changed[k] = true;
	return 0;
}

static int update_rule(struct compile_state *st, size_t k, enum direction d, size_t i, bool all)
{
	const struct rule *rule = &st->in.policies->services[k].rules[d][i];
	const struct live_rule *live = &st->c.live[k].rules[d][i];
	bool expired = rule->expires && rule->expires <= st->in.now;
	struct outcome fresh;
	int r;

	if (!all && expired == live->expired &&
	    (expired || !is_due(st, &st->rule_plans[d][k][i].needs, st->changed)))
		return 0;
	r = compiler_resolve_rule(&st->c, k, d, i, &fresh.target, &fresh.named);
	if (r < 0)
		return r;
	if (!all && expired == live->expired && same_target(&fresh.target, &live->piece.target) &&
	    named_list_equal(&fresh.named, &live->named))
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
