/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/ctl/probing.h>

/* Segmentation tests are seen, and counted, however they end. */

static char top[64], socket_path[128], file[128];

static int begin(void **state)
{
	snprintf(top, sizeof(top), "/tmp/probing.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", top);
	snprintf(file, sizeof(file), "%s/run.probes", top);
	return 0;
}

static int end(void **state)
{
	unlink(file);
	return rmdir(top);
}

static void expect(uint64_t begun, bool running)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_probing p;

	if (ctl_probing_look(socket_path, &p, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(err.msg, "");
	assert_int_equal(p.begun, begun);
	assert_int_equal(p.running, running);
}

static int probe(void)
{
	struct bh_err err = BH_ERR_INIT;
	int fd;

	if (ctl_probing_begin(socket_path, &fd, &err) < 0)
		fail_msg("%s", err.msg);
	return fd;
}

static void counted(void **state)
{
	int a, b;

	expect(0, false); /* there is no file */
	a = probe();
	expect(1, true);
	b = probe();
	expect(2, true);
	close(a);
	expect(2, true);
	close(b);
	expect(2, false);
}

static void killed(void **state)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		(void)probe();
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	expect(1, true);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	expect(1, false);
	close(ready[0]);
	close(ready[1]);
}

static void not_ours(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_probing p;
	int fd;

	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_int_equal(ctl_probing_begin(socket_path, &fd, &err), -ELOOP);
	assert_int_equal(ctl_probing_look(socket_path, &p, &err), -ELOOP);
	unlink(file);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(ctl_probing_begin(socket_path, &fd, &err), -EPERM);
	assert_int_equal(ctl_probing_look(socket_path, &p, &err), -EPERM);
	assert_int_equal(ctl_probing_begin("control", &fd, &err), -EINVAL);
	assert_int_equal(ctl_probing_look("/control", &p, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counted, begin, end),
		cmocka_unit_test_setup_teardown(killed, begin, end),
		cmocka_unit_test_setup_teardown(not_ours, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
