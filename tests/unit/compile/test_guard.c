/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>

#include <bulkhead/base/limits.h>

#include "fixture.h"

/* Two services in scope cde, one outside, one that nobody selects. */
static void build(struct fx *f)
{
	fx_init(f);
	fx_endpoint(f, "ledger", "app=ledger", "10.0.0.2,fd00::2");
	fx_endpoint(f, "pay", "app=pay", "10.0.0.1,fd00::1");
	fx_endpoint(f, "stray", "app=stray", "10.0.0.9,fd00::9");
	fx_endpoint(f, "web", "app=web", "10.0.0.3,fd00::3");
	fx_scope(f, "cde");
	fx_service(f, "pay")->scope = "cde";
	fx_service(f, "ledger")->scope = "cde";
	fx_service(f, "web");
}

static struct service *service_of(struct fx *f, const char *name)
{
	return (struct service *)policy_set_service(&f->policies, name);
}

/* It overrides what a service allows, counts under its own name, and says where it stands. */
static void test_overrides(void **state)
{
	struct fx f;
	struct deny *d;
	const struct ruleset *r;

	build(&f);
	fx_peer_cidr(&f, fx_rule(&f, service_of(&f, "web"), DIRECTION_EGRESS, "all", "any"),
		     "0.0.0.0/0", NULL);
	struct guardrail *g = fx_guardrail(&f, "no-metadata");
	g->all = true;
	d = fx_deny(&f, g, DIRECTION_EGRESS, "any");
	fx_peer_cidr(&f, &d->rule, "169.254.0.0/16", NULL);
	fx_compile(&f);
	assert_out(&f, "web", "169.254.169.254", "80/tcp",
		   "guardrail_no-metadata.out.to-169.254.0.0-16.any");
	assert_out(&f, "web", "169.255.0.0", "80/tcp", "web.out.all");
	assert_in(&f, "web", "169.254.169.254", "80/tcp", "deny"); /* by default, not by it */
	r = fx_ruleset(&f, "web");
	assert_false(r->open);
	assert_string_equal(r->deny_where[DIRECTION_EGRESS], "policies/web.yaml:5");
	assert_string_equal(r->rules[0].where, "policies/guardrails.yaml:21");
	assert_true(ruleset_rule_is_guard(&r->rules[0]));
	fx_done(&f);
}

/* Whom nothing but guardrails select stays as open as it was. */
static void test_default_stays(void **state)
{
	struct fx f;
	struct guardrail *g;
	const struct ruleset *r;

	build(&f);
	service_of(&f, "web")->mode = MODE_OFF;
	g = fx_guardrail(&f, "g");
	g->labels = fx_labels(&f, "app=stray", &g->n_labels);
	fx_peer_service(&fx_deny(&f, g, DIRECTION_INGRESS, "22/tcp")->rule, "web");
	assert_int_equal(fx_compile(&f), 3);
	assert_null(fx_ruleset(&f, "web")); /* off, and no guardrail selects it */
	r = fx_ruleset(&f, "stray");
	assert_true(r->open);
	assert_null(r->deny_where[0]);
	assert_int_equal(r->mode, MODE_ENFORCE);
	assert_in(&f, "stray", "10.0.0.3", "22/tcp", "guardrail_g.in.from-web.22-tcp");
	assert_in(&f, "stray", "10.0.0.3", "23/tcp", "open");
	assert_in(&f, "stray", "192.0.2.1", "22/tcp", "open");
	assert_out(&f, "stray", "10.0.0.3", "22/tcp", "open");
	assert_out(&f, "pay", "192.0.2.1", "22/tcp", "deny");
	/* mode: off is no way round a guardrail, and neither is quarantine undone by one */
	g->n_labels = 0;
	g->all = true;
	fx_compile(&f);
	assert_true(fx_ruleset(&f, "web")->open);
	assert_string_equal(fx_ruleset(&f, "web")->services, "web");
	f.host.unmanaged = UNMANAGED_QUARANTINE;
	fx_compile(&f);
	assert_false(fx_ruleset(&f, "stray")->open);
	assert_in(&f, "stray", "10.0.0.3", "22/tcp", "guardrail_g.in.from-web.22-tcp");
	assert_in(&f, "stray", "10.0.0.3", "23/tcp", "deny");
	fx_done(&f);
}

/* Of one that nobody is known of all is denied, beside one that guardrails alone hold. */
static void test_unknown_is_no_open_one(void **state)
{
	struct fx f;
	struct guardrail *g;
	struct endpoint *e;

	build(&f);
	e = fx_endpoint(&f, "zz-new", "app=stray", "10.0.0.77"); /* no name or label counts */
	e->runtime = ENDPOINT_UNKNOWN;
	g = fx_guardrail(&f, "g");
	g->all = true;
	fx_peer_service(&fx_deny(&f, g, DIRECTION_INGRESS, "22/tcp")->rule, "web");
	fx_compile(&f);
	assert_true(fx_ruleset(&f, "stray")->open);
	assert_false(fx_ruleset(&f, "zz-new")->open);
	assert_in(&f, "zz-new", "10.0.0.3", "23/tcp", "deny");
	assert_out(&f, "zz-new", "192.0.2.1", "443/tcp", "deny");
	fx_done(&f);
}

/* The example of the documentation. */
static void test_scope_boundary(void **state)
{
	static const char boundary[] = "guardrail_cde.in.from-not-scope-cde.any";
	struct fx f;
	struct guardrail *g;
	struct deny *d;

	build(&f);
	fx_host_addrs(&f, "10.0.0.254");
	fx_peer_service(
		fx_rule(&f, service_of(&f, "pay"), DIRECTION_INGRESS, "web", "8443/tcp,9090/tcp"),
		"web");
	g = fx_guardrail(&f, "cde");
	g->scope = "cde";
	d = fx_deny(&f, g, DIRECTION_INGRESS, "any");
	fx_peer(&d->rule)->not_scope = "cde";
	fx_unless(&f, d, "8443/tcp")->service = "web";
	fx_compile(&f);
	assert_in(&f, "pay", "10.0.0.3", "8443/tcp", "pay.in.web");
	assert_in(&f, "pay", "fd00::3", "8443/tcp", "pay.in.web");
	assert_in(&f, "pay", "10.0.0.3", "9090/tcp", boundary);
	assert_in(&f, "pay", "fd00::3", "9090/tcp", boundary);
	assert_in(&f, "pay", "10.0.0.3", "icmp/echo-request", boundary);
	assert_in(&f, "pay", "10.0.0.9", "8443/tcp", boundary);
	assert_in(&f, "pay", "10.0.0.254", "8443/tcp", boundary);
	assert_in(&f, "pay", "8.8.8.8", "53/udp", boundary);
	assert_in(&f, "pay", "2001:db8::1", "53/udp", boundary);
	assert_in(&f, "pay", "10.0.0.2", "8443/tcp", "deny"); /* inside: not its business */
	assert_null(fx_ruleset(&f, "stray"));
	assert_out(&f, "web", "10.0.0.1", "8443/tcp", "deny");
	fx_done(&f);
}

/* A guardrail denies, so nobody there is nothing denied; outside of nothing is everything. */
static void test_empty(void **state)
{
	struct fx f;
	struct guardrail *g;

	build(&f);
	fx_scope(&f, "empty");
	g = fx_guardrail(&f, "g");
	g->all = true;
	fx_peer(&fx_deny(&f, g, DIRECTION_EGRESS, "any")->rule)->scope = "empty";
	fx_deny(&f, g, DIRECTION_EGRESS, "any");
	fx_compile(&f);
	assert_false(ruleset_has_guards(fx_ruleset(&f, "stray")));
	assert_int_equal(fx_ruleset(&f, "stray")->n_rules, 2); /* listed all the same */
	assert_out(&f, "stray", "10.0.0.1", "1/tcp", "open");
	fx_peer(&fx_deny(&f, g, DIRECTION_EGRESS, "any")->rule)->not_scope = "empty";
	fx_compile(&f);
	assert_out(&f, "stray", "10.0.0.1", "1/tcp", "guardrail_g.out.to-not-scope-empty.any");
	assert_out(&f, "stray", "fe80::1", "1/udp", "guardrail_g.out.to-not-scope-empty.any");
	assert_int_equal(fx_ruleset(&f, "stray")->guards[0][GUARD_NET].n, 2);
	fx_done(&f);
}

/* An address that two claim is outside of every scope, denied as either's, excepted as nobody's. */
static void test_contested(void **state)
{
	struct fx f;
	struct guardrail *g;
	struct deny *d;

	build(&f);
	((struct endpoint *)f.endpoints.endpoints)[2].addrs = fx_addrs(
		&f, "10.0.0.1,fd00::9", &((struct endpoint *)f.endpoints.endpoints)[2].n_addrs);
	g = fx_guardrail(&f, "g");
	g->all = true;
	d = fx_deny(&f, g, DIRECTION_INGRESS, "any");
	fx_peer(&d->rule)->not_scope = "cde";
	fx_unless(&f, d, "1/tcp")->service = "pay";
	fx_unless(&f, d, "1/tcp")->service = "web";
	fx_peer(&fx_deny(&f, g, DIRECTION_EGRESS, "2/tcp")->rule)->service = "pay";
	fx_compile(&f);
	assert_in(&f, "stray", "10.0.0.1", "1/tcp", "guardrail_g.in.from-not-scope-cde.any");
	assert_in(&f, "stray", "fd00::1", "1/tcp", "open");
	assert_in(&f, "stray", "10.0.0.3", "1/tcp", "open");
	assert_out(&f, "stray", "10.0.0.1", "2/tcp", "guardrail_g.out.to-pay.2-tcp");
	fx_done(&f);
}

/* An exception holds for its own entry only, to the port and to the type of ICMP. */
static void test_holes(void **state)
{
	struct fx f;
	struct guardrail *g;
	struct deny *d;
	const struct ruleset *r;

	build(&f);
	g = fx_guardrail(&f, "g");
	g->all = true;
	d = fx_deny(&f, g, DIRECTION_EGRESS, "any");
	fx_peer_cidr(&f, &d->rule, "10.0.0.0/8", NULL);
	fx_set_cidr(&f, fx_unless(&f, d, "443/tcp,icmp/echo-request"), "10.0.0.0/24", NULL);
	d = fx_deny(&f, g, DIRECTION_EGRESS, "443/tcp");
	fx_peer_cidr(&f, &d->rule, "10.0.0.7/32", NULL);
	fx_compile(&f);
	r = fx_ruleset(&f, "stray");
	assert_out(&f, "stray", "10.0.0.8", "443/tcp", "open");
	assert_out(&f, "stray", "10.0.0.8", "442/tcp", "guardrail_g.out.to-10.0.0.0-8.any");
	assert_out(&f, "stray", "10.0.0.8", "443/udp", "guardrail_g.out.to-10.0.0.0-8.any");
	assert_out(&f, "stray", "10.0.1.0", "443/tcp", "guardrail_g.out.to-10.0.0.0-8.any");
	assert_out(&f, "stray", "10.0.0.7", "443/tcp", "guardrail_g.out.to-10.0.0.7-32.443-tcp");
	assert_out(&f, "stray", "10.0.0.8", "icmp/echo-request", "open");
	assert_out(&f, "stray", "10.0.0.8", "icmp/13", "guardrail_g.out.to-10.0.0.0-8.any");
	assert_out(&f, "stray", "10.0.1.8", "icmp/echo-request",
		   "guardrail_g.out.to-10.0.0.0-8.any");
	/* replies to an excepted ping are excepted, and what is whole needs no port */
	for (size_t i = 0; i < r->guards[0][GUARD_ICMP].n; i++) {
		const struct entry *e = &r->guards[0][GUARD_ICMP].e[i];

		assert_false(e->port_lo == 0 || e->port_hi > 255 ||
			     (e->port_lo <= 8 && e->port_hi >= 8));
	}
	assert_true(r->guards[0][GUARD_NET].n > 0 && r->guards[0][GUARD_PORT].n > 0);
	fx_done(&f);
}

/* Two endpoints in one namespace have what either is denied. */
static void test_shared_namespace(void **state)
{
	struct fx f;
	struct guardrail *g;
	const char *const names[] = { "pay", "ledger" };

	build(&f);
	((struct endpoint *)f.endpoints.endpoints)[2].netns_ino =
		f.endpoints.endpoints[1].netns_ino;
	g = fx_guardrail(&f, "g");
	g->services = names;
	g->n_services = 1;
	fx_peer_cidr(&f, &fx_deny(&f, g, DIRECTION_EGRESS, "any")->rule, "192.0.2.1/32", NULL);
	assert_int_equal(fx_compile(&f), 3);
	assert_out(&f, "pay", "192.0.2.1", "1/tcp", "guardrail_g.out.to-192.0.2.1-32.any");
	assert_false(ruleset_has_guards(fx_ruleset(&f, "ledger")));
	assert_true(f.list->guarded[1]);
	assert_false(f.list->guarded[2]);
	fx_done(&f);
}

/* A container in the host's namespace is told, and left alone. */
static void test_host_network(void **state)
{
	struct fx f;
	struct guardrail *g;

	build(&f);
	((struct endpoint *)f.endpoints.endpoints)[2].obstacle = ENDPOINT_HOST_NETWORK;
	g = fx_guardrail(&f, "g");
	g->all = true;
	fx_peer_cidr(&f, &fx_deny(&f, g, DIRECTION_EGRESS, "any")->rule, "192.0.2.1/32", NULL);
	assert_int_equal(fx_compile(&f), 3);
	assert_null(fx_ruleset(&f, "stray"));
	assert_true(f.list->guarded[2]);
	fx_done(&f);
}

/* The longest names and the oddest services: whose a counter is, is never in doubt. */
static void test_names(void **state)
{
	char longest[64], name[RULESET_GUARD_STR];
	struct fx f;
	struct guardrail *g;
	const struct ruleset *r;
	size_t guards = 0;

	memset(longest, 'l', 63);
	longest[63] = '\0';
	build(&f);
	fx_service(&f, "guardrail")->select = service_of(&f, "pay")->select;
	fx_rule(&f, service_of(&f, "guardrail"), DIRECTION_EGRESS, "g", "any");
	g = fx_guardrail(&f, longest);
	g->all = true;
	fx_deny(&f, g, DIRECTION_EGRESS, "any")->rule.name = "a-name-of-sixty-characters-for-an-"
							     "entry-that-denies-something";
	fx_compile(&f);
	r = fx_ruleset(&f, "pay");
	for (size_t i = 0; i < r->n_rules; i++) {
		assert_true(strlen(r->rules[i].name) <= BH_NFT_NAME_MAX);
		guards += ruleset_rule_is_guard(&r->rules[i]);
		if (ruleset_rule_is_guard(&r->rules[i]))
			assert_string_equal(ruleset_guard_name(&r->rules[i], name), longest);
	}
	assert_int_equal(guards, 1);
	assert_int_equal(r->n_rules, 2);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overrides),     cmocka_unit_test(test_unknown_is_no_open_one),
		cmocka_unit_test(test_default_stays), cmocka_unit_test(test_scope_boundary),
		cmocka_unit_test(test_empty),         cmocka_unit_test(test_contested),
		cmocka_unit_test(test_holes),         cmocka_unit_test(test_shared_namespace),
		cmocka_unit_test(test_host_network),  cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
