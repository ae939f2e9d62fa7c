/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft.h"
#include "random.h"

/*
 * Rulesets in a real kernel, in namespaces that this test makes: what is written is what is read
 * back, a change in place loses nothing, a change that fails changes nothing. Root.
 */

static struct place here;

static int setup(void **state)
{
	place_open(&here);
	rnd_state = UINT64_C(0x9e3779b97f4a7c15);
	return 0;
}

static int teardown(void **state)
{
	place_close(&here);
	return 0;
}

/* --- there and back -------------------------------------------------------------------------- */

static void test_full(void **state)
{
	struct fx f;

	fx_full_until(&f, 3600);
	place_apply(&here, &f.r);
	fx_done(&f);
}

static void test_random_rulesets(void **state)
{
	for (unsigned i = 0; i < 60; i++) {
		bool was_there = false;
		struct fx f;

		rnd_ruleset(&f, 1 + i);
		place_apply(&here, &f.r);
		assert_int_equal(nft_remove(&here.s, &was_there, NULL), 0);
		assert_true(was_there);
		fx_done(&f);
	}
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_full),
		CASE(test_random_rulesets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
