/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>

#include "../../../src/daemon/refusals.h"

/* How much of the trail a user's refusals can take; that it is told is in tests/system/change.bats. */

static struct controller c;
static struct refusals *refusals;

static void run_nothing(struct ctl_call *call, const json_t *args, void *arg)
{
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static const struct ctl_verb verbs[] = {
	{ "nothing", CTL_ROLE_VIEWER, .run = run_nothing },
};

static int setup(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	c = (struct controller) { 0 };
	assert_true(sd_event_new(&c.event) >= 0);
	assert_int_equal(ctl_server_new(c.event, verbs, 1, &c, NULL, &c.server, &err), 0);
	assert_int_equal(refusals_new(&c, &refusals, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	ctl_server_free(c.server);
	refusals_free(refusals);
	sd_event_unref(c.event);
	return 0;
}

static unsigned admitted(uid_t uid, unsigned tries)
{
	unsigned n = 0;

	while (tries--)
		n += refusals_admit(refusals, uid);
	return n;
}

static void of_one_user(void **state)
{
	assert_int_equal(admitted(1000, 100), BH_REFUSALS_UID_MAX);
	assert_int_equal(admitted(1001, 3), 3); /* who is not kept out by another */
	assert_int_equal(admitted(1000, 100), 0);
}

static void of_all_users(void **state)
{
	unsigned n = 0;

	for (uid_t uid = 1; uid < 10000; uid++)
		n += admitted(uid, 1);
	assert_int_equal(n, BH_REFUSALS_MAX);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(of_one_user), T(of_all_users) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
