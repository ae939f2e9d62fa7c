/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "count.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>

#include "lookup.h"
#include "station.h"

/* Cells of one namespace that some counter must have. */
struct due {
	size_t n[DIRECTIONS], raw;
};

struct counts {
	size_t n;
	struct bh_vec *before; /* [party] struct nft_denied, sorted */
	struct due *due;       /* [party] */
};

/* --- one namespace's denied flows ---------------------------------------------------------------- */

static int cmp_flows(const void *a, const void *b)
{
	const struct nft_denied *x = a, *y = b;
	int r = bh_addr_cmp(&x->destination, &y->destination);

	if (!r)
		r = bh_addr_cmp(&x->source, &y->source);
	if (!r)
		r = (int)x->proto - y->proto;
	if (!r)
		r = (int)x->port - y->port;
	return r ? r : (x->oif > y->oif) - (x->oif < y->oif);
}

static int keep_flow(const struct nft_denied *d, void *arg)
{
	struct nft_denied *slot = bh_vec_push(arg);

	if (!slot)
		return -ENOMEM;
	*slot = *d;
	return 0;
}

/* No table, or none that logs, is no failure: there is nothing. */
static int read_flows(struct station *s, struct bh_vec *ret, struct nft_totals *totals,
		      struct bh_err *err)
{
	int r = nft_denied_totals(&s->nft, totals, err);

	if (r >= 0)
		r = nft_denied_dump(&s->nft, keep_flow, ret, err);
	if (r >= 0 && ret->n)
		qsort(ret->data, ret->n, ret->size, cmp_flows);
	return r;
}

static void flows_init(struct bh_vec *v)
{
	bh_vec_init(v, sizeof(struct nft_denied), 8 * BH_DENIED_SET_SIZE);
}

static uint64_t packets_before(const struct bh_vec *before, const struct nft_denied *d)
{
	const struct nft_denied *was =
		before->n ? bsearch(d, before->data, before->n, before->size, cmp_flows) : NULL;

	/* made anew meanwhile */
	return was && was->packets <= d->packets ? was->packets : 0;
}

/* --- to cells ------------------------------------------------------------------------------------ */

struct marking {
	struct probe_run *run;
	const struct station *s;
	enum direction direction;
};

static void mark(struct probe_cell *c, void *arg)
{
	const struct marking *m = arg;
	bool out = m->direction == DIRECTION_EGRESS;

	if (m->run->parties[out ? c->from : c->to].station == m->s)
		c->facts |= out ? PROBE_COUNTED_OUT : PROBE_COUNTED_IN;
}

/* The source port is not in the key: what a raw socket sent to the same port is meant as well. */
static void mark_flow(struct probe_run *run, const struct station *s, const struct nft_denied *d)
{
	bool icmp = d->proto == IPPROTO_ICMP || d->proto == IPPROTO_ICMPV6;
	struct marking m = { run, s, d->direction };
	struct packet_key k = {
		.src = d->source,
		.dst = d->destination,
		.proto = d->proto,
		.port = icmp ? d->port >> 8 : d->port,
	};

	for (unsigned i = 0; i < 2; i++) {
		k.source = (uint16_t)(run->source_port + i);
		lookup_each(run, &k, mark, &m);
	}
}

/* Those that grew; RET: by how much in all. */
static void mark_flows(struct probe_run *run, const struct station *s, const struct bh_vec *before,
		       const struct bh_vec *after, uint64_t ret[DIRECTIONS])
{
	const struct nft_denied *d = after->data;

	ret[0] = ret[1] = 0;
	for (size_t i = 0; i < after->n; i++) {
		uint64_t more = d[i].packets - packets_before(before, &d[i]);

		ret[d[i].direction] += more;
		if (more)
			mark_flow(run, s, &d[i]);
	}
}

/* --- what no flow has ---------------------------------------------------------------------------- */

static bool lacks_raw(const struct probe_cell *c)
{
	return c->error == ENOBUFS ||
	       (c->way == PROBE_SPOOF && (c->facts & PROBE_SENT) && !(c->facts & PROBE_OUT));
}

static bool lacks_out(const struct probe_cell *c)
{
	return c->error == EPERM && !(c->facts & PROBE_COUNTED_OUT);
}

static bool lacks_in(const struct probe_cell *c)
{
	return (c->facts & PROBE_SEEN) && !(c->facts & (PROBE_IN | PROBE_COUNTED_IN));
}

static void count_due(const struct counts *c, const struct probe_run *run)
{
	for (size_t i = 0; i < run->n_cells; i++) {
		const struct probe_cell *cell = &run->cells[i];

		c->due[cell->from].raw += lacks_raw(cell);
		c->due[cell->from].n[DIRECTION_EGRESS] += lacks_out(cell);
		c->due[cell->to].n[DIRECTION_INGRESS] += lacks_in(cell);
	}
}

/*
 * A set that is full, one that a daemon takes flows out of, or none where nothing is logged: the sums
 * have each packet all the same. They must hold all that no flow holds.
 */
static bool is_covered(const struct station *s, enum direction d, uint64_t in_flows, size_t due)
{
	uint64_t grew = s->after.denied[d] - s->before.denied[d];

	return s->after.denied[d] >= s->before.denied[d] && grew >= in_flows &&
	       grew - in_flows >= due;
}

struct cover {
	bool d[DIRECTIONS], raw;
};

static void mark_covered(struct probe_run *run, const struct cover *covers)
{
	for (size_t i = 0; i < run->n_cells; i++) {
		struct probe_cell *c = &run->cells[i];

		if ((lacks_raw(c) && covers[c->from].raw) ||
		    (lacks_out(c) && covers[c->from].d[DIRECTION_EGRESS]))
			c->facts |= PROBE_COUNTED_OUT;
		if (lacks_in(c) && covers[c->to].d[DIRECTION_INGRESS])
			c->facts |= PROBE_COUNTED_IN;
	}
}

/* --- all ----------------------------------------------------------------------------------------- */

int counts_begin(const struct probe_run *run, struct counts **ret, struct bh_err *err)
{
	struct counts *c = calloc(1, sizeof(*c));
	int r = 0;

	if (c) {
		c->n = run->n_parties;
		c->before = calloc(c->n, sizeof(*c->before));
		c->due = calloc(c->n, sizeof(*c->due));
	}
	if (!c || !c->before || !c->due) {
		counts_free(c);
		return bh_err_oom(err);
	}
	for (size_t i = 0; i < c->n && r >= 0; i++) {
		flows_init(&c->before[i]);
		if (run->parties[i].station)
			r = read_flows(run->parties[i].station, &c->before[i],
				       &run->parties[i].station->before, err);
	}
	if (r < 0) {
		counts_free(c);
		return bh_err_prefix(err, r, "reading counters");
	}
	*ret = c;
	return 0;
}

static int end_one(struct counts *c, struct probe_run *run, size_t i, uint64_t in_flows[DIRECTIONS],
		   struct bh_err *err)
{
	struct station *s = run->parties[i].station;
	struct bh_vec after;
	int r;

	flows_init(&after);
	r = read_flows(s, &after, &s->after, err);
	if (r >= 0)
		mark_flows(run, s, &c->before[i], &after, in_flows);
	bh_vec_done(&after);
	return r;
}

int counts_end(struct counts *c, struct probe_run *run, struct bh_err *err)
{
	struct cover *covers = calloc(c->n, sizeof(*covers));
	uint64_t(*in_flows)[DIRECTIONS] = calloc(c->n, sizeof(*in_flows));
	int r = covers && in_flows ? 0 : bh_err_oom(err);

	for (size_t i = 0; i < c->n && r >= 0; i++)
		if (run->parties[i].station)
			r = end_one(c, run, i, in_flows[i], err);
	if (r >= 0)
		count_due(c, run);
	for (size_t i = 0; i < c->n && r >= 0; i++) {
		const struct station *s = run->parties[i].station;

		for (unsigned d = 0; s && d < DIRECTIONS; d++)
			covers[i].d[d] = is_covered(s, d, in_flows[i][d], c->due[i].n[d]);
		covers[i].raw = s && s->after.raw - s->before.raw >= c->due[i].raw;
	}
	if (r >= 0)
		mark_covered(run, covers);
	free(covers);
	free(in_flows);
	return r < 0 ? bh_err_prefix(err, r, "reading counters") : 0;
}

void counts_free(struct counts *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->before && i < c->n; i++)
		bh_vec_done(&c->before[i]);
	free(c->before);
	free(c->due);
	free(c);
}
