/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_TESTS_UNIT_COMPILE_POPULATION_H
#define BULKHEAD_TESTS_UNIT_COMPILE_POPULATION_H

/*
 * Services and endpoints by number, the same for the same seed, and endpoints that come, go and
 * change. Needs assert() alone, so that the benchmark and the fuzz target use it as well.
 */

#include <assert.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/compile/compile.h>

#define POP_NOW   INT64_C(1700000000)
#define POP_ADDRS 3

/* Random numbers: a generator's own, or what a fuzzer feeds. */
struct pop_random {
	uint64_t state;
	const uint8_t *bytes; /* these first */
	size_t n_bytes;
};

struct pop_shape {
	unsigned services, endpoints, teams, scopes, guardrails;
	unsigned addresses; /* how many there are to choose from; few collide often */
	bool odd; /* every kind of selector and peer, hosts, strangers, shared namespaces */
};

struct pop_endpoint {
	bool alive, host, image_only, has_netns;
	unsigned service, team, second; /* second: another service by label `also`, or UINT_MAX */
	unsigned space;                 /* namespace: equal = shared */
	unsigned addr[POP_ADDRS], n_addrs;
	unsigned resolver; /* 0 = none */
	unsigned version;  /* in the tag of the image, and the process id */
	unsigned renamed;
	unsigned namespace, ports; /* in the sense of Kubernetes; which ports have names */
};

struct pop {
	struct pop_shape shape;
	struct pop_random random;
	struct bh_arena *arena; /* of the policies */
	struct policy_set policies;
	struct host_config host;
	struct pop_endpoint *e; /* [shape.endpoints] */
	unsigned host_addrs, spaces;
	unsigned zones; /* labels of namespaces: two bits each */
	int64_t now;
	unsigned line;
};

static inline uint32_t pop_rnd(struct pop *p, uint32_t n)
{
	struct pop_random *r = &p->random;

	if (r->n_bytes) {
		uint32_t v = *r->bytes++;

		if (--r->n_bytes && n > 256) {
			v = v << 8 | *r->bytes++;
			r->n_bytes--;
		}
		return v % n;
	}
	r->state ^= r->state << 13;
	r->state ^= r->state >> 7;
	r->state ^= r->state << 17;
	return (uint32_t)(r->state >> 11) % n;
}

static inline bool pop_one_in(struct pop *p, uint32_t n)
{
	return pop_rnd(p, n) == 0;
}

static inline void *pop_alloc(struct bh_arena *arena, size_t n, size_t size)
{
	void *ret = bh_arena_array(arena, n + 1, size);

	assert(ret);
	return ret;
}

#define pop_text(arena, ...)                                                                       \
	({                                                                                         \
		const char *text_ = bh_arena_printf(arena, __VA_ARGS__);                           \
		assert(text_);                                                                     \
		text_;                                                                             \
	})

/* Number I as an address: one in eight is IPv6. */
static inline struct bh_addr pop_addr(unsigned i)
{
	struct bh_addr a = { .family = AF_INET, .b = { 10, 0, 0, 0 } };
	uint8_t *low = &a.b[1];

	if (i % 8 == 7) {
		a = (struct bh_addr) { .family = AF_INET6, .b = { 0xfd, 0 } };
		low = &a.b[13];
	}
	low[0] = (uint8_t)(i >> 16);
	low[1] = (uint8_t)(i >> 8);
	low[2] = (uint8_t)i;
	return a;
}

/* --- policies -------------------------------------------------------------------------------- */

static inline struct src_loc pop_loc(struct pop *p)
{
	return (struct src_loc) { "population.yaml", ++p->line, 1 };
}

static inline const struct port_spec *pop_ports(struct pop *p, size_t *ret_n)
{
	static const struct port_spec some[] = {
		{ IPPROTO_TCP, 80, 80 },     { IPPROTO_TCP, 443, 443 },
		{ IPPROTO_TCP, 5432, 5432 }, { IPPROTO_TCP, 8000, 8080 },
		{ IPPROTO_UDP, 53, 53 },     { IPPROTO_UDP, 0, UINT16_MAX },
		{ IPPROTO_ICMP, 8, 8 },      { IPPROTO_ICMPV6, 0, 255 },
		{ PROTO_ANY, 0, 0 },
	};
	size_t n = 1 + pop_rnd(p, 2);
	struct port_spec *v = pop_alloc(p->arena, n, sizeof(*v));

	for (size_t i = 0; i < n; i++)
		v[i] = some[pop_rnd(p, p->shape.odd ? BH_ARRAY_SIZE(some) : 4)];
	*ret_n = n;
	return v;
}

static inline const struct label *pop_label(struct pop *p, const char *key, const char *prefix,
					    unsigned i)
{
	struct label *l = pop_alloc(p->arena, 1, sizeof(*l));

	*l = (struct label) { key, pop_text(p->arena, "%s%03u", prefix, i) };
	return l;
}

static inline void pop_peer_cidr(struct pop *p, struct peer *x)
{
	unsigned len = 20 + pop_rnd(p, p->shape.odd ? 13 : 9);
	struct bh_addr a = pop_addr(pop_rnd(p, p->shape.addresses) & ~7u);

	x->has_cidr = true;
	if (!p->shape.odd)
		a.b[0] = (uint8_t)(172 + pop_rnd(p, 20));
	x->cidr = (struct bh_prefix) { a, (uint8_t)len };
	for (unsigned bit = len; bit < 32; bit++)
		x->cidr.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (len < 30 && pop_one_in(p, 4)) {
		struct bh_prefix *e = pop_alloc(p->arena, 1, sizeof(*e));

		*e = (struct bh_prefix) { x->cidr.addr, (uint8_t)(len + 2) };
		x->except = e;
		x->n_except = 1;
	}
}

static inline void pop_peer_service(struct pop *p, struct peer *x)
{
	x->service = p->policies.services[pop_rnd(p, p->shape.services)].name;
}

static inline void pop_peer_labels(struct pop *p, struct peer *x)
{
	x->labels = pop_label(p, "team", "t", pop_rnd(p, p->shape.teams));
	x->n_labels = 1;
}

static inline void pop_peer_group(struct pop *p, struct peer *x)
{
	x->group = p->policies.groups[pop_rnd(p, (uint32_t)p->policies.n_groups)].name;
}

/* Of a rule: mostly services; of a guardrail also scopes. */
static inline struct peer pop_peer(struct pop *p, bool guard)
{
	struct peer x = { .loc = pop_loc(p) };
	uint32_t kind = pop_rnd(p, p->shape.odd ? 100 : 99);

	if (guard && p->shape.scopes && pop_one_in(p, 2)) {
		const char *scope = p->policies.scopes[pop_rnd(p, p->shape.scopes)].name;

		if (pop_one_in(p, 2))
			x.scope = scope;
		else
			x.not_scope = scope;
		if (p->shape.odd && pop_one_in(p, 3))
			pop_peer_cidr(p, &x);
		return x;
	}
	if (guard && !p->shape.odd)
		kind %= 90; /* services, labels and networks */
	if (p->shape.odd)
		kind = kind * 7 % 100; /* all kinds alike are worth a test */
	if (kind < (p->shape.odd ? 20 : 60))
		pop_peer_service(p, &x);
	else if (kind < (p->shape.odd ? 40 : 75))
		pop_peer_labels(p, &x);
	else if (kind < (p->shape.odd ? 55 : 90))
		pop_peer_cidr(p, &x);
	else if (kind < (p->shape.odd ? 65 : 94))
		pop_peer_group(p, &x);
	else if (kind < (p->shape.odd ? 73 : 97))
		x.entity = ENTITY_WORLD;
	else if (kind < (p->shape.odd ? 80 : 98))
		x.entity = p->shape.odd || pop_one_in(p, 3) ? ENTITY_MANAGED : ENTITY_HOST;
	else if (kind < (p->shape.odd ? 87 : 99))
		x.entity = ENTITY_HOST;
	if (p->shape.odd && !x.entity) { /* several keys at a time; maybe none at all */
		if (pop_one_in(p, 5))
			pop_peer_service(p, &x);
		if (pop_one_in(p, 5))
			pop_peer_labels(p, &x);
		if (pop_one_in(p, 5))
			pop_peer_cidr(p, &x);
		if (pop_one_in(p, 8))
			pop_peer_group(p, &x);
	}
	if (p->shape.odd && pop_one_in(p, 12))
		x.entity = (enum entity)pop_rnd(p, 4);
	return x;
}

static inline struct rule pop_rule(struct pop *p, bool guard)
{
	struct rule r = { .loc = pop_loc(p), .n_peers = 1 + pop_rnd(p, p->shape.odd ? 3 : 2) };
	struct peer *peers = pop_alloc(p->arena, r.n_peers, sizeof(*peers));

	for (size_t i = 0; i < r.n_peers; i++)
		peers[i] = pop_peer(p, guard);
	r.peers = peers;
	r.ports = pop_ports(p, &r.n_ports);
	if (!guard && pop_one_in(p, p->shape.odd ? 4 : 40))
		r.expires = POP_NOW + pop_rnd(p, 400);
	return r;
}

#include "population_k8s.h"

static inline void pop_select(struct pop *p, unsigned i, struct service *s)
{
	struct selector *x = &s->select;

	x->loc = s->loc;
	switch (p->shape.odd ? pop_rnd(p, 8) : i % 16) {
	case 0:
		x->compose = pop_text(p->arena, "shop/c%03u", i);
		break;
	case 1:
		x->compose = pop_text(p->arena, "*/c%03u", i);
		break;
	case 2:
		x->image = pop_text(p->arena,
				    p->shape.odd ? "registry/c%03u:1" : "registry/c%03u:*", i);
		break;
	case 3:
		if (p->shape.odd) {
			x->name = pop_text(p->arena, "e*%u", i % 10);
			break;
		}
		/* fall through */
	default:
		x->labels = pop_label(p, "app", "s", i);
		x->n_labels = 1;
	}
	if (p->shape.odd && pop_one_in(p, 6))
		x->runtime = "docker";
}

static inline void pop_rules(struct pop *p, struct service *s, enum direction d, unsigned max)
{
	struct rule *r = pop_alloc(p->arena, max, sizeof(*r));

	s->n_rules[d] = pop_rnd(p, max + 1);
	for (size_t i = 0; i < s->n_rules[d]; i++)
		r[i] = pop_rule(p, false);
	s->rules[d] = r;
}

static inline void pop_service(struct pop *p, unsigned i, struct service *s)
{
	pop_select(p, i, s);
	s->mode = p->shape.odd || pop_one_in(p, 20) ? (enum mode)pop_rnd(p, 3) : MODE_ENFORCE;
	s->on_deny = (enum on_deny)pop_rnd(p, 2);
	s->log_denied = pop_one_in(p, 2);
	s->log_allowed = pop_one_in(p, 3);
	s->dns = pop_one_in(p, 2);
	s->dns_loc = s->direction_loc[0] = s->direction_loc[1] = pop_loc(p);
	s->egress_follow = pop_rnd(p, 10) < 4;
	if (p->shape.scopes && pop_rnd(p, 10) < (p->shape.odd ? 5 : 2))
		s->scope = p->policies.scopes[pop_rnd(p, p->shape.scopes)].name;
	pop_rules(p, s, DIRECTION_INGRESS, 4);
	if (!s->egress_follow)
		pop_rules(p, s, DIRECTION_EGRESS, 4);
}

static inline void pop_groups(struct pop *p)
{
	struct group *g = pop_alloc(p->arena, 3, sizeof(*g));

	for (unsigned i = 0; i < 3; i++) {
		struct bh_prefix *v = pop_alloc(p->arena, 4, sizeof(*v));

		for (unsigned k = 0; k < 4; k++) {
			struct peer x = { 0 };

			pop_peer_cidr(p, &x);
			v[k] = x.cidr;
		}
		g[i] = (struct group) { pop_loc(p), pop_text(p->arena, "g%u", i), v, 4 };
	}
	p->policies.groups = g;
	p->policies.n_groups = 3;
}

static inline struct deny pop_deny(struct pop *p)
{
	struct deny d = {
		.rule = pop_rule(p, true),
		.has_peers = true,
		.direction = (enum direction)pop_rnd(p, 2),
		.n_unless = pop_rnd(p, 3),
	};
	struct exception *u = pop_alloc(p->arena, d.n_unless, sizeof(*u));

	for (size_t i = 0; i < d.n_unless; i++) {
		u[i].peer = pop_peer(p, true);
		u[i].ports = pop_ports(p, &u[i].n_ports);
	}
	d.unless = u;
	return d;
}

/* Metadata for all; scopes that are shut off; the odd ones deny whatever comes. */
static inline void pop_guardrail(struct pop *p, unsigned i, struct guardrail *g)
{
	struct deny *d = pop_alloc(p->arena, 2, sizeof(*d));
	struct bh_prefix metadata = { { AF_INET, { 169, 254, 169, 254 } }, 32 };
	const char **services;

	g->name = pop_text(p->arena, "guard%02u", i);
	g->loc = pop_loc(p);
	d[0] = pop_deny(p);
	g->n_deny = 1;
	if (i == 0) {
		struct peer *x = pop_alloc(p->arena, 1, sizeof(*x));

		*x = (struct peer) { .has_cidr = true, .cidr = metadata };
		d[0].rule.peers = x;
		d[0].rule.n_peers = 1;
		d[0].n_unless = 0;
		g->all = true;
	} else if (p->shape.odd && pop_one_in(p, 3)) {
		g->labels = pop_label(p, "team", "t", pop_rnd(p, p->shape.teams));
		g->n_labels = 1;
		d[1] = pop_deny(p);
		g->n_deny = 2;
	} else if (p->shape.odd && pop_one_in(p, 2)) {
		services = pop_alloc(p->arena, 1, sizeof(*services));
		services[0] = p->policies.services[pop_rnd(p, p->shape.services)].name;
		g->services = services;
		g->n_services = 1;
	} else {
		g->scope = p->policies.scopes[i % p->shape.scopes].name;
	}
	g->deny = d;
}

static inline void pop_policies(struct pop *p)
{
	struct service *s = pop_alloc(p->arena, p->shape.services, sizeof(*s));
	struct scope *scopes = pop_alloc(p->arena, p->shape.scopes, sizeof(*scopes));
	struct guardrail *g = pop_alloc(p->arena, p->shape.guardrails, sizeof(*g));

	memset(p->policies.digest, 'd', 64);
	p->policies.arena = p->arena;
	p->policies.services = s;
	p->policies.n_services = p->shape.services;
	p->policies.scopes = scopes;
	p->policies.n_scopes = p->shape.scopes;
	for (unsigned i = 0; i < p->shape.scopes; i++)
		scopes[i].name = pop_text(p->arena, "scope%u", i);
	for (unsigned i = 0; i < p->shape.services; i++) {
		s[i].is_k8s = p->shape.odd && pop_one_in(p, 3);
		s[i].name = pop_text(p->arena, s[i].is_k8s ? "k8s:n/s%03u" : "s%03u", i);
		s[i].loc = pop_loc(p);
	}
	pop_groups(p);
	for (unsigned i = 0; i < p->shape.services; i++) {
		if (s[i].is_k8s)
			pop_k8s(p, &s[i]);
		else
			pop_service(p, i, &s[i]);
	}
	p->policies.guardrails = g;
	p->policies.n_guardrails = p->shape.guardrails;
	for (unsigned i = 0; i < p->shape.guardrails; i++)
		pop_guardrail(p, i, &g[i]);
}

/* --- endpoints ------------------------------------------------------------------------------- */

/* An address that nobody has yet, when there are enough of them; odd sites take any. */
static inline unsigned pop_pick_addr(struct pop *p, unsigned i)
{
	if (p->shape.odd)
		return 1 + pop_rnd(p, p->shape.addresses);
	return 1 + i * 4 + pop_rnd(p, 4);
}

/* Small services and large ones: the product of two draws leans to the low numbers. */
static inline unsigned pop_pick_service(struct pop *p)
{
	unsigned a = pop_rnd(p, p->shape.services), b = pop_rnd(p, p->shape.services);

	return p->shape.odd ? a : a < b ? a : b;
}

static inline void pop_endpoint_new(struct pop *p, unsigned i)
{
	struct pop_endpoint *e = &p->e[i];

	*e = (struct pop_endpoint) {
		.alive = true,
		.has_netns = !pop_one_in(p, p->shape.odd ? 10 : 100),
		.service = pop_pick_service(p),
		.team = pop_rnd(p, p->shape.teams),
		.second = pop_one_in(p, p->shape.odd ? 4 : 50) ? pop_rnd(p, p->shape.services)
							       : UINT32_MAX,
		.space = ++p->spaces,
		.n_addrs = 1 + pop_one_in(p, 10),
		.resolver = pop_rnd(p, 4),
	};
	if (!p->shape.odd) { /* the containers of a service are much alike */
		e->team = e->service % p->shape.teams;
		e->resolver = e->service % 4;
	}
	if (p->shape.odd) {
		e->namespace = pop_rnd(p, POP_NAMESPACES);
		e->ports = pop_rnd(p, 12);
		e->n_addrs = pop_rnd(p, POP_ADDRS + 1);
		e->host = pop_one_in(p, 12);
		e->image_only = pop_one_in(p, 8);
		if (pop_one_in(p, 3))
			e->space = 1 + pop_rnd(p, p->shape.endpoints);
	}
	for (unsigned k = 0; k < e->n_addrs; k++)
		e->addr[k] = pop_pick_addr(p, i);
}

/* Endpoint I changes in one thing, or comes, or goes. */
static inline void pop_change_one(struct pop *p, unsigned i)
{
	struct pop_endpoint *e = &p->e[i];

	if (!e->alive) {
		pop_endpoint_new(p, i);
		return;
	}
	switch (pop_rnd(p, p->shape.odd ? 15 : 12)) {
	case 0:
	case 1:
	case 2:
		e->alive = false;
		break;
	case 3:
	case 4:
		if (e->n_addrs)
			e->addr[pop_rnd(p, e->n_addrs)] = pop_pick_addr(p, i);
		break;
	case 5:
		if (e->n_addrs)
			e->n_addrs--;
		break;
	case 6:
		e->team = pop_rnd(p, p->shape.teams);
		break;
	case 7:
		e->service = pop_rnd(p, p->shape.services);
		break;
	case 8:
		e->second = e->second == UINT32_MAX ? pop_rnd(p, p->shape.services) : UINT32_MAX;
		break;
	case 9:
		e->resolver = pop_rnd(p, 4);
		break;
	case 10:
		e->space =
			pop_one_in(p, 2) ? p->e[pop_rnd(p, p->shape.endpoints)].space : ++p->spaces;
		break;
	case 12:
		e->namespace = pop_rnd(p, POP_NAMESPACES);
		break;
	case 13:
	case 14:
		e->ports = pop_rnd(p, 12);
		break;
	default:
		if (p->shape.odd && pop_one_in(p, 2))
			e->host = !e->host;
		else if (p->shape.odd && pop_one_in(p, 2))
			e->has_netns = !e->has_netns;
		else if (p->shape.odd && pop_one_in(p, 2))
			e->renamed++;
		else
			e->version++;
	}
}

static inline struct endpoint pop_endpoint(const struct pop *p, unsigned i, struct bh_arena *arena)
{
	const struct pop_endpoint *m = &p->e[i];
	struct label *labels = pop_alloc(arena, 3, sizeof(*labels));
	struct bh_addr *addrs = pop_alloc(arena, m->n_addrs + 1, sizeof(*addrs));
	struct endpoint e = {
		.id = pop_text(arena, "e%05u", i),
		.namespace = "default",
		.runtime = i % 2 ? ENDPOINT_DOCKER : ENDPOINT_PODMAN,
		.image = pop_text(arena, "registry/c%03u:%u", m->service, m->version % 2),
		.compose_project = "shop",
		.compose_service = pop_text(arena, "c%03u", m->service),
		.netns = m->has_netns ? pop_text(arena, "/run/netns/%05u", m->space) : NULL,
		.netns_ino = m->has_netns && m->space % 3 ? 4026532000u + m->space : 0,
		.pid = (int)m->version,
		.obstacle = m->host ? ENDPOINT_HOST_NETWORK : ENDPOINT_HOLDABLE,
	};
	size_t n = 0;

	if (p->shape.odd)
		pop_k8s_endpoint(m, arena, &e);
	e.name = pop_text(arena, "e%05u", i + m->renamed);
	labels[n++] = (struct label) { "app", pop_text(arena, "s%03u", m->service) };
	if (m->second !=
	    UINT32_MAX) /* the later of two equal keys: what a policy sees is the first */
		labels[n - 1].value = pop_text(arena, "s%03u", m->second);
	labels[n++] = (struct label) { "team", pop_text(arena, "t%03u", m->team) };
	e.labels = labels;
	e.n_labels = n;
	if (m->image_only) {
		e.image_labels = labels;
		e.n_image_labels = n;
		e.n_labels = 0;
	}
	for (unsigned k = 0; k < m->n_addrs; k++)
		addrs[k] = pop_addr(m->addr[k]);
	if (p->shape.odd && i % 13 == 5) /* an address that names nobody */
		addrs[m->n_addrs] = (struct bh_addr) { AF_INET, { 127, 0, 0, 1 } };
	e.addrs = addrs;
	e.n_addrs = m->n_addrs + (p->shape.odd && i % 13 == 5);
	if (m->resolver) {
		struct bh_addr *r = pop_alloc(arena, 1, sizeof(*r));

		*r = pop_addr(m->resolver * 3);
		e.resolvers = r;
		e.n_resolvers = 1;
	}
	return e;
}

/* The endpoints as they are now; freed with endpoint_set_free(). */
static inline struct endpoint_set *pop_endpoints(struct pop *p)
{
	struct bh_arena *arena = bh_arena_new();
	struct endpoint_set *s = pop_alloc(arena, 1, sizeof(*s));
	struct endpoint *e = pop_alloc(arena, p->shape.endpoints, sizeof(*e));
	struct bh_addr *host = pop_alloc(arena, p->host_addrs, sizeof(*host));

	s->arena = arena;
	for (unsigned i = 0; i < p->shape.endpoints; i++)
		if (p->e[i].alive)
			e[s->n++] = pop_endpoint(p, i, arena);
	for (unsigned i = 0; i < p->host_addrs; i++)
		host[i] = pop_addr(p->shape.odd ? 1 + i * 5 : p->shape.addresses + 8 * i);
	s->endpoints = e;
	s->host_addrs = host;
	s->n_host_addrs = p->host_addrs;
	s->shared_addrs = host;
	s->n_shared_addrs = p->host_addrs ? 1 : 0;
	pop_k8s_namespaces(p, arena, s);
	return s;
}

static inline struct compile_input pop_input(const struct pop *p, const struct endpoint_set *e)
{
	return (struct compile_input) { &p->policies, e, &p->host, p->now };
}

static inline void pop_init(struct pop *p, const struct pop_shape *shape,
			    const struct pop_random *random)
{
	*p = (struct pop) { .shape = *shape, .random = *random, .now = POP_NOW, .host_addrs = 3 };
	p->arena = bh_arena_new();
	p->e = calloc(shape->endpoints + 1, sizeof(*p->e));
	assert(p->arena && p->e);
	if (!p->random.state)
		p->random.state = 88172645463325252u;
	pop_policies(p);
	for (unsigned i = 0; i < shape->endpoints; i++)
		pop_endpoint_new(p, i);
}

static inline void pop_done(struct pop *p)
{
	free(p->e);
	bh_arena_free(p->arena);
}

#endif
