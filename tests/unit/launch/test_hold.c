/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without the daemon: who is quarantined, and the word that is left of him. */
#include <fcntl.h>
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/ctl/notes.h>
#include <bulkhead/launch/launch.h>

static char top[] = "/tmp/bh-hold-XXXXXX", socket_path[64], netns[64];
static uint64_t ino;
static int child;

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done ? 0 : -1;
}

/* Root of a user namespace, so that nobody has to be root for it. */
static int become_root(void)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", geteuid());
	snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return -1;
	if (put("/proc/self/setgroups", "deny") < 0 || put("/proc/self/uid_map", users) < 0)
		return -1;
	return put("/proc/self/gid_map", groups);
}

/* The namespace of a pod: a process that is in it. */
static void start_child(void)
{
	int pipes[2];
	struct stat st;
	char word;

	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		word = unshare(CLONE_NEWNET) < 0 ? 'n' : 'y';
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
	assert_non_null(mkdtemp(top));
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", top);
	start_child();
	return 0;
}

static int tear_down(void **state)
{
	char path[64];

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	snprintf(path, sizeof(path), "%s/run.starts", top);
	rmdir(path);
	return rmdir(top);
}

static void quarantine(enum endpoint_runtime runtime, const char *id, const char *app)
{
	const struct label label = { "app", app };
	const struct launch_request rq = {
		.runtime = runtime,
		.id = id,
		.netns = netns,
		.netns_ino = ino,
		.pid = child,
		.labels = &label,
		.n_labels = 1,
	};
	const struct launch_options o = { .socket = socket_path,
					  .wait_ms = 100,
					  .quarantine = true };
	struct bh_err err = BH_ERR_INIT;
	enum launch_outcome outcome = LAUNCH_IN_FORCE;

	if (launch_hold(&rq, &o, &outcome, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(outcome, LAUNCH_QUARANTINED);
}

/* "runtime:id:label ...", in no order */
static bool on_note(json_t *request, void *arg)
{
	char *got = arg;

	snprintf(got + strlen(got), 512 - strlen(got), "<%s %s %s>",
		 json_string_value(json_object_get(request, "runtime")),
		 json_string_value(json_object_get(request, "id")),
		 json_string_value(json_array_get(json_object_get(request, "labels"), 0)));
	return true;
}

static void test_each_has_a_word(void **state)
{
	static const char *const all[] = { "<oci web app=new>", "<oci db app=db>",
					   "<cni web app=pod>" };
	struct bh_err err = BH_ERR_INIT;
	char got[512] = "";
	const struct ctl_notes_taker taker = { on_note, NULL, got };
	size_t len = 0;

	quarantine(ENDPOINT_OCI, "web", "web");
	quarantine(ENDPOINT_OCI, "db", "db");
	quarantine(ENDPOINT_CNI, "web", "pod");
	quarantine(ENDPOINT_OCI, "web", "new"); /* started again: of it there is one word */
	assert_int_equal(ctl_notes_take(socket_path, &taker, &err), 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (!strstr(got, all[i]))
			fail_msg("%s, and no %s", got, all[i]);
		len += strlen(all[i]);
	}
	assert_int_equal(strlen(got), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_has_a_word, set_up, tear_down),
	};

	if (become_root() < 0) {
		perror("a user namespace");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
