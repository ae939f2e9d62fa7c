/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* The blocking client: against a listener that answers beforehand or not at all, and a server. */

static struct unixsock sock = { .fd = -1 };
static struct ctl_client *client;
static int peer = -1;

static int setup(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	snprintf(dir, sizeof(dir), "/tmp/bulkhead-ctl-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(full_path, sizeof(full_path), "%s/full", dir);
	assert_int_equal(
		unixsock_listen(&sock, full_path, SOCK_SEQPACKET, 0600, (gid_t)-1, 1, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	char lock[128];

	ctl_client_free(client);
	client = NULL;
	if (peer >= 0)
		close(peer);
	peer = -1;
	unixsock_done(&sock);
	snprintf(lock, sizeof(lock), "%s.lock", full_path);
	unlink(lock);
	return rmdir(dir);
}

static void meet(void)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(ctl_client_connect(full_path, 1000, &client, &err), 0);
	peer = accept4(sock.fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer >= 0);
}

static int ask(int timeout_ms)
{
	return ctl_client_request(client, "status", json_pack("{s:b}", "all", 1), timeout_ms, NULL);
}

static void assert_next(int r, const char *error)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_end end = { 0 };
	json_t *item = NULL;

	assert_int_equal(ctl_client_next(client, &item, &end, &err), r);
	if (!strstr(r < 0 ? err.msg : end.error, error))
		fail_msg("'%s' is not in '%s'", error, r < 0 ? err.msg : end.error);
	json_decref(item);
}

static void a_request_and_its_answer(void **state)
{
	char text[100] = { 0 };

	meet();
	assert_int_equal(ask(1000), 0);
	assert_true(recv(peer, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "{\"v\":1,\"do\":\"status\",\"all\":true}");
	say(peer, "{\"item\":{\"a\":1}}");
	say(peer, "{\"item\":{\"a\":2}}");
	say(peer, "{\"end\":{\"exit\":3,\"error\":\"bad \\u001b thing\"}}");
	assert_next(1, "");
	assert_next(1, "");
	assert_next(0, "bad \\x1b thing");
}

static void nobody_there_to_answer(void **state)
{
	struct ctl_client *c = NULL;
	struct bh_err err = BH_ERR_INIT;
	char gone[128];

	snprintf(gone, sizeof(gone), "%s/gone", dir);
	assert_int_equal(ctl_client_connect(gone, 100, &c, &err), -ENOENT);
	close(BH_STEAL_FD(sock.fd)); /* its file stays, as after a kill */
	assert_int_equal(ctl_client_connect(full_path, 100, &c, &err), -ECONNREFUSED);
	assert_null(c);
}

static void a_daemon_that_is_silent(void **state)
{
	meet();
	assert_int_equal(ask(30), 0);
	assert_next(-ETIMEDOUT, "in time");
}

static void a_daemon_that_does_not_accept(void **state)
{
	struct ctl_client *c[4] = { NULL };
	struct bh_err err = BH_ERR_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < BH_ARRAY_SIZE(c); i++)
		r = ctl_client_connect(full_path, 30, &c[i], &err);
	assert_int_equal(r, -ETIMEDOUT);
	for (size_t i = 0; i < BH_ARRAY_SIZE(c); i++)
		ctl_client_free(c[i]);
}

static void a_daemon_that_dies(void **state)
{
	meet();
	assert_int_equal(ask(1000), 0);
	recv(peer, (char[100]) { 0 }, 100, 0);
	close(BH_STEAL_FD(peer));
	assert_next(-ECONNRESET, "ended the connection");
}

static void last_words_before_the_request(void **state)
{
	meet();
	say(peer, "{\"end\":{\"exit\":3,\"error\":\"no role\"}}");
	close(BH_STEAL_FD(peer));
	assert_int_equal(ask(1000), 0);
	assert_next(0, "no role");
}

static void last_words_with_the_request_unread(void **state)
{
	meet();
	assert_int_equal(ask(1000), 0);
	say(peer, "{\"end\":{\"exit\":3,\"error\":\"no role\"}}");
	close(BH_STEAL_FD(peer));
	assert_next(0, "no role");
	assert_next(-ECONNRESET, "ended");
}

static void nonsense_from_the_daemon(void **state)
{
	static char text[BH_CTL_FRAME_MAX + 2];

	meet();
	assert_int_equal(ask(1000), 0);
	say(peer, "{\"item\":{},\"item\":{}}");
	assert_next(-EBADMSG, "");
	memset(text, ' ', sizeof(text) - 1);
	say(peer, text);
	assert_next(-EBADMSG, "");
}

static void a_request_that_does_not_fit(void **state)
{
	static char text[BH_CTL_FRAME_MAX];

	memset(text, 'x', sizeof(text) - 1);
	meet();
	assert_int_equal(ctl_client_request(client, "x", json_pack("{s:s}", "t", text), 1000, NULL),
			 -EMSGSIZE);
}

/* --- both together ------------------------------------------------------------------------------ */

static void run_count(struct ctl_call *call, const json_t *args, void *arg)
{
	for (int i = 0; i < 5; i++)
		ctl_call_item(call, json_pack("{s:i}", "i", i));
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static const struct ctl_verb verbs[] = { { "count", CTL_ROLE_VIEWER, .run = run_count } };

/* The server in a process of its own, which ends with us at the latest. */
static pid_t fork_server(void)
{
	const struct ctl_grant me = { .id = geteuid(),
				      .role = CTL_ROLE_VIEWER,
				      .everything = true };
	pid_t pid;

	snprintf(dir, sizeof(dir), "/tmp/bulkhead-ctl-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(full_path, sizeof(full_path), "%s/full", dir);
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_event_new(&event) < 0 ||
	    ctl_server_new(event, verbs, 1, NULL, NULL, &server, NULL) < 0 ||
	    ctl_server_set_grants(server, &me, 1, NULL) < 0 ||
	    ctl_server_listen(server, full_path, (gid_t)-1, NULL) < 0)
		_exit(1);
	sd_event_loop(event);
	_exit(0);
}

static int connect_patiently(void)
{
	struct timespec nap = { .tv_nsec = 5000000 };
	int r = -ENOENT;

	for (int i = 0; i < PATIENCE && (r == -ENOENT || r == -ECONNREFUSED); i++) {
		r = ctl_client_connect(full_path, 1000, &client, NULL);
		if (r < 0)
			nanosleep(&nap, NULL);
	}
	return r;
}

static void client_and_server(void **state)
{
	struct ctl_end end = { .exit = -1 };
	char lock[128];
	json_t *item;
	pid_t pid = fork_server();

	assert_true(pid > 0);
	assert_int_equal(connect_patiently(), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(ctl_client_request(client, "count", NULL, 2000, NULL), 0);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(ctl_client_next(client, &item, &end, NULL), 1);
			assert_int_equal(json_integer_value(json_object_get(item, "i")), i);
			json_decref(item);
		}
		assert_int_equal(ctl_client_next(client, &item, &end, NULL), 0);
		assert_int_equal(end.exit, 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(ctl_client_next(client, &item, &end, NULL), -ECONNRESET);
	ctl_client_free(BH_STEAL_PTR(client));
	assert_int_equal(ctl_client_connect(full_path, 100, &client, NULL), -ECONNREFUSED);
	unlink(full_path);
	snprintf(lock, sizeof(lock), "%s.lock", full_path);
	unlink(lock);
	assert_int_equal(rmdir(dir), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_and_its_answer),
		T(nobody_there_to_answer),
		T(a_daemon_that_is_silent),
		T(a_daemon_that_does_not_accept),
		T(a_daemon_that_dies),
		T(last_words_before_the_request),
		T(last_words_with_the_request_unread),
		T(nonsense_from_the_daemon),
		T(a_request_that_does_not_fit),
		cmocka_unit_test(client_and_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
