/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/nft/program.h"
#include "../../../src/nft/text.h"

#include "fixture.h"

/* Rulesets to programs: which rules stand in which chain. Rules are compared in nft's words. */

static struct nft_program program;

static const struct nft_program *lower_want(const struct nft_want *w)
{
	memset(&program, 0xa5, sizeof(program)); /* nft_lower() must not trust what was there */
	nft_lower(w, &program);
	return &program;
}

static const struct nft_program *lower(const struct ruleset *r)
{
	return lower_want(fx_want(r));
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
/* Both ways: who listens to which group is asked and told, and never leaves the link. */
#define IGMP                                                                                       \
	"meta nfproto ipv4 ip ttl 1 meta l4proto 2 accept comment \"multicast group "              \
	"membership\"\n"
#define OUT_BASICS                                                                                 \
	IGMP ICMPV6("135-136", "255", "neighbour discovery")                                       \
		ICMPV6("133", "255", "router solicitation")                                        \
			ICMPV6("131-132", "1", "multicast listener report")                        \
				ICMPV6("143", "1", "multicast listener report 2")
#define IN_BASICS                                                                                  \
	IGMP ICMPV6("134-136", "255", "router advertisement, neighbour discovery")                 \
		ICMPV6("130", "1", "multicast listener query")
#define ERRORS                                                                                     \
	"ct state related jump errors comment \"errors of connections, path MTU among them\"\n"
#define COUNT(dir)       "counter name \"denied." dir "\" "
#define PLACE(dir, line) " comment \"default-deny " dir " policies/payments.yaml:" line "\"\n"

/* What comes by the loopback device; AND: what stands before the last of its rules. */
#define FOREIGN " comment \"with a source that is not our own\"\n"
#define OUT_LO(and)                                                                                \
	"oif \"lo\" fib saddr type local accept\n" and "oif \"lo\" " COUNT("egress") "dro"         \
										     "p" FOREIGN
#define IN_LO(and)                                                                                 \
	"iif \"lo\" fib saddr type local accept\n" and "iif \"lo\" " COUNT("ingress") "dro"        \
										      "p" FOREIGN
#define REFUSED(lo)                                                                                \
	lo " ct state related accept comment "                                                     \
	   "\"our own refusals, in the name of who was called\"\n"
#define RECORDED(lo) lo " jump record\n"
#define OIF          "oif \"lo\""
#define IIF          "iif \"lo\""

/* Nothing allowed: what passes then is loopback and what IP itself needs. */
static void test_nothing_allowed(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_init(&f);
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ABOUT, ABOUT("mode enforce, on-deny drop, log-denied true"));
	assert_chain(p, CHAIN_OUTPUT,
		     OUT_LO(RECORDED(OIF)) OUT_BASICS ERRORS
		     "jump record\n" COUNT("egress") "drop" PLACE("egress", "12"));
	assert_chain(p, CHAIN_INPUT,
		     IN_LO(RECORDED(IIF)) IN_BASICS ERRORS
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
		OUT_LO(REFUSED(OIF) RECORDED(OIF)) OUT_BASICS ERRORS
		"jump record\n"
		"ct direction reply " COUNT(
			"egress") "drop\n"
				  "meta l4proto 6 " COUNT("egress") "reject with tcp reset\n" COUNT(
					  "egress") "reject with icmpx admin-prohibited" PLACE("egr"
											       "es"
											       "s",
											       "1"
											       "2"));
	assert_chain(p, CHAIN_INPUT,
		     IN_LO(REFUSED(IIF) RECORDED(IIF)) IN_BASICS ERRORS
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
	assert_chain(p, CHAIN_OUTPUT,
		     OUT_LO("") OUT_BASICS ERRORS "ct direction reply jump revoked\n" COUNT(
			     "egress") "drop" PLACE("egress", "12"));
	assert_chain(p, CHAIN_RECORD, "");
	assert_chain(p, CHAIN_RECORD_ICMP, "");
	assert_chain(p, CHAIN_REVOKED, REVOKED);
	for (unsigned i = 0; i < NFT_SETS; i++)
		assert_false(p->has_set[i]);
	fx_done(&f);
}

/* --- what is allowed ------------------------------------------------------------------------- */

static unsigned rules_with(const struct nft_program *p, const char *end)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_rules; i++) {
		struct bh_buf text;
		const char *s;

		bh_buf_init(&text, 4096);
		nft_rule_text(&p->rules[i], &text);
		s = bh_buf_str(&text);
		n += strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
		bh_buf_done(&text);
	}
	return n;
}

#define ALLOW                                                                                      \
	"ct status confirmed accept comment \"not the first packet of its connection\"\n"          \
	"oif != 0 counter name \"allowed.egress\"\n"                                               \
	"iif != 0 counter name \"allowed.ingress\"\n"                                              \
	"limit rate 1000/second burst 1000 packets log prefix \"bulkhead:allow\" group 48 "        \
	"snaplen 128\n"                                                                            \
	"accept\n"

/* What a policy rule's map has goes on to be logged, replies do not; without the word all accept. */
static void test_allowed(void **state)
{
	const struct nft_program *p;
	unsigned accepted;
	struct fx f;

	fx_full(&f);
	p = lower(&f.r);
	accepted = rules_with(p, " accept");
	assert_int_equal(rules_with(p, "goto allow"), 0);
	assert_chain(p, CHAIN_ALLOW, "");
	f.r.log_allowed = true;
	p = lower(&f.r);
	assert_chain(p, CHAIN_ALLOW, ALLOW);
	assert_chain(p, CHAIN_ABOUT,
		     ABOUT("mode enforce, on-deny drop, log-denied true") "continue comment "
									  "\"log-allowed true\"\n");
	assert_true(rules_with(p, "goto allow") > 20);
	assert_int_equal(rules_with(p, " accept") + rules_with(p, "goto allow"), accepted);
	fx_done(&f);
	/* nothing is allowed: nothing to be logged, though the counters are there */
	fx_init(&f);
	f.r.log_allowed = true;
	p = lower(fx_finish(&f));
	assert_chain(p, CHAIN_ALLOW, "");
	assert_true(nft_program_has_counter(p, COUNTER_ALLOWED));
	fx_done(&f);
	/* only guardrails hold it: no policy rule allows anything */
	fx_open(&f);
	f.r.log_allowed = true;
	p = lower(&f.r);
	assert_chain(p, CHAIN_ALLOW, "");
	assert_false(nft_program_has_counter(p, COUNTER_ALLOWED));
	fx_done(&f);
}

/* --- frames ---------------------------------------------------------------------------------- */

#define OWN                                                                                        \
	"meta protocol ip ip saddr != 127.0.0.0/8 fib saddr type local meta rtclassid >= 0 "       \
	"accept comment \"from the stack, with an address of our own\"\n"                          \
	"meta protocol ip6 ip6 saddr != ::1 fib saddr type local meta rtclassid >= 0 accept\n"     \
	"meta protocol ip ip saddr 0.0.0.0 meta rtclassid >= 0 accept comment \"with none "        \
	"yet\"\n"                                                                                  \
	"meta protocol ip6 ip6 saddr :: meta rtclassid >= 0 accept\n"
#define ARP                                                                                        \
	"meta protocol arp meta skuid >= 0 goto raw\n"                                             \
	"meta protocol arp accept comment \"the kernel's own\"\n"
#define ROUTED                                                                                     \
	"meta rtclassid >= 0 meta skuid >= 0 goto raw\n"                                           \
	"meta rtclassid >= 0 accept comment \"routed through\"\n"
#define STACK_OR_NO_IP                                                                             \
	"meta rtclassid >= 0 accept comment \"from the stack\"\n"                                  \
	"@ll,96,16 != 0x0800 @ll,96,16 != 0x86dd @ll,96,16 != 0x8100 @ll,96,16 != 0x88a8 accept "  \
	"comment \"no IP, no VLAN\"\n"
#define LEASES                                                                                     \
	"@ll,0,48 0xffffffffffff @ll,96,16 0x0800 @nh,0,8 0x45 meta protocol ip "                  \
	"ip daddr 255.255.255.255 udp sport 68 udp dport 67 goto dhcp "                            \
	"comment \"DHCP, where an address is leased\"\n"
/* The client's own address stands in the frame and in the message; no source yet, or its own. */
#define CLIENT_OF(mac) "@ll,48,48 0x" mac " @th,288,48 0x" mac " meta protocol ip"
#define CLIENT(mac, comment)                                                                       \
	CLIENT_OF(mac)                                                                             \
	" ip saddr 0.0.0.0 limit rate 2/second burst 10 packets accept comment \"client " comment  \
	"\"\n" CLIENT_OF(                                                                          \
		mac) " fib saddr type local limit rate 2/second burst 10 packets accept\n"
#define BRIDGED                                                                                    \
	"meta skuid >= 0 goto raw\n"                                                               \
	"accept comment \"bridged through\"\n"
#define LO "oif \"lo\" accept\n"
#define RAW_LOG(log)                                                                               \
	"limit rate 10/second burst 10 packets log prefix \"bulkhead:" log                         \
	"\" group 48 snaplen 128\n"
#define RAW_END(verdict)                                                                           \
	"counter name \"raw\" " verdict                                                            \
	" comment \"made by hand, bridged, or with a source that is not our own\"\n"

/* Every manner: what passes as a frame, and what becomes of the rest. */
static const struct frames_case {
	enum mode mode;
	bool guarded, open, silent;
	const char *frames; /* without the rule for DHCP and the end */
	const char *raw;
} frames_cases[] = {
	{ MODE_ENFORCE, false, false, false, OWN LO ARP, RAW_LOG("raw") RAW_END("drop") },
	{ MODE_ENFORCE, true, false, false, OWN LO ARP, RAW_LOG("raw") RAW_END("drop") },
	{ MODE_ENFORCE, false, false, true, OWN LO ARP, RAW_END("drop") },
	{ MODE_AUDIT, false, false, false, OWN LO ROUTED ARP,
	  RAW_LOG("raw-audit") RAW_END("accept") },
	{ MODE_AUDIT, false, false, true, OWN LO ROUTED ARP, RAW_END("accept") },
	/* past a guardrail goes nothing, in audit mode neither */
	{ MODE_AUDIT, true, false, false, OWN LO ROUTED ARP, RAW_LOG("raw") RAW_END("drop") },
	{ MODE_ENFORCE, true, true, false, STACK_OR_NO_IP LO, RAW_LOG("raw") RAW_END("drop") },
	{ MODE_ENFORCE, true, true, true, STACK_OR_NO_IP LO, RAW_LOG("raw") RAW_END("drop") },
	{ MODE_AUDIT, true, true, false, STACK_OR_NO_IP LO, RAW_LOG("raw") RAW_END("drop") },
};

static void frames_fixture(const struct frames_case *c, struct fx *f)
{
	if (c->open)
		fx_open(f);
	else
		fx_full_and(f, c->guarded);
	f->r.mode = c->mode;
	f->r.log_denied = !c->silent;
	fx_finish(f);
}

static void assert_frames(const struct frames_case *c, const struct nft_frames *frames,
			  const char *leases, const char *dhcp)
{
	const struct nft_program *p;
	char expect[4096];
	struct fx f;

	frames_fixture(c, &f);
	p = lower_want(&(struct nft_want) { .ruleset = &f.r, .frames = frames });
	assert_chain(p, CHAIN_EGRESS, "goto frames\ndrop\n");
	snprintf(expect, sizeof(expect), "%s%s%s", c->frames, leases,
		 c->open || c->mode == MODE_AUDIT ? BRIDGED : "goto raw\n");
	assert_chain(p, CHAIN_FRAMES, expect);
	assert_chain(p, CHAIN_DHCP, dhcp);
	assert_chain(p, CHAIN_RAW, c->raw);
	fx_done(&f);
}

static void test_frames(void **state)
{
	const struct nft_frames none = { .devices = { "eth0" }, .n_devices = 1 };
	const struct nft_frames two = { .devices = { "eth0" },
					.n_devices = 1,
					.dhcp = { { 0x02, 0x42, 0xac, 0x11, 0x00, 0x02 },
						  { 0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54 } },
					.n_dhcp = 2 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(frames_cases); i++) {
		assert_frames(&frames_cases[i], &none, "", "");
		assert_frames(&frames_cases[i], &two, LEASES,
			      CLIENT("0242ac110002", "02:42:ac:11:00:02")
				      CLIENT("fedcba987654", "fe:dc:ba:98:76:54") "goto raw\n");
	}
}

/* Where the kernel cannot: not a chain, not a counter of the second table. */
static void test_no_frames(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(frames_cases); i++) {
		const struct nft_program *p;
		struct fx f;

		frames_fixture(&frames_cases[i], &f);
		p = lower_want(&(struct nft_want) { .ruleset = &f.r });
		assert_true(nft_program_has_table(p, TABLE_INET));
		assert_false(nft_program_has_table(p, TABLE_NETDEV));
		for (unsigned c = 0; c < NFT_CHAINS; c++)
			assert_true(!p->has_chain[c] || nft_chain_table(c) == TABLE_INET);
		fx_done(&f);
	}
}

/* The table inet is the same with and without the other one. */
static void test_tables_are_apart(void **state)
{
	static struct nft_program with, without;
	struct fx f;
	size_t n = 0;

	fx_full_and(&f, true);
	nft_lower(fx_want(&f.r), &with);
	nft_lower(&(struct nft_want) { .ruleset = &f.r }, &without);
	for (size_t i = 0; i < with.n_rules; i++)
		if (nft_chain_table(with.rules[i].chain) == TABLE_INET)
			assert_memory_equal(&with.rules[i], &without.rules[n++],
					    sizeof(with.rules[i]));
	assert_int_equal(n, without.n_rules);
	assert_memory_equal(with.has_set, without.has_set, sizeof(with.has_set));
	fx_done(&f);
}

/* IGMP passes whatever guardrails say, and with a hop limit that no router takes further. */
static void test_igmp(void **state)
{
	const struct nft_program *p;
	struct fx f;

	fx_full_and(&f, true);
	p = lower(&f.r);
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		const struct nft_rule *r = NULL;

		for (size_t i = 0; i < p->n_rules && !r; i++)
			if (p->rules[i].chain == CHAIN_OUTPUT + d &&
			    p->rules[i].ops[0].kind != OP_LOOPBACK)
				r = &p->rules[i];
		assert_non_null(r);
		assert_int_equal(r->ops[0].kind, OP_NFPROTO);
		assert_int_equal(r->ops[0].a, FAMILY4);
		assert_int_equal(r->ops[1].kind, OP_HOPLIMIT);
		assert_int_equal(r->ops[1].a, 1);
		assert_int_equal(r->ops[1].b, FAMILY4);
		assert_int_equal(r->ops[2].kind, OP_L4PROTO);
		assert_int_equal(r->ops[2].a, IPPROTO_IGMP);
		assert_int_equal(r->ops[3].kind, OP_ACCEPT);
	}
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_allowed),  cmocka_unit_test(test_denied_drop),
		cmocka_unit_test(test_denied_reject),    cmocka_unit_test(test_denied_audit),
		cmocka_unit_test(test_denied_silent),    cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_frames),           cmocka_unit_test(test_no_frames),
		cmocka_unit_test(test_tables_are_apart), cmocka_unit_test(test_igmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
