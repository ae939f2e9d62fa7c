/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "meet.h"
#include "plan.h"
#include "rules.h"

/*
 * One batch of a change in place: what lies between two programs, FROM and TO, the steps LO to HI of
 * the plan. The order inside it: rules that name a map go before the map, elements that name a
 * counter before the counter; then all comes in the opposite order.
 */
struct change {
	struct batch b;
	const struct nft_state *have;
	const struct plan *plan;
	const struct nft_program *from;
	struct nft_program *to;
	const bool *recreate; /* [new rule]: its counter is deleted and made again */
	bool *pick;           /* room for one map's elements */
	int lo, hi;
	uint32_t flags; /* NFT_TABLE_F_* of the tables */
	int64_t now;
};

static bool is_first(const struct change *c)
{
	return c->lo == 0;
}

static bool is_last(const struct change *c)
{
	return c->hi == STEPS - 1;
}

/* Is it in this batch that a thing of this step is done? */
static bool is_now(const struct change *c, unsigned step)
{
	return (int)step >= c->lo && (int)step <= c->hi;
}

/* --- counters -------------------------------------------------------------------------------- */

static void delete_counters(struct change *c)
{
	const struct ruleset *want = c->plan->new->ruleset, *have = c->plan->old->ruleset;

	for (size_t i = 0; i < have->n_rules; i++) {
		long new = find_rule(want, have->rules[i].name);

		if (new < 0 || c->recreate[new])
			batch_delete_counter(&c->b, have->rules[i].name);
	}
}

static void add_counters(struct change *c)
{
	const struct ruleset *want = c->plan->new->ruleset, *have = c->plan->old->ruleset;

	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have, want->rules[i].name);
		struct nft_rule_count n = { 0 };

		if (old >= 0 && !c->recreate[i])
			continue; /* it goes on counting */
		if (old >= 0)
			n = c->have->rule_counts[old];
		batch_new_counter(&c->b, TABLE_INET, want->rules[i].name, want->rules[i].where,
				  n.packets, n.bytes);
	}
}

/* Those that come and go with how the table treats what it allows. */
static void replace_fixed_counters(struct change *c)
{
	for (unsigned i = 0; i < NFT_COUNTERS; i++) {
		bool was = nft_program_has_counter(c->from, i);
		bool is = nft_program_has_counter(c->to, i);

		if (was == is || nft_counter_table(i) != TABLE_INET)
			continue; /* those of the other table go and come with it */
		if (was)
			batch_delete_counter(&c->b, nft_counter_name(i));
		else
			batch_new_counter(&c->b, TABLE_INET, nft_counter_name(i), "", 0, 0);
	}
}

/* --- tables and chains ----------------------------------------------------------------------- */

/* Of a process that is gone: from now on only this socket may change them. */
static void adopt_tables(struct change *c)
{
	batch_new_table(&c->b, TABLE_INET, c->flags);
	if (c->have->frames)
		batch_new_table(&c->b, TABLE_NETDEV, c->flags);
}

/* The table netdev may come or go by itself: a kernel that lacks something is found out later. */
static void change_tables(struct change *c)
{
	bool was = c->from->frames, is = c->to->frames;

	if (is_first(c) && c->flags && !c->have->owned)
		adopt_tables(c);
	if (was && !is)
		batch_delete_table(&c->b, TABLE_NETDEV);
	if (!was && is)
		add_table(&c->b, c->have, c->to, TABLE_NETDEV, c->flags);
}

static bool same_chain(const struct nft_program *a, const struct nft_program *b, unsigned chain)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < a->n_rules && a->rules[i].chain != chain)
			i++;
		while (j < b->n_rules && b->rules[j].chain != chain)
			j++;
		if (i == a->n_rules || j == b->n_rules)
			return i == a->n_rules && j == b->n_rules;
		if (memcmp(a->rules[i].ops, b->rules[j].ops, sizeof(a->rules[i].ops)) != 0 ||
		    strcmp(a->rules[i].comment, b->rules[j].comment) != 0)
			return false;
	}
}

/*
 * Another device is hooked in a chain made anew: in one batch, so that a device of both is never
 * without.
 */
static bool hook_moves(const struct change *c, unsigned chain)
{
	const struct nft_frames *old = c->from->frames, *new = c->to->frames;

	return chain == CHAIN_EGRESS && old && new && !nft_frames_covers(new, old);
}

/* What becomes of the chains. */
struct chain_changes {
	bool flush[NFT_CHAINS], remove[NFT_CHAINS], create[NFT_CHAINS], fill[NFT_CHAINS];
};

static void compare_chains(const struct change *c, struct chain_changes *k)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		bool table_goes = !nft_program_has_table(c->to, nft_chain_table(i));
		bool was = c->from->has_chain[i] && !table_goes, is = c->to->has_chain[i];
		bool moves = hook_moves(c, i);

		k->fill[i] = is && (moves || !same_chain(c->from, c->to, i));
		k->remove[i] = was && (moves || !is);
		k->flush[i] = was && (k->fill[i] || k->remove[i]);
		k->create[i] = is && (moves || !was);
	}
}

/* Rules first: of chains that differ, and of those that go. */
static void flush_chains(struct change *c, const struct chain_changes *k)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (k->flush[i])
			batch_flush_chain(&c->b, i);
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (k->remove[i])
			batch_delete_chain(&c->b, i);
}

static void fill_chains(struct change *c, const struct chain_changes *k)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (k->create[i])
			batch_new_chain(&c->b, i, c->to->frames);
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (k->fill[i])
			add_chain_rules(&c->b, c->to, i);
}

/* --- maps ------------------------------------------------------------------------------------ */

/* Fills PICK with what has its turn. */
static size_t pick_now(const struct change *c, const uint8_t *steps, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		c->pick[i] = steps[i] && is_now(c, (steps[i] & ~ENTRY_SAME) - 1u);
		count += c->pick[i];
	}
	return count;
}

/* An interval map goes with what is in it: emptying it would cost the kernel a copy for each. */
static void remove_map(struct change *c, unsigned set)
{
	if (!nft_set_info(set)->is_interval)
		batch_flush_set(&c->b, set);
	batch_delete_set(&c->b, set);
}

static void remove_elements(struct change *c, unsigned map)
{
	const struct entry_list *old = &c->plan->old->maps[map];
	unsigned set = c->plan->old->set_of[map];
	size_t n;

	if (c->plan->removed[set] < STEPS) {
		if (is_now(c, c->plan->removed[set]))
			remove_map(c, set);
		return;
	}
	n = pick_now(c, c->plan->maps[map].gone, old->n);
	if (n > 0 && n == old->n && is_first(c)) /* later it has new ones, too */
		batch_flush_set(&c->b, set);
	else if (n > 0)
		batch_delete_entries(&c->b, set, old, c->pick);
}

static void add_elements(struct change *c, unsigned map)
{
	const struct nft_program *new = c->plan->new;
	unsigned set = new->set_of[map];

	if (c->plan->made[set] < STEPS) {
		if (!is_now(c, c->plan->made[set]))
			return;
		batch_new_set(&c->b, set);
		batch_new_entries(&c->b, set, new->ruleset, &new->maps[map], NULL, c->now);
	} else if (pick_now(c, c->plan->maps[map].added, new->maps[map].n)) {
		batch_new_entries(&c->b, set, new->ruleset, &new->maps[map], c->pick, c->now);
	}
}

/* What a change that was broken off has left. */
static void remove_leftovers(struct change *c)
{
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		if (c->have->leftovers[0] >> i & 1)
			remove_map(c, i);
		if (c->have->leftovers[1] >> i & 1)
			remove_map(c, SET_OTHER(i));
	}
}

/* --- other sets ------------------------------------------------------------------------------ */

static void replace_known(struct change *c, unsigned family)
{
	unsigned set = SET_KNOWN + family;
	bool was = c->from->has_set[set], is = c->to->has_set[set];

	if (was && is && same_ranges(c->from, c->to, family))
		return;
	if (was)
		batch_flush_set(&c->b, set);
	if (was && !is)
		batch_delete_set(&c->b, set);
	if (!was && is)
		batch_new_set(&c->b, set);
	if (is)
		batch_new_ranges(&c->b, set, c->to->known[family], c->to->n_known[family]);
}

static void replace_denied_sets(struct change *c)
{
	for (unsigned i = SET_DENIED; i < NFT_SETS; i++) {
		if (c->from->has_set[i] && !c->to->has_set[i])
			batch_delete_set(&c->b, i);
		if (!c->from->has_set[i] && c->to->has_set[i])
			batch_new_set(&c->b, i);
	}
}

static void change_sets(struct change *c)
{
	if (is_first(c))
		remove_leftovers(c);
	for (unsigned i = 0; i < NFT_MAPS; i++)
		remove_elements(c, i);
	if (is_last(c))
		delete_counters(c);
	if (is_first(c))
		add_counters(c);
	replace_fixed_counters(c);
	for (unsigned i = 0; i < NFT_MAPS; i++)
		add_elements(c, i);
	for (unsigned f = 0; f < FAMILIES; f++)
		replace_known(c, f);
	replace_denied_sets(c);
}

/* --- batch by batch -------------------------------------------------------------------------- */

static void build(struct change *c)
{
	struct chain_changes chains;

	plan_program(c->plan, c->hi, c->to);
	compare_chains(c, &chains);
	change_tables(c);
	flush_chains(c, &chains);
	change_sets(c);
	fill_chains(c, &chains);
}

/* ROOM: for two programs, what stood before a batch and what stands after it. */
static int run(struct change *c, struct nft_program room[2], struct commits *k, struct bh_err *err)
{
	int r = 0;

	c->from = c->plan->old;
	for (unsigned i = 0; c->lo < STEPS && r >= 0; i++, c->lo = c->hi + 1) {
		c->to = &room[i % 2];
		c->hi = c->lo;
		while (c->hi < STEPS - 1 && !c->plan->cut[c->hi])
			c->hi++;
		commits_begin(k, &c->b);
		build(c);
		r = commits_end(k, &c->b, err);
		c->from = c->to;
	}
	return r;
}

static uint64_t alternates_of(const struct nft_program *p)
{
	uint64_t alternates = 0;

	for (unsigned i = 0; i < NFT_MAPS; i++)
		if (p->maps[i].n && p->set_of[i] != i)
			alternates |= 1ull << i;
	return alternates;
}

static size_t most_entries(const struct plan *p)
{
	size_t most = 0;

	for (unsigned i = 0; i < NFT_MAPS; i++) {
		if (p->old->maps[i].n > most)
			most = p->old->maps[i].n;
		if (p->new->maps[i].n > most)
			most = p->new->maps[i].n;
	}
	return most;
}

static int carry_out(struct commits *k, const struct plan *p, const bool *recreate,
		     const struct nft_state *have, uint32_t flags, struct bh_err *err)
{
	bh_autofree struct nft_program *room =
		malloc(2 * sizeof(*room)); /* filled before it is read */
	bh_autofree bool *pick = calloc(most_entries(p) + 1, sizeof(*pick));
	struct change c = {
		.have = have,
		.plan = p,
		.recreate = recreate,
		.pick = pick,
		.flags = flags,
		.now = time(NULL),
	};
	int r = room && pick ? run(&c, room, k, err) : bh_err_oom(err);

	k->ret->alternates = alternates_of(p->new);
	return r;
}

/* --- counters that moved ---------------------------------------------------------------------- */

/*
 * The kernel cannot change a counter's comment: such a one is made anew with its old value, and all
 * elements that name it with it, in the one batch. That leaves no room for steps. So where there have
 * to be some, the new policy comes first with the old places of its rules, which then follow.
 */
static size_t find_moved_counters(const struct ruleset *want, const struct ruleset *have,
				  bool *recreate)
{
	size_t n = 0;

	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have, want->rules[i].name);

		recreate[i] = old >= 0 && strcmp(have->rules[old].where, want->rules[i].where) != 0;
		n += recreate[i];
	}
	return n;
}

/* RULES and COUNTS, parallel to WANT's rules: these with their old places, and what they counted. */
static void keep_places(const struct ruleset *want, const struct nft_state *have,
			struct ruleset_rule *rules, struct nft_rule_count *counts)
{
	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have->ruleset, want->rules[i].name);

		rules[i] = want->rules[i];
		if (old < 0)
			continue;
		rules[i].where = have->ruleset->rules[old].where;
		counts[i] = have->rule_counts[old];
	}
}

static int change(struct commits *k, const struct nft_want *want, const struct nft_state *have,
		  bool at_once, struct bh_err *err);

static int change_in_two(struct commits *k, const struct nft_want *want,
			 const struct nft_state *have, struct bh_err *err)
{
	size_t n = want->ruleset->n_rules;
	bh_autofree struct ruleset_rule *rules = calloc(n + 1, sizeof(*rules));
	bh_autofree struct nft_rule_count *counts = calloc(n + 1, sizeof(*counts));
	struct ruleset mid = *want->ruleset;
	struct nft_want first = *want;
	struct nft_state then = *have;
	int r;

	if (!rules || !counts)
		return bh_err_oom(err);
	keep_places(want->ruleset, have, rules, counts);
	mid.rules = rules;
	first.ruleset = &mid;
	r = change(k, &first, have, false, err);
	if (r < 0)
		return r;
	then.ruleset = &mid;
	then.frames = (struct nft_frames *)want->frames;
	then.rule_counts = counts;
	then.owned = have->owned || want->own;
	then.alternates = k->ret->alternates;
	then.leftovers[0] = then.leftovers[1] = 0;
	then.idle_maps = 0;
	return change(k, want, &then, true, err);
}

static int change(struct commits *k, const struct nft_want *want, const struct nft_state *have,
		  bool at_once, struct bh_err *err)
{
	bh_autofree struct nft_program *old =
		malloc(sizeof(*old)); /* most of it is never touched */
	bh_autofree struct nft_program *new = malloc(sizeof(*new));
	bh_autofree bool *recreate = calloc(want->ruleset->n_rules + 1, sizeof(*recreate));
	struct nft_state used = *have;
	struct plan plan = { 0 };
	size_t moved;
	int r;

	if (!old || !new || !recreate)
		return bh_err_oom(err);
	moved = find_moved_counters(want->ruleset, have->ruleset, recreate);
	if (moved && !have->rule_counts)
		return -ERESTART; /* their values have to be read */
	used.leftovers[0] = used.leftovers[1] = 0;
	nft_lower_state(&used, old);
	nft_lower_sets(want, new);
	r = plan_make(&plan, old, new, recreate, at_once);
	if (r < 0)
		bh_err_oom(err);
	else if (moved && !plan_is_one(&plan))
		r = change_in_two(k, want, have, err);
	else
		r = carry_out(k, &plan, recreate, have, table_flags(want), err);
	plan_done(&plan);
	return r;
}

int change_in_place(struct commits *k, const struct nft_want *want, const struct nft_state *have,
		    struct bh_err *err)
{
	return change(k, want, have, false, err);
}
