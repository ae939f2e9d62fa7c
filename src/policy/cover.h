/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_COVER_PRIVATE_H
#define BULKHEAD_POLICY_COVER_PRIVATE_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/policy.h>

/*
 * What one peer names lies within what another names, whatever endpoints there are. Only what is
 * certain counts.
 */

/* A prefix and nothing else; except: may stand beside it. */
static inline bool peer_is_cidr(const struct peer *p)
{
	return p->has_cidr && !p->service && !p->n_labels && !p->group && !p->scope &&
	       !p->not_scope && p->entity == ENTITY_NONE;
}

bool prefix_inside(const struct bh_prefix *inner, const struct bh_prefix *outer);

/* The addresses of a group, in order, each once: none lies in another. */
struct group_cover {
	struct bh_prefix *p;
	size_t n;
};

/* [group of the set]; NULL: out of memory. */
struct group_cover *group_covers_new(const struct policy_set *set);
void group_covers_free(struct group_cover *g, size_t n);
bool group_cover_has(const struct group_cover *g, const struct bh_prefix *p);

bool port_inside(const struct port_spec *inner, const struct port_spec *outer);
bool ports_meet(const struct port_spec *a, const struct port_spec *b);

struct lint;

/* Each of A in one of B. */
bool ports_inside(struct lint *l, const struct port_spec *a, size_t n_a, const struct port_spec *b,
		  size_t n_b);

/* Is all that P names named by Q? */
bool peer_covers(struct lint *l, const struct peer *q, const struct peer *p);
/* Certainly no address of P is one of Q. */
bool peers_disjoint(struct lint *l, const struct peer *q, const struct peer *p);

/*
 * Peers of many rules by what they name, so that those that may cover one are found without looking at
 * all of them.
 */
struct cover_item {
	const struct peer *peer;
	const struct port_spec *ports;
	size_t n_ports;
	int64_t expires; /* 0 = never */
	const void *owner;
	size_t order;
};

struct cover_index {
	struct bh_vec items;    /* struct cover_item */
	struct bh_vec entries;  /* private */
	uint64_t lengths[2][3]; /* private: prefix lengths that are there, by family */
};

void cover_init(struct cover_index *x);
void cover_done(struct cover_index *x);
void cover_reset(struct cover_index *x);                             /* empty, memory kept */
int cover_add(struct cover_index *x, const struct cover_item *item); /* 0 or -ENOMEM */
void cover_sort(struct cover_index *x);                              /* after the last of them */

/*
 * FN gets each item that may cover P, until it returns true or the steps of L have run out. True: it
 * has.
 */
bool cover_find(struct lint *l, const struct cover_index *x, const struct peer *p,
		bool (*fn)(const struct cover_item *q, void *arg), void *arg);

#endif
