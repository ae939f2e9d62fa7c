/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/nft/program.h"
#include "../../../src/nft/text.h"

#include "fixture.h"

/* Rulesets to programs: which rules stand in which chain. Rules are compared in nft's words. */

static struct nft_program program;

static const struct nft_program *lower(const struct ruleset *r)
{
	memset(&program, 0xa5, sizeof(program)); /* nft_lower() must not trust what was there */
	nft_lower(fx_want(r), &program);
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

#define ABOUT(manner)                                                                              \
	"continue comment \"endpoint shop/payments\"\n"                                            \
	"continue comment \"services payments\"\n"                                                 \
	"continue comment \"generation 0123456789abcdef\"\n"                                       \
	"continue comment \"" manner "\"\n"
#define ICMPV6(types, limit, comment)                                                              \
	"meta nfproto ipv6 meta l4proto 58 icmpv6 type " types " ip6 hoplimit " limit              \
	" accept comment \"" comment "\"\n"
#define OUT_BASICS                                                                                 \
	ICMPV6("135-136", "255", "neighbour discovery")                                            \
	ICMPV6("133", "255", "router solicitation")                                                \
	ICMPV6("131-132", "1", "multicast listener report")                                        \
	ICMPV6("143", "1", "multicast listener report 2")
#define IN_BASICS                                                                                  \
	ICMPV6("134-136", "255", "router advertisement, neighbour discovery")                      \
	ICMPV6("130", "1", "multicast listener query")
#define ERRORS                                                                                     \
	"ct state related jump errors comment \"errors of connections, path MTU among them\"\n"
#define COUNT(dir)       "counter name \"denied." dir "\" "
#define PLACE(dir, line) " comment \"default-deny " dir " policies/payments.yaml:" line "\"\n"

/* Nothing allowed: what passes then is loopback and what IP itself needs. */
static void test_nothing_allowed(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ABOUT, ABOUT("mode enforce, on-deny drop, log-denied true"));
	assert_chain(p, CHAIN_OUTPUT,
		     "oif \"lo\" accept\n" OUT_BASICS ERRORS
		     "jump record\n" COUNT("egress") "drop" PLACE("egress", "12"));
	assert_chain(p, CHAIN_INPUT,
		     "iif \"lo\" accept\n" IN_BASICS ERRORS
		     "jump record\n" COUNT("ingress") "drop" PLACE("ingress", "7"));
	assert_chain(p, CHAIN_FORWARD, "counter name \"forwarded\" drop\n");
	assert_chain(p, CHAIN_ERRORS,
		     "meta nfproto ipv4 meta l4proto 1 icmp type 3 accept comment \"unreachable, "
		     "path MTU\"\n"
		     "meta nfproto ipv4 meta l4proto 1 icmp type 11-12 accept comment \"time "
		     "exceeded, parameter "
		     "problem\"\n"
		     "meta nfproto ipv6 meta l4proto 58 icmpv6 type 1-4 accept comment "
		     "\"unreachable, path MTU, time "
		     "exceeded, parameter problem\"\n");
	for (unsigned i = 0; i < SET_DENIED; i++)
		assert_false(p->has_set[i]);
	for (unsigned i = SET_DENIED; i < NFT_SETS; i++)
		assert_true(p->has_set[i]);
	fx_done(&f);
}

#define ADD(n, family, addr, port, log)                                                            \
	"meta nfproto " family " add @denied" n " { oif . " addr " saddr . " addr                  \
	" daddr . meta l4proto . th " port " } log prefix \"bulkhead:" log                         \
	"\" group 48 snaplen 128\n"
#define DENIED_SETS(port, log) ADD("4", "ipv4", "ip", port, log) ADD("6", "ipv6", "ip6", port, log)
#define ICMP                   "meta l4proto 1 goto record_icmp\nmeta l4proto 58 goto record_icmp\n"
#define REVOKED                                                                                    \
	"oif != 0 counter name \"revoked.egress\" comment \"of connections that a newer policy "   \
	"ended\"\n"                                                                                \
	"iif != 0 counter name \"revoked.ingress\"\n"
#define REVOKED_LOG                                                                                \
	"limit rate 10/second burst 10 packets log prefix \"bulkhead:revoked\" group 48 snaplen "  \
	"128\n"

/* Each flow is counted and logged once, replies of ended connections apart; then it is dropped. */
static void test_denied_drop(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_RECORD,
		     "ct direction reply goto revoked\n" ICMP DENIED_SETS("dport", "deny"));
	assert_chain(p, CHAIN_RECORD_ICMP, DENIED_SETS("sport", "deny"));
	assert_chain(p, CHAIN_REVOKED, REVOKED REVOKED_LOG);
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
	assert_chain(p, CHAIN_ABOUT, ABOUT("mode enforce, on-deny reject, log-denied true"));
	assert_chain(
		p, CHAIN_OUTPUT,
		"oif \"lo\" accept\n" OUT_BASICS ERRORS "jump record\n"
		"ct direction reply " COUNT(
			"egress") "drop\n"
				  "meta l4proto 6 " COUNT("egress") "reject with tcp reset\n" COUNT(
					  "egress") "reject with icmpx admin-prohibited" PLACE("egr"
											       "es"
											       "s",
											       "1"
											       "2"));
	assert_chain(p, CHAIN_INPUT,
		     "iif \"lo\" accept\n" IN_BASICS ERRORS
		     "jump record\n" COUNT("ingress") "drop" PLACE("ingress", "7"));
	fx_done(&f);
}

/* Audit: the same counters and sets, another prefix, and everything passes. */
static void test_denied_audit(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	f.r.mode = MODE_AUDIT;
	f.r.on_deny = ON_DENY_REJECT;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ABOUT, ABOUT("mode audit, on-deny reject, log-denied true"));
	assert_chain(p, CHAIN_OUTPUT,
		     "oif \"lo\" accept\n" OUT_BASICS ERRORS
		     "ct direction reply accept\njump record\n" COUNT("egress") "accept" PLACE(
			     "egress", "12"));
	assert_chain(p, CHAIN_RECORD, ICMP DENIED_SETS("dport", "audit"));
	assert_chain(p, CHAIN_RECORD_ICMP, DENIED_SETS("sport", "audit"));
	assert_chain(p, CHAIN_REVOKED, "");
	assert_chain(p, CHAIN_FORWARD, "counter name \"forwarded\" accept\n");
	fx_done(&f);
}

static void test_denied_silent(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	f.r.log_denied = false;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ABOUT, ABOUT("mode enforce, on-deny drop, log-denied false"));
	assert_chain(
		p, CHAIN_OUTPUT,
		"oif \"lo\" accept\n" OUT_BASICS ERRORS
		"ct direction reply jump revoked\n" COUNT("egress") "drop" PLACE("egress", "12"));
	assert_chain(p, CHAIN_RECORD, "");
	assert_chain(p, CHAIN_RECORD_ICMP, "");
	assert_chain(p, CHAIN_REVOKED, REVOKED);
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
