/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "assembly.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* --- ports of a rule, by where they end up ---------------------------------------------------- */

/* The specs of one rule as boxes: for peers that are ranges, and for single addresses. */
struct specs {
	struct box_spec *wide, *narrow;           /* all but ICMP; of these, what no hash holds */
	struct box_spec *icmp_wide, *icmp_narrow; /* the same for ICMP, reply types included */
	size_t n_wide, n_narrow, n_icmp_wide, n_icmp_narrow;
};

static bool is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void add_icmp_spec(struct specs *s, const struct port_spec *p)
{
	struct box_spec spec = { (uint8_t)p->proto, (uint8_t)p->proto, p->lo, p->hi };
	uint8_t reply;

	s->icmp_wide[s->n_icmp_wide++] = spec;
	if (p->lo != p->hi) {
		s->icmp_narrow[s->n_icmp_narrow++] = spec;
	} else if (icmp_reply_type(p->proto, (uint8_t)p->lo, &reply)) {
		spec.port_lo = spec.port_hi = reply;
		s->icmp_wide[s->n_icmp_wide++] = spec;
	}
}

static int specs_make(struct bh_arena *scratch, const struct piece *p, struct specs *s)
{
	size_t cap = 2 * p->n_ports + 1;
	struct box_spec *v = bh_arena_array(scratch, 4 * cap, sizeof(*v));

	if (!v)
		return -ENOMEM;
	*s = (struct specs) { v, v + cap, v + 2 * cap, v + 3 * cap };
	for (size_t i = 0; i < p->n_ports; i++) {
		const struct port_spec *x = &p->ports[i];
		uint8_t proto = (uint8_t)x->proto;

		if (is_icmp(x->proto)) {
			add_icmp_spec(s, x);
		} else if (x->proto == PROTO_ANY) {
			s->wide[s->n_wide++] = (struct box_spec) { 0, 255, 0, UINT16_MAX };
		} else {
			s->wide[s->n_wide] = (struct box_spec) { proto, proto, x->lo, x->hi };
			if (x->lo != x->hi)
				s->narrow[s->n_narrow++] = s->wide[s->n_wide];
			s->n_wide++;
		}
	}
	return 0;
}

/* --- entries --------------------------------------------------------------------------------- */

static int add_hashed(struct assembly *a, enum entry_kind kind, const struct bh_addr *addr,
		      uint8_t proto_lo, uint8_t proto_hi, uint16_t port_lo, uint16_t port_hi,
		      uint32_t rank)
{
	struct entry *e = bh_vec_push(&a->hashed[kind]);

	if (!e)
		return a->hashed[kind].n == a->hashed[kind].max ? -E2BIG : -ENOMEM;
	*e = (struct entry) { .addr = { *addr, *addr },
			      .proto_lo = proto_lo,
			      .proto_hi = proto_hi,
			      .port_lo = port_lo,
			      .port_hi = port_hi,
			      .rule = rank };
	return 0;
}

static int add_icmp(struct assembly *a, const struct bh_addr *addr, const struct port_spec *p,
		    uint32_t rank)
{
	uint8_t proto = (uint8_t)p->proto, reply;
	int r;

	if ((addr->family == AF_INET) != (p->proto == IPPROTO_ICMP))
		return 0;
	r = add_hashed(a, ENTRY_ICMP, addr, proto, proto, p->lo, p->lo, rank);
	if (r >= 0 && icmp_reply_type(p->proto, (uint8_t)p->lo, &reply))
		r = add_hashed(a, ENTRY_ICMP, addr, proto, proto, reply, reply, rank);
	return r;
}

static int add_single(struct assembly *a, const struct bh_addr *addr, const struct port_spec *p,
		      uint32_t rank)
{
	uint8_t proto = (uint8_t)p->proto;

	if (p->proto == PROTO_ANY)
		return add_hashed(a, ENTRY_HOST, addr, 0, 255, 0, UINT16_MAX, rank);
	if (p->lo != p->hi)
		return 0; /* an interval: with the boxes */
	if (is_icmp(p->proto))
		return add_icmp(a, addr, p, rank);
	return add_hashed(a, ENTRY_EXACT, addr, proto, proto, p->lo, p->lo, rank);
}

static int add_box(struct assembly *a, enum entry_kind kind, const struct bh_range *addr,
		   const struct box_spec *specs, size_t n, uint32_t rank)
{
	struct box *b;

	if (!n)
		return 0;
	b = bh_vec_push(&a->boxes[kind]);
	if (!b)
		return a->boxes[kind].n == a->boxes[kind].max ? -E2BIG : -ENOMEM;
	*b = (struct box) { *addr, specs, n, rank };
	return 0;
}

static struct bh_range whole_family(uint8_t family)
{
	struct bh_range r = { .lo.family = family, .hi.family = family };

	memset(r.hi.b, 0xff, bh_addr_len(family));
	return r;
}

static int add_world(struct assembly *a, const struct specs *s, uint32_t rank)
{
	const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(families); i++) {
		struct bh_range all = whole_family(families[i]);

		r = add_box(a, ENTRY_WORLD, &all, s->wide, s->n_wide, rank);
		if (r >= 0)
			r = add_box(a, ENTRY_WORLD_ICMP, &all, s->icmp_wide, s->n_icmp_wide, rank);
	}
	return r;
}

int assembly_add_hashed(struct assembly *a, const struct piece *p, uint32_t rank)
{
	const struct addr_list *l = &p->target.singles;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++)
		for (size_t k = 0; r >= 0 && k < p->n_ports; k++)
			r = add_single(a, &l->a[i], &p->ports[k], rank);
	return r;
}

int assembly_add_boxes(struct assembly *a, const struct piece *p, uint32_t rank)
{
	const struct target *t = &p->target;
	struct specs s;
	int r = specs_make(a->scratch, p, &s);

	for (size_t i = 0; r >= 0 && (s.n_narrow || s.n_icmp_narrow) && i < t->singles.n; i++) {
		struct bh_range one = { t->singles.a[i], t->singles.a[i] };

		r = add_box(a, ENTRY_RANGE, &one, s.narrow, s.n_narrow, rank);
		if (r >= 0)
			r = add_box(a, ENTRY_ICMP_RANGE, &one, s.icmp_narrow, s.n_icmp_narrow,
				    rank);
	}
	for (size_t i = 0; r >= 0 && i < t->n_ranges; i++) {
		r = add_box(a, ENTRY_RANGE, &t->ranges[i], s.wide, s.n_wide, rank);
		if (r >= 0)
			r = add_box(a, ENTRY_ICMP_RANGE, &t->ranges[i], s.icmp_wide, s.n_icmp_wide,
				    rank);
	}
	return r >= 0 && t->world ? add_world(a, &s, rank) : r;
}

static int entry_cmp_rank(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = entry_cmp(x, y);

	return r ? r : (x->rule > y->rule) - (x->rule < y->rule);
}

/* What comes of one rule, or of a sweep, is mostly in order already. */
static void sort_entries(struct entry *e, size_t n)
{
	size_t i = 1;

	while (i < n && entry_cmp_rank(&e[i - 1], &e[i]) <= 0)
		i++;
	if (i < n)
		qsort(e, n, sizeof(*e), entry_cmp_rank);
}

/* Sort by key and keep of each key the one whose rule comes first. */
size_t assembly_keep_owners(struct entry *e, size_t n)
{
	size_t out = 0;

	sort_entries(e, n);
	for (size_t i = 0; i < n; i++) {
		if (!out || entry_cmp(&e[out - 1], &e[i]) != 0)
			e[out++] = e[i];
	}
	return out;
}

/* Hand the entries to the ruleset, with the rule's place and expiry instead of its rank. */
int assembly_deliver(struct bh_arena *arena, const struct bh_vec *v, size_t n,
		     const struct ranking *by_rank, struct entry_list *ret)
{
	struct entry *e;

	if (!n)
		return 0;
	e = bh_arena_memdup(arena, v->data, n * sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct ranking *owner = &by_rank[e[i].rule];

		e[i].rule = owner->final;
		e[i].expires = owner->piece->expires;
	}
	*ret = (struct entry_list) { e, n };
	return 0;
}

int assembly_deliver_boxes(struct assembly *a, enum entry_kind kind, const struct ranking *by_rank,
			   struct entry_list *ret)
{
	struct bh_vec out;
	int r;

	bh_vec_init(&out, sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	r = boxes_normalise(a->boxes[kind].data, a->boxes[kind].n, &out);
	if (r >= 0)
		sort_entries(out.data, out.n);
	if (r >= 0)
		r = assembly_deliver(a->arena, &out, out.n, by_rank, ret);
	bh_vec_done(&out);
	return r;
}

static int assemble_direction(struct assembly *a, const struct ranking *by_rank, size_t n,
			      struct entry_list *ret)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		if (by_rank[i].piece->is_guard)
			continue;
		r = assembly_add_hashed(a, by_rank[i].piece, (uint32_t)i);
		if (r >= 0)
			r = assembly_add_boxes(a, by_rank[i].piece, (uint32_t)i);
	}
	for (int k = 0; r >= 0 && k < ENTRY_RANGE; k++)
		r = assembly_deliver(a->arena, &a->hashed[k],
				     assembly_keep_owners(a->hashed[k].data, a->hashed[k].n),
				     by_rank, &ret[k]);
	for (int k = ENTRY_RANGE; r >= 0 && k < ENTRY_KINDS; k++)
		r = assembly_deliver_boxes(a, (enum entry_kind)k, by_rank, &ret[k]);
	return r;
}

void assembly_init(struct assembly *a)
{
	for (int k = 0; k < ENTRY_RANGE; k++)
		bh_vec_init(&a->hashed[k], sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	for (int k = ENTRY_RANGE; k < ENTRY_KINDS; k++)
		bh_vec_init(&a->boxes[k], sizeof(struct box), BH_RULESET_ENTRIES_MAX);
}

void assembly_done(struct assembly *a)
{
	for (int k = 0; k < ENTRY_RANGE; k++)
		bh_vec_done(&a->hashed[k]);
	for (int k = ENTRY_RANGE; k < ENTRY_KINDS; k++)
		bh_vec_done(&a->boxes[k]);
}

/* --- rules ----------------------------------------------------------------------------------- */

static int name_cmp(const void *a, const void *b)
{
	const struct ranking *x = a, *y = b;

	int r = strcmp(x->piece->name, y->piece->name);

	return r ? r : (int)x->piece->is_more - (int)y->piece->is_more;
}

/* Egress before ingress; then who owns what several cover. */
int ranking_cmp_precedence(const void *a, const void *b)
{
	const struct ranking *x = a, *y = b;

	if (x->piece->direction != y->piece->direction)
		return (int)x->piece->direction - (int)y->piece->direction;
	if (x->piece->expires != y->piece->expires) {
		if (!x->piece->expires || !y->piece->expires)
			return x->piece->expires ? 1 : -1;
		return x->piece->expires > y->piece->expires ? -1 : 1;
	}
	return (x->order > y->order) - (x->order < y->order);
}

void ranking_find_places(struct ranking *v, size_t n)
{
	uint32_t rules = 0;

	qsort(v, n, sizeof(*v), name_cmp);
	for (size_t i = 0; i < n; i++) {
		rules += !v[i].piece->is_more;
		v[i].final = rules - 1;
	}
}

static int list_rules(struct bh_arena *arena, struct ranking *v, size_t n, struct ruleset *ret,
		      struct bh_err *err)
{
	struct ruleset_rule *rules = bh_arena_array(arena, n + 1, sizeof(*rules));
	size_t count = 0;

	if (!rules)
		return bh_err_oom(err);
	ranking_find_places(v, n);
	for (size_t i = 0; i < n; i++) {
		const struct piece *p = v[i].piece;

		if (p->is_more)
			continue;
		if (count && strcmp(rules[count - 1].name, p->name) == 0)
			return bh_err_set(err, -EEXIST,
					  "two rules come to the same name %s (%s and %s); name "
					  "one of them differently",
					  p->name, rules[count - 1].where, p->where);
		rules[count++] = (struct ruleset_rule) { p->name, p->where, p->direction };
	}
	ret->rules = rules;
	ret->n_rules = count;
	return 0;
}

int assembly_error(int r, struct bh_err *err)
{
	if (r == -E2BIG)
		return bh_err_set(err, r,
				  "the rules come to more than %d flows; name prefixes or port "
				  "ranges instead of many single ones",
				  BH_RULESET_ENTRIES_MAX);
	return r < 0 ? bh_err_oom(err) : 0;
}

static int assemble_entries(struct bh_arena *arena, const struct ranking *by_rank, size_t n,
			    struct ruleset *ret, struct bh_err *err)
{
	struct bh_arena *scratch = bh_arena_new();
	size_t first = 0;
	int r = scratch ? 0 : -ENOMEM;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++) {
		struct assembly a = { .arena = arena, .scratch = scratch };
		size_t end = first;

		while (end < n && by_rank[end].piece->direction == (enum direction)d)
			end++;
		assembly_init(&a);
		r = assemble_direction(&a, by_rank + first, end - first, ret->entries[d]);
		assembly_done(&a);
		first = end;
	}
	bh_arena_free(scratch);
	return assembly_error(r, err);
}

int assemble(struct bh_arena *arena, const struct piece *pieces, size_t n, struct ruleset *ret,
	     struct bh_err *err)
{
	bh_autofree struct ranking *v = NULL;
	int r;

	if (n > BH_RULESET_RULES_MAX)
		return bh_err_set(err, -E2BIG,
				  "%zu rules meet in one container, at most %d may; join rules "
				  "or let fewer services select it",
				  n, BH_RULESET_RULES_MAX);
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		return bh_err_oom(err);
	for (size_t i = 0; i < n; i++)
		v[i] = (struct ranking) { &pieces[i], (uint32_t)i, 0 };
	r = list_rules(arena, v, n, ret, err);
	if (r < 0)
		return r;
	qsort(v, n, sizeof(*v), ranking_cmp_precedence);
	return assemble_entries(arena, v, n, ret, err);
}
