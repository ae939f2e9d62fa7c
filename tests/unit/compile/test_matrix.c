/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>

#include "fixture.h"

/*
 * Random policies, judged twice: by the compiled rulesets, and by a naive reading of the policy
 * itself that knows nothing of sets, ranges and boxes.
 */

#define ROUNDS    60
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

/* --- random policies -------------------------------------------------------------------------- */

static void random_peer(struct fx *f, struct rule *r, uint64_t *seed)
{
	static const char *const cidrs[] = { "10.0.0.0/24", "10.0.0.2/31", "10.0.0.3/32",
					     "0.0.0.0/0",   "fd00::/64",   "::/0" };
	static const char *const inside[] = { "10.0.0.4/30", "10.0.0.3/32", NULL,
					      "10.0.1.0/25", "fd00::4/126", "2001:db8::/32" };
	struct peer *p = fx_peer(r);
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

static void random_rule(struct fx *f, struct service *s, enum direction d, uint64_t *seed)
{
	static const int64_t expires[] = { 0, 0, 0, FX_NOW - 1, FX_NOW + 10, FX_NOW + 20 };
	char ports[128] = "";
	struct rule *r;

	for (uint32_t n = 1 + fx_random(seed, 3); n; n--) {
		strcat(ports, port_words[fx_random(seed, BH_ARRAY_SIZE(port_words))]);
		strcat(ports, n > 1 ? "," : "");
	}
	r = fx_rule(f, s, d, NULL, ports);
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
	}
	for (uint32_t i = 0; i < SERVICES; i++) {
		for (int d = 0; d < DIRECTIONS; d++) {
			for (uint32_t n = fx_random(seed, 5); n; n--)
				random_rule(f, (struct service *)&f->policies.services[i],
					    (enum direction)d, seed);
		}
	}
}

/* --- both readings ---------------------------------------------------------------------------- */

static size_t allowed, denied;

static void compare(const struct fx *f, const struct endpoint *e, const struct ruleset *r,
		    enum direction d, const struct bh_addr *remote, const struct port_spec *q)
{
	struct flow_key k = { d, *remote, q->proto, q->lo };
	const struct entry *hit = ruleset_lookup(r, &k, FX_NOW);
	bool want = naive(f, e, d, remote, q, NULL);
	char addr[BH_ADDR_STR];

	if ((hit != NULL) != want)
		fail_msg("%s %s %s proto %u port %u: compiled %d, read %d", e->id,
			 direction_name(d), bh_addr_format(addr, remote), q->proto, q->lo,
			 hit != NULL, want);
	if (hit)
		assert_true(naive(f, e, d, remote, q, r->rules[hit->rule].where));
	allowed += want;
	denied += !want;
}

static void compare_all(const struct fx *f, const struct bh_addr *remote)
{
	for (size_t i = 0; i < f->endpoints.n; i++) {
		const struct endpoint *e = &f->endpoints.endpoints[i];
		const struct ruleset *r = fx_ruleset(f, e->id);

		assert_int_equal(r != NULL, is_managed(f, e));
		for (size_t k = 0; r && k < BH_ARRAY_SIZE(probes); k++) {
			compare(f, e, r, DIRECTION_EGRESS, remote, &probes[k]);
			compare(f, e, r, DIRECTION_INGRESS, remote, &probes[k]);
		}
	}
}

/* The kernel needs: sorted, unique; intervals disjoint; hashes with single keys. */
static void check_shape(const struct ruleset *r)
{
	for (int d = 0; d < DIRECTIONS; d++) {
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
	assert_true(allowed > 1000 && denied > 1000);
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
