/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/flows.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flowmap.h"
#include "byname.h"

const char *flow_change_word(enum flow_change_kind kind)
{
	static const char *const words[] = {
		[FLOW_OPENS] = "opens",
		[FLOW_CLOSES] = "closes",
		[FLOW_ENDS] = "ends otherwise",
		[FLOW_HALF_OPENS] = "one end opens",
		[FLOW_HALF_CLOSES] = "one end closes",
	};

	return words[kind];
}

/* A change being put together. Numbers of parties; OUTSIDE where it is somebody outside. */
#define OUTSIDE UINT32_MAX

struct draft {
	struct flow_change c; /* without texts */
	uint32_t source, destination;
	struct pieces ports;
	struct bh_rangeset ranges; /* of who is outside */
};

struct differ {
	struct cast cast;
	struct flowmap maps[2]; /* before, after */
	struct bh_vec drafts;   /* struct draft, of the pair that is looked at */
	struct bh_vec flows;    /* struct flow_change */
	struct bh_vec pairs;    /* of each of these, struct pair */
	struct bh_arena *arena;
	/* the pair */
	uint32_t source, destination;
	struct bh_range range;
};

struct pair {
	uint32_t source, destination;
};

/* --- one pair --------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_key(const struct flow_change *a, const struct flow_change *b)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (!same_text(a->before[d], b->before[d]) || !same_text(a->after[d], b->after[d]))
			return false;
	return a->kind == b->kind && a->ends_before == b->ends_before &&
	       a->ends_after == b->ends_after;
}

/* Of somebody outside each stretch of ports has its own addresses; they are joined later. */
static struct draft *find_draft(struct differ *x, const struct flow_change *c, uint32_t lo,
				uint32_t hi)
{
	struct draft *d = x->drafts.data;
	bool outside = x->source == OUTSIDE || x->destination == OUTSIDE;

	for (size_t i = x->drafts.n; i-- > 0;)
		if (same_key(&d[i].c, c) &&
		    (!outside || (d[i].ports.p[0].lo == lo && d[i].ports.p[0].hi == hi)))
			return &d[i];
	d = bh_vec_push(&x->drafts);
	if (d) {
		d->c = *c;
		d->source = x->source;
		d->destination = x->destination;
		bh_rangeset_init(&d->ranges);
	}
	return d;
}

static int add(struct differ *x, enum flow_change_kind kind, uint32_t lo, uint32_t hi,
	       const struct piece_of_ports *before, const struct piece_of_ports *after)
{
	struct flow_change c = { .kind = kind };
	struct draft *d;
	int r;

	for (unsigned k = 0; k < DIRECTIONS; k++) {
		c.before[k] = before ? before->places[k] : NULL;
		c.after[k] = after ? after->places[k] : NULL;
	}
	c.ends_before = before ? before->expires : 0;
	c.ends_after = after ? after->expires : 0;
	d = find_draft(x, &c, lo, hi);
	if (!d)
		return x->drafts.n == x->drafts.max ? -E2BIG : -ENOMEM;
	r = pieces_add(&d->ports, &(struct piece_of_ports) { lo, hi });
	if (r >= 0 && x->range.lo.family)
		r = bh_rangeset_add(&d->ranges, &x->range);
	return r;
}

static int changed(uint32_t lo, uint32_t hi, const struct piece_of_ports *before,
		   const struct piece_of_ports *after, void *arg)
{
	if (!before || !after)
		return add(arg, after ? FLOW_OPENS : FLOW_CLOSES, lo, hi, before, after);
	return before->expires == after->expires ? 0 : add(arg, FLOW_ENDS, lo, hi, before, after);
}

static int half_changed(uint32_t lo, uint32_t hi, const struct piece_of_ports *before,
			const struct piece_of_ports *after, void *arg)
{
	if (before && after)
		return 0;
	return add(arg, after ? FLOW_HALF_OPENS : FLOW_HALF_CLOSES, lo, hi, before, after);
}

/* What one end alone allows. */
static int half(const struct flowmap *m, enum direction d, const struct differ *x,
		const struct pieces *both_before, const struct pieces *both_after,
		struct pieces *ret)
{
	int r = flowmap_half(m, d, x->source, x->destination, ret);

	for (size_t i = 0; r >= 0 && i < both_before->n; i++)
		r = pieces_cut(ret, both_before->p[i].lo, both_before->p[i].hi);
	for (size_t i = 0; r >= 0 && i < both_after->n; i++)
		r = pieces_cut(ret, both_after->p[i].lo, both_after->p[i].hi);
	return r;
}

static int compare_halves(struct differ *x, const struct pieces both[2])
{
	int r = 0;

	for (unsigned d = 0; r >= 0 && d < DIRECTIONS; d++) {
		struct pieces one[2] = { 0 };

		for (unsigned i = 0; r >= 0 && i < 2; i++)
			r = half(&x->maps[i], (enum direction)d, x, &both[0], &both[1], &one[i]);
		if (r >= 0)
			r = pieces_walk(&one[0], &one[1], half_changed, x);
		pieces_done(&one[0]);
		pieces_done(&one[1]);
	}
	return r;
}

static int finish_pair(struct differ *x);

static int compare_pair(struct differ *x, uint32_t source, uint32_t destination)
{
	struct pieces both[2] = { 0 };
	int r = 0;

	x->source = source;
	x->destination = destination;
	x->range = (struct bh_range) { 0 };
	for (unsigned i = 0; r >= 0 && i < 2; i++)
		r = flowmap_both(&x->maps[i], source, destination, &both[i]);
	if (r >= 0)
		r = pieces_walk(&both[0], &both[1], changed, x);
	if (r >= 0)
		r = compare_halves(x, both);
	if (r >= 0)
		r = finish_pair(x);
	pieces_done(&both[0]);
	pieces_done(&both[1]);
	return r;
}

/* --- texts ------------------------------------------------------------------------------------ */

static const char *keep_text(struct differ *x, struct bh_buf *b)
{
	const char *s = bh_buf_error(b) ? NULL : bh_arena_strdup(x->arena, bh_buf_str(b));

	bh_buf_reset(b);
	return s;
}

static const char *party_text(struct differ *x, uint32_t number, const struct draft *d,
			      struct bh_buf *b)
{
	if (number != OUTSIDE)
		bh_buf_addstr(b, cast_party(&x->cast, number)->name);
	else
		flowmap_name_ranges(&x->maps[x->maps[1].world.n > x->maps[0].world.n], &d->ranges,
				    b);
	return keep_text(x, b);
}

static struct bh_addr remote_of(const struct differ *x, const struct draft *d, uint32_t number)
{
	if (number == OUTSIDE)
		return d->ranges.r[0].lo;
	return standin_addr(&x->cast.block, number, AF_INET);
}

/* The end that says no, when what is allowed at one time is not at the other. */
static const char *refusal(const struct differ *x, const struct draft *d)
{
	bool closes = d->c.kind == FLOW_CLOSES || d->c.kind == FLOW_HALF_OPENS;
	const struct flowmap *m = &x->maps[closes];
	struct bh_addr to = remote_of(x, d, d->destination), from = remote_of(x, d, d->source);
	uint32_t port = d->ports.p[0].lo;
	const char *where = NULL;

	if (d->c.kind == FLOW_ENDS)
		return NULL;
	if (d->source != OUTSIDE)
		where = flowmap_refusal(m, DIRECTION_EGRESS, d->source, &to, port);
	if (!where && d->destination != OUTSIDE)
		where = flowmap_refusal(m, DIRECTION_INGRESS, d->destination, &from, port);
	return where;
}

static bool said_already(const struct differ *x, uint32_t source, uint32_t destination,
			 const struct flow_change *c)
{
	const struct flow_change *flows = x->flows.data;
	const struct pair *pairs = x->pairs.data;

	for (size_t i = x->flows.n; i-- > 0;) {
		if (pairs[i].source == source && pairs[i].destination == destination &&
		    same_key(&flows[i], c) && strcmp(flows[i].ports, c->ports) == 0)
			return true;
		if (source != OUTSIDE && pairs[i].source < source && pairs[i].source != OUTSIDE)
			return false;
	}
	return false;
}

static uint32_t base_of(const struct cast *c, uint32_t number)
{
	if (number == OUTSIDE || number >= c->n)
		return number;
	return c->parties[number].kind == PARTY_LABELLED ? c->parties[number].base : number;
}

/* Labels that change nothing are not named. */
static bool is_repeated(const struct differ *x, const struct draft *d, const struct flow_change *c)
{
	uint32_t a = d->source, b = d->destination;
	uint32_t base_a = base_of(&x->cast, a), base_b = base_of(&x->cast, b);
	uint32_t other = base_a == base_b && a != OUTSIDE ? base_b + 1 : base_b;

	if (base_a == a && base_b == b)
		return false;
	return said_already(x, base_a, other, c) || said_already(x, base_a, b, c) ||
	       said_already(x, a, base_b, c);
}

static int say(struct differ *x, struct draft *d)
{
	struct flow_change *slot;
	struct pair *pair;
	struct bh_buf b;

	bh_buf_init(&b, 1 << 24);
	pieces_join(&d->ports);
	d->c.source = party_text(x, d->source, d, &b);
	d->c.destination = party_text(x, d->destination, d, &b);
	pieces_format(&d->ports, &b);
	d->c.ports = keep_text(x, &b);
	d->c.refused = refusal(x, d);
	bh_buf_done(&b);
	if (!d->c.source || !d->c.destination || !d->c.ports)
		return -ENOMEM;
	if (is_repeated(x, d, &d->c))
		return 0;
	slot = bh_vec_push(&x->flows);
	pair = slot ? bh_vec_push(&x->pairs) : NULL;
	if (!pair)
		return x->flows.n == x->flows.max ? -E2BIG : -ENOMEM;
	*slot = d->c;
	*pair = (struct pair) { d->source, d->destination };
	return 0;
}

static bool same_ranges(const struct bh_rangeset *a, const struct bh_rangeset *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (bh_addr_cmp(&a->r[i].lo, &b->r[i].lo) != 0 ||
		    bh_addr_cmp(&a->r[i].hi, &b->r[i].hi) != 0)
			return false;
	return true;
}

/* Ports that are for the same addresses, by the same rules, are one line. */
static int join_drafts(struct differ *x)
{
	struct draft *d = x->drafts.data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < x->drafts.n; i++)
		for (size_t k = i + 1; r >= 0 && d[i].ports.n && k < x->drafts.n; k++) {
			if (!d[k].ports.n || !same_key(&d[i].c, &d[k].c) ||
			    !same_ranges(&d[i].ranges, &d[k].ranges))
				continue;
			for (size_t p = 0; r >= 0 && p < d[k].ports.n; p++)
				r = pieces_add(&d[i].ports, &d[k].ports.p[p]);
			pieces_done(&d[k].ports);
		}
	return r;
}

static void drop_drafts(struct differ *x)
{
	struct draft *d = x->drafts.data;

	for (size_t i = 0; i < x->drafts.n; i++) {
		pieces_done(&d[i].ports);
		bh_rangeset_done(&d[i].ranges);
	}
	x->drafts.n = 0;
}

static int finish_pair(struct differ *x)
{
	struct draft *d = x->drafts.data;
	int r = join_drafts(x);

	for (size_t i = 0; r >= 0 && i < x->drafts.n; i++)
		if (d[i].ports.n)
			r = say(x, &d[i]);
	drop_drafts(x);
	return r;
}

/* --- all pairs -------------------------------------------------------------------------------- */

static int pair_cmp(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->destination > y->destination) - (x->destination < y->destination);
}

static int collect_pairs(const struct differ *x, struct bh_vec *ret)
{
	for (unsigned i = 0; i < 2; i++)
		for (unsigned d = 0; d < DIRECTIONS; d++) {
			const struct bh_vec *ends = &x->maps[i].ends[d];

			for (size_t k = 0; k < ends->n; k++) {
				const struct end_flow *f = &((struct end_flow *)ends->data)[k];
				struct pair *p = bh_vec_push(ret);

				if (!p)
					return -ENOMEM;
				*p = (struct pair) { f->source, f->destination };
			}
		}
	if (ret->n)
		qsort(ret->data, ret->n, sizeof(struct pair), pair_cmp);
	return 0;
}

static int compare_pairs(struct differ *x)
{
	const struct pair *p;
	struct bh_vec v;
	int r;

	bh_vec_init(&v, sizeof(struct pair), (size_t)4 * BH_FLOWMAP_ENDS_MAX);
	r = collect_pairs(x, &v);
	p = v.data;
	for (size_t i = 0; r >= 0 && i < v.n; i++)
		if ((!i || pair_cmp(&p[i - 1], &p[i]) != 0) &&
		    cast_party(&x->cast, p[i].source)->kind != PARTY_ANOTHER)
			r = compare_pair(x, p[i].source, p[i].destination);
	bh_vec_done(&v);
	return r;
}

/* --- outside ---------------------------------------------------------------------------------- */

/* Where a party's part of a list is. */
static const struct outside_flow *part_of(const struct bh_vec *v, size_t *at, uint32_t party,
					  size_t *ret_n)
{
	const struct outside_flow *f = v->data;
	size_t first = *at;

	while (*at < v->n && f[*at].party == party)
		++*at;
	*ret_n = *at - first;
	return f ? f + first : NULL;
}

static const struct pieces *holds(const struct outside_flow *f, size_t n, size_t *i,
				  const struct bh_addr *a)
{
	static const struct pieces none;

	while (*i < n && bh_addr_cmp(&f[*i].range.hi, a) < 0)
		++*i;
	return *i < n && bh_range_contains(&f[*i].range, a) ? &f[*i].pieces : &none;
}

static int bound_cmp(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

static int add_bounds(struct bh_vec *v, const struct outside_flow *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bh_addr *lo = bh_vec_push(v), *behind;
		struct bh_addr next = f[i].range.hi;

		if (!lo)
			return -ENOMEM;
		*lo = f[i].range.lo;
		behind = bh_addr_next(&next) ? bh_vec_push(v) : lo;
		if (!behind)
			return -ENOMEM;
		if (behind != lo)
			*behind = next;
	}
	return 0;
}

static struct bh_range stretch(const struct bh_addr *a, const struct bh_addr *next)
{
	struct bh_range r = { *a, *a };

	memset(r.hi.b, 0xff, bh_addr_len(a->family));
	if (next && next->family == a->family) {
		r.hi = *next;
		bh_addr_prev(&r.hi);
	}
	return r;
}

static int walk_outside(struct differ *x, const struct outside_flow *f[2], const size_t n[2])
{
	const struct bh_addr *bounds;
	size_t at[2] = { 0 };
	struct bh_vec v;
	int r = 0;

	bh_vec_init(&v, sizeof(struct bh_addr), 4 * BH_RANGES_MAX);
	for (unsigned i = 0; r >= 0 && i < 2; i++)
		r = add_bounds(&v, f[i], n[i]);
	bounds = v.data;
	if (v.n)
		qsort(v.data, v.n, sizeof(*bounds), bound_cmp);
	for (size_t i = 0; r >= 0 && i < v.n; i++) {
		const struct bh_addr *next = i + 1 < v.n ? &bounds[i + 1] : NULL;

		if (next && bh_addr_cmp(&bounds[i], next) == 0)
			continue;
		x->range = stretch(&bounds[i], next);
		r = pieces_walk(holds(f[0], n[0], &at[0], &bounds[i]),
				holds(f[1], n[1], &at[1], &bounds[i]), changed, x);
	}
	bh_vec_done(&v);
	return r;
}

static int compare_outside(struct differ *x, enum direction d)
{
	size_t at[2] = { 0 };
	int r = 0;

	for (uint32_t party = 0; r >= 0 && party < x->cast.n; party++) {
		const struct outside_flow *f[2];
		size_t n[2];

		for (unsigned i = 0; i < 2; i++)
			f[i] = part_of(&x->maps[i].outside[d], &at[i], party, &n[i]);
		x->source = d == DIRECTION_EGRESS ? party : OUTSIDE;
		x->destination = d == DIRECTION_EGRESS ? OUTSIDE : party;
		r = walk_outside(x, f, n);
		if (r >= 0)
			r = finish_pair(x);
	}
	return r;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int compare_all(struct differ *x)
{
	int r = compare_pairs(x);

	for (unsigned d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = compare_outside(x, (enum direction)d);
	return r;
}

static int make_maps(struct differ *x, const struct policy_set *const sets[2],
		     const struct host_config *host, int64_t now, struct bh_err *err)
{
	int r = cast_make(sets, 2, &x->cast, err);

	for (unsigned i = 0; r >= 0 && i < 2; i++)
		r = flowmap_make(&x->cast, sets[i], host, now, &x->maps[i], err);
	return r;
}

/* Texts of places are the rulesets', which do not stay. */
static int keep_places(struct bh_arena *arena, struct flow_change *flows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char **places[] = { &flows[i].before[0], &flows[i].before[1],
					  &flows[i].after[0], &flows[i].after[1],
					  &flows[i].refused };

		for (size_t k = 0; k < BH_ARRAY_SIZE(places); k++) {
			if (!*places[k])
				continue;
			*places[k] = bh_arena_strdup(arena, *places[k]);
			if (!*places[k])
				return -ENOMEM;
		}
	}
	return 0;
}

static int hand_over(struct differ *x, struct policy_diff *ret)
{
	ret->flows = bh_arena_memdup(x->arena, x->flows.data, x->flows.n * sizeof(*ret->flows));
	ret->n_flows = x->flows.n;
	ret->labels_left_out = x->cast.labels_left_out;
	if (x->flows.n && !ret->flows)
		return -ENOMEM;
	return keep_places(x->arena, (struct flow_change *)ret->flows, ret->n_flows);
}

int policy_diff(const struct policy_set *before, const struct policy_set *after,
		const struct host_config *host, int64_t now, struct policy_diff **ret,
		struct bh_err *err)
{
	const struct policy_set *const sets[2] = { before, after };
	struct differ x = { .arena = bh_arena_new() };
	struct policy_diff *d = x.arena ? bh_arena_alloc(x.arena, sizeof(*d)) : NULL;
	int r = d ? make_maps(&x, sets, host, now, err) : -ENOMEM;

	bh_vec_init(&x.drafts, sizeof(struct draft), BH_RANGES_MAX);
	bh_vec_init(&x.flows, sizeof(struct flow_change), BH_FLOWMAP_ENDS_MAX);
	bh_vec_init(&x.pairs, sizeof(struct pair), BH_FLOWMAP_ENDS_MAX);
	if (r >= 0)
		r = compare_all(&x);
	if (r >= 0)
		r = hand_over(&x, d);
	if (r >= 0)
		r = named_changes(before, after, x.maps, x.arena, &d->named, &d->n_named, err);
	drop_drafts(&x);
	bh_vec_done(&x.drafts);
	bh_vec_done(&x.flows);
	bh_vec_done(&x.pairs);
	flowmap_done(&x.maps[0]);
	flowmap_done(&x.maps[1]);
	cast_done(&x.cast);
	if (r >= 0) {
		d->arena = x.arena;
		*ret = d;
		return 0;
	}
	bh_arena_free(x.arena);
	if (r == -E2BIG && err && !err->msg[0])
		return bh_err_set(err, r, "they differ in more flows than can be listed");
	return r == -ENOMEM ? bh_err_oom(err) : r;
}

void policy_diff_free(struct policy_diff *d)
{
	if (d)
		bh_arena_free(d->arena); /* D itself lives in it */
}
