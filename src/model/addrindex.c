/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/addrindex.h>

#include <errno.h>
#include <stdlib.h>

#define FIRST 64

int addr_index_add(struct addr_index *x, const struct bh_addr *a, size_t owner, uint64_t netns)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : FIRST;
		struct addr_owner *e = reallocarray(x->e, cap, sizeof(*e));

		if (!e)
			return -ENOMEM;
		x->e = e;
		x->cap = cap;
	}
	x->e[x->n++] = (struct addr_owner) { .addr = *a, .owner = owner, .netns = netns };
	return 0;
}

static int order(const void *a, const void *b)
{
	const struct addr_owner *x = a, *y = b;

	return bh_addr_cmp(&x->addr, &y->addr);
}

static bool share_netns(const struct addr_owner *a, const struct addr_owner *b)
{
	return a->owner == b->owner || (a->netns && a->netns == b->netns);
}

void addr_index_finish(struct addr_index *x)
{
	size_t n = 0;

	if (x->n)
		qsort(x->e, x->n, sizeof(*x->e), order);
	for (size_t i = 0; i < x->n; i++) {
		if (n && order(&x->e[n - 1], &x->e[i]) == 0)
			x->e[n - 1].twice |= !share_netns(&x->e[n - 1], &x->e[i]);
		else
			x->e[n++] = x->e[i];
	}
	x->n = n;
}

void addr_index_done(struct addr_index *x)
{
	free(x->e);
	*x = (struct addr_index) { 0 };
}

const struct addr_owner *addr_index_find(const struct addr_index *x, const struct bh_addr *a)
{
	const struct addr_owner key = { .addr = *a };
	const struct addr_owner *hit = x->n ? bsearch(&key, x->e, x->n, sizeof(key), order) : NULL;

	return hit && !hit->twice ? hit : NULL;
}
