/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_ADDRINDEX_H
#define BULKHEAD_MODEL_ADDRINDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/base/addr.h>

/* Whose an address is. One that two network namespaces claim is nobody's. */
struct addr_owner {
	struct bh_addr addr;
	size_t owner;   /* the caller's number */
	uint64_t netns; /* inode; 0 = not known, and then no other's */
	bool twice;
};

struct addr_index {
	struct addr_owner *e;
	size_t n, cap;
};

/* 0 or -ENOMEM. */
int addr_index_add(struct addr_index *x, const struct bh_addr *a, size_t owner, uint64_t netns);
/* Once, after the last is added. */
void addr_index_finish(struct addr_index *x);
void addr_index_done(struct addr_index *x); /* a zeroed one is fine, too */
/* NULL: nobody's, or claimed twice. */
const struct addr_owner *addr_index_find(const struct addr_index *x, const struct bh_addr *a);

#endif
