/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

/* One round of compile_update(): the steps in state.h, then a list of rulesets and what changed. */

/* --- the state -------------------------------------------------------------------------------- */

struct compile_state *compile_state_new(void)
{
	struct compile_state *st = calloc(1, sizeof(*st));

	if (st) {
		bh_vec_init(&st->buried, sizeof(void *), SIZE_MAX);
		bh_vec_init(&st->moved, sizeof(struct bh_addr), SIZE_MAX);
	}
	return st;
}

static void dig_up(struct compile_state *st)
{
	void **p = st->buried.data;

	for (size_t i = 0; i < st->buried.n; i++)
		free(p[i]);
	st->buried.n = 0;
}

static void free_plans(struct compile_state *st)
{
	const struct policy_set *p = st->in.policies;
	size_t n_lists = st->lists ? p->n_services + st->label_sets.n + LISTS_MORE : 0;

	for (size_t i = 0; i < n_lists; i++)
		free((void *)st->lists[i].a);
	for (int d = 0; d < DIRECTIONS; d++)
		for (size_t k = 0; st->rule_plans[d] && k < p->n_services; k++)
			for (size_t i = 0; st->rule_plans[d][k] && i < p->services[k].n_rules[d];
			     i++)
				free(st->rule_plans[d][k][i].memory);
	for (size_t k = 0; st->deny_plans && k < p->n_guardrails; k++)
		for (size_t i = 0; st->deny_plans[k] && i < p->guardrails[k].n_deny; i++)
			free(st->deny_plans[k][i].memory);
}

void compile_state_reset(struct compile_state *st)
{
	struct bh_vec buried, moved;

	epoch_done(&st->now);
	epoch_done(&st->next);
	contents_free(st);
	dig_up(st);
	free_plans(st);
	resolver_done(&st->c.resolver);
	ruleset_share_put(st->known);
	ruleset_share_put(st->names);
	bh_arena_free(st->plans);
	bh_arena_free(st->scratch);
	buried = st->buried;
	moved = st->moved;
	*st = (struct compile_state) { .buried = buried, .moved = moved };
}

void compile_state_free(struct compile_state *st)
{
	if (!st)
		return;
	compile_state_reset(st);
	bh_vec_done(&st->buried);
	bh_vec_done(&st->moved);
	free(st);
}

static bool is_of_these_policies(const struct compile_state *st, const struct compile_input *in)
{
	struct host_config none = { 0 };
	const struct host_config *host = in->host ? in->host : &none;

	return st->filled && st->in.policies == in->policies &&
	       endpoint_set_same_namespace_labels(st->now.endpoints, in->endpoints) &&
	       strcmp(st->digest, in->policies->digest) == 0 &&
	       st->host.image_labels == host->image_labels && st->host.unmanaged == host->unmanaged;
}

/* An empty state for the policies of st->in. */
static int fill(struct compile_state *st, struct bh_err *err)
{
	struct bh_arena *names = bh_arena_new();

	st->names = names ? ruleset_share_new(0, names) : NULL;
	st->plans = bh_arena_new();
	if (!st->names)
		bh_arena_free(names);
	if (!st->names || !st->plans)
		return bh_err_oom(err);
	st->c = (struct compiler) { .names = names, .plans = st->plans, .err = err };
	st->c.resolver = (struct resolver) { .in = &st->in, .image_labels = st->host.image_labels };
	memcpy(st->digest, st->in.policies->digest, sizeof(st->digest));
	return plans_make(st, err);
}

/* What one round marks for its later steps. */
static int begin(struct compile_state *st, struct bh_err *err)
{
	const struct policy_set *p = st->in.policies;
	size_t n_lists = p->n_services + st->label_sets.n + LISTS_MORE;

	memset(st->touched, 0, n_lists * sizeof(*st->touched));
	memset(st->changed, 0, n_lists * sizeof(*st->changed));
	memset(st->service_changed, 0, p->n_services * sizeof(*st->service_changed));
	memset(st->guard_changed, 0, p->n_guardrails * sizeof(*st->guard_changed));
	memset(st->moves, 0, n_lists * sizeof(*st->moves));
	for (int d = 0; d < DIRECTIONS; d++)
		for (size_t k = 0; k < p->n_services; k++)
			for (size_t i = 0; i < p->services[k].n_rules[d]; i++)
				st->rule_plans[d][k][i].moves = (struct moves) { 0 };
	st->moved.n = 0;
	st->known_changed = false;
	st->c.err = err;
	st->scratch = bh_arena_new();
	st->c.resolver.arena = st->c.guards.memory = st->scratch;
	memset(st->c.guards.memos, 0, sizeof(st->c.guards.memos));
	return st->scratch ? 0 : bh_err_oom(err);
}

static void end(struct compile_state *st)
{
	epoch_done(&st->now);
	st->now = st->next;
	st->next = (struct epoch) { 0 };
	contents_sweep(st);
	dig_up(st);
	bh_arena_free(st->scratch);
	st->scratch = NULL;
	st->c.resolver.arena = NULL;
	st->c.err = NULL;
	st->filled = true;
}

/* --- rulesets --------------------------------------------------------------------------------- */

static struct ruleset *ruleset_of(const struct space *s)
{
	return ruleset_share_data(s->held);
}

static struct ruleset_share *make_known(struct compile_state *st)
{
	const struct bh_rangeset *known = &st->c.resolver.known;
	size_t size = known->n * sizeof(*known->r);
	struct ruleset_share *s = ruleset_share_new(size, NULL);

	if (s && size)
		memcpy(ruleset_share_data(s), known->r, size);
	return s;
}

static int add_known(struct compile_state *st, struct ruleset_share *held)
{
	struct ruleset *r = ruleset_share_data(held);

	if (!compiler_says_world(r))
		return 0;
	if (!st->known)
		st->known = make_known(st);
	if (!st->known)
		return -ENOMEM;
	ruleset_share_need(held, st->known);
	r->known = ruleset_share_data(st->known);
	r->n_known = st->c.resolver.known.n;
	return 0;
}

/* The body of its content, with the namespace's own name and today's `known`. */
static int hold(struct compile_state *st, struct space *s)
{
	const char *id = st->in.endpoints->endpoints[s->home].id;
	const char *text = names_text(st->scratch, id, COMPILER_ENDPOINT_TEXT_MAX);
	struct ruleset *r;
	char *endpoint;

	s->held = text ? ruleset_share_new(sizeof(*r) + strlen(text) + 1, NULL) : NULL;
	if (!s->held)
		return -ENOMEM;
	r = ruleset_of(s);
	*r = s->content->body;
	endpoint = (char *)(r + 1);
	r->endpoint = strcpy(endpoint, text);
	ruleset_share_need(s->held, s->content->bundle);
	return add_known(st, s->held);
}

/* Nothing that BEFORE says would be said otherwise. */
static bool can_keep(const struct compile_state *st, const struct space *before,
		     const struct space *s)
{
	const struct ruleset *r = ruleset_of(before);

	if (s->before == NONE && strcmp(st->now.endpoints->endpoints[before->home].id,
					st->in.endpoints->endpoints[s->home].id) != 0)
		return false;
	if (st->known_changed && r->known)
		return false;
	if (before->content == s->content) /* it was compared when it was compiled */
		return before->version == s->content->version;
	return content_same_body(r, &s->content->body);
}

/* By place: the space before that is this namespace, or NULL. */
static struct space *find_before(const struct compile_state *st, const struct space *s)
{
	const struct epoch *now = &st->now;
	struct place key;
	size_t lo = 0, hi = now->endpoints ? now->endpoints->n : 0, n = hi;
	uint32_t at;

	if (s->before != NONE)
		return &st->now.spaces[s->before];
	key = place_of(st->in.endpoints, s->home);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (place_cmp(&now->places[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == n || place_cmp(&now->places[lo], &key) != 0)
		return NULL;
	at = now->space_at[now->claims.namespace_of[now->places[lo].endpoint]];
	return at == NONE ? NULL : &now->spaces[at];
}

struct report {
	struct compile_change *c;
	size_t n;
	bool *seen; /* [space before] */
};

static void add_change(struct report *r, enum compile_change_kind kind, size_t before, size_t after)
{
	r->c[r->n++] = (struct compile_change) { kind, before, after };
}

static int make_ruleset(struct compile_state *st, struct space *s, struct report *report,
			struct bh_err *err)
{
	struct space *before = find_before(st, s);
	int r = content_build(st, s->content, err);

	if (r < 0)
		return bh_err_prefix(err, r, "endpoint %s",
				     names_text(st->scratch,
						st->in.endpoints->endpoints[s->home].id,
						COMPILER_ENDPOINT_TEXT_MAX));
	s->version = s->content->version;
	if (before)
		report->seen[before - st->now.spaces] = true;
	if (before && can_keep(st, before, s)) {
		s->held = ruleset_share_get(before->held);
		return 0;
	}
	add_change(report, before ? COMPILE_CHANGED : COMPILE_APPEARED, before ? before->home : 0,
		   s->home);
	return hold(st, s) < 0 ? bh_err_oom(err) : 0;
}

/* In the order of endpoints. */
static int list_items(struct compile_state *st, struct ruleset_list *l, struct report *report,
		      struct bh_err *err)
{
	size_t n = st->in.endpoints->n;
	struct epoch *e = &st->next;
	uint32_t *at = bh_arena_array(st->scratch, n + 1, sizeof(*at));
	int r = 0;

	l->items = bh_arena_array(l->arena, e->n_spaces + 1, sizeof(*l->items));
	l->shares = bh_arena_array(l->arena, e->n_spaces + 1, sizeof(struct ruleset_share *));
	if (!at || !l->items || !l->shares)
		return bh_err_oom(err);
	memset(at, 0xff, (n + 1) * sizeof(*at)); /* NONE */
	for (size_t i = 0; i < e->n_spaces; i++)
		at[e->spaces[i].home] = (uint32_t)i;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct space *s = &e->spaces[at[i]];

		if (at[i] == NONE)
			continue;
		r = make_ruleset(st, s, report, err);
		if (r < 0)
			break;
		l->items[l->n++] = (struct ruleset_item) { ruleset_of(s), i };
		l->shares[l->n_shares++] = ruleset_share_get(s->held);
	}
	return r;
}

static int list_endpoints(const struct compile_state *st, struct ruleset_list *l)
{
	size_t n = st->in.endpoints->n;
	bool *guarded = bh_arena_array(l->arena, n + 1, sizeof(*guarded));

	l->home_of =
		bh_arena_memdup(l->arena, st->next.claims.namespace_of, n * sizeof(*l->home_of));
	if (!guarded || !l->home_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		guarded[i] = guards_select(&st->c.guards, i);
	l->guarded = guarded;
	return 0;
}

static int make_list(struct compile_state *st, struct ruleset_list *l, struct compile_changes *ret,
		     struct bh_err *err)
{
	size_t n_before = st->now.n_spaces;
	struct report report = {
		.c = bh_arena_array(l->arena, n_before + st->next.n_spaces + 1, sizeof(*report.c)),
		.seen = bh_arena_array(st->scratch, n_before + 1, sizeof(*report.seen)),
	};
	int r;

	if (!report.c || !report.seen || list_endpoints(st, l) < 0)
		return bh_err_oom(err);
	r = list_items(st, l, &report, err);
	for (size_t i = 0; i < n_before; i++)
		if (!report.seen[i])
			add_change(&report, COMPILE_VANISHED, st->now.spaces[i].home, 0);
	*ret = (struct compile_changes) { report.c, report.n, !st->filled };
	return r;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int update(struct compile_state *st, struct ruleset_list *l, struct compile_changes *changes,
		  struct diag_list *diags, struct bh_err *err)
{
	bool all = !st->filled;
	struct delta d;
	int r = begin(st, err);

	if (r >= 0 && delta_make(st->scratch, st->now.endpoints, st->in.endpoints, &d) < 0)
		r = bh_err_oom(err);
	if (r >= 0)
		r = epoch_make(st, &d, err);
	if (r >= 0)
		r = lists_update(st, diags, err);
	if (r >= 0)
		r = rules_update(st, all, err);
	if (r >= 0)
		named_warn(&st->c, diags);
	if (r >= 0)
		r = spaces_update(st, &d, err);
	if (r < 0)
		return r;
	contents_mark(st);
	return make_list(st, l, changes, err);
}

static struct ruleset_list *list_new(void)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset_list *l = arena ? bh_arena_alloc(arena, sizeof(*l)) : NULL;

	if (l)
		l->arena = arena;
	else
		bh_arena_free(arena);
	return l;
}

int compile_update(struct compile_state *st, const struct compile_input *in,
		   struct ruleset_list **ret, struct compile_changes *ret_changes,
		   struct diag_list *diags, struct bh_err *err)
{
	struct ruleset_list *l = list_new();
	int r = l ? 0 : bh_err_oom(err);

	if (!is_of_these_policies(st, in))
		compile_state_reset(st);
	st->in = *in;
	if (in->host)
		st->host = *in->host;
	st->in.host = &st->host;
	if (r >= 0 && !st->filled)
		r = fill(st, err);
	if (r >= 0)
		r = update(st, l, ret_changes, diags, err);
	if (r < 0) {
		ruleset_list_free(l);
		compile_state_reset(st);
		return r;
	}
	end(st);
	*ret = l;
	return 0;
}
