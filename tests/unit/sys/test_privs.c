/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/privs.h>

/*
 * What is given up is gone: a child gives it up, and then tries. Who is not root gives up what it has, and
 * stays who it is.
 */

#define SOMEBODY  60923
#define SIGNALLED 1000

static uid_t to_uid(void)
{
	return geteuid() == 0 ? SOMEBODY : geteuid();
}

static gid_t to_gid(void)
{
	return geteuid() == 0 ? SOMEBODY : getegid();
}

/* Exit code of FN in a child, or SIGNALLED and the signal. Nothing of the sanitizers runs at its end. */
static int in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int drop(void)
{
	/* other groups of an ordinary user are not given up: the proof says so */
	if (geteuid() != 0 && getgroups(0, NULL) > 0)
		return 0;
	return privs_drop(to_uid(), to_gid(), NULL);
}

/* --- dropping ----------------------------------------------------------------------------------- */

static int look_at_users(void)
{
	uid_t r, e, s;

	if (drop() < 0)
		return 1;
	if (getresuid(&r, &e, &s) < 0 || r != to_uid() || e != to_uid() || s != to_uid())
		return 2;
	if (getresgid(&r, &e, &s) < 0 || r != to_gid() || e != to_gid() || s != to_gid())
		return 3;
	return 0;
}

static int try_to_go_back(void)
{
	if (drop() < 0)
		return 1;
	if (setuid(0) == 0 || setresuid(0, 0, 0) == 0 || seteuid(0) == 0)
		return 2;
	if (setgid(0) == 0 || setgroups(1, (const gid_t[]) { 0 }) == 0)
		return 3;
	return 0;
}

static int try_capabilities(void)
{
	const cap_value_t admin = CAP_NET_ADMIN;
	cap_t caps;

	if (drop() < 0)
		return 1;
	caps = cap_get_proc();
	if (!caps || cap_set_flag(caps, CAP_PERMITTED, 1, &admin, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, 1, &admin, CAP_SET) < 0)
		return 2;
	if (cap_set_proc(caps) == 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, admin, 0, 0) == 0)
		return 3;
	cap_free(caps);
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || unshare(CLONE_NEWNS) == 0 ||
	    sethostname("taken", 5) == 0 || chroot("/") == 0)
		return 4;
	return 0;
}

static int look_at_the_rest(void)
{
	if (drop() < 0)
		return 1;
	if (geteuid() != 0 && getgroups(0, NULL) > 0)
		return 0;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 2;
	if (open("/etc/shadow", O_RDONLY) >= 0)
		return 3;
	return 0;
}

static void test_drop(void **state)
{
	assert_int_equal(in_child(look_at_users), 0);
	assert_int_equal(in_child(try_to_go_back), 0);
	assert_int_equal(in_child(try_capabilities), 0);
	assert_int_equal(in_child(look_at_the_rest), 0);
}

/* --- proving: each of the proofs fails where it must ------------------------------------------------ */

static int prove_another(void)
{
	struct bh_err err = BH_ERR_INIT;

	return drop() < 0 || privs_prove(to_uid() + 1, to_gid(), &err) != -EPERM ||
	       !strstr(err.msg, "it is not user");
}

static int prove_root(void)
{
	struct bh_err err = BH_ERR_INIT;

	return privs_prove(geteuid(), getegid(), &err) != -EPERM || !err.msg[0];
}

/* As far as root can take it back by one: a user without groups who keeps capabilities. */
static int prove_capable(void)
{
	struct bh_err err = BH_ERR_INIT;

	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
	    setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
		return 1;
	return privs_prove(SOMEBODY, SOMEBODY, &err) != -EPERM ||
	       strcmp(err.msg, "it has capabilities left") != 0;
}

static void test_prove(void **state)
{
	assert_int_equal(in_child(prove_another), 0);
	assert_int_equal(in_child(prove_root), 0);
	assert_int_equal(in_child(prove_capable), 0);
}

/* --- system calls --------------------------------------------------------------------------------- */

/* Memory is what the sanitizers want. */
static const char *const few[] = { "write",       "read",   "getpid",      "exit_group",  "close",
				   "mmap",        "munmap", "madvise",     "futex",       "brk",
				   "sched_yield", "prctl",  "sigaltstack", "no_such_call" };

static int filter(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	       privs_filter(few, BH_ARRAY_SIZE(few), NULL) < 0;
}

static int do_allowed(void)
{
	struct ifreq ifr = { .ifr_ifindex = 1 };

	/* of no socket, which the kernel says */
	return filter() || getpid() <= 0 || ioctl(0, SIOCGIFNAME, &ifr) == 0;
}

static int do_ioctl(void)
{
	return filter() || ioctl(0, TIOCSTI, "x") == 0;
}

static int do_other(void)
{
	return filter() || syscall(SYS_getuid) >= 0;
}

static int do_socket(void)
{
	return filter() || socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}

static int do_execve(void)
{
	char *argv[] = { (char *)"true", NULL };

	return filter() || execve("/bin/true", argv, argv + 1);
}

static int do_clone(void)
{
	return filter() || syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) >= 0;
}

static void test_filter(void **state)
{
	assert_int_equal(in_child(do_allowed), 0);
	assert_int_equal(in_child(do_other), SIGNALLED + SIGSYS);
	assert_int_equal(in_child(do_ioctl), SIGNALLED + SIGSYS);
	assert_int_equal(in_child(do_socket), SIGNALLED + SIGSYS);
	assert_int_equal(in_child(do_execve), SIGNALLED + SIGSYS);
	assert_int_equal(in_child(do_clone), SIGNALLED + SIGSYS);
}

static void test_never(void **state)
{
	const char *const never[] = { "socket", "clone",  "clone3", "execve",
				      "setns",  "ptrace", "bpf" };
	struct bh_err err = BH_ERR_INIT;

	for (size_t i = 0; i < BH_ARRAY_SIZE(never); i++)
		assert_int_equal(privs_filter(&never[i], 1, &err), -EINVAL);
	assert_true(getpid() > 0 && syscall(SYS_getuid) >= 0); /* nothing was filtered */
}

static void test_account(void **state)
{
	uid_t uid;
	gid_t gid;

	assert_false(privs_account("no-such-account", 4711, &uid, &gid));
	assert_true(uid == 4711 && gid == 4711);
	assert_false(privs_account("root", 4711, &uid, &gid)); /* that would give up nothing */
	assert_true(uid == 4711 && gid == 4711);
	assert_true(privs_account("nobody", 4711, &uid, &gid));
	assert_int_equal(uid, 65534);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),    cmocka_unit_test(test_prove),
		cmocka_unit_test(test_filter),  cmocka_unit_test(test_never),
		cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
