/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>

#include <bulkhead/base/limits.h>

#include "fixture.h"

static void test_service_peer_both_ends(void **state)
{
	struct fx f;
	struct service *web, *pay;

	fx_init(&f);
	fx_endpoint(&f, "pay", "app=pay", "10.0.0.2,fd00::2");
	fx_endpoint(&f, "web", "app=web", "10.0.0.1,fd00::1");
	web = fx_service(&f, "web");
	pay = fx_service(&f, "pay");
	fx_peer_service(fx_rule(&f, web, DIRECTION_EGRESS, NULL, "8443/tcp"), "pay");
	fx_peer_service(fx_rule(&f, pay, DIRECTION_INGRESS, "checkout", "8443/tcp"), "web");
	assert_int_equal(fx_compile(&f), 2);
	assert_out(&f, "web", "10.0.0.2", "8443/tcp", "web.out.to-pay.8443-tcp");
	assert_out(&f, "web", "fd00::2", "8443/tcp", "web.out.to-pay.8443-tcp");
	assert_in(&f, "pay", "10.0.0.1", "8443/tcp", "pay.in.checkout");
	assert_in(&f, "pay", "fd00::1", "8443/tcp", "pay.in.checkout");
	assert_out(&f, "web", "10.0.0.2", "8444/tcp", "deny");
	assert_out(&f, "web", "10.0.0.2", "8443/udp", "deny");
	assert_out(&f, "web", "10.0.0.3", "8443/tcp", "deny");
	assert_in(&f, "web", "10.0.0.2", "8443/tcp", "deny");
	assert_out(&f, "pay", "10.0.0.1", "8443/tcp", "deny");
	fx_done(&f);
}

static void test_head_of_a_ruleset(void **state)
{
	struct fx f;
	const struct ruleset *r;
	struct service *s;

	fx_init(&f);
	fx_endpoint(&f, "w\"eb", "app=web", "10.0.0.1");
	s = fx_service(&f, "web");
	fx_rule(&f, s, DIRECTION_EGRESS, "b", "any");
	fx_rule(&f, s, DIRECTION_EGRESS, "a", "any");
	fx_compile(&f);
	r = fx_ruleset(&f, "w\"eb");
	assert_string_equal(r->endpoint, "w%22eb");
	assert_string_equal(r->services, "web");
	assert_string_equal(r->generation, "dddddddddddddddd");
	assert_string_equal(r->deny_where[DIRECTION_EGRESS], "policies/web.yaml:5");
	assert_string_equal(r->deny_where[DIRECTION_INGRESS], "policies/web.yaml:3");
	assert_int_equal(r->mode, MODE_ENFORCE);
	assert_int_equal(r->on_deny, ON_DENY_DROP);
	assert_true(r->log_denied);
	assert_int_equal(r->n_known, 0);
	/* no peers, no entries; but their counters are kept, by name */
	assert_int_equal(r->n_rules, 2);
	assert_string_equal(r->rules[0].name, "web.out.a");
	assert_string_equal(r->rules[0].where, "policies/web.yaml:21");
	assert_string_equal(r->rules[1].name, "web.out.b");
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			assert_int_equal(r->entries[d][k].n, 0);
	}
	fx_done(&f);
}

/* Invariant 4: nobody there means no address, never any address. */
static void test_empty_is_deny(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;

	fx_init(&f);
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	s = fx_service(&f, "web");
	fx_service(&f, "ghost");
	r = fx_rule(&f, s, DIRECTION_EGRESS, "ghost", "any");
	fx_peer_service(r, "ghost");
	fx_peer(r);                     /* an empty peer */
	fx_peer_entity(r, ENTITY_HOST); /* no host addresses known */
	fx_peer(r)->group = "nowhere";
	fx_group(&f, "nowhere", "");
	fx_compile(&f);
	assert_out(&f, "web", "10.0.0.2", "80/tcp", "deny");
	assert_out(&f, "web", "8.8.8.8", "80/tcp", "deny");
	assert_out(&f, "web", "2001:db8::1", "80/tcp", "deny");
	fx_done(&f);
}

static void test_cidr_except_and_group(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;

	fx_init(&f);
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	s = fx_service(&f, "web");
	fx_group(&f, "acquirers", "203.0.113.0/24,2001:db8:acc::/48,192.0.2.7/32");
	r = fx_rule(&f, s, DIRECTION_EGRESS, "net", "443/tcp,8000-8080/tcp");
	fx_peer_cidr(&f, r, "10.9.0.0/16", "10.9.1.0/24");
	r = fx_rule(&f, s, DIRECTION_EGRESS, "acq", "udp");
	fx_peer(r)->group = "acquirers";
	r = fx_rule(&f, s, DIRECTION_EGRESS, "both", "9/sctp");
	fx_set_cidr(&f, fx_peer(r), "203.0.113.128/25", NULL);
	((struct peer *)r->peers)->group = "acquirers";
	fx_compile(&f);
	assert_out(&f, "web", "10.9.0.1", "443/tcp", "web.out.net");
	assert_out(&f, "web", "10.9.255.255", "8040/tcp", "web.out.net");
	assert_out(&f, "web", "10.9.1.0", "443/tcp", "deny");
	assert_out(&f, "web", "10.9.1.255", "443/tcp", "deny");
	assert_out(&f, "web", "10.9.2.0", "443/tcp", "web.out.net");
	assert_out(&f, "web", "10.10.0.0", "443/tcp", "deny");
	assert_out(&f, "web", "203.0.113.255", "1/udp", "web.out.acq");
	assert_out(&f, "web", "2001:db8:acc:ffff::1", "65535/udp", "web.out.acq");
	assert_out(&f, "web", "192.0.2.7", "1/udp", "web.out.acq");
	assert_out(&f, "web", "192.0.2.8", "1/udp", "deny");
	assert_out(&f, "web", "203.0.113.128", "9/sctp", "web.out.both");
	assert_out(&f, "web", "203.0.113.127", "9/sctp", "deny");
	assert_out(&f, "web", "192.0.2.7", "9/sctp", "deny");
	fx_done(&f);
}

static void test_labels_and_keys_are_and(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;
	struct peer *p;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=web,tier=front", "10.0.0.1");
	fx_endpoint(&f, "b", "app=web,tier=back", "10.0.0.2,10.1.0.2");
	fx_endpoint(&f, "c", "tier=back", "10.0.0.3"); /* no service selects it */
	s = fx_service(&f, "web");
	r = fx_rule(&f, s, DIRECTION_EGRESS, "back", "80/tcp");
	p = fx_peer(r);
	p->labels = fx_labels(&f, "tier=back", &p->n_labels);
	r = fx_rule(&f, s, DIRECTION_EGRESS, "narrow", "81/tcp");
	p = fx_peer(r);
	p->labels = fx_labels(&f, "tier=back", &p->n_labels);
	p->service = "web";
	fx_set_cidr(&f, p, "10.1.0.0/16", NULL);
	fx_compile(&f);
	assert_out(&f, "a", "10.0.0.2", "80/tcp", "web.out.back");
	assert_out(&f, "a", "10.0.0.1", "80/tcp", "deny");
	assert_out(&f, "a", "10.0.0.3", "80/tcp", "deny");
	assert_out(&f, "a", "10.1.0.2", "81/tcp", "web.out.narrow");
	assert_out(&f, "a", "10.0.0.2", "81/tcp", "deny");
	fx_done(&f);
}

/* Invariant 14. */
static void test_entities(void **state)
{
	static const char *const never[] = {
		"10.0.0.1",
		"10.0.0.2",
		"172.17.0.1",
		"127.0.0.1",
		"0.0.0.0",
		"224.0.0.1",
		"240.0.0.1",
		"255.255.255.255",
		"169.254.169.254",
		"100.100.100.200",
		"::",
		"::1",
		"fe80::1",
		"ff02::1",
		"fd00:ec2::254",
		"64:ff9b::a9fe:a9fe",
		"fd00::1",
	};
	struct fx f;
	struct service *s;
	struct rule *r;

	fx_init(&f);
	fx_endpoint(&f, "db", "app=db", "10.0.0.2,fd00::1");
	fx_endpoint(&f, "stray", "app=stray", "10.0.0.3");
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	fx_host_addrs(&f, "172.17.0.1,192.0.2.1");
	s = fx_service(&f, "web");
	fx_service(&f, "db");
	fx_peer_entity(fx_rule(&f, s, DIRECTION_EGRESS, "world", "443/tcp,icmp/echo-request"),
		       ENTITY_WORLD);
	fx_peer_entity(fx_rule(&f, s, DIRECTION_EGRESS, "host", "53/udp"), ENTITY_HOST);
	fx_peer_entity(fx_rule(&f, s, DIRECTION_EGRESS, "all", "9/tcp"), ENTITY_MANAGED);
	r = fx_rule(&f, s, DIRECTION_EGRESS, "piece", "25/tcp");
	fx_peer_cidr(&f, r, "10.0.0.0/24", NULL);
	((struct peer *)r->peers)->entity = ENTITY_WORLD;
	fx_compile(&f);
	assert_out(&f, "web", "8.8.8.8", "443/tcp", "web.out.world");
	assert_out(&f, "web", "2001:db8::1", "443/tcp", "web.out.world");
	assert_out(&f, "web", "8.8.8.8", "icmp/echo-request", "web.out.world");
	assert_out(&f, "web", "10.0.0.3", "443/tcp", "web.out.world");
	for (size_t i = 0; i < BH_ARRAY_SIZE(never); i++)
		assert_out(&f, "web", never[i], "443/tcp", "deny");
	assert_out(&f, "web", "172.17.0.1", "icmp/echo-request", "deny");
	assert_out(&f, "web", "172.17.0.1", "53/udp", "web.out.host");
	assert_out(&f, "web", "192.0.2.1", "53/udp", "web.out.host");
	assert_out(&f, "web", "192.0.2.2", "53/udp", "deny");
	assert_out(&f, "web", "10.0.0.2", "9/tcp", "web.out.all");
	assert_out(&f, "web", "10.0.0.3", "9/tcp", "deny");
	assert_out(&f, "web", "10.0.0.3", "25/tcp", "web.out.piece");
	assert_out(&f, "web", "10.0.0.2", "25/tcp", "deny");
	assert_true(fx_ruleset(&f, "web")->n_known > 0);
	assert_int_equal(fx_ruleset(&f, "db")->n_known, 0);
	fx_done(&f);
}

/* Invariant 5: an address claimed twice is nobody's. */
static void test_contested_address(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=db", "10.0.0.5,10.0.0.6");
	fx_endpoint(&f, "b", "app=other", "10.0.0.5");
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	s = fx_service(&f, "web");
	fx_service(&f, "db");
	r = fx_rule(&f, s, DIRECTION_EGRESS, "x", "80/tcp");
	fx_peer_service(r, "db");
	fx_peer_cidr(&f, r, "10.0.0.0/29", NULL);
	fx_peer_cidr(&f, r, "10.0.0.5/32", NULL);
	fx_peer_entity(r, ENTITY_MANAGED);
	fx_peer_entity(r, ENTITY_WORLD);
	fx_compile(&f);
	assert_out(&f, "web", "10.0.0.5", "80/tcp", "deny");
	assert_out(&f, "web", "10.0.0.6", "80/tcp", "web.out.x");
	assert_out(&f, "web", "10.0.0.4", "80/tcp", "web.out.x");
	assert_int_equal(f.diags.warnings, 1);
	assert_non_null(strstr(f.diags.d[0].text, "10.0.0.5"));
	assert_non_null(strstr(f.diags.d[0].text, " a "));
	assert_non_null(strstr(f.diags.d[0].text, " b"));
	fx_done(&f);
}

/* An address of a container that the host has is neither of theirs. */
static void test_contested_with_host(void **state)
{
	struct endpoint *agent, *gateway, *lost;
	struct fx f;
	struct rule *r;

	fx_init(&f);
	agent = fx_endpoint(&f, "agent", "app=agent", "10.0.0.8");
	gateway = fx_endpoint(&f, "gateway", "app=agent", "10.0.0.9");
	lost = fx_endpoint(&f, "lost", "app=other", "10.0.0.7");
	fx_endpoint(&f, "thief", "app=other", "10.0.0.6,10.0.0.5,fd00::6,127.0.0.1");
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	agent->obstacle = ENDPOINT_HOST_NETWORK;
	agent->netns = gateway->netns = lost->netns = NULL;
	agent->netns_ino = gateway->netns_ino = lost->netns_ino = 0;
	lost->obstacle = ENDPOINT_NO_NETNS;
	fx_host_addrs(&f, "10.0.0.9,10.0.0.6,10.0.0.8,127.0.0.1,fd00::6,10.0.0.7");
	r = fx_rule(&f, fx_service(&f, "web"), DIRECTION_EGRESS, "x", "80/tcp");
	fx_peer_entity(r, ENTITY_HOST);
	fx_peer_cidr(&f, r, "10.0.0.0/28", NULL);
	fx_peer_cidr(&f, r, "fd00::/64", NULL);
	fx_compile(&f);
	assert_out(&f, "web", "10.0.0.6", "80/tcp", "deny");
	assert_out(&f, "web", "fd00::6", "80/tcp", "deny");
	assert_out(&f, "web", "10.0.0.7", "80/tcp", "deny"); /* of a container, somewhere */
	assert_out(&f, "web", "10.0.0.5", "80/tcp", "web.out.x");
	assert_out(&f, "web", "10.0.0.8", "80/tcp", "web.out.x"); /* who is on the host */
	assert_out(&f, "web", "10.0.0.9", "80/tcp", "web.out.x"); /* what the host is called */
	assert_int_equal(f.diags.warnings, 3);
	assert_non_null(
		strstr(f.diags.d[0].text, "10.0.0.6 is claimed by both thief and the host"));
	fx_done(&f);
}

/* Two endpoints of one namespace share its addresses, and their rulesets are one. */
static void test_shared_namespace(void **state)
{
	struct fx f;
	struct endpoint *a, *b;
	struct service *web, *side;

	fx_init(&f);
	a = fx_endpoint(&f, "a", "app=web", "10.0.0.1");
	b = fx_endpoint(&f, "b", "app=side", "10.0.0.1");
	b->netns_ino = a->netns_ino;
	fx_endpoint(&f, "c", "app=db", "10.0.0.3");
	web = fx_service(&f, "web");
	side = fx_service(&f, "side");
	fx_service(&f, "db");
	fx_peer_service(fx_rule(&f, web, DIRECTION_EGRESS, "db", "5432/tcp"), "db");
	fx_peer_service(fx_rule(&f, side, DIRECTION_INGRESS, "db", "9090/tcp"), "db");
	assert_int_equal(fx_compile(&f), 2);
	assert_int_equal(f.diags.warnings, 0);
	assert_string_equal(fx_ruleset(&f, "a")->services, "web,side");
	assert_out(&f, "a", "10.0.0.3", "5432/tcp", "web.out.db");
	assert_in(&f, "a", "10.0.0.3", "9090/tcp", "side.in.db");
	fx_done(&f);
}

static void test_modes(void **state)
{
	struct fx f;
	struct service *s, *t;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=one,also=two", "10.0.0.1");
	fx_host_addrs(&f, "10.0.0.9");
	s = fx_service(&f, "one");
	t = fx_service(&f, "two");
	t->select.labels = fx_labels(&f, "also=two", &t->select.n_labels);
	fx_peer_entity(fx_rule(&f, s, DIRECTION_EGRESS, "h", "1/tcp"), ENTITY_HOST);
	fx_peer_entity(fx_rule(&f, t, DIRECTION_EGRESS, "h", "2/tcp"), ENTITY_HOST);

	s->mode = t->mode = MODE_OFF;
	assert_int_equal(fx_compile(&f), 0);
	f.host.unmanaged = UNMANAGED_QUARANTINE; /* it is managed: somebody said off */
	assert_int_equal(fx_compile(&f), 0);

	t->mode = MODE_AUDIT;
	t->on_deny = ON_DENY_REJECT;
	t->log_denied = false;
	assert_int_equal(fx_compile(&f), 1);
	assert_int_equal(fx_ruleset(&f, "a")->mode, MODE_AUDIT);
	assert_int_equal(fx_ruleset(&f, "a")->on_deny, ON_DENY_REJECT);
	assert_false(fx_ruleset(&f, "a")->log_denied);
	assert_false(fx_ruleset(&f, "a")->log_allowed);
	assert_string_equal(fx_ruleset(&f, "a")->deny_where[DIRECTION_INGRESS],
			    "policies/two.yaml:3");
	assert_out(&f, "a", "10.0.0.9", "1/tcp", "one.out.h");
	assert_out(&f, "a", "10.0.0.9", "2/tcp", "two.out.h");

	s->mode = MODE_ENFORCE;
	fx_compile(&f);
	assert_int_equal(fx_ruleset(&f, "a")->mode, MODE_ENFORCE);
	assert_int_equal(fx_ruleset(&f, "a")->on_deny, ON_DENY_DROP);
	assert_true(fx_ruleset(&f, "a")->log_denied);
	t->log_allowed = true; /* one of them is enough, */
	fx_compile(&f);
	assert_true(fx_ruleset(&f, "a")->log_allowed);
	t->mode = MODE_OFF; /* but it has to have a say */
	fx_compile(&f);
	assert_false(fx_ruleset(&f, "a")->log_allowed);
	s->mode = MODE_AUDIT;
	t->mode = MODE_ENFORCE;
	fx_compile(&f);
	assert_string_equal(fx_ruleset(&f, "a")->deny_where[DIRECTION_INGRESS],
			    "policies/two.yaml:3");
	fx_done(&f);
}

static void test_who_gets_a_ruleset(void **state)
{
	struct fx f;
	struct endpoint *e;
	const struct ruleset *r;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=web", "10.0.0.1");
	e = fx_endpoint(&f, "b", "app=web", "10.0.0.2"); /* of another host */
	e->netns = NULL;
	e->netns_ino = 0;
	e = fx_endpoint(&f, "c", "app=web", "10.0.0.9");
	e->obstacle = ENDPOINT_HOST_NETWORK;
	fx_endpoint(&f, "d", "app=stray", "10.0.0.4");
	fx_peer_service(fx_rule(&f, fx_service(&f, "web"), DIRECTION_EGRESS, "x", "1/tcp"), "web");
	assert_int_equal(fx_compile(&f), 1);
	assert_non_null(fx_ruleset(&f, "a"));
	assert_out(&f, "a", "10.0.0.2", "1/tcp", "web.out.x");

	f.host.unmanaged = UNMANAGED_QUARANTINE;
	assert_int_equal(fx_compile(&f), 2);
	r = fx_ruleset(&f, "d");
	assert_non_null(r);
	assert_string_equal(r->services, "");
	assert_string_equal(r->deny_where[DIRECTION_EGRESS], "host file");
	assert_int_equal(r->n_rules, 0);
	assert_true(r->log_denied);
	assert_out(&f, "d", "10.0.0.1", "1/tcp", "deny");

	ruleset_list_free(f.list);
	assert_int_equal(compile_rulesets(&f.in, true, &f.list, &f.diags, &f.err), 0);
	assert_int_equal(f.list->n, 3);
	assert_non_null(fx_ruleset(&f, "b"));
	fx_done(&f);
}

/* The rule that lasts longest owns a flow, then the first. */
static void test_expiry_and_precedence(void **state)
{
	struct fx f;
	struct service *s;
	struct rule *r;
	static const char *const names[] = { "early", "late", "gone", "never", "second" };
	static const int64_t expires[] = { FX_NOW + 10, FX_NOW + 20, FX_NOW, 0, 0 };
	static const char *const ports[] = { "80-99/tcp", "80-99/tcp", "80-99/tcp", "85-86/tcp",
					     "85-90/tcp" };

	fx_init(&f);
	fx_endpoint(&f, "web", "app=web", "10.0.0.1");
	s = fx_service(&f, "web");
	for (size_t i = 0; i < 5; i++) {
		r = fx_rule(&f, s, DIRECTION_EGRESS, names[i], ports[i]);
		r->expires = expires[i];
		fx_peer_cidr(&f, r, "192.0.2.0/24", NULL);
		r = fx_rule(&f, s, DIRECTION_INGRESS, names[i], "7/tcp");
		r->expires = expires[i];
		fx_peer_cidr(&f, r, i < 3 ? "192.0.2.1/32" : "192.0.2.2/32", NULL);
	}
	fx_compile(&f);
	assert_out(&f, "web", "192.0.2.5", "80/tcp", "web.out.late");
	assert_out(&f, "web", "192.0.2.5", "85/tcp", "web.out.never");
	assert_out(&f, "web", "192.0.2.5", "87/tcp", "web.out.second");
	assert_out(&f, "web", "192.0.2.5", "91/tcp", "web.out.late");
	assert_in(&f, "web", "192.0.2.1", "7/tcp", "web.in.late");
	assert_in(&f, "web", "192.0.2.2", "7/tcp", "web.in.never");
	assert_string_equal(
		fx_verdict_at(&f, "web", DIRECTION_EGRESS, "192.0.2.5", "80/tcp", FX_NOW + 20),
		"deny");
	assert_int_equal(fx_ruleset(&f, "web")->n_rules, 8); /* what is gone is not listed */
	fx_done(&f);
}

static const struct entry_list *entries(const struct fx *f, const char *id, enum entry_kind k)
{
	return &fx_ruleset(f, id)->entries[DIRECTION_EGRESS][k];
}

/* What ends in a hash, what in an interval set. */
static void test_kinds(void **state)
{
	struct fx f;
	struct service *s;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=db", "10.0.0.2");
	fx_endpoint(&f, "b", "app=db", "10.0.0.3,fd00::3");
	fx_endpoint(&f, "w1", "app=w1", "10.0.1.1");
	fx_endpoint(&f, "w2", "app=w2", "10.0.1.2");
	fx_endpoint(&f, "w3", "app=w3", "10.0.1.3");
	fx_endpoint(&f, "w4", "app=w4", "10.0.1.4");
	fx_service(&f, "db");
	s = fx_service(&f, "w1"); /* neighbours of one service stay single */
	fx_peer_service(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "1/tcp,2/udp"), "db");
	s = fx_service(&f, "w2");
	fx_peer_service(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "any"), "db");
	s = fx_service(&f, "w3");
	fx_peer_service(
		fx_rule(&f, s, DIRECTION_EGRESS, NULL,
			"icmp/echo-request,icmpv6/echo-request,icmp/destination-unreachable"),
		"db");
	s = fx_service(&f, "w4");
	fx_peer_service(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "tcp,icmp,icmpv6"), "db");
	fx_peer_cidr(&f, fx_rule(&f, s, DIRECTION_EGRESS, "one", "9/tcp"), "192.0.2.1/32", NULL);
	fx_peer_cidr(&f, fx_rule(&f, s, DIRECTION_EGRESS, "net", "9/tcp,icmp/echo-request"),
		     "198.51.100.0/24", NULL);
	fx_compile(&f);
	assert_int_equal(entries(&f, "w1", ENTRY_EXACT)->n, 6);
	assert_int_equal(entries(&f, "w1", ENTRY_RANGE)->n, 0);
	assert_int_equal(entries(&f, "w2", ENTRY_HOST)->n, 3);
	assert_int_equal(entries(&f, "w2", ENTRY_EXACT)->n, 0);
	/* v4: echo request and reply, and unreachable; v6: echo request and reply */
	assert_int_equal(entries(&f, "w3", ENTRY_ICMP)->n, 8);
	assert_string_not_equal(
		fx_verdict(&f, "w3", DIRECTION_EGRESS, "10.0.0.2", "icmp/echo-request"), "deny");
	assert_string_not_equal(
		fx_verdict(&f, "w3", DIRECTION_EGRESS, "fd00::3", "icmpv6/echo-request"), "deny");
	assert_out(&f, "w3", "10.0.0.2", "icmp/timestamp-request", "deny");
	assert_int_equal(entries(&f, "w4", ENTRY_EXACT)->n, 1);
	assert_int_equal(entries(&f, "w4", ENTRY_RANGE)->n, 3);      /* the neighbours are one */
	assert_int_equal(entries(&f, "w4", ENTRY_ICMP_RANGE)->n, 4); /* and a request, its reply */
	assert_out(&f, "w4", "198.51.100.9", "icmp/echo-request", "w4.out.net");
	assert_out(&f, "w4", "10.0.0.3", "icmp/timestamp-request", "w4.out.to-db.tcp_icmp_icmpv6");
	fx_done(&f);
}

static void test_dns(void **state)
{
	struct fx f;
	struct service *s;
	struct endpoint *e;

	fx_init(&f);
	e = fx_endpoint(&f, "a", "app=web", "10.0.0.1");
	e->resolvers = fx_addrs(&f, "10.0.0.53,fd00::53", &e->n_resolvers);
	e = fx_endpoint(&f, "b", "app=web", "10.0.0.2");
	e->resolvers = fx_addrs(&f, "10.0.0.54", &e->n_resolvers);
	s = fx_service(&f, "web");
	fx_compile(&f);
	assert_out(&f, "a", "10.0.0.53", "53/udp", "deny");
	s->dns = true;
	fx_compile(&f);
	assert_out(&f, "a", "10.0.0.53", "53/udp", "web.out.dns");
	assert_out(&f, "a", "fd00::53", "53/tcp", "web.out.dns");
	assert_out(&f, "a", "10.0.0.53", "853/tcp", "deny");
	assert_out(&f, "a", "10.0.0.54", "53/udp", "deny");
	assert_out(&f, "b", "10.0.0.54", "53/udp", "web.out.dns");
	assert_in(&f, "a", "10.0.0.53", "53/udp", "deny");
	assert_string_equal(fx_ruleset(&f, "a")->rules[0].where, "policies/web.yaml:9");
	fx_done(&f);
}

static void test_follow(void **state)
{
	struct fx f;
	struct service *web, *pay, *old;
	struct rule *r;

	fx_init(&f);
	fx_endpoint(&f, "old", "app=old", "10.0.0.4");
	fx_endpoint(&f, "pay", "app=pay", "10.0.0.2,fd00::2");
	fx_endpoint(&f, "web", "app=web", "10.0.0.1,fd00::1");
	fx_endpoint(&f, "web2", "app=web", "10.0.9.1");
	web = fx_service(&f, "web");
	pay = fx_service(&f, "pay");
	old = fx_service(&f, "old");
	web->egress_follow = true;
	fx_peer_service(fx_rule(&f, pay, DIRECTION_INGRESS, "checkout", "8443/tcp"), "web");
	r = fx_rule(&f, pay, DIRECTION_INGRESS, "net", "80/tcp");
	fx_peer_cidr(&f, r, "10.0.9.0/24", NULL);
	r->expires = FX_NOW + 5;
	fx_peer_cidr(&f, fx_rule(&f, pay, DIRECTION_INGRESS, "six", "81/tcp"), "fd00::/64", NULL);
	fx_peer_entity(fx_rule(&f, pay, DIRECTION_INGRESS, "world", "82/tcp"), ENTITY_WORLD);
	fx_peer_service(fx_rule(&f, old, DIRECTION_INGRESS, NULL, "21/tcp"), "pay");
	fx_peer_service(fx_rule(&f, web, DIRECTION_INGRESS, NULL, "7/tcp"), "web");
	fx_compile(&f);
	assert_out(&f, "web", "10.0.0.2", "8443/tcp", "web.out.follow-pay.checkout");
	assert_out(&f, "web", "fd00::2", "8443/tcp", "web.out.follow-pay.checkout");
	assert_out(&f, "web", "10.0.0.2", "80/tcp", "deny");
	assert_out(&f, "web2", "10.0.0.2", "80/tcp", "web.out.follow-pay.net");
	assert_out(&f, "web2", "fd00::2", "80/tcp", "deny"); /* let in by IPv4 only */
	assert_string_equal(
		fx_verdict_at(&f, "web2", DIRECTION_EGRESS, "10.0.0.2", "80/tcp", FX_NOW + 5),
		"deny");
	/* let in by its IPv6 address only, so it may only send so */
	assert_out(&f, "web", "fd00::2", "81/tcp", "web.out.follow-pay.six");
	assert_out(&f, "web", "10.0.0.2", "81/tcp", "deny");
	assert_out(&f, "web", "10.0.0.2", "82/tcp", "deny");
	assert_out(&f, "web", "10.0.0.4", "21/tcp", "deny");
	assert_out(&f, "web", "10.0.9.1", "7/tcp", "deny"); /* another service's ingress */
	assert_out(&f, "pay", "10.0.0.4", "21/tcp", "deny");
	for (size_t i = 0; i < fx_ruleset(&f, "web")->n_rules; i++) {
		if (strstr(fx_ruleset(&f, "web")->rules[i].name, "checkout"))
			assert_string_equal(fx_ruleset(&f, "web")->rules[i].where,
					    "policies/pay.yaml:20");
	}
	fx_done(&f);
}

static void test_rulesets_share(void **state)
{
	struct fx f;
	struct service *s;
	const struct ruleset *a, *b;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=web", "10.0.0.1");
	fx_endpoint(&f, "b", "app=web", "10.0.0.2");
	s = fx_service(&f, "web");
	fx_peer_service(fx_rule(&f, s, DIRECTION_EGRESS, NULL, "1/tcp"), "web");
	assert_int_equal(fx_compile(&f), 2);
	a = fx_ruleset(&f, "a");
	b = fx_ruleset(&f, "b");
	assert_ptr_equal(a->entries[0][ENTRY_EXACT].e, b->entries[0][ENTRY_EXACT].e);
	assert_ptr_equal(a->rules, b->rules);
	assert_string_equal(a->endpoint, "a");
	assert_string_equal(b->endpoint, "b");
	fx_done(&f);
}

static void test_caps(void **state)
{
	struct fx f;
	struct service *s;

	fx_init(&f);
	fx_endpoint(&f, "a", "app=x", "10.0.0.1");
	/* 512 services that all select it, 16 rules and one dns each: 8,704 rules */
	for (int i = 0; i < FX_SERVICES; i++) {
		s = fx_service(&f, "x");
		s->name = bh_arena_printf(f.arena, "x%d", i);
		s->dns = true;
		for (int k = 0; k < FX_RULES; k++)
			fx_rule(&f, s, DIRECTION_INGRESS, bh_arena_printf(f.arena, "%d", k), "any");
	}
	assert_int_equal(compile_rulesets(&f.in, false, &f.list, &f.diags, &f.err), -E2BIG);
	assert_null(f.list);
	assert_non_null(strstr(f.err.msg, "endpoint a: more than 8192 rules"));
	f.policies.n_services = 400;
	assert_int_equal(fx_compile(&f), 1);
	assert_true(strlen(fx_ruleset(&f, "a")->services) <= 100);
	assert_non_null(strstr(fx_ruleset(&f, "a")->services, ",..."));
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_peer_both_ends),
		cmocka_unit_test(test_head_of_a_ruleset),
		cmocka_unit_test(test_empty_is_deny),
		cmocka_unit_test(test_cidr_except_and_group),
		cmocka_unit_test(test_labels_and_keys_are_and),
		cmocka_unit_test(test_entities),
		cmocka_unit_test(test_contested_address),
		cmocka_unit_test(test_contested_with_host),
		cmocka_unit_test(test_shared_namespace),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_who_gets_a_ruleset),
		cmocka_unit_test(test_expiry_and_precedence),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_rulesets_share),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
