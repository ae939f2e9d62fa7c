/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/compile/boxes.h"

#include <netinet/in.h>

#include <errno.h>

#include "fixture.h"

/* Every point of a small universe, judged by hand and by what boxes_normalise() made. */

#define ADDRS  40
#define NOBODY UINT32_MAX

static const uint8_t protos[] = { 0, 1, 5, 6, 7, 17, 18, 132, 255 };
static const uint16_t ports[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 65534, 65535 };

static struct bh_addr nth(uint8_t family, uint32_t i)
{
	struct bh_addr a = { .family = family };

	/* the last addresses of the family are part of the universe: no sum may overflow */
	if (i >= ADDRS / 2)
		memset(a.b, 0xff, bh_addr_len(family));
	a.b[bh_addr_len(family) - 1] = (uint8_t)(i >= ADDRS / 2 ? 255 - (ADDRS - 1 - i) : i);
	return a;
}

static bool covers(const struct bh_range *addr, const struct box_spec *s, const struct bh_addr *a,
		   uint8_t proto, uint16_t port)
{
	return bh_range_contains(addr, a) && proto >= s->proto_lo && proto <= s->proto_hi &&
	       port >= s->port_lo && port <= s->port_hi;
}

static uint32_t owner_by_hand(const struct box *b, size_t n, const struct bh_addr *a, uint8_t proto,
			      uint16_t port)
{
	uint32_t owner = NOBODY;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < b[i].n_specs; k++) {
			const struct box_spec *s = &b[i].specs[k];

			if (s->proto_lo == s->proto_hi &&
			    s->proto_lo == (a->family == AF_INET ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
				continue;
			if (covers(&b[i].addr, s, a, proto, port) && b[i].rank < owner)
				owner = b[i].rank;
		}
	}
	return owner;
}

static uint32_t owner_of_entries(const struct entry *e, size_t n, const struct bh_addr *a,
				 uint8_t proto, uint16_t port)
{
	uint32_t owner = NOBODY;

	for (size_t i = 0; i < n; i++) {
		struct box_spec s = { e[i].proto_lo, e[i].proto_hi, e[i].port_lo, e[i].port_hi };

		if (!covers(&e[i].addr, &s, a, proto, port))
			continue;
		assert_int_equal(owner, NOBODY); /* disjoint */
		owner = e[i].rule;
	}
	return owner;
}

static void check_intervals(const struct entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(bh_addr_cmp(&e[i].addr.lo, &e[i].addr.hi) <= 0);
		for (size_t k = 0; k < i; k++) {
			bool equal = !bh_addr_cmp(&e[i].addr.lo, &e[k].addr.lo) &&
				     !bh_addr_cmp(&e[i].addr.hi, &e[k].addr.hi);
			bool apart = bh_addr_cmp(&e[i].addr.hi, &e[k].addr.lo) < 0 ||
				     bh_addr_cmp(&e[k].addr.hi, &e[i].addr.lo) < 0;

			assert_true(equal || apart);
		}
	}
}

static void check(struct box *b, size_t n)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct bh_vec out;

	bh_vec_init(&out, sizeof(struct entry), 100000);
	assert_int_equal(boxes_normalise(b, n, &out), 0);
	check_intervals(out.data, out.n);
	for (size_t f = 0; f < 2; f++) {
		for (uint32_t i = 0; i < ADDRS; i++) {
			struct bh_addr a = nth(families[f], i);

			for (size_t x = 0; x < sizeof(protos); x++) {
				for (size_t y = 0; y < sizeof(ports) / sizeof(*ports); y++)
					assert_int_equal(
						owner_by_hand(b, n, &a, protos[x], ports[y]),
						owner_of_entries(out.data, out.n, &a, protos[x],
								 ports[y]));
			}
		}
	}
	bh_vec_done(&out);
}

static struct box_spec random_spec(uint64_t *seed)
{
	uint16_t lo = ports[fx_random(seed, 13)], hi = ports[fx_random(seed, 13)];
	uint8_t a = protos[fx_random(seed, 9)], b = protos[fx_random(seed, 9)];

	switch (fx_random(seed, 4)) {
	case 0:
		return (struct box_spec) { 0, 255, 0, UINT16_MAX };
	case 1:
		return (struct box_spec) { a, a, 0, UINT16_MAX };
	case 2:
		return (struct box_spec) { a < b ? a : b, a < b ? b : a, 0, UINT16_MAX };
	default:
		return (struct box_spec) { a, a, lo < hi ? lo : hi, lo < hi ? hi : lo };
	}
}

static void test_random_boxes(void **state)
{
	uint64_t seed = 42;

	for (int round = 0; round < 300; round++) {
		struct box_spec specs[8][4];
		struct box b[8];
		size_t n = 1 + fx_random(&seed, 8);

		for (size_t i = 0; i < n; i++) {
			uint8_t family = fx_random(&seed, 3) ? AF_INET : AF_INET6;
			uint32_t lo = fx_random(&seed, ADDRS), hi = fx_random(&seed, ADDRS);

			b[i] = (struct box) {
				.addr = { nth(family, lo < hi ? lo : hi),
					  nth(family, lo < hi ? hi : lo) },
				.specs = specs[i],
				.n_specs = 1 + fx_random(&seed, 4),
				.rank = fx_random(&seed, 5),
			};
			for (size_t k = 0; k < b[i].n_specs; k++)
				specs[i][k] = random_spec(&seed);
		}
		check(b, n);
	}
}

static size_t count_after(struct box *b, size_t n)
{
	struct bh_vec out;
	size_t count;

	bh_vec_init(&out, sizeof(struct entry), 1000);
	assert_int_equal(boxes_normalise(b, n, &out), 0);
	count = out.n;
	bh_vec_done(&out);
	return count;
}

static struct box box_of(const char *lo, const char *hi, const struct box_spec *s, uint32_t rank)
{
	return (struct box) { { fx_addr(lo), fx_addr(hi) }, s, 1, rank };
}

static void test_neighbours_are_joined(void **state)
{
	const struct box_spec https = { 6, 6, 443, 443 }, any = { 0, 255, 0, UINT16_MAX };
	struct box two[] = { box_of("10.0.0.0", "10.0.0.7", &https, 1),
			     box_of("10.0.0.8", "10.0.0.9", &https, 1) };
	struct box other_owner[] = { box_of("10.0.0.0", "10.0.0.7", &https, 1),
				     box_of("10.0.0.8", "10.0.0.9", &https, 2) };
	struct box under_any[] = { box_of("10.0.0.0", "10.0.0.7", &https, 2),
				   box_of("10.0.0.0", "10.0.0.9", &any, 1) };
	struct box over_any[] = { box_of("10.0.0.0", "10.0.0.7", &https, 1),
				  box_of("10.0.0.0", "10.0.0.7", &any, 2) };

	assert_int_equal(count_after(two, 2), 1);
	assert_int_equal(count_after(other_owner, 2), 2);
	assert_int_equal(count_after(under_any, 2), 1);
	assert_int_equal(count_after(over_any, 2), 5); /* 0-5, tcp in three parts, 7-255 */
}

static void test_full_vector(void **state)
{
	const struct box_spec https = { 6, 6, 443, 443 };
	struct box two[] = { box_of("10.0.0.0", "10.0.0.1", &https, 1),
			     box_of("10.0.0.8", "10.0.0.9", &https, 1) };
	struct bh_vec out;

	bh_vec_init(&out, sizeof(struct entry), 1);
	assert_int_equal(boxes_normalise(two, 2, &out), -E2BIG);
	bh_vec_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_boxes),
		cmocka_unit_test(test_neighbours_are_joined),
		cmocka_unit_test(test_full_vector),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
