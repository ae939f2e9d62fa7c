/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/err.h>

static char big[3 * BH_ERR_MAX];

static int fill_big(void **state)
{
	memset(big, 'b', sizeof(big) - 1);
	return 0;
}

static void test_set(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_string_equal(err.msg, "");
	assert_int_equal(bh_err_set(&err, -EINVAL, "port %d of %s", 7, "web"), -EINVAL);
	assert_string_equal(err.msg, "port 7 of web");
	assert_int_equal(bh_err_set(&err, -ENOENT, "other"), -ENOENT);
	assert_string_equal(err.msg, "other"); /* the last one counts */
}

static void test_errno(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(bh_err_errno(&err, -ENOENT, "cannot open %s", "x"), -ENOENT);
	assert_string_equal(err.msg, "cannot open x: No such file or directory");
	assert_int_equal(bh_err_errno(&err, -EPERM, "cannot enter"), -EPERM);
	assert_string_equal(err.msg, "cannot enter: Operation not permitted");
}

static void test_prefix(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	bh_err_set(&err, -EINVAL, "no such table");
	assert_int_equal(bh_err_prefix(&err, -EINVAL, "namespace %s", "web"), -EINVAL);
	assert_string_equal(err.msg, "namespace web: no such table");
	assert_int_equal(bh_err_prefix(&err, -EIO, "apply"), -EIO);
	assert_string_equal(err.msg, "apply: namespace web: no such table");
	err.msg[0] = '\0';
	bh_err_prefix(&err, -EIO, "apply");
	assert_string_equal(err.msg, "apply"); /* nothing behind it: no colon */
}

/* A per cent sign in what is already there is not a format. */
static void test_prefix_is_no_format(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	bh_err_set(&err, -EINVAL, "%s", "100%s %n");
	bh_err_prefix(&err, -EINVAL, "%s", "%d");
	assert_string_equal(err.msg, "%d: 100%s %n");
}

static void test_without_object(void **state)
{
	assert_int_equal(bh_err_set(NULL, -EINVAL, "nobody %s", "listens"), -EINVAL);
	assert_int_equal(bh_err_errno(NULL, -EPERM, "nobody %s", "listens"), -EPERM);
	assert_int_equal(bh_err_prefix(NULL, -EIO, "nobody"), -EIO);
	assert_int_equal(bh_err_oom(NULL), -ENOMEM);
}

static void test_oom(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(bh_err_oom(&err), -ENOMEM);
	assert_string_equal(err.msg, "out of memory");
}

/* --- as much as fits ------------------------------------------------------------------------ */

static void test_set_is_cut(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	bh_err_set(&err, -EINVAL, "%s", big);
	assert_int_equal(strlen(err.msg), BH_ERR_MAX - 1);
	assert_memory_equal(err.msg, big, BH_ERR_MAX - 1);
}

static void test_errno_is_cut(void **state)
{
	struct {
		struct bh_err err;
		char behind;
	} x = { BH_ERR_INIT, 'z' };

	for (size_t len = BH_ERR_MAX - 40; len < BH_ERR_MAX + 40; len++) {
		assert_int_equal(bh_err_errno(&x.err, -ENOENT, "%.*s", (int)len, big), -ENOENT);
		assert_true(strnlen(x.err.msg, BH_ERR_MAX) < BH_ERR_MAX);
		assert_memory_equal(x.err.msg, big, len < BH_ERR_MAX ? len : BH_ERR_MAX - 1);
		assert_int_equal(x.behind, 'z');
	}
}

/* The context stays whole as long as it fits; what is cut is the end of the sentence. */
static void test_prefix_is_cut(void **state)
{
	struct {
		struct bh_err err;
		char behind;
	} x = { BH_ERR_INIT, 'z' };

	for (size_t context = 0; context < BH_ERR_MAX + 40; context++)
		for (size_t len = 1; len < BH_ERR_MAX; len += 97) {
			char expect[4 * BH_ERR_MAX];

			memset(x.err.msg, 'm', len);
			x.err.msg[len] = '\0';
			snprintf(expect, sizeof(expect), "%.*s: %s", (int)context, big, x.err.msg);
			expect[BH_ERR_MAX - 1] = '\0';
			assert_int_equal(bh_err_prefix(&x.err, -EIO, "%.*s", (int)context, big),
					 -EIO);
			assert_string_equal(x.err.msg, expect);
			assert_int_equal(x.behind, 'z');
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_prefix_is_no_format),
		cmocka_unit_test(test_without_object),
		cmocka_unit_test(test_oom),
		cmocka_unit_test(test_set_is_cut),
		cmocka_unit_test(test_errno_is_cut),
		cmocka_unit_test(test_prefix_is_cut),
	};

	return cmocka_run_group_tests(tests, fill_big, NULL);
}
