/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/roster.h>

#define MAX (1 << 20)

static struct bh_addr addr(const char *s)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(s, &a), 0);
	return a;
}

static void put_member(struct bh_buf *b, const char *id, uint64_t ino, const char *address)
{
	struct bh_addr a = addr(address);
	const struct roster_member m = {
		.endpoint = { .id = id,
			      .name = "name of it",
			      .image = "box:1",
			      .netns = "/run/x",
			      .netns_ino = ino,
			      .runtime = ENDPOINT_DOCKER,
			      .addrs = &a,
			      .n_addrs = 1 },
		.services = "web, shop",
		.owner = "team-web",
		.scope = "cde",
	};

	assert_int_equal(roster_put_member(b, &m), 0);
}

/* A ruleset with something in every list. */
static struct ruleset sample_of(struct entry *entries, const struct ruleset_rule *rules,
				const struct bh_range *known)
{
	struct ruleset r = {
		.endpoint = "shop/web",
		.services = "web",
		.generation = "0123456789abcdef",
		.deny_where = { "web.yaml:1", NULL },
		.mode = MODE_AUDIT,
		.log_denied = true,
		.log_allowed = true,
		.rules = rules,
		.n_rules = 2,
		.known = known,
		.n_known = 1,
	};

	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			r.entries[d][k] = (struct entry_list) { &entries[k % 2], 1 };
		r.guards[d][GUARD_PORT] = (struct entry_list) { entries, 2 };
	}
	return r;
}

static void fill(struct entry entries[2], struct bh_range *known)
{
	for (int i = 0; i < 2; i++)
		entries[i] = (struct entry) {
			.addr = { addr("10.0.0.1"), addr("10.0.0.1") },
			.proto_lo = IPPROTO_TCP,
			.proto_hi = IPPROTO_TCP,
			.port_lo = (uint16_t)(80 + i),
			.port_hi = (uint16_t)(80 + i),
			.rule = (uint32_t)i,
		};
	*known = (struct bh_range) { addr("10.0.0.0"), addr("10.0.0.255") };
}

static const struct ruleset_rule rules[2] = {
	{ "web.out.db", "web.yaml:7", DIRECTION_EGRESS },
	{ "web.in.any", "web.yaml:9", DIRECTION_INGRESS },
};

static void test_members(void **state)
{
	struct roster *r = roster_new();
	const struct roster_member *m;
	struct bh_buf b;
	struct bh_addr a = addr("10.0.0.2");

	bh_buf_init(&b, MAX);
	roster_put_members(&b);
	put_member(&b, "b", 2, "10.0.0.2");
	put_member(&b, "a", 1, "fd00::1");
	put_member(&b, "a2", 1, "10.0.0.3");
	assert_int_equal(roster_take(r, b.data, b.len, NULL), 0);
	assert_string_equal(roster_in(r, 1)->endpoint.id, "a");
	assert_string_equal(roster_in(r, 2)->endpoint.id, "b");
	assert_null(roster_in(r, 3));
	assert_string_equal(roster_in_as(r, 1, "a2")->endpoint.id, "a2");
	assert_null(roster_in_as(r, 1, "b"));
	assert_null(roster_in_as(r, 3, "a"));
	m = roster_at(r, &a);
	assert_string_equal(m->endpoint.id, "b");
	assert_string_equal(m->endpoint.name, "name of it");
	assert_string_equal(m->endpoint.image, "box:1");
	assert_string_equal(m->endpoint.netns, "/run/x");
	assert_int_equal(m->endpoint.runtime, ENDPOINT_DOCKER);
	assert_string_equal(m->services, "web, shop");
	assert_string_equal(m->owner, "team-web");
	assert_string_equal(m->scope, "cde");
	bh_buf_done(&b);
	roster_free(r);
}

/* Members are told all anew; a ruleset stays until it is replaced or gone. */
static void test_replacing(void **state)
{
	struct roster *r = roster_new();
	struct entry entries[2];
	struct bh_range known;
	struct ruleset sample;
	struct bh_buf b;

	fill(entries, &known);
	sample = sample_of(entries, rules, &known);
	bh_buf_init(&b, MAX);
	roster_put_members(&b);
	put_member(&b, "a", 1, "10.0.0.2");
	roster_put_ruleset(&b, 1, &sample);
	assert_int_equal(roster_take(r, b.data, b.len, NULL), 0);
	bh_buf_reset(&b);
	roster_put_members(&b);
	put_member(&b, "b", 1, "10.0.0.2");
	assert_int_equal(roster_take(r, b.data, b.len, NULL), 0);
	assert_string_equal(roster_in(r, 1)->endpoint.id, "b");
	assert_non_null(roster_ruleset(r, 1));
	roster_forget(r, 1);
	assert_null(roster_ruleset(r, 1));
	assert_non_null(roster_in(r, 1));
	bh_buf_done(&b);
	roster_free(r);
}

static void test_ruleset(void **state)
{
	struct roster *r = roster_new();
	struct entry entries[2];
	struct bh_range known;
	struct ruleset sample;
	struct bh_buf b;
	char why[256];

	fill(entries, &known);
	sample = sample_of(entries, rules, &known);
	bh_buf_init(&b, MAX);
	roster_put_ruleset(&b, 7, &sample);
	assert_int_equal(roster_take(r, b.data, b.len, NULL), 0);
	if (!ruleset_equal(&sample, roster_ruleset(r, 7), why, sizeof(why)))
		fail_msg("%s", why);
	assert_string_equal(roster_ruleset(r, 7)->deny_where[0], "web.yaml:1");
	assert_null(roster_ruleset(r, 7)->deny_where[1]);
	bh_buf_done(&b);
	roster_free(r);
}

/* An address that two namespaces claim is nobody's; that two of one namespace have is theirs. */
static void test_claimed_twice(void **state)
{
	struct bh_addr twice = addr("10.0.0.2"), shared = addr("10.0.0.3");
	struct roster *r = roster_new();
	struct bh_buf b;

	bh_buf_init(&b, MAX);
	roster_put_members(&b);
	put_member(&b, "a", 1, "10.0.0.2");
	put_member(&b, "b", 2, "10.0.0.2");
	put_member(&b, "c", 3, "10.0.0.3");
	put_member(&b, "d", 3, "10.0.0.3");
	assert_int_equal(roster_take(r, b.data, b.len, NULL), 0);
	assert_null(roster_at(r, &twice));
	assert_non_null(roster_at(r, &shared));
	bh_buf_done(&b);
	roster_free(r);
}

/* Every truncation, and every byte made another: refused or read, never more than there is. */
static void test_hostile(void **state)
{
	struct entry entries[2];
	struct bh_range known;
	struct ruleset sample;
	struct bh_buf b;

	fill(entries, &known);
	sample = sample_of(entries, rules, &known);
	bh_buf_init(&b, MAX);
	roster_put_members(&b);
	put_member(&b, "a", 1, "10.0.0.2");
	roster_put_ruleset(&b, 1, &sample);
	for (size_t n = 0; n < b.len; n++) {
		bh_autofree char *part = malloc(n + 1); /* of its own, for the sanitizer */
		struct roster *r = roster_new();
		int e;

		memcpy(part, b.data, n);
		e = roster_take(r, part, n, NULL);
		assert_true(e == 0 || e == -EBADMSG);
		if (e < 0)
			assert_null(roster_in(r, 1));
		memcpy(part, b.data, n);
		roster_free(r);
	}
	for (size_t n = 0; n < b.len; n++) {
		bh_autofree char *copy = malloc(b.len);
		struct roster *r = roster_new();

		memcpy(copy, b.data, b.len);
		copy[n] ^= 0x55;
		(void)roster_take(r, copy, b.len, NULL);
		roster_free(r);
	}
	bh_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members), cmocka_unit_test(test_replacing),
		cmocka_unit_test(test_ruleset), cmocka_unit_test(test_claimed_twice),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
