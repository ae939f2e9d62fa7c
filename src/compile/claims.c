/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* What makes two endpoints one namespace, ready to sort. */
struct home {
	bool host;
	uint64_t ino;
	const char *path; /* only looked at while the inode is unknown */
	uint32_t endpoint;
};

static int home_cmp_place(const struct home *a, const struct home *b)
{
	if (a->host != b->host)
		return (int)a->host - (int)b->host;
	if (a->host)
		return 0;
	if (a->ino != b->ino)
		return a->ino < b->ino ? -1 : 1;
	if (a->ino)
		return 0;
	if (a->path && b->path)
		return strcmp(a->path, b->path);
	/* neither inode nor path: nothing says that it shares anything */
	return a->path   ? 1
	       : b->path ? -1
			 : (a->endpoint > b->endpoint) - (a->endpoint < b->endpoint);
}

static int home_cmp(const void *a, const void *b)
{
	const struct home *x = a, *y = b;
	int r = home_cmp_place(x, y);

	return r ? r : (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

static int build_namespaces(struct bh_arena *arena, const struct endpoint_set *endpoints,
			    struct claims *ret)
{
	struct home *h = calloc(endpoints->n + 1, sizeof(*h));
	uint32_t *of = bh_arena_array(arena, endpoints->n + 1, sizeof(*of));

	if (!h || !of) {
		free(h);
		return -ENOMEM;
	}
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct endpoint *e = &endpoints->endpoints[i];

		h[i] = (struct home) { e->obstacle == ENDPOINT_HOST_NETWORK, e->netns_ino, e->netns,
				       (uint32_t)i };
	}
	qsort(h, endpoints->n, sizeof(*h), home_cmp);
	for (size_t i = 0; i < endpoints->n; i++) {
		bool same = i && home_cmp_place(&h[i - 1], &h[i]) == 0;

		of[h[i].endpoint] = same ? of[h[i - 1].endpoint] : h[i].endpoint;
	}
	free(h);
	ret->namespace_of = of;
	return 0;
}

static int claim_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

/* Loopback, unspecified and multicast addresses are everybody's: they name nobody. */
static bool names_somebody(const struct bh_addr *a)
{
	static const uint8_t zero[15];

	if (a->family == AF_INET)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	return a->b[0] != 0xff && !(memcmp(a->b, zero, sizeof(zero)) == 0 && a->b[15] <= 1);
}

int claims_build(struct bh_arena *arena, const struct endpoint_set *endpoints, struct claims *ret)
{
	struct claim *c;
	size_t n = 0;

	for (size_t i = 0; i < endpoints->n; i++)
		n += endpoints->endpoints[i].n_addrs;
	c = bh_arena_array(arena, n + 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < endpoints->n; i++) {
		const struct endpoint *e = &endpoints->endpoints[i];

		for (size_t k = 0; k < e->n_addrs; k++) {
			if (names_somebody(&e->addrs[k]))
				c[n++] = (struct claim) { e->addrs[k], (uint32_t)i };
		}
	}
	qsort(c, n, sizeof(*c), claim_cmp);
	*ret = (struct claims) { .c = c, .n = n };
	return build_namespaces(arena, endpoints, ret);
}

size_t claims_lower(const struct claims *c, const struct bh_addr *a)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&c->c[mid].addr, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct claim *claims_find(const struct claims *c, const struct bh_addr *a, size_t *ret_n)
{
	size_t first = claims_lower(c, a), i = first;

	while (i < c->n && bh_addr_cmp(&c->c[i].addr, a) == 0)
		i++;
	*ret_n = i - first;
	return c->c + first;
}

bool claims_conflict(const struct claims *c, const struct claim *first, size_t n,
		     const struct claim **ret_other)
{
	for (size_t i = 1; i < n; i++) {
		if (c->namespace_of[first[i].endpoint] == c->namespace_of[first->endpoint])
			continue;
		*ret_other = &first[i];
		return true;
	}
	return false;
}
