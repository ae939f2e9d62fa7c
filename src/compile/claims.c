/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct place place_of(const struct endpoint_set *endpoints, uint32_t i)
{
	const struct endpoint *e = &endpoints->endpoints[i];

	return (struct place) { e->obstacle == ENDPOINT_HOST_NETWORK, e->netns_ino, e->netns, i };
}

int place_cmp(const struct place *a, const struct place *b)
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

int place_cmp_endpoint(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = place_cmp(x, y);

	return r ? r : (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

void claims_namespaces(const struct place *p, size_t n, uint32_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		bool same = i && place_cmp(&p[i - 1], &p[i]) == 0;

		ret[p[i].endpoint] = same ? ret[p[i - 1].endpoint] : p[i].endpoint;
	}
}

static int build_namespaces(struct bh_arena *arena, const struct endpoint_set *endpoints,
			    struct claims *ret)
{
	struct place *p = calloc(endpoints->n + 1, sizeof(*p));
	uint32_t *of = bh_arena_array(arena, endpoints->n + 1, sizeof(*of));

	if (!p || !of) {
		free(p);
		return -ENOMEM;
	}
	for (size_t i = 0; i < endpoints->n; i++)
		p[i] = place_of(endpoints, (uint32_t)i);
	qsort(p, endpoints->n, sizeof(*p), place_cmp_endpoint);
	claims_namespaces(p, endpoints->n, of);
	free(p);
	ret->namespace_of = of;
	return 0;
}

int claim_cmp(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr, &y->addr);

	return r ? r : (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

bool claims_name_somebody(const struct bh_addr *a)
{
	static const uint8_t zero[15];

	if (a->family == AF_INET)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	return a->b[0] != 0xff && !(memcmp(a->b, zero, sizeof(zero)) == 0 && a->b[15] <= 1);
}

static int order_addr(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

int claims_take_host(struct bh_arena *arena, const struct endpoint_set *endpoints,
		     struct claims *ret)
{
	size_t n = endpoints->n_host_addrs;
	struct bh_addr *host =
		bh_arena_memdup(arena, endpoints->host_addrs, n * sizeof(*endpoints->host_addrs));

	if (!host)
		return -ENOMEM;
	if (n)
		qsort(host, n, sizeof(*host), order_addr);
	ret->endpoints = endpoints;
	ret->host = host;
	ret->n_host = n;
	return 0;
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
			if (claims_name_somebody(&e->addrs[k]))
				c[n++] = (struct claim) { e->addrs[k], (uint32_t)i };
		}
	}
	qsort(c, n, sizeof(*c), claim_cmp);
	*ret = (struct claims) { .c = c, .n = n };
	return claims_take_host(arena, endpoints, ret) < 0
		       ? -ENOMEM
		       : build_namespaces(arena, endpoints, ret);
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

/* Of its namespace nothing is known: it may be the host, or what somebody calls it in an inventory. */
static bool lives_elsewhere(const struct endpoint *e)
{
	return e->obstacle != ENDPOINT_HOST_NETWORK &&
	       (e->netns || e->netns_ino || e->obstacle != ENDPOINT_HOLDABLE);
}

static bool host_has(const struct claims *c, const struct bh_addr *a)
{
	return c->n_host && bsearch(a, c->host, c->n_host, sizeof(*a), order_addr);
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
	*ret_other = NULL;
	return n && lives_elsewhere(&c->endpoints->endpoints[first->endpoint]) &&
	       host_has(c, &first->addr);
}
