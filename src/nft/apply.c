/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "batch.h"
#include "kernel.h"
#include "query.h"
#include "rules.h"

/* So many deletions from an interval map, and it is made anew (docs/benchmarks.md). */
#define REMAKE_MIN 32

/*
 * A change in place is a merge of two programs, what stands and what is wanted, both sorted. The
 * order inside the batch: rules that name a map go before the map, elements that name a counter
 * before the counter; then all comes back in the opposite order.
 */
struct change {
	struct batch b;
	const struct nft_state *have;
	const struct nft_program *old, *new; /* old is NULL when the table is made anew */
	bool *recreate;                      /* [new rule]: its counter is deleted and made again */
	bool remake[NFT_MAPS];               /* the map is deleted and made again */
	uint32_t flags;                      /* NFT_TABLE_F_* of the tables */
	int64_t now;
};

static bool had_table(const struct change *c, unsigned table)
{
	return table == TABLE_INET ? c->have->present : c->have->frames != NULL;
}

/* --- counters -------------------------------------------------------------------------------- */

static int compare_name(const void *key, const void *rule)
{
	return strcmp(key, ((const struct ruleset_rule *)rule)->name);
}

/* Index of a policy rule of R by its counter's name, or -1. */
static long find_rule(const struct ruleset *r, const char *name)
{
	const struct ruleset_rule *hit;

	if (!r || r->n_rules == 0)
		return -1;
	hit = bsearch(name, r->rules, r->n_rules, sizeof(*hit), compare_name);
	return hit ? hit - r->rules : -1;
}

/*
 * The kernel cannot change a counter's comment: such a one is made anew with its old value. How many
 * there are.
 */
static size_t find_moved_counters(struct change *c)
{
	const struct ruleset *want = c->new->ruleset, *have = c->have->ruleset;
	size_t n = 0;

	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have, want->rules[i].name);

		c->recreate[i] =
			old >= 0 && strcmp(have->rules[old].where, want->rules[i].where) != 0;
		n += c->recreate[i];
	}
	return n;
}

static void delete_counters(struct change *c)
{
	const struct ruleset *want = c->new->ruleset, *have = c->old->ruleset;

	for (size_t i = 0; i < have->n_rules; i++) {
		long new = find_rule(want, have->rules[i].name);

		if (new < 0 || c->recreate[new])
			batch_delete_counter(&c->b, have->rules[i].name);
	}
}

static void add_rule_counters(struct change *c)
{
	const struct ruleset *want = c->new->ruleset;

	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(c->have->ruleset, want->rules[i].name);
		struct nft_rule_count n = { 0 };

		if (old >= 0 && c->old && !c->recreate[i])
			continue; /* it goes on counting */
		if (old >= 0)
			n = c->have->rule_counts[old];
		batch_new_counter(&c->b, TABLE_INET, want->rules[i].name, want->rules[i].where,
				  n.packets, n.bytes);
	}
}

/* What a table made anew goes on counting from. */
static uint64_t fixed_count(const struct nft_totals *t, unsigned counter)
{
	if (counter < COUNTER_REVOKED)
		return t->denied[counter - COUNTER_DENIED];
	if (counter < COUNTER_FORWARDED)
		return t->revoked[counter - COUNTER_REVOKED];
	return counter == COUNTER_RAW ? t->raw : t->forwarded;
}

static void add_fixed_counters(struct change *c, unsigned table)
{
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		if (nft_counter_table(i) == table)
			batch_new_counter(&c->b, table, nft_counter_name(i), "",
					  fixed_count(&c->have->totals, i), 0);
}

/* --- elements -------------------------------------------------------------------------------- */

/* May this element stay as it is? Both have the same key. */
static bool same_element(const struct change *c, const struct entry *have, const struct entry *want)
{
	const struct ruleset_rule *x = &c->old->ruleset->rules[have->rule];
	const struct ruleset_rule *y = &c->new->ruleset->rules[want->rule];

	if (strcmp(x->name, y->name) != 0 || c->recreate[want->rule])
		return false;
	return have->expires == want->expires ||
	       (have->expires && want->expires && llabs(have->expires - want->expires) <= 1);
}

/* Which elements of one map go and which come. */
struct map_diff {
	bool *gone, *added;
	size_t n_gone, n_added;
};

static void map_diff_done(struct map_diff *d)
{
	free(d->gone);
	free(d->added);
}

static int diff_map(const struct change *c, unsigned set, struct map_diff *d)
{
	const struct entry_list *have = &c->old->maps[set], *want = &c->new->maps[set];
	size_t i = 0, j = 0;

	*d = (struct map_diff) { calloc(have->n + 1, 1), calloc(want->n + 1, 1), 0, 0 };
	if (!d->gone || !d->added)
		return -ENOMEM;
	while (i < have->n || j < want->n) {
		int order = i == have->n   ? 1
			    : j == want->n ? -1
					   : entry_cmp(&have->e[i], &want->e[j]);

		if (order == 0 && same_element(c, &have->e[i], &want->e[j])) {
			i++;
			j++;
			continue;
		}
		if (order <= 0)
			d->n_gone += d->gone[i++] = true;
		if (order >= 0)
			d->n_added += d->added[j++] = true;
	}
	return 0;
}

/*
 * Taking an element out of an interval map costs the kernel a copy of the map each time, so a map
 * that loses several is made anew under its name, and so are the rules that name it.
 */
static void find_remade(struct change *c, const struct map_diff *diffs)
{
	for (unsigned i = 0; i < NFT_MAPS; i++)
		c->remake[i] = nft_set_info(i)->is_interval && diffs[i].n_gone >= REMAKE_MIN &&
			       c->old->has_set[i] && c->new->has_set[i];
}

static bool names_remade(const struct change *c, unsigned chain)
{
	for (size_t i = 0; i < c->old->n_rules; i++) {
		const struct nft_rule *r = &c->old->rules[i];

		for (int k = 0; r->chain == chain && r->ops[k].kind; k++)
			if ((r->ops[k].kind == OP_OBJMAP || r->ops[k].kind == OP_LOOKUP) &&
			    r->ops[k].a < NFT_MAPS && c->remake[r->ops[k].a])
				return true;
	}
	return false;
}

static bool same_ranges(const struct change *c, unsigned family)
{
	size_t n = c->new->n_known[family];

	if (c->old->n_known[family] != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (bh_addr_cmp(&c->old->known[family][i].lo, &c->new->known[family][i].lo) != 0 ||
		    bh_addr_cmp(&c->old->known[family][i].hi, &c->new->known[family][i].hi) != 0)
			return false;
	return true;
}

/* --- chains ---------------------------------------------------------------------------------- */

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

static void add_chain_rules(struct change *c, unsigned chain)
{
	for (size_t i = 0; i < c->new->n_rules; i++)
		if (c->new->rules[i].chain == chain)
			batch_new_rule(&c->b, &c->new->rules[i]);
}

/* --- tables ---------------------------------------------------------------------------------- */

static void new_table(struct change *c, unsigned table)
{
	batch_new_table(&c->b, table, c->flags);
	add_fixed_counters(c, table);
}

/* Those that are there have our name, but are not of our making, or altered. */
static void replace_tables(struct change *c)
{
	for (unsigned t = 0; t < NFT_TABLES; t++) {
		if (had_table(c, t))
			batch_delete_table(&c->b, t);
		if (nft_program_has_table(c->new, t))
			new_table(c, t);
	}
}

/* Of a process that is gone: from now on only this socket may change them. */
static void adopt_tables(struct change *c)
{
	for (unsigned t = 0; t < NFT_TABLES; t++)
		if (had_table(c, t))
			batch_new_table(&c->b, t, c->flags);
}

/* The table netdev may come or go by itself: a kernel that lacks something is found out later. */
static void change_tables(struct change *c)
{
	bool was = c->old->frames, is = c->new->frames;

	if (c->flags && !c->have->owned)
		adopt_tables(c);
	if (was && !is)
		batch_delete_table(&c->b, TABLE_NETDEV);
	if (!was && is)
		new_table(c, TABLE_NETDEV);
}

/* --- a table made anew ----------------------------------------------------------------------- */

static void create_all(struct change *c)
{
	const struct nft_program *p = c->new;

	replace_tables(c);
	add_rule_counters(c);
	for (unsigned i = 0; i < NFT_SETS; i++) {
		if (!p->has_set[i])
			continue;
		batch_new_set(&c->b, i);
		if (i < NFT_MAPS)
			batch_new_entries(&c->b, i, p->ruleset, &p->maps[i], NULL, c->now);
		else if (i < SET_DENIED)
			batch_new_ranges(&c->b, i, p->known[i - SET_KNOWN],
					 p->n_known[i - SET_KNOWN]);
	}
	/* Base chains last: from their first rule on the chains that they go to are there. */
	for (unsigned i = NFT_CHAINS; i-- > 0;)
		if (p->has_chain[i])
			batch_new_chain(&c->b, i, p->frames);
	for (unsigned i = NFT_CHAINS; i-- > 0;)
		add_chain_rules(c, i);
}

/* --- a change in place ----------------------------------------------------------------------- */

/*
 * Another device is hooked in a chain made anew: in one batch, so that a device of both is never
 * without.
 */
static bool hook_moves(const struct change *c, unsigned chain)
{
	const struct nft_frames *old = c->old->frames, *new = c->new->frames;

	return chain == CHAIN_EGRESS && old && new && !nft_frames_covers(new, old);
}

/* What becomes of the chains. */
struct chain_changes {
	bool flush[NFT_CHAINS], remove[NFT_CHAINS], create[NFT_CHAINS], fill[NFT_CHAINS];
};

static void compare_chains(const struct change *c, struct chain_changes *k)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		bool table_goes = !nft_program_has_table(c->new, nft_chain_table(i));
		bool was = c->old->has_chain[i] && !table_goes, is = c->new->has_chain[i];
		bool moves = hook_moves(c, i);

		k->fill[i] = is && (moves || names_remade(c, i) || !same_chain(c->old, c->new, i));
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
			batch_new_chain(&c->b, i, c->new->frames);
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (k->fill[i])
			add_chain_rules(c, i);
}

static void remove_elements(struct change *c, unsigned set, const struct map_diff *d)
{
	bool goes = c->old->has_set[set] && !c->new->has_set[set];

	if (c->remake[set]) { /* and its elements with it */
		batch_delete_set(&c->b, set);
		return;
	}
	if (goes || (d->n_gone && d->n_gone == c->old->maps[set].n))
		batch_flush_set(&c->b, set);
	else if (d->n_gone)
		batch_delete_entries(&c->b, set, &c->old->maps[set], d->gone);
	if (goes)
		batch_delete_set(&c->b, set);
}

static void replace_known(struct change *c, unsigned family)
{
	unsigned set = SET_KNOWN + family;
	bool was = c->old->has_set[set], is = c->new->has_set[set];

	if (was && is && same_ranges(c, family))
		return;
	if (was)
		batch_flush_set(&c->b, set);
	if (was && !is)
		batch_delete_set(&c->b, set);
	if (!was && is)
		batch_new_set(&c->b, set);
	if (is)
		batch_new_ranges(&c->b, set, c->new->known[family], c->new->n_known[family]);
}

static void add_elements(struct change *c, unsigned set, const struct map_diff *d)
{
	bool made = c->new->has_set[set] && (!c->old->has_set[set] || c->remake[set]);

	if (made)
		batch_new_set(&c->b, set);
	if (d->n_added || c->remake[set])
		batch_new_entries(&c->b, set, c->new->ruleset, &c->new->maps[set],
				  c->remake[set] ? NULL : d->added, c->now);
}

static void replace_denied_sets(struct change *c)
{
	for (unsigned i = SET_DENIED; i < NFT_SETS; i++) {
		if (c->old->has_set[i] && !c->new->has_set[i])
			batch_delete_set(&c->b, i);
		if (!c->old->has_set[i] && c->new->has_set[i])
			batch_new_set(&c->b, i);
	}
}

static void change_sets(struct change *c, const struct map_diff *diffs)
{
	for (unsigned i = 0; i < NFT_MAPS; i++)
		remove_elements(c, i, &diffs[i]);
	delete_counters(c);
	add_rule_counters(c);
	for (unsigned i = 0; i < NFT_MAPS; i++)
		add_elements(c, i, &diffs[i]);
	for (unsigned f = 0; f < FAMILIES; f++)
		replace_known(c, f);
	replace_denied_sets(c);
}

static int change_in_place(struct change *c)
{
	struct map_diff diffs[NFT_MAPS] = { 0 };
	struct chain_changes chains;
	int r = 0;

	for (unsigned i = 0; i < NFT_MAPS && r >= 0; i++)
		r = diff_map(c, i, &diffs[i]);
	if (r >= 0) {
		find_remade(c, diffs);
		compare_chains(c, &chains);
		change_tables(c);
		flush_chains(c, &chains);
		change_sets(c, diffs);
		fill_chains(c, &chains);
	}
	for (unsigned i = 0; i < NFT_MAPS; i++)
		map_diff_done(&diffs[i]);
	return r;
}

static int build_and_commit(struct change *c, struct nlsock *s, struct bh_err *err)
{
	int r = 0;

	if (find_moved_counters(c) && !c->have->rule_counts)
		return -ERESTART; /* their values have to be read */
	batch_begin_at(&c->b, c->have->commit_id);
	if (c->old)
		r = change_in_place(c);
	else
		create_all(c);
	if (r < 0)
		bh_err_oom(err);
	else if (batch_messages(&c->b) > 0)
		r = batch_commit(&c->b, s, NULL, NULL, err);
	batch_done(&c->b);
	/* An element that has expired since it was read cannot be deleted; that is no commit. */
	return r == -ENOENT && c->old ? -ERESTART : r;
}

/* A plain table cannot become an owned one: it is made anew, in one batch as ever. */
static bool may_change_in_place(const struct nft_want *want, const struct nft_state *have)
{
	return have->intact && (!want->own || have->persists);
}

int nft_apply(struct nlsock *s, const struct nft_want *want, const struct nft_state *have,
	      struct bh_err *err)
{
	bh_autofree struct nft_program *new = calloc(1, sizeof(*new));
	bh_autofree struct nft_program *old = calloc(1, sizeof(*old));
	bh_autofree bool *recreate = calloc(want->ruleset->n_rules + 1, sizeof(*recreate));
	struct change c = {
		.have = have,
		.new = new,
		.recreate = recreate,
		.flags = want->own ? BH_NFT_TABLE_F_OWNER | BH_NFT_TABLE_F_PERSIST : 0,
		.now = time(NULL),
	};

	if (!new || !old || !recreate)
		return bh_err_oom(err);
	nft_lower(want, new);
	if (may_change_in_place(want, have)) {
		nft_lower_state(have, old);
		c.old = old;
	}
	return build_and_commit(&c, s, err);
}

int nft_remove(struct nlsock *s, bool *ret_was_there, struct bh_err *err)
{
	bool there[NFT_TABLES] = { false };
	struct batch b;
	int r = 0;

	for (unsigned t = 0; t < NFT_TABLES && r >= 0; t++)
		r = nft_table_present(s, t, &there[t], err);
	if (ret_was_there)
		*ret_was_there = r >= 0 && (there[TABLE_INET] || there[TABLE_NETDEV]);
	if (r < 0 || (!there[TABLE_INET] && !there[TABLE_NETDEV]))
		return r;
	batch_begin(&b);
	for (unsigned t = 0; t < NFT_TABLES; t++)
		if (there[t])
			batch_delete_table(&b, t);
	r = batch_commit(&b, s, NULL, NULL, err);
	batch_done(&b);
	return r;
}
