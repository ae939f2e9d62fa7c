/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

/* Namespace files and what stands in their place. Nothing here needs root. */

static char dir[40], path[100];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/bulkhead-netns-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	unlink(path);
	rmdir(path);
	return rmdir(dir);
}

static const char *in_dir(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void assert_refused(const char *file, int r, const char *why)
{
	struct bh_err err = BH_ERR_INIT;
	uint64_t ino = 7;
	int fd = -7;

	assert_int_equal(netns_open(file, &fd, &ino, &err), r);
	assert_int_equal(fd, -7);
	assert_int_equal(ino, 7);
	if (!strstr(err.msg, why))
		fail_msg("%s", err.msg);
}

static void test_own(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int fd = -1;
	uint64_t ino = 0;
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(netns_open("/proc/self/ns/net", &fd, &ino, &err), 0);
	assert_int_equal(ino, st.st_ino);
	assert_int_equal(netns_own_ino(), st.st_ino);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(BH_STEAL_FD(fd));
	assert_int_equal(netns_open("/proc/self/ns/net", &fd, NULL, &err), 0); /* no inode wanted */
}

static void test_absent(void **state)
{
	assert_refused(in_dir("gone"), -ENOENT, "gone: No such file or directory");
	assert_refused("", -ENOENT, "No such file");
}

/* Namespaces, but of other kinds. */
static void test_other_namespaces(void **state)
{
	assert_refused("/proc/self/ns/mnt", -EINVAL, "/proc/self/ns/mnt is not a network name");
	assert_refused("/proc/self/ns/pid", -EINVAL, "is not a network namespace");
	assert_refused("/proc/self/ns/user", -EINVAL, "is not a network namespace");
}

static void test_other_files(void **state)
{
	int fd = open(in_dir("file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_refused(path, -EINVAL, "is not a network namespace");
	unlink(path);
	assert_int_equal(mkdir(in_dir("dir"), 0700), 0);
	assert_refused(path, -EINVAL, "is not a network namespace");
	rmdir(path);
	assert_int_equal(symlink("loop", in_dir("loop")), 0);
	assert_refused(path, -ELOOP, "Too many levels");
	assert_refused("/dev/null", -EINVAL, "is not a network namespace");
}

/* A FIFO without a writer, which an ordinary open would wait for. */
static void test_fifo(void **state)
{
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	alarm(10);
	assert_refused(path, -EINVAL, "is not a network namespace");
	alarm(0);
}

static void test_socket(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", in_dir("s"));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_refused(path, -EINVAL, "is not a network namespace");
	close(fd);
}

/* What is shown of a hostile path cannot harm a terminal. */
static void test_hostile_path(void **state)
{
	assert_refused(in_dir("\033]0;x\007\n"), -ENOENT, "\\x1b]0;x\\x07\\x0a: No such file");
}

/* --- entering -------------------------------------------------------------------------------- */

static int count_calls(void *arg, struct bh_err *err)
{
	++*(int *)arg;
	return -ECANCELED;
}

/* Who may not enter is told so, and what was to be done there is not done here. */
static void try_without_rights(void)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int fd = -1;
	int calls = 0, s = -7, r;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(2);
	if (netns_open("/proc/self/ns/net", &fd, NULL, &err) < 0)
		_exit(3);
	r = netns_run(fd, count_calls, &calls, &err);
	if (r != -EPERM || calls != 0)
		_exit(4);
	if (!strstr(err.msg, "entering the network namespace: Operation not permitted"))
		_exit(5);
	if (netns_socket(fd, AF_INET, SOCK_DGRAM, 0, &s, &err) != -EPERM || s != -7)
		_exit(6);
	if (netns_scratch(&s, &err) != -EPERM || s != -7)
		_exit(7);
	_exit(0);
}

static void test_without_rights(void **state)
{
	pid_t child = fork();
	int status = -1;

	assert_true(child >= 0);
	if (child == 0)
		try_without_rights();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A descriptor that is no namespace is not entered. */
static void test_run_in_no_namespace(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int calls = 0;

	assert_true(netns_run(fd, count_calls, &calls, &err) < 0);
	assert_true(netns_run(-1, count_calls, &calls, &err) < 0);
	assert_int_equal(calls, 0);
}

/* Whose namespace could be asked of anything that is open. */
static void test_of_no_socket(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t ino = 7;
	int fd = -7;

	assert_int_equal(netns_of_socket(null, &fd, &ino, &err), -ENOTSOCK);
	assert_int_equal(netns_of_socket(-1, &fd, &ino, &err), -EBADF);
	assert_int_equal(fd, -7);
	assert_int_equal(ino, 7);
}

/* Who may ask is who may change the network there. */
static void test_of_a_socket(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bh_autoclose int fd = -1;
	uint64_t ino = 7;
	int r = netns_of_socket(sock, &fd, &ino, &err);

	assert_int_equal(r, geteuid() ? -EPERM : 0);
	assert_true(ino == (r < 0 ? 7 : netns_own_ino()));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_own),          CASE(test_absent),         CASE(test_other_namespaces),
		CASE(test_other_files),  CASE(test_fifo),           CASE(test_socket),
		CASE(test_hostile_path), CASE(test_without_rights), CASE(test_run_in_no_namespace),
		CASE(test_of_no_socket), CASE(test_of_a_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
