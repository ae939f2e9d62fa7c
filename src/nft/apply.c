/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "batch.h"

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
	int64_t now;
};

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

/* The kernel cannot change a counter's comment: such a one is made anew with its old value. */
static void find_moved_counters(struct change *c)
{
	const struct ruleset *want = c->new->ruleset, *have = c->have->ruleset;

	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have, want->rules[i].name);

		c->recreate[i] =
			old >= 0 && strcmp(have->rules[old].where, want->rules[i].where) != 0;
	}
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
		batch_new_counter(&c->b, want->rules[i].name, want->rules[i].where, n.packets,
				  n.bytes);
	}
}

/* What a table made anew goes on counting from. */
static uint64_t fixed_count(const struct nft_totals *t, unsigned counter)
{
	if (counter < COUNTER_REVOKED)
		return t->denied[counter - COUNTER_DENIED];
	if (counter < COUNTER_FORWARDED)
		return t->revoked[counter - COUNTER_REVOKED];
	return t->forwarded;
}

static void add_fixed_counters(struct change *c)
{
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		batch_new_counter(&c->b, nft_counter_name(i), "", fixed_count(&c->have->totals, i),
				  0);
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

/* --- a table made anew ----------------------------------------------------------------------- */

static void create_all(struct change *c)
{
	const struct nft_program *p = c->new;

	batch_new_table(&c->b);
	if (c->have->present) { /* with our name but not of our making, or altered */
		batch_delete_table(&c->b);
		batch_new_table(&c->b);
	}
	add_fixed_counters(c);
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
			batch_new_chain(&c->b, i);
	for (unsigned i = NFT_CHAINS; i-- > 0;)
		add_chain_rules(c, i);
}

/* --- a change in place ----------------------------------------------------------------------- */

/* Rules first: of chains that differ, and of those that go. */
static void flush_chains(struct change *c, bool flushed[NFT_CHAINS])
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		flushed[i] = !same_chain(c->old, c->new, i);
		if (flushed[i] && c->old->has_chain[i])
			batch_flush_chain(&c->b, i);
	}
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (c->old->has_chain[i] && !c->new->has_chain[i])
			batch_delete_chain(&c->b, i);
}

static void remove_elements(struct change *c, unsigned set, const struct map_diff *d)
{
	bool goes = c->old->has_set[set] && !c->new->has_set[set];

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
	if (c->new->has_set[set] && !c->old->has_set[set])
		batch_new_set(&c->b, set);
	if (d->n_added)
		batch_new_entries(&c->b, set, c->new->ruleset, &c->new->maps[set], d->added,
				  c->now);
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
	bool flushed[NFT_CHAINS];
	int r = 0;

	for (unsigned i = 0; i < NFT_MAPS && r >= 0; i++)
		r = diff_map(c, i, &diffs[i]);
	if (r >= 0) {
		flush_chains(c, flushed);
		change_sets(c, diffs);
		for (unsigned i = 0; i < NFT_CHAINS; i++)
			if (c->new->has_chain[i] && !c->old->has_chain[i])
				batch_new_chain(&c->b, i);
		for (unsigned i = 0; i < NFT_CHAINS; i++)
			if (flushed[i])
				add_chain_rules(c, i);
	}
	for (unsigned i = 0; i < NFT_MAPS; i++)
		map_diff_done(&diffs[i]);
	return r;
}

static int build_and_commit(struct change *c, struct nlsock *s, struct bh_err *err)
{
	int r = 0;

	find_moved_counters(c);
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

int nft_apply(struct nlsock *s, const struct ruleset *r, const struct nft_state *have,
	      struct bh_err *err)
{
	bh_autofree struct nft_program *new = calloc(1, sizeof(*new));
	bh_autofree struct nft_program *old = calloc(1, sizeof(*old));
	bh_autofree bool *recreate = calloc(r->n_rules + 1, sizeof(*recreate));
	struct change c = { .have = have, .new = new, .recreate = recreate, .now = time(NULL) };

	if (!new || !old || !recreate)
		return bh_err_oom(err);
	nft_lower(r, new);
	if (have->intact) {
		nft_lower_state(have, old);
		c.old = old;
	}
	return build_and_commit(&c, s, err);
}

int nft_remove(struct nlsock *s, bool *ret_was_there, struct bh_err *err)
{
	bool there;
	struct batch b;
	int r = nft_present(s, &there, err);

	if (ret_was_there)
		*ret_was_there = r >= 0 && there;
	if (r < 0 || !there)
		return r;
	batch_begin(&b);
	batch_delete_table(&b);
	r = batch_commit(&b, s, NULL, NULL, err);
	batch_done(&b);
	return r;
}
