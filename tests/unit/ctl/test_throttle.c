/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../../src/ctl/throttle.h"

#define S UINT64_C(1000000)

static struct ctl_throttle t;

static int setup(void **state)
{
	t = (struct ctl_throttle) { 0 };
	return 0;
}

static unsigned taken(uid_t uid, uint64_t now, unsigned tries)
{
	unsigned n = 0;

	for (unsigned i = 0; i < tries; i++)
		n += ctl_throttle_take(&t, uid, now);
	return n;
}

static void a_burst_and_then_the_rate(void **state)
{
	assert_int_equal(taken(1000, 5 * S, 1000), BH_CTL_REQUESTS_BURST);
	assert_int_equal(taken(1000, 6 * S, 1000), BH_CTL_REQUESTS_PER_S);
	assert_int_equal(taken(1000, 6 * S + S / 2, 1000), BH_CTL_REQUESTS_PER_S / 2);
	assert_int_equal(taken(1000, 6 * S + S / 2, 1000), 0);
}

static void a_rest_gives_a_burst_and_no_more(void **state)
{
	taken(1000, 0, 1000);
	assert_int_equal(taken(1000, 1000000 * S, 1000), BH_CTL_REQUESTS_BURST);
}

static void users_do_not_share(void **state)
{
	taken(1000, 0, 1000);
	assert_int_equal(taken(1001, 0, 1000), BH_CTL_REQUESTS_BURST);
	assert_int_equal(taken(0, 0, 1000), BH_CTL_REQUESTS_BURST);
	assert_int_equal(taken(1000, 0, 1), 0);
}

/* Many users come by: who has used up everything is the last to be forgotten. */
static void the_busiest_is_remembered(void **state)
{
	taken(1000, 0, 1000);
	for (uid_t uid = 2000; uid < 2000 + 10 * BH_CTL_BUCKETS_MAX; uid++)
		assert_int_equal(taken(uid, 0, 1), 1);
	assert_int_equal(t.n, BH_CTL_BUCKETS_MAX);
	assert_int_equal(taken(1000, 0, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_burst_and_then_the_rate, setup),
		cmocka_unit_test_setup(a_rest_gives_a_burst_and_no_more, setup),
		cmocka_unit_test_setup(users_do_not_share, setup),
		cmocka_unit_test_setup(the_busiest_is_remembered, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
