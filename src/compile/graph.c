/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/flows.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flowmap.h"
#include "names.h"

const char *flow_node_word(enum flow_node_kind kind)
{
	static const char *const words[] = {
		[FLOW_NODE_SERVICE] = "service", [FLOW_NODE_ENTITY] = "entity",
		[FLOW_NODE_LABELS] = "labels",   [FLOW_NODE_GROUP] = "group",
		[FLOW_NODE_CIDR] = "cidr",
	};

	return words[kind];
}

const char *flow_edge_word(enum flow_edge_state state)
{
	static const char *const words[] = {
		[FLOW_EDGE_BOTH] = "allowed",
		[FLOW_EDGE_SOURCE_ONLY] = "source-only",
		[FLOW_EDGE_DESTINATION_ONLY] = "destination-only",
	};

	return words[state];
}

/* A stretch of ports between two nodes, as it was found. */
struct thread {
	size_t from, to;
	enum flow_edge_state state;
	struct piece_of_ports piece;
	const struct rule *rules[DIRECTIONS];
};

/* A rule, by the place and the name that rulesets give for it: several may stand on one line. */
struct placed {
	const char *where, *name;
	const struct rule *rule;
};

struct drawer {
	struct bh_arena *arena;
	struct cast cast;
	struct flowmap map;
	struct bh_vec nodes;   /* struct flow_node */
	struct bh_vec threads; /* struct thread */
	struct bh_vec placed;  /* struct placed, sorted */
	size_t *node_of;       /* [party] + 1; 0 = none yet */
};

/* --- nodes ------------------------------------------------------------------------------------ */

static int add_node(struct drawer *x, enum flow_node_kind kind, const char *name,
		    const struct service *service, size_t *ret)
{
	struct flow_node *n = name ? bh_vec_push(&x->nodes) : NULL;

	if (!n)
		return -ENOMEM;
	*n = (struct flow_node) { kind, name, service, NULL };
	*ret = x->nodes.n - 1;
	return 0;
}

/* That of a name, made when it is first asked for. */
static int node_named(struct drawer *x, enum flow_node_kind kind, const char *name, size_t *ret)
{
	const struct flow_node *n = x->nodes.data;

	for (size_t i = x->nodes.n; name && i-- > 0;)
		if (n[i].kind == kind && !n[i].service && strcmp(n[i].name, name) == 0) {
			*ret = i;
			return 0;
		}
	return add_node(x, kind, name, NULL, ret);
}

static int node_of_party(struct drawer *x, uint32_t number, size_t *ret)
{
	const struct party *p = cast_party(&x->cast, number);
	int r = 0;

	if (p->kind == PARTY_ANOTHER)
		number = p->base;
	if (p->kind == PARTY_PODS)
		return node_named(x, FLOW_NODE_LABELS, p->name, ret);
	if (party_is_outside(p))
		return node_named(x, FLOW_NODE_ENTITY, p->kind == PARTY_HOST ? "host" : "resolver",
				  ret);
	if (!x->node_of[number]) {
		r = add_node(x, FLOW_NODE_SERVICE, p->name,
			     policy_set_service(&x->map.policies, p->service), ret);
		x->node_of[number] = *ret + 1;
	}
	*ret = x->node_of[number] - 1;
	return r;
}

/* --- rules by place --------------------------------------------------------------------------- */

static int placed_cmp(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;
	int r = strcmp(x->where, y->where);

	return r ? r : strcmp(x->name, y->name);
}

static int index_rule(const struct compile_rule *r, void *arg)
{
	struct drawer *x = arg;
	struct placed *slot = r->service && r->rule ? bh_vec_push(&x->placed) : NULL;

	if (!r->service || !r->rule)
		return 0;
	if (!slot)
		return -ENOMEM;
	slot->rule = r->rule;
	slot->where = names_where(x->arena, r->loc);
	slot->name = bh_arena_strdup(x->arena, r->name);
	return slot->where && slot->name ? 0 : -ENOMEM;
}

static int index_rules(struct drawer *x)
{
	int r = compile_each_rule(&x->map.policies, index_rule, x, NULL);

	if (r >= 0 && x->placed.n)
		qsort(x->placed.data, x->placed.n, sizeof(struct placed), placed_cmp);
	return r;
}

/* "web.out.follow-pay.from-web.80-tcp" is of "pay.in.from-web.80-tcp" (names.h). */
static bool is_named(const struct placed *p, const char *name)
{
	static const char follows[] = ".out.follow-", in[] = ".in.";
	const char *theirs = strstr(name, follows), *dot = strstr(p->name, in);
	size_t n;

	if (strcmp(p->name, name) == 0)
		return true;
	if (!theirs || !dot)
		return false;
	theirs += sizeof(follows) - 1;
	n = (size_t)(dot - p->name);
	return strncmp(theirs, p->name, n) == 0 && theirs[n] == '.' &&
	       strcmp(theirs + n + 1, dot + sizeof(in) - 1) == 0;
}

/* The first that stands there. */
static size_t first_at(const struct drawer *x, const char *where)
{
	const struct placed *p = x->placed.data;
	size_t lo = 0, hi = x->placed.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(p[mid].where, where) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* NULL: it is of none (dns: allow). */
static const struct rule *rule_of(const struct drawer *x, const struct piece_of_ports *piece,
				  enum direction d)
{
	const char *where = piece->places[d], *name = piece->names[d];
	const struct placed *p = x->placed.data;

	if (!where || !name)
		return NULL;
	for (size_t i = first_at(x, where); i < x->placed.n; i++) {
		if (strcmp(p[i].where, where) != 0)
			break;
		if (is_named(&p[i], name))
			return p[i].rule;
	}
	return NULL;
}

/* OWN: the rule of PIECE, where that is known; else it is found by its name. */
static int add_thread(struct drawer *x, size_t from, size_t to, enum flow_edge_state state,
		      const struct piece_of_ports *piece, const struct rule *own)
{
	struct thread *t = bh_vec_push(&x->threads);

	if (!t)
		return x->threads.n == x->threads.max ? -E2BIG : -ENOMEM;
	*t = (struct thread) { from, to, state, *piece };
	for (unsigned d = 0; d < DIRECTIONS; d++)
		t->rules[d] = own && piece->places[d] ? own : rule_of(x, piece, (enum direction)d);
	return 0;
}

/* --- between services ------------------------------------------------------------------------- */

static const char *labels_name(struct bh_arena *arena, const struct peer *p)
{
	const char *name = "";

	for (size_t i = 0; name && i < p->n_labels; i++)
		name = bh_arena_printf(arena, "%s%s%s=%s", name, i ? ", " : "", p->labels[i].key,
				       p->labels[i].value);
	return name;
}

/*
 * Whom a rule means by what nobody answers: the service that it names, else the labels or all that are
 * managed; one node then stands for many. 0: it names neither.
 */
static int node_meant(struct drawer *x, const struct rule *rule, uint32_t other, size_t *ret)
{
	const struct party *party = cast_party(&x->cast, other);
	const struct peer *wide = NULL;
	int r;

	for (size_t i = 0; rule && i < rule->n_peers; i++) {
		const struct peer *p = &rule->peers[i];

		if (p->service && party->service && strcmp(p->service, party->service) == 0)
			return (r = node_of_party(x, other, ret)) < 0 ? r : 1;
		if (!p->service && !wide && (p->n_labels || p->entity == ENTITY_MANAGED))
			wide = p;
	}
	if (!wide)
		return 0;
	r = wide->n_labels ? node_named(x, FLOW_NODE_LABELS, labels_name(x->arena, wide), ret)
			   : node_named(x, FLOW_NODE_ENTITY, "managed", ret);
	return r < 0 ? r : 1;
}

static int add_half(struct drawer *x, enum direction d, uint32_t source, uint32_t destination,
		    const struct piece_of_ports *piece)
{
	bool out = d == DIRECTION_EGRESS;
	size_t self, other;
	int r = node_of_party(x, out ? source : destination, &self);

	if (r >= 0)
		r = node_meant(x, rule_of(x, piece, d), out ? destination : source, &other);
	if (r <= 0)
		return r;
	return add_thread(x, out ? self : other, out ? other : self,
			  out ? FLOW_EDGE_SOURCE_ONLY : FLOW_EDGE_DESTINATION_ONLY, piece, NULL);
}

static int add_halves(struct drawer *x, enum direction d, uint32_t source, uint32_t destination,
		      const struct pieces *both)
{
	struct pieces rest = { 0 };
	int r = flowmap_half(&x->map, d, source, destination, &rest);

	for (size_t i = 0; r >= 0 && i < both->n; i++)
		r = pieces_cut(&rest, both->p[i].lo, both->p[i].hi);
	for (size_t i = 0; r >= 0 && i < rest.n; i++)
		r = add_half(x, d, source, destination, &rest.p[i]);
	pieces_done(&rest);
	return r;
}

static uint32_t base_of(const struct cast *c, uint32_t number)
{
	const struct party *p = cast_party(c, number);

	return p->kind == PARTY_LABELLED ? p->base : number;
}

/* What its services may do without the labels needs no node of its own. */
static int without_labels(const struct drawer *x, uint32_t source, uint32_t destination,
			  struct pieces *both)
{
	uint32_t a = base_of(&x->cast, source), b = base_of(&x->cast, destination);
	const uint32_t pairs[][2] = { { a, a == b ? b + 1 : b },
				      { a, destination },
				      { source, b } };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(pairs); i++) {
		struct pieces less = { 0 };

		if (pairs[i][0] == source && pairs[i][1] == destination)
			continue;
		r = flowmap_both(&x->map, pairs[i][0], pairs[i][1], &less);
		for (size_t k = 0; r >= 0 && k < less.n; k++)
			r = pieces_cut(both, less.p[k].lo, less.p[k].hi);
		pieces_done(&less);
	}
	return r;
}

static int draw_pair(struct drawer *x, uint32_t source, uint32_t destination)
{
	bool labelled = base_of(&x->cast, source) != source ||
			base_of(&x->cast, destination) != destination;
	struct pieces both = { 0 };
	size_t from, to;
	int r = flowmap_both(&x->map, source, destination, &both);

	for (unsigned d = 0; r >= 0 && !labelled && d < DIRECTIONS; d++)
		if (!party_is_outside(cast_party(&x->cast, source)) &&
		    !party_is_outside(cast_party(&x->cast, destination)))
			r = add_halves(x, (enum direction)d, source, destination, &both);
	if (r >= 0 && labelled)
		r = without_labels(x, source, destination, &both);
	for (size_t i = 0; r >= 0 && i < both.n; i++) {
		r = node_of_party(x, source, &from);
		if (r >= 0)
			r = node_of_party(x, destination, &to);
		if (r >= 0)
			r = add_thread(x, from, to, FLOW_EDGE_BOTH, &both.p[i], NULL);
	}
	pieces_done(&both);
	return r;
}

/* Those of ingress that egress has are drawn with it. */
static int draw_pairs(struct drawer *x)
{
	int r = 0;

	for (unsigned d = 0; d < DIRECTIONS; d++) {
		const struct end_flow *f = x->map.ends[d].data;

		for (size_t i = 0; r >= 0 && i < x->map.ends[d].n; i++) {
			if (cast_party(&x->cast, f[i].source)->kind == PARTY_ANOTHER)
				continue;
			if (d == DIRECTION_INGRESS &&
			    flowmap_find(&x->map, DIRECTION_EGRESS, f[i].source, f[i].destination))
				continue;
			r = draw_pair(x, f[i].source, f[i].destination);
		}
	}
	return r;
}

/* --- outside ---------------------------------------------------------------------------------- */

/* The addresses of a peer that names nobody managed. */
static int ranges_of(const struct drawer *x, const struct peer *p, struct bh_rangeset *ret)
{
	const struct group *g = p->group ? policy_set_group(&x->map.policies, p->group) : NULL;
	int r = p->entity == ENTITY_WORLD ? bh_rangeset_add_all(ret, &x->map.world)
					  : bh_rangeset_universe(ret);

	if (r >= 0 && p->has_cidr)
		r = bh_rangeset_keep_prefixes(ret, &p->cidr, 1, p->except, p->n_except);
	if (r >= 0 && g)
		r = bh_rangeset_keep_prefixes(ret, g->cidrs, g->n_cidrs, NULL, 0);
	return r;
}

static int node_of_addresses(struct drawer *x, const struct peer *p, size_t *ret)
{
	char text[BH_PREFIX_STR];
	const char *name, *lead = p->entity == ENTITY_WORLD ? "world in " : "";

	if (p->entity == ENTITY_WORLD && !p->has_cidr && !p->group)
		return node_named(x, FLOW_NODE_ENTITY, "world", ret);
	if (!p->has_cidr)
		return node_named(x, FLOW_NODE_GROUP,
				  bh_arena_printf(x->arena, "%s%s", lead, p->group), ret);
	name = bh_arena_printf(x->arena, "%s%s%s%s", lead, bh_prefix_format(text, &p->cidr),
			       p->group ? " in " : "", p->group ? p->group : "");
	for (size_t i = 0; name && i < p->n_except; i++)
		name = bh_arena_printf(x->arena, "%s%s%s", name, i ? ", " : " but ",
				       bh_prefix_format(text, &p->except[i]));
	return node_named(x, FLOW_NODE_CIDR, name, ret);
}

static int outside_node(struct drawer *x, const struct peer *p, size_t *ret)
{
	int r = node_of_addresses(x, p, ret);

	if (r >= 0)
		((struct flow_node *)x->nodes.data)[*ret].peer = p;
	return r;
}

static bool meets(const struct bh_rangeset *s, const struct bh_range *r)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&s->r[mid].hi, &r->lo) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->r[lo].lo.family == r->lo.family &&
	       bh_addr_cmp(&s->r[lo].lo, &r->hi) <= 0;
}

static int add_port(const struct port_spec *p, const char *place, enum direction d,
		    struct pieces *ret)
{
	bool any = p->proto == PROTO_ANY;
	bool icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
	struct piece_of_ports piece = {
		.lo = any ? 0 : ((uint32_t)p->proto << 16) + p->lo,
		.hi = any ? PIECE_LAST
			  : ((uint32_t)p->proto << 16) +
				      (icmp && p->lo == 0 && p->hi == 255 ? 65535 : p->hi),
	};

	piece.places[d] = place;
	return pieces_add(ret, &piece);
}

/* Of the rule's ports, those that are allowed for some of the addresses. */
static int allowed_ports(const struct rule *rule, const char *place, enum direction d,
			 const struct outside_flow *f, size_t n, const struct bh_rangeset *addrs,
			 struct pieces *ret)
{
	struct pieces asked = { 0 }, there = { 0 };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rule->n_ports; i++)
		r = add_port(&rule->ports[i], place, d, &asked);
	for (size_t i = 0; r >= 0 && i < n; i++)
		for (size_t k = 0; r >= 0 && meets(addrs, &f[i].range) && k < f[i].pieces.n; k++)
			r = pieces_add(&there, &(struct piece_of_ports) { f[i].pieces.p[k].lo,
									  f[i].pieces.p[k].hi });
	if (r >= 0)
		r = pieces_meet(&asked, &there, ret);
	pieces_done(&asked);
	pieces_done(&there);
	return r;
}

static bool is_outside(const struct peer *p)
{
	return !p->service && !p->n_labels &&
	       (p->entity == ENTITY_WORLD ||
		(p->entity == ENTITY_NONE && (p->has_cidr || p->group)));
}

static int draw_peer(struct drawer *x, size_t self, enum direction d, const struct rule *rule,
		     const struct peer *p, const struct outside_flow *f, size_t n)
{
	const char *place = names_where(x->arena, &rule->loc);
	struct pieces ports = { 0 };
	struct bh_rangeset addrs;
	size_t other = 0;
	int r;

	bh_rangeset_init(&addrs);
	r = place ? ranges_of(x, p, &addrs) : -ENOMEM;
	if (r >= 0)
		r = allowed_ports(rule, place, d, f, n, &addrs, &ports);
	if (r >= 0 && ports.n)
		r = outside_node(x, p, &other);
	for (size_t i = 0; r >= 0 && i < ports.n; i++)
		r = add_thread(x, d == DIRECTION_EGRESS ? self : other,
			       d == DIRECTION_EGRESS ? other : self, FLOW_EDGE_BOTH, &ports.p[i],
			       rule);
	pieces_done(&ports);
	bh_rangeset_done(&addrs);
	return r;
}

static int draw_outside(struct drawer *x, uint32_t party, enum direction d,
			const struct outside_flow *f, size_t n)
{
	const struct service *s =
		policy_set_service(&x->map.policies, x->cast.parties[party].service);
	size_t self = 0;
	int r = node_of_party(x, party, &self);

	for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++)
		for (size_t k = 0; r >= 0 && k < s->rules[d][i].n_peers; k++) {
			const struct rule *rule = &s->rules[d][i];

			if (is_outside(&rule->peers[k]) &&
			    (!rule->expires || rule->expires > x->map.now))
				r = draw_peer(x, self, d, rule, &rule->peers[k], f, n);
		}
	return r;
}

static int draw_all_outside(struct drawer *x, enum direction d)
{
	const struct outside_flow *f = x->map.outside[d].data;
	int r = 0;

	for (size_t i = 0, end; r >= 0 && i < x->map.outside[d].n; i = end) {
		for (end = i; end < x->map.outside[d].n && f[end].party == f[i].party; end++)
			;
		if (x->cast.parties[f[i].party].kind == PARTY_SERVICE)
			r = draw_outside(x, f[i].party, d, &f[i], end - i);
	}
	return r;
}

/* --- threads to edges ------------------------------------------------------------------------- */

/* As they stand in the files; those that are of no rule first. */
static int rule_cmp(const struct rule *a, const struct rule *b)
{
	if (a == b || !a || !b)
		return (a != NULL) - (b != NULL);
	if (a->loc.line != b->loc.line)
		return a->loc.line < b->loc.line ? -1 : 1;
	if (a->loc.column != b->loc.column)
		return a->loc.column < b->loc.column ? -1 : 1;
	return a < b ? -1 : 1;
}

static int thread_cmp(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	if (x->state != y->state)
		return x->state < y->state ? -1 : 1;
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		int r = strcmp(x->piece.places[d] ? x->piece.places[d] : "",
			       y->piece.places[d] ? y->piece.places[d] : "");

		if (!r)
			r = rule_cmp(x->rules[d], y->rules[d]);
		if (r)
			return r;
	}
	return (x->piece.lo > y->piece.lo) - (x->piece.lo < y->piece.lo);
}

static bool same_edge(const struct thread *a, const struct thread *b)
{
	return a->from == b->from && a->to == b->to && a->state == b->state;
}

static bool same_rules(const struct thread *a, const struct thread *b)
{
	struct thread c = *b;

	c.piece.lo = a->piece.lo;
	return thread_cmp(a, &c) == 0;
}

static const char *ports_of(struct bh_arena *arena, const struct thread *t, size_t n)
{
	struct pieces all = { 0 };
	const char *text = NULL;
	struct bh_buf b;
	int r = 0;

	bh_buf_init(&b, 1 << 24);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = pieces_add(&all, &(struct piece_of_ports) { t[i].piece.lo, t[i].piece.hi });
	pieces_format(&all, &b);
	if (r >= 0 && !bh_buf_error(&b))
		text = bh_arena_strdup(arena, bh_buf_str(&b));
	bh_buf_done(&b);
	pieces_done(&all);
	return text;
}

static int make_rules(const struct drawer *x, const struct thread *t, size_t n,
		      struct flow_edge *ret)
{
	struct bh_arena *arena = x->arena;
	struct flow_edge_rule *rules = bh_arena_array(arena, n, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	for (size_t i = 0, end; i < n; i = end) {
		struct flow_edge_rule *r = &rules[ret->n_rules++];

		for (end = i; end < n && same_rules(&t[i], &t[end]); end++)
			;
		r->ports = ports_of(arena, &t[i], end - i);
		for (unsigned d = 0; d < DIRECTIONS; d++) {
			const char *place = t[i].piece.places[d];

			r->places[d] = place ? bh_arena_strdup(arena, place) : NULL;
			r->rules[d] = t[i].rules[d];
			if (!r->ports || (place && !r->places[d]))
				return -ENOMEM;
		}
	}
	ret->rules = rules;
	return 0;
}

static int make_edges(struct drawer *x, struct flow_graph *g)
{
	struct thread *t = x->threads.data;
	struct flow_edge *edges = bh_arena_array(x->arena, x->threads.n + 1, sizeof(*edges));
	int r = edges ? 0 : -ENOMEM;

	if (x->threads.n)
		qsort(t, x->threads.n, sizeof(*t), thread_cmp);
	for (size_t i = 0, end; r >= 0 && i < x->threads.n; i = end) {
		struct flow_edge *e = &edges[g->n_edges++];

		for (end = i; end < x->threads.n && same_edge(&t[i], &t[end]); end++)
			;
		*e = (struct flow_edge) { t[i].from, t[i].to, t[i].state };
		e->ports = ports_of(x->arena, &t[i], end - i);
		r = e->ports ? make_rules(x, &t[i], end - i, e) : -ENOMEM;
	}
	g->edges = edges;
	return r;
}

/* --- order of nodes --------------------------------------------------------------------------- */

struct sorted {
	const struct flow_node *node;
	size_t before;
};

static int node_cmp(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	if (x->node->kind != y->node->kind)
		return x->node->kind < y->node->kind ? -1 : 1;
	return strcmp(x->node->name, y->node->name);
}

static int sort_nodes(struct drawer *x, struct flow_graph *g)
{
	const struct flow_node *nodes = x->nodes.data;
	size_t n = x->nodes.n;
	bh_autofree struct sorted *s = calloc(n + 1, sizeof(*s));
	bh_autofree size_t *now = calloc(n + 1, sizeof(*now));
	struct flow_node *out = bh_arena_array(x->arena, n + 1, sizeof(*out));
	struct thread *t = x->threads.data;

	if (!s || !now || !out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s[i] = (struct sorted) { &nodes[i], i };
	qsort(s, n, sizeof(*s), node_cmp);
	for (size_t i = 0; i < n; i++) {
		out[i] = *s[i].node;
		out[i].name = bh_arena_strdup(x->arena, out[i].name);
		now[s[i].before] = i;
		if (!out[i].name)
			return -ENOMEM;
	}
	for (size_t i = 0; i < x->threads.n; i++) {
		t[i].from = now[t[i].from];
		t[i].to = now[t[i].to];
	}
	g->nodes = out;
	g->n_nodes = n;
	return 0;
}

/* The set that was given, and not the copy in which nobody is in audit. */
static void point_at(const struct policy_set *policies, const struct drawer *x,
		     struct flow_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct flow_node *n = (struct flow_node *)&g->nodes[i];

		if (n->service)
			n->service = &policies->services[n->service - x->map.policies.services];
	}
}

/* --- all of it -------------------------------------------------------------------------------- */

static int draw(struct drawer *x)
{
	size_t ignored;
	int r = index_rules(x);

	x->node_of = bh_arena_array(x->arena, x->cast.n + 1, sizeof(*x->node_of));
	if (!x->node_of)
		return -ENOMEM;
	for (uint32_t i = 0; r >= 0 && i < x->cast.n; i++)
		if (x->cast.parties[i].kind == PARTY_SERVICE)
			r = node_of_party(x, i, &ignored);
	if (r >= 0)
		r = draw_pairs(x);
	for (unsigned d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = draw_all_outside(x, (enum direction)d);
	return r;
}

int flow_graph_new(const struct policy_set *policies, const struct host_config *host, int64_t now,
		   struct flow_graph **ret, struct bh_err *err)
{
	struct drawer x = { .arena = bh_arena_new() };
	struct flow_graph *g = x.arena ? bh_arena_alloc(x.arena, sizeof(*g)) : NULL;
	int r = g ? cast_make(&policies, 1, &x.cast, err) : -ENOMEM;

	bh_vec_init(&x.nodes, sizeof(struct flow_node), BH_RANGES_MAX);
	bh_vec_init(&x.threads, sizeof(struct thread), BH_FLOWMAP_ENDS_MAX);
	bh_vec_init(&x.placed, sizeof(struct placed),
		    (size_t)BH_SERVICES_MAX * BH_RULES_PER_SERVICE_MAX * 2);
	if (r >= 0)
		r = flowmap_make(&x.cast, policies, host, now, &x.map, err);
	if (r >= 0)
		r = draw(&x);
	if (r >= 0)
		r = sort_nodes(&x, g);
	if (r >= 0) {
		point_at(policies, &x, g);
		g->labels_left_out = x.cast.labels_left_out;
		r = make_edges(&x, g);
	}
	bh_vec_done(&x.nodes);
	bh_vec_done(&x.threads);
	bh_vec_done(&x.placed);
	flowmap_done(&x.map);
	cast_done(&x.cast);
	if (r >= 0) {
		g->arena = x.arena;
		*ret = g;
		return 0;
	}
	bh_arena_free(x.arena);
	if (r == -E2BIG && err && !err->msg[0])
		return bh_err_set(err, r, "there are more flows than can be drawn");
	return r == -ENOMEM ? bh_err_oom(err) : r;
}

void flow_graph_free(struct flow_graph *g)
{
	if (g)
		bh_arena_free(g->arena); /* G itself lives in it */
}
