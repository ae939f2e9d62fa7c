/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

/* What is proposed for flows that can be let pass. */

static const struct fixture_endpoint shop[] = {
	{ "web", "web", "10.0.0.1", "10.0.0.53", NULL },
	{ "web-2", "web", "10.0.0.2", NULL, NULL },
	{ "db", "db", "10.0.1.1", NULL, NULL },
	{ "cache", "cache", "fd00::1", NULL, NULL },
	{ "six", "six", "fd00::2", NULL, NULL },
	{ "lost", "lost", "10.0.7.1", NULL, NULL },
};

#define WEB "service: web\nselect: {labels: {app: web}}\n"
#define DB  "service: db\nselect: {labels: {app: db}}\n"

static void begin(struct site *s, const char *a, const char *b)
{
	site_begin(s, a, b, shop, BH_ARRAY_SIZE(shop));
}

static void test_both_ends(void **state)
{
	struct site s;

	begin(&s, WEB, DB);
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{service: db}]\n    ports: [5432/tcp]\n");
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "ingress:\n  - from: [{service: web}]\n    ports: [5432/tcp]\n");
	assert_int_equal(s.advice.n_edits, 2);
	assert_string_equal(s.advice.edits[0].file, "a.yaml");
	assert_int_equal(s.advice.edits[0].line, 3);
	assert_int_equal(s.advice.edits[0].n_add, 3);
	assert_string_equal(s.advice.edits[0].add[1], "  - to: [{service: db}]");
	assert_string_equal(s.advice.edits[0].says, "web may send to db on 5432/tcp");
	assert_string_equal(s.advice.edits[1].says, "db lets web in on 5432/tcp");
	assert_int_equal(s.advice.n_also, 1);
	assert_string_equal(s.advice.also[0], "web-2 -> db 5432/tcp");
	assert_false(s.advice.todo);
	site_end(&s);
}

static void test_one_end(void **state)
{
	struct site s;

	begin(&s, WEB "egress: [{to: [{service: db}]}]\n", DB);
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_files, 1);
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "ingress:\n  - from: [{service: web}]\n    ports: [5432/tcp]\n");
	site_end(&s);
}

static void test_ports_are_joined(void **state)
{
	static const char *const ports[] = { "443/tcp", "53/udp", "9/sctp", "443/tcp", "80/tcp" };
	struct site s;

	begin(&s, WEB, DB "ingress:\n  - from: [{service: web}]\n");
	for (size_t i = 0; i < BH_ARRAY_SIZE(ports); i++)
		ask(&s, "web", "db", ports[i]);
	advise(&s);
	assert_int_equal(s.advice.n_edits, 1);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{service: db}]\n"
				"    ports: [80/tcp, 443/tcp, 53/udp, 9/sctp]\n");
	site_end(&s);
}

static void test_rule_is_extended(void **state)
{
	struct site s;

	begin(&s,
	      WEB "egress:\n  - to: [{service: db}, {service: web}]\n    ports: [1/tcp]\n"
		  "  - to: [{service: db}]\n    ports: [2/tcp]\n    expires: "
		  "2090-01-01T00:00:00Z\n"
		  "  - to: [{service: db, cidr: 10.0.1.1}]\n    ports: [3/tcp]\n"
		  "  - to: [{service: db}]\n    ports: [4/tcp]   # the one\n",
	      DB "ingress:\n  - from: [{labels: {tier: web}}]\n    ports: [1/tcp]\n");
	ask(&s, "web", "db", "7/tcp");
	ask(&s, "web", "db", "8/udp");
	advise(&s);
	assert_non_null(strstr(new_text(&s, "a.yaml"), "    ports: [4/tcp, 7/tcp, 8/udp]   # the "
						       "one\n"));
	assert_non_null(strstr(new_text(&s, "b.yaml"), "    ports: [1/tcp, 7/tcp, 8/udp]\n"));
	assert_int_equal(s.advice.n_edits, 2);
	assert_int_equal(s.advice.edits[0].n_add, 1);
	site_end(&s);
}

/* Labels that others have, too, are no name for these. */
static void test_labels_of_others(void **state)
{
	static const struct fixture_endpoint two[] = {
		{ "web", "both", "10.0.0.1", NULL, NULL },
		{ "api", "both", "10.0.0.2", NULL, NULL },
		{ "db", "db", "10.0.1.1", NULL, NULL },
	};
	struct site s;

	site_begin(&s,
		   "service: web\nselect: {name: web}\negress: [{to: [{service: db}]}]\n---\n"
		   "service: api\nselect: {name: api}\n",
		   DB "ingress:\n  - from: [{labels: {tier: both}}]\n    ports: [1/tcp]\n", two, 3);
	ask(&s, "web", "db", "7/tcp");
	advise(&s);
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "ingress:\n  - from: [{labels: {tier: both}}]\n    ports: [1/tcp]\n"
			       "  - from: [{service: web}]\n    ports: [7/tcp]\n");
	assert_int_equal(s.advice.n_also, 0);
	site_end(&s);
}

/* Who has the labels of a rule that is extended passes as well. */
static void test_also_by_labels(void **state)
{
	struct site s;

	begin(&s, WEB "egress: [{to: [{service: db}]}]\n",
	      DB "ingress:\n  - from: [{labels: {tier: web}}]\n    ports: [1/tcp]\n");
	ask(&s, "web", "db", "7/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_files, 1);
	assert_int_equal(s.advice.n_also, 1);
	assert_string_equal(s.advice.also[0], "web-2 -> db 7/tcp");
	assert_string_equal(s.advice.edits[0].says,
			    "db lets those with the rule's labels in on 7/tcp");
	site_end(&s);
}

static void test_wide_rules_stay(void **state)
{
	struct site s;

	begin(&s, WEB "egress:\n  - to: [{service: db}]\n",
	      DB "ingress:\n  - from: [{entity: managed}]\n    ports: [1/tcp]\n"
		 "  - from: [{cidr: 10.0.0.0/8}]\n    ports: [2/tcp]\n");
	ask(&s, "web", "db", "7/tcp");
	advise(&s);
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "ingress:\n  - from: [{entity: managed}]\n    ports: [1/tcp]\n"
			       "  - from: [{cidr: 10.0.0.0/8}]\n    ports: [2/tcp]\n"
			       "  - from: [{service: web}]\n    ports: [7/tcp]\n");
	site_end(&s);
}

/* Addresses outside: each by itself, never the net around them; those of the same ports in one rule. */
static void test_outside(void **state)
{
	struct site s;

	begin(&s, WEB, DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	ask(&s, "web", "203.0.113.9", "443/tcp");
	ask(&s, "web", "203.0.113.8", "443/tcp");
	ask(&s, "web", "203.0.113.8", "80/tcp");
	ask(&s, "203.0.113.8", "db", "icmp/echo-request");
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n"
				"  - to: [{cidr: 203.0.113.7/32}, {cidr: 203.0.113.9/32}]\n"
				"    ports: [443/tcp]\n"
				"  - to: [{cidr: 203.0.113.8/32}]\n    ports: [80/tcp, 443/tcp]\n");
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "ingress:\n  - from: [{cidr: 203.0.113.8/32}]\n"
			       "    ports: [icmp/echo-request]\n");
	site_end(&s);
}

static void test_ipv6(void **state)
{
	static const char two[] = "service: six\nselect: {labels: {app: six}}\n---\n"
				  "service: cache\nselect: {labels: {app: cache}}\n";
	struct site s;

	begin(&s, two, DB);
	ask(&s, "six", "2001:db8::1", "icmpv6/echo-request");
	ask(&s, "six", "cache", "icmpv6");
	advise(&s);
	assert_string_equal(
		new_text(&s, "a.yaml"),
		"service: six\nselect: {labels: {app: six}}\negress:\n"
		"  - to: [{service: cache}, {cidr: \"2001:db8::1/128\"}]\n"
		"    ports: [icmpv6/echo-request]\n---\n"
		"service: cache\nselect: {labels: {app: cache}}\n"
		"ingress:\n  - from: [{service: six}]\n    ports: [icmpv6/echo-request]\n");
	site_end(&s);
}

static void test_known_address(void **state)
{
	struct site s;

	begin(&s, WEB "egress:\n  - to: [{cidr: 203.0.113.7}]\n    ports: [80]\n", DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{cidr: 203.0.113.7}]\n    ports: [80, "
				"443/tcp]\n");
	site_end(&s);
}

static void test_remarkable_addresses(void **state)
{
	static const char *const addrs[][2] = {
		{ "169.254.169.254", "169.254.169.254 is the metadata service" },
		{ "169.254.7.7", "169.254.7.7 is a link-local address" },
		{ "224.0.0.251", "224.0.0.251 is a multicast group" },
		{ "10.9.9.9", "10.9.9.9 is an address of the host" },
	};
	struct site s;

	begin(&s, WEB, DB);
	for (size_t i = 0; i < BH_ARRAY_SIZE(addrs); i++)
		ask(&s, "web", addrs[i][0], "80/tcp");
	advise(&s);
	for (size_t i = 0; i < BH_ARRAY_SIZE(addrs); i++)
		assert_noted(&s, addrs[i][1]);
	assert_non_null(strstr(new_text(&s, "a.yaml"), "{cidr: 10.9.9.9/32}"));
	assert_int_equal(s.advice.n_refused, 0);
	site_end(&s);
}

static void test_dns(void **state)
{
	struct site s;

	begin(&s, WEB "dns: deny   # no\n", DB);
	ask(&s, "web", "10.0.0.53", "53/udp");
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"), WEB "dns: allow   # no\n");
	assert_string_equal(s.advice.edits[0].says, "web may ask its resolvers on 53/udp and "
						    "53/tcp");
	assert_int_equal(s.advice.n_also, 1);
	assert_string_equal(s.advice.also[0], "web -> 10.0.0.53 53/tcp");
	site_end(&s);
	/* A server that is not its resolver is an address like others. */
	begin(&s, WEB, DB);
	ask(&s, "web", "10.0.0.54", "53/udp");
	advise(&s);
	assert_non_null(strstr(new_text(&s, "a.yaml"), "{cidr: 10.0.0.54/32}"));
	site_end(&s);
}

static void test_follow(void **state)
{
	struct site s;

	begin(&s, WEB "egress: follow\n", DB);
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_files, 1);
	assert_non_null(strstr(new_text(&s, "b.yaml"), "from: [{service: web}]"));
	site_end(&s);
}

static void test_audit(void **state)
{
	struct site s;

	begin(&s, WEB "mode: audit\n", DB "ingress: [{from: [{service: web}]}]\n");
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_files, 1);
	assert_non_null(strstr(new_text(&s, "a.yaml"), "to: [{service: db}]"));
	site_end(&s);
}

/* Of two services the one that speaks for fewer. */
static void test_union(void **state)
{
	struct site s;

	begin(&s,
	      WEB "---\nservice: everybody\nselect: {name: \"*\"}\n---\n"
		  "service: off\nselect: {name: web}\nmode: off\n",
	      DB);
	ask(&s, "web", "203.0.113.7", "443/tcp");
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{cidr: 203.0.113.7/32}]\n    ports: [443/tcp]\n"
				"---\nservice: everybody\nselect: {name: \"*\"}\n---\n"
				"service: off\nselect: {name: web}\nmode: off\n");
	assert_int_equal(s.advice.n_also, 1);
	site_end(&s);
}

static void test_passes_already(void **state)
{
	struct site s;

	begin(&s, WEB "egress: [{to: [{service: db}]}]\n",
	      DB "ingress: [{from: [{service: web}]}]\n");
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_int_equal(s.advice.n_files, 0);
	assert_int_equal(s.advice.n_refused, 0);
	assert_noted(&s, "web -> db 5432/tcp passes already: allow:");
	site_end(&s);
}

#define CDE "---\nscope: cde\nrequire: [reason, reviewed, owner]\n"

static void test_scope(void **state)
{
	struct site s;

	begin(&s, WEB CDE, DB "scope: cde\nowner: dba\n");
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_true(s.advice.todo);
	assert_string_equal(new_text(&s, "a.yaml"),
			    "service: web\nowner: TODO\nselect: {labels: {app: web}}\negress:\n"
			    "  - to: [{service: db}]\n    ports: [5432/tcp]\n    reason: TODO\n"
			    "    reviewed: TODO\n" CDE);
	assert_string_equal(new_text(&s, "b.yaml"),
			    DB "scope: cde\nowner: dba\ningress:\n  - from: [{service: web}]\n"
			       "    ports: [5432/tcp]\n    reason: TODO\n    reviewed: TODO\n");
	assert_noted(&s, "web -> db 5432/tcp crosses scope cde (a.yaml:");
	site_end(&s);
}

/* A rule without what the scope requires is none to add to. */
static void test_scope_and_rules(void **state)
{
	struct site s;

	begin(&s, WEB CDE "---\nservice: other\nselect: {name: other}\n",
	      DB
	      "scope: cde\nowner: dba\ningress:\n  - from: [{service: web}]\n    ports: [1/tcp]\n"
	      "  - from: [{service: web}]\n    ports: [2/tcp]\n    reason: x\n"
	      "    reviewed: 2026-01-01\n");
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_non_null(strstr(new_text(&s, "b.yaml"), "    ports: [1/tcp]\n"));
	assert_non_null(strstr(new_text(&s, "b.yaml"), "    ports: [2/tcp, 5432/tcp]\n"));
	assert_noted(&s, "b.yaml:8 was reviewed at 2026-01-01");
	site_end(&s);
}

static void test_within_scope(void **state)
{
	struct site s;

	begin(&s, WEB "scope: cde\n" CDE, DB "scope: cde\n");
	ask(&s, "web", "db", "5432/tcp");
	advise(&s);
	assert_false(s.advice.todo);
	assert_noted(&s, "web -> db 5432/tcp is within scope cde (a.yaml:");
	site_end(&s);
}

static void test_records(void **state)
{
	struct flow_record r;
	struct site s;

	begin(&s, WEB, DB);
	r = record_of(DIRECTION_EGRESS, "10.0.0.1", "10.0.1.1", 5432);
	strcpy(r.destination.endpoint, "shop/db");
	add_record(&s, &r);
	r.rule_kind = RECORD_GUARDRAIL; /* that denies it no more */
	add_record(&s, &r);
	r = record_of(DIRECTION_INGRESS, "203.0.113.1", "10.0.0.1", 80);
	add_record(&s, &r);
	advise(&s);
	assert_int_equal(s.advice.n_refused, 0);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{service: db}]\n    ports: [5432/tcp]\n"
				"ingress:\n  - from: [{cidr: 203.0.113.1/32}]\n    ports: "
				"[80/tcp]\n");
	assert_non_null(strstr(new_text(&s, "b.yaml"), "from: [{service: web}]"));
	site_end(&s);
}

/* A container was made anew: another id and address, the same name and service. */
static void test_renewed(void **state)
{
	struct flow_record r = record_of(DIRECTION_EGRESS, "10.5.5.5", "10.6.6.6", 5432);
	struct site s;

	begin(&s, WEB, DB);
	strcpy(r.endpoint_id, "0123");
	strcpy(r.destination.endpoint, "4567");
	strcpy(r.destination.name, "db");
	strcpy(r.destination.service, "db");
	add_record(&s, &r);
	advise(&s);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "egress:\n  - to: [{service: db}]\n    ports: [5432/tcp]\n");
	site_end(&s);
}

/* What came in by a group is let in at the one end; the sender's policy is another matter. */
static void test_multicast(void **state)
{
	struct flow_record r = record_of(DIRECTION_INGRESS, "10.0.1.1", "224.0.0.251", 5353);
	struct site s;

	begin(&s, WEB, DB);
	r.proto = IPPROTO_UDP;
	strcpy(r.source.endpoint, "shop/db");
	add_record(&s, &r);
	advise(&s);
	assert_int_equal(s.advice.n_refused, 0);
	assert_int_equal(s.advice.n_files, 1);
	assert_string_equal(new_text(&s, "a.yaml"),
			    WEB "ingress:\n  - from: [{service: db}]\n    ports: [5353/udp]\n");
	site_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends),
		cmocka_unit_test(test_one_end),
		cmocka_unit_test(test_ports_are_joined),
		cmocka_unit_test(test_rule_is_extended),
		cmocka_unit_test(test_labels_of_others),
		cmocka_unit_test(test_also_by_labels),
		cmocka_unit_test(test_wide_rules_stay),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_known_address),
		cmocka_unit_test(test_remarkable_addresses),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_union),
		cmocka_unit_test(test_passes_already),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_scope_and_rules),
		cmocka_unit_test(test_within_scope),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_multicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
