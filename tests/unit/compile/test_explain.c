/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "fixture.h"

/* web -> pay 8443/tcp is allowed at both ends; mon watches web in audit mode; stray is unmanaged.
 */
static void build(struct fx *f)
{
	struct service *web, *pay, *mon;

	fx_init(f);
	fx_endpoint(f, "mon", "app=mon", "10.0.0.4");
	fx_endpoint(f, "pay", "app=pay", "10.0.0.2,fd00::2");
	fx_endpoint(f, "stray", "app=stray", "10.0.0.5");
	fx_endpoint(f, "web", "app=web", "10.0.0.1,fd00::1");
	web = fx_service(f, "web");
	pay = fx_service(f, "pay");
	mon = fx_service(f, "mon");
	mon->mode = MODE_AUDIT;
	fx_peer_service(fx_rule(f, web, DIRECTION_EGRESS, "payments", "8443/tcp,8080/tcp"), "pay");
	fx_peer_service(fx_rule(f, pay, DIRECTION_INGRESS, "checkout", "8443/tcp"), "web");
	fx_peer_cidr(f, fx_rule(f, web, DIRECTION_EGRESS, "net", "443/tcp,icmp/echo-request"),
		     "192.0.2.0/24", NULL);
}

static struct explainer *explainer_of(struct fx *f)
{
	struct explainer *x;

	ruleset_list_free(f->list);
	assert_int_equal(compile_rulesets(&f->in, true, &f->list, &f->diags, &f->err), 0);
	assert_int_equal(explainer_new(&f->in, f->list, &x, &f->err), 0);
	return x;
}

/* The sentence; both roads to the verdict must agree. */
static const char *ask(struct fx *f, const struct explainer *x, const char *from, const char *to,
		       const char *port, struct explanation *e)
{
	struct explain_party a, b;
	struct port_spec p;
	const char *why;

	assert_int_equal(explain_party_parse(&f->endpoints, from, &a, &f->err), 0);
	assert_int_equal(explain_party_parse(&f->endpoints, to, &b, &f->err), 0);
	assert_int_equal(port_spec_parse(port, &p, &why), 0);
	assert_int_equal(explain(x, &a, &b, &p, e, &f->err), 0);
	assert_int_equal(explain_verdict(x, &a, &b, &p), e->verdict);
	return e->sentence;
}

static void test_allow(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;

	build(&f);
	x = explainer_of(&f);
	assert_string_equal(ask(&f, x, "web", "pay", "8443/tcp", &e),
			    "allow: web -> pay 8443/tcp: web sends by policies/web.yaml:20 "
			    "(web.out.payments), pay receives by policies/pay.yaml:21 "
			    "(pay.in.checkout)");
	assert_int_equal(e.verdict, EXPLAIN_ALLOW);
	assert_true(e.source.enforced && e.source.allowed && !e.source.audit);
	assert_string_equal(e.source.rule, "web.out.payments");
	assert_string_equal(e.destination.where, "policies/pay.yaml:21");
	assert_string_equal(e.destination.services, "pay");
	/* an address of an endpoint is that endpoint */
	ask(&f, x, "fd00::1", "fd00::2", "8443/tcp", &e);
	assert_int_equal(e.verdict, EXPLAIN_ALLOW);
	assert_string_equal(e.destination.rule, "pay.in.checkout");
	assert_string_equal(ask(&f, x, "web", "192.0.2.9", "443/tcp", &e),
			    "allow: web -> 192.0.2.9 443/tcp: web sends by policies/web.yaml:22 "
			    "(web.out.net), 192.0.2.9 is outside");
	assert_false(e.destination.enforced);
	assert_true(e.destination.allowed);
	ask(&f, x, "web", "192.0.2.9", "icmp", &e);
	assert_int_equal(e.verdict, EXPLAIN_ALLOW);
	assert_string_equal(ask(&f, x, "web", "web", "1/tcp", &e),
			    "allow: web -> web: loopback and a container's own addresses always "
			    "pass");
	explainer_free(x);
	fx_done(&f);
}

static void test_deny(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;

	build(&f);
	x = explainer_of(&f);
	assert_string_equal(ask(&f, x, "web", "pay", "8080/tcp", &e),
			    "deny at pay (ingress, default-deny policies/pay.yaml:3): pay lets web "
			    "in on 8443/tcp, not 8080/tcp (policies/pay.yaml:21)");
	assert_true(e.source.allowed);
	assert_false(e.destination.allowed);
	assert_string_equal(e.destination.near_rule, "pay.in.checkout");
	assert_string_equal(e.destination.near_text, "allows 8443/tcp, not 8080/tcp");
	assert_string_equal(e.destination.where, "policies/pay.yaml:3");

	assert_string_equal(ask(&f, x, "stray", "pay", "8443/tcp", &e),
			    "deny at pay (ingress, default-deny policies/pay.yaml:3): pay lets web "
			    "in on 8443/tcp, not stray (policies/pay.yaml:21)");
	assert_string_equal(e.destination.near_text, "allows 8443/tcp from web, not from stray");
	assert_string_equal(
		ask(&f, x, "web", "198.51.100.1", "443/tcp", &e),
		"deny at web (egress, default-deny policies/web.yaml:5): web may send to "
		"192.0.2.0/24 on 443/tcp, not to 198.51.100.1 (policies/web.yaml:22)");
	assert_string_equal(
		ask(&f, x, "pay", "web", "8443/tcp", &e),
		"deny at pay (egress, default-deny policies/pay.yaml:5): pay lets web in "
		"on 8443/tcp, but may not send to it (policies/pay.yaml:21); and at web "
		"(ingress, default-deny policies/web.yaml:3): web may send to pay on "
		"8443/tcp, but does not let it in (policies/web.yaml:20)");
	assert_string_equal(e.source.near_text, "allows 8443/tcp as ingress, not as egress");
	assert_string_equal(ask(&f, x, "web", "stray", "9/tcp", &e),
			    "deny at web (egress, default-deny policies/web.yaml:5): nothing lets "
			    "web send to stray");
	explainer_free(x);
	fx_done(&f);
}

static void test_audit_and_unmanaged(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;

	build(&f);
	x = explainer_of(&f);
	assert_string_equal(
		ask(&f, x, "mon", "stray", "9100/tcp", &e),
		"allow: mon -> stray 9100/tcp: audit only, else deny at mon (egress, "
		"default-deny policies/mon.yaml:5): nothing lets mon send to stray; stray "
		"is held by no policy");
	assert_true(e.source.audit && e.source.allowed && e.source.enforced);
	assert_false(e.destination.enforced);
	/* audit at one end does not open the other */
	ask(&f, x, "mon", "pay", "8443/tcp", &e);
	assert_int_equal(e.verdict, EXPLAIN_DENY);
	explainer_free(x);
	fx_done(&f);
}

static void test_contested(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;

	build(&f);
	fx_endpoint(&f, "web2", "app=web", "10.0.0.2");
	x = explainer_of(&f);
	assert_string_equal(
		ask(&f, x, "web", "10.0.0.2", "8443/tcp", &e),
		"deny: address 10.0.0.2 is claimed by both pay and web2, so it is denied "
		"to both");
	/* its other address is still its own */
	ask(&f, x, "web", "pay", "8443/tcp", &e);
	assert_int_equal(e.verdict, EXPLAIN_ALLOW);
	assert_int_equal(e.to.family, AF_INET6);
	explainer_free(x);
	fx_done(&f);
}

/* The host has it, too. */
static void test_contested_with_host(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;

	build(&f);
	fx_host_addrs(&f, "10.0.0.2");
	x = explainer_of(&f);
	assert_string_equal(
		ask(&f, x, "web", "10.0.0.2", "8443/tcp", &e),
		"deny: address 10.0.0.2 is claimed by both pay and the host, so it is denied "
		"to both");
	explainer_free(x);
	fx_done(&f);
}

static void test_questions_without_an_answer(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;
	struct explain_party a, b;
	struct port_spec p = { 6, 80, 90 };

	build(&f);
	x = explainer_of(&f);
	assert_string_equal(ask(&f, x, "stray", "2001:db8::1", "80/tcp", &e),
			    "deny: stray -> 2001:db8::1: they have no addresses of one family that "
			    "this could use");
	ask(&f, x, "192.0.2.1", "10.0.0.5", "icmpv6/echo-request", &e);
	assert_int_equal(e.verdict, EXPLAIN_DENY);
	assert_int_equal(explain_party_parse(&f.endpoints, "web", &a, &f.err), 0);
	assert_int_equal(explain_party_parse(&f.endpoints, "pay", &b, &f.err), 0);
	assert_int_equal(explain(x, &a, &b, &p, &e, &f.err), -EINVAL);
	assert_string_equal(f.err.msg, "explain needs one port, not 80-90/tcp");
	assert_int_equal(explain_verdict(x, &a, &b, &p), EXPLAIN_DENY);
	explainer_free(x);
	fx_done(&f);
}

static void test_parties(void **state)
{
	struct fx f;
	struct explain_party p;

	build(&f);
	assert_int_equal(explain_party_parse(&f.endpoints, "stray", &p, &f.err), 0);
	assert_true(p.is_endpoint);
	assert_int_equal(p.endpoint, 2);
	assert_int_equal(explain_party_parse(&f.endpoints, "2001:db8::1", &p, &f.err), 0);
	assert_false(p.is_endpoint);
	assert_int_equal(explain_party_parse(&f.endpoints, "strai", &p, &f.err), -ENOENT);
	assert_string_equal(f.err.msg, "no endpoint or address 'strai'; did you mean stray?");
	((struct endpoint *)f.endpoints.endpoints)[0].name = "both";
	((struct endpoint *)f.endpoints.endpoints)[1].name = "both";
	assert_int_equal(explain_party_parse(&f.endpoints, "both", &p, &f.err), -EEXIST);
	assert_string_equal(f.err.msg, "several endpoints are named 'both'; use an id: mon or pay");
	fx_done(&f);
}

/* What a guardrail denies is denied by it, whatever else is near, in audit mode and in the open. */
static void test_guardrail(void **state)
{
	struct fx f;
	struct explainer *x;
	struct explanation e;
	struct guardrail *g;
	struct deny *d;

	build(&f);
	g = fx_guardrail(&f, "wall");
	g->all = true;
	d = fx_deny(&f, g, DIRECTION_EGRESS, "any");
	fx_peer_service(&d->rule, "pay");
	fx_unless(&f, d, "8080/tcp")->service = "pay";
	x = explainer_of(&f);
	assert_string_equal(ask(&f, x, "web", "pay", "8443/tcp", &e),
			    "deny at web (egress, guardrail policies/guardrails.yaml:23): "
			    "guardrail wall denies "
			    "that web sends to pay, whatever services allow");
	assert_true(e.source.guardrail && e.source.enforced && !e.source.allowed);
	assert_string_equal(e.source.rule, "guardrail_wall.out.to-pay.any");
	assert_string_equal(e.source.where, "policies/guardrails.yaml:23");
	assert_null(e.source.near_rule);
	assert_false(e.destination.guardrail);
	/* excepted: back to what services say */
	assert_string_equal(ask(&f, x, "web", "pay", "8080/tcp", &e),
			    "deny at pay (ingress, default-deny policies/pay.yaml:3): pay lets web "
			    "in on 8443/tcp, not 8080/tcp (policies/pay.yaml:21)");
	/* audit mode is no way round it */
	ask(&f, x, "mon", "pay", "8443/tcp", &e);
	assert_int_equal(e.verdict, EXPLAIN_DENY);
	assert_true(e.source.guardrail && !e.source.audit);
	/* held by guardrails only */
	ask(&f, x, "stray", "pay", "1/tcp", &e);
	assert_true(e.source.guardrail);
	assert_string_equal(ask(&f, x, "stray", "192.0.2.1", "1/tcp", &e),
			    "allow: stray -> 192.0.2.1 1/tcp: stray is held by guardrails only, "
			    "192.0.2.1 is outside");
	assert_true(e.source.enforced && e.source.allowed);
	assert_null(e.source.rule);
	explainer_free(x);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_guardrail),
		cmocka_unit_test(test_audit_and_unmanaged),
		cmocka_unit_test(test_contested),
		cmocka_unit_test(test_contested_with_host),
		cmocka_unit_test(test_questions_without_an_answer),
		cmocka_unit_test(test_parties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
