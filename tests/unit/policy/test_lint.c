/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util.h"

#define NOW 1790000000 /* 2026-09-21T14:13:20Z */

/* Two services that no endpoint can both be, with what stands in the middle. */
#define A(rules) "service: a\nselect: {labels: {app: a}}\n" rules "---\n"
#define B(rules) "service: b\nselect: {labels: {app: b}}\n" rules "---\n"

#define A_TO_B   A("egress: [{to: [{service: b}], ports: [80/tcp]}]\n")
#define B_FROM_A B("ingress: [{from: [{service: a}], ports: [80/tcp]}]\n")

#define NOBODY_AT_B                                                                                \
	"p.yaml:5:10: warning: nobody may reach b: its ingress lets nobody in, but p.yaml:3 "      \
	"sends "                                                                                   \
	"there (write the callers into its ingress:) [unreachable]\n"
static const char refused_at_b[] =
	"p.yaml:3:16: warning: a may send to b on 80/tcp, but no ingress rule of b (p.yaml:5) "
	"lets it in there (add from: [{service: a}] to the ingress of b, or remove this) "
	"[one-sided]\n" NOBODY_AT_B;
static const char refused_at_a[] =
	"p.yaml:7:19: warning: b lets in a on 80/tcp, but no egress rule of a (p.yaml:1) sends "
	"there (add to: [{service: b}] to the egress of a, or remove this) [one-sided]\n";

static void test_two_sided(void **state)
{
	assert_lint(A_TO_B B_FROM_A, NOW, "");
	assert_lint(A("egress: [{to: [{service: b}], ports: [80-90/tcp]}]\n") B_FROM_A, NOW, "");
}

static void test_one_sided(void **state)
{
	assert_lint(A_TO_B B(""), NOW, refused_at_b);
	assert_lint(A("") "\n" B_FROM_A, NOW, refused_at_a);
	assert_lint(A_TO_B B("ingress: [{from: [{entity: world}]}]\n"), NOW,
		    "p.yaml:3:16: warning: a may send to b on 80/tcp, but no ingress rule of b "
		    "(p.yaml:7) lets it in there (add from: [{service: a}] to the ingress of b, or "
		    "remove this) [one-sided]\n");
	assert_lint(A_TO_B B("ingress: [{from: [{labels: {app: c}}]}]\n"), NOW,
		    "p.yaml:3:16: warning: a may send to b on 80/tcp, but no ingress rule of b "
		    "(p.yaml:7) lets it in there (add from: [{service: a}] to the ingress of b, or "
		    "remove this) [one-sided]\n");
}

static void test_any_port(void **state)
{
	assert_lint(A("egress: [{to: [{service: b}]}]\n") B(""), NOW,
		    "p.yaml:3:16: warning: a may send to b on any port, but no ingress rule of b "
		    "(p.yaml:5) lets it in there (add from: [{service: a}] to the ingress of b, or "
		    "remove this) [one-sided]\n" NOBODY_AT_B);
}

static void test_other_port(void **state)
{
	assert_lint(A("egress: [{to: [{service: b}], ports: [81/tcp, 80/tcp, 80/udp]}]\n") B_FROM_A,
		    NOW,
		    "p.yaml:3:16: warning: a may send to b on 81/tcp, 80/udp, but no ingress rule "
		    "of b (p.yaml:7) lets it in there (add from: [{service: a}] to the ingress of "
		    "b, or remove this) [one-sided]\n");
	assert_lint(A("egress: [{to: [{service: b}], ports: [80/tcp]}]\n")
			    B("ingress: [{from: [{service: a}], ports: [81/tcp, 90/tcp]},"
			      " {from: [{service: a}], ports: [80]}]\n"),
		    NOW,
		    "p.yaml:7:19: warning: b lets in a on 81/tcp, 90/tcp, but no egress rule of a "
		    "(p.yaml:3) sends there; the nearest, p.yaml:3, has 80/tcp (add to: "
		    "[{service: b}] to the egress of a, or remove this) [one-sided]\n");
}

static void test_uncertain_is_silent(void **state)
{
	/* What the far end says cannot be decided without endpoints. */
	assert_lint(A_TO_B B("ingress: [{from: [{cidr: 10.0.0.0/8}]}]\n"), NOW, "");
	assert_lint(A_TO_B B("ingress: [{from: [{labels: {tier: x}}]}]\n"), NOW, "");
	assert_lint(A_TO_B B("ingress: [{from: [{entity: managed}]}]\n"), NOW, "");
	assert_lint(A_TO_B B("ingress: [{from: [{entity: host}]}]\n"), NOW, "");
	/* The far end lets everything pass, or follows. */
	assert_lint(A_TO_B B("mode: audit\n"), NOW, "");
	assert_lint(A_TO_B B("mode: off\n"), NOW, "");
	assert_lint(A("egress: follow\n") B_FROM_A, NOW, "");
	assert_lint(A("mode: audit\n") B_FROM_A, NOW, "");
	/* The near end is not in force. */
	assert_lint(A("mode: off\negress: [{to: [{service: b}]}]\n") B(""), NOW, "");
	/* An endpoint of b may be c as well, and c lets a in. */
	assert_lint(A_TO_B B("") "service: c\nselect: {name: x}\n"
				 "ingress: [{from: [{entity: managed}]}]\n",
		    NOW, "");
	/* An endpoint of a may be c as well, and b lets c in. */
	assert_lint(A_TO_B B("ingress: [{from: [{service: c}]}]\n") "service: c\n"
								    "select: {name: x}\n"
								    "egress: follow\n",
		    NOW, "");
}

/* Selectors that differ for certain do not hide a one-sided flow. */
static void test_disjoint_selectors(void **state)
{
	static const char *const pairs[][2] = {
		{ "name: \"web-*\"", "name: \"db-*\"" },
		{ "name: \"*-web\"", "name: \"*-db\"" },
		{ "name: web", "name: \"web-*\"" },
		{ "compose: s/web", "compose: s/db" },
		{ "runtime: docker", "runtime: podman" },
		{ "image: \"a:*\"", "image: \"b:*\"" },
		{ "labels: {x: a, y: b}", "labels: {y: c}" },
	};
	char yaml[512];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		snprintf(yaml, sizeof(yaml),
			 "service: a\nselect: {labels: {app: a}}\n"
			 "egress: [{to: [{service: b}], ports: [80/tcp]}]\n---\n"
			 "service: b\nselect: {%s}\nmode: enforce\n---\n"
			 "service: c\nselect: {%s}\nmode: audit\n",
			 pairs[i][0], pairs[i][1]);
		/* a overlaps b, and may be what b is: still b never lets anybody in */
		assert_lint(yaml, NOW, refused_at_b);
	}
	assert_lint("service: a\nselect: {labels: {app: a}}\n"
		    "egress: [{to: [{service: b}], ports: [80/tcp]}]\n---\n"
		    "service: b\nselect: {name: \"web-*\"}\n---\n"
		    "service: c\nselect: {name: \"*-1\"}\nmode: audit\n",
		    NOW, "");
}

static void test_expiry(void **state)
{
	assert_lint(A("ingress: [{from: [{entity: world}], expires: 2026-09-21T14:13:20Z}]\n"), NOW,
		    "p.yaml:3:11: warning: this rule expired at 2026-09-21T14:13:20.000Z and "
		    "allows nothing any more (renew expires: or remove the rule) [expired-rule]\n");
	assert_lint(A("ingress: [{from: [{entity: world}], expires: 2026-09-30T00:00:00Z}]\n"), NOW,
		    "p.yaml:3:11: warning: this rule expires in 8 days, at "
		    "2026-09-30T00:00:00.000Z (renew expires: in time, or let it end) "
		    "[expires-soon]\n");
	assert_lint(A("ingress: [{from: [{entity: world}], expires: 2026-10-21T14:13:21Z}]\n"), NOW,
		    "");
}

/* A rule that is over neither sends nor lets in. */
static void test_expired_flow(void **state)
{
	assert_lint(A("egress: [{to: [{service: b}], expires: 2026-01-01T00:00:00Z}]\n") B(""), NOW,
		    "p.yaml:3:10: warning: this rule expired at 2026-01-01T00:00:00.000Z and "
		    "allows nothing any more (renew expires: or remove the rule) [expired-rule]\n");
	assert_lint(A_TO_B B("ingress: [{from: [{service: a}], expires: 2026-01-01T00:00:00Z}]\n"),
		    NOW,
		    "p.yaml:3:16: warning: a may send to b on 80/tcp, but no ingress rule of b "
		    "(p.yaml:7) lets it in there (add from: [{service: a}] to the ingress of b, or "
		    "remove this) [one-sided]\n" NOBODY_AT_B
		    "p.yaml:7:11: warning: this rule expired at 2026-01-01T00:00:00.000Z and "
		    "allows nothing any more (renew expires: or remove the rule) [expired-rule]\n");
}

static void test_empty(void **state)
{
	assert_lint(A("ingress: [{from: []}]\negress: [{to: []}]\n"), NOW,
		    "p.yaml:3:11: warning: from: [] matches nothing (name a peer or remove the "
		    "rule) [no-peers]\n"
		    "p.yaml:4:10: warning: to: [] matches nothing (name a peer or remove the rule) "
		    "[no-peers]\n");
	assert_lint(A("egress: [{to: [{cidr: 10.0.0.0/8, except: [10.0.0.0/8]}]}]\n"), NOW,
		    "p.yaml:3:16: warning: no address is in all that this peer names: it matches "
		    "nothing [no-address]\n");
	assert_lint(A("egress: [{to: [{cidr: 10.0.0.0/8, group: g}]}]\n") "group: g\ncidrs: "
									  "[192.0.2.0/24, "
									  "2001:db8::/32]\n",
		    NOW,
		    "p.yaml:3:16: warning: no address is in all that this peer names: it matches "
		    "nothing [no-address]\n");
	assert_lint(A("") "group: g\ncidrs: []\n", NOW,
		    "p.yaml:4:8: warning: group \"g\" is empty: a peer that names it matches "
		    "nothing (add a prefix to cidrs:) [no-address]\n"
		    "p.yaml:4:8: warning: no rule and no guardrail names group g (name it in a "
		    "rule, or remove it) [unused-group]\n");
	assert_lint("", NOW,
		    "warning: there is no service in the policies: no container is protected "
		    "[no-service]\n");
}

static void test_icmp_family(void **state)
{
	assert_lint(A("egress: [{to: [{cidr: 2001:db8::/32}], ports: [icmp/echo-request]}]\n"), NOW,
		    "p.yaml:3:10: warning: icmp is IPv4, but every peer of this rule is IPv6 "
		    "(write icmpv6) [icmp-family]\n");
	assert_lint(A("egress: [{to: [{group: g}], ports: [icmpv6]}]\n") "group: g\ncidrs: "
									 "[192.0.2.0/24]\n",
		    NOW,
		    "p.yaml:3:10: warning: icmpv6 is IPv6, but every peer of this rule is IPv4 "
		    "(write icmp) [icmp-family]\n");
	assert_lint(A("egress: [{to: [{cidr: 2001:db8::/32}, {cidr: 192.0.2.1}],"
		      " ports: [icmp, icmpv6]}]\n"),
		    NOW, "");
}

static void test_whole_family(void **state)
{
	assert_lint(A("egress: [{to: [{cidr: 0.0.0.0/0}]}]\n"), NOW,
		    "p.yaml:3:16: warning: 0.0.0.0/0 includes containers, the host and the cloud "
		    "metadata address (entity: world leaves out containers, the host and metadata "
		    "addresses) [whole-family]\n");
	assert_lint(A("egress: [{to: [{cidr: '::/0', entity: world}]}]\n"
		      "ingress: [{from: [{cidr: 0.0.0.0/0}]}]\n"),
		    NOW, "");
}

#define SCOPE(more)                                                                                \
	"scope: s\n" more "---\nservice: in\nowner: me\nscope: s\nselect: {name: in}\nmode: off\n"
#define OUT(rest) "---\nservice: out\nselect: {name: out}\nmode: off\n" rest

static void test_scope_fields(void **state)
{
	/* both ends of a crossing flow */
	assert_lint(
		SCOPE("require: [reason, owner]\n") "ingress: [{from: [{service: out}], reason: "
						    "r}]\n" OUT("egress: [{to: [{service: in}, "
								"{service: in}]}]\n"),
		NOW,
		"p.yaml:14:10: warning: this flow crosses scope s, which requires \"owner\" (add "
		"owner: to service out) [scope-field]\n"
		"p.yaml:14:10: warning: this flow crosses scope s, which requires \"reason\" (add "
		"reason: to this rule of out) [scope-field]\n"
		"p.yaml:14:31: warning: service in is allowed at p.yaml:14 already, on the same "
		"ports (remove one of the two) [duplicate-peer]\n");
	/* inside it, nothing is asked; towards anybody else it is */
	assert_lint(SCOPE("require: [ticket]\n") "egress: [{to: [{service: in}]}]\n", NOW, "");
	assert_lint(
		SCOPE("require: [ticket]\n") "egress: [{to: [{cidr: 192.0.2.1}]}]\n", NOW,
		"p.yaml:9:10: warning: this flow crosses scope s, which requires \"ticket\" (add "
		"ticket: to this rule of in) [scope-field]\n");
	/* a rule that is over lets nothing cross */
	assert_lint(
		SCOPE("require: [ticket]\n") "egress: [{to: [{cidr: 192.0.2.1}], expires: "
					     "2026-09-01T00:00:00Z}]\n",
		NOW,
		"p.yaml:9:10: warning: this rule expired at 2026-09-01T00:00:00.000Z and allows "
		"nothing any more (renew expires: or remove the rule) [expired-rule]\n");
}

static void test_scope_review(void **state)
{
	assert_lint(SCOPE("review-every: 30d\n") "egress: [{to: [{cidr: 192.0.2.1}], reviewed: "
						 "2026-08-23}]\n",
		    NOW, "");
	assert_lint(SCOPE("review-every: 30d\n") "egress: [{to: [{cidr: 192.0.2.1}], reviewed: "
						 "2026-08-22}]\n",
		    NOW,
		    "p.yaml:9:10: warning: this flow crosses scope s and was last reviewed at "
		    "2026-08-22, more than 30 days ago (look at it again and write today's date in "
		    "reviewed:) [review-due]\n");
}

static void test_guardrail_lint(void **state)
{
	assert_lint("guardrail: g\nselect: {all: true}\ndeny:\n  - to: []\n", NOW,
		    "p.yaml:4:5: warning: to: [] denies nothing (name a peer or remove the entry) "
		    "[no-peers]\n");
	assert_lint("guardrail: g\nselect: {all: true}\ndeny:\n"
		    "  - from: [{cidr: '::/0'}]\n    ports: [icmp]\n",
		    NOW,
		    "p.yaml:4:5: warning: icmp is IPv4, but every peer of this rule is IPv6 (write "
		    "icmpv6) [icmp-family]\n");
}

/* A service that names everything a thousand times costs a second, not an hour, and it is said. */
static void test_too_much_to_compare(void **state)
{
	struct policy_set *set;
	struct diag_list diags;
	char *yaml = NULL, *text;
	size_t len;
	FILE *f = open_memstream(&yaml, &len);

	fputs("service: a\nselect: {name: a}\negress:\n", f);
	for (unsigned k = 0; k < 500; k++) {
		fprintf(f, "  - to: [{cidr: 192.0.2.0/24}]\n    ports: [%u/udp", 40000 + k);
		for (unsigned p = 0; p < 255; p++)
			fprintf(f, ", %u/tcp", 100 * k + p + 1);
		fputs("]\n", f);
	}
	for (unsigned k = 0; k < 500; k++) {
		fputs("  - to: [{cidr: 198.51.100.0/24}]\n    ports: [1/sctp", f);
		for (unsigned p = 0; p < 253; p++)
			fprintf(f, ", %u/udp", p + 1);
		fprintf(f, ", %u/tcp]\n", k + 1);
	}
	fclose(f);
	set = parse_valid(yaml);
	diag_list_init(&diags);
	policy_lint(set, NOW, &diags);
	text = diags_text(&diags);
	assert_non_null(
		strstr(text, "50000000 comparisons were not enough: not all was looked for"));
	free(text);
	free(yaml);
	diag_list_done(&diags);
	policy_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scope_fields),
		cmocka_unit_test(test_scope_review),
		cmocka_unit_test(test_guardrail_lint),
		cmocka_unit_test(test_two_sided),
		cmocka_unit_test(test_one_sided),
		cmocka_unit_test(test_any_port),
		cmocka_unit_test(test_other_port),
		cmocka_unit_test(test_uncertain_is_silent),
		cmocka_unit_test(test_disjoint_selectors),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_expired_flow),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_icmp_family),
		cmocka_unit_test(test_whole_family),
		cmocka_unit_test(test_too_much_to_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
