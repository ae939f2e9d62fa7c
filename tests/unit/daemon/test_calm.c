/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../src/daemon/policywatch.h"

#define MS 1000

static void test_one_change(void **state)
{
	struct calm calm = { 0 };

	assert_int_equal(calm_due(&calm, 5000 * MS), 5200 * MS);
	assert_true(calm_may_wait(&calm, 5200 * MS));
}

/* Each change puts it off, and all of them together not for ever. */
static void test_changes_without_end(void **state)
{
	struct calm calm = { 0 };
	uint64_t now, due = 0;

	for (now = 5000 * MS; now < due || !due; now += 10 * MS)
		due = calm_due(&calm, now);
	assert_int_equal(due, 7000 * MS);
	assert_true(calm_may_wait(&calm, 6999 * MS));
	assert_false(calm_may_wait(&calm, 7000 * MS));
}

static void test_the_next_burst_begins_anew(void **state)
{
	struct calm calm = { 0 };

	calm_due(&calm, 5000 * MS);
	calm_looked(&calm, 5200 * MS, 5210 * MS);
	assert_int_equal(calm_due(&calm, 9000 * MS), 9200 * MS);
	assert_int_equal(calm_due(&calm, 9100 * MS), 9300 * MS);
}

/* A reading that took long is followed by as long a rest. */
static void test_rest(void **state)
{
	struct calm calm = { 0 };

	calm_due(&calm, 5000 * MS);
	calm_looked(&calm, 5200 * MS, 9200 * MS);
	assert_int_equal(calm_due(&calm, 9300 * MS), 13200 * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_change),
		cmocka_unit_test(test_changes_without_end),
		cmocka_unit_test(test_the_next_burst_begins_anew),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
