/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowmap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* --- what one ruleset says of one address ------------------------------------------------------ */

static struct piece_of_ports piece_of(const struct ruleset *r, const struct entry *e,
				      enum direction d)
{
	bool types = e->proto_lo == e->proto_hi &&
		     (e->proto_lo == IPPROTO_ICMP || e->proto_lo == IPPROTO_ICMPV6);
	uint16_t hi = types && e->port_hi == 255 && e->port_lo == 0 ? 65535 : e->port_hi;
	struct piece_of_ports p = {
		.lo = ((uint32_t)e->proto_lo << 16) + e->port_lo,
		.hi = ((uint32_t)e->proto_hi << 16) + hi,
		.expires = e->expires,
	};

	p.places[d] = r->rules[e->rule].where;
	p.names[d] = r->rules[e->rule].name;
	return p;
}

/* It is there for the request, which has an entry of its own. */
static bool is_reply(const struct entry *e)
{
	return e->proto_lo == e->proto_hi && e->port_lo == e->port_hi &&
	       (e->proto_lo == IPPROTO_ICMP || e->proto_lo == IPPROTO_ICMPV6) &&
	       icmp_is_reply(e->proto_lo, (uint8_t)e->port_lo);
}

static bool knows(const struct ruleset *r, const struct bh_addr *a)
{
	const struct bh_rangeset known = { (struct bh_range *)r->known, r->n_known, 0 };

	return bh_rangeset_contains(&known, a);
}

static int add_allowed(const struct ruleset *r, enum direction d, const struct bh_addr *a,
		       int64_t now, struct pieces *ret)
{
	bool world = !knows(r, a);
	int error = 0;

	for (int k = 0; k < ENTRY_KINDS; k++) {
		size_t n;
		const struct entry *e = entry_list_at(&r->entries[d][k], a, &n);

		if (!world && (k == ENTRY_WORLD || k == ENTRY_WORLD_ICMP))
			continue;
		for (size_t i = 0; error >= 0 && i < n; i++) {
			struct piece_of_ports p = piece_of(r, &e[i], d);

			if (!is_reply(&e[i]) && (!e[i].expires || e[i].expires > now))
				error = pieces_add(ret, &p);
		}
	}
	return error;
}

static int each_guard(const struct ruleset *r, enum direction d, const struct bh_addr *a, bool add,
		      struct pieces *ret)
{
	int error = 0;

	for (int k = 0; k < GUARD_KINDS; k++) {
		size_t n;
		const struct entry *e = entry_list_at(&r->guards[d][k], a, &n);

		for (size_t i = 0; error >= 0 && i < n; i++) {
			struct piece_of_ports p = piece_of(r, &e[i], d);

			p.places[d] = p.names[d] = NULL;
			error = add ? pieces_add(ret, &p) : pieces_cut(ret, p.lo, p.hi);
		}
	}
	return error;
}

/* GUARDED: what is denied by guardrails, instead of what is allowed. */
static int says_of(const struct ruleset *r, enum direction d, const struct bh_addr *a, int64_t now,
		   bool guarded, struct pieces *ret)
{
	int error = guarded ? 0 : add_allowed(r, d, a, now, ret);

	if (error >= 0 && (guarded || ret->n))
		error = each_guard(r, d, a, guarded, ret);
	pieces_join(ret);
	return error;
}

/* --- among the stand-ins ---------------------------------------------------------------------- */

static bool number_of(const struct standin_block *b, const struct bh_addr *a, uint32_t *ret)
{
	struct bh_addr first = standin_addr(b, 0, a->family), last;
	size_t len = bh_addr_len(a->family);
	uint32_t x = 0, y = 0;

	last = standin_addr(b, STANDINS_MAX - 1, a->family);
	if (bh_addr_cmp(a, &first) < 0 || bh_addr_cmp(a, &last) > 0)
		return false;
	for (size_t i = len - 4; i < len; i++) {
		x = x << 8 | a->b[i];
		y = y << 8 | first.b[i];
	}
	*ret = x - y;
	return true;
}

/* The numbers that lie in a range. */
static bool numbers_in(const struct standin_block *b, const struct bh_range *r, uint32_t *lo,
		       uint32_t *hi)
{
	struct bh_addr first = standin_addr(b, 0, r->lo.family);
	struct bh_addr last = standin_addr(b, STANDINS_MAX - 1, r->lo.family);

	if (bh_addr_cmp(&r->hi, &first) < 0 || bh_addr_cmp(&r->lo, &last) > 0)
		return false;
	if (!number_of(b, &r->lo, lo))
		*lo = 0;
	if (!number_of(b, &r->hi, hi))
		*hi = STANDINS_MAX - 1;
	return true;
}

static bool is_there(const struct flowmap *m, uint32_t number)
{
	return number >= STANDIN_HOST || (number < m->cast->n && m->there[number]);
}

/* Whom the entries of a direction may speak of, each once: a bit a party. */
static void mark(const struct flowmap *m, const struct ruleset *r, enum direction d, uint8_t *bits)
{
	for (int k = 0; k < ENTRY_KINDS; k++)
		for (size_t i = 0; i < r->entries[d][k].n; i++) {
			uint32_t lo, hi;

			if (!numbers_in(&m->cast->block, &r->entries[d][k].e[i].addr, &lo, &hi))
				continue;
			for (uint32_t x = lo; x <= hi && x < m->cast->n; x++)
				bits[x] = 1;
			for (uint32_t x = STANDIN_HOST; x <= hi; x++)
				bits[x] = bits[x] || x >= lo;
		}
}

/* The resolver is there for dns: allow alone, wherever it is. */
static int keep_dns(struct pieces *s)
{
	static const uint32_t ports[] = { (IPPROTO_TCP << 16) + 53, (IPPROTO_UDP << 16) + 53 };
	int r = pieces_cut(s, 0, ports[0] - 1);

	if (r >= 0)
		r = pieces_cut(s, ports[0] + 1, ports[1] - 1);
	return r < 0 ? r : pieces_cut(s, ports[1] + 1, PIECE_LAST);
}

static void end_done(struct end_flow *f)
{
	pieces_done(&f->pieces[0]);
	pieces_done(&f->pieces[1]);
}

/* Each family has its own ICMP. */
static int cut_other_icmp(struct pieces *s, uint8_t family)
{
	uint32_t proto = family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	return pieces_cut(s, proto << 16, (proto << 16) + 65535);
}

static int ask_end(const struct flowmap *m, enum direction d, uint32_t self, uint32_t other,
		   struct end_flow *f)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(families); i++) {
		struct bh_addr a = standin_addr(&m->cast->block, other, families[i]);
		struct pieces *p = &f->pieces[i];

		r = says_of(m->ruleset_of[self], d, &a, m->now, false, p);
		if (r >= 0 && p->n)
			r = cut_other_icmp(p, families[i]);
		if (r >= 0 && other == STANDIN_RESOLVER)
			r = d == DIRECTION_EGRESS ? keep_dns(p) : pieces_cut(p, 0, PIECE_LAST);
	}
	return r;
}

static int add_end(struct flowmap *m, enum direction d, uint32_t self, uint32_t other)
{
	struct end_flow f = {
		d == DIRECTION_EGRESS ? self : other,
		d == DIRECTION_EGRESS ? other : self,
	}, *slot;
	int r = ask_end(m, d, self, other, &f);

	if (r >= 0 && (f.pieces[0].n || f.pieces[1].n)) {
		slot = bh_vec_push(&m->ends[d]);
		if (slot) {
			*slot = f;
			return 0;
		}
		r = m->ends[d].n == m->ends[d].max ? -E2BIG : -ENOMEM;
	}
	end_done(&f);
	return r;
}

/* A second container of a service is there for the first one alone. */
static bool worth_asking(const struct flowmap *m, uint32_t self, uint32_t other)
{
	const struct party *a = cast_party(m->cast, self), *b = cast_party(m->cast, other);

	if (self == other || !is_there(m, other))
		return false;
	if (a->kind != PARTY_ANOTHER && b->kind != PARTY_ANOTHER)
		return true;
	return a->base == b->base && (a->kind == PARTY_SERVICE || b->kind == PARTY_SERVICE);
}

static int add_ends(struct flowmap *m, enum direction d, uint32_t self)
{
	bh_autofree uint8_t *bits = calloc(STANDINS_MAX, 1);
	int r = bits ? 0 : -ENOMEM;

	if (bits)
		mark(m, m->ruleset_of[self], d, bits);
	for (uint32_t x = 0; r >= 0 && x < STANDINS_MAX; x++)
		if (bits[x] && worth_asking(m, self, x))
			r = add_end(m, d, self, x);
	return r;
}

static int end_cmp(const void *a, const void *b)
{
	const struct end_flow *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return (x->destination > y->destination) - (x->destination < y->destination);
}

const struct end_flow *flowmap_find(const struct flowmap *m, enum direction d, uint32_t source,
				    uint32_t destination)
{
	const struct end_flow key = { source, destination };

	return m->ends[d].n ? bsearch(&key, m->ends[d].data, m->ends[d].n, sizeof(key), end_cmp)
			    : NULL;
}

static int add_all(const struct pieces *from, struct pieces *ret)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < from->n; i++)
		r = pieces_add(ret, &from->p[i]);
	return r;
}

int flowmap_half(const struct flowmap *m, enum direction d, uint32_t source, uint32_t destination,
		 struct pieces *ret)
{
	const struct end_flow *f = flowmap_find(m, d, source, destination);
	int r = f ? add_all(&f->pieces[0], ret) : 0;

	if (r >= 0 && f)
		r = add_all(&f->pieces[1], ret);
	pieces_join(ret);
	return r;
}

/* It is outside, or a pod that no policy selects. */
static bool is_held_by_nobody(const struct flowmap *m, uint32_t number)
{
	return number >= STANDIN_HOST || (m->there[number] && !m->ruleset_of[number]);
}

int flowmap_both(const struct flowmap *m, uint32_t source, uint32_t destination, struct pieces *ret)
{
	struct piece_of_ports all = { 0, PIECE_LAST };
	const struct end_flow everything = { .pieces = { { &all, 1, 1 }, { &all, 1, 1 } } };
	const struct end_flow *out = flowmap_find(m, DIRECTION_EGRESS, source, destination);
	const struct end_flow *in = flowmap_find(m, DIRECTION_INGRESS, source, destination);
	int r = 0;

	if (is_held_by_nobody(m, source))
		out = &everything;
	if (is_held_by_nobody(m, destination))
		in = &everything;
	for (size_t i = 0; r >= 0 && out && in && i < BH_ARRAY_SIZE(families); i++) {
		struct pieces one = { 0 };

		r = pieces_meet(&out->pieces[i], &in->pieces[i], &one);
		if (r >= 0)
			r = add_all(&one, ret);
		pieces_done(&one);
	}
	pieces_join(ret);
	return r;
}

/* --- outside ---------------------------------------------------------------------------------- */

static int add_point(struct bh_vec *v, const struct bh_addr *a)
{
	struct bh_addr *slot = bh_vec_push(v);

	if (!slot)
		return v->n == v->max ? -E2BIG : -ENOMEM;
	*slot = *a;
	return 0;
}

/* Where a range begins, and where what is behind it does. */
static int add_range(struct bh_vec *v, const struct bh_range *range)
{
	struct bh_addr next = range->hi;
	int r = add_point(v, &range->lo);

	return r >= 0 && bh_addr_next(&next) ? add_point(v, &next) : r;
}

static int add_list(struct bh_vec *v, const struct entry_list *l, uint8_t family)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n; i++)
		if (l->e[i].addr.lo.family == family)
			r = add_range(v, &l->e[i].addr);
	return r;
}

static struct bh_range whole(uint8_t family)
{
	struct bh_range r = { { family }, { family } };

	memset(r.hi.b, 0xff, bh_addr_len(family));
	return r;
}

static int point_cmp(const void *a, const void *b)
{
	return bh_addr_cmp(a, b);
}

static int collect_points(const struct flowmap *m, const struct ruleset *r, enum direction d,
			  uint8_t family, struct bh_vec *v)
{
	struct bh_range all = whole(family), block = cast_block(m->cast, family);
	int error = add_point(v, &all.lo);

	if (error >= 0)
		error = add_range(v, &block);
	for (int k = 0; error >= 0 && k < ENTRY_KINDS; k++)
		error = add_list(v, &r->entries[d][k], family);
	for (int k = 0; error >= 0 && k < GUARD_KINDS; k++)
		error = add_list(v, &r->guards[d][k], family);
	for (size_t i = 0; error >= 0 && i < r->n_known; i++)
		if (r->known[i].lo.family == family)
			error = add_range(v, &r->known[i]);
	if (error >= 0)
		qsort(v->data, v->n, sizeof(struct bh_addr), point_cmp);
	return error;
}

static bool follows(const struct outside_flow *last, const struct bh_addr *lo, uint32_t party,
		    const struct pieces *p)
{
	struct bh_addr next = last->range.hi;

	return last->party == party && next.family == lo->family && bh_addr_next(&next) &&
	       bh_addr_cmp(&next, lo) == 0 && pieces_equal(&last->pieces, p);
}

static int keep_outside(struct bh_vec *v, uint32_t party, const struct bh_range *range,
			struct pieces *p)
{
	struct outside_flow *last = v->n ? &((struct outside_flow *)v->data)[v->n - 1] : NULL;

	if (p->n && last && follows(last, &range->lo, party, p)) {
		last->range.hi = range->hi;
	} else if (p->n) {
		last = bh_vec_push(v);
		if (!last)
			return v->n == v->max ? -E2BIG : -ENOMEM;
		*last = (struct outside_flow) { party, *range, *p };
		*p = (struct pieces) { 0 };
	}
	return 0;
}

/* Between two points nothing changes: one address speaks for all. */
static int sweep(const struct flowmap *m, enum direction d, uint32_t party, uint8_t family,
		 bool guarded, struct bh_vec *ret)
{
	struct bh_range all = whole(family), block = cast_block(m->cast, family);
	const struct ruleset *rules = m->ruleset_of[party];
	const struct bh_addr *points;
	struct bh_vec v;
	int r;

	bh_vec_init(&v, sizeof(struct bh_addr), 4 * BH_RANGES_MAX);
	r = collect_points(m, rules, d, family, &v);
	points = v.data;
	for (size_t i = 0; r >= 0 && i < v.n; i++) {
		struct bh_range range = { points[i], i + 1 < v.n ? points[i + 1] : all.hi };
		struct pieces p = { 0 };

		if (i + 1 < v.n && bh_addr_cmp(&points[i], &points[i + 1]) == 0)
			continue;
		if (i + 1 < v.n)
			bh_addr_prev(&range.hi);
		if (!guarded && bh_range_contains(&block, &range.lo))
			continue;
		r = says_of(rules, d, &range.lo, m->now, guarded, &p);
		if (r >= 0)
			r = keep_outside(ret, party, &range, &p);
		pieces_done(&p);
	}
	bh_vec_done(&v);
	return r;
}

int flowmap_guarded(const struct flowmap *m, enum direction d, uint32_t party, struct bh_vec *ret)
{
	int r = 0;

	bh_vec_init(ret, sizeof(struct outside_flow), BH_RANGES_MAX);
	for (size_t i = 0; r >= 0 && m->ruleset_of[party] && i < BH_ARRAY_SIZE(families); i++)
		r = sweep(m, d, party, families[i], true, ret);
	return r;
}

void outside_done(struct bh_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		pieces_done(&((struct outside_flow *)v->data)[i].pieces);
	bh_vec_done(v);
}

/* --- refusals --------------------------------------------------------------------------------- */

const char *flowmap_refusal(const struct flowmap *m, enum direction d, uint32_t party,
			    const struct bh_addr *remote, uint32_t port)
{
	struct flow_key key = { d, *remote, (uint16_t)(port >> 16), (uint16_t)port };
	const struct ruleset *r = party < m->cast->n ? m->ruleset_of[party] : NULL;
	const struct entry *guard;

	if (!r)
		return NULL;
	guard = ruleset_guard(r, &key);
	if (guard)
		return r->rules[guard->rule].where;
	return ruleset_lookup(r, &key, m->now) ? NULL : r->deny_where[d];
}

/* --- making it -------------------------------------------------------------------------------- */

/* What rules say is compared, and not whether they are kept to: that is said apart. */
static int enforce_all(struct flowmap *m, struct bh_arena *arena, const struct policy_set *p)
{
	struct service *s = bh_arena_memdup(arena, p->services, p->n_services * sizeof(*s));

	m->policies = *p;
	if (p->n_services && !s)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_services; i++)
		s[i].mode = MODE_ENFORCE;
	m->policies.services = s;
	return 0;
}

/* PARTY: of each endpoint, in their order. */
static int add_standins(struct flowmap *m, struct endpoint_builder *b, uint32_t *party,
			struct bh_err *err)
{
	size_t n = 0;
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < m->cast->n; i++) {
		const struct party *p = &m->cast->parties[i];
		const struct service *s =
			p->service ? policy_set_service(&m->policies, p->service) : NULL;
		char id[16];

		snprintf(id, sizeof(id), "%010u", i); /* so that their order is that of numbers */
		r = 0;
		if (p->pods)
			r = standin_add_pods(b, &m->cast->block, p->pods, i, id, err);
		else if (s)
			r = standin_add(b, &m->cast->block, s, p->labels, p->n_labels, i, id, err);
		if (r > 0)
			party[n++] = i;
	}
	return r;
}

static int populate(struct flowmap *m, uint32_t *party, struct bh_err *err)
{
	struct endpoint_builder *b = endpoint_builder_new();
	int r = b ? 0 : bh_err_oom(err);

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(families); i++) {
		struct bh_addr a = standin_addr(&m->cast->block, STANDIN_HOST, families[i]);

		r = endpoint_builder_add_host_addr(b, &a);
	}
	if (r >= 0)
		r = add_standins(m, b, party, err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &m->endpoints, err);
	endpoint_builder_free(b);
	return r;
}

static int compile(struct flowmap *m, struct bh_arena *arena, const struct host_config *host,
		   struct bh_err *err)
{
	struct compile_input in = { &m->policies, NULL, host, m->now };
	uint32_t *party = bh_arena_array(arena, m->cast->n + 1, sizeof(*party));
	struct diag_list diags;
	int r;

	if (!party)
		return bh_err_oom(err);
	r = populate(m, party, err);
	in.endpoints = m->endpoints;
	diag_list_init(&diags);
	if (r >= 0)
		r = compile_rulesets(&in, true, &m->rulesets, &diags, err);
	diag_list_done(&diags);
	m->ruleset_of = bh_arena_array(arena, m->cast->n + 1, sizeof(*m->ruleset_of));
	m->there = bh_arena_array(arena, m->cast->n + 1, sizeof(*m->there));
	if (r >= 0 && (!m->ruleset_of || !m->there))
		r = bh_err_oom(err);
	for (size_t i = 0; r >= 0 && i < m->endpoints->n; i++) {
		const struct ruleset_item *item = ruleset_list_find(m->rulesets, i);

		m->there[party[i]] = true;
		m->ruleset_of[party[i]] = item ? item->ruleset : NULL;
	}
	return r;
}

/* Of the first that asks for it; all have the same but for the stand-ins. Nobody does: it is empty. */
static int find_world(struct flowmap *m)
{
	struct bh_rangeset known;
	int r = 0;

	bh_rangeset_init(&known);
	for (size_t i = 0; r >= 0 && i < m->cast->n && !known.n; i++) {
		const struct ruleset *rules = m->ruleset_of[i];

		for (size_t k = 0; r >= 0 && rules && k < rules->n_known; k++)
			r = bh_rangeset_add(&known, &rules->known[k]);
	}
	if (r >= 0 && known.n)
		r = bh_rangeset_universe(&m->world);
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(families); i++) {
		struct bh_range block = cast_block(m->cast, families[i]);

		r = bh_rangeset_add(&known, &block);
	}
	if (r >= 0)
		r = bh_rangeset_subtract(&m->world, &known);
	bh_rangeset_done(&known);
	return r;
}

static int look(struct flowmap *m)
{
	int r = find_world(m);

	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (uint32_t i = 0; r >= 0 && i < m->cast->n; i++) {
			bool other = m->cast->parties[i].kind == PARTY_ANOTHER;

			if (!m->ruleset_of[i])
				continue;
			r = add_ends(m, (enum direction)d, i);
			for (size_t f = 0; r >= 0 && !other && f < BH_ARRAY_SIZE(families); f++)
				r = sweep(m, (enum direction)d, i, families[f], false,
					  &m->outside[d]);
		}
		if (r >= 0 && m->ends[d].n)
			qsort(m->ends[d].data, m->ends[d].n, sizeof(struct end_flow), end_cmp);
	}
	return r;
}

int flowmap_make(const struct cast *cast, const struct policy_set *policies,
		 const struct host_config *host, int64_t now, struct flowmap *ret,
		 struct bh_err *err)
{
	int r;

	*ret = (struct flowmap) { .cast = cast, .now = now };
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		bh_vec_init(&ret->ends[d], sizeof(struct end_flow), BH_FLOWMAP_ENDS_MAX);
		bh_vec_init(&ret->outside[d], sizeof(struct outside_flow), BH_RANGES_MAX);
	}
	bh_rangeset_init(&ret->world);
	r = enforce_all(ret, cast->arena, policies);
	if (r >= 0)
		r = compile(ret, cast->arena, host, err);
	if (r >= 0)
		r = look(ret);
	if (r == -E2BIG && err && !err->msg[0])
		return bh_err_set(err, r, "these policies allow more flows than can be listed");
	return r == -ENOMEM ? bh_err_oom(err) : r;
}

void flowmap_done(struct flowmap *m)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (size_t i = 0; i < m->ends[d].n; i++)
			end_done(&((struct end_flow *)m->ends[d].data)[i]);
		bh_vec_done(&m->ends[d]);
		outside_done(&m->outside[d]);
	}
	bh_rangeset_done(&m->world);
	ruleset_list_free(m->rulesets);
	endpoint_set_free(m->endpoints);
	*m = (struct flowmap) { 0 };
}
