/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/sys/child.h>

/* What a program finds that was started: the shell looks around, and tells by the channel. */

#define DEADLINE_MS  30000
#define LIBC_SIGNALS 0x180000000ull /* 32 and 33, which it keeps to itself */

struct started {
	int line, pidfd;
	pid_t pid;
};

static void start(struct started *s, const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL };
	struct bh_err err = BH_ERR_INIT;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	if (child_start("/bin/sh", argv, ends[1], &s->pid, &s->pidfd, &err) < 0)
		fail_msg("%s", err.msg);
	close(ends[1]);
	s->line = ends[0];
}

/* All that it says; OUT ends with NUL. */
static void hear(const struct started *s, char *out, size_t cap)
{
	size_t at = 0;
	ssize_t n;

	while (at + 1 < cap && (n = read(s->line, out + at, cap - 1 - at)) > 0)
		at += (size_t)n;
	out[at] = '\0';
}

static const char *end(const struct started *s, char how[CHILD_END_STR])
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	close(s->pidfd);
	close(s->line);
	return child_reap(s->pid, how);
}

static void test_ends(void **state)
{
	char how[CHILD_END_STR];
	struct started s;

	start(&s, "exit 0");
	assert_string_equal(end(&s, how), "exit code 0");
	start(&s, "exit 7");
	assert_string_equal(end(&s, how), "exit code 7");
	start(&s, "kill -KILL $$");
	assert_string_equal(end(&s, how), "signal 9");
	assert_string_equal(child_reap(s.pid, how), "unknown"); /* it was reaped already */
}

static void test_environment(void **state)
{
	char out[4096], how[CHILD_END_STR];
	struct started s;

	setenv("BULKHEAD_TEST", "shows", 1);
	start(&s, "tr '\\0' '\\n' </proc/$$/environ >&3; echo end >&3");
	hear(&s, out, sizeof(out));
	assert_string_equal(out, "end\n");
	assert_string_equal(end(&s, how), "exit code 0");
	unsetenv("BULKHEAD_TEST");
}

/* 0 to 3 and no other, though ours be without close-on-exec. */
static void test_descriptors(void **state)
{
	int open_one = open("/dev/null", O_RDONLY), far = fcntl(open_one, F_DUPFD, 100);
	char out[4096], how[CHILD_END_STR];
	struct started s;

	start(&s,
	      "echo $(readlink /proc/$$/fd/0) $(readlink /proc/$$/fd/1) >&3; for i in "
	      "/proc/$$/fd/*; do "
	      "case ${i##*/} in 0|1|2|3) ;; *) readlink $i >/dev/null && echo has ${i##*/} >&3;; "
	      "esac; done; echo end >&3");
	hear(&s, out, sizeof(out));
	close(open_one);
	close(far);
	assert_string_equal(out, "/dev/null /dev/null\nend\n");
	end(&s, how);
}

/* What we ignore and block would otherwise be so in it, too. */
static void test_signals(void **state)
{
	char out[4096], how[CHILD_END_STR];
	unsigned long long blocked, ignored;
	sigset_t all, before;
	struct started s;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	signal(SIGHUP, SIG_IGN);
	start(&s, "sed -n 's/^Sig\\(Blk\\|Ign\\):[[:space:]]*/\\1 /p' /proc/self/status >&3");
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGHUP, SIG_DFL);
	hear(&s, out, sizeof(out));
	assert_int_equal(sscanf(out, "Blk %llx\nIgn %llx\n", &blocked, &ignored), 2);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~LIBC_SIGNALS, 0);
	end(&s, how);
}

static void test_channel_is_three(void **state)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"echo three >&3", NULL };
	int saved = fcntl(3, F_DUPFD_CLOEXEC, 200), ends[2], pidfd;
	char out[16] = "", how[CHILD_END_STR];
	pid_t pid;

	/* close-on-exec, as channel_pair() makes them */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	if (ends[0] == 3) {
		ends[0] = ends[1];
	} else if (ends[1] != 3) {
		assert_int_equal(dup3(ends[1], 3, O_CLOEXEC), 3);
		close(ends[1]);
	}
	assert_int_equal(child_start("/bin/sh", argv, 3, &pid, &pidfd, NULL), 0);
	close(3);
	if (saved >= 0) {
		dup2(saved, 3);
		close(saved);
	}
	assert_int_equal(read(ends[0], out, sizeof(out) - 1), 6);
	assert_string_equal(out, "three\n");
	end(&(struct started) { ends[0], pidfd, pid }, how);
}

static void test_absent(void **state)
{
	char *argv[] = { (char *)"gone", NULL };
	struct bh_err err = BH_ERR_INIT;
	int pidfd = -7;
	pid_t pid = -7;

	assert_int_equal(child_start("/nowhere/gone", argv, 2, &pid, &pidfd, &err), -ENOENT);
	assert_string_equal(err.msg, "starting /nowhere/gone: No such file or directory");
	assert_int_equal(pidfd, -7);
}

static void test_beside(void **state)
{
	char self[PATH_MAX] = "", path[PATH_MAX], short_one[4];

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(child_beside(strrchr(self, '/') + 1, path, sizeof(path)), 0);
	assert_string_equal(path, self);
	assert_int_equal(child_beside("x", short_one, sizeof(short_one)), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_channel_is_three),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
