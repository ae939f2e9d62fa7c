/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <bulkhead/base/limits.h>

/* What no rule lets pass, and the reason that is given. */

static const struct fixture_endpoint shop[] = {
	{ "web", "web", "10.0.0.1", NULL, NULL },   { "db", "db", "10.0.1.1", NULL, NULL },
	{ "lost", "lost", "10.0.7.1", NULL, NULL }, { "a", "one", "10.0.8.1", NULL, NULL },
	{ "b", "one", "10.0.8.1", NULL, NULL },
};

#define WEB "service: web\nselect: {labels: {app: web}}\n"
#define DB  "service: db\nselect: {labels: {app: db}}\n"

static void begin(struct site *s, const char *a, const char *b)
{
	site_begin(s, a, b, shop, BH_ARRAY_SIZE(shop));
}

static void test_guardrail(void **state)
{
	static const char guard[] = DB "---\nguardrail: no-out\nselect: {services: [web]}\ndeny:\n"
				       "  - to: [{cidr: 203.0.113.0/24}]\n    ports: [443/tcp]\n";
	const struct advice_refusal *r;
	struct site s;

	begin(&s, WEB, guard);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	r = assert_refused(&s, "guardrail no-out forbids it (b.yaml:7), whatever services allow");
	assert_string_equal(r->guardrail, "no-out");
	assert_string_equal(r->where, "b.yaml:7");
	assert_string_equal(r->flow, "web -> 203.0.113.7 443/tcp");
	assert_string_equal(r->record, "flow");
	site_end(&s);
	/* The others are worked on. */
	begin(&s, WEB, guard);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	ask(&s, "web", "203.0.113.7", "80/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_refused, 1);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{cidr: 203.0.113.7/32}]\n    ports: [80/tcp]\n");
	site_end(&s);
}

/* It holds at the far end. */
static void test_guardrail_there(void **state)
{
	struct site s;

	begin(&s, WEB,
	      DB "---\nguardrail: closed\nselect: {services: [db]}\ndeny:\n"
		 "  - from: [{entity: managed}]\n");
	ask(&s, "web", "db", "443/tcp");
	assert_refused(&s, "guardrail closed forbids it");
	site_end(&s);
}

static void refused_record(void (*change)(struct flow_record *r), const char *why)
{
	struct flow_record r = record_of(DIRECTION_EGRESS, "10.0.0.1", "203.0.113.7", 443);
	struct site s;

	change(&r);
	begin(&s, WEB, DB);
	add_record(&s, &r);
	add_record(&s, &r); /* is told once */
	assert_string_equal(assert_refused(&s, why)->record, "in:1");
	assert_true(s.advice.refused[0].flow[0]);
	site_end(&s);
}

static void aggregated(struct flow_record *r)
{
	r->aggregated = true;
	r->source = r->destination = (struct record_end) { 0 };
}

static void by_hand(struct flow_record *r)
{
	r->rule_kind = RECORD_RAW_SOCKET;
}

static void invalid(struct flow_record *r)
{
	r->rule_kind = RECORD_INVALID;
}

static void revoked(struct flow_record *r)
{
	r->rule_kind = RECORD_REVOKED;
}

static void baseline(struct flow_record *r)
{
	r->rule_kind = RECORD_BASELINE;
}

static void allowed(struct flow_record *r)
{
	r->verdict = RECORD_ALLOW;
}

static void on_loopback(struct flow_record *r)
{
	strcpy(r->interface, "lo");
}

static void addressless(struct flow_record *r)
{
	r->source.addr.family = 0;
}

static void two_families(struct flow_record *r)
{
	r->destination.addr = addr_of("fd00::1");
}

static void portless(struct flow_record *r)
{
	r->destination.has_port = false;
}

static void gre(struct flow_record *r)
{
	r->proto = 47;
	r->destination.has_port = false;
}

static void icmp_reply(struct flow_record *r)
{
	r->proto = IPPROTO_ICMP;
	r->destination.has_port = false;
	r->has_icmp = true;
	r->icmp_type = 0;
}

static void icmp_typeless(struct flow_record *r)
{
	r->proto = IPPROTO_ICMP;
	r->destination.has_port = false;
}

static void is_gone(struct flow_record *r)
{
	strcpy(r->endpoint_id, "gone\033[2J");
	strcpy(r->endpoint_name, "gone");
}

/* Its name is that of another one by now, which is of another service. */
static void has_changed(struct flow_record *r)
{
	strcpy(r->endpoint_id, "0123");
	strcpy(r->endpoint_name, "db");
}

static void far_is_gone(struct flow_record *r)
{
	strcpy(r->destination.endpoint, "shop/gone");
}

static void test_records(void **state)
{
	refused_record(aggregated, "stands for several flows");
	refused_record(by_hand, "made by hand on a packet socket");
	refused_record(invalid, "belong to no connection");
	refused_record(revoked, "a connection that an older policy allowed");
	refused_record(baseline, "no policy can allow");
	refused_record(allowed, "it was allowed");
	refused_record(on_loopback, "loopback device");
	refused_record(addressless, "has no addresses");
	refused_record(two_families, "of two families");
	refused_record(portless, "destination port could not be read");
	refused_record(gre, "only with ports: [any]");
	refused_record(icmp_reply, "ICMP reply");
	refused_record(icmp_typeless, "ICMP type could not be read");
	refused_record(is_gone, "gone\\x1b[2J is none of the endpoints that are here now");
	refused_record(has_changed, "0123 is none of the endpoints");
	refused_record(far_is_gone, "shop/gone is none of the endpoints");
}

static void test_unmanaged(void **state)
{
	struct flow_record r = record_of(DIRECTION_EGRESS, "10.0.7.1", "203.0.113.7", 443);
	struct site s;

	begin(&s, WEB, DB);
	ask(&s, "web", "lost", "80/tcp");
	assert_refused(&s, "no service selects lost");
	site_end(&s);
	/* Held by the host file alone. */
	begin(&s, WEB, DB);
	adviser_free(s.adviser);
	s.host.unmanaged = UNMANAGED_QUARANTINE;
	assert_int_equal(adviser_new(&s.in, &s.adviser, NULL), 0);
	strcpy(r.endpoint_id, "shop/lost");
	strcpy(r.source.endpoint, "shop/lost");
	add_record(&s, &r);
	assert_refused(&s, "no service selects lost");
	site_end(&s);
}

static void test_follow_outside(void **state)
{
	struct site s;

	begin(&s, WEB "egress: follow\n", DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	assert_refused(&s, "web has egress: follow");
	site_end(&s);
}

/* Two claim one address: whatever is allowed, both are denied. */
static void test_contested(void **state)
{
	struct site s;

	begin(&s, WEB "---\nservice: one\nselect: {labels: {app: one}}\n", DB);
	ask(&s, "web", "a", "80/tcp");
	assert_refused(&s, "is claimed by both");
	site_end(&s);
}

static void test_odd_layout(void **state)
{
	const struct advice_refusal *r;
	struct site s;

	begin(&s, WEB "egress: [\n]\n", DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	r = assert_refused(&s,
			   "service web has to be edited by hand at a.yaml:3, as the empty list");
	assert_string_equal(r->where, "a.yaml:3");
	assert_string_equal(r->by_hand, "egress:\n  - to: [{cidr: 203.0.113.7/32}]\n    ports: "
					"[443/tcp]\n");
	site_end(&s);
	/* What goes elsewhere is edited all the same. */
	begin(&s, WEB "egress: [\n]\n", DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	ask(&s, "203.0.113.7", "db", "443/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_refused, 1);
	assert_int_equal(s.advice.n_files, 1);
	assert_true(new_text(&s, "b.yaml")[0]);
	site_end(&s);
}

/* A cap of the language: told as the mistake that check would find. */
static void test_too_many_ports(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct site s;

	begin(&s, WEB, DB);
	for (uint16_t i = 0; i < BH_PORTS_PER_RULE_MAX + 1; i++) {
		struct flow_record r =
			record_of(DIRECTION_EGRESS, "10.0.0.1", "203.0.113.7", (uint16_t)(i + 1));

		assert_int_equal(adviser_add_record(s.adviser, &r, "in:1", &err), 0);
	}
	ask(&s, "203.0.113.7", "db", "443/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_refused, BH_PORTS_PER_RULE_MAX + 1);
	assert_non_null(strstr(s.advice.refused[0].why, "would not be valid: a.yaml:"));
	assert_int_equal(s.advice.n_files, 1);
	site_end(&s);
}

static void test_too_many_flows(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct site s;
	int r = 0;

	begin(&s, WEB, DB);
	for (uint16_t i = 0; i <= BH_SUGGEST_FLOWS_MAX && r == 0; i++) {
		struct flow_record rec =
			record_of(DIRECTION_EGRESS, "10.0.0.1", "203.0.113.7", (uint16_t)(i + 1));

		r = adviser_add_record(s.adviser, &rec, "in:1", &err);
		if (i < BH_SUGGEST_FLOWS_MAX)
			assert_int_equal(r, 0);
	}
	assert_int_equal(r, -E2BIG);
	assert_non_null(strstr(err.msg, "more than 1024 different flows"));
	site_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guardrail),      cmocka_unit_test(test_guardrail_there),
		cmocka_unit_test(test_records),        cmocka_unit_test(test_unmanaged),
		cmocka_unit_test(test_follow_outside), cmocka_unit_test(test_contested),
		cmocka_unit_test(test_odd_layout),     cmocka_unit_test(test_too_many_ports),
		cmocka_unit_test(test_too_many_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
