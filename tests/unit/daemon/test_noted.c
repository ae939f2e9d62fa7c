/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Word that a starter leaves: it is known as soon as it is there, wherever the folder comes from. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/ctl/notes.h>

#include "../../../src/daemon/announced.h"
#include "../../../src/daemon/announced_private.h"
#include "../../../src/daemon/hints.h"
#include "../../../src/daemon/noted.h"
#include "../../../src/daemon/reconcile.h"

static char top[] = "/tmp/bh-noted-XXXXXX", socket_path[64], dir[64];
static struct daemon_options options;
static struct controller c;
static char netns[64];
static uint64_t ino;
static int child;

/* A container without a policy: a process in a namespace of its own. */
static void start_child(void)
{
	int pipes[2];
	struct stat st;
	char word;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ? 'n' : 'y';
		(void)!write(pipes[1], &word, 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipes[0], &word, 1), 1);
	assert_int_equal(word, 'y');
	close(pipes[0]);
	close(pipes[1]);
	snprintf(netns, sizeof(netns), "/proc/%d/ns/net", child);
	assert_int_equal(stat(netns, &st), 0);
	ino = st.st_ino;
}

static int set_up(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_non_null(mkdtemp(top));
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", top);
	snprintf(dir, sizeof(dir), "%s/run.starts", top);
	options = (struct daemon_options) { .store = top, .socket = socket_path };
	c = (struct controller) { .o = &options };
	assert_int_equal(sd_event_new(&c.event), 0);
	c.holds = holds_new();
	c.hints = hints_new();
	assert_int_equal(reconcile_init(&c, &err), 0);
	assert_int_equal(announced_new(&c, &c.announced, &err), 0);
	start_child();
	return 0;
}

static int tear_down(void **state)
{
	char path[96];

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	announced_free(c.announced);
	sd_event_source_disable_unref(c.timer);
	hints_free(c.hints);
	holds_free(c.holds);
	sd_event_unref(c.event);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, (const char *[]) { "a", "b" }[i]);
		unlink(path);
	}
	rmdir(dir);
	snprintf(path, sizeof(path), "%s/announced.json", top);
	unlink(path);
	if (rmdir(top) < 0)
		return -1;
	memcpy(strrchr(top, '-') + 1, "XXXXXX", 6);
	return 0;
}

static void leave(const char *name, const char *id)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:i}", "runtime", "oci", "id", id, "netns",
			      netns, "netns_ino", (json_int_t)ino, "pid", child);
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(ctl_note_leave(socket_path, name, o, &err), 0);
	json_decref(o);
}

/* All that has happened until now is heard; the loop's timer is not due, for nothing is loaded. */
static void hear(void)
{
	for (int i = 0; i < 10; i++)
		assert_true(sd_event_run(c.event, 0) >= 0);
}

static void assert_known(size_t n)
{
	hear();
	assert_int_equal(announced_count(c.announced), n);
}

static void test_comes(void **state)
{
	assert_known(0);
	leave("a", "one"); /* and the folder with it */
	assert_known(1);
	leave("b", "two");
	assert_known(2);
	assert_true(c.changed);
	assert_int_equal(rmdir(dir), 0); /* they were taken */
	hear();
	leave("a", "three");
	assert_known(3);
	leave("a", "three"); /* the same life */
	assert_known(3);
}

/* Where others may write, nobody knows whose word it is. */
static void test_not_ours(void **state)
{
	leave("a", "one");
	assert_known(1);
	leave("b", "two");
	assert_int_equal(chmod(dir, 0777), 0);
	assert_known(1);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_known(2);
	leave("a", "three");
	assert_known(3);
}

/* Of no use is no harm. */
static void test_bad(void **state)
{
	ino++;
	leave("a", "another namespace");
	assert_known(0);
	ino = 0;
	leave("a", "none");
	assert_known(0);
	assert_int_equal(rmdir(dir), 0);
}

static bool is_there(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* What is of no use for now is, later: for want of a descriptor nobody is a stranger. */
static void test_stays(void **state)
{
	struct rlimit was, few;
	int fill[16], next = 0;

	announced_look(c.announced); /* nothing else is to be written */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (int i = 0; i < 16; i++) /* those below are all in use */
		next = fill[i] = dup(0);
	close(next);
	leave("a", "one");
	for (int more = 1; more <= 2;
	     more++) { /* for the folder, and for the word or its namespace */
		few = (struct rlimit) { (rlim_t)(next + more), was.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		hear();
		noted_take(c.announced->noted);
		setrlimit(RLIMIT_NOFILE, &was);
		assert_int_equal(announced_count(c.announced), 0);
		assert_true(is_there("a"));
	}
	for (int i = 0; i < 15; i++)
		close(fill[i]);
	leave("b", "two");
	assert_known(2);
	assert_false(is_there("a"));
}

/* It is the only word of it, until the store has it. */
static void test_not_stored(void **state)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/announced.json", top);
	assert_int_equal(mkdir(path, 0700), 0); /* what no file can replace */
	leave("a", "one");
	assert_known(1);
	assert_true(is_there("a"));
	assert_int_equal(rmdir(path), 0);
	leave("b", "one");
	assert_known(1);
	assert_false(is_there("a"));
	assert_false(is_there("b"));
}

/* Its id was another's, whose end was not heard of. */
static void test_other_life(void **state)
{
	int first;

	leave("a", "one");
	assert_known(1);
	first = child;
	start_child();
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	leave("a", "one");
	hear();
	assert_false(announced_release(c.announced, ENDPOINT_OCI, "one",
				       &(struct announced_life) { 0 }));
	announced_look(c.announced);
	assert_known(1);
}

/* Who says late that a container is gone, says it of the one before. */
static void test_late_release(void **state)
{
	const struct announced_life nothing = { 0 }, earlier = { .pid = child + 1 },
				    place = { .netns = "/run/netns/x" },
				    number = { .netns = netns, .netns_ino = ino + 1 };

	leave("a", "one");
	assert_known(1);
	assert_false(announced_release(c.announced, ENDPOINT_OCI, "one", &nothing));
	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t) { 0 }, WEXITED | WNOWAIT), 0);
	assert_false(announced_release(c.announced, ENDPOINT_OCI, "one", &earlier));
	assert_false(announced_release(c.announced, ENDPOINT_OCI, "one", &place));
	assert_false(announced_release(c.announced, ENDPOINT_OCI, "one", &number));
	assert_int_equal(announced_count(c.announced), 1);
	assert_true(announced_release(c.announced, ENDPOINT_OCI, "one", &nothing));
	assert_known(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_stored, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_late_release, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
