/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/nft/program.h"
#include "../../../src/nft/text.h"

#include "fixture.h"

/* What every program must have, whatever the ruleset: checked over all manners of a full one. */

static struct nft_program program;

static const char *text(const struct nft_rule *r)
{
	static struct bh_buf buf;

	bh_buf_done(&buf);
	bh_buf_init(&buf, 4096);
	nft_rule_text(r, &buf);
	return bh_buf_str(&buf);
}

/* With a table for frames, with and without clients of DHCP, and without one. */
static void each_frames(const struct ruleset *r, void (*fn)(const struct nft_program *))
{
	static struct nft_frames most = { .n_devices = BH_ARRAY_SIZE(most.devices),
					  .n_dhcp = BH_DEVICES_MAX };
	struct nft_want w = *fx_want(r);

	for (size_t i = 0; i < most.n_devices; i++)
		snprintf(most.devices[i], sizeof(most.devices[i]), "longname%u", (unsigned)i);
	for (size_t i = 0; i < most.n_dhcp; i++)
		most.dhcp[i][5] = (uint8_t)i;
	nft_lower(&w, &program);
	fn(&program);
	w.frames = &most;
	nft_lower(&w, &program);
	fn(&program);
	w.frames = &(struct nft_frames) { .devices = { "eth0" }, .n_devices = 1 };
	nft_lower(&w, &program);
	fn(&program);
	w.frames = NULL;
	nft_lower(&w, &program);
	fn(&program);
}

/*
 * FN over enforce/audit x drop/reject x what is denied, and what is allowed, logged or not, of an empty
 * ruleset, of a full one without and with guardrails, and of one that has nothing else.
 */
static void each_manner(void (*fn)(const struct nft_program *))
{
	for (unsigned i = 0; i < 64; i++) {
		struct fx f;

		if (i / 16 == 3)
			fx_open(&f);
		else if (i / 16)
			fx_full_and(&f, i / 16 == 2);
		else
			fx_init(&f);
		f.r.mode = i & 1 ? MODE_AUDIT : MODE_ENFORCE;
		f.r.on_deny = i & 2 ? ON_DENY_REJECT : ON_DENY_DROP;
		f.r.log_denied = i & 4;
		f.r.log_allowed = i & 8;
		each_frames(fx_finish(&f), fn);
		fx_done(&f);
	}
}

static const struct nft_op *last_op(const struct nft_rule *r)
{
	const struct nft_op *op = r->ops;

	assert_int_not_equal(op->kind, OP_END);
	while (op[1].kind)
		op++;
	return op;
}

static const struct nft_rule *last_rule(const struct nft_program *p, unsigned chain)
{
	const struct nft_rule *last = NULL;

	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].chain == chain)
			last = &p->rules[i];
	assert_non_null(last);
	return last;
}

/* A chain's last rule matches everything and ends the packet's way: follow it there. */
static void assert_ends(const struct nft_program *p, unsigned chain)
{
	const struct nft_rule *r = last_rule(p, chain);
	const struct nft_op *end = last_op(r);

	for (const struct nft_op *op = r->ops; op < end; op++)
		assert_int_equal(op->kind, OP_COUNTER);
	if (end->kind == OP_GOTO)
		assert_ends(p, end->a);
	else if (p->ruleset->open && chain <= CHAIN_FORWARD)
		assert_int_equal(end->kind, OP_ACCEPT);
	else if (p->ruleset->mode == MODE_AUDIT && chain <= CHAIN_FORWARD)
		assert_int_equal(end->kind, OP_ACCEPT);
	else if (chain == CHAIN_FRAMES) /* what has no socket was bridged through */
		assert_true(end->kind == OP_ACCEPT &&
			    (p->ruleset->open || p->ruleset->mode == MODE_AUDIT));
	else if (chain == CHAIN_RAW && p->ruleset->mode == MODE_AUDIT && !p->ruleset->open &&
		 !p->has_chain[CHAIN_GUARD])
		assert_int_equal(end->kind, OP_ACCEPT);
	else if (end->kind != OP_REJECT)
		assert_int_equal(end->kind, OP_DROP);
}

static void check_ends(const struct nft_program *p)
{
	assert_ends(p, CHAIN_OUTPUT);
	assert_ends(p, CHAIN_INPUT);
	assert_ends(p, CHAIN_FORWARD);
	if (p->frames) {
		assert_int_equal(last_op(last_rule(p, CHAIN_EGRESS))->kind, OP_DROP);
		assert_ends(p, CHAIN_EGRESS);
		assert_ends(p, CHAIN_FRAMES);
		assert_ends(p, CHAIN_RAW);
	}
	if (p->has_chain[CHAIN_DHCP])
		assert_ends(p, CHAIN_DHCP);
	for (unsigned d = 0; p->has_chain[CHAIN_GUARD] && d < DIRECTIONS; d++)
		assert_ends(p, CHAIN_GUARD + d);
}

static void test_every_way_ends(void **state)
{
	each_manner(check_ends);
}

/*
 * In the chains that record there is no verdict at all: how it ends is said where they are called,
 * by a base chain, or by a guardrail's, which refuses in any mode and always records.
 */
static void check_denied(const struct nft_program *p)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct nft_rule *r = &p->rules[i];

		bool record = r->chain >= CHAIN_GUARD_RECORD, guard = r->chain >= CHAIN_GUARD;

		if (r->chain < CHAIN_RECORD || r->chain == CHAIN_ALLOW ||
		    nft_chain_table(r->chain) != TABLE_INET)
			continue;
		for (const struct nft_op *op = r->ops; op->kind; op++) {
			bool ends = op->kind == OP_DROP || op->kind == OP_REJECT ||
				    op->kind == OP_REJECT_TCP;

			if (op->kind == OP_ACCEPT || (ends && (record || !guard)))
				fail_msg("it ends there: %s", text(r));
			if (!guard && !p->ruleset->log_denied &&
			    (op->kind == OP_LOG || op->kind == OP_ADD))
				fail_msg("it is logged: %s", text(r));
		}
	}
}

static void test_denied_is_denied(void **state)
{
	each_manner(check_denied);
}

/* Only what a map of policy rules has, in the direction of the connection, goes on to be logged. */
static void check_allowed(const struct nft_program *p)
{
	bool logs = p->ruleset->log_allowed && !p->ruleset->open;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct nft_rule *r = &p->rules[i];
		const struct nft_op *end = last_op(r);
		bool maps = end > r->ops && end[-1].kind == OP_OBJMAP && end[-1].a < SET_GUARDS;
		bool logged = end->kind == OP_GOTO && end->a == CHAIN_ALLOW;

		assert_int_equal(logged, maps && logs);
		if (logged)
			assert_true(r->ops[0].kind == OP_CT_DIRECTION && r->ops[0].a == 0);
		for (const struct nft_op *op = r->ops; op->kind && r->chain != CHAIN_ALLOW; op++)
			assert_true(op->kind != OP_LOG || op->a != NFT_LOG_ALLOW);
	}
	if (p->has_chain[CHAIN_ALLOW])
		assert_int_equal(last_op(last_rule(p, CHAIN_ALLOW))->kind, OP_ACCEPT);
	for (unsigned i = 0; i < NFT_COUNTERS; i++)
		if (i >= COUNTER_ALLOWED && i < COUNTER_RAW)
			assert_int_equal(nft_program_has_counter(p, i), logs);
		else
			assert_int_equal(nft_program_has_counter(p, i),
					 nft_program_has_table(p, nft_counter_table(i)));
}

static void test_allowed(void **state)
{
	each_manner(check_allowed);
}

static void check_names(const struct nft_program *p)
{
	bool used[NFT_SETS] = { false }, reached[NFT_CHAINS] = { [CHAIN_ABOUT] = true,
								 [CHAIN_OUTPUT] = true,
								 [CHAIN_INPUT] = true,
								 [CHAIN_FORWARD] = true,
								 [CHAIN_EGRESS] = p->frames };

	for (size_t i = 0; i < p->n_rules; i++)
		for (const struct nft_op *op = p->rules[i].ops; op->kind; op++) {
			if (op->kind == OP_GOTO || op->kind == OP_JUMP)
				reached[op->a] = true;
			if (op->kind == OP_OBJMAP || op->kind == OP_LOOKUP ||
			    op->kind == OP_LOOKUP_NOT || op->kind == OP_ADD)
				used[op->a] = true;
		}
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		assert_int_equal(p->has_chain[i], reached[i]);
	for (unsigned i = 0; i < NFT_SETS; i++)
		assert_int_equal(p->has_set[i], used[i]);
}

/* What a rule names is there, and what is there is named by a rule. */
static void test_names_are_there(void **state)
{
	each_manner(check_names);
}

/* A rule's operations end with a verdict at most once, and the bytes behind them are zero. */
static void check_rules(const struct nft_program *p)
{
	static const struct nft_op zero;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct nft_rule *r = &p->rules[i];

		assert_true(i == 0 || r->chain >= p->rules[i - 1].chain);
		for (const struct nft_op *op = last_op(r) + 1; op <= &r->ops[RULE_OPS_MAX]; op++)
			assert_memory_equal(op, &zero, sizeof(zero));
		for (const struct nft_op *op = r->ops; op < last_op(r); op++)
			if (op->kind == OP_ACCEPT || op->kind == OP_DROP || op->kind == OP_GOTO)
				fail_msg("a verdict before the end: %s", text(r));
	}
}

/* No chain of one table goes to one of the other, and no rule of netdev names what is not there. */
static void check_tables(const struct nft_program *p)
{
	for (size_t i = 0; i < p->n_rules; i++)
		for (const struct nft_op *op = p->rules[i].ops; op->kind; op++) {
			unsigned table = nft_chain_table(p->rules[i].chain);

			if (op->kind == OP_GOTO || op->kind == OP_JUMP)
				assert_int_equal(nft_chain_table(op->a), table);
			if (op->kind == OP_COUNTER)
				assert_int_equal(nft_counter_table(op->a), table);
			if (table == TABLE_NETDEV) /* the kernel refuses these at the hook egress */
				assert_true(op->kind != OP_CT_DIRECTION &&
					    op->kind != OP_CT_RELATED && op->kind != OP_OBJMAP &&
					    op->kind != OP_LOOKUP && op->kind != OP_ADD &&
					    op->kind != OP_REJECT && op->kind != OP_REJECT_TCP);
		}
}

static void test_tables(void **state)
{
	each_manner(check_tables);
}

/*
 * As many rules and operations as there is room for, never more: the last slot of a rule is
 * OP_END, and whoever adds to the longest shape sees it here and not in abort().
 */
static void check_bounds(const struct nft_program *p)
{
	assert_true(p->n_rules < PROGRAM_RULES_MAX);
	for (size_t i = 0; i < p->n_rules; i++) {
		assert_int_equal(p->rules[i].ops[RULE_OPS_MAX].kind, OP_END);
		/* one that was cut short would lack its end */
		switch (last_op(&p->rules[i])->kind) {
		case OP_ACCEPT:
		case OP_DROP:
		case OP_CONTINUE:
		case OP_GOTO:
		case OP_JUMP:
		case OP_REJECT:
		case OP_REJECT_TCP:
		case OP_LOG:
		case OP_COUNTER:
			break;
		default:
			fail_msg("cut short: %s", text(&p->rules[i]));
		}
	}
}

static void test_bounds(void **state)
{
	each_manner(check_bounds);
}

static void test_rules_are_clean(void **state)
{
	each_manner(check_rules);
}

/* --- flows ----------------------------------------------------------------------------------- */

/* How many rules of CHAIN are exactly this. */
static unsigned count(const struct nft_program *p, unsigned chain, const char *rule)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n_rules; i++)
		n += p->rules[i].chain == chain && strcmp(text(&p->rules[i]), rule) == 0;
	return n;
}

/*
 * KEY: the flow's key in the hook of its own direction, with %s where the side is. An original
 * packet is judged and counted there; its reply is looked up in the other hook, from the other
 * side, and not counted.
 */
static void assert_flow(const char *map, bool egress, const char *before, const char *key,
			const char *reply_key)
{
	unsigned own = egress ? CHAIN_OUTPUT : CHAIN_INPUT;
	unsigned other = egress ? CHAIN_INPUT : CHAIN_OUTPUT;
	char rule[512];

	snprintf(rule, sizeof(rule), "ct direction original %s%s map @%s accept", before, key, map);
	if (count(&program, own, rule) != 1)
		fail_msg("not once in %s: %s", nft_chain_name(own), rule);
	snprintf(rule, sizeof(rule), "ct direction reply %s%s @%s accept", before, reply_key, map);
	if (count(&program, other, rule) != 1)
		fail_msg("not once in %s: %s", nft_chain_name(other), rule);
}

#define V4 "meta nfproto ipv4 "
#define V6 "meta nfproto ipv6 "
#define C  "counter name "

static void test_flows_out(void **state)
{
	struct fx f;

	fx_full(&f);
	nft_lower(fx_want(&f.r), &program);
	assert_flow("egress4", true, V4, C "ip daddr . meta l4proto . th dport",
		    "ip saddr . meta l4proto . th sport");
	assert_flow("egress6_range", true, V6, C "ip6 daddr . meta l4proto . th dport",
		    "ip6 saddr . meta l4proto . th sport");
	assert_flow("egress4_host", true, V4, C "ip daddr", "ip saddr");
	assert_flow("egress4_icmp", true, V4 "meta l4proto 1 ", C "ip daddr . icmp type",
		    "ip saddr . icmp type");
	assert_flow("egress6_icmp_range", true, V6 "meta l4proto 58 ", C "ip6 daddr . icmpv6 type",
		    "ip6 saddr . icmpv6 type");
	fx_done(&f);
}

static void test_flows_in(void **state)
{
	struct fx f;

	fx_full(&f);
	nft_lower(fx_want(&f.r), &program);
	assert_flow("ingress6", false, V6, C "ip6 saddr . meta l4proto . th dport",
		    "ip6 daddr . meta l4proto . th sport");
	assert_flow("ingress4_range", false, V4, C "ip saddr . meta l4proto . th dport",
		    "ip daddr . meta l4proto . th sport");
	assert_flow("ingress6_host", false, V6, C "ip6 saddr", "ip6 daddr");
	assert_flow("ingress6_icmp", false, V6 "meta l4proto 58 ", C "ip6 saddr . icmpv6 type",
		    "ip6 daddr . icmpv6 type");
	fx_done(&f);
}

/* The world: whoever is not known, as far as the other end is concerned. */
static void test_flows_world(void **state)
{
	struct fx f;

	fx_full(&f);
	nft_lower(fx_want(&f.r), &program);
	assert_int_equal(count(&program, CHAIN_OUTPUT,
			       "ct direction original " V4 "ip daddr != @known4 " C
			       "meta l4proto . th dport map @egress4_world accept"),
			 1);
	assert_int_equal(count(&program, CHAIN_INPUT,
			       "ct direction reply " V4 "ip saddr != @known4 "
			       "meta l4proto . th sport @egress4_world accept"),
			 1);
	assert_int_equal(count(&program, CHAIN_INPUT,
			       "ct direction original " V6 "meta l4proto 58 ip6 saddr != @known6 " C
			       "meta l4proto . icmpv6 type map @ingress6_world_icmp accept"),
			 1);
	assert_int_equal(count(&program, CHAIN_OUTPUT,
			       "ct direction reply " V6 "meta l4proto 58 ip6 daddr != @known6 "
			       "meta l4proto . icmpv6 type @ingress6_world_icmp accept"),
			 1);
	fx_done(&f);
}

/* Each map is asked once for originals and once for replies, and never anything else. */
static void test_flows_once(void **state)
{
	unsigned original[NFT_SETS] = { 0 }, reply[NFT_SETS] = { 0 };
	struct fx f;

	fx_full(&f);
	nft_lower(fx_want(&f.r), &program);
	for (size_t i = 0; i < program.n_rules; i++) {
		const struct nft_op *first = program.rules[i].ops;

		for (const struct nft_op *op = first; op->kind; op++) {
			if (op->kind == OP_OBJMAP) {
				original[op->a]++;
				assert_true(first->kind == OP_CT_DIRECTION && first->a == 0);
			}
			if (op->kind == OP_LOOKUP && op->a < NFT_MAPS) {
				reply[op->a]++;
				assert_true(first->kind == OP_CT_DIRECTION && first->a == 1);
			}
		}
	}
	for (unsigned i = 0; i < SET_GUARDS; i++) {
		assert_true(program.has_set[i]);
		assert_int_equal(original[i], 1);
		assert_int_equal(reply[i], 1);
	}
	fx_done(&f);
}

/* --- guardrails ------------------------------------------------------------------------------ */

/* Where the first rule of CHAIN that has this operation stands, counted in the chain; -1. */
static int place_of(unsigned chain, uint8_t kind, int a)
{
	int at = 0;

	for (size_t i = 0; i < program.n_rules; i++) {
		if (program.rules[i].chain != chain)
			continue;
		for (const struct nft_op *op = program.rules[i].ops; op->kind; op++)
			if (op->kind == kind && (a < 0 || op->a == a))
				return at;
		at++;
	}
	return -1;
}

/* The record of what is denied by default; that of a wrong packet on loopback stands before. */
static int place_of_default(unsigned chain)
{
	int at = 0, last = -1;

	for (size_t i = 0; i < program.n_rules; i++) {
		const struct nft_op *op = program.rules[i].ops;

		if (program.rules[i].chain != chain)
			continue;
		if (op->kind == OP_JUMP && op->a == CHAIN_RECORD)
			last = at;
		at++;
	}
	return last;
}

/* Loopback and the basics, then guardrails, then all that services allow. */
static void test_guards_come_first(void **state)
{
	struct fx f;

	fx_full_and(&f, true);
	nft_lower(fx_want(&f.r), &program);
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		unsigned chain = CHAIN_OUTPUT + d;
		int basics = place_of(chain, OP_HOPLIMIT, -1);
		int errors = place_of(chain, OP_CT_RELATED, -1);
		int guard = place_of(chain, OP_GOTO, (int)(CHAIN_GUARD + d));

		assert_int_equal(place_of(chain, OP_LOOPBACK, -1), 0);
		assert_true(basics > 0 && errors > basics && guard > errors);
		for (unsigned i = 0; i < SET_GUARDS; i++)
			assert_true(place_of(chain, OP_OBJMAP, (int)i) < 0 ||
				    place_of(chain, OP_OBJMAP, (int)i) > guard);
		for (unsigned i = SET_GUARDS; i < NFT_MAPS; i++)
			assert_true(place_of(chain, OP_OBJMAP, (int)i) < place_of_default(chain));
	}
	fx_done(&f);
}

#define NEW "ct direction original "
#define OLD "ct direction reply "

/* An original packet in its own hook, its reply in the other one and from the other side. */
static void test_guards(void **state)
{
	struct fx f;

	fx_full_and(&f, true);
	nft_lower(fx_want(&f.r), &program);
	assert_int_equal(count(&program, CHAIN_OUTPUT,
			       NEW V4 C
			       "ip daddr . meta l4proto map @guard_egress4 goto guard_egress"),
			 1);
	assert_int_equal(count(&program, CHAIN_INPUT,
			       OLD V4 "ip saddr . meta l4proto @guard_egress4 goto guard_ingress"),
			 1);
	assert_int_equal(count(&program, CHAIN_INPUT,
			       NEW V6 C "ip6 saddr . meta l4proto . th dport map "
					"@guard_ingress6_port goto guard_ingress"),
			 1);
	assert_int_equal(count(&program, CHAIN_OUTPUT,
			       OLD V6
			       "ip6 daddr . meta l4proto . th sport @guard_ingress6_port goto "
			       "guard_egress"),
			 1);
	assert_int_equal(count(&program, CHAIN_INPUT,
			       NEW V4 "meta l4proto 1 " C "ip saddr . icmp type map "
				      "@guard_ingress4_icmp goto guard_ingress"),
			 1);
	assert_int_equal(place_of(CHAIN_OUTPUT, OP_CT_UNKNOWN, -1), -1);
	assert_int_equal(place_of(CHAIN_FORWARD, OP_OBJMAP, -1), -1);
	assert_true(place_of(CHAIN_GUARD, OP_JUMP, CHAIN_GUARD_RECORD) == 0);
	fx_done(&f);
}

/* What conntrack does not know is judged, too, where nothing else would stop it. */
static void test_guards_in_the_open(void **state)
{
	struct fx f;

	fx_open(&f);
	nft_lower(fx_want(&f.r), &program);
	assert_int_equal(count(&program, CHAIN_OUTPUT,
			       "ct state invalid,untracked " V4 C
			       "ip daddr . meta l4proto map @guard_egress4 goto guard_egress"),
			 1);
	assert_int_equal(count(&program, CHAIN_FORWARD,
			       NEW V4 C "ip daddr . meta l4proto map @guard_egress4 counter name "
					"\"forwarded\" drop"),
			 1);
	assert_int_equal(count(&program, CHAIN_FORWARD,
			       OLD V4 "ip saddr . meta l4proto @guard_egress4 counter name "
				      "\"forwarded\" drop"),
			 1);
	assert_int_equal(count(&program, CHAIN_ABOUT, "continue comment \"default accept\""), 1);
	assert_false(program.has_chain[CHAIN_RECORD]);
	fx_done(&f);
	fx_full_and(&f, true);
	f.r.mode = MODE_AUDIT;
	nft_lower(fx_want(&f.r), &program);
	assert_true(place_of(CHAIN_OUTPUT, OP_CT_UNKNOWN, -1) > 0);
	fx_done(&f);
}

/* A flow of one family and kind brings one map and two rules. */
static void test_only_what_is_used(void **state)
{
	size_t empty;
	struct fx f;

	fx_init(&f);
	nft_lower(fx_want(fx_finish(&f)), &program);
	empty = program.n_rules;
	fx_add(&f, DIRECTION_EGRESS, ENTRY_HOST, "fd77::9", FX_ALL,
	       fx_rule(&f, "payments.out.db", "p.yaml:1"), 0);
	nft_lower(fx_want(fx_finish(&f)), &program);
	assert_int_equal(program.n_rules, empty + 2);
	for (unsigned i = 0; i < SET_DENIED; i++)
		assert_int_equal(program.has_set[i],
				 i == SET_MAP(DIRECTION_EGRESS, FAMILY6, ENTRY_HOST));
	assert_int_equal(program.maps[SET_MAP(DIRECTION_EGRESS, FAMILY6, ENTRY_HOST)].n, 1);
	fx_done(&f);
}

/* What is not the world is written for both families, even if only one has a rule for it. */
static void test_known_of_both_families(void **state)
{
	struct fx f;

	fx_init(&f);
	fx_add(&f, DIRECTION_INGRESS, ENTRY_WORLD_ICMP, FX_ANY4, FX_ICMP(8, 8),
	       fx_rule(&f, "web.in.ping", "p.yaml:1"), 0);
	nft_lower(fx_want(fx_finish(&f)), &program);
	assert_true(program.has_set[SET_KNOWN + FAMILY4]); /* a rule names it */
	assert_int_equal(program.n_known[FAMILY4], 0);
	assert_false(program.has_set[SET_KNOWN + FAMILY6]);
	fx_known(&f, "10.0.0.0/8");
	fx_known(&f, "fe80::/10");
	fx_known(&f, "fd00::/16");
	nft_lower(fx_want(fx_finish(&f)), &program);
	assert_true(program.has_set[SET_KNOWN + FAMILY6]);
	assert_int_equal(program.n_known[FAMILY4], 1);
	assert_int_equal(program.n_known[FAMILY6], 2);
	assert_int_equal(program.known[FAMILY6][0].lo.family, AF_INET6);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_ends),
		cmocka_unit_test(test_denied_is_denied),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_names_are_there),
		cmocka_unit_test(test_rules_are_clean),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_flows_out),
		cmocka_unit_test(test_flows_in),
		cmocka_unit_test(test_flows_world),
		cmocka_unit_test(test_flows_once),
		cmocka_unit_test(test_guards_come_first),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_guards_in_the_open),
		cmocka_unit_test(test_only_what_is_used),
		cmocka_unit_test(test_known_of_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
