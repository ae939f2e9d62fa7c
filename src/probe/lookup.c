/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>

void lookup_key(const struct probe_run *run, const struct probe_cell *c, struct packet_key *ret)
{
	*ret = (struct packet_key) {
		.src = c->src,
		.dst = c->dst,
		.proto = c->proto,
		.port = c->port,
		.source = (uint16_t)(run->source_port + (c->way != PROBE_STACK)),
	};
}

static int cmp_keys(const struct packet_key *a, const struct packet_key *b)
{
	int r = bh_addr_cmp(&a->dst, &b->dst);

	if (!r)
		r = bh_addr_cmp(&a->src, &b->src);
	if (!r)
		r = (int)a->proto - b->proto;
	if (!r)
		r = (int)a->port - b->port;
	return r ? r : (int)a->source - b->source;
}

static int cmp_order(const void *a, const void *b, void *arg)
{
	const struct probe_run *run = arg;
	struct packet_key x, y;

	lookup_key(run, &run->cells[*(const uint32_t *)a], &x);
	lookup_key(run, &run->cells[*(const uint32_t *)b], &y);
	return cmp_keys(&x, &y);
}

int lookup_init(struct probe_run *run)
{
	run->order = calloc(run->n_cells + 1, sizeof(*run->order));
	if (!run->order)
		return -ENOMEM;
	for (size_t i = 0; i < run->n_cells; i++)
		if (run->cells[i].outcome != PROBE_NOT_PROBED)
			run->order[run->n_order++] = (uint32_t)i;
	qsort_r(run->order, run->n_order, sizeof(*run->order), cmp_order, run);
	return 0;
}

/* How a cell of the order compares with K. */
static int cmp_at(const struct probe_run *run, size_t i, const struct packet_key *k)
{
	struct packet_key at;

	lookup_key(run, &run->cells[run->order[i]], &at);
	return cmp_keys(&at, k);
}

void lookup_each(const struct probe_run *run, const struct packet_key *k,
		 void (*fn)(struct probe_cell *c, void *arg), void *arg)
{
	size_t lo = 0, hi = run->n_order;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_at(run, mid, k) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < run->n_order && cmp_at(run, lo, k) == 0; lo++)
		fn(&run->cells[run->order[lo]], arg);
}
