/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_TESTS_UNIT_COMPILE_FIXTURE_H
#define BULKHEAD_TESTS_UNIT_COMPILE_FIXTURE_H

/* Policy and endpoint sets written down in a few lines; every size is checked by assert(). */

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/compile/compile.h>

#define FX_SERVICES  512
#define FX_ENDPOINTS 10000
#define FX_RULES     16
#define FX_PEERS     8
#define FX_PORTS     8
#define FX_NOW       1700000000

struct fx {
	struct bh_arena *arena;
	struct policy_set policies;
	struct endpoint_set endpoints;
	struct host_config host;
	struct compile_input in;
	struct diag_list diags;
	struct bh_err err;
	struct ruleset_list *list;
	unsigned line;
};

static inline void *fx_alloc(struct fx *f, size_t n, size_t size)
{
	void *p = bh_arena_array(f->arena, n, size);

	assert(p);
	return p;
}

static inline void fx_init(struct fx *f)
{
	uint32_t *by_name;

	*f = (struct fx) { .arena = bh_arena_new() };
	assert(f->arena);
	f->policies.services = fx_alloc(f, FX_SERVICES, sizeof(struct service));
	f->policies.groups = fx_alloc(f, 16, sizeof(struct group));
	f->policies.scopes = fx_alloc(f, 16, sizeof(struct scope));
	f->policies.guardrails = fx_alloc(f, 16, sizeof(struct guardrail));
	memset(f->policies.digest, 'd', 64);
	f->endpoints.endpoints = fx_alloc(f, FX_ENDPOINTS, sizeof(struct endpoint));
	by_name = fx_alloc(f, FX_ENDPOINTS, sizeof(*by_name));
	for (uint32_t i = 0; i < FX_ENDPOINTS; i++)
		by_name[i] = i; /* a name is the id, unless a test says otherwise */
	f->endpoints.by_name = by_name;
	f->in = (struct compile_input) { &f->policies, &f->endpoints, &f->host, FX_NOW };
	diag_list_init(&f->diags);
}

static inline void fx_done(struct fx *f)
{
	ruleset_list_free(f->list);
	diag_list_done(&f->diags);
	bh_arena_free(f->arena);
}

static inline struct bh_addr fx_addr(const char *s)
{
	struct bh_addr a;

	assert(bh_addr_parse(s, &a) >= 0);
	return a;
}

static inline struct bh_prefix fx_prefix(const char *s)
{
	struct bh_prefix p;

	assert(bh_prefix_parse(s, &p) >= 0);
	return p;
}

/* "app=web,tier=front" */
static inline const struct label *fx_labels(struct fx *f, const char *s, size_t *ret_n)
{
	struct label *l = fx_alloc(f, 8, sizeof(*l));
	char *copy = bh_arena_strdup(f->arena, s), *save;
	size_t n = 0;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(w, '=');

		assert(eq && n < 8);
		*eq = '\0';
		l[n++] = (struct label) { w, eq + 1 };
	}
	*ret_n = n;
	return l;
}

/* "10.0.0.1,fd00::1" */
static inline const struct bh_addr *fx_addrs(struct fx *f, const char *s, size_t *ret_n)
{
	struct bh_addr *a = fx_alloc(f, 16, sizeof(*a));
	char *copy = bh_arena_strdup(f->arena, s), *save;
	size_t n = 0;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		assert(n < 16);
		a[n++] = fx_addr(w);
	}
	*ret_n = n;
	return a;
}

/* Endpoints must come sorted by id. Each gets its own namespace. */
static inline struct endpoint *fx_endpoint(struct fx *f, const char *id, const char *labels,
					   const char *addrs)
{
	struct endpoint *e = (struct endpoint *)&f->endpoints.endpoints[f->endpoints.n++];

	assert(f->endpoints.n <= FX_ENDPOINTS);
	assert(f->endpoints.n < 2 || strcmp(e[-1].id, id) < 0);
	*e = (struct endpoint) {
		.id = bh_arena_strdup(f->arena, id),
		.name = bh_arena_strdup(f->arena, id),
		.namespace = "default",
		.netns = bh_arena_printf(f->arena, "/run/netns/%s", id),
		.netns_ino = 1000 + f->endpoints.n,
	};
	e->labels = fx_labels(f, labels, &e->n_labels);
	e->addrs = fx_addrs(f, addrs, &e->n_addrs);
	return e;
}

static inline void fx_host_addrs(struct fx *f, const char *addrs)
{
	f->endpoints.host_addrs = fx_addrs(f, addrs, &f->endpoints.n_host_addrs);
}

/* A service that selects by label app=NAME. */
static inline struct service *fx_service(struct fx *f, const char *name)
{
	struct service *s = (struct service *)&f->policies.services[f->policies.n_services++];
	const char *file = bh_arena_printf(f->arena, "policies/%s.yaml", name);

	assert(f->policies.n_services <= FX_SERVICES);
	*s = (struct service) {
		.loc = { file, 1, 10 },
		.name = bh_arena_strdup(f->arena, name),
		.log_denied = true,
		.direction_loc = { { file, 5, 1 }, { file, 3, 1 } },
		.dns_loc = { file, 9, 1 },
	};
	s->select.labels =
		fx_labels(f, bh_arena_printf(f->arena, "app=%s", name), &s->select.n_labels);
	for (int d = 0; d < DIRECTIONS; d++)
		s->rules[d] = fx_alloc(f, FX_RULES, sizeof(struct rule));
	return s;
}

/* "443/tcp,53/udp" */
static inline const struct port_spec *fx_ports(struct fx *f, const char *ports, size_t *ret_n)
{
	struct port_spec *p = fx_alloc(f, FX_PORTS, sizeof(*p));
	char *copy = bh_arena_strdup(f->arena, ports), *save;
	const char *why;
	size_t n = 0;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		assert(n < FX_PORTS);
		assert(port_spec_parse(w, &p[n++], &why) >= 0);
	}
	*ret_n = n;
	return p;
}

static inline void fx_fill_rule(struct fx *f, struct rule *r, const char *file, const char *name,
				const char *ports)
{
	*r = (struct rule) {
		.loc = { file, 20 + f->line++, 5 },
		.name = name,
		.peers = fx_alloc(f, FX_PEERS, sizeof(struct peer)),
	};
	r->ports = fx_ports(f, ports, &r->n_ports);
}

/* PORTS: "443/tcp,53/udp". NAME may be NULL. */
static inline struct rule *fx_rule(struct fx *f, struct service *s, enum direction d,
				   const char *name, const char *ports)
{
	struct rule *r = (struct rule *)&s->rules[d][s->n_rules[d]++];

	assert(s->n_rules[d] <= FX_RULES);
	fx_fill_rule(f, r, s->loc.file, name, ports);
	return r;
}

/* A guardrail that selects nobody yet. */
static inline struct guardrail *fx_guardrail(struct fx *f, const char *name)
{
	struct guardrail *g = (struct guardrail *)&f->policies.guardrails[f->policies.n_guardrails];

	assert(f->policies.n_guardrails++ < 16);
	*g = (struct guardrail) {
		.loc = { "policies/guardrails.yaml", 1, 12 },
		.name = bh_arena_strdup(f->arena, name),
		.deny = fx_alloc(f, FX_RULES, sizeof(struct deny)),
	};
	return g;
}

/* Peers go to ->rule. */
static inline struct deny *fx_deny(struct fx *f, struct guardrail *g, enum direction d,
				   const char *ports)
{
	struct deny *x = (struct deny *)&g->deny[g->n_deny];

	assert(g->n_deny++ < FX_RULES);
	fx_fill_rule(f, &x->rule, "policies/guardrails.yaml", NULL, ports);
	x->direction = d;
	x->has_peers = true;
	x->unless = fx_alloc(f, FX_PEERS, sizeof(struct exception));
	return x;
}

static inline struct peer *fx_unless(struct fx *f, struct deny *x, const char *ports)
{
	struct exception *e = (struct exception *)&x->unless[x->n_unless];

	assert(x->n_unless++ < FX_PEERS);
	e->ports = fx_ports(f, ports, &e->n_ports);
	return &e->peer;
}

static inline void fx_scope(struct fx *f, const char *name)
{
	struct scope *s = (struct scope *)&f->policies.scopes[f->policies.n_scopes];

	assert(f->policies.n_scopes++ < 16);
	*s = (struct scope) { .name = bh_arena_strdup(f->arena, name) };
}

static inline struct peer *fx_peer(struct rule *r)
{
	assert(r->n_peers < FX_PEERS);
	return (struct peer *)&r->peers[r->n_peers++];
}

static inline void fx_peer_service(struct rule *r, const char *name)
{
	fx_peer(r)->service = name;
}

static inline void fx_peer_entity(struct rule *r, enum entity e)
{
	fx_peer(r)->entity = e;
}

static inline void fx_set_cidr(struct fx *f, struct peer *p, const char *cidr, const char *except)
{
	p->has_cidr = true;
	p->cidr = fx_prefix(cidr);
	if (except) {
		struct bh_prefix *x = fx_alloc(f, 1, sizeof(*x));

		*x = fx_prefix(except);
		p->except = x;
		p->n_except = 1;
	}
}

static inline void fx_peer_cidr(struct fx *f, struct rule *r, const char *cidr, const char *except)
{
	fx_set_cidr(f, fx_peer(r), cidr, except);
}

/* "10.0.0.0/8,192.0.2.1/32" */
static inline void fx_group(struct fx *f, const char *name, const char *cidrs)
{
	struct group *g = (struct group *)&f->policies.groups[f->policies.n_groups++];
	struct bh_prefix *p = fx_alloc(f, 16, sizeof(*p));
	char *copy = bh_arena_strdup(f->arena, cidrs), *save;

	assert(f->policies.n_groups <= 16);
	*g = (struct group) { .name = bh_arena_strdup(f->arena, name), .cidrs = p };
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		assert(g->n_cidrs < 16);
		p[g->n_cidrs++] = fx_prefix(w);
	}
}

/* Compile; the number of rulesets. */
static inline size_t fx_compile(struct fx *f)
{
	ruleset_list_free(f->list);
	f->list = NULL;
	if (compile_rulesets(&f->in, false, &f->list, &f->diags, &f->err) < 0)
		fail_msg("compile: %s", f->err.msg);
	return f->list->n;
}

/* The ruleset of an endpoint, or NULL. */
static inline const struct ruleset *fx_ruleset(const struct fx *f, const char *id)
{
	for (size_t i = 0; i < f->list->n; i++) {
		const struct ruleset_item *item = &f->list->items[i];

		if (strcmp(f->endpoints.endpoints[item->endpoint].id, id) == 0)
			return item->ruleset;
	}
	return NULL;
}

/* The name of the rule that allows a flow, or "deny". PORT as in a policy, one port. */
static inline const char *fx_verdict_at(const struct fx *f, const char *id, enum direction d,
					const char *remote, const char *port, int64_t now)
{
	const struct ruleset *r = fx_ruleset(f, id);
	struct flow_key k = { .direction = d, .remote = fx_addr(remote) };
	const struct entry *e;
	struct port_spec p;
	const char *why;

	assert(r && port_spec_parse(port, &p, &why) >= 0 && p.lo == p.hi);
	k.proto = p.proto;
	k.port = p.lo;
	e = ruleset_guard(r, &k);
	if (e)
		return r->rules[e->rule].name;
	e = ruleset_lookup(r, &k, now);
	if (!e && r->open)
		return "open";
	return e ? r->rules[e->rule].name : "deny";
}

static inline const char *fx_verdict(const struct fx *f, const char *id, enum direction d,
				     const char *remote, const char *port)
{
	return fx_verdict_at(f, id, d, remote, port, FX_NOW);
}

#define assert_out(f, id, remote, port, rule)                                                      \
	assert_string_equal(fx_verdict(f, id, DIRECTION_EGRESS, remote, port), rule)
#define assert_in(f, id, remote, port, rule)                                                       \
	assert_string_equal(fx_verdict(f, id, DIRECTION_INGRESS, remote, port), rule)

/* A repeatable stream of numbers: the same on every machine. */
static inline uint32_t fx_random(uint64_t *state, uint32_t below)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33) % below;
}

#endif
