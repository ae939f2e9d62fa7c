/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/nft.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "change.h"
#include "kernel.h"
#include "meet.h"
#include "query.h"

/* --- batches --------------------------------------------------------------------------------- */

void commits_begin(const struct commits *k, struct batch *b)
{
	batch_begin_at(b, k->at);
}

int commits_end(struct commits *k, struct batch *b, struct bh_err *err)
{
	int r = 0;

	if (batch_messages(b) > 0) {
		r = batch_commit(b, k->s, NULL, NULL, err);
		k->ret->commits += r >= 0;
		if (r >= 0 && k->at && ++k->at == 0)
			k->at = 1; /* as the kernel counts */
	}
	batch_done(b);
	return r;
}

/* --- what both ways have --------------------------------------------------------------------- */

uint32_t table_flags(const struct nft_want *want)
{
	return want->own ? BH_NFT_TABLE_F_OWNER | BH_NFT_TABLE_F_PERSIST : 0;
}

static int compare_name(const void *key, const void *rule)
{
	return strcmp(key, ((const struct ruleset_rule *)rule)->name);
}

long find_rule(const struct ruleset *r, const char *name)
{
	const struct ruleset_rule *hit;

	if (!r || r->n_rules == 0)
		return -1;
	hit = bsearch(name, r->rules, r->n_rules, sizeof(*hit), compare_name);
	return hit ? hit - r->rules : -1;
}

/* What a table made anew goes on counting from. */
static uint64_t fixed_count(const struct nft_totals *t, unsigned counter)
{
	if (counter < COUNTER_REVOKED)
		return t->denied[counter - COUNTER_DENIED];
	if (counter < COUNTER_FORWARDED)
		return t->revoked[counter - COUNTER_REVOKED];
	if (counter >= COUNTER_ALLOWED && counter < COUNTER_RAW)
		return t->allowed[counter - COUNTER_ALLOWED];
	return counter == COUNTER_RAW ? t->raw : t->forwarded;
}

void add_table(struct batch *b, const struct nft_state *have, const struct nft_program *p,
	       unsigned table, uint32_t flags)
{
	batch_new_table(b, table, flags);
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		if (nft_counter_table(i) == table && nft_program_has_counter(p, i))
			batch_new_counter(b, table, nft_counter_name(i), "",
					  fixed_count(&have->totals, i), 0);
}

void add_chain_rules(struct batch *b, const struct nft_program *p, unsigned chain)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].chain == chain)
			batch_new_rule(b, &p->rules[i]);
}

/* --- tables made anew ------------------------------------------------------------------------ */

/* Those that are there have our name, but are not of our making, or altered. */
static void replace_tables(struct batch *b, const struct nft_state *have,
			   const struct nft_program *p, uint32_t flags)
{
	const bool had[NFT_TABLES] = { have->present, have->frames != NULL };

	for (unsigned t = 0; t < NFT_TABLES; t++) {
		if (had[t])
			batch_delete_table(b, t);
		if (nft_program_has_table(p, t))
			add_table(b, have, p, t, flags);
	}
}

static void add_rule_counters(struct batch *b, const struct nft_state *have,
			      const struct ruleset *want)
{
	for (size_t i = 0; i < want->n_rules; i++) {
		long old = find_rule(have->ruleset, want->rules[i].name);
		struct nft_rule_count n = { 0 };

		if (old >= 0)
			n = have->rule_counts[old];
		batch_new_counter(b, TABLE_INET, want->rules[i].name, want->rules[i].where,
				  n.packets, n.bytes);
	}
}

/* Is some of it denied by a guardrail? */
static bool is_guarded(const struct nft_program *p, unsigned map, const struct entry *e)
{
	const struct nft_set_info *s = nft_set_info(map);

	for (unsigned k = 0; k < GUARD_KINDS; k++) {
		const struct entry_list *l = &p->maps[SET_GUARD(s->direction, s->family, k)];

		for (size_t i = 0; i < l->n; i++)
			if (entries_meet(e, &l->e[i]))
				return true;
	}
	return false;
}

/*
 * A hash's elements count at once, those of guardrails a moment later: what both have waits for a
 * batch of its own, where packets passed through tables of this name before.
 */
struct picked {
	bool *memory;
	bool *now[NFT_MAPS], *late[NFT_MAPS]; /* which elements of each map */
};

static void pick_map(const struct nft_state *have, const struct nft_program *p, unsigned map,
		     struct picked *k)
{
	for (size_t i = 0; i < p->maps[map].n; i++) {
		k->late[map][i] = have->present && !nft_set_info(map)->is_interval &&
				  is_guarded(p, map, &p->maps[map].e[i]);
		k->now[map][i] = !k->late[map][i];
	}
}

static int pick(const struct nft_state *have, const struct nft_program *p, struct picked *ret)
{
	size_t total = 0, at = 0;

	for (unsigned i = 0; i < NFT_MAPS; i++)
		total += p->maps[i].n;
	ret->memory = calloc(2 * total + 1, sizeof(*ret->memory));
	if (!ret->memory)
		return -ENOMEM;
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		ret->now[i] = ret->memory + at;
		ret->late[i] = ret->memory + total + at;
		at += p->maps[i].n;
		pick_map(have, p, i, ret);
	}
	return 0;
}

/* Guardrails' maps first: in this order their elements come to count. */
static void add_sets(struct batch *b, const struct nft_program *p, const struct picked *k,
		     int64_t now)
{
	for (unsigned n = 0; n < NFT_SETS; n++) {
		unsigned i = n < NFT_MAPS ? (n + SET_GUARDS) % NFT_MAPS : n;

		if (!p->has_set[i])
			continue;
		batch_new_set(b, i);
		if (i < NFT_MAPS)
			batch_new_entries(b, i, p->ruleset, &p->maps[i], k->now[i], now);
		else if (i < SET_DENIED)
			batch_new_ranges(b, i, p->known[i - SET_KNOWN], p->n_known[i - SET_KNOWN]);
	}
}

/* Base chains last: from their first rule on the chains that they go to are there. */
static void add_chains(struct batch *b, const struct nft_program *p)
{
	for (unsigned i = NFT_CHAINS; i-- > 0;)
		if (p->has_chain[i])
			batch_new_chain(b, i, p->frames);
	for (unsigned i = NFT_CHAINS; i-- > 0;)
		add_chain_rules(b, p, i);
}

static int create_with(struct commits *k, const struct nft_state *have, const struct nft_program *p,
		       uint32_t flags, const struct picked *picked, struct bh_err *err)
{
	int64_t now = time(NULL);
	struct batch b;
	int r;

	commits_begin(k, &b);
	replace_tables(&b, have, p, flags);
	add_rule_counters(&b, have, p->ruleset);
	add_sets(&b, p, picked, now);
	add_chains(&b, p);
	r = commits_end(k, &b, err);
	if (r < 0)
		return r;
	commits_begin(k, &b);
	for (unsigned i = 0; i < NFT_MAPS; i++)
		batch_new_entries(&b, i, p->ruleset, &p->maps[i], picked->late[i], now);
	return commits_end(k, &b, err);
}

static int create_all(struct commits *k, const struct nft_want *want, const struct nft_state *have,
		      struct bh_err *err)
{
	bh_autofree struct nft_program *p = malloc(sizeof(*p));
	struct picked picked = { 0 };
	int r = p ? 0 : -ENOMEM;

	if (p) {
		nft_lower(want, p);
		r = pick(have, p, &picked);
	}
	r = r < 0 ? bh_err_oom(err) : create_with(k, have, p, table_flags(want), &picked, err);
	free(picked.memory);
	return r;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* A plain table cannot become an owned one: it is made anew. */
static bool may_change_in_place(const struct nft_want *want, const struct nft_state *have)
{
	return have->intact && (!want->own || have->persists);
}

int nft_apply(struct nlsock *s, const struct nft_want *want, const struct nft_state *have,
	      struct nft_written *ret, struct bh_err *err)
{
	struct nft_written written = { 0 };
	struct commits k = { s, have->commit_id, &written };
	bool in_place = may_change_in_place(want, have);
	int r;

	if (!in_place && have->ruleset && !have->rule_counts)
		return -ERESTART; /* their values have to be read */
	r = in_place ? change_in_place(&k, want, have, err) : create_all(&k, want, have, err);
	written.commit_id = k.at;
	if (ret)
		*ret = written;
	/* An element that has expired since it was read cannot be deleted; that is no commit. */
	return r == -ENOENT && in_place ? -ERESTART : r;
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
