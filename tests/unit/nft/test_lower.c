/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/nft/program.h"
#include "../../../src/nft/text.h"

#include "fixture.h"

/* Rulesets to programs: which rules stand in which chain. Rules are compared in nft's words. */

static struct nft_program program;

static const struct nft_program *lower(const struct ruleset *r)
{
	memset(&program, 0xa5, sizeof(program)); /* nft_lower() must not trust what was there */
	nft_lower(r, &program);
	return &program;
}

/* The rules of a chain, a line each. */
static void assert_chain(const struct nft_program *p, unsigned chain, const char *expect)
{
	struct bh_buf text;

	bh_buf_init(&text, 1 << 20);
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].chain == chain) {
			nft_rule_text(&p->rules[i], &text);
			bh_buf_addstr(&text, "\n");
		}
	assert_string_equal(bh_buf_str(&text), expect);
	bh_buf_done(&text);
}

#define ABOUT_HEAD                                                                                 \
	"continue comment \"endpoint shop/payments\"\n"                                            \
	"continue comment \"services payments\"\n"                                                 \
	"continue comment \"generation 0123456789abcdef\"\n"
#define ABOUT_TAIL                                                                                 \
	"continue comment \"default-deny egress policies/payments.yaml:12\"\n"                     \
	"continue comment \"default-deny ingress policies/payments.yaml:7\"\n"
#define ERRORS                                                                                     \
	"meta l4proto 1 ct state related accept comment \"errors of connections, path MTU among "  \
	"them\"\n"                                                                                 \
	"meta l4proto 58 ct state related accept comment \"errors of connections, path MTU "       \
	"among them\"\n"
#define ND                                                                                         \
	"meta nfproto ipv6 meta l4proto 58 icmpv6 type 135-136 ip6 hoplimit 255 accept comment "   \
	"\"neighbour discovery\"\n"
#define MLD(group)                                                                                 \
	"meta nfproto ipv6 meta l4proto 58 icmpv6 type 130-132 ip6 hoplimit 1 " group              \
	"accept comment \"multicast listener discovery\"\n"                                        \
	"meta nfproto ipv6 meta l4proto 58 icmpv6 type 143 ip6 hoplimit 1 " group                  \
	"accept comment \"multicast listener discovery 2\"\n"

/* Nothing allowed: what passes then is loopback and what IP itself needs. */
static void test_nothing_allowed(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ABOUT,
		     ABOUT_HEAD "continue comment \"mode enforce\"\n"
				"continue comment \"on-deny drop\"\n"
				"continue comment \"log-denied true\"\n" ABOUT_TAIL);
	assert_chain(p, CHAIN_OUTPUT,
		     "oif \"lo\" accept\n"
		     "meta nfproto ipv6 meta l4proto 58 icmpv6 type 133 ip6 hoplimit 255 "
		     "ip6 daddr ff00::/8 accept "
		     "comment \"router solicitation\"\n" ND MLD("ip6 daddr ff00::/8 ") ERRORS
		     "goto deny_egress\n");
	assert_chain(p, CHAIN_INPUT,
		     "iif \"lo\" accept\n"
		     "meta nfproto ipv6 meta l4proto 58 icmpv6 type 134 ip6 hoplimit 255 accept "
		     "comment \"router advertisement\"\n" ND MLD("") ERRORS "goto deny_ingress\n");
	assert_chain(p, CHAIN_FORWARD, "counter name \"forwarded\" drop\n");
	assert_chain(p, CHAIN_REFUSE, "");
	for (unsigned i = 0; i < SET_DENIED; i++)
		assert_false(p->has_set[i]);
	for (unsigned i = SET_DENIED; i < NFT_SETS; i++)
		assert_true(p->has_set[i]);
	fx_done(&f);
}

#define KEY4 "ip saddr . ip daddr . meta l4proto . th "
#define KEY6 "ip6 saddr . ip6 daddr . meta l4proto . th "
/* Both rules of a denied set, for both families. */
#define DENIED_SETS(port, dir, log, end)                                                           \
	"meta nfproto ipv4 " KEY4 port " @denied_" dir "4 " end "\n"                               \
	"meta nfproto ipv4 add @denied_" dir "4 { " KEY4 port " } log prefix \"bulkhead:" log      \
	":" dir "\" group 48 snaplen 128 " end "\n"                                                \
	"meta nfproto ipv6 " KEY6 port " @denied_" dir "6 " end "\n"                               \
	"meta nfproto ipv6 add @denied_" dir "6 { " KEY6 port " } log prefix \"bulkhead:" log      \
	":" dir "\" group 48 snaplen 128 " end "\n"
#define COUNT(dir, line)                                                                           \
	"counter name \"denied." dir "\" comment \"default-deny " dir                              \
	" policies/payments.yaml:" line "\"\n"
#define REVOKED(dir)                                                                               \
	"ct direction reply counter name \"revoked." dir "\" comment \"of connections that a "     \
	"newer policy ended\"\n"
#define REVOKED_LOG(dir)                                                                           \
	"ct direction reply limit rate 10/second burst 10 packets log prefix "                     \
	"\"bulkhead:revoked:" dir "\" group 48 snaplen 128\n"
#define ICMP(dir) "meta l4proto 1 jump icmp_" dir "\nmeta l4proto 58 jump icmp_" dir "\n"
#define OVERFLOW(dir)                                                                              \
	"counter name \"overflow." dir "\" comment \"of flows that the full sets could not "       \
	"take\"\n"                                                                                 \
	"limit rate 10/second burst 10 packets log prefix \"bulkhead:overflow:" dir                \
	"\" group 48 snaplen 128\n"

static void test_denied_drop(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_DENY + DIRECTION_EGRESS,
		     COUNT("egress", "12") REVOKED("egress")
			     REVOKED_LOG("egress") "ct direction reply drop\n" ICMP("egress")
				     DENIED_SETS("dport", "egress", "deny", "drop")
					     OVERFLOW("egress") "drop\n");
	assert_chain(p, CHAIN_DENY + DIRECTION_INGRESS,
		     COUNT("ingress", "7") REVOKED("ingress")
			     REVOKED_LOG("ingress") "ct direction reply drop\n" ICMP("ingress")
				     DENIED_SETS("dport", "ingress", "deny", "drop")
					     OVERFLOW("ingress") "drop\n");
	assert_chain(p, CHAIN_ICMP + DIRECTION_EGRESS,
		     DENIED_SETS("sport", "egress", "deny", "drop"));
	assert_chain(p, CHAIN_ICMP + DIRECTION_INGRESS,
		     DENIED_SETS("sport", "ingress", "deny", "drop"));
	fx_done(&f);
}

/* Only what the container itself sends is told politely; others get no answer from a refusal. */
static void test_denied_reject(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	f.r.on_deny = ON_DENY_REJECT;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_DENY + DIRECTION_EGRESS,
		     COUNT("egress", "12") REVOKED("egress")
			     REVOKED_LOG("egress") "ct direction reply drop\n" ICMP("egress")
				     DENIED_SETS("dport", "egress", "deny", "goto refuse_egress")
					     OVERFLOW("egress") "goto refuse_egress\n");
	assert_chain(p, CHAIN_ICMP + DIRECTION_EGRESS,
		     DENIED_SETS("sport", "egress", "deny", "goto refuse_egress"));
	assert_chain(p, CHAIN_ICMP + DIRECTION_INGRESS,
		     DENIED_SETS("sport", "ingress", "deny", "drop"));
	assert_chain(p, CHAIN_REFUSE,
		     "meta l4proto 6 reject with tcp reset\n"
		     "reject with icmpx admin-prohibited\n");
	fx_done(&f);
}

/* Audit: the same counters and sets, other prefixes, and everything passes. */
static void test_denied_audit(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	f.r.mode = MODE_AUDIT;
	f.r.on_deny = ON_DENY_REJECT;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_DENY + DIRECTION_EGRESS,
		     "ct direction reply accept\n" COUNT("egress", "12") ICMP("egress")
			     DENIED_SETS("dport", "egress", "audit", "accept")
				     OVERFLOW("egress") "accept\n");
	assert_chain(p, CHAIN_ICMP + DIRECTION_INGRESS,
		     DENIED_SETS("sport", "ingress", "audit", "accept"));
	assert_chain(p, CHAIN_FORWARD, "counter name \"forwarded\" drop\n");
	assert_chain(p, CHAIN_REFUSE, "");
	fx_done(&f);
}

static void test_denied_silent(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	f.r.log_denied = false;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_DENY + DIRECTION_EGRESS,
		     COUNT("egress", "12") REVOKED("egress") "ct direction reply drop\ndrop\n");
	assert_chain(p, CHAIN_ICMP + DIRECTION_EGRESS, "");
	for (unsigned i = 0; i < NFT_SETS; i++)
		assert_false(p->has_set[i]);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_allowed), cmocka_unit_test(test_denied_drop),
		cmocka_unit_test(test_denied_reject),   cmocka_unit_test(test_denied_audit),
		cmocka_unit_test(test_denied_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
