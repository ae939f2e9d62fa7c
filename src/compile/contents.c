/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Namespaces that will say the same are one content, which is compiled once. */

#define BUCKETS_MIN 64

/* --- finding ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h;
}

static uint64_t hash(const struct subject *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	h = mix(h, s->services.i, s->services.n * sizeof(*s->services.i));
	h = mix(h, s->guards.i, s->guards.n * sizeof(*s->guards.i));
	h = mix(h, s->resolvers.a, s->resolvers.n * sizeof(*s->resolvers.a));
	for (size_t i = 0; i < s->n_hits; i++) {
		h = mix(h, &s->hits[i].service, sizeof(s->hits[i].service));
		h = mix(h, &s->hits[i].rule, sizeof(s->hits[i].rule));
		h = mix(h, &s->hits[i].families, sizeof(s->hits[i].families));
	}
	return h ^ h >> 29;
}

static int grow(struct compile_state *st)
{
	size_t n = st->n_buckets ? 2 * st->n_buckets : BUCKETS_MIN;
	struct content **v = calloc(n, sizeof(*v)), *k, *next;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < st->n_buckets; i++)
		for (k = st->buckets[i]; k; k = next) {
			next = k->next;
			k->next = v[k->hash % n];
			v[k->hash % n] = k;
		}
	free(st->buckets);
	st->buckets = v;
	st->n_buckets = n;
	return 0;
}

static void *copy(char **at, const void *data, size_t len)
{
	void *ret = *at;

	if (len)
		memcpy(ret, data, len);
	*at += len;
	return ret;
}

/* One block; behind the struct what the key points to, that with the widest alignment first. */
static struct content *content_new(const struct subject *key)
{
	size_t hits = key->n_hits * sizeof(*key->hits);
	size_t services = key->services.n * sizeof(*key->services.i);
	size_t guards = key->guards.n * sizeof(*key->guards.i);
	size_t resolvers = key->resolvers.n * sizeof(*key->resolvers.a);
	struct content *k = calloc(1, sizeof(*k) + hits + services + guards + resolvers);
	char *at = (char *)(k + 1);

	if (!k)
		return NULL;
	k->key = *key;
	k->key.hits = copy(&at, key->hits, hits);
	k->key.services.i = copy(&at, key->services.i, services);
	k->key.guards.i = copy(&at, key->guards.i, guards);
	k->key.resolvers.a = copy(&at, key->resolvers.a, resolvers);
	return k;
}

struct content *content_get(struct compile_state *st, const struct subject *key)
{
	uint64_t h = hash(key);
	struct content *k;

	if (st->n_contents >= st->n_buckets && grow(st) < 0)
		return NULL;
	for (k = st->buckets[h % st->n_buckets]; k; k = k->next)
		if (k->hash == h && subject_cmp_content(&k->key, key) == 0)
			return k;
	k = content_new(key);
	if (!k)
		return NULL;
	k->hash = h;
	k->next = st->buckets[h % st->n_buckets];
	st->buckets[h % st->n_buckets] = k;
	st->n_contents++;
	return k;
}

static void drop_parts(struct content *k)
{
	for (int i = 0; i < CONTENT_PARTS; i++)
		ruleset_share_put(k->parts[i]);
	ruleset_share_put(k->bundle);
}

static void content_free(struct content *k)
{
	drop_parts(k);
	free(k);
}

void contents_sweep(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct content **at = &st->buckets[i], *k; (k = *at);) {
			if (k->used) {
				k->used = false;
				at = &k->next;
				continue;
			}
			*at = k->next;
			content_free(k);
			st->n_contents--;
		}
}

void contents_free(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct content *k = st->buckets[i], *next; k; k = next) {
			next = k->next;
			content_free(k);
		}
	free(st->buckets);
	st->buckets = NULL;
	st->n_buckets = st->n_contents = 0;
}

/* --- whose rulesets may be others --------------------------------------------------------------- */

static bool is_stale(const struct compile_state *st, const struct subject *s)
{
	for (size_t i = 0; i < s->services.n; i++)
		if (st->service_changed[s->services.i[i]])
			return true;
	for (size_t i = 0; i < s->guards.n; i++)
		if (st->guard_changed[s->guards.i[i]])
			return true;
	for (size_t i = 0; i < s->n_hits; i++)
		if (st->changed[s->hits[i].service])
			return true;
	return false;
}

void contents_mark(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct content *k = st->buckets[i]; k; k = k->next)
			k->stale = is_stale(st, &k->key);
}

/* --- bodies ----------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_list(const struct entry_list *x, const struct entry_list *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; x->e != y->e && i < x->n; i++)
		if (x->e[i].rule != y->e[i].rule || x->e[i].expires != y->e[i].expires ||
		    entry_cmp(&x->e[i], &y->e[i]) != 0)
			return false;
	return true;
}

static bool same_lists(const struct ruleset *a, const struct ruleset *b)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			if (!same_list(&a->entries[d][k], &b->entries[d][k]))
				return false;
		for (int k = 0; k < GUARD_KINDS; k++)
			if (!same_list(&a->guards[d][k], &b->guards[d][k]))
				return false;
	}
	return true;
}

static bool same_rules(const struct ruleset *a, const struct ruleset *b)
{
	if (a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; a->rules != b->rules && i < a->n_rules; i++)
		if (a->rules[i].direction != b->rules[i].direction ||
		    !same_text(a->rules[i].name, b->rules[i].name) ||
		    !same_text(a->rules[i].where, b->rules[i].where))
			return false;
	return true;
}

bool content_same_body(const struct ruleset *a, const struct ruleset *b)
{
	return a->open == b->open && a->mode == b->mode && a->on_deny == b->on_deny &&
	       a->log_denied == b->log_denied && same_text(a->services, b->services) &&
	       same_text(a->generation, b->generation) &&
	       same_text(a->deny_where[0], b->deny_where[0]) &&
	       same_text(a->deny_where[1], b->deny_where[1]) && same_rules(a, b) &&
	       same_lists(a, b);
}

static struct ruleset_share *part_new(struct bh_err *err, struct bh_arena **ret_arena)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset_share *share = arena ? ruleset_share_new(0, arena) : NULL;

	if (!share) {
		bh_arena_free(arena);
		bh_err_oom(err);
	}
	*ret_arena = arena;
	return share;
}

/* K says BODY from now on. PARTS: a reference each, which is taken in any case. */
static int set_body(struct compile_state *st, struct content *k, const struct ruleset *body,
		    struct ruleset_share *const *parts)
{
	struct ruleset_share *bundle = ruleset_share_new(0, NULL);

	if (!bundle) {
		for (int i = 0; i < CONTENT_PARTS; i++)
			ruleset_share_put(parts[i]);
		return bh_err_oom(st->c.err);
	}
	for (int i = 0; i < CONTENT_PARTS; i++)
		ruleset_share_need(bundle, parts[i]);
	drop_parts(k);
	memcpy(k->parts, parts, sizeof(k->parts));
	k->bundle = bundle;
	k->version = ++st->versions;
	k->body = *body;
	k->built = true;
	return 0;
}

static void lend(struct compile_state *st, struct bh_arena *arena)
{
	st->carrier.arena = arena;
	st->c.out = &st->carrier;
}

static int build_anew(struct compile_state *st, struct content *k)
{
	struct ruleset_share *parts[CONTENT_PARTS];
	struct ruleset body;
	struct bh_arena *arena;
	int r;

	parts[0] = part_new(st->c.err, &arena);
	if (!parts[0])
		return -ENOMEM;
	ruleset_share_need(parts[0], st->names);
	lend(st, arena);
	r = compiler_make_ruleset(&st->c, &k->key, &body);
	if (r < 0 || (k->built && content_same_body(&k->body, &body))) {
		ruleset_share_put(parts[0]);
		return r;
	}
	for (int i = 1; i < CONTENT_PARTS; i++)
		parts[i] = ruleset_share_get(parts[0]);
	return set_body(st, k, &body, parts);
}

/* --- parts of bodies -------------------------------------------------------------------------- */

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

		if (!repair_moves(st, p, DIRECTION_EGRESS, &st->moves[h->service],
				  st->rule_plans[DIRECTION_INGRESS][h->service][h->rule].narrow))
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
		if (!same_list(&a[k], &b[k]))
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

	*ret = part_new(st->c.err, &arena);
	if (!*ret)
		return -ENOMEM;
	lend(st, st->scratch); /* names are needed for their order alone */
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

	*ret = part_new(st->c.err, &arena);
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
		return set_body(st, k, &body, parts);
	for (int i = 0; i < CONTENT_PARTS; i++)
		ruleset_share_put(parts[i]);
	return r;
}

int content_build(struct compile_state *st, struct content *k, struct bh_err *err)
{
	struct repair p = { 0 };
	int r;

	if (k->built && !k->stale)
		return 0;
	st->c.err = err;
	for (int d = 0; d < DIRECTIONS; d++)
		bh_vec_init(&p.moved[d], sizeof(struct bh_addr), SIZE_MAX);
	r = k->built && can_repair(st, k, &p) ? repair_body(st, k, &p) : build_anew(st, k);
	for (int d = 0; d < DIRECTIONS; d++)
		bh_vec_done(&p.moved[d]);
	if (r >= 0)
		k->stale = false;
	return r;
}
