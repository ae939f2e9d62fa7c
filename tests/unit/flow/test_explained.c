/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An explanation that is used again is the one that would be made anew. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/explained.h>

#define ROUNDS 20000

#define ADDR(d)                                                                                    \
	{                                                                                          \
		.family = AF_INET, .b = { 10, 77, 1, d }                                           \
	}

enum { WEB = 1, DB, OTHER };

static const struct bh_addr addrs[] = { { 0 }, ADDR(WEB), ADDR(DB), ADDR(OTHER) };

static const struct ruleset_rule rules[] = {
	{ "guardrail_no-other.out.all", "policies/guardrails.yaml:4", DIRECTION_EGRESS },
	{ "web.in.db", "policies/web.yaml:12", DIRECTION_INGRESS },
	{ "web.out.db", "policies/web.yaml:8", DIRECTION_EGRESS },
};
static const struct entry out[] = {
	{ { ADDR(DB), ADDR(DB) }, IPPROTO_TCP, IPPROTO_TCP, 5432, 5432, 2, 1795424402 },
};
static const struct entry in[] = {
	{ { ADDR(DB), ADDR(DB) }, IPPROTO_UDP, IPPROTO_UDP, 53, 53, 1, 0 },
};
static const struct entry guard[] = { { { ADDR(OTHER), ADDR(OTHER) }, 0, 255, 0, 65535, 0, 0 } };
static const struct ruleset web = {
	.endpoint = "shop/web",
	.services = "web",
	.generation = "0123456789abcdef",
	.deny_where = { "policies/web.yaml:3", "policies/web.yaml:1" },
	.rules = rules,
	.n_rules = BH_ARRAY_SIZE(rules),
	.entries = { [DIRECTION_EGRESS] = { [ENTRY_EXACT] = { out, 1 } },
		     [DIRECTION_INGRESS] = { [ENTRY_EXACT] = { in, 1 } } },
	.guards[DIRECTION_EGRESS] = { [GUARD_NET] = { guard, 1 } },
};

/* Who is behind an address, as the world has it now, and how often it was asked. */
struct world {
	const char *name;
	unsigned asked;
};

static bool party_of(const struct bh_addr *a, struct flow_party *ret, void *arg)
{
	struct world *w = arg;

	w->asked++;
	*ret = (struct flow_party) { "shop/db", w->name, "db", NULL };
	return memcmp(a, &addrs[DB], sizeof(*a)) == 0;
}

static struct flow_context context(struct world *w)
{
	static const struct endpoint e = { .id = "shop/web", .name = "web", .image = "web:1" };

	return (struct flow_context) {
		.endpoint = &e,
		.ruleset = &web,
		.netns_name = "/run/netns/web",
		.host = "node",
		.owner = "team-web",
		.party_of = party_of,
		.arg = w,
	};
}

static unsigned any(unsigned below)
{
	return (unsigned)random() % below;
}

static const struct flow_record plain = {
	.last_seen = INT64_C(1795424401204000),
	.proto = IPPROTO_TCP,
	.source = { ADDR(WEB), true, 40000 },
	.destination = { ADDR(DB), true, 6379 },
	.interface = "eth0",
	.logged = true,
};

static void change_end(struct flow_record *r)
{
	struct record_end *e = any(2) ? &r->source : &r->destination;

	e->addr = addrs[any(4)];
	e->port = (uint16_t[]) { 53, 5432, 6379 }[any(3)];
	e->has_port = any(2);
}

static void change_kind(struct flow_record *r)
{
	r->rule_kind = (enum record_rule_kind)any(RECORD_REVOKED + 1);
	r->verdict = (enum record_verdict)any(2);
	r->direction = (enum direction)any(DIRECTIONS);
}

static void change_protocol(struct flow_record *r)
{
	r->proto = (uint16_t[]) { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP }[any(3)];
	r->has_icmp = any(2);
	r->icmp_type = (uint8_t)(any(2) * 8);
}

static void change_rest(struct flow_record *r)
{
	r->last_seen = plain.last_seen + any(2) * 1000000; /* what allowed it has expired by then */
	memcpy(r->interface, any(2) ? "eth0" : "lo\0\0", 5);
}

static void change_flag(struct flow_record *r)
{
	bool *flags[] = { &r->aggregated, &r->has_frame, &r->logged };

	*flags[any(BH_ARRAY_SIZE(flags))] ^= true;
}

static void change(struct flow_record *r)
{
	static void (*const changes[])(struct flow_record *) = {
		change_end, change_kind, change_protocol, change_rest, change_flag,
	};

	changes[any(BH_ARRAY_SIZE(changes))](r);
}

static void test_same(void **state)
{
	static struct flow_record base, made, again;
	static struct flow_explained last;
	struct world w = { .name = "db-1" };
	const struct flow_context ctx = context(&w);
	unsigned asked_made = 0, asked_again = 0;

	srandom(20261126);
	memcpy(&base, &plain, sizeof(base));
	for (int i = 0; i < ROUNDS; i++) {
		if (any(4))
			change(&base);
		memcpy(&made, &base, sizeof(base));
		memcpy(&again, &base, sizeof(base));
		w.asked = 0;
		flow_explain(&made, &ctx);
		asked_made += w.asked;
		w.asked = 0;
		flow_explain_again(&last, &again, &ctx);
		asked_again += w.asked;
		assert_memory_equal(&made, &again, sizeof(made));
	}
	assert_true(asked_again < asked_made); /* some were the same as the one before */
}

/* The world has changed: nobody can tell from the record. */
static void test_forgotten(void **state)
{
	static struct flow_record r;
	static struct flow_explained last;
	struct world w = { .name = "db-1" };
	const struct flow_context ctx = context(&w);

	memcpy(&r, &plain, sizeof(r));
	flow_explain_again(&last, &r, &ctx);
	assert_string_equal(r.destination.name, "db-1");
	w.name = "db-2";
	flow_explained_forget(&last);
	memcpy(&r, &plain, sizeof(r));
	flow_explain_again(&last, &r, &ctx);
	assert_string_equal(r.destination.name, "db-2");
}

/* What belongs to the packet is not of the explanation. */
static void test_of_the_packet(void **state)
{
	static struct flow_record r;
	static struct flow_explained last;
	struct world w = { .name = "db-1" };
	const struct flow_context ctx = context(&w);

	memcpy(&r, &plain, sizeof(r));
	r.uid = 1;
	r.process.pid = 2;
	r.packets = 3;
	r.packet.len = 4;
	flow_explain_again(&last, &r, &ctx);
	w.asked = 0;
	memcpy(&r, &plain, sizeof(r));
	r.source.port = 50000;
	flow_explain_again(&last, &r, &ctx);
	assert_int_equal(w.asked, 0);
	assert_int_equal(r.uid + r.process.pid + r.packets + r.packet.len, 0);
	assert_int_equal(r.source.port, 50000);
	assert_string_equal(r.service, "web");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_of_the_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
