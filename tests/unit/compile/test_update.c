/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <stdio.h>

#include "differential.h"

/*
 * compile_update() beside compile_rulesets(): random sites whose endpoints come, go and change. After
 * each step both must say the same of every namespace, and the list of changes must be true.
 */

#define SITES 60
#define STEPS 40

static void test_random_steps(void **state)
{
	for (unsigned seed = 1; seed <= SITES; seed++) {
		struct pop_random random = { .state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };
		struct differential d;

		differential_init(&d, &random);
		for (unsigned step = 0; step < STEPS; step++)
			if (!differential_step(&d)) {
				fprintf(stderr, "seed %u, step %u: %s\n", seed, step, d.why);
				fail();
			}
		differential_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
