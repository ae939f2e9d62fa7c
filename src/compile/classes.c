/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Namespaces that will say the same are one class, which is compiled once. */

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
	struct class **v = calloc(n, sizeof(*v)), *k, *next;

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
static struct class *class_new(const struct subject *key)
{
	size_t hits = key->n_hits * sizeof(*key->hits);
	size_t services = key->services.n * sizeof(*key->services.i);
	size_t guards = key->guards.n * sizeof(*key->guards.i);
	size_t resolvers = key->resolvers.n * sizeof(*key->resolvers.a);
	struct class *k = calloc(1, sizeof(*k) + hits + services + guards + resolvers);
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

struct class *class_get(struct compile_state *st, const struct subject *key)
{
	uint64_t h = hash(key);
	struct class *k;

	if (st->n_classes >= st->n_buckets && grow(st) < 0)
		return NULL;
	for (k = st->buckets[h % st->n_buckets]; k; k = k->next)
		if (k->hash == h && subject_cmp_content(&k->key, key) == 0)
			return k;
	k = class_new(key);
	if (!k)
		return NULL;
	k->hash = h;
	k->next = st->buckets[h % st->n_buckets];
	st->buckets[h % st->n_buckets] = k;
	st->n_classes++;
	return k;
}

static void class_free(struct class *k)
{
	ruleset_share_put(k->share);
	free(k);
}

void classes_sweep(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct class **at = &st->buckets[i], *k; (k = *at);) {
			if (k->used) {
				k->used = false;
				at = &k->next;
				continue;
			}
			*at = k->next;
			class_free(k);
			st->n_classes--;
		}
}

void classes_free(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct class *k = st->buckets[i], *next; k; k = next) {
			next = k->next;
			class_free(k);
		}
	free(st->buckets);
	st->buckets = NULL;
	st->n_buckets = st->n_classes = 0;
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

void classes_mark(struct compile_state *st)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		for (struct class *k = st->buckets[i]; k; k = k->next)
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

bool class_same_body(const struct ruleset *a, const struct ruleset *b)
{
	return a->open == b->open && a->mode == b->mode && a->on_deny == b->on_deny &&
	       a->log_denied == b->log_denied && same_text(a->services, b->services) &&
	       same_text(a->generation, b->generation) &&
	       same_text(a->deny_where[0], b->deny_where[0]) &&
	       same_text(a->deny_where[1], b->deny_where[1]) && same_rules(a, b) &&
	       same_lists(a, b);
}

static int compile_body(struct compile_state *st, struct class *k, struct ruleset *ret,
			struct ruleset_share **ret_share)
{
	struct bh_arena *arena = bh_arena_new();
	struct ruleset_share *share = arena ? ruleset_share_new(0, arena) : NULL;
	int r;

	if (!share) {
		bh_arena_free(arena);
		return bh_err_oom(st->c.err);
	}
	ruleset_share_need(share, st->names);
	st->carrier.arena = arena;
	st->c.out = &st->carrier;
	r = compiler_make_ruleset(&st->c, &k->key, ret);
	st->carrier.arena = NULL;
	if (r < 0) {
		ruleset_share_put(share);
		return r;
	}
	*ret_share = share;
	return 0;
}

int class_build(struct compile_state *st, struct class *k, struct bh_err *err)
{
	struct ruleset body;
	struct ruleset_share *share = NULL;
	int r;

	if (k->built && !k->stale)
		return 0;
	st->c.err = err;
	r = compile_body(st, k, &body, &share);
	if (r < 0)
		return r;
	k->stale = false;
	if (k->built && class_same_body(&k->body, &body)) {
		ruleset_share_put(share);
		return 0;
	}
	ruleset_share_put(k->share);
	k->share = share;
	k->body = body;
	k->built = true;
	return 0;
}
