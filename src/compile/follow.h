/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_FOLLOW_H
#define BULKHEAD_SRC_COMPILE_FOLLOW_H

#include <bulkhead/base/buf.h>

#include "assemble.h"

/* `egress: follow`: which ingress rules of which services let a namespace in. */

/* Who has a named port under this number. */
struct named_target {
	struct port_spec port;
	struct addr_list to;
};

struct named_list {
	const struct named_target *t;
	size_t n;
};

/* A live rule of a service, made once and used by every ruleset that has the service. */
struct live_rule {
	struct piece piece;
	const char *slug;
	/* its named ports: of an egress rule at those in its target, of an ingress rule at the
	 * endpoints of the service */
	struct named_list named;
	bool expired; /* it has no target then, and is in no ruleset */
};

struct live_service {
	struct live_rule *rules[DIRECTIONS];
	size_t n[DIRECTIONS];
	struct piece dns; /* without a target; name NULL = no dns */
	/* all there is, for whom nobody isolates in this direction; name NULL = this service does */
	struct piece open[DIRECTIONS];
	bool named_ingress; /* some ingress rule names a port */
};

struct follow_hit {
	uint32_t home;    /* first endpoint of the namespace */
	uint32_t service; /* whose ingress */
	uint32_t rule;    /* index into its live ingress rules */
	uint8_t families; /* FOLLOW_V4 | FOLLOW_V6: by which of our addresses we are let in */
};
#define FOLLOW_V4 1
#define FOLLOW_V6 2

/* The hits of one rule, in no order, with repetitions. -ENOMEM, -E2BIG. */
int follow_search(const struct claims *claims, const bool *wanted, uint32_t service, uint32_t rule,
		  const struct target *target, struct bh_vec *ret);
/* Sort, and make the hits of one namespace by one rule one. */
void follow_join(struct bh_vec *hits);
int follow_hit_cmp(const void *a, const void *b); /* for qsort(): by home, service, rule */
void follow_init(struct bh_vec *hits);

/*
 * All hits of namespaces for which WANTED[home] is true, sorted by home, service, rule; a vector of
 * struct follow_hit that the caller owns. -ENOMEM, -E2BIG.
 */
int follow_find(const struct resolver *r, const struct live_service *live, const bool *wanted,
		struct bh_vec *ret);

#endif
