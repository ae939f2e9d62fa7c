/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static struct bh_range range(const char *lo, const char *hi)
{
	struct bh_range r;

	assert_int_equal(bh_addr_parse(lo, &r.lo), 0);
	assert_int_equal(bh_addr_parse(hi, &r.hi), 0);
	return r;
}

static void add(struct bh_rangeset *s, const char *lo, const char *hi)
{
	struct bh_range r = range(lo, hi);

	assert_int_equal(bh_rangeset_add(s, &r), 0);
}

static bool has(const struct bh_rangeset *s, const char *text)
{
	struct bh_addr a;

	assert_int_equal(bh_addr_parse(text, &a), 0);
	return bh_rangeset_contains(s, &a);
}

static void assert_set(const struct bh_rangeset *s, const char *const *expect, size_t n)
{
	char text[BH_RANGE_STR];

	for (size_t i = 0; i < s->n && i < n; i++)
		assert_string_equal(bh_range_format(text, &s->r[i]), expect[i]);
	assert_int_equal(s->n, n);
}

#define ASSERT_SET(s, ...)                                                                         \
	assert_set(s, (const char *const[]) { __VA_ARGS__ },                                       \
		   BH_ARRAY_SIZE(((const char *const[]) { __VA_ARGS__ })))

#define ALL_ONES "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* --- by hand ------------------------------------------------------------------------------ */

static void test_empty(void **state)
{
	struct bh_rangeset a, b;

	bh_rangeset_init(&a);
	bh_rangeset_init(&b);
	assert_false(has(&a, "0.0.0.0"));
	assert_int_equal(bh_rangeset_add_all(&a, &b), 0);
	assert_int_equal(bh_rangeset_intersect(&a, &b), 0);
	assert_int_equal(bh_rangeset_subtract(&a, &b), 0);
	assert_int_equal(a.n, 0);
	add(&a, "10.0.0.0", "10.0.0.9");
	assert_int_equal(bh_rangeset_subtract(&a, &b), 0);
	ASSERT_SET(&a, "10.0.0.0-10.0.0.9");
	assert_int_equal(bh_rangeset_intersect(&a, &b), 0);
	assert_int_equal(a.n, 0);
	bh_rangeset_done(&a);
	bh_rangeset_done(&a);
	bh_rangeset_done(&b);
}

static void test_add(void **state)
{
	struct bh_rangeset s;

	bh_rangeset_init(&s);
	add(&s, "10.0.0.10", "10.0.0.20");
	add(&s, "10.0.0.40", "10.0.0.50");
	ASSERT_SET(&s, "10.0.0.10-10.0.0.20", "10.0.0.40-10.0.0.50");
	add(&s, "10.0.0.12", "10.0.0.15"); /* inside */
	add(&s, "10.0.0.40", "10.0.0.50"); /* the same */
	ASSERT_SET(&s, "10.0.0.10-10.0.0.20", "10.0.0.40-10.0.0.50");
	add(&s, "10.0.0.21", "10.0.0.21"); /* right behind */
	add(&s, "10.0.0.39", "10.0.0.39"); /* right before */
	ASSERT_SET(&s, "10.0.0.10-10.0.0.21", "10.0.0.39-10.0.0.50");
	add(&s, "10.0.0.23", "10.0.0.37"); /* a gap of one on both sides */
	ASSERT_SET(&s, "10.0.0.10-10.0.0.21", "10.0.0.23-10.0.0.37", "10.0.0.39-10.0.0.50");
	add(&s, "10.0.0.0", "10.0.0.0"); /* before all */
	assert_int_equal(s.n, 4);
	add(&s, "10.0.0.22", "10.0.0.38"); /* closes both gaps */
	ASSERT_SET(&s, "10.0.0.0", "10.0.0.10-10.0.0.50");
	add(&s, "9.0.0.0", "11.0.0.0"); /* around all */
	ASSERT_SET(&s, "9.0.0.0-11.0.0.0");
	bh_rangeset_done(&s);
}

static void test_families_stay_apart(void **state)
{
	struct bh_rangeset s;

	bh_rangeset_init(&s);
	add(&s, "::", "::5");
	add(&s, "255.255.255.250", "255.255.255.255");
	add(&s, "::6", "::6");
	ASSERT_SET(&s, "255.255.255.250-255.255.255.255", "::-::6");
	assert_true(has(&s, "::"));
	assert_false(has(&s, "0.0.0.0"));
	assert_false(has(&s, "0.0.0.5"));
	add(&s, "0.0.0.0", "255.255.255.255");
	ASSERT_SET(&s, "0.0.0.0/0", "::-::6");
	bh_rangeset_done(&s);
}

static void test_universe(void **state)
{
	struct bh_rangeset s, all;

	bh_rangeset_init(&s);
	bh_rangeset_init(&all);
	add(&s, "10.0.0.1", "10.0.0.1");
	add(&s, "10.0.0.3", "10.0.0.3");
	add(&s, "10.0.0.5", "10.0.0.5");
	assert_int_equal(bh_rangeset_universe(&s), 0); /* it becomes all, whatever it was */
	assert_int_equal(bh_rangeset_universe(&all), 0);
	ASSERT_SET(&s, "0.0.0.0/0", "::/0");
	assert_true(has(&s, "0.0.0.0") && has(&s, "255.255.255.255"));
	assert_true(has(&s, "::") && has(&s, ALL_ONES));
	assert_int_equal(bh_rangeset_subtract(&s, &all), 0);
	assert_int_equal(s.n, 0);
	bh_rangeset_done(&s);
	bh_rangeset_done(&all);
}

/* What lies at the very ends of both families. */
static void test_extremes(void **state)
{
	struct bh_rangeset all, s;

	bh_rangeset_init(&all);
	bh_rangeset_init(&s);
	assert_int_equal(bh_rangeset_universe(&all), 0);
	add(&s, "0.0.0.0", "0.0.0.0");
	add(&s, "255.255.255.255", "255.255.255.255");
	add(&s, "::", "::");
	add(&s, ALL_ONES, ALL_ONES);
	assert_int_equal(s.n, 4);
	assert_int_equal(bh_rangeset_subtract(&all, &s), 0);
	ASSERT_SET(&all, "0.0.0.1-255.255.255.254", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
	assert_int_equal(bh_rangeset_add_all(&all, &s), 0);
	ASSERT_SET(&all, "0.0.0.0/0", "::/0");
	assert_int_equal(bh_rangeset_intersect(&all, &s), 0);
	ASSERT_SET(&all, "0.0.0.0", "255.255.255.255", "::", ALL_ONES);
	bh_rangeset_done(&all);
	bh_rangeset_done(&s);
}

/* cidr: 0.0.0.0/0, except: the private ones. */
static void test_world_without_private(void **state)
{
	struct bh_rangeset s, private;

	bh_rangeset_init(&s);
	bh_rangeset_init(&private);
	add(&s, "0.0.0.0", "255.255.255.255");
	add(&private, "192.168.0.0", "192.168.255.255");
	add(&private, "10.0.0.0", "10.255.255.255");
	add(&private, "172.16.0.0", "172.31.255.255");
	assert_int_equal(bh_rangeset_subtract(&s, &private), 0);
	ASSERT_SET(&s, "0.0.0.0-9.255.255.255", "11.0.0.0-172.15.255.255",
		   "172.32.0.0-192.167.255.255", "192.169.0.0-255.255.255.255");
	assert_int_equal(bh_rangeset_intersect(&s, &private), 0);
	assert_int_equal(s.n, 0);
	bh_rangeset_done(&s);
	bh_rangeset_done(&private);
}

/* A set and itself. */
static void test_itself(void **state)
{
	struct bh_rangeset s;

	bh_rangeset_init(&s);
	add(&s, "10.0.0.0", "10.0.0.4");
	add(&s, "2001:db8::", "2001:db8::4");
	assert_int_equal(bh_rangeset_add_all(&s, &s), 0);
	ASSERT_SET(&s, "10.0.0.0-10.0.0.4", "2001:db8::-2001:db8::4");
	assert_int_equal(bh_rangeset_intersect(&s, &s), 0);
	ASSERT_SET(&s, "10.0.0.0-10.0.0.4", "2001:db8::-2001:db8::4");
	assert_int_equal(bh_rangeset_subtract(&s, &s), 0);
	assert_int_equal(s.n, 0);
	bh_rangeset_done(&s);
}

/* --- against a bitmap --------------------------------------------------------------------- */

/*
 * Six windows of 128 addresses: begin, middle and end of both families. A set that lives in them
 * alone is a bitmap of 768 bits.
 */
#define WINDOW 128
static const char *const windows[] = {
	"0.0.0.0", "10.77.1.192",    "255.255.255.128",
	"::",      "2001:db8::1fc0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff80",
};
#define WINDOWS BH_ARRAY_SIZE(windows)

struct pair {
	struct bh_rangeset set;
	bool bit[WINDOWS][WINDOW];
};

static struct bh_addr in_window(size_t w, unsigned offset)
{
	struct bh_addr a;
	unsigned sum;
	size_t last;

	assert_int_equal(bh_addr_parse(windows[w], &a), 0);
	last = bh_addr_len(a.family) - 1;
	sum = a.b[last] + offset;
	a.b[last] = (uint8_t)sum;
	a.b[last - 1] = (uint8_t)(a.b[last - 1] + (sum >> 8));
	return a;
}

/* Sorted, disjoint, non-adjacent, and the very addresses that the bits say. */
static void assert_same(const struct pair *p)
{
	size_t count = 0;

	for (size_t i = 0; i < p->set.n; i++) {
		const struct bh_range *r = &p->set.r[i];
		struct bh_addr behind = r[0].hi;

		assert_int_equal(r->lo.family, r->hi.family);
		assert_true(bh_addr_cmp(&r->lo, &r->hi) <= 0);
		if (i + 1 < p->set.n && bh_addr_next(&behind))
			assert_true(bh_addr_cmp(&behind, &r[1].lo) < 0);
		if (i + 1 < p->set.n)
			assert_true(bh_addr_cmp(&r->hi, &r[1].lo) < 0);
	}
	for (size_t w = 0; w < WINDOWS; w++)
		for (unsigned o = 0; o < WINDOW; o++) {
			struct bh_addr a = in_window(w, o);

			assert_int_equal(bh_rangeset_contains(&p->set, &a), p->bit[w][o]);
			count += p->bit[w][o] && (o == 0 || !p->bit[w][o - 1]);
		}
	assert_int_equal(p->set.n, count); /* so nothing lies outside the windows either */
}

static void random_range(struct pair *p)
{
	size_t w = (size_t)random() % WINDOWS;
	unsigned lo = (unsigned)random() % WINDOW, len = (unsigned)random() % (WINDOW / 4);
	unsigned hi = lo + len < WINDOW ? lo + len : WINDOW - 1;
	struct bh_range r = { in_window(w, lo), in_window(w, hi) };

	assert_int_equal(bh_rangeset_add(&p->set, &r), 0);
	for (unsigned o = lo; o <= hi; o++)
		p->bit[w][o] = true;
}

static void combine(struct pair *a, const struct pair *b, int how)
{
	int r = how == 0   ? bh_rangeset_add_all(&a->set, &b->set)
		: how == 1 ? bh_rangeset_intersect(&a->set, &b->set)
			   : bh_rangeset_subtract(&a->set, &b->set);

	assert_int_equal(r, 0);
	for (size_t w = 0; w < WINDOWS; w++)
		for (unsigned o = 0; o < WINDOW; o++) {
			bool x = a->bit[w][o], y = b->bit[w][o];

			a->bit[w][o] = how == 0 ? x || y : how == 1 ? x && y : x && !y;
		}
}

static void test_random_walk(void **state)
{
	static struct pair p[3];

	srandom(20260101);
	for (unsigned step = 0; step < 3000; step++) {
		struct pair *a = &p[random() % 3];
		const struct pair *b = &p[random() % 3];
		long dice = random() % 16;

		if (dice < 10)
			random_range(a);
		else if (dice < 15 && a != b)
			combine(a, b, (int)(random() % 3));
		else if (dice == 15)
			combine(a, a, 2);
		assert_same(a);
	}
	for (size_t i = 0; i < 3; i++)
		bh_rangeset_done(&p[i].set);
}

/* Whatever is taken from everything leaves what is not in it; twice gives it back. */
static void test_random_complement(void **state)
{
	struct bh_rangeset all, rest;
	static struct pair p;

	srandom(7);
	for (unsigned i = 0; i < 200; i++)
		random_range(&p);
	bh_rangeset_init(&rest);
	bh_rangeset_init(&all);
	assert_int_equal(bh_rangeset_universe(&rest), 0);
	assert_int_equal(bh_rangeset_subtract(&rest, &p.set), 0);
	for (size_t w = 0; w < WINDOWS; w++)
		for (unsigned o = 0; o < WINDOW; o++) {
			struct bh_addr a = in_window(w, o);

			assert_int_equal(bh_rangeset_contains(&rest, &a), !p.bit[w][o]);
		}
	assert_int_equal(bh_rangeset_universe(&all), 0);
	assert_int_equal(bh_rangeset_subtract(&all, &rest), 0);
	assert_int_equal(all.n, p.set.n);
	assert_memory_equal(all.r, p.set.r, all.n * sizeof(*all.r));
	bh_rangeset_done(&all);
	bh_rangeset_done(&rest);
	bh_rangeset_done(&p.set);
}

/* --- the cap ------------------------------------------------------------------------------ */

/* Every second address of 0.0.0.0 and up. */
static struct bh_range nth(uint32_t n)
{
	uint8_t b[4] = { (uint8_t)(n >> 23), (uint8_t)(n >> 15), (uint8_t)(n >> 7),
			 (uint8_t)(n << 1) };
	struct bh_range r;

	bh_addr_from_bytes(&r.lo, b, 4);
	r.hi = r.lo;
	return r;
}

static void test_cap(void **state)
{
	struct bh_rangeset s, more;
	struct bh_range r;

	bh_rangeset_init(&s);
	bh_rangeset_init(&more);
	for (uint32_t i = 0; i < BH_RANGES_MAX; i++) {
		r = nth(i + 1);
		assert_int_equal(bh_rangeset_add(&s, &r), 0);
	}
	assert_int_equal(s.n, BH_RANGES_MAX);
	r = nth(BH_RANGES_MAX + 1);
	assert_int_equal(bh_rangeset_add(&s, &r), -E2BIG); /* behind all */
	assert_int_equal(bh_rangeset_add(&more, &r), 0);
	assert_int_equal(bh_rangeset_add_all(&s, &more), -E2BIG);
	r = nth(0);
	assert_int_equal(bh_rangeset_add(&s, &r), -E2BIG); /* before all */
	assert_int_equal(s.n, BH_RANGES_MAX);
	bh_rangeset_done(&more);
	bh_rangeset_done(&s);
}

/* Blocks of three out of four addresses that share their ends: twice as many pieces as blocks. */
static void test_cap_of_intersection(void **state)
{
	struct bh_rangeset a, b;
	struct bh_range r;

	bh_rangeset_init(&a);
	bh_rangeset_init(&b);
	for (uint32_t i = 0; i < BH_RANGES_MAX / 2 + 1; i++) {
		r = (struct bh_range) { nth(2 * i).lo, nth(2 * i + 1).lo };
		assert_int_equal(bh_rangeset_add(&a, &r), 0);
		r = (struct bh_range) { nth(2 * i + 1).lo, nth(2 * i + 2).lo };
		assert_int_equal(bh_rangeset_add(&b, &r), 0);
	}
	assert_int_equal(bh_rangeset_intersect(&a, &b), -E2BIG);
	assert_int_equal(a.n, BH_RANGES_MAX / 2 + 1); /* as it was */
	assert_int_equal(bh_rangeset_subtract(&a, &b), 0);
	assert_int_equal(a.n, BH_RANGES_MAX / 2 + 1);
	bh_rangeset_done(&a);
	bh_rangeset_done(&b);
}

/* A full set takes what does not make it larger. */
static void test_full_set_still_merges(void **state)
{
	struct bh_rangeset s;
	struct bh_range r;

	bh_rangeset_init(&s);
	for (uint32_t i = 0; i < BH_RANGES_MAX; i++) {
		r = nth(i + 1);
		assert_int_equal(bh_rangeset_add(&s, &r), 0);
	}
	r = nth(1000);
	assert_int_equal(bh_rangeset_add(&s, &r), 0); /* has it */
	assert_int_equal(s.n, BH_RANGES_MAX);
	assert_true(bh_addr_next(&r.hi)); /* grows to the next */
	assert_int_equal(bh_rangeset_add(&s, &r), 0);
	assert_int_equal(s.n, BH_RANGES_MAX - 1);
	r = nth(0);
	assert_int_equal(bh_rangeset_add(&s, &r), 0); /* and there is room again */
	assert_int_equal(s.n, BH_RANGES_MAX);
	bh_rangeset_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_families_stay_apart),
		cmocka_unit_test(test_universe),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_world_without_private),
		cmocka_unit_test(test_itself),
		cmocka_unit_test(test_random_walk),
		cmocka_unit_test(test_random_complement),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_cap_of_intersection),
		cmocka_unit_test(test_full_set_still_merges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
