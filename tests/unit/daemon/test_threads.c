/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Containers whose first thread has ended or gone elsewhere, while another goes on: they live, wherever what is
 * asked of them cannot be answered.
 */
#include <errno.h>
#include <pthread.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/runtime/runtime.h>

#include "../../../src/daemon/announced.h"
#include "../../../src/daemon/announced_life.h"
#include "../../../src/daemon/fresh.h"
#include "../../../src/daemon/reconcile.h"

#define DEADLINE_S 10

/* --- a process of two threads ------------------------------------------------------------------ */

static int child, to_first[2], to_second[2], answers[2];
static char netns[64];
static uint64_t ino;

static void leave(void)
{
	char word = unshare(CLONE_NEWNET) < 0 ? 'n' : 'y';

	(void)!write(answers[1], &word, 1);
}

static void *second(void *arg)
{
	char word;

	while (read(to_second[0], &word, 1) == 1)
		leave();
	return NULL;
}

/* 'u': it leaves its namespace; 'e': it ends. */
static void first(void)
{
	pthread_t thread;
	char word = 'y';

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    pthread_create(&thread, NULL, second, NULL))
		word = 'n';
	(void)!write(answers[1], &word, 1);
	while (read(to_first[0], &word, 1) == 1 && word == 'u')
		leave();
	pthread_exit(NULL);
}

static void await_answer(void)
{
	char word = '?';

	assert_int_equal(read(answers[0], &word, 1), 1);
	assert_int_equal(word, 'y');
}

static void tell(const int to[2], char word)
{
	assert_int_equal(write(to[1], &word, 1), 1);
	if (word == 'u')
		await_answer();
}

static void end_first(void)
{
	time_t deadline = time(NULL) + DEADLINE_S;
	struct stat st;

	tell(to_first, 'e');
	while (stat(netns, &st) == 0) {
		assert_true(time(NULL) < deadline);
		sched_yield();
	}
}

static void start_child(void)
{
	struct stat st;

	assert_int_equal(pipe(to_first), 0);
	assert_int_equal(pipe(to_second), 0);
	assert_int_equal(pipe(answers), 0);
	child = fork();
	if (child == 0)
		first();
	await_answer();
	snprintf(netns, sizeof(netns), "/proc/%d/ns/net", child);
	assert_int_equal(stat(netns, &st), 0);
	ino = st.st_ino;
}

static void end_child(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 2; i++) {
		close(to_first[i]);
		close(to_second[i]);
		close(answers[i]);
	}
}

/* --- whether it lasts, and where it is ---------------------------------------------------------- */

static int set_up(void **state)
{
	start_child();
	return 0;
}

static int tear_down(void **state)
{
	end_child();
	return 0;
}

static struct announcement begun(int pid)
{
	struct announcement a = { .said = json_object(), .netns = netns, .pid = pid };
	struct bh_err err = BH_ERR_INIT;

	if (announced_life_begin(&a, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(a.netns_ino, ino);
	return a;
}

static void test_first_ends(void **state)
{
	struct announcement a = begun(child), named = begun(0);

	assert_int_equal(announced_life_reach(&a), 1);
	end_first();
	assert_true(announced_life_lasts(&a));
	assert_true(announced_life_lasts(&named));
	assert_int_equal(announced_life_reach(&a), 2);
	assert_non_null(strstr(a.netns, "/task/"));
	assert_int_equal(announced_life_reach(&a), 1);
	assert_int_equal(announced_life_reach(&named), 2);

	tell(to_second, 'u'); /* to where, of its first one nobody knows */
	assert_true(announced_life_lasts(&a));
	assert_true(announced_life_reach(&a) < 0);
	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t) { 0 }, WEXITED | WNOWAIT), 0);
	assert_false(announced_life_lasts(&a));
	assert_false(announced_life_lasts(&named));
	assert_int_equal(announced_life_reach(&a), 0);
	announcement_done(&a);
	announcement_done(&named);
}

static void test_first_leaves(void **state)
{
	struct announcement a = begun(child), named = begun(0);

	tell(to_first, 'u');
	assert_int_equal(announced_life_reach(&a), 2);
	assert_true(announced_life_lasts(&named));
	tell(to_second, 'u');
	assert_int_equal(announced_life_reach(&a), 0);
	assert_false(announced_life_lasts(&named));
	assert_true(announced_life_lasts(&a)); /* as long as its process does */
	announcement_done(&a);
	announcement_done(&named);
}

/* Word of it is read after its first thread has ended. */
static void test_begins_late(void **state)
{
	struct announcement a = { .said = json_object(), .netns = netns, .pid = child };

	end_first();
	assert_int_equal(announced_life_begin(&a, NULL), -ENOENT); /* in which namespace? */
	a.netns_ino = ino;
	assert_int_equal(announced_life_begin(&a, NULL), 0);
	assert_int_equal(announced_life_reach(&a), 1);
	announcement_done(&a);
	a = (struct announcement) { .said = json_object(), .pid = child };
	assert_int_equal(announced_life_begin(&a, NULL), -EAGAIN);
	announcement_done(&a);
}

/* Of want of descriptors nobody ends. */
static void test_no_descriptors(void **state)
{
	struct announcement a = begun(child), named = begun(0);
	struct rlimit was, none;
	bool lasts[2];
	int reach;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit) { 3, was.rlim_max };
	a.seen = named.seen = (struct timespec) { 0 }; /* as after a restart */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	lasts[0] = announced_life_lasts(&a);
	lasts[1] = announced_life_lasts(&named);
	reach = announced_life_reach(&named);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_true(lasts[0]);
	assert_true(lasts[1]);
	assert_int_equal(reach, -EMFILE);
	named.cookie++;
	assert_int_equal(announced_life_reach(&named), 0);
	announcement_done(&a);
	announcement_done(&named);
}

/* --- all namespaces --------------------------------------------------------------------------- */

static int on_namespace(const struct runtime_namespace *n, void *arg)
{
	struct stat st;

	if (n->pid == child) {
		assert_int_equal(stat(n->path, &st), 0);
		assert_int_equal(st.st_ino, n->ino);
		(*(int *)arg)++;
	}
	return 0;
}

static void test_of_each_thread(void **state)
{
	int n = 0;

	assert_int_equal(runtime_namespaces(on_namespace, &n, NULL), 0);
	assert_int_equal(n, 1);
	tell(to_second, 'u');
	n = 0;
	assert_int_equal(runtime_namespaces(on_namespace, &n, NULL), 0);
	assert_int_equal(n, 2);
	end_first();
	n = 0;
	assert_int_equal(runtime_namespaces(on_namespace, &n, NULL), 0);
	assert_int_equal(n, 1);
}

/* --- in the list ------------------------------------------------------------------------------ */

static char top[] = "/tmp/bh-threads-XXXXXX", socket_path[64];
static struct daemon_options options;
static struct controller c;

static int set_up_list(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_non_null(mkdtemp(top));
	snprintf(socket_path, sizeof(socket_path), "%s/run/control.sock", top);
	options = (struct daemon_options) { .store = top, .socket = socket_path };
	c = (struct controller) { .o = &options };
	assert_int_equal(sd_event_new(&c.event), 0);
	c.holds = holds_new();
	c.fresh = fresh_new(&c);
	assert_int_equal(reconcile_init(&c, &err), 0);
	assert_int_equal(announced_new(&c, &c.announced, &err), 0);
	start_child();
	return 0;
}

static int tear_down_list(void **state)
{
	char path[96];

	end_child();
	announced_free(c.announced);
	sd_event_source_disable_unref(c.timer);
	fresh_free(c.fresh);
	holds_free(c.holds);
	sd_event_unref(c.event);
	snprintf(path, sizeof(path), "%s/announced.json", top);
	unlink(path);
	return rmdir(top);
}

static void assert_listed_as(enum endpoint_runtime runtime)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set = NULL;
	struct diag_list diags;
	struct bh_err err = BH_ERR_INIT;

	diag_list_init(&diags);
	assert_int_equal(announced_add(c.announced, NULL, b, &diags, &err), 0);
	assert_int_equal(endpoint_builder_finish(b, &set, &err), 0);
	assert_int_equal(set->n, 1);
	assert_int_equal(set->endpoints[0].runtime, runtime);
	assert_int_equal(set->endpoints[0].netns_ino, ino);
	endpoint_set_free(set);
	endpoint_builder_free(b);
	diag_list_done(&diags);
}

static void start_anew(void)
{
	struct bh_err err = BH_ERR_INIT;

	announced_free(c.announced);
	c.announced = NULL;
	assert_int_equal(announced_new(&c, &c.announced, &err), 0);
}

/* The next daemon holds nothing yet: it finds it by the thread that goes on. */
static void test_listed(void **state)
{
	json_t *said = json_pack("{s:s, s:s, s:s, s:i}", "runtime", "oci", "id", "one", "netns",
				 netns, "pid", child);
	struct bh_err err = BH_ERR_INIT;

	json_object_set_new(said, "netns_ino", json_integer((json_int_t)ino));
	assert_int_equal(announced_note(c.announced, said, &err), 1);
	json_decref(said);
	announced_look(c.announced);
	end_first();
	start_anew();
	assert_int_equal(announced_count(c.announced), 1);
	if (geteuid() == 0) /* who else cannot read addresses in there */
		assert_listed_as(ENDPOINT_OCI);
	tell(to_second, 'u');
	start_anew();
	assert_listed_as(ENDPOINT_UNKNOWN);
	assert_int_equal(announced_count(c.announced), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_first_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_first_leaves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_begins_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_descriptors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_of_each_thread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_listed, set_up_list, tear_down_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
