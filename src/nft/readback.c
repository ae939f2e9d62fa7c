/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "expr.h"
#include "image.h"
#include "kernel.h"

/* A table that changes while it is read is read again, this often. */
#define READ_TRIES 8

/* --- image to ruleset ------------------------------------------------------------------------ */

/* The value behind "KEY " in a comment of the chain, or NULL. */
static const char *about(const struct image *im, unsigned chain, const char *key)
{
	const struct image_rule *rules = im->rules.data;
	size_t len = strlen(key);

	for (size_t i = 0; i < im->rules.n; i++)
		if (rules[i].chain == chain && strncmp(rules[i].comment, key, len) == 0 &&
		    rules[i].comment[len] == ' ')
			return rules[i].comment + len + 1;
	return NULL;
}

static const char *about_copy(const struct image *im, struct ruleset *r, unsigned chain,
			      const char *key)
{
	const char *v = about(im, chain, key);

	return v ? bh_arena_strdup(r->arena, v) : NULL;
}

static bool take_manner(const struct image *im, struct ruleset *r)
{
	const char *line = about(im, CHAIN_ABOUT, "mode");

	for (unsigned i = 0; line && i < 8; i++) {
		r->mode = i & 4 ? MODE_AUDIT : MODE_ENFORCE;
		r->on_deny = i & 2 ? ON_DENY_REJECT : ON_DENY_DROP;
		r->log_denied = i & 1;
		if (strcmp(line, nft_manner(r->mode, r->on_deny, r->log_denied) + 5) == 0)
			return true;
	}
	return false;
}

static bool take_about(struct image *im, struct ruleset *r)
{
	r->endpoint = about_copy(im, r, CHAIN_ABOUT, "endpoint");
	r->services = about_copy(im, r, CHAIN_ABOUT, "services");
	r->generation = about_copy(im, r, CHAIN_ABOUT, "generation");
	r->open = about(im, CHAIN_ABOUT, "default") != NULL;
	r->log_allowed = about(im, CHAIN_ABOUT, "log-allowed") != NULL;
	r->deny_where[DIRECTION_EGRESS] = about_copy(im, r, CHAIN_OUTPUT, "default-deny egress");
	r->deny_where[DIRECTION_INGRESS] = about_copy(im, r, CHAIN_INPUT, "default-deny ingress");
	return r->endpoint && r->services && r->generation &&
	       (r->open || (r->deny_where[0] && r->deny_where[1])) && take_manner(im, r);
}

/* "<service>.in.<rest>" or "<service>.out.<rest>": no service or guardrail has a dot. */
static bool counter_direction(const char *name, enum direction *ret)
{
	const char *dot = strchr(name, '.');

	if (dot && strncmp(dot, ".in.", 4) == 0)
		*ret = DIRECTION_INGRESS;
	else if (dot && strncmp(dot, ".out.", 5) == 0)
		*ret = DIRECTION_EGRESS;
	else
		return false;
	return true;
}

/* --- frames ---------------------------------------------------------------------------------- */

/* The clients' addresses, from the comments of their rules: whether the rules say the same is seen later. */
static void take_clients(const struct image *im, struct nft_frames *f)
{
	const struct image_rule *rules = im->rules.data;
	const size_t len = strlen(DHCP_COMMENT);

	for (size_t i = 0; i < im->rules.n && f->n_dhcp < BH_DEVICES_MAX; i++) {
		uint8_t *m = f->dhcp[f->n_dhcp];

		if (rules[i].chain == CHAIN_DHCP &&
		    strncmp(rules[i].comment, DHCP_COMMENT, len) == 0 &&
		    sscanf(rules[i].comment + len, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1],
			   &m[2], &m[3], &m[4], &m[5]) == 6)
			f->n_dhcp++;
	}
}

static int raise_frames(const struct image *im, struct nft_frames **ret)
{
	if (!im->has_table[TABLE_NETDEV])
		return 0;
	*ret = malloc(sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	**ret = im->frames;
	take_clients(im, *ret);
	return 0;
}

/* --- policy rules ---------------------------------------------------------------------------- */

static int take_rules(struct image *im, struct ruleset *r)
{
	const struct image_counter *c = im->counters.data;
	struct ruleset_rule *rules = bh_arena_array(r->arena, im->counters.n, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < im->counters.n; i++) {
		rules[i].name = bh_arena_strdup(r->arena, c[i].name);
		rules[i].where = bh_arena_strdup(r->arena, c[i].comment);
		if (!rules[i].name || !rules[i].where)
			return -ENOMEM;
		if (!counter_direction(c[i].name, &rules[i].direction))
			image_drift(im, "a foreign counter %s is in the table", c[i].name);
	}
	r->rules = rules;
	r->n_rules = im->counters.n;
	return 0;
}

/* What stands of a map: by the name that rules have for it, and nothing where they have none. */
static const struct bh_vec *entries_of(const struct image *im, unsigned map)
{
	static const struct bh_vec none;

	if (im->named[SET_OTHER(map)])
		return &im->entries[SET_OTHER(map)];
	return im->named[map] || !nft_set_info(map)->is_interval ? &im->entries[map] : &none;
}

/* The two families' maps of a kind become one list, IPv4 first. */
static int take_list(const struct image *im, struct ruleset *r, unsigned map4, unsigned map6,
		     struct entry_list *ret)
{
	const struct bh_vec *v4 = entries_of(im, map4), *v6 = entries_of(im, map6);
	struct entry *e;

	if (v4->n + v6->n == 0)
		return 0;
	e = bh_arena_array(r->arena, v4->n + v6->n, sizeof(*e));
	if (!e)
		return -ENOMEM;
	if (v4->n)
		memcpy(e, v4->data, v4->n * sizeof(*e));
	if (v6->n)
		memcpy(e + v4->n, v6->data, v6->n * sizeof(*e));
	*ret = (struct entry_list) { e, v4->n + v6->n };
	return 0;
}

static int take_entries(const struct image *im, struct ruleset *r)
{
	int err = 0;

	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (unsigned k = 0; k < ENTRY_KINDS && err >= 0; k++)
			err = take_list(im, r, SET_MAP(d, FAMILY4, k), SET_MAP(d, FAMILY6, k),
					&r->entries[d][k]);
		for (unsigned k = 0; k < GUARD_KINDS && err >= 0; k++)
			err = take_list(im, r, SET_GUARD(d, FAMILY4, k), SET_GUARD(d, FAMILY6, k),
					&r->guards[d][k]);
	}
	return err;
}

static int take_known(const struct image *im, struct ruleset *r)
{
	const struct bh_vec *v4 = &im->ranges[FAMILY4], *v6 = &im->ranges[FAMILY6];
	struct bh_range *known = bh_arena_array(r->arena, v4->n + v6->n, sizeof(*known));

	if (!known)
		return -ENOMEM;
	if (v4->n)
		memcpy(known, v4->data, v4->n * sizeof(*known));
	if (v6->n)
		memcpy(known + v4->n, v6->data, v6->n * sizeof(*known));
	r->known = known;
	r->n_known = v4->n + v6->n;
	return 0;
}

/* *RET stays NULL when the table does not say enough about itself. */
static int raise_ruleset(struct image *im, struct ruleset **ret)
{
	struct bh_arena *a = bh_arena_new();
	struct ruleset *r = a ? bh_arena_alloc(a, sizeof(*r)) : NULL;
	int err = -ENOMEM;

	if (r) {
		r->arena = a;
		err = take_rules(im, r);
	}
	if (err >= 0)
		err = take_entries(im, r);
	if (err >= 0)
		err = take_known(im, r);
	if (err >= 0 && take_about(im, r)) {
		*ret = r;
		return 0;
	}
	bh_arena_free(a);
	if (err >= 0)
		image_drift(im, "the chain about does not say what the table was made from");
	return err;
}

/* --- is it, to the last rule, what we would write? ---------------------------------------------
 */

static void compare_objects(struct image *im, const struct nft_program *p)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (im->has_chain[i] != p->has_chain[i])
			image_drift(im, "chain %s is %s", nft_chain_name(i),
				    p->has_chain[i] ? "missing" : "there and should not be");
	for (unsigned i = 0; i < NFT_ALL_SETS; i++)
		if (im->has_set[i] != p->has_set[i])
			image_drift(im, "set %s is %s", nft_set_info(i)->name,
				    p->has_set[i] ? "missing or empty" : "there and should not be");
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		if (im->has_fixed[i] != nft_program_has_counter(p, i))
			image_drift(im, "counter %s is %s", nft_counter_name(i),
				    im->has_fixed[i] ? "there and should not be" : "missing");
}

static void compare_chain(struct image *im, const struct nft_program *p, unsigned chain)
{
	const struct image_rule *have = im->rules.data;
	size_t i = 0, j = 0, number = 0;

	for (;; i++, j++) {
		while (i < im->rules.n && have[i].chain != chain)
			i++;
		while (j < p->n_rules && p->rules[j].chain != chain)
			j++;
		if (i == im->rules.n || j == p->n_rules)
			break;
		number++;
		if (strcmp(have[i].comment, p->rules[j].comment) != 0 ||
		    !expr_matches(&p->rules[j], have[i].expressions)) {
			image_drift(im, "rule %zu of chain %s is not ours", number,
				    nft_chain_name(chain));
			return;
		}
	}
	if (i < im->rules.n)
		image_drift(im, "chain %s has surplus rules", nft_chain_name(chain));
	if (j < p->n_rules)
		image_drift(im, "chain %s lacks rules", nft_chain_name(chain));
}

static int compare(struct image *im, const struct nft_state *s)
{
	struct nft_program *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	nft_lower_state(s, p);
	compare_objects(im, p);
	for (unsigned i = 0; i < NFT_CHAINS && !im->drift[0]; i++)
		compare_chain(im, p, i);
	free(p);
	return 0;
}

/* An interval map that no rule names is not. */
static bool is_in_use(const struct image *im, unsigned map)
{
	if (!nft_set_info(map)->is_interval)
		return im->has_set[map];
	return (im->has_set[map] && im->named[map]) ||
	       (im->has_set[SET_OTHER(map)] && im->named[SET_OTHER(map)]);
}

/*
 * A map stays when its last element has expired: it lets nothing pass, and nobody altered it. What
 * guardrails deny does not expire: an empty map of theirs is not ours.
 */
static uint32_t idle_maps(const struct image *im)
{
	uint32_t idle = 0;

	_Static_assert(SET_GUARDS <= 32, "a bit for each map");
	for (unsigned i = 0; i < SET_GUARDS; i++)
		if (is_in_use(im, i) && entries_of(im, i)->n == 0)
			idle |= 1u << i;
	return idle;
}

/*
 * A change that was broken off may leave an interval map that no rule names, not yet or not any
 * more: it does nothing.
 */
static void take_places(struct image *im, struct nft_state *s)
{
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		bool first = im->has_set[i], other = im->has_set[SET_OTHER(i)];

		if (!nft_set_info(i)->is_interval)
			continue;
		if (im->named[i] && im->named[SET_OTHER(i)])
			image_drift(im, "the map %s stands by two names", nft_set_info(i)->name);
		if (first && !im->named[i])
			s->leftovers[0] |= 1ull << i;
		if (other && !im->named[SET_OTHER(i)])
			s->leftovers[1] |= 1ull << i;
		if (im->named[SET_OTHER(i)])
			s->alternates |= 1ull << i;
	}
}

/* --- the state ------------------------------------------------------------------------------- */

static int take_counts(const struct image *im, struct nft_state *s)
{
	const struct image_counter *c = im->counters.data;

	for (unsigned d = 0; d < DIRECTIONS; d++) {
		s->totals.denied[d] = im->fixed[COUNTER_DENIED + d].packets;
		s->totals.revoked[d] = im->fixed[COUNTER_REVOKED + d].packets;
		s->totals.allowed[d] = im->fixed[COUNTER_ALLOWED + d].packets;
	}
	s->totals.forwarded = im->fixed[COUNTER_FORWARDED].packets;
	s->totals.raw = im->fixed[COUNTER_RAW].packets;
	s->rule_counts = calloc(im->counters.n + 1, sizeof(*s->rule_counts));
	if (!s->rule_counts)
		return -ENOMEM;
	for (size_t i = 0; i < im->counters.n; i++)
		s->rule_counts[i] = (struct nft_rule_count) { c[i].packets, c[i].bytes };
	return 0;
}

/* Each of the tables that are there. */
static bool all_have_flag(const struct image *im, uint32_t flag)
{
	for (unsigned t = 0; t < NFT_TABLES; t++)
		if (im->has_table[t] && !(im->flags[t] & flag))
			return false;
	return true;
}

static void take_ownership(const struct image *im, struct nft_state *s)
{
	s->persists = all_have_flag(im, BH_NFT_TABLE_F_PERSIST);
	s->owned = all_have_flag(im, BH_NFT_TABLE_F_OWNER);
	s->owner = im->owner[TABLE_INET];
}

static int judge(struct image *im, struct nft_state *s)
{
	int r = raise_frames(im, &s->frames);

	s->present = im->has_table[TABLE_INET];
	if (r < 0 || !s->present)
		return r;
	take_ownership(im, s);
	take_places(im, s);
	s->idle_maps = idle_maps(im);
	r = raise_ruleset(im, &s->ruleset);
	if (r >= 0 && s->ruleset)
		r = compare(im, s);
	if (r >= 0)
		r = take_counts(im, s);
	s->intact = r >= 0 && s->ruleset && !im->drift[0];
	memcpy(s->drift, im->drift, sizeof(s->drift));
	return r;
}

void nft_state_done(struct nft_state *s)
{
	ruleset_free(s->ruleset);
	free(s->frames);
	free(s->rule_counts);
	*s = (struct nft_state) { 0 };
}

static int read_once(struct nlsock *s, struct nft_state *ret, struct bh_err *err)
{
	struct image im;
	uint32_t before = 0, after = 0;
	int r = image_init(&im, err);

	if (r >= 0)
		r = nft_commit_id(s, &before, err);
	if (r >= 0)
		r = image_read(&im, s, err);
	if (r >= 0)
		r = nft_commit_id(s, &after, err);
	if (r >= 0 && before != after)
		r = bh_err_set(err, -EINTR, "nf_tables change faster than they can be read");
	ret->commit_id = before;
	if (r >= 0) {
		r = judge(&im, ret);
		if (r < 0)
			bh_err_oom(err);
	}
	image_done(&im);
	return r;
}

int nft_readback(struct nlsock *s, struct nft_state *ret, struct bh_err *err)
{
	struct nft_state state = { 0 };
	int r = -EINTR;

	for (int i = 0; i < READ_TRIES && (r == -EINTR || r == -ENOENT); i++) {
		nft_state_done(&state);
		r = read_once(s, &state, err);
	}
	if (r < 0)
		nft_state_done(&state);
	*ret = state;
	return r;
}
