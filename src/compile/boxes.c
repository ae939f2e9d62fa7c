/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "boxes.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * A sweep over the addresses cuts them into intervals on which the same boxes lie. On each, what
 * is left is a plane of protocols x ports; it is cut into protocol intervals, and each of those is
 * a line of ports that the rules paint in order of rank, each only where no other has been.
 */

#define NOBODY UINT32_MAX

struct plane {
	struct bh_vec specs;       /* struct ranked: what lies on this interval, by rank */
	struct bh_vec pieces;      /* struct entry without addresses: what came of it */
	struct bh_vec active;      /* const struct box *: by rank */
	struct bh_vec last_active; /* what `pieces` was made of */
	uint32_t *cuts, *owner, *next;
	size_t cap;
};

struct ranked {
	struct box_spec spec;
	uint32_t rank;
};

/* --- one line of ports ----------------------------------------------------------------------- */

static int cut_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t sort_unique(uint32_t *v, size_t n)
{
	size_t out = 0;

	qsort(v, n, sizeof(*v), cut_cmp);
	for (size_t i = 0; i < n; i++) {
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	}
	return out;
}

static int plane_reserve(struct plane *p, size_t n)
{
	uint32_t *grown;

	if (n <= p->cap)
		return 0;
	grown = realloc(p->cuts, 3 * n * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->cuts = grown;
	p->owner = grown + n;
	p->next = grown + 2 * n;
	p->cap = n;
	return 0;
}

/* The next place at or behind I that nobody owns yet. */
static uint32_t unowned(uint32_t *next, uint32_t i)
{
	while (next[i] != i) {
		next[i] = next[next[i]];
		i = next[i];
	}
	return i;
}

static void paint(struct plane *p, size_t n, const struct ranked *s)
{
	const uint32_t *first =
		bsearch(&(uint32_t) { s->spec.port_lo }, p->cuts, n, sizeof(*p->cuts), cut_cmp);
	uint32_t i = unowned(p->next, (uint32_t)(first - p->cuts));

	while (p->cuts[i] <= s->spec.port_hi) {
		p->owner[i] = s->rank;
		p->next[i] = i + 1;
		i = unowned(p->next, i + 1);
	}
}

static int emit_line(struct plane *p, size_t n, uint8_t proto_lo, uint8_t proto_hi)
{
	struct entry *e = NULL;

	for (size_t i = 0; i + 1 < n; i++) {
		if (p->owner[i] == NOBODY) {
			e = NULL;
		} else if (e && e->rule == p->owner[i]) {
			e->port_hi = (uint16_t)(p->cuts[i + 1] - 1);
		} else {
			e = bh_vec_push(&p->pieces);
			if (!e)
				return p->pieces.n == p->pieces.max ? -E2BIG : -ENOMEM;
			*e = (struct entry) {
				.proto_lo = proto_lo,
				.proto_hi = proto_hi,
				.port_lo = (uint16_t)p->cuts[i],
				.port_hi = (uint16_t)(p->cuts[i + 1] - 1),
				.rule = p->owner[i],
			};
		}
	}
	return 0;
}

static int paint_line(struct plane *p, uint8_t proto_lo, uint8_t proto_hi)
{
	const struct ranked *s = p->specs.data;
	size_t n = 0;

	for (size_t i = 0; i < p->specs.n; i++) {
		if (s[i].spec.proto_lo > proto_lo || s[i].spec.proto_hi < proto_hi)
			continue;
		p->cuts[n++] = s[i].spec.port_lo;
		p->cuts[n++] = s[i].spec.port_hi + 1u;
	}
	if (!n)
		return 0;
	n = sort_unique(p->cuts, n);
	for (uint32_t i = 0; i < n; i++) {
		p->owner[i] = NOBODY;
		p->next[i] = i;
	}
	for (size_t i = 0; i < p->specs.n; i++) {
		if (s[i].spec.proto_lo <= proto_lo && s[i].spec.proto_hi >= proto_hi)
			paint(p, n, &s[i]);
	}
	return emit_line(p, n, proto_lo, proto_hi);
}

/* --- one plane of protocols x ports ---------------------------------------------------------- */

/* Two neighbouring protocol intervals that both say "every port, by the same rule" are one. */
static void join_protocols(struct bh_vec *pieces, size_t before, size_t middle)
{
	struct entry *e = pieces->data;
	struct entry *a = e + before, *b = e + middle;

	if (middle - before != 1 || pieces->n - middle != 1)
		return;
	if (a->proto_hi + 1 != b->proto_lo || a->rule != b->rule || a->port_lo != b->port_lo ||
	    a->port_hi != b->port_hi || a->port_lo != 0 || a->port_hi != UINT16_MAX)
		return;
	a->proto_hi = b->proto_hi;
	pieces->n--;
}

static int cut_plane(struct plane *p)
{
	const struct ranked *s = p->specs.data;
	bool is_cut[257] = { false };
	size_t before = 0;
	int r = plane_reserve(p, 2 * p->specs.n + 1);

	p->pieces.n = 0;
	for (size_t i = 0; i < p->specs.n; i++)
		is_cut[s[i].spec.proto_lo] = is_cut[s[i].spec.proto_hi + 1] = true;
	is_cut[256] = true;
	for (unsigned lo = 0, hi; r >= 0 && lo < 256; lo = hi + 1) {
		size_t middle = p->pieces.n;

		for (hi = lo; !is_cut[hi + 1]; hi++)
			;
		r = paint_line(p, (uint8_t)lo, (uint8_t)hi);
		if (r >= 0 && p->pieces.n > middle) {
			join_protocols(&p->pieces, before, middle);
			before = p->pieces.n > middle ? middle : before;
		}
	}
	return r;
}

static bool fits_family(const struct box_spec *s, uint8_t family)
{
	if (s->proto_lo != s->proto_hi)
		return true;
	return s->proto_lo != (family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* The pieces of the boxes that lie on this interval; remembered, because neighbours are alike. */
static int plane_of_active(struct plane *p, uint8_t family)
{
	const struct box *const *active = p->active.data, *const *last = p->last_active.data;
	bool same = p->active.n == p->last_active.n;

	for (size_t i = 0; same && i < p->active.n; i++)
		same = active[i]->specs == last[i]->specs && active[i]->rank == last[i]->rank &&
		       last[i]->addr.lo.family == family;
	if (same)
		return 0;
	p->specs.n = p->last_active.n = 0;
	for (size_t i = 0; i < p->active.n; i++) {
		const struct box **slot = bh_vec_push(&p->last_active);

		if (!slot)
			return -ENOMEM;
		*slot = active[i];
		for (size_t k = 0; k < active[i]->n_specs; k++) {
			struct ranked *s;

			if (!fits_family(&active[i]->specs[k], family))
				continue;
			s = bh_vec_push(&p->specs);
			if (!s)
				return p->specs.n == p->specs.max ? -E2BIG : -ENOMEM;
			*s = (struct ranked) { active[i]->specs[k], active[i]->rank };
		}
	}
	return cut_plane(p);
}

/* --- the addresses --------------------------------------------------------------------------- */

static int box_cmp(const void *a, const void *b)
{
	const struct box *x = a, *y = b;
	int r = bh_addr_cmp(&x->addr.lo, &y->addr.lo);

	return r ? r : (x->rank > y->rank) - (x->rank < y->rank);
}

static int activate(struct bh_vec *active, const struct box *box)
{
	const struct box **v;
	size_t i;

	if (!bh_vec_push(active))
		return active->n == active->max ? -E2BIG : -ENOMEM;
	v = active->data;
	for (i = active->n - 1; i && v[i - 1]->rank > box->rank; i--)
		v[i] = v[i - 1];
	v[i] = box;
	return 0;
}

static void retire(struct bh_vec *active, const struct bh_addr *hi)
{
	const struct box **v = active->data;
	size_t out = 0;

	for (size_t i = 0; i < active->n; i++) {
		if (bh_addr_cmp(&v[i]->addr.hi, hi) != 0)
			v[out++] = v[i];
	}
	active->n = out;
}

/* Where the interval that begins at LO ends: where a box ends, or before the next one begins. */
static struct bh_addr interval_end(const struct bh_vec *active, const struct box *next)
{
	const struct box *const *v = active->data;
	struct bh_addr hi = v[0]->addr.hi;

	for (size_t i = 1; i < active->n; i++) {
		if (bh_addr_cmp(&v[i]->addr.hi, &hi) < 0)
			hi = v[i]->addr.hi;
	}
	if (next && bh_addr_cmp(&next->addr.lo, &hi) <= 0) {
		hi = next->addr.lo;
		bh_addr_prev(&hi);
	}
	return hi;
}

static bool same_pieces(const struct entry *a, const struct entry *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i].proto_lo != b[i].proto_lo || a[i].proto_hi != b[i].proto_hi ||
		    a[i].port_lo != b[i].port_lo || a[i].port_hi != b[i].port_hi ||
		    a[i].rule != b[i].rule)
			return false;
	}
	return true;
}

/* Add the pieces on ADDR, or widen the ones before (from *BEFORE on) when they say the same. */
static int emit_interval(const struct plane *p, const struct bh_range *addr, size_t *before,
			 struct bh_vec *out)
{
	const struct entry *pieces = p->pieces.data;
	struct entry *e = out->data;
	size_t n = p->pieces.n, start = out->n;

	if (!n)
		return 0;
	if (*before < start && start - *before == n && same_pieces(e + *before, pieces, n)) {
		struct bh_addr behind = e[*before].addr.hi;

		if (bh_addr_next(&behind) && bh_addr_cmp(&behind, &addr->lo) == 0) {
			for (size_t i = *before; i < start; i++)
				e[i].addr.hi = addr->hi;
			return 0;
		}
	}
	for (size_t i = 0; i < n; i++) {
		e = bh_vec_push(out);
		if (!e)
			return out->n == out->max ? -E2BIG : -ENOMEM;
		*e = pieces[i];
		e->addr = *addr;
	}
	*before = start;
	return 0;
}

static int sweep(struct plane *p, const struct box *boxes, size_t n, struct bh_vec *out)
{
	size_t next = 0, before = out->n;
	struct bh_range at = { 0 };
	int r = 0;

	while (r >= 0 && (next < n || p->active.n)) {
		if (!p->active.n)
			at.lo = boxes[next].addr.lo;
		while (r >= 0 && next < n && bh_addr_cmp(&boxes[next].addr.lo, &at.lo) == 0)
			r = activate(&p->active, &boxes[next++]);
		if (r < 0)
			break;
		at.hi = interval_end(&p->active, next < n ? &boxes[next] : NULL);
		r = plane_of_active(p, at.lo.family);
		if (r >= 0)
			r = emit_interval(p, &at, &before, out);
		retire(&p->active, &at.hi);
		at.lo = at.hi;
		bh_addr_next(&at.lo);
	}
	return r;
}

int boxes_normalise(struct box *boxes, size_t n, struct bh_vec *out)
{
	struct plane p = { 0 };
	int r;

	bh_vec_init(&p.specs, sizeof(struct ranked), BH_RULESET_ENTRIES_MAX);
	bh_vec_init(&p.pieces, sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	bh_vec_init(&p.active, sizeof(struct box *), BH_RULESET_ENTRIES_MAX);
	bh_vec_init(&p.last_active, sizeof(struct box *), BH_RULESET_ENTRIES_MAX);
	if (n)
		qsort(boxes, n, sizeof(*boxes), box_cmp);
	r = sweep(&p, boxes, n, out);
	bh_vec_done(&p.specs);
	bh_vec_done(&p.pieces);
	bh_vec_done(&p.active);
	bh_vec_done(&p.last_active);
	free(p.cuts);
	return r;
}
