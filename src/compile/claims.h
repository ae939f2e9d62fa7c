/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_CLAIMS_H
#define BULKHEAD_SRC_COMPILE_CLAIMS_H

#include <bulkhead/base/arena.h>
#include <bulkhead/compile/compile.h>

/* Who says which address is his, and who shares a namespace with whom. */
struct claim {
	struct bh_addr addr;
	uint32_t endpoint;
};

/* What makes two endpoints one namespace. */
struct place {
	bool host;
	uint64_t ino;
	const char *path; /* only looked at while the inode is unknown */
	uint32_t endpoint;
};

/* The place of endpoint I, whose path is borrowed. */
struct place place_of(const struct endpoint_set *endpoints, uint32_t i);
/* 0 = one namespace. One that has neither inode nor path shares nothing with any other. */
int place_cmp(const struct place *a, const struct place *b);
/* For qsort(): by namespace, then endpoint. */
int place_cmp_endpoint(const void *a, const void *b);

struct claims {
	const struct claim *c; /* by address, then endpoint */
	size_t n;
	const uint32_t *namespace_of; /* [endpoint] -> the first endpoint of its namespace */
	const struct endpoint_set *endpoints;
	const struct bh_addr *host; /* the host's own, sorted */
	size_t n_host;
};

/* Everything lives in ARENA. -ENOMEM. */
int claims_build(struct bh_arena *arena, const struct endpoint_set *endpoints, struct claims *ret);
/* For qsort(): by address, then endpoint. */
int claim_cmp(const void *a, const void *b);
/* Loopback, unspecified and multicast addresses are everybody's: they name nobody. */
bool claims_name_somebody(const struct bh_addr *a);
/* [endpoint] -> the first endpoint of its namespace, from N sorted places. */
void claims_namespaces(const struct place *p, size_t n, uint32_t *ret);
/* The claims of one address: the first of *ret_n. */
const struct claim *claims_find(const struct claims *c, const struct bh_addr *a, size_t *ret_n);
/* The first claim at or behind A, as an index. */
size_t claims_lower(const struct claims *c, const struct bh_addr *a);
/* What the host claims, into RET. -ENOMEM. */
int claims_take_host(struct bh_arena *arena, const struct endpoint_set *endpoints,
		     struct claims *ret);
/*
 * Do these N claims of one address come from more than one namespace, or from another one than the
 * host's of an address that it has? *ret_other: the second; NULL: the host. Whoever is in its namespace has
 * its addresses, and an endpoint without any is another name for it.
 */
bool claims_conflict(const struct claims *c, const struct claim *first, size_t n,
		     const struct claim **ret_other);

#endif
