/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_RESOLVE_H
#define BULKHEAD_SRC_COMPILE_RESOLVE_H

#include "claims.h"
#include "select.h"

/* Peers -> addresses. */

struct addr_list {
	const struct bh_addr *a; /* sorted, unique */
	size_t n;
};

/*
 * What the peers of a rule come to. Addresses of endpoints stay single addresses, also when they
 * are neighbours, so that they end in a hash. All empty = the rule matches nothing.
 */
struct target {
	struct addr_list singles;
	const struct bh_range *ranges; /* sorted, disjoint */
	size_t n_ranges;
	bool world;
};

/* Is A among them? Not of the world: nobody who is known is. */
bool target_has(const struct target *t, const struct bh_addr *a);

/*
 * Peers and rules that name the same labels, the same pods or ports of the same name, and whom they mean;
 * kept by whoever compiles again and again.
 */
struct label_set {
	const struct label *labels; /* managed endpoints that have them all */
	size_t n_labels;
	const struct pods *pods;      /* or: these */
	const struct port_name *port; /* or: endpoints with such a port */
	const uint32_t *members;      /* ascending */
	size_t n_members;
};

struct label_use {
	const void *of; /* the labels, pods or name of a peer or a rule: this very place */
	uint32_t set;
};

struct label_sets {
	struct label_set *sets;
	size_t n;
	const struct label_use *uses; /* by address */
	size_t n_uses;
	const struct addr_list *addrs; /* [set]: of the members, tidy */
};

struct resolver {
	struct bh_arena *arena; /* of everything below; freed after the compile */
	const struct compile_input *in;
	const struct selection *selection;
	bool image_labels;
	struct term_index terms;
	const struct label_sets *label_sets; /* NULL: ask `terms` */
	struct claims claims;
	struct addr_list contested; /* claimed from more than one namespace: denied everywhere */
	struct addr_list managed, host;
	struct addr_list *services; /* [service] */
	struct target *groups;      /* [group] */
	struct bh_rangeset known;   /* not the world */
	struct bh_rangeset denied;  /* contested, as ranges */
};

/* Warnings on contested addresses go to DIAGS. resolver_done() also after a failure. */
int resolver_init(struct resolver *r, const struct compile_input *in,
		  const struct selection *selection, struct bh_arena *arena,
		  struct diag_list *diags, struct bh_err *err);
void resolver_done(struct resolver *r);

/* Every address of each family. */
extern const struct bh_range resolver_everything[2];
/* The addresses of pods. -ENOMEM. */
int resolver_pods(struct resolver *r, const struct pods *p, struct addr_list *ret);

/* Steps of it. The contested, from r->claims; known without endpoints and contested addresses. */
int resolver_find_contested(struct resolver *r, struct diag_list *diags);
int resolver_known_places(const struct endpoint_set *e, struct bh_rangeset *ret);
int resolver_build_groups(struct resolver *r);

int resolver_rule(struct resolver *r, const struct rule *rule, struct target *ret,
		  struct bh_err *err);
/* A group's CIDRs; contested addresses may still be in its ranges. -E2BIG, -ENOMEM. */
int resolver_group(struct resolver *r, const struct group *g, struct target *ret);
/* The addresses of N endpoints, tidy; CONTESTED: with those. -ENOMEM. */
int resolver_collect(struct resolver *r, const uint32_t *endpoints, size_t n, bool contested,
		     struct addr_list *ret);
/* The set that a peer's labels or pods, or a rule's port_name, come to, or NULL. */
const struct label_set *label_sets_find(const struct label_sets *s, const void *of);
/* Is endpoint I in the set? */
bool label_set_has(const struct resolver *r, const struct label_set *s, uint32_t endpoint);
/* Whoever may be in it, as term_index_labels(); NULL: anybody. */
const struct term *label_set_candidates(const struct label_set *s, const struct term_index *x,
					size_t *ret_n);
/* Pods, and endpoints with a port of that name: those in the set, ascending. -ENOMEM. */
int resolver_members(struct resolver *r, const struct label_set *what, const void *of,
		     struct selection_list *ret);
/* Of managed endpoints with all N labels; the same. */
int resolver_labels(struct resolver *r, const struct label *labels, size_t n, bool contested,
		    struct addr_list *ret);
/*
 * Selected by some service. A container in the host's namespace has the host's addresses; only
 * `entity: host` or its service by name opens those, so it is left out here.
 */
bool resolver_is_managed(const struct resolver *r, uint32_t endpoint);
/* Sort, make unique, leave out the contested (unless they are wanted); *A is taken as it is and stays in its arena. */
struct addr_list resolver_tidy(const struct resolver *r, struct bh_addr *a, size_t n,
			       bool contested);
int addr_list_add_to(struct bh_rangeset *s, const struct addr_list *l);
bool addr_list_equal(const struct addr_list *x, const struct addr_list *y);
bool addr_list_contains(const struct addr_list *l, const struct bh_addr *a);
/* The addresses of one family: a slice. */
struct addr_list addr_list_family(const struct addr_list *l, uint8_t family);

#endif
