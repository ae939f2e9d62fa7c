/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_TESTS_UNIT_COMPILE_POPULATION_K8S_H
#define BULKHEAD_TESTS_UNIT_COMPILE_POPULATION_K8S_H

/* NetworkPolicies by number, for population.h, which includes this. */

#define POP_NAMESPACES 3

static inline struct label_query pop_query(struct pop *p, const char *key, const char *prefix,
					   unsigned values)
{
	struct label_match *m = pop_alloc(p->arena, 2, sizeof(*m));
	size_t n = pop_rnd(p, 3);

	for (size_t i = 0; i < n; i++) {
		enum label_op op = (enum label_op)pop_rnd(p, 4);
		const char **v = pop_alloc(p->arena, 2, sizeof(*v));

		m[i] = (struct label_match) { pop_one_in(p, 6) ? "missing" : key, op, v, 0 };
		if (op == LABEL_IN || op == LABEL_NOT_IN)
			m[i].n_values = 1 + pop_rnd(p, 2);
		for (size_t k = 0; k < m[i].n_values; k++)
			v[k] = pop_text(p->arena, "%s%03u", prefix, pop_rnd(p, values));
	}
	return (struct label_query) { m, n };
}

static inline const struct pods *pop_pods(struct pop *p, bool own)
{
	struct pods *x = pop_alloc(p->arena, 1, sizeof(*x));
	struct label *exact = pop_alloc(p->arena, 2, sizeof(*exact));

	if (own || pop_one_in(p, 2))
		x->namespace = pop_text(p->arena, "n%u", pop_rnd(p, POP_NAMESPACES));
	else
		x->namespaces = pop_query(p, "zone", "z", 2);
	x->labels = pop_one_in(p, 2) ? pop_query(p, "team", "t", p->shape.teams)
				     : pop_query(p, "app", "s", p->shape.services);
	for (size_t i = 0; i < x->labels.n; i++)
		if (x->labels.match[i].op == LABEL_IN && x->labels.match[i].n_values == 1)
			exact[x->n_exact++] = (struct label) { x->labels.match[i].key,
							       x->labels.match[i].values[0] };
	x->exact = exact;
	return x;
}

static inline struct rule pop_k8s_rule(struct pop *p)
{
	static const char *const names[] = { "http", "dns" };
	struct rule r = { .loc = pop_loc(p), .n_peers = 1 + pop_rnd(p, 2) };
	struct peer *peers = pop_alloc(p->arena, r.n_peers, sizeof(*peers));
	struct port_name *named = pop_alloc(p->arena, 2, sizeof(*named));

	for (size_t i = 0; i < r.n_peers; i++) {
		peers[i].loc = pop_loc(p);
		if (pop_one_in(p, 4))
			pop_peer_cidr(p, &peers[i]);
		else if (pop_one_in(p, 5))
			peers[i].entity = ENTITY_ALL;
		else
			peers[i].pods = pop_pods(p, false);
	}
	r.peers = peers;
	if (pop_one_in(p, 2))
		r.ports = pop_ports(p, &r.n_ports);
	if (!r.n_ports || pop_one_in(p, 3))
		r.n_named = 1 + pop_rnd(p, 2);
	for (size_t i = 0; i < r.n_named; i++)
		named[i] = (struct port_name) { r.loc, names[pop_rnd(p, 2)],
						pop_one_in(p, 3) ? IPPROTO_UDP : IPPROTO_TCP };
	r.named = named;
	return r;
}

static inline void pop_k8s(struct pop *p, struct service *s)
{
	s->select.pods = pop_pods(p, true);
	s->select.loc = s->loc;
	s->log_denied = true;
	s->dns_loc = s->direction_loc[0] = s->direction_loc[1] = pop_loc(p);
	for (int d = 0; d < DIRECTIONS; d++) {
		struct rule *r = pop_alloc(p->arena, 3, sizeof(*r));

		s->leaves_open[d] = pop_one_in(p, 3);
		s->n_rules[d] = s->leaves_open[d] ? 0 : pop_rnd(p, 4);
		for (size_t i = 0; i < s->n_rules[d]; i++)
			r[i] = pop_k8s_rule(p);
		s->rules[d] = r;
	}
}

/* What endpoint M has of it. */
static inline void pop_k8s_endpoint(const struct pop_endpoint *m, struct bh_arena *arena,
				    struct endpoint *e)
{
	struct endpoint_port *ports = pop_alloc(arena, 3, sizeof(*ports));

	e->namespace = pop_text(arena, "n%u", m->namespace);
	ports[0] = (struct endpoint_port) { "http", (uint16_t)(8000 + m->ports % 3), IPPROTO_TCP };
	ports[1] = (struct endpoint_port) { "dns", (uint16_t)(53 + m->ports / 3 % 2), IPPROTO_UDP };
	ports[2] = (struct endpoint_port) { "http", (uint16_t)(80 + m->ports % 2), IPPROTO_UDP };
	e->ports = ports;
	e->n_ports = m->ports % 4;
}

static inline void pop_k8s_namespaces(const struct pop *p, struct bh_arena *arena,
				      struct endpoint_set *s)
{
	struct namespace_label *l = pop_alloc(arena, POP_NAMESPACES, sizeof(*l));

	for (unsigned i = 0; i < POP_NAMESPACES; i++)
		if (p->zones >> 2 * i & 2)
			l[s->n_namespace_labels++] =
				(struct namespace_label) { pop_text(arena, "n%u", i), "zone",
							   pop_text(arena, "z%03u",
								    p->zones >> 2 * i & 1) };
	s->namespace_labels = l;
}

#endif
