/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>

struct word {
	UT_hash_handle hh;
	union {
		struct explain_party party;
		struct port_spec port;
	};
	char text[];
};

struct word_cache {
	const struct endpoint_set *endpoints;
	struct bh_arena *arena;
	struct word *parties, *ports;
};

struct word_cache *word_cache_new(const struct endpoint_set *endpoints)
{
	struct word_cache *c = calloc(1, sizeof(*c));

	if (c) {
		c->endpoints = endpoints;
		c->arena = bh_arena_new();
	}
	if (c && !c->arena) {
		free(c);
		return NULL;
	}
	return c;
}

void word_cache_free(struct word_cache *c)
{
	if (!c)
		return;
	HASH_CLEAR(hh, c->parties);
	HASH_CLEAR(hh, c->ports);
	bh_arena_free(c->arena);
	free(c);
}

static struct word *find(struct word *table, const char *text)
{
	struct word *w;

	HASH_FIND_STR(table, text, w);
	return w;
}

/* NULL: there is no room. */
static struct word *remember(struct word_cache *c, struct word **table, const char *text)
{
	size_t len = strlen(text) + 1;
	struct word *w = NULL;

	if (HASH_COUNT(*table) < BH_WORDS_CACHED_MAX)
		w = bh_arena_alloc(c->arena, sizeof(*w) + len);
	if (w) {
		memcpy(w->text, text, len);
		HASH_ADD_STR(*table, text, w);
	}
	return w;
}

int word_cache_party(struct word_cache *c, const char *word, struct explain_party *ret,
		     struct bh_err *err)
{
	struct word *w = find(c->parties, word);
	int r;

	if (w) {
		*ret = w->party;
		return 0;
	}
	r = explain_party_parse(c->endpoints, word, ret, err);
	w = r < 0 ? NULL : remember(c, &c->parties, word);
	if (w)
		w->party = *ret;
	return r;
}

int word_cache_port(struct word_cache *c, const char *word, struct port_spec *ret,
		    struct bh_err *err)
{
	struct word *w = find(c->ports, word);
	int r;

	if (w) {
		*ret = w->port;
		return 0;
	}
	r = cli_port_parse(word, ret, err);
	w = r < 0 ? NULL : remember(c, &c->ports, word);
	if (w)
		w->port = *ret;
	return r;
}
