/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>

#include "fixture.h"

/*
 * Random policies, judged twice: by the compiled rulesets, and by a naive reading of the policy
 * itself that knows nothing of sets, ranges and boxes.
 */

#define ROUNDS    300
#define SERVICES  5
#define ENDPOINTS 7

static const char *const outside[] = {
	"8.8.8.8",     "10.0.0.200", "10.0.1.1", "10.0.1.130",  "172.17.0.1",    "169.254.169.254",
	"2001:db8::1", "fd00::77",   "fe80::1",  "192.0.2.255", "fd00:ec2::254",
};

static const char *const port_words[] = {
	"80/tcp",     "443/tcp",
	"80-90/tcp",  "53/udp",
	"tcp",        "icmp/echo-request",
	"icmp",       "icmpv6",
	"any",        "icmpv6/echo-request",
	"85-443/tcp", "udp",
	"9/sctp",
};

static const struct port_spec probes[] = {
	{ IPPROTO_TCP, 80, 80 },       { IPPROTO_TCP, 85, 85 },
	{ IPPROTO_TCP, 90, 90 },       { IPPROTO_TCP, 443, 443 },
	{ IPPROTO_TCP, 444, 444 },     { IPPROTO_TCP, 0, 0 },
	{ IPPROTO_TCP, 65535, 65535 }, { IPPROTO_UDP, 53, 53 },
	{ IPPROTO_UDP, 54, 54 },       { IPPROTO_SCTP, 9, 9 },
	{ IPPROTO_ICMP, 8, 8 },        { IPPROTO_ICMP, 13, 13 },
	{ IPPROTO_ICMPV6, 128, 128 },  { 47, 0, 0 },
};

/* --- the naive reading ------------------------------------------------------------------------ */

static bool has_addr(const struct endpoint *e, const struct bh_addr *a)
{
	for (size_t i = 0; i < e->n_addrs; i++) {
		if (bh_addr_cmp(&e->addrs[i], a) == 0)
			return true;
	}
	return false;
}

static bool has_labels(const struct endpoint *e, const struct label *l, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *v = endpoint_label(e, l[i].key, false);

		if (!v || strcmp(v, l[i].value) != 0)
			return false;
	}
	return true;
}

static bool is_of(const struct endpoint *e, const struct service *s)
{
	return has_labels(e, s->select.labels, s->select.n_labels);
}

static bool is_managed(const struct fx *f, const struct endpoint *e)
{
	for (size_t i = 0; i < f->policies.n_services; i++) {
		if (is_of(e, &f->policies.services[i]))
			return true;
	}
	return false;
}

enum claim { BY_SERVICE, BY_LABELS, BY_MANAGED };

/* Is A the address of an endpoint of that kind? */
static bool is_endpoint(const struct fx *f, const struct bh_addr *a, enum claim by,
			const struct peer *p)
{
	for (size_t i = 0; i < f->endpoints.n; i++) {
		const struct endpoint *e = &f->endpoints.endpoints[i];

		if (!has_addr(e, a) || !is_managed(f, e))
			continue;
		if (by == BY_MANAGED)
			return true;
		if (by == BY_LABELS && has_labels(e, p->labels, p->n_labels))
			return true;
		if (by == BY_SERVICE && is_of(e, policy_set_service(&f->policies, p->service)))
			return true;
	}
	return false;
}

static bool is_contested(const struct fx *f, const struct bh_addr *a)
{
	size_t n = 0;

	for (size_t i = 0; i < f->endpoints.n; i++)
		n += has_addr(&f->endpoints.endpoints[i], a);
	return n > 1;
}

static bool is_host(const struct fx *f, const struct bh_addr *a)
{
	for (size_t i = 0; i < f->endpoints.n_host_addrs; i++) {
		if (bh_addr_cmp(&f->endpoints.host_addrs[i], a) == 0)
			return true;
	}
	return false;
}

static bool is_world(const struct fx *f, const struct bh_addr *a)
{
	static const char *const not_world[] = { "169.254.0.0/16", "fe80::/10",
						 "fd00:ec2::254/128" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(not_world); i++) {
		struct bh_prefix p = fx_prefix(not_world[i]);

		if (bh_prefix_contains(&p, a))
			return false;
	}
	return !is_endpoint(f, a, BY_MANAGED, NULL) && !is_host(f, a);
}

static bool in_group(const struct fx *f, const char *name, const struct bh_addr *a)
{
	const struct group *g = policy_set_group(&f->policies, name);

	for (size_t i = 0; i < g->n_cidrs; i++) {
		if (bh_prefix_contains(&g->cidrs[i], a))
			return true;
	}
	return false;
}

static bool in_cidr(const struct peer *p, const struct bh_addr *a)
{
	for (size_t i = 0; i < p->n_except; i++) {
		if (bh_prefix_contains(&p->except[i], a))
			return false;
	}
	return bh_prefix_contains(&p->cidr, a);
}

static bool peer_matches(const struct fx *f, const struct peer *p, const struct bh_addr *a)
{
	if (!p->service && !p->n_labels && !p->group && !p->has_cidr && !p->entity)
		return false;
	return (!p->service || is_endpoint(f, a, BY_SERVICE, p)) &&
	       (!p->n_labels || is_endpoint(f, a, BY_LABELS, p)) &&
	       (!p->group || in_group(f, p->group, a)) && (!p->has_cidr || in_cidr(p, a)) &&
	       (p->entity != ENTITY_MANAGED || is_endpoint(f, a, BY_MANAGED, p)) &&
	       (p->entity != ENTITY_HOST || is_host(f, a)) &&
	       (p->entity != ENTITY_WORLD || is_world(f, a));
}

static bool rule_matches(const struct fx *f, const struct rule *r, const struct bh_addr *a,
			 const struct port_spec *q)
{
	bool port = false, peer = false;

	if (r->expires && r->expires <= FX_NOW)
		return false;
	if (q->proto == (a->family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		/* the wrong ICMP for the family is a protocol as any other */
		for (size_t i = 0; i < r->n_ports; i++)
			port |= r->ports[i].proto == PROTO_ANY;
	} else {
		for (size_t i = 0; i < r->n_ports; i++)
			port |= r->ports[i].proto == PROTO_ANY ||
				port_spec_contains(&r->ports[i], q->proto, q->lo);
	}
	for (size_t i = 0; i < r->n_peers; i++)
		peer |= peer_matches(f, &r->peers[i], a);
	return port && peer && !is_contested(f, a);
}

/* Does the policy let endpoint E have this flow? By a rule at place WHERE, if that is not NULL. */
static bool naive(const struct fx *f, const struct endpoint *e, enum direction d,
		  const struct bh_addr *remote, const struct port_spec *q, const char *where)
{
	char at[64];

	for (size_t k = 0; k < f->policies.n_services; k++) {
		const struct service *s = &f->policies.services[k];

		for (size_t i = 0; is_of(e, s) && i < s->n_rules[d]; i++) {
			if (!rule_matches(f, &s->rules[d][i], remote, q))
				continue;
			snprintf(at, sizeof(at), "%s:%u", s->rules[d][i].loc.file,
				 s->rules[d][i].loc.line);
			if (!where || strcmp(at, where) == 0)
				return true;
		}
	}
	return false;
}

/* --- guardrails, read naively ---------------------------------------------------------------- */

/* WIDE: an address that two claim counts as either's. */
static bool in_scope(const struct fx *f, const char *scope, const struct bh_addr *a, bool wide)
{
	for (size_t i = 0; i < f->endpoints.n; i++)
		for (size_t k = 0; k < f->policies.n_services; k++) {
			const struct service *s = &f->policies.services[k];

			if (has_addr(&f->endpoints.endpoints[i], a) && s->scope &&
			    strcmp(s->scope, scope) == 0 && is_of(&f->endpoints.endpoints[i], s))
				return wide || !is_contested(f, a);
		}
	return false;
}

static bool guard_peer_matches(const struct fx *f, const struct peer *p, const struct bh_addr *a,
			       bool wide)
{
	struct peer rest = *p;

	if (!wide && is_contested(f, a))
		return false;
	if (p->scope && !in_scope(f, p->scope, a, wide))
		return false;
	if (p->not_scope && in_scope(f, p->not_scope, a, !wide))
		return false;
	rest.scope = rest.not_scope = NULL;
	if (rest.entity == ENTITY_WORLD && wide && is_contested(f, a)) {
		if (is_host(f, a))
			return false;
		rest.entity = ENTITY_NONE; /* nobody knows whose it is: the world's, too */
	}
	if (!rest.service && !rest.n_labels && !rest.group && !rest.has_cidr && !rest.entity)
		return p->scope || p->not_scope || p->entity;
	return peer_matches(f, &rest, a);
}

static bool guard_ports_match(const struct port_spec *ports, size_t n, const struct bh_addr *a,
			      const struct port_spec *q)
{
	bool foreign = q->proto == (a->family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	for (size_t i = 0; i < n; i++)
		if (ports[i].proto == PROTO_ANY ||
		    (!foreign && port_spec_contains(&ports[i], q->proto, q->lo)))
			return true;
	return false;
}

static bool deny_matches(const struct fx *f, const struct deny *d, const struct bh_addr *a,
			 const struct port_spec *q)
{
	bool peer = false;

	for (size_t i = 0; i < d->rule.n_peers; i++)
		peer |= guard_peer_matches(f, &d->rule.peers[i], a, true);
	if (!peer || !guard_ports_match(d->rule.ports, d->rule.n_ports, a, q))
		return false;
	for (size_t i = 0; i < d->n_unless; i++)
		if (guard_peer_matches(f, &d->unless[i].peer, a, false) &&
		    guard_ports_match(d->unless[i].ports, d->unless[i].n_ports, a, q))
			return false;
	return true;
}

static bool guard_selects(const struct fx *f, const struct guardrail *g, const struct endpoint *e)
{
	bool scope = !g->scope, named = !g->n_services;

	for (size_t k = 0; k < f->policies.n_services; k++) {
		const struct service *s = &f->policies.services[k];

		if (!is_of(e, s))
			continue;
		scope |= g->scope && s->scope && strcmp(s->scope, g->scope) == 0;
		for (size_t i = 0; i < g->n_services; i++)
			named |= strcmp(s->name, g->services[i]) == 0;
	}
	return g->all || (has_labels(e, g->labels, g->n_labels) && scope && named);
}

/* The place of the first guardrail's entry that denies it, or 0. */
static unsigned naive_guard(const struct fx *f, const struct endpoint *e, enum direction d,
			    const struct bh_addr *remote, const struct port_spec *q)
{
	for (size_t k = 0; k < f->policies.n_guardrails; k++) {
		const struct guardrail *g = &f->policies.guardrails[k];

		for (size_t i = 0; guard_selects(f, g, e) && i < g->n_deny; i++)
			if (g->deny[i].direction == d && deny_matches(f, &g->deny[i], remote, q))
				return g->deny[i].rule.loc.line;
	}
	return 0;
}

static bool is_guarded(const struct fx *f, const struct endpoint *e)
{
	for (size_t k = 0; k < f->policies.n_guardrails; k++)
		if (guard_selects(f, &f->policies.guardrails[k], e))
			return true;
	return false;
}

/* --- random policies -------------------------------------------------------------------------- */

static void random_keys(struct fx *f, struct peer *p, uint64_t *seed)
{
	static const char *const cidrs[] = { "10.0.0.0/24", "10.0.0.2/31", "10.0.0.3/32",
					     "0.0.0.0/0",   "fd00::/64",   "::/0" };
	static const char *const inside[] = { "10.0.0.4/30", "10.0.0.3/32", NULL,
					      "10.0.1.0/25", "fd00::4/126", "2001:db8::/32" };
	uint32_t keys = fx_random(seed, 6) ? 1u << fx_random(seed, 5) : fx_random(seed, 32), c;

	if (keys & 1)
		p->service = f->policies.services[fx_random(seed, SERVICES)].name;
	if (keys & 2)
		p->labels = fx_labels(f, fx_random(seed, 2) ? "tier=a" : "tier=b", &p->n_labels);
	if (keys & 4)
		p->group = "nets";
	if (keys & 8) {
		c = fx_random(seed, BH_ARRAY_SIZE(cidrs));
		fx_set_cidr(f, p, cidrs[c], fx_random(seed, 2) ? inside[c] : NULL);
	}
	if (keys & 16)
		p->entity = (enum entity)(ENTITY_HOST + fx_random(seed, 3));
}

static void random_peer(struct fx *f, struct rule *r, uint64_t *seed)
{
	random_keys(f, fx_peer(r), seed);
}

/* A peer of a guardrail; often one with a scope, alone or with other keys. */
static void random_guard_peer(struct fx *f, struct peer *p, uint64_t *seed)
{
	static const char *const scopes[] = { "s", "t", "empty" };
	uint32_t which = fx_random(seed, 6);

	if (which < 4)
		random_keys(f, p, seed);
	if (which == 3 || which == 4)
		p->scope = scopes[fx_random(seed, 3)];
	if (which == 2 || which == 5)
		p->not_scope = scopes[fx_random(seed, 3)];
}

static const char *random_ports(struct fx *f, uint64_t *seed)
{
	char ports[128] = "";

	for (uint32_t n = 1 + fx_random(seed, 3); n; n--) {
		strcat(ports, port_words[fx_random(seed, BH_ARRAY_SIZE(port_words))]);
		strcat(ports, n > 1 ? "," : "");
	}
	return bh_arena_strdup(f->arena, ports);
}

static void random_guardrail(struct fx *f, const char *name, uint64_t *seed)
{
	struct guardrail *g = fx_guardrail(f, name);
	const char **services = fx_alloc(f, 2, sizeof(*services));

	switch (fx_random(seed, 4)) {
	case 0:
		g->all = true;
		break;
	case 1:
		g->scope = fx_random(seed, 2) ? "s" : "t";
		break;
	case 2:
		services[0] = f->policies.services[fx_random(seed, SERVICES)].name;
		services[1] = f->policies.services[fx_random(seed, SERVICES)].name;
		g->services = services;
		g->n_services = 2;
		break;
	default:
		g->labels = fx_labels(f, "tier=a", &g->n_labels);
	}
	for (uint32_t n = fx_random(seed, 4); n; n--) {
		struct deny *d =
			fx_deny(f, g, (enum direction)fx_random(seed, 2), random_ports(f, seed));

		for (uint32_t k = 1 + fx_random(seed, 2); k; k--)
			random_guard_peer(f, fx_peer(&d->rule), seed);
		for (uint32_t k = fx_random(seed, 3); k; k--)
			random_guard_peer(f, fx_unless(f, d, random_ports(f, seed)), seed);
	}
}

static void random_rule(struct fx *f, struct service *s, enum direction d, uint64_t *seed)
{
	static const int64_t expires[] = { 0, 0, 0, FX_NOW - 1, FX_NOW + 10, FX_NOW + 20 };
	struct rule *r = fx_rule(f, s, d, NULL, random_ports(f, seed));

	r->expires = expires[fx_random(seed, BH_ARRAY_SIZE(expires))];
	for (uint32_t n = fx_random(seed, 4); n; n--)
		random_peer(f, r, seed);
}

static void random_site(struct fx *f, uint64_t *seed)
{
	static const char *const names[] = { "alpha", "beta", "delta", "eta", "gamma" };

	fx_init(f);
	fx_host_addrs(f, "172.17.0.1,fd00::77");
	fx_group(f, "nets", "192.0.2.0/24,10.0.0.1/32,10.0.0.2/32,10.0.1.128/25,fd00::2/127");
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		/* the last address now and then is another's too */
		uint32_t v4 = fx_random(seed, 5) ? i + 1 : 1 + fx_random(seed, ENDPOINTS);
		const char *app = fx_random(seed, 8) ? names[fx_random(seed, SERVICES)] : "none";

		fx_endpoint(f, bh_arena_printf(f->arena, "e%u", i),
			    bh_arena_printf(f->arena, "app=%s,tier=%s", app,
					    fx_random(seed, 2) ? "a" : "b"),
			    bh_arena_printf(f->arena, "10.0.0.%u,fd00::%u", v4, i + 1));
	}
	for (uint32_t i = 0; i < SERVICES; i++) {
		struct service *s = fx_service(f, names[i]);

		if (!fx_random(seed, 5)) /* a second service of some endpoints */
			s->select.labels = fx_labels(f, "tier=a", &s->select.n_labels);
		if (fx_random(seed, 2))
			s->scope = fx_random(seed, 2) ? "s" : "t";
		if (!fx_random(seed, 6))
			s->mode = MODE_OFF;
	}
	fx_scope(f, "empty");
	fx_scope(f, "s");
	fx_scope(f, "t");
	for (uint32_t n = fx_random(seed, 4); n; n--)
		random_guardrail(f, bh_arena_printf(f->arena, "g%u", n), seed);
	for (uint32_t i = 0; i < SERVICES; i++) {
		for (int d = 0; d < DIRECTIONS; d++) {
			for (uint32_t n = fx_random(seed, 5); n; n--)
				random_rule(f, (struct service *)&f->policies.services[i],
					    (enum direction)d, seed);
		}
	}
}

/* --- both readings ---------------------------------------------------------------------------- */

static size_t allowed, denied, guarded, left_open;

static void compare(const struct fx *f, const struct endpoint *e, const struct ruleset *r,
		    enum direction d, const struct bh_addr *remote, const struct port_spec *q)
{
	struct flow_key k = { d, *remote, q->proto, q->lo };
	const struct entry *hit = ruleset_lookup(r, &k, FX_NOW);
	const struct entry *guard = ruleset_guard(r, &k);
	unsigned line = naive_guard(f, e, d, remote, q);
	bool want = naive(f, e, d, remote, q, NULL);
	char addr[BH_ADDR_STR], at[64];

	snprintf(at, sizeof(at), "policies/guardrails.yaml:%u", line);
	if ((guard != NULL) != (line != 0) || (line && strcmp(r->rules[guard->rule].where, at)))
		fail_msg("%s %s %s proto %u port %u: guardrail %s, read line %u", e->id,
			 direction_name(d), bh_addr_format(addr, remote), q->proto, q->lo,
			 guard ? r->rules[guard->rule].where : "-", line);
	guarded += line != 0;
	left_open += r->open && !line;
	if (r->open) {
		assert_null(hit);
		return;
	}

	if ((hit != NULL) != want)
		fail_msg("%s %s %s proto %u port %u: compiled %d, read %d", e->id,
			 direction_name(d), bh_addr_format(addr, remote), q->proto, q->lo,
			 hit != NULL, want);
	if (hit)
		assert_true(naive(f, e, d, remote, q, r->rules[hit->rule].where));
	allowed += want;
	denied += !want;
}

static bool is_spoken_for(const struct fx *f, const struct endpoint *e)
{
	for (size_t i = 0; i < f->policies.n_services; i++) {
		const struct service *s = &f->policies.services[i];

		if (is_of(e, s) && s->mode != MODE_OFF)
			return true;
	}
	return false;
}

static void compare_all(const struct fx *f, const struct bh_addr *remote)
{
	for (size_t i = 0; i < f->endpoints.n; i++) {
		const struct endpoint *e = &f->endpoints.endpoints[i];
		const struct ruleset *r = fx_ruleset(f, e->id);

		assert_int_equal(r != NULL, is_spoken_for(f, e) || is_guarded(f, e));
		assert_int_equal(f->list->guarded[i], is_guarded(f, e));
		assert_true(!r || r->open == !is_spoken_for(f, e));
		for (size_t k = 0; r && k < BH_ARRAY_SIZE(probes); k++) {
			compare(f, e, r, DIRECTION_EGRESS, remote, &probes[k]);
			compare(f, e, r, DIRECTION_INGRESS, remote, &probes[k]);
		}
	}
}

static void check_guard(const struct ruleset *r, int d, int kind)
{
	const struct entry_list *l = &r->guards[d][kind];

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->e[i];
		const struct ruleset_rule *rule = &r->rules[e->rule];

		assert_true(!i || entry_cmp(&l->e[i - 1], e) < 0);
		assert_true(ruleset_rule_is_guard(rule) && rule->direction == (enum direction)d);
		assert_int_equal(e->expires, 0);
		if (kind == GUARD_NET)
			assert_true(e->port_lo == 0 && e->port_hi == UINT16_MAX);
		else
			assert_int_equal(e->proto_lo, e->proto_hi);
		if (kind == GUARD_ICMP)
			assert_true(e->port_hi <= 255);
	}
}

/* The kernel needs: sorted, unique; intervals disjoint; hashes with single keys. */
static void check_shape(const struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < GUARD_KINDS; k++)
			check_guard(r, d, k);
		for (int k = 0; k < ENTRY_KINDS; k++) {
			const struct entry_list *l = &r->entries[d][k];

			for (size_t i = 0; i < l->n; i++) {
				assert_true(!i || entry_cmp(&l->e[i - 1], &l->e[i]) < 0);
				assert_true(l->e[i].rule < r->n_rules);
				assert_int_equal(r->rules[l->e[i].rule].direction, d);
				if (k < ENTRY_RANGE)
					assert_int_equal(
						bh_addr_cmp(&l->e[i].addr.lo, &l->e[i].addr.hi), 0);
			}
		}
	}
	for (size_t i = 1; i < r->n_rules; i++)
		assert_true(strcmp(r->rules[i - 1].name, r->rules[i].name) < 0);
}

static void test_matrix(void **state)
{
	uint64_t seed = 7;

	for (int round = 0; round < ROUNDS; round++) {
		struct fx f;

		random_site(&f, &seed);
		fx_compile(&f);
		for (size_t i = 0; i < f.list->n; i++)
			check_shape(f.list->items[i].ruleset);
		for (size_t i = 0; i < f.endpoints.n; i++) {
			for (size_t k = 0; k < f.endpoints.endpoints[i].n_addrs; k++)
				compare_all(&f, &f.endpoints.endpoints[i].addrs[k]);
		}
		for (size_t i = 0; i < BH_ARRAY_SIZE(outside); i++) {
			struct bh_addr a = fx_addr(outside[i]);

			compare_all(&f, &a);
		}
		fx_done(&f);
	}
	/* a matrix of one colour would prove nothing */
	assert_true(allowed > 1000 && denied > 1000 && guarded > 1000 && left_open > 1000);
}

/* The endpoints come from their sources in any order. */
static void shuffle_into(const struct endpoint_set *from, uint64_t *seed, struct endpoint_set **ret)
{
	struct endpoint_builder *b = endpoint_builder_new();
	size_t order[ENDPOINTS];

	for (size_t i = 0; i < from->n; i++)
		order[i] = i;
	for (size_t i = from->n; i > 1; i--) {
		size_t k = fx_random(seed, (uint32_t)i), t = order[i - 1];

		order[i - 1] = order[k];
		order[k] = t;
	}
	for (size_t i = 0; i < from->n; i++)
		assert_int_equal(endpoint_builder_add(b, &from->endpoints[order[i]], NULL), 0);
	for (size_t i = from->n_host_addrs; i > 0; i--)
		assert_int_equal(endpoint_builder_add_host_addr(b, &from->host_addrs[i - 1]), 0);
	assert_int_equal(endpoint_builder_finish(b, ret, NULL), 0);
	endpoint_builder_free(b);
}

static void test_order_of_endpoints_plays_no_part(void **state)
{
	uint64_t seed = 11;

	for (int round = 0; round < 10; round++) {
		struct endpoint_set *shuffled;
		struct ruleset_list *again;
		struct fx f;
		char why[128];

		random_site(&f, &seed);
		fx_compile(&f);
		shuffle_into(&f.endpoints, &seed, &shuffled);
		f.in.endpoints = shuffled;
		assert_int_equal(compile_rulesets(&f.in, false, &again, &f.diags, &f.err), 0);
		assert_int_equal(again->n, f.list->n);
		for (size_t i = 0; i < again->n; i++) {
			assert_int_equal(again->items[i].endpoint, f.list->items[i].endpoint);
			if (!ruleset_equal(again->items[i].ruleset, f.list->items[i].ruleset, why,
					   sizeof(why)))
				fail_msg("%s", why);
		}
		ruleset_list_free(again);
		endpoint_set_free(shuffled);
		fx_done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
		cmocka_unit_test(test_order_of_endpoints_plays_no_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
