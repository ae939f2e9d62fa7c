/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/flow.h>

/* --- a small site ------------------------------------------------------------------------- */

#define ADDR(d)                                                                                    \
	{                                                                                          \
		.family = AF_INET, .b = { 10, 77, 1, d }                                           \
	}
#define HOST(d)                                                                                    \
	{                                                                                          \
		ADDR(d), ADDR(d)                                                                   \
	}
#define PUBLIC(d)                                                                                  \
	{                                                                                          \
		.family = AF_INET, .b = { 203, 0, 113, d }                                         \
	}
#define ANY4                                                                                       \
	{                                                                                          \
		{ .family = AF_INET },                                                             \
		{                                                                                  \
			.family = AF_INET, .b = { 255, 255, 255, 255 }                             \
		}                                                                                  \
	}
#define TCP(p) IPPROTO_TCP, IPPROTO_TCP, p, p

enum { WEB = 1, PAYMENTS, LEDGER, LEDGER_2, EVIL };

static const struct ruleset_rule web_rules[] = {
	{ "web.out.cache", "policies/web.yaml:10", DIRECTION_EGRESS },
	{ "web.out.payments", "policies/web.yaml:8", DIRECTION_EGRESS },
	{ "web.out.world", "policies/web.yaml:12", DIRECTION_EGRESS },
};
static const struct entry web_exact[] = {
	{ HOST(PAYMENTS), TCP(8443), 1, 0 },
	{ HOST(LEDGER), TCP(6379), 0, 0 },
};
static const struct entry web_world[] = { { ANY4, TCP(443), 2, 0 } };
static const struct bh_range known[] = { { ADDR(0), ADDR(255) } };
static const struct ruleset web = {
	.endpoint = "shop/web",
	.services = "web",
	.generation = "0123456789abcdef",
	.deny_where = { "policies/web.yaml:3", "policies/web.yaml:1" },
	.rules = web_rules,
	.n_rules = BH_ARRAY_SIZE(web_rules),
	.entries[DIRECTION_EGRESS] = { [ENTRY_EXACT] = { web_exact, BH_ARRAY_SIZE(web_exact) },
				       [ENTRY_WORLD] = { web_world, 1 } },
	.known = known,
	.n_known = 1,
};

static const struct ruleset_rule payments_rules[] = {
	{ "payments.in.checkout", "policies/payments.yaml:9", DIRECTION_INGRESS },
	{ "payments.out.acquirer", "policies/payments.yaml:16", DIRECTION_EGRESS },
	{ "payments.out.ledger", "policies/payments.yaml:14", DIRECTION_EGRESS },
};
static const struct entry payments_in[] = { { HOST(WEB), TCP(8443), 0, 0 } };
static const struct entry payments_out[] = { { HOST(LEDGER), TCP(5432), 2, 0 } };
static const struct entry payments_range[] = { { { PUBLIC(0), PUBLIC(127) }, TCP(443), 1, 0 } };
static const struct ruleset payments = {
	.endpoint = "shop/payments",
	.services = "payments",
	.generation = "0123456789abcdef",
	.deny_where = { "policies/payments.yaml:12", "policies/payments.yaml:7" },
	.rules = payments_rules,
	.n_rules = BH_ARRAY_SIZE(payments_rules),
	.entries = { [DIRECTION_EGRESS] = { [ENTRY_EXACT] = { payments_out, 1 },
					    [ENTRY_RANGE] = { payments_range, 1 } },
		     [DIRECTION_INGRESS] = { [ENTRY_EXACT] = { payments_in, 1 } } },
};

static const struct ruleset_rule ledger_rules[] = {
	{ "ledger.in.db", "policies/ledger.yaml:6", DIRECTION_INGRESS },
};
static const struct entry ledger_in[] = { { HOST(PAYMENTS), TCP(5432), 0, 0 } };
static const struct ruleset ledger = {
	.endpoint = "shop/ledger",
	.services = "ledger",
	.generation = "0123456789abcdef",
	.deny_where = { "policies/ledger.yaml:3", "policies/ledger.yaml:4" },
	.rules = ledger_rules,
	.n_rules = BH_ARRAY_SIZE(ledger_rules),
	.entries[DIRECTION_INGRESS] = { [ENTRY_EXACT] = { ledger_in, 1 } },
};

static const struct party {
	struct bh_addr addr;
	struct flow_party party;
	struct endpoint endpoint;
} parties[] = {
	[WEB] = { ADDR(WEB),
		  { "shop/web", "web", "web", &web },
		  { .id = "shop/web",
		    .name = "web",
		    .runtime = ENDPOINT_DOCKER,
		    .image = "shop/web:1",
		    .netns = "/run/docker/netns/1" } },
	[PAYMENTS] = { ADDR(PAYMENTS),
		       { "shop/payments", "payments", "payments", &payments },
		       { .id = "shop/payments", .name = "payments" } },
	[LEDGER] = { ADDR(LEDGER),
		     { "shop/ledger", "ledger-1", "ledger", &ledger },
		     { .id = "shop/ledger", .name = "ledger-1" } },
	[LEDGER_2] = { ADDR(LEDGER_2),
		       { "shop/ledger-2", "ledger-2", "ledger", &ledger },
		       { .id = "shop/ledger-2", .name = "ledger-2" } },
	[EVIL] = { ADDR(EVIL), { "evil", "\033[31mroot\n", NULL, NULL }, { .id = "evil" } },
};

static bool find_party(const struct bh_addr *a, struct flow_party *ret, void *arg)
{
	for (size_t i = WEB; i < BH_ARRAY_SIZE(parties); i++)
		if (!memcmp(&parties[i].addr, a, sizeof(*a))) {
			*ret = parties[i].party;
			return true;
		}
	return false;
}

/* --- the sentences ------------------------------------------------------------------------ */

static const struct sentence {
	int at; /* whose namespace */
	enum direction direction;
	struct bh_addr far;
	uint16_t proto, port; /* the source port when revoked; the type for ICMP */
	const char *reason, *near_miss, *other_side;
	enum record_rule_kind kind;
	bool aggregated, audit, allow;
} sentences[] = {
	{ PAYMENTS, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_TCP, 6379,
	  "payments may reach ledger on 5432/tcp, not 6379/tcp: policies/payments.yaml:14",
	  "payments.out.ledger allows 5432/tcp to ledger (policies/payments.yaml:14)",
	  "ledger denies it too (policies/ledger.yaml:4)" },
	{ PAYMENTS, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_UDP, 5432,
	  "payments may reach ledger on 5432/tcp, not 5432/udp: policies/payments.yaml:14",
	  "payments.out.ledger allows 5432/tcp to ledger (policies/payments.yaml:14)",
	  "ledger denies it too (policies/ledger.yaml:4)" },
	{ PAYMENTS, DIRECTION_EGRESS, PUBLIC(200), IPPROTO_TCP, 443,
	  "payments may reach 203.0.113.0/25 on 443/tcp, not 203.0.113.200: "
	  "policies/payments.yaml:16",
	  "payments.out.acquirer allows 443/tcp to 203.0.113.0/25 (policies/payments.yaml:16)",
	  "" },
	{ PAYMENTS, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_ICMP, 8,
	  "payments may reach 203.0.113.9 on 443/tcp, not icmp/echo-request: "
	  "policies/payments.yaml:16",
	  "payments.out.acquirer allows 443/tcp to 203.0.113.0/25 (policies/payments.yaml:16)",
	  "" },
	{ WEB, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80,
	  "web may reach 203.0.113.9 on 443/tcp, not 80/tcp: policies/web.yaml:12",
	  "web.out.world allows 443/tcp to the world (policies/web.yaml:12)", "" },
	{ LEDGER, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80,
	  "nothing allows ledger to send to 203.0.113.9 (policies/ledger.yaml:3 denies by default)",
	  "", "" },
	{ LEDGER, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_GRE, 0,
	  "nothing allows ledger to send to 203.0.113.9 (policies/ledger.yaml:3 denies by default)",
	  "", "" },
	{ LEDGER, DIRECTION_EGRESS, ADDR(PAYMENTS), IPPROTO_TCP, 5432,
	  "payments may reach ledger on 5432/tcp (policies/ledger.yaml:6), but nothing allows "
	  "ledger to send to payments",
	  "ledger.in.db allows 5432/tcp from payments (policies/ledger.yaml:6)",
	  "payments denies it too (policies/payments.yaml:7)" },
	{ LEDGER, DIRECTION_INGRESS, ADDR(WEB), IPPROTO_TCP, 6379,
	  "web may send, but ledger lets nobody in on 6379/tcp (policies/ledger.yaml:4 denies by "
	  "default)",
	  "", "web allows it: web.out.cache (policies/web.yaml:10)" },
	{ LEDGER, DIRECTION_INGRESS, ADDR(WEB), IPPROTO_TCP, 5432,
	  "ledger lets payments in on 5432/tcp, not web: policies/ledger.yaml:6",
	  "ledger.in.db allows 5432/tcp from payments (policies/ledger.yaml:6)",
	  "web denies it too (policies/web.yaml:3)" },
	{ PAYMENTS, DIRECTION_INGRESS, ADDR(WEB), IPPROTO_TCP, 8444,
	  "payments lets web in on 8443/tcp, not 8444/tcp: policies/payments.yaml:9",
	  "payments.in.checkout allows 8443/tcp from web (policies/payments.yaml:9)",
	  "web denies it too (policies/web.yaml:3)" },
	{ LEDGER, DIRECTION_INGRESS, PUBLIC(9), IPPROTO_ICMP, 8,
	  "ledger lets nobody in on icmp/echo-request (policies/ledger.yaml:4 denies by default)",
	  "", "" },
	{ LEDGER, DIRECTION_INGRESS, PUBLIC(9), IPPROTO_GRE, 0,
	  "ledger lets nobody in on protocol 47 (policies/ledger.yaml:4 denies by default)", "",
	  "" },
	{ LEDGER, DIRECTION_EGRESS, ADDR(LEDGER_2), IPPROTO_TCP, 5432,
	  "nothing allows ledger to send to ledger-2 (policies/ledger.yaml:3 denies by default)",
	  "", "ledger-2 denies it too (policies/ledger.yaml:4)" },
	{ LEDGER, DIRECTION_EGRESS, ADDR(EVIL), IPPROTO_TCP, 80,
	  "nothing allows ledger to send to \\x1b[31mroot\\x0a (policies/ledger.yaml:3 denies by "
	  "default)",
	  "", "" },
	{ LEDGER, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80,
	  "nothing allows ledger to send to 203.0.113.9 (policies/ledger.yaml:3 denies by default) "
	  "(audit mode: it passed)",
	  "", "", .audit = true },
	{ PAYMENTS, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_TCP, 5432,
	  "payments and ledger may talk on 5432/tcp by now (policies/payments.yaml:14); this came "
	  "before",
	  "", "ledger allows it: ledger.in.db (policies/ledger.yaml:6)" },
	{ LEDGER, DIRECTION_EGRESS, ADDR(WEB), IPPROTO_TCP, 5433,
	  "the connection from web to ledger on 5433/tcp was allowed by an older policy and is no "
	  "longer (policies/ledger.yaml:4 denies by default)",
	  NULL, "web denies it too (policies/web.yaml:3)", RECORD_REVOKED },
	{ LEDGER, DIRECTION_INGRESS, ADDR(WEB), IPPROTO_TCP, 80,
	  "the connection from ledger to web on 80/tcp was allowed by an older policy and is no "
	  "longer (policies/ledger.yaml:3 denies by default)",
	  NULL, "web denies it too (policies/web.yaml:1)", RECORD_REVOKED },
	{ WEB,
	  DIRECTION_EGRESS,
	  { 0 },
	  0,
	  0,
	  "packets that web sent in flows that were not remembered one by one: there were too "
	  "many, or their counts were deleted",
	  "",
	  "",
	  .aggregated = true },
	{ WEB,
	  DIRECTION_INGRESS,
	  { 0 },
	  0,
	  0,
	  "packets that web was sent on connections which an older policy allowed and the present "
	  "one does not",
	  "",
	  "",
	  RECORD_REVOKED,
	  .aggregated = true },
	{ PAYMENTS, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_TCP, 5432,
	  "payments may reach ledger on 5432/tcp: policies/payments.yaml:14", "",
	  "ledger allows it: ledger.in.db (policies/ledger.yaml:6)", RECORD_ALLOWED,
	  .allow = true },
	{ LEDGER, DIRECTION_INGRESS, ADDR(PAYMENTS), IPPROTO_TCP, 5432,
	  "ledger lets payments in on 5432/tcp: policies/ledger.yaml:6", "",
	  "payments allows it: payments.out.ledger (policies/payments.yaml:14)", RECORD_ALLOWED,
	  .allow = true },
	{ WEB, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_TCP, 6379,
	  "web may reach ledger on 6379/tcp: policies/web.yaml:10", "",
	  "ledger denies it (policies/ledger.yaml:4)", RECORD_ALLOWED, .allow = true },
	{ WEB, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80,
	  "web was allowed to reach 203.0.113.9 on 80/tcp, by a rule that is not known here any "
	  "more",
	  "", "", RECORD_ALLOWED, .allow = true },
	{ WEB,
	  DIRECTION_EGRESS,
	  { 0 },
	  0,
	  0,
	  "connections that web opened, which its policy allows: too many to be recorded one by "
	  "one",
	  "",
	  "",
	  RECORD_ALLOWED,
	  .aggregated = true,
	  .allow = true },
};

static void make_record(struct flow_record *rec, const struct sentence *s)
{
	bool egress = s->direction == DIRECTION_EGRESS, revoked = s->kind == RECORD_REVOKED;
	struct record_end *self, *far;

	*rec = (struct flow_record) {
		.verdict = s->allow   ? RECORD_ALLOW
			   : s->audit ? RECORD_AUDIT
				      : RECORD_DENY,
		.direction = s->direction,
		.packets = 1,
		.proto = s->proto,
		.rule_kind = s->kind,
		.aggregated = s->aggregated,
	};
	self = egress ? &rec->source : &rec->destination;
	far = egress ? &rec->destination : &rec->source;
	far->addr = s->far;
	if (s->far.family)
		self->addr = parties[s->at].addr;
	if (s->proto == IPPROTO_ICMP) {
		rec->has_icmp = true;
		rec->icmp_type = (uint8_t)s->port;
	} else if (s->proto != IPPROTO_GRE && s->proto) {
		rec->source.has_port = rec->destination.has_port = true;
		rec->source.port = revoked ? s->port : 40000;
		rec->destination.port = revoked ? 40000 : s->port;
	}
}

static void test_sentences(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(sentences); i++) {
		const struct sentence *s = &sentences[i];
		const struct party *at = &parties[s->at];
		struct flow_context ctx = {
			.endpoint = &at->endpoint,
			.ruleset = at->party.ruleset,
			.party_of = find_party,
		};
		struct flow_record rec;

		make_record(&rec, s);
		flow_explain(&rec, &ctx);
		assert_string_equal(rec.reason, s->reason);
		if (s->near_miss)
			assert_string_equal(rec.near_miss, s->near_miss);
		assert_string_equal(rec.other_side, s->other_side);
	}
}

static void test_fields(void **state)
{
	const struct sentence s = { WEB, DIRECTION_EGRESS, ADDR(LEDGER), IPPROTO_TCP, 22 };
	struct flow_context ctx = {
		.endpoint = &parties[WEB].endpoint,
		.ruleset = &web,
		.netns_name = "/run/docker/netns/1",
		.host = "node-1",
		.owner = "team-web",
		.party_of = find_party,
	};
	struct flow_record rec;

	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.endpoint_id, "shop/web");
	assert_string_equal(rec.endpoint_name, "web");
	assert_string_equal(rec.runtime, "docker");
	assert_string_equal(rec.image, "shop/web:1");
	assert_string_equal(rec.netns, "/run/docker/netns/1");
	assert_string_equal(rec.service, "web");
	assert_string_equal(rec.owner, "team-web");
	assert_string_equal(rec.host, "node-1");
	assert_string_equal(rec.generation, "0123456789abcdef");
	assert_string_equal(rec.source.endpoint, "shop/web");
	assert_string_equal(rec.source.service, "web");
	assert_string_equal(rec.destination.endpoint, "shop/ledger");
	assert_string_equal(rec.destination.service, "ledger");
	assert_int_equal(rec.rule_kind, RECORD_DEFAULT_DENY);
	assert_string_equal(rec.rule_name, "default-deny");
	assert_string_equal(rec.rule_file, "policies/web.yaml");
	assert_int_equal(rec.rule_line, 3);
}

/* The policy rule that allows it, where its flow is known and some rule does. */
static void test_allowed_rule(void **state)
{
	const struct sentence s = { PAYMENTS, DIRECTION_EGRESS,       ADDR(LEDGER), IPPROTO_TCP,
				    5432,     .kind = RECORD_ALLOWED, .allow = true };
	struct flow_context ctx = { .ruleset = &payments };
	struct flow_record rec;

	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.rule_name, "payments.out.ledger");
	assert_string_equal(rec.rule_file, "policies/payments.yaml");
	assert_int_equal(rec.rule_line, 14);
	ctx.ruleset = &ledger; /* another one by now */
	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.rule_name, "allow");
	assert_string_equal(rec.rule_file, "");
	ctx.ruleset = NULL;
	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_int_equal(rec.verdict, RECORD_ALLOW);
	assert_int_equal(rec.rule_kind, RECORD_ALLOWED);
}

/* An ended connection is denied by the direction in which it was opened. */
static void test_revoked_rule(void **state)
{
	const struct sentence s = { LEDGER, DIRECTION_EGRESS,      ADDR(WEB), IPPROTO_TCP,
				    5433,   .kind = RECORD_REVOKED };
	struct flow_context ctx = { .ruleset = &ledger };
	struct flow_record rec;

	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_int_equal(rec.rule_kind, RECORD_REVOKED);
	assert_string_equal(rec.rule_name, "revoked");
	assert_string_equal(rec.rule_file, "policies/ledger.yaml");
	assert_int_equal(rec.rule_line, 4);
	assert_string_equal(rec.endpoint_id, "shop/ledger");
}

static void test_without_context(void **state)
{
	const struct sentence s = { WEB, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80 };
	struct flow_context ctx = { .netns_name = "/run/netns/x" };
	struct flow_record rec;

	make_record(&rec, &s);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason, "/run/netns/x sent to 203.0.113.9 on 80/tcp, which was "
					"denied; the policy behind it is not known here");
	assert_string_equal(rec.netns, "/run/netns/x");
	assert_string_equal(rec.rule_file, "");

	ctx.netns_name = NULL;
	make_record(&rec, &s);
	rec.destination.has_port = false; /* cut off */
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason,
			    "10.77.1.1 sent to 203.0.113.9 on tcp without ports, which was denied; "
			    "the policy behind it is not known here");

	memset(&rec, 0, sizeof(rec));
	ctx.ruleset = &web;
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason, "nothing allows web to send to an unknown address "
					"(policies/web.yaml:3 denies by default)");
}

/* A place that is no FILE:LINE stays whole. */
static void test_odd_places(void **state)
{
	static const struct {
		const char *where, *file;
		unsigned line;
	} places[] = {
		{ "a:b.yaml:7", "a:b.yaml", 7 },
		{ "nowhere", "nowhere", 0 },
		{ "x:", "x:", 0 },
		{ "x:99999999999", "x:99999999999", 0 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(places); i++) {
		const struct sentence s = { WEB, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80 };
		const struct ruleset r = { .deny_where = { places[i].where } };
		struct flow_context ctx = { .ruleset = &r };
		struct flow_record rec;

		make_record(&rec, &s);
		flow_explain(&rec, &ctx);
		assert_string_equal(rec.rule_file, places[i].file);
		assert_int_equal(rec.rule_line, places[i].line);
	}
}

/* --- guardrails --------------------------------------------------------------------------- */

static const struct ruleset_rule guarded_rules[] = {
	{ "guardrail_cde.in.boundary", "policies/guardrails.yaml:12", DIRECTION_INGRESS },
	{ "guardrail_no-metadata.out.all", "policies/guardrails.yaml:4", DIRECTION_EGRESS },
	{ "web.out.payments", "policies/web.yaml:8", DIRECTION_EGRESS },
};
#define ALL 0, 255, 0, 65535
static const struct entry guard_out[] = { { { PUBLIC(0), PUBLIC(127) }, ALL, 1, 0 } };
static const struct entry guard_in[] = { { HOST(PAYMENTS), TCP(22), 0, 0 } };
static const struct entry guarded_exact[] = { { HOST(PAYMENTS), TCP(8443), 2, 0 } };
static const struct ruleset guarded = {
	.endpoint = "shop/web",
	.services = "web",
	.generation = "0123456789abcdef",
	.deny_where = { "policies/web.yaml:3", "policies/web.yaml:1" },
	.rules = guarded_rules,
	.n_rules = BH_ARRAY_SIZE(guarded_rules),
	.entries[DIRECTION_EGRESS] = { [ENTRY_EXACT] = { guarded_exact, 1 } },
	.guards = { [DIRECTION_EGRESS] = { [GUARD_NET] = { guard_out, 1 } },
		    [DIRECTION_INGRESS] = { [GUARD_PORT] = { guard_in, 1 } } },
};

static void explain_guarded(struct flow_record *rec, const struct ruleset *r,
			    const struct sentence *s, bool logged)
{
	const struct flow_context ctx = {
		.endpoint = &parties[WEB].endpoint,
		.ruleset = r,
		.scope = "cde",
		.party_of = find_party,
	};

	make_record(rec, s);
	rec->logged = logged;
	flow_explain(rec, &ctx);
}

static void test_guardrail(void **state)
{
	const struct sentence out = { WEB, DIRECTION_EGRESS,        PUBLIC(9), IPPROTO_TCP,
				      80,  .kind = RECORD_GUARDRAIL };
	struct sentence in = { WEB, DIRECTION_INGRESS,       ADDR(PAYMENTS), IPPROTO_TCP,
			       22,  .kind = RECORD_GUARDRAIL };
	struct flow_record rec;

	explain_guarded(&rec, &guarded, &out, true);
	assert_string_equal(rec.reason, "guardrail no-metadata denies 203.0.113.9 to web on "
					"80/tcp: policies/guardrails.yaml:4");
	assert_string_equal(rec.rule_name, "no-metadata");
	assert_string_equal(rec.rule_file, "policies/guardrails.yaml");
	assert_int_equal(rec.rule_line, 4);
	assert_string_equal(rec.near_miss, "");
	assert_string_equal(rec.scope, "cde");
	explain_guarded(&rec, &guarded, &in, true);
	assert_string_equal(rec.reason, "guardrail cde denies web to payments on 22/tcp: "
					"policies/guardrails.yaml:12");
	/* the log was lost: the ruleset knows, in audit mode as well */
	in.kind = RECORD_DEFAULT_DENY;
	make_record(&rec, &in);
	rec.verdict = RECORD_AUDIT;
	flow_explain(&rec, &(struct flow_context) { .ruleset = &guarded, .party_of = find_party });
	assert_int_equal(rec.rule_kind, RECORD_GUARDRAIL);
	assert_int_equal(rec.verdict, RECORD_DENY);
	/* it says default-deny, so it was before */
	explain_guarded(&rec, &guarded, &in, true);
	assert_int_equal(rec.rule_kind, RECORD_DEFAULT_DENY);
	/* a guardrail that is gone */
	in = (struct sentence) { WEB, DIRECTION_INGRESS,       ADDR(PAYMENTS), IPPROTO_TCP,
				 23,  .kind = RECORD_GUARDRAIL };
	explain_guarded(&rec, &guarded, &in, true);
	assert_string_equal(rec.reason, "a guardrail denied web to payments on 23/tcp; the present "
					"ones do not, so this came before");
	assert_string_equal(rec.rule_name, "guardrail");
}

/* An open connection that a guardrail ended; what else an open container may say. */
static void test_guardrail_elsewhere(void **state)
{
	const struct sentence ended = { WEB, DIRECTION_INGRESS,     PUBLIC(9), IPPROTO_TCP,
					80,  .kind = RECORD_REVOKED };
	const struct sentence before = { WEB, DIRECTION_EGRESS, PUBLIC(200), IPPROTO_TCP, 80 };
	struct ruleset open = guarded;
	struct flow_record rec;

	explain_guarded(&rec, &guarded, &ended, true);
	assert_string_equal(rec.reason, "the connection from web to 203.0.113.9 on 80/tcp was "
					"allowed by an older policy and is no longer (guardrail "
					"no-metadata denies it: policies/guardrails.yaml:4)");
	assert_string_equal(rec.rule_name, "revoked");
	assert_int_equal(rec.rule_line, 4);
	open.open = true;
	open.deny_where[0] = open.deny_where[1] = NULL;
	explain_guarded(&rec, &open, &before, true);
	assert_string_equal(rec.reason, "only guardrails hold web by now, and none denies it "
					"203.0.113.200 on 80/tcp; this came before");
	assert_string_equal(rec.rule_file, "");
}

/* On the loopback device only one thing is denied, whatever the policy says of it. */
static void test_loopback(void **state)
{
	static const enum record_rule_kind kinds[] = { RECORD_DEFAULT_DENY, RECORD_GUARDRAIL };
	const struct sentence s = { WEB, DIRECTION_INGRESS, PUBLIC(9), IPPROTO_UDP, 53 };
	const struct flow_context ctx = {
		.endpoint = &parties[WEB].endpoint,
		.ruleset = &guarded,
		.party_of = find_party,
	};
	struct flow_record rec;

	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		make_record(&rec, &s);
		rec.rule_kind = kinds[i];
		snprintf(rec.interface, sizeof(rec.interface), "lo");
		flow_explain(&rec, &ctx);
		assert_string_equal(rec.reason,
				    "web sent itself a packet on 53/udp from 203.0.113.9, which is "
				    "none of its addresses: the answer would leave as if "
				    "203.0.113.9 had asked");
		assert_string_equal(rec.near_miss, "");
		assert_string_equal(rec.other_side, "");
	}
}

/* --- frames ------------------------------------------------------------------------------- */

static struct flow_record frame_from(const struct bh_addr *source)
{
	struct flow_record rec = {
		.direction = DIRECTION_EGRESS,
		.rule_kind = RECORD_RAW_SOCKET,
		.logged = true,
		.packets = 1,
		.has_frame = true,
		.frame_type = source ? 0x0800 : 0x0806,
	};

	if (!source)
		return rec;
	rec.proto = IPPROTO_TCP;
	rec.source.addr = *source;
	rec.destination.addr = (struct bh_addr)ADDR(LEDGER);
	rec.destination.has_port = true;
	rec.destination.port = 5432; /* which its policy allows */
	return rec;
}

/* By hand, or in another's name: no policy was asked, so none is named and nothing comes near. */
static void test_frames(void **state)
{
	const struct bh_addr own[] = { ADDR(PAYMENTS) }, stranger = ADDR(77);
	struct endpoint e = parties[PAYMENTS].endpoint;
	struct flow_context ctx = { .endpoint = &e, .ruleset = &payments, .party_of = find_party };
	struct flow_record rec;

	e.addrs = own;
	e.n_addrs = 1;
	rec = frame_from(NULL);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason, "payments sent a frame that was made by hand (a packet "
					"socket), which no policy can judge");
	assert_string_equal(rec.rule_name, "raw-socket");
	assert_string_equal(rec.rule_file, "");
	assert_string_equal(rec.service, "payments");

	rec = frame_from(own);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason,
			    "payments sent to ledger on 5432/tcp with a frame that was made by "
			    "hand (a packet socket), past its policy");
	assert_string_equal(rec.near_miss, "");
	assert_string_equal(rec.other_side, "");
	assert_int_equal(rec.rule_line, 0);
	assert_int_equal(rec.rule_kind, RECORD_RAW_SOCKET);

	rec = frame_from(&stranger);
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason, "payments sent to ledger on 5432/tcp from 10.77.1.77, "
					"which is none of its addresses");
	rec = frame_from(NULL);
	rec.verdict = RECORD_AUDIT;
	flow_explain(&rec, &ctx);
	assert_string_equal(rec.reason,
			    "payments sent a frame that was made by hand (a packet "
			    "socket), which no policy can judge (audit mode: it passed)");
}

/* Those beyond what is logged; where only guardrails hold; and where nothing is known. */
static void test_frames_elsewhere(void **state)
{
	struct flow_record rec = { .direction = DIRECTION_EGRESS,
				   .rule_kind = RECORD_RAW_SOCKET,
				   .aggregated = true,
				   .packets = 40 };
	const struct bh_addr own = ADDR(WEB);
	struct ruleset open = guarded;

	explain_guarded(&rec, &guarded,
			&(struct sentence) { WEB, DIRECTION_EGRESS, PUBLIC(9), IPPROTO_TCP, 80,
					     .kind = RECORD_RAW_SOCKET, .aggregated = true },
			false);
	assert_int_equal(rec.rule_kind, RECORD_RAW_SOCKET);
	assert_string_equal(rec.rule_name, "raw-socket");
	assert_string_equal(rec.reason,
			    "frames that web sent, made by hand (a packet socket) or from "
			    "addresses that are not its own");
	open.open = true;
	open.deny_where[0] = open.deny_where[1] = NULL;
	rec = frame_from(&own);
	flow_explain(&rec, &(struct flow_context) { .endpoint = &parties[WEB].endpoint,
						    .ruleset = &open,
						    .party_of = find_party });
	assert_int_equal(rec.rule_kind, RECORD_RAW_SOCKET);
	assert_string_equal(rec.rule_file, "");
	rec = frame_from(&own);
	flow_explain(&rec, &(struct flow_context) { 0 });
	assert_string_equal(rec.rule_name, "raw-socket");
	assert_non_null(strstr(rec.reason, "made by hand"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),        cmocka_unit_test(test_fields),
		cmocka_unit_test(test_allowed_rule),     cmocka_unit_test(test_revoked_rule),
		cmocka_unit_test(test_without_context),  cmocka_unit_test(test_odd_places),
		cmocka_unit_test(test_guardrail),        cmocka_unit_test(test_guardrail_elsewhere),
		cmocka_unit_test(test_loopback),         cmocka_unit_test(test_frames),
		cmocka_unit_test(test_frames_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
