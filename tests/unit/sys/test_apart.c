/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/workers.h>

/* A process of its own: its answer, whole or not at all, and how it ended. */

#define MAX 100000

static int say_pid(int fd, void *arg)
{
	return dprintf(fd, "%s %d", (const char *)arg, getpid());
}

static int say_much(int fd, void *arg)
{
	char part[1000];

	memset(part, 'x', sizeof(part));
	for (size_t i = 0; i < *(const size_t *)arg; i++)
		if (write(fd, part, sizeof(part)) < 0)
			return -errno;
	return 0;
}

static int die(int fd, void *arg)
{
	dprintf(fd, "half");
	return raise(*(const int *)arg);
}

static int give_up(int fd, void *arg)
{
	return -EPERM;
}

static int say_nothing(int fd, void *arg)
{
	return 0;
}

static int run(int (*fn)(int fd, void *arg), void *arg, char **ret, size_t *len, struct bh_err *err)
{
	*err = (struct bh_err)BH_ERR_INIT;
	return workers_apart(fn, arg, MAX, ret, len, err);
}

static void test_answers(void **state)
{
	bh_autofree char *text = NULL, *none = NULL, *much = NULL;
	char word[] = "here";
	struct bh_err err;
	size_t len = 0, parts = MAX / 1000;
	int pid;

	assert_int_equal(run(say_pid, word, &text, &len, &err), 0);
	assert_int_equal(sscanf(text, "here %d", &pid), 1);
	assert_int_not_equal(pid, getpid());
	assert_int_equal(strlen(text), len);
	assert_int_equal(run(say_nothing, NULL, &none, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_string_equal(none, "");
	assert_int_equal(run(say_much, &parts, &much, &len, &err), 0);
	assert_int_equal(len, MAX);
}

static void test_failures(void **state)
{
	int kill = SIGKILL, term = SIGTERM;
	size_t len, parts = 400;
	struct bh_err err;
	char *text = NULL;

	assert_int_equal(run(give_up, NULL, &text, &len, &err), -EIO);
	assert_non_null(strstr(err.msg, "failed"));
	assert_int_equal(run(die, &kill, &text, &len, &err), -EIO);
	assert_non_null(strstr(err.msg, "signal 9"));
	assert_int_equal(run(die, &term, &text, &len, &err), -EIO);
	/* who never ends is ended by the pipe */
	assert_int_equal(run(say_much, &parts, &text, &len, &err), -EFBIG);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
