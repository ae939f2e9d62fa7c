/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/daemon/hints.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

#define MS 1000ull

static struct site_hint due[BH_HINTS_MAX];

/* Asked at once, then ever later, and no more after some seconds. */
static void test_later_and_later(void **state)
{
	struct hints *h = hints_new();
	uint64_t now = 5000 * MS, last = 0;
	int n = 0;

	assert_int_equal(hints_next(h), UINT64_MAX);
	assert_int_equal(hints_add(h, ENDPOINT_DOCKER, "abc", 0, now), 0);
	while (hints_next(h) != UINT64_MAX) {
		uint64_t at = hints_next(h);

		assert_int_equal(hints_due(h, at - 1, due, BH_HINTS_MAX), 0);
		assert_int_equal(hints_due(h, at, due, BH_HINTS_MAX), 1);
		assert_string_equal(due[0].id, "abc");
		assert_int_equal(due[0].runtime, ENDPOINT_DOCKER);
		if (n++ > 1)
			assert_true(at - now > last);
		last = at - now;
		now = at;
		hints_asked(h, now);
	}
	assert_in_range(n, 6, 10);
	assert_in_range(now - 5000 * MS, 1500 * MS, 5000 * MS);
	hints_free(h);
	hints_free(NULL);
}

/* Another event about the same begins anew; who has ended stays ended. */
static void test_same_again(void **state)
{
	struct hints *h = hints_new();

	hints_add(h, ENDPOINT_DOCKER, "abc", 77, 0);
	hints_asked(h, 0);
	hints_asked(h, 100 * MS);
	assert_true(hints_next(h) > 100 * MS);
	hints_add(h, ENDPOINT_DOCKER, "abc", 0, 110 * MS);
	assert_int_equal(hints_next(h), 110 * MS);
	assert_int_equal(hints_due(h, 110 * MS, due, BH_HINTS_MAX), 1);
	assert_int_equal(due[0].ended_pid, 77);
	hints_asked(h, 110 * MS);
	assert_int_equal(hints_next(h), 130 * MS);
	hints_free(h);
}

static void test_names(void **state)
{
	struct hints *h = hints_new();
	char longest[BH_HINT_ID_MAX + 2];

	hints_add(h, ENDPOINT_DOCKER, "abc", 0, 0);
	hints_add(h, ENDPOINT_NETNS, "abc", 0, 0);
	hints_add(h, ENDPOINT_NETNS, "ab", 0, 0);
	assert_int_equal(hints_due(h, 0, due, BH_HINTS_MAX), 3);
	assert_int_equal(hints_due(h, 0, due, 2), 2);
	memset(longest, 'x', sizeof(longest));
	longest[BH_HINT_ID_MAX + 1] = '\0';
	assert_int_equal(hints_add(h, ENDPOINT_NETNS, longest, 0, 0), -ENAMETOOLONG);
	longest[BH_HINT_ID_MAX] = '\0';
	assert_int_equal(hints_add(h, ENDPOINT_NETNS, longest, 0, 0), 0);
	hints_free(h);
}

static void test_put_off(void **state)
{
	struct hints *h = hints_new();

	hints_add(h, ENDPOINT_PODMAN, "one", 0, 0);
	hints_add(h, ENDPOINT_PODMAN, "two", 0, 20 * MS);
	hints_put_off(h, 10 * MS, 110 * MS);
	assert_int_equal(hints_next(h), 20 * MS);
	hints_wait(h, ENDPOINT_PODMAN, "two", 100 * MS);
	hints_wait(h, ENDPOINT_DOCKER, "one", 300 * MS);
	hints_wait(h, ENDPOINT_PODMAN, "three", 300 * MS);
	assert_int_equal(hints_due(h, 99 * MS, due, BH_HINTS_MAX), 0);
	assert_int_equal(hints_due(h, 100 * MS, due, BH_HINTS_MAX), 1);
	assert_string_equal(due[0].id, "two");
	hints_wait(h, ENDPOINT_PODMAN, "two", 90 * MS); /* it is due later already */
	assert_int_equal(hints_next(h), 100 * MS);
	assert_int_equal(hints_due(h, 110 * MS, due, BH_HINTS_MAX), 2);
	hints_drop(h, ENDPOINT_PODMAN, "one");
	hints_drop(h, ENDPOINT_PODMAN, "three");
	assert_int_equal(hints_due(h, 110 * MS, due, BH_HINTS_MAX), 1);
	hints_add(h, ENDPOINT_PODMAN, "two", 0, 30 * MS); /* an event tells that it has started */
	assert_int_equal(hints_due(h, 30 * MS, due, BH_HINTS_MAX), 1);
	hints_free(h);
}

static void test_full(void **state)
{
	struct hints *h = hints_new();
	char id[16];

	for (int i = 0; i < BH_HINTS_MAX; i++) {
		snprintf(id, sizeof(id), "%d", i);
		assert_int_equal(hints_add(h, ENDPOINT_NETNS, id, 0, 0), 0);
	}
	assert_int_equal(hints_add(h, ENDPOINT_NETNS, "more", 0, 0), -ENOSPC);
	assert_int_equal(hints_add(h, ENDPOINT_NETNS, "7", 0, 0), 0);
	assert_int_equal(hints_due(h, 0, due, BH_HINTS_MAX), BH_HINTS_MAX);
	hints_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_later_and_later),
		cmocka_unit_test(test_same_again),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_put_off),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
