/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../../../src/enforce/living.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t own_ino(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

static struct endpoint_set *set_of(const struct endpoint *e, size_t n)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(endpoint_builder_add(b, &e[i], NULL), 0);
	assert_int_equal(endpoint_builder_finish(b, &s, NULL), 0);
	endpoint_builder_free(b);
	return s;
}

/* One that has ended, and is not waited for. */
static pid_t dead(void)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

static void test_who_stays(void **state)
{
	pid_t zombie = dead();
	const struct endpoint before[] = {
		{ .id = "alive",
		  .runtime = ENDPOINT_DOCKER,
		  .pid = getpid(),
		  .netns_ino = own_ino() },
		{ .id = "asked",
		  .runtime = ENDPOINT_DOCKER,
		  .pid = getpid(),
		  .netns_ino = own_ino() },
		{ .id = "dead", .runtime = ENDPOINT_DOCKER, .pid = zombie, .netns_ino = own_ino() },
		{ .id = "elsewhere", .runtime = ENDPOINT_DOCKER, .pid = getpid(), .netns_ino = 1 },
		{ .id = "early", .runtime = ENDPOINT_PODMAN, .netns_ino = own_ino() },
		{ .id = "named", .runtime = ENDPOINT_NETNS, .netns_ino = own_ino() },
	};
	const struct endpoint listed[] = {
		{ .id = "asked", .runtime = ENDPOINT_DOCKER, .pid = 1 }
	};
	struct endpoint_set *old = set_of(before, 6), *now = set_of(listed, 1);

	assert_int_equal(living_keep(old, &now, NULL), 0);
	assert_int_equal(now->n, 2);
	assert_string_equal(now->endpoints[0].id, "alive");
	assert_int_equal(now->endpoints[0].pid, getpid());
	assert_string_equal(now->endpoints[1].id, "asked");
	assert_int_equal(now->endpoints[1].pid, 1); /* as it was listed */
	endpoint_set_free(now);
	endpoint_set_free(old);
	waitpid(zombie, NULL, 0);
}

static void test_nobody_is_missing(void **state)
{
	const struct endpoint e = { .id = "a", .runtime = ENDPOINT_DOCKER };
	struct endpoint_set *now = set_of(&e, 1), *same = now;

	assert_int_equal(living_keep(NULL, &now, NULL), 0);
	assert_int_equal(living_keep(now, &now, NULL), 0);
	assert_ptr_equal(now, same);
	endpoint_set_free(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_stays),
		cmocka_unit_test(test_nobody_is_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
