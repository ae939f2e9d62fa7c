/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/policy/edit.h>

/* Policies of several services, "p.yaml"; what a test edits is the service of a name in it. */

static const struct port_spec port = { IPPROTO_TCP, 6379, 6379 };
static const struct peer ledger = { .service = "ledger" };

#define SELECT "select: {labels: {app: a}}\n"

static struct policy_edit rule_for(const struct policy_set *set, enum direction d)
{
	return (struct policy_edit) {
		.kind = POLICY_EDIT_RULE,
		.service = policy_set_service(set, "a"),
		.direction = d,
		.peers = &ledger,
		.n_peers = 1,
		.ports = &port,
		.n_ports = 1,
	};
}

static struct policy_edit ports_for(const struct policy_set *set, enum direction d, size_t rule)
{
	struct policy_edit e = rule_for(set, d);

	e.kind = POLICY_EDIT_PORTS;
	e.rule = &e.service->rules[d][rule];
	return e;
}

static char *edited(const char *yaml, struct policy_edit *e, size_t n, const char *fill, int expect)
{
	struct policy_source src = { "p.yaml", yaml, strlen(yaml) };
	struct policy_edit *edits[8];
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf out;

	for (size_t i = 0; i < n; i++)
		edits[i] = &e[i];
	bh_buf_init(&out, 1 << 20);
	assert_int_equal(policy_edit(&src, edits, n, fill, &out, &err), expect);
	if (expect < 0) {
		bh_buf_done(&out);
		return NULL;
	}
	return bh_buf_steal(&out);
}

static struct policy_set *parse(const char *yaml)
{
	struct policy_set *set = NULL;
	struct diag_list diags;
	char *text;

	diag_list_init(&diags);
	parse_bytes(yaml, strlen(yaml), &set, &diags);
	text = diags_text(&diags);
	if (!set)
		fail_msg("%s", text);
	free(text);
	diag_list_done(&diags);
	return set;
}

/* One edit of YAML gives EXPECT, which is valid; it stands at LINE. */
static void check(const char *yaml, struct policy_edit (*make)(const struct policy_set *set),
		  const char *expect, unsigned line, unsigned n_lines)
{
	struct policy_set *set = parse(yaml), *after;
	struct policy_edit e = make(set);
	char *got = edited(yaml, &e, 1, NULL, 0);

	assert_string_equal(got, expect);
	assert_int_equal(e.line, line);
	assert_int_equal(e.n_lines, n_lines);
	after = parse(got);
	policy_set_free(after);
	policy_set_free(set);
	free(got);
}

static const char other[] = "service: ledger\nselect: {labels: {app: l}}\n---\n";

#define WITH_LEDGER(text) "service: ledger\nselect: {labels: {app: l}}\n---\n" text

static struct policy_edit egress_rule(const struct policy_set *set)
{
	return rule_for(set, DIRECTION_EGRESS);
}

static struct policy_edit ingress_rule(const struct policy_set *set)
{
	return rule_for(set, DIRECTION_INGRESS);
}

static struct policy_edit first_ports(const struct policy_set *set)
{
	return ports_for(set, DIRECTION_EGRESS, 0);
}

static struct policy_edit dns(const struct policy_set *set)
{
	return (struct policy_edit) { .kind = POLICY_EDIT_DNS,
				      .service = policy_set_service(set, "a") };
}

static struct policy_edit owner(const struct policy_set *set)
{
	return (struct policy_edit) { .kind = POLICY_EDIT_OWNER,
				      .service = policy_set_service(set, "a") };
}

#define NEW_RULE "- to: [{service: ledger}]\n"

static void test_rule_in_block(void **state)
{
	check(WITH_LEDGER("service: a\n" SELECT "egress:   # out\n"
			  "  - to: [{service: ledger}]   # the book\n    ports: [5432/tcp] # x\n\n"
			  "# dns follows\ndns: allow\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:   # out\n"
			  "  - to: [{service: ledger}]   # the book\n    ports: [5432/tcp] # x\n"
			  "  " NEW_RULE "    ports: [6379/tcp]\n\n# dns follows\ndns: allow\n"),
	      9, 2);
	/* Dashes beside the key, and more room behind them. */
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n-   to:\n    - service: ledger\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n-   to:\n    - service: ledger\n"
			  "-   to: [{service: ledger}]\n    ports: [6379/tcp]\n"),
	      9, 2);
	/* Items in braces; a line end that is missing. */
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n    - {to: [{service: ledger}], ports: "
			  "[1/tcp]}"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n    - {to: [{service: ledger}], ports: "
			  "[1/tcp]}\n    - to: [{service: ledger}]\n      ports: [6379/tcp]\n"),
	      8, 2);
}

static void test_rule_after_long_text(void **state)
{
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    reason: |\n      one\n      two\n\n# comment\ningress: []\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    reason: |\n      one\n      two\n\n  " NEW_RULE
			  "    ports: [6379/tcp]\n# comment\ningress: []\n"),
	      12, 2);
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    reason: a text\n      that goes on   # here\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    reason: a text\n      that goes on   # here\n  " NEW_RULE
			  "    ports: [6379/tcp]\n"),
	      10, 2);
}

static void test_rule_in_empty_list(void **state)
{
	check(WITH_LEDGER("service: a\n" SELECT "egress: []    # nothing\ndns: deny\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:    # nothing\n  " NEW_RULE
			  "    ports: [6379/tcp]\ndns: deny\n"),
	      7, 2);
	check(WITH_LEDGER("service: a\n" SELECT), egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n  " NEW_RULE "    ports: [6379/tcp]\n"),
	      6, 3);
	/* As the other list is indented. */
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n- to: [{service: ledger}]\n"),
	      ingress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n- to: [{service: ledger}]\n"
			  "ingress:\n- from: [{service: ledger}]\n  ports: [6379/tcp]\n"),
	      8, 3);
}

static void test_rule_in_flow(void **state)
{
	check(WITH_LEDGER("service: a\n" SELECT "egress: [{to: [{service: ledger}]} , ]\n"),
	      egress_rule,
	      WITH_LEDGER("service: a\n" SELECT "egress: [{to: [{service: ledger}]}, "
			  "{to: [{service: ledger}], ports: [6379/tcp]} , ]\n"),
	      6, 1);
	check(WITH_LEDGER("{service: a, select: {labels: {app: a}}}\n"), egress_rule,
	      WITH_LEDGER("{service: a, select: {labels: {app: a}}, "
			  "egress: [{to: [{service: ledger}], ports: [6379/tcp]}]}\n"),
	      4, 1);
	check(WITH_LEDGER("{service: a, egress: [], select: {labels: {app: a}}}\n"), egress_rule,
	      WITH_LEDGER("{service: a, egress: [{to: [{service: ledger}], ports: [6379/tcp]}], "
			  "select: {labels: {app: a}}}\n"),
	      4, 1);
}

static void test_ports(void **state)
{
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    ports: [5432/tcp, 5433/tcp ] # two\n    reason: é\n"),
	      first_ports,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    ports: [5432/tcp, 5433/tcp, 6379/tcp ] # two\n    reason: é\n"),
	      8, 1);
}

/* Marks count characters, and a byte order mark is none. */
static void test_ports_in_lines(void **state)
{
	check("\xef\xbb\xbf" WITH_LEDGER("service: a\n" SELECT
					 "egress:\n  - {reason: \"é ü\", to: [{service: "
					 "ledger}], ports: [\"5432/tcp\"]}\n"),
	      first_ports,
	      "\xef\xbb\xbf" WITH_LEDGER("service: a\n" SELECT
					 "egress:\n  - {reason: \"é ü\", to: [{service: "
					 "ledger}], ports: [\"5432/tcp\", 6379/tcp]}\n"),
	      7, 1);
	check(WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    ports:\n      - 5432/tcp # one\n      # and nothing more\n"
			  "    ticket: T\n"),
	      first_ports,
	      WITH_LEDGER("service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n"
			  "    ports:\n      - 5432/tcp # one\n      - 6379/tcp\n"
			  "      # and nothing more\n    ticket: T\n"),
	      10, 1);
}

static void test_line_ends(void **state)
{
	check("service: ledger\r\nselect: {labels: {app: l}}\r\n---\r\nservice: a\r\n"
	      "select: {labels: {app: a}}\r\negress: []\r\n",
	      egress_rule,
	      "service: ledger\r\nselect: {labels: {app: l}}\r\n---\r\nservice: a\r\n"
	      "select: {labels: {app: a}}\r\negress:\r\n  - to: [{service: ledger}]\r\n"
	      "    ports: [6379/tcp]\r\n",
	      7, 2);
}

static void test_dns_and_owner(void **state)
{
	check("service: a\ndns: deny # no\n" SELECT, dns, "service: a\ndns: allow # no\n" SELECT, 2,
	      1);
	check("service: a\n" SELECT "---\nservice: b\n" SELECT, dns,
	      "service: a\n" SELECT "dns: allow\n---\nservice: b\n" SELECT, 3, 1);
	check("{service: a, select: {labels: {app: a}}}", dns,
	      "{service: a, select: {labels: {app: a}}, dns: allow}", 1, 1);
}

static void test_placeholders(void **state)
{
	static const char yaml[] = WITH_LEDGER("service: a # it\n" SELECT);
	struct policy_set *set = parse(yaml), *after = NULL;
	struct policy_edit e[2] = { rule_for(set, DIRECTION_EGRESS), owner(set) };
	struct diag_list diags;
	char *text, *got;

	e[0].todo[SCOPE_REASON] = e[0].todo[SCOPE_TICKET] = e[0].todo[SCOPE_REVIEWED] = true;
	got = edited(yaml, e, 2, "2026-11-23", 0);
	after = parse(got);
	assert_string_equal(policy_set_service(after, "a")->rules[0][0].reviewed, "2026-11-23");
	policy_set_free(after);
	free(got);
	got = edited(yaml, e, 2, NULL, 0);
	assert_string_equal(got, WITH_LEDGER("service: a # it\nowner: TODO\n" SELECT
					     "egress:\n  " NEW_RULE
					     "    ports: [6379/tcp]\n    reason: TODO\n"
					     "    reviewed: TODO\n    ticket: TODO\n"));
	assert_int_equal(e[0].line, 7);
	assert_int_equal(e[0].n_lines, 6);
	assert_int_equal(e[1].line, 5);
	diag_list_init(&diags);
	assert_int_equal(parse_bytes(got, strlen(got), &after, &diags), -EINVAL);
	text = diags_text(&diags);
	assert_int_equal(diags.errors, 4);
	assert_non_null(strstr(text, "p.yaml:5:8: error: \"owner\" is still to be written"));
	free(text);
	diag_list_done(&diags);
	policy_set_free(set);
	free(got);
}

/* Many of one file, in two services, at places that touch. */
static void test_together(void **state)
{
	static const char yaml[] =
		"service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n    ports:\n"
		"      - 1/tcp\n---\nservice: ledger\nselect: {labels: {app: l}}\n";
	const struct peer outside[] = {
		{ .has_cidr = true, .cidr = { { AF_INET, { 203, 0, 113, 9 } }, 32 } },
		{ .has_cidr = true, .cidr = { { AF_INET6, { 0x20, 1, 0xd, 0xb8 } }, 128 } },
	};
	const struct port_spec ports[] = { { IPPROTO_ICMP, 8, 8 }, { IPPROTO_SCTP, 9, 9 } };
	struct policy_set *set = parse(yaml), *after;
	struct policy_edit e[6] = {
		ports_for(set, DIRECTION_EGRESS, 0), rule_for(set, DIRECTION_EGRESS),
		rule_for(set, DIRECTION_INGRESS),    rule_for(set, DIRECTION_INGRESS),
		{ .kind = POLICY_EDIT_DNS },         rule_for(set, DIRECTION_INGRESS),
	};
	char *got;

	e[1].peers = outside;
	e[1].n_peers = 2;
	e[1].ports = e[3].ports = ports;
	e[1].n_ports = e[3].n_ports = 2;
	e[4].service = e[0].service;
	e[5].service = policy_set_service(set, "ledger");
	got = edited(yaml, e, 6, NULL, 0);
	assert_string_equal(
		got, "service: a\n" SELECT "egress:\n  - to: [{service: ledger}]\n    ports:\n"
		     "      - 1/tcp\n      - 6379/tcp\n"
		     "  - to: [{cidr: 203.0.113.9/32}, {cidr: \"2001:db8::/128\"}]\n"
		     "    ports: [icmp/echo-request, 9/sctp]\n"
		     "ingress:\n  - from: [{service: ledger}]\n    ports: [6379/tcp]\n"
		     "  - from: [{service: ledger}]\n    ports: [icmp/echo-request, 9/sctp]\n"
		     "dns: allow\n---\nservice: ledger\nselect: {labels: {app: l}}\n"
		     "ingress:\n  - from: [{service: ledger}]\n    ports: [6379/tcp]\n");
	assert_int_equal(e[0].line, 7);
	assert_int_equal(e[1].line, 8);
	assert_int_equal(e[2].line, 10);
	assert_int_equal(e[3].line, 13);
	assert_int_equal(e[4].line, 15);
	assert_int_equal(e[5].line, 19);
	after = parse(got);
	policy_set_free(after);
	policy_set_free(set);
	free(got);
}

/* Layouts that are valid, and too odd to touch: told with their line. */
static void test_trouble(void **state)
{
	static const struct {
		const char *yaml, *says;
		unsigned line;
	} cases[] = {
		{ "service: a\n" SELECT "egress: [\n]\n", "the empty list is more than []", 3 },
		{ "service: a\n" SELECT "egress:\n  []\n", "the empty list does not stand", 4 },
		{ "service: a\n" SELECT "egress: follow\n", "it is no list", 3 },
		{ "--- {service: a, select: {labels: {app: a}}}\n", NULL, 0 },
		{ "? service\n: a\n? select\n: {labels: {app: a}}\n? egress\n: - to: [{service: "
		  "ledger}]\n",
		  "something else stands on the line", 6 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		char yaml[512];
		struct policy_set *set;
		struct policy_edit e;

		snprintf(yaml, sizeof(yaml), "%s%s", other, cases[i].yaml);
		set = parse(yaml);
		e = rule_for(set, DIRECTION_EGRESS);
		free(edited(yaml, &e, 1, NULL, cases[i].says ? -ENOTSUP : 0));
		if (cases[i].says) {
			assert_non_null(e.trouble);
			assert_non_null(strstr(e.trouble, cases[i].says));
			assert_int_equal(e.trouble_line, cases[i].line + 3);
		}
		policy_set_free(set);
	}
}

static void test_by_hand(void **state)
{
	struct policy_set *set = parse(WITH_LEDGER("service: a\n" SELECT));
	struct policy_edit e = rule_for(set, DIRECTION_INGRESS);
	struct bh_buf b;

	bh_buf_init(&b, 4096);
	e.todo[SCOPE_REASON] = true;
	policy_edit_text(&e, &b);
	assert_string_equal(bh_buf_str(&b), "ingress:\n  - from: [{service: ledger}]\n"
					    "    ports: [6379/tcp]\n    reason: TODO\n");
	bh_buf_done(&b);
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_in_block),
		cmocka_unit_test(test_rule_after_long_text),
		cmocka_unit_test(test_rule_in_empty_list),
		cmocka_unit_test(test_rule_in_flow),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_ports_in_lines),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_dns_and_owner),
		cmocka_unit_test(test_placeholders),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_by_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
