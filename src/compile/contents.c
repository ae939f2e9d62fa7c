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
	h = mix(h, s->ports, s->n_ports * sizeof(*s->ports));
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
	size_t ports = key->n_ports * sizeof(*key->ports);
	struct content *k = calloc(1, sizeof(*k) + hits + services + guards + ports + resolvers);
	char *at;

	if (!k)
		return NULL;
	at = (char *)(k + 1);
	k->key = *key;
	k->key.hits = copy(&at, key->hits, hits);
	k->key.services.i = copy(&at, key->services.i, services);
	k->key.guards.i = copy(&at, key->guards.i, guards);
	k->key.ports = copy(&at, key->ports, ports);
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

/* Its named ports stand for others, or for the same elsewhere. */
static bool rule_renamed(const struct compile_state *st, const struct follow_hit *h)
{
	const struct service *s = &st->in.policies->services[h->service];

	return s->rules[DIRECTION_INGRESS][h->rule].n_named && st->service_changed[h->service];
}

static bool is_stale(const struct compile_state *st, const struct subject *s)
{
	for (size_t i = 0; i < s->services.n; i++)
		if (st->service_changed[s->services.i[i]])
			return true;
	for (size_t i = 0; i < s->guards.n; i++)
		if (st->guard_changed[s->guards.i[i]])
			return true;
	for (size_t i = 0; i < s->n_hits; i++)
		if (st->changed[s->hits[i].service] || rule_renamed(st, &s->hits[i]))
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

bool content_same_list(const struct entry_list *x, const struct entry_list *y)
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
			if (!content_same_list(&a->entries[d][k], &b->entries[d][k]))
				return false;
		for (int k = 0; k < GUARD_KINDS; k++)
			if (!content_same_list(&a->guards[d][k], &b->guards[d][k]))
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
	       a->log_denied == b->log_denied && a->log_allowed == b->log_allowed &&
	       same_text(a->services, b->services) && same_text(a->generation, b->generation) &&
	       same_text(a->deny_where[0], b->deny_where[0]) &&
	       same_text(a->deny_where[1], b->deny_where[1]) && same_rules(a, b) &&
	       same_lists(a, b);
}

struct ruleset_share *content_new_part(struct bh_err *err, struct bh_arena **ret_arena)
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
int content_set_body(struct compile_state *st, struct content *k, const struct ruleset *body,
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

void content_lend(struct compile_state *st, struct bh_arena *arena)
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

	parts[0] = content_new_part(st->c.err, &arena);
	if (!parts[0])
		return -ENOMEM;
	ruleset_share_need(parts[0], st->names);
	content_lend(st, arena);
	r = compiler_make_ruleset(&st->c, &k->key, &body);
	if (r < 0 || (k->built && content_same_body(&k->body, &body))) {
		ruleset_share_put(parts[0]);
		return r;
	}
	for (int i = 1; i < CONTENT_PARTS; i++)
		parts[i] = ruleset_share_get(parts[0]);
	return content_set_body(st, k, &body, parts);
}

int content_build(struct compile_state *st, struct content *k, struct bh_err *err)
{
	int r = 0;

	if (k->built && !k->stale)
		return 0;
	st->c.err = err;
	if (!k->built || !content_mend(st, k, &r))
		r = build_anew(st, k);
	if (r >= 0)
		k->stale = false;
	return r;
}
