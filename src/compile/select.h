/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_SELECT_H
#define BULKHEAD_SRC_COMPILE_SELECT_H

#include <bulkhead/base/arena.h>
#include <bulkhead/compile/compile.h>

/* What an endpoint can be found by without looking at every endpoint. */
enum term_kind { TERM_LABEL, TERM_NAME, TERM_COMPOSE, TERM_NAMESPACE, TERM_PORT };

struct term {
	enum term_kind kind;
	/* label; "" and the name; compose project and service; "" and the namespace; "" and the port's
	 * name */
	const char *key, *value;
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
/*
 * Does S select E, which is one of SET? An empty selector selects nobody. SET is asked for the labels of
 * namespaces.
 */
bool select_matches(const struct selector *s, const struct endpoint_set *set,
		    const struct endpoint *e, bool image_labels);
bool select_labels_match(const struct endpoint *e, const struct label *labels, size_t n,
			 bool image_labels);

/* --- pods.c: as NetworkPolicies name them ---------------------------------------------------- */

/* Is E, of SET, one of them? In the host's namespace nobody is a pod, nor is one of whom nothing is known. */
bool pods_match(const struct pods *p, const struct endpoint_set *set, const struct endpoint *e,
		bool image_labels);
/* Whoever may be one of them, as term_index_labels(); NULL: anybody of the set. */
const struct term *pods_candidates(const struct pods *p, const struct term_index *x, size_t *ret_n);
/* For qsort(): 0 = they say the same. */
int pods_cmp(const struct pods *a, const struct pods *b);
/* Does a pod have a port of that name? Is it this one? */
bool pods_have_port(const struct endpoint *e, const struct port_name *name);
bool pods_port_is(const struct endpoint_port *p, const struct port_name *name);

#endif
