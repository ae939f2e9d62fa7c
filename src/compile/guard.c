/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "boxes.h"
#include "names.h"

/* --- whom they select ------------------------------------------------------------------------ */

static bool has_service(const struct resolver *r, const struct guardrail *g, size_t i)
{
	const struct selection_list *l = &r->selection->services_of[i];
	bool scope = !g->scope, name = !g->n_services;

	for (size_t k = 0; k < l->n && !(scope && name); k++) {
		const struct service *s = &r->in->policies->services[l->i[k]];

		scope |= g->scope && s->scope && strcmp(s->scope, g->scope) == 0;
		for (size_t j = 0; !name && j < g->n_services; j++)
			name = strcmp(s->name, g->services[j]) == 0;
	}
	return scope && name;
}

bool guard_selects(const struct resolver *r, const struct guardrail *g, size_t i)
{
	const struct endpoint *e = &r->in->endpoints->endpoints[i];

	if (g->all)
		return true;
	if (!g->n_labels && !g->scope && !g->n_services)
		return false;
	return select_labels_match(e, g->labels, g->n_labels, r->image_labels) &&
	       has_service(r, g, i);
}

bool guards_select(const struct guards *g, size_t i)
{
	for (size_t k = 0; k < g->n; k++)
		if (g->g[k].selects[i])
			return true;
	return false;
}

/* --- what they deny -------------------------------------------------------------------------- */

/*
 * A plane of protocols x ports, with the types of ICMP in the place of ports; every type is written
 * like every port. A request brings its reply type along, as it does where it is allowed.
 */
static struct box_spec *specs_make(struct bh_arena *arena, const struct port_spec *ports, size_t n,
				   size_t *ret_n)
{
	struct box_spec *v = bh_arena_array(arena, 2 * n + 1, sizeof(*v));
	size_t count = 0;

	for (size_t i = 0; v && i < n; i++) {
		const struct port_spec *p = &ports[i];
		bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
		uint8_t proto = (uint8_t)p->proto, reply;

		if (p->proto == PROTO_ANY) {
			v[count++] = (struct box_spec) { 0, 255, 0, UINT16_MAX };
		} else if (icmp && p->lo != p->hi) {
			v[count++] = (struct box_spec) { proto, proto, 0, UINT16_MAX };
		} else {
			v[count++] = (struct box_spec) { proto, proto, p->lo, p->hi };
			if (icmp && icmp_reply_type(p->proto, (uint8_t)p->lo, &reply))
				v[count++] = (struct box_spec) { proto, proto, reply, reply };
		}
	}
	*ret_n = count;
	return v;
}

#define RANK_HOLE 0
#define RANK_DENY 1

static int add_boxes(struct resolver *r, struct bh_vec *boxes, const struct bh_rangeset *s,
		     const struct port_spec *ports, size_t n_ports, uint32_t rank)
{
	size_t n;
	const struct box_spec *specs = specs_make(r->arena, ports, n_ports, &n);

	if (!specs)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		struct box *b = bh_vec_push(boxes);

		if (!b)
			return boxes->n == boxes->max ? -E2BIG : -ENOMEM;
		*b = (struct box) { s->r[i], specs, n, rank };
	}
	return 0;
}

static int add_denied(struct resolver *r, const struct rule *rule, struct bh_vec *boxes)
{
	struct bh_rangeset s;
	int error = 0;

	bh_rangeset_init(&s);
	for (size_t i = 0; error >= 0 && i < rule->n_peers; i++)
		error = guard_peer(r, &rule->peers[i], true, &s);
	if (error >= 0)
		error = add_boxes(r, boxes, &s, rule->ports, rule->n_ports, RANK_DENY);
	bh_rangeset_done(&s);
	return error;
}

static int add_hole(struct resolver *r, const struct exception *e, struct bh_vec *boxes)
{
	struct bh_rangeset s;
	int error;

	bh_rangeset_init(&s);
	error = guard_peer(r, &e->peer, false, &s);
	if (error >= 0)
		error = add_boxes(r, boxes, &s, e->ports, e->n_ports, RANK_HOLE);
	bh_rangeset_done(&s);
	return error;
}

/* The denied boxes without the holes, into the resolver's arena. */
static int cut_holes(struct resolver *r, struct bh_vec *boxes, struct live_deny *ret)
{
	struct bh_vec out;
	struct entry *e;
	size_t n = 0;
	int error;

	bh_vec_init(&out, sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	error = boxes_normalise(boxes->data, boxes->n, &out);
	e = out.data;
	for (size_t i = 0; error >= 0 && i < out.n; i++)
		if (e[i].rule == RANK_DENY)
			e[n++] = e[i];
	if (error >= 0 && n) {
		ret->boxes = bh_arena_memdup(r->arena, e, n * sizeof(*e));
		ret->n_boxes = n;
		error = ret->boxes ? 0 : -ENOMEM;
	}
	bh_vec_done(&out);
	return error;
}

int guard_make_deny(struct resolver *r, const struct deny *d, struct live_deny *ret)
{
	struct bh_vec boxes;
	int error;

	bh_vec_init(&boxes, sizeof(struct box), BH_RULESET_ENTRIES_MAX);
	error = add_denied(r, &d->rule, &boxes);
	for (size_t i = 0; error >= 0 && i < d->n_unless; i++)
		error = add_hole(r, &d->unless[i], &boxes);
	if (error >= 0)
		error = cut_holes(r, &boxes, ret);
	bh_vec_done(&boxes);
	return error;
}

static int name_denies(struct resolver *r, struct bh_arena *arena, const struct guardrail *g,
		       enum direction d, struct live_deny *ret)
{
	bh_autofree const struct rule **rules = calloc(g->n_deny + 1, sizeof(*rules));
	bh_autofree const char **slugs = calloc(g->n_deny + 1, sizeof(*slugs));
	bh_autofree size_t *at = calloc(g->n_deny + 1, sizeof(*at));
	size_t n = 0;

	if (!rules || !slugs || !at)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_deny; i++)
		if (g->deny[i].direction == d) {
			rules[n] = &g->deny[i].rule;
			at[n++] = i;
		}
	if (names_of_list(r->arena, rules, n, d, NULL, slugs) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct live_deny *x = &ret[at[i]];

		x->direction = d;
		x->name = names_guard(arena, g, d, slugs[i]);
		x->where = names_where(arena, &rules[i]->loc);
		if (!x->name || !x->where)
			return -ENOMEM;
	}
	return 0;
}

static int name_guardrail(struct resolver *r, struct bh_arena *names, struct bh_arena *plans,
			  const struct guardrail *g, struct live_guardrail *ret)
{
	struct live_deny *deny = bh_arena_array(plans, g->n_deny + 1, sizeof(*deny));
	int error = deny ? 0 : -ENOMEM;

	for (int d = 0; error >= 0 && d < DIRECTIONS; d++)
		error = name_denies(r, names, g, (enum direction)d, deny);
	*ret = (struct live_guardrail) { .deny = deny, .n_deny = g->n_deny };
	return error;
}

int guards_name(struct resolver *r, struct bh_arena *names, struct bh_arena *plans,
		struct guards *ret)
{
	const struct policy_set *p = r->in->policies;
	struct live_guardrail *v = bh_arena_array(plans, p->n_guardrails + 1, sizeof(*v));
	int error = v ? 0 : -ENOMEM;

	for (size_t k = 0; error >= 0 && k < p->n_guardrails; k++)
		error = name_guardrail(r, names, plans, &p->guardrails[k], &v[k]);
	*ret = (struct guards) { .g = v, .n = p->n_guardrails };
	return error;
}

int guards_too_many(const struct guardrail *g, struct bh_err *err)
{
	return bh_err_set(err, -E2BIG,
			  "guardrail %s comes to more than %d pieces; name wider prefixes", g->name,
			  BH_RULESET_ENTRIES_MAX);
}

static int make_guardrail(struct resolver *r, const struct guardrail *g, struct live_guardrail *ret)
{
	bool *sel = bh_arena_array(r->arena, r->in->endpoints->n + 1, sizeof(*sel));
	int error = sel ? 0 : -ENOMEM;

	for (size_t i = 0; sel && i < r->in->endpoints->n; i++)
		sel[i] = guard_selects(r, g, i);
	ret->selects = sel;
	for (size_t i = 0; error >= 0 && i < g->n_deny; i++)
		error = guard_make_deny(r, &g->deny[i], &ret->deny[i]);
	return error;
}

int guards_make(struct resolver *r, struct bh_arena *arena, struct guards *ret, struct bh_err *err)
{
	const struct policy_set *p = r->in->policies;
	int error = guards_name(r, arena, r->arena, ret);

	ret->memory = r->arena;
	for (size_t k = 0; error >= 0 && k < p->n_guardrails; k++) {
		error = make_guardrail(r, &p->guardrails[k], &ret->g[k]);
		if (error == -E2BIG)
			return guards_too_many(&p->guardrails[k], err);
	}
	return error < 0 ? bh_err_oom(err) : 0;
}

/* --- into a ruleset -------------------------------------------------------------------------- */

struct piece guard_piece(const struct live_deny *d)
{
	return (struct piece) {
		.name = d->name,
		.where = d->where,
		.direction = d->direction,
		.is_guard = true,
	};
}

static bool is_whole(const struct entry *e)
{
	return e->port_lo == 0 && e->port_hi == UINT16_MAX;
}

static bool is_icmp(const struct entry *e)
{
	return e->proto_lo == e->proto_hi &&
	       e->proto_lo == (e->addr.lo.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool same_range(const struct bh_range *a, const struct bh_range *b)
{
	return bh_addr_cmp(&a->lo, &b->lo) == 0 && bh_addr_cmp(&a->hi, &b->hi) == 0;
}

/* A box for each run of entries on the same addresses; SPECS has a place for each entry. */
static int add_live(struct bh_vec *boxes, const struct live_deny *d, struct box_spec *specs,
		    uint32_t rank)
{
	struct box *b = NULL;

	for (size_t i = 0; i < d->n_boxes; i++) {
		const struct entry *e = &d->boxes[i];

		specs[i] = (struct box_spec) { e->proto_lo, e->proto_hi, e->port_lo, e->port_hi };
		if (b && same_range(&b->addr, &e->addr)) {
			b->n_specs++;
			continue;
		}
		b = bh_vec_push(boxes);
		if (!b)
			return boxes->n == boxes->max ? -E2BIG : -ENOMEM;
		*b = (struct box) { e->addr, &specs[i], 1, rank };
	}
	return 0;
}

static int rule_cmp(const void *name, const void *rule)
{
	return strcmp(name, ((const struct ruleset_rule *)rule)->name);
}

static uint32_t rule_index(const struct ruleset *r, const char *name)
{
	const struct ruleset_rule *hit =
		bsearch(name, r->rules, r->n_rules, sizeof(*hit), rule_cmp);

	return (uint32_t)(hit - r->rules); /* its piece was listed */
}

static int entry_order(const void *a, const void *b)
{
	return entry_cmp(a, b);
}

/* Which of the boxes are of a kind, in order; `rule` stays the rank. */
static int sort_out(struct bh_arena *arena, const struct bh_vec *boxes, enum guard_kind k,
		    struct entry_list *ret)
{
	const struct entry *v = boxes->data;
	struct entry *out = bh_arena_array(arena, boxes->n + 1, sizeof(*out));
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < boxes->n; i++) {
		enum guard_kind kind = is_whole(&v[i])  ? GUARD_NET
				       : is_icmp(&v[i]) ? GUARD_ICMP
							: GUARD_PORT;

		if (kind != k || (kind == GUARD_ICMP && v[i].port_lo > UINT8_MAX))
			continue;
		out[n] = v[i];
		if (kind == GUARD_ICMP && out[n].port_hi > UINT8_MAX)
			out[n].port_hi = UINT8_MAX;
		n++;
	}
	qsort(out, n, sizeof(*out), entry_order);
	*ret = (struct entry_list) { out, n };
	return 0;
}

/* What some guardrails together deny in one direction: the same wherever these meet. */
struct guard_memo {
	struct guard_memo *next;
	const uint32_t *which;
	size_t n;
	const struct live_deny **ranked; /* what the rank of a box is */
	struct entry_list lists[GUARD_KINDS];
};

/* The boxes of all entries, into BOXES. */
static int gather(const struct guards *g, enum direction d, struct guard_memo *m,
		  struct bh_vec *boxes)
{
	uint32_t rank = 0;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->n; i++) {
		const struct live_guardrail *x = &g->g[m->which[i]];

		for (size_t k = 0; r >= 0 && k < x->n_deny; k++) {
			const struct live_deny *deny = &x->deny[k];
			struct box_spec *specs;

			if (deny->direction != d)
				continue;
			specs = bh_arena_array(g->memory, deny->n_boxes + 1, sizeof(*specs));
			if (!specs)
				return -ENOMEM;
			m->ranked[rank] = deny;
			r = add_live(boxes, deny, specs, rank++);
		}
	}
	return r;
}

static int memo_fill(const struct guards *g, enum direction d, struct guard_memo *m)
{
	struct bh_vec boxes, out;
	int r;

	bh_vec_init(&boxes, sizeof(struct box), BH_RULESET_ENTRIES_MAX);
	bh_vec_init(&out, sizeof(struct entry), BH_RULESET_ENTRIES_MAX);
	r = gather(g, d, m, &boxes);
	if (r >= 0)
		r = boxes_normalise(boxes.data, boxes.n, &out);
	for (int k = 0; r >= 0 && k < GUARD_KINDS; k++)
		r = sort_out(g->memory, &out, (enum guard_kind)k, &m->lists[k]);
	bh_vec_done(&boxes);
	bh_vec_done(&out);
	return r;
}

static int memo_get(struct guards *g, const uint32_t *which, size_t n, enum direction d,
		    struct guard_memo **ret)
{
	struct guard_memo *m;
	size_t n_deny = 0;
	int r;

	for (m = g->memos[d]; m; m = m->next)
		if (m->n == n && memcmp(m->which, which, n * sizeof(*which)) == 0)
			break;
	*ret = m;
	if (m)
		return 0;
	for (size_t i = 0; i < n; i++)
		n_deny += g->g[which[i]].n_deny;
	m = bh_arena_alloc(g->memory, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->which = bh_arena_memdup(g->memory, which, n * sizeof(*which));
	m->n = n;
	m->ranked = bh_arena_array(g->memory, n_deny + 1, sizeof(struct live_deny *));
	if (!m->which || !m->ranked)
		return -ENOMEM;
	r = memo_fill(g, d, m);
	if (r < 0)
		return r;
	m->next = g->memos[d];
	g->memos[d] = m;
	*ret = m;
	return 0;
}

static int assemble_direction(struct guards *g, const uint32_t *which, size_t n, enum direction d,
			      struct bh_arena *arena, struct ruleset *ret)
{
	const struct live_deny *last = NULL;
	struct guard_memo *m;
	uint32_t rule = 0;
	int r = memo_get(g, which, n, d, &m);

	for (int k = 0; r >= 0 && k < GUARD_KINDS; k++) {
		size_t count = m->lists[k].n;
		struct entry *e;

		if (!count)
			continue;
		e = bh_arena_memdup(arena, m->lists[k].e, count * sizeof(*e));
		if (!e)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++) {
			const struct live_deny *deny = m->ranked[e[i].rule];

			if (deny != last)
				rule = rule_index(ret, deny->name);
			last = deny;
			e[i].rule = rule;
		}
		ret->guards[d][k] = (struct entry_list) { e, count };
	}
	return r;
}

int guards_assemble(struct guards *g, const uint32_t *which, size_t n, struct bh_arena *arena,
		    struct ruleset *ret, struct bh_err *err)
{
	int r = 0;

	for (int d = 0; n && r >= 0 && d < DIRECTIONS; d++)
		r = assemble_direction(g, which, n, (enum direction)d, arena, ret);
	if (r == -E2BIG)
		return bh_err_set(err, r,
				  "what the guardrails deny comes to more than %d pieces; name "
				  "wider prefixes",
				  BH_RULESET_ENTRIES_MAX);
	return r < 0 ? bh_err_oom(err) : 0;
}
