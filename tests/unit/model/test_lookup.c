/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/ruleset.h>

#define NOW 1790000000

/* --- a random ruleset over few addresses, protocols and ports ------------------------------------ */

/* What lies on one address interval: disjoint protocol intervals, each with disjoint ports. */
static const struct {
	uint8_t lo, hi;
} proto_cells[] = { { 0, 0 },   { 1, 1 },   { 2, 5 },     { 6, 6 },    { 7, 16 },
		    { 17, 17 }, { 47, 57 }, { 132, 132 }, { 200, 255 } };
static const uint16_t port_cuts[] = { 0, 1, 53, 80, 81, 443, 8000, 8081, 65535 };
static const uint8_t type_cuts[] = { 0, 3, 8, 9, 13, 15, 128, 130, 139 };

#define ADDRS 24 /* of each family */
#define LIST  600

struct site {
	struct entry e[DIRECTIONS][ENTRY_KINDS][LIST];
	size_t n[DIRECTIONS][ENTRY_KINDS];
	struct bh_range known[16];
	struct ruleset r;
};

static struct bh_addr nth(bool v6, unsigned i)
{
	struct bh_addr a = { .family = v6 ? AF_INET6 : AF_INET };

	memcpy(a.b, v6 ? "\x20\x01\x0d\xb8" : "\x0a\x4d\x01\x00", 4);
	a.b[v6 ? 15 : 3] = (uint8_t)i;
	return a;
}

static struct bh_range whole(bool v6)
{
	struct bh_range r = { .lo.family = v6 ? AF_INET6 : AF_INET };

	r.hi.family = r.lo.family;
	memset(r.hi.b, 0xff, v6 ? 16 : 4);
	return r;
}

static bool chance(unsigned of)
{
	return random() % of == 0;
}

static void put(struct site *s, int d, enum entry_kind kind, struct bh_range addr, uint8_t proto_lo,
		uint8_t proto_hi, uint16_t port_lo, uint16_t port_hi)
{
	size_t n = s->n[d][kind];
	int64_t expires = chance(4) ? NOW - 1 + random() % 3 : 0;

	assert_true(n < LIST);
	s->e[d][kind][n] =
		(struct entry) { addr, proto_lo, proto_hi, port_lo, port_hi, 0, expires };
	s->n[d][kind]++;
}

static bool has_ports(unsigned proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* Some boxes of protocols and ports on one address interval. */
static void put_plane(struct site *s, int d, enum entry_kind kind, struct bh_range addr)
{
	if (chance(6)) {
		put(s, d, kind, addr, 0, 255, 0, 65535);
		return;
	}
	for (size_t c = 0; c < BH_ARRAY_SIZE(proto_cells); c++) {
		if (!chance(3))
			continue;
		if (!has_ports(proto_cells[c].lo) || chance(4)) {
			put(s, d, kind, addr, proto_cells[c].lo, proto_cells[c].hi, 0, 65535);
			continue;
		}
		for (size_t i = 0; i + 1 < BH_ARRAY_SIZE(port_cuts); i++)
			if (chance(3))
				put(s, d, kind, addr, proto_cells[c].lo, proto_cells[c].lo,
				    port_cuts[i], (uint16_t)(port_cuts[i + 1] - 1));
	}
}

static void put_types(struct site *s, int d, enum entry_kind kind, struct bh_range addr, bool v6)
{
	uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	if (chance(4)) {
		put(s, d, kind, addr, proto, proto, 0, 255);
		return;
	}
	for (size_t i = 0; i + 1 < BH_ARRAY_SIZE(type_cuts); i++)
		if (chance(3))
			put(s, d, kind, addr, proto, proto, type_cuts[i],
			    (uint16_t)(type_cuts[i + 1] - 1));
}

static void put_hashed(struct site *s, int d, bool v6, unsigned i)
{
	struct bh_range one = { nth(v6, i), nth(v6, i) };
	uint8_t icmp = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	for (size_t p = 0; p < BH_ARRAY_SIZE(port_cuts); p++)
		if (chance(12))
			put(s, d, ENTRY_EXACT, one, IPPROTO_TCP, IPPROTO_TCP, port_cuts[p],
			    port_cuts[p]);
	if (chance(8))
		put(s, d, ENTRY_HOST, one, 0, 255, 0, 65535);
	for (size_t t = 0; t < BH_ARRAY_SIZE(type_cuts); t++)
		if (chance(10))
			put(s, d, ENTRY_ICMP, one, icmp, icmp, type_cuts[t], type_cuts[t]);
}

static void put_family(struct site *s, int d, bool v6)
{
	for (unsigned i = 0; i < ADDRS; i++)
		put_hashed(s, d, v6, i);
	for (unsigned i = 0; i < ADDRS;) {
		unsigned last = i + (unsigned)random() % 6;
		struct bh_range r = { nth(v6, i), nth(v6, last < ADDRS ? last : ADDRS - 1) };

		if (chance(2))
			put_plane(s, d, ENTRY_RANGE, r);
		if (chance(3))
			put_types(s, d, ENTRY_ICMP_RANGE, r, v6);
		i = last + 1;
	}
	if (chance(2))
		put_plane(s, d, ENTRY_WORLD, whole(v6));
	if (chance(3))
		put_types(s, d, ENTRY_WORLD_ICMP, whole(v6), v6);
}

static int by_key(const void *a, const void *b)
{
	return entry_cmp(a, b);
}

static void random_site(struct site *s)
{
	memset(s, 0, sizeof(*s));
	for (int d = 0; d < DIRECTIONS; d++) {
		put_family(s, d, false);
		put_family(s, d, true);
		for (int k = 0; k < ENTRY_KINDS; k++) {
			qsort(s->e[d][k], s->n[d][k], sizeof(struct entry), by_key);
			s->r.entries[d][k] = (struct entry_list) { s->e[d][k], s->n[d][k] };
		}
	}
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned i = 0; i + 4 < ADDRS; i += 4)
			if (chance(2))
				s->known[s->r.n_known++] =
					(struct bh_range) { nth(v6, i),
							    nth(v6, i + (unsigned)random() % 3) };
	s->r.known = s->known;
}

/* A flow on or next to what a ruleset may speak of. */
static struct flow_key random_flow(void)
{
	static const uint16_t protos[] = { 0,  1,  1,  2,  5,  6,  6,   6,   6,
					   16, 17, 17, 47, 58, 58, 132, 133, 255 };
	bool v6 = chance(2);
	struct flow_key k = {
		.direction = chance(2) ? DIRECTION_EGRESS : DIRECTION_INGRESS,
		.remote = nth(v6, (unsigned)random() % (ADDRS + 4)),
		.proto = protos[(size_t)random() % BH_ARRAY_SIZE(protos)],
	};

	if (chance(8))
		k.remote = chance(2) ? whole(v6).lo : whole(v6).hi;
	if (k.proto == IPPROTO_ICMP || k.proto == IPPROTO_ICMPV6)
		k.port = (uint8_t)(type_cuts[random() % 9] + random() % 3 - 1);
	else
		k.port = (uint16_t)(port_cuts[random() % 9] + random() % 3 - 1);
	return k;
}

/* --- what include/bulkhead/model/ruleset.h says, word for word ----------------------------------- */

static bool naive_remote(const struct ruleset *r, int kind, const struct entry *e,
			 const struct bh_addr *a)
{
	if (kind == ENTRY_WORLD || kind == ENTRY_WORLD_ICMP)
		for (size_t i = 0; i < r->n_known; i++)
			if (bh_range_contains(&r->known[i], a))
				return false;
	return bh_range_contains(&e->addr, a);
}

static bool naive_port(int kind, const struct entry *e, const struct flow_key *k)
{
	bool for_icmp = kind == ENTRY_ICMP || kind == ENTRY_ICMP_RANGE || kind == ENTRY_WORLD_ICMP;

	if (kind == ENTRY_HOST)
		return true;
	if (k->proto < e->proto_lo || k->proto > e->proto_hi)
		return false;
	if (for_icmp || (e->proto_lo == e->proto_hi && has_ports(e->proto_lo)))
		return k->port >= e->port_lo && k->port <= e->port_hi;
	return true; /* ports are not looked at */
}

static bool is_live(const struct entry *e, int64_t now)
{
	return e->expires == 0 || e->expires > now;
}

static bool begins_a_flow(const struct flow_key *k)
{
	uint8_t reply;

	if (k->proto != IPPROTO_ICMP && k->proto != IPPROTO_ICMPV6)
		return true;
	return icmp_reply_type(k->proto, (uint8_t)k->port, &reply);
}

static const struct entry *naive_lookup(const struct ruleset *r, const struct flow_key *k,
					int64_t now)
{
	const struct entry *hit = NULL;

	for (int kind = 0; kind < ENTRY_KINDS && !hit && begins_a_flow(k); kind++) {
		const struct entry_list *l = &r->entries[k->direction][kind];

		for (size_t i = 0; i < l->n; i++)
			if (naive_remote(r, kind, &l->e[i], &k->remote) &&
			    naive_port(kind, &l->e[i], k) && is_live(&l->e[i], now)) {
				assert_null(hit); /* else what is drawn is no ruleset */
				hit = &l->e[i];
			}
	}
	return hit;
}

static void test_lookup_random(void **state)
{
	static struct site s;
	size_t allowed = 0, denied = 0;

	srandom(48);
	for (unsigned round = 0; round < 150; round++) {
		random_site(&s);
		for (unsigned i = 0; i < 2000; i++) {
			struct flow_key k = random_flow();
			const struct entry *expect = naive_lookup(&s.r, &k, NOW);

			if (ruleset_lookup(&s.r, &k, NOW) != expect)
				fail_msg("round %u, flow %u: direction %d, protocol %u, port %u",
					 round, i, k.direction, k.proto, k.port);
			*(expect ? &allowed : &denied) += 1;
		}
	}
	assert_true(allowed > 30000 && denied > 30000); /* both were drawn often */
}

/* --- the nearest allow ----------------------------------------------------------------------------- */

/* How near an entry of the same direction is; NEAR_DIRECTION = not at all. */
static enum near_differs naive_nearness(const struct ruleset *r, int kind, const struct entry *e,
					const struct flow_key *k)
{
	bool proto = k->proto >= e->proto_lo && k->proto <= e->proto_hi;
	bool only_replies =
		kind == ENTRY_ICMP || kind == ENTRY_ICMP_RANGE || kind == ENTRY_WORLD_ICMP;

	for (unsigned t = e->port_lo; only_replies && t <= e->port_hi; t++)
		only_replies = icmp_is_reply(e->proto_lo, (uint8_t)t);
	if (only_replies)
		return NEAR_DIRECTION; /* nothing that anybody may begin */
	if (naive_remote(r, kind, e, &k->remote))
		return proto ? NEAR_PORT : NEAR_PROTOCOL;
	return kind != ENTRY_HOST && naive_port(kind, e, k) ? NEAR_REMOTE : NEAR_DIRECTION;
}

static enum near_differs naive_nearest(const struct ruleset *r, const struct flow_key *k)
{
	enum near_differs best = NEAR_DIRECTION;

	for (int kind = 0; kind < ENTRY_KINDS; kind++) {
		const struct entry_list *l = &r->entries[k->direction][kind];

		for (size_t i = 0; i < l->n; i++) {
			enum near_differs n = naive_nearness(r, kind, &l->e[i], k);

			if (is_live(&l->e[i], NOW) && n < best)
				best = n;
		}
	}
	return best;
}

/* Whose list is the entry in? */
static int kind_of(const struct ruleset *r, enum direction d, const struct entry *e)
{
	for (int kind = 0; kind < ENTRY_KINDS; kind++)
		if (e >= r->entries[d][kind].e && e < r->entries[d][kind].e + r->entries[d][kind].n)
			return kind;
	fail_msg("an entry from nowhere");
	return -1;
}

/* Everything with everybody is near to nothing. */
static bool is_all(const struct ruleset *r, enum direction d, const struct entry *e)
{
	bool all = kind_of(r, d, e) == ENTRY_RANGE && e->proto_lo == 0 && e->proto_hi == 255;

	for (size_t i = 0; i < (e->addr.lo.family == AF_INET ? 4u : 16u); i++)
		all = all && e->addr.lo.b[i] == 0 && e->addr.hi.b[i] == 255;
	return all;
}

static void check_near_miss(const struct ruleset *r, const struct flow_key *k)
{
	enum near_differs differs = (enum near_differs)99, expect = naive_nearest(r, k);
	enum direction d = (enum direction)99;
	const struct entry *e = ruleset_near_miss(r, k, NOW, &differs, &d);
	const struct entry *there;
	struct flow_key other = *k;

	if (expect != NEAR_DIRECTION) {
		assert_non_null(e);
		assert_int_equal(d, k->direction);
		assert_int_equal(differs, expect);
		assert_int_equal(naive_nearness(r, kind_of(r, d, e), e, k), expect);
		assert_true(is_live(e, NOW));
		return;
	}
	other.direction = k->direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	there = naive_lookup(r, &other, NOW);
	assert_ptr_equal(e, there && is_all(r, other.direction, there) ? NULL : there);
	if (e) {
		assert_int_equal(differs, NEAR_DIRECTION);
		assert_int_equal(d, other.direction);
	}
}

static void test_near_miss_random(void **state)
{
	static struct site s;
	unsigned seen = 0;

	srandom(49);
	for (unsigned round = 0; round < 300; round++) {
		random_site(&s);
		for (unsigned i = 0; i < 400; i++) {
			struct flow_key k = random_flow();

			if (round % 2) /* fewer allows, so that what is far counts, too */
				s.r.entries[k.direction][random() % ENTRY_KINDS].n = 0;
			if (ruleset_lookup(&s.r, &k, NOW))
				continue;
			seen++;
			check_near_miss(&s.r, &k);
		}
	}
	assert_true(seen > 10000);
}

/* --- by hand ---------------------------------------------------------------------------------------- */

#define ONE(i)                                                                                     \
	{                                                                                          \
		nth(false, i), nth(false, i)                                                       \
	}

static const struct entry *look(const struct ruleset *r, unsigned remote, uint16_t proto,
				uint16_t port)
{
	struct flow_key k = { DIRECTION_EGRESS, nth(false, remote), proto, port };

	return ruleset_lookup(r, &k, NOW);
}

/* The first kind that has it names the rule. */
static void test_order_of_kinds(void **state)
{
	struct bh_range net = { nth(false, 0), nth(false, 255) };
	struct entry e[ENTRY_KINDS] = {
		[ENTRY_EXACT] = { ONE(1), IPPROTO_TCP, IPPROTO_TCP, 80, 80 },
		[ENTRY_HOST] = { ONE(1), 0, 255, 0, 65535 },
		[ENTRY_ICMP] = { ONE(1), IPPROTO_ICMP, IPPROTO_ICMP, 8, 8 },
		[ENTRY_RANGE] = { net, IPPROTO_TCP, IPPROTO_TCP, 1, 65535 },
		[ENTRY_ICMP_RANGE] = { net, IPPROTO_ICMP, IPPROTO_ICMP, 0, 255 },
		[ENTRY_WORLD] = { whole(false), 0, 255, 0, 65535 },
		[ENTRY_WORLD_ICMP] = { whole(false), IPPROTO_ICMP, IPPROTO_ICMP, 0, 255 },
	};
	struct ruleset r = { 0 };

	for (int k = 0; k < ENTRY_KINDS; k++)
		r.entries[DIRECTION_EGRESS][k] = (struct entry_list) { &e[k], 1 };
	assert_ptr_equal(look(&r, 1, IPPROTO_TCP, 80), &e[ENTRY_EXACT]);
	assert_ptr_equal(look(&r, 1, IPPROTO_TCP, 81), &e[ENTRY_HOST]);
	assert_ptr_equal(look(&r, 1, IPPROTO_ICMP, 8), &e[ENTRY_HOST]);
	assert_ptr_equal(look(&r, 2, IPPROTO_TCP, 80), &e[ENTRY_RANGE]);
	assert_ptr_equal(look(&r, 2, IPPROTO_ICMP, 8), &e[ENTRY_ICMP_RANGE]);
	assert_ptr_equal(look(&r, 2, IPPROTO_UDP, 53), &e[ENTRY_WORLD]);
	r.entries[DIRECTION_EGRESS][ENTRY_HOST].n = 0;
	r.entries[DIRECTION_EGRESS][ENTRY_WORLD].n = 0;
	assert_ptr_equal(look(&r, 1, IPPROTO_ICMP, 8), &e[ENTRY_ICMP]);
	assert_null(look(&r, 1, IPPROTO_UDP, 53));
	r.entries[DIRECTION_EGRESS][ENTRY_ICMP_RANGE].n = 0;
	assert_ptr_equal(look(&r, 2, IPPROTO_ICMP, 8), &e[ENTRY_WORLD_ICMP]);
	r.known = &net;
	r.n_known = 1;
	assert_null(look(&r, 2, IPPROTO_ICMP, 8));
}

static void test_empty(void **state)
{
	struct ruleset r = { 0 };
	enum near_differs differs;
	enum direction d;
	struct flow_key k = { DIRECTION_INGRESS, nth(true, 1), IPPROTO_TCP, 80 };

	assert_null(look(&r, 1, IPPROTO_TCP, 80));
	assert_null(ruleset_lookup(&r, &k, NOW));
	assert_null(ruleset_near_miss(&r, &k, NOW, &differs, &d));
}

/* It ends at the second that is written, not one later. */
static void test_expiry(void **state)
{
	struct entry e = { ONE(1), IPPROTO_TCP, IPPROTO_TCP, 80, 80, 0, NOW };
	struct flow_key k = { DIRECTION_EGRESS, nth(false, 1), IPPROTO_TCP, 80 };
	struct ruleset r = { .entries[DIRECTION_EGRESS][ENTRY_EXACT] = { &e, 1 } };

	assert_non_null(ruleset_lookup(&r, &k, NOW - 1));
	assert_null(ruleset_lookup(&r, &k, NOW));
	assert_null(ruleset_lookup(&r, &k, NOW + 1));
	e.expires = 0;
	assert_non_null(ruleset_lookup(&r, &k, INT64_MAX));
}

/* Only what conntrack takes for a request begins a flow, whatever is allowed. */
static void test_icmp_replies_begin_nothing(void **state)
{
	struct entry e = { ONE(1), 0, 255, 0, 65535 };
	struct ruleset r = { .entries[DIRECTION_EGRESS][ENTRY_HOST] = { &e, 1 } };
	struct flow_key k = { DIRECTION_EGRESS, nth(false, 1), IPPROTO_ICMP, 0 };

	for (unsigned t = 0; t < 256; t++) {
		k.port = (uint16_t)t;
		assert_int_equal(ruleset_lookup(&r, &k, NOW) != NULL,
				 t == 8 || t == 13 || t == 15 || t == 17);
	}
}

/* Nothing of one direction leaks into the other, nothing of one family into the other. */
static void test_direction_and_family(void **state)
{
	struct entry e = { whole(false), 0, 255, 0, 65535 };
	struct ruleset r = { .entries[DIRECTION_EGRESS][ENTRY_WORLD] = { &e, 1 } };
	struct flow_key k = { DIRECTION_EGRESS, nth(false, 1), IPPROTO_TCP, 80 };

	assert_non_null(ruleset_lookup(&r, &k, NOW));
	k.direction = DIRECTION_INGRESS;
	assert_null(ruleset_lookup(&r, &k, NOW));
	k.direction = DIRECTION_EGRESS;
	k.remote = nth(true, 1);
	assert_null(ruleset_lookup(&r, &k, NOW));
	k.remote = (struct bh_addr) { .family = AF_INET6 }; /* the same bytes as 0.0.0.0 */
	assert_null(ruleset_lookup(&r, &k, NOW));
}

/* `icmp` alone is every type, and so is an allow, though its first type is a reply. */
static void test_near_miss_of_all_icmp(void **state)
{
	struct entry e = { ONE(1), IPPROTO_ICMP, IPPROTO_ICMP, 0, 255 };
	struct entry reply = { ONE(1), IPPROTO_ICMP, IPPROTO_ICMP, 0, 0 };
	struct ruleset r = { .entries[DIRECTION_EGRESS][ENTRY_ICMP_RANGE] = { &e, 1 } };
	struct flow_key k = { DIRECTION_EGRESS, nth(false, 1), IPPROTO_TCP, 80 };
	enum near_differs differs;
	enum direction d;

	assert_ptr_equal(ruleset_near_miss(&r, &k, NOW, &differs, &d), &e);
	assert_int_equal(differs, NEAR_PROTOCOL);
	r.entries[DIRECTION_EGRESS][ENTRY_ICMP_RANGE].n = 0;
	r.entries[DIRECTION_EGRESS][ENTRY_ICMP] = (struct entry_list) { &reply, 1 };
	assert_null(ruleset_near_miss(&r, &k, NOW, &differs, &d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_random),
		cmocka_unit_test(test_near_miss_random),
		cmocka_unit_test(test_order_of_kinds),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_icmp_replies_begin_nothing),
		cmocka_unit_test(test_direction_and_family),
		cmocka_unit_test(test_near_miss_of_all_icmp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
