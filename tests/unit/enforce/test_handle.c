/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Namespaces that are not what they were listed as are not entered. One replaced by another:
 * tests/system/unreachable.bats. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/enforce/handle.h"

static void is_refused(const char *path, int want, const char *why)
{
	struct endpoint e = { .id = "a", .netns = path };
	struct bh_err err = BH_ERR_INIT;
	int fd = -7;

	assert_int_equal(endpoint_netns_open(&e, &fd, NULL, &err), want);
	assert_int_equal(fd, -7);
	assert_non_null(strstr(err.msg, why));
}

static void test_vanished(void **state)
{
	is_refused("/nonexistent/netns", -ENOENT, "/nonexistent/netns: No such file or directory");
}

static void test_no_namespace(void **state)
{
	char path[] = "/tmp/bulkhead-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	is_refused(path, -EINVAL, "is not a network namespace");
	unlink(path);
	is_refused("/dev/null", -EINVAL, "is not a network namespace");
	is_refused("/proc/self/ns/mnt", -EINVAL, "is not a network namespace");
}

static void test_the_hosts_own(void **state)
{
	is_refused("/proc/self/ns/net", -EINVAL, "its namespace is the host's own");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_no_namespace),
		cmocka_unit_test(test_the_hosts_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
