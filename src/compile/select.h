/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_SELECT_H
#define BULKHEAD_SRC_COMPILE_SELECT_H

#include <bulkhead/base/arena.h>
#include <bulkhead/compile/compile.h>

/* What an endpoint can be found by without looking at every endpoint. */
enum term_kind { TERM_LABEL, TERM_NAME, TERM_COMPOSE };

struct term {
	enum term_kind kind;
	const char *key, *value; /* label; "" and the name; compose project and service */
	uint32_t endpoint;
};

struct term_index {
	const struct term *t; /* sorted */
	size_t n;
};

/* The index lives in ARENA and borrows its strings. -ENOMEM. */
int term_index_build(struct bh_arena *arena, const struct endpoint_set *endpoints,
		     bool image_labels, struct term_index *ret);
/* The terms that are equal; the first of *ret_n, endpoints ascending (an endpoint may stand twice).
 */
const struct term *term_index_find(const struct term_index *x, enum term_kind kind, const char *key,
				   const char *value, size_t *ret_n);
/*
 * Endpoints that may have all N labels: those with the rarest of them. A superset; ask
 * select_labels_match() of each.
 */
const struct term *term_index_labels(const struct term_index *x, const struct label *labels,
				     size_t n, size_t *ret_n);
/* Does S select E? An empty selector selects nobody. */
bool select_matches(const struct selector *s, const struct endpoint *e, bool image_labels);
bool select_labels_match(const struct endpoint *e, const struct label *labels, size_t n,
			 bool image_labels);

#endif
