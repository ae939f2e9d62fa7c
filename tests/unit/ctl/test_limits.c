/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

/* Clients of ill will: what they can have, and that others do not feel it. */

static struct ctl_call *flooding;
static unsigned gone;

static void run_ping(struct ctl_call *call, const json_t *args, void *arg)
{
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static void run_flood(struct ctl_call *call, const json_t *args, void *arg)
{
	flooding = call;
}

static void gone_flood(struct ctl_call *call, void *arg)
{
	flooding = NULL;
	gone++;
}

static const struct ctl_verb verbs[] = {
	{ "ping", CTL_ROLE_VIEWER, .read_only = true, .run = run_ping },
	{ "flood", CTL_ROLE_VIEWER, .run = run_flood, .gone = gone_flood },
};

#define PING  "{\"v\":1,\"do\":\"ping\"}"
#define FLOOD "{\"v\":1,\"do\":\"flood\"}"
#define DONE  "{\"end\":{\"exit\":0}}"

static int fds[BH_CTL_CLIENTS_MAX + 1];
static size_t n_fds;

static int setup(void **state)
{
	start_server(verbs, BH_ARRAY_SIZE(verbs));
	flooding = NULL;
	gone = 0;
	n_fds = 0;
	return 0;
}

static int teardown(void **state)
{
	while (n_fds > 0)
		close(fds[--n_fds]);
	stop_server();
	return 0;
}

static void give_everyone_a_role(void)
{
	static struct ctl_grant grants[100];

	for (size_t i = 0; i < BH_ARRAY_SIZE(grants); i++)
		grants[i] = (struct ctl_grant) { .id = 1000 + i,
						 .role = CTL_ROLE_VIEWER,
						 .everything = true };
	assert_int_equal(ctl_server_set_grants(server, grants, BH_ARRAY_SIZE(grants), NULL), 0);
}

static void come(const char *path, uid_t uid)
{
	fake.uid = uid;
	fds[n_fds] = connect_to(path);
	n_fds++;
}

static void assert_turned_away(const char *path, uid_t uid, const char *why)
{
	bh_autoclose int fd = -1;

	fake.uid = uid;
	fd = connect_to(path);
	assert_hears(fd, why);
	assert_closed(fd);
}

static bool is_flooding(void)
{
	return flooding != NULL;
}

static bool is_gone(void)
{
	return gone > 0;
}

static int send_large(void)
{
	static const char text[50000] = { [0 ... 49998] = 'x' };

	return ctl_call_item(flooding, json_pack("{s:s}", "t", text));
}

/* --- connections ------------------------------------------------------------------------------ */

static void connections_of_one_user(void **state)
{
	give_everyone_a_role();
	for (int i = 0; i < BH_CTL_CLIENTS_UID_MAX; i++)
		come(full_path, 1000);
	assert_turned_away(full_path, 1000, "too many connections of this user");
	assert_turned_away(restricted_path, 1000, "too many connections of this user");
	come(full_path, 1001);
	assert_ask(fds[n_fds - 1], PING, DONE);
	close(fds[0]); /* one place is free again */
	fds[0] = fds[--n_fds];
	settle();
	come(full_path, 1000);
	assert_ask(fds[n_fds - 1], PING, DONE);
}

static void connections_in_all_and_roots_reserve(void **state)
{
	give_everyone_a_role();
	for (unsigned i = 0; i < BH_CTL_CLIENTS_MAX - BH_CTL_ROOT_RESERVE; i++)
		come(full_path, 1000 + i);
	assert_turned_away(full_path, 1099, "\"too many connections\"");
	for (unsigned i = 0; i < BH_CTL_ROOT_RESERVE; i++)
		come(full_path, 0);
	assert_int_equal(connections(), BH_CTL_CLIENTS_MAX);
	assert_turned_away(full_path, 0, "\"too many connections\"");
	for (size_t i = 0; i < n_fds; i++)
		assert_ask(fds[i], PING, DONE);
}

static void strangers_do_not_fill_the_house(void **state)
{
	for (unsigned i = 0; i < BH_CTL_RESTRICTED_MAX; i++)
		come(restricted_path, 5000 + i);
	assert_turned_away(restricted_path, 6000, "\"too many connections\"");
	come(full_path, 0);
	assert_ask(fds[n_fds - 1], PING, DONE);
}

static void refusals_are_not_told_for_ever(void **state)
{
	for (int i = 0; i < 3 * BH_CTL_REQUESTS_BURST; i++)
		assert_turned_away(full_path, 1000, "no role");
	assert_true(notices >= BH_CTL_REQUESTS_BURST);
	assert_true(notices < 2 * BH_CTL_REQUESTS_BURST);
}

/* Without descriptors the loop must not spin, and goes on when there are some again. */
static void no_descriptors_left(void **state)
{
	struct rlimit old, none;
	bh_autoclose int fd = -1;
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(unixsock_connect(full_path, SOCK_SEQPACKET, 1000, &fd, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit) { (rlim_t)fd, old.rlim_max }; /* FD is the highest there is */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	settle(); /* comes to an end */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(connections(), 0);
	assert_ask(fd, PING, DONE);
}

/* --- requests --------------------------------------------------------------------------------- */

static void requests_per_second(void **state)
{
	unsigned done = 0, refused = 0;
	const char *text;

	come(full_path, 0);
	while (refused < 3 && done < 10 * BH_CTL_REQUESTS_BURST) {
		say(fds[0], PING);
		text = hear(fds[0]);
		if (strcmp(text, DONE) == 0) {
			done++;
			continue;
		}
		assert_string_equal(text, "{\"end\":{\"exit\":3,\"error\":\"too many requests\"}}");
		refused++;
	}
	assert_true(done >= BH_CTL_REQUESTS_BURST);
	assert_int_equal(refused, 3);
	come(restricted_path, 1000); /* another user's are another's */
	assert_ask(fds[1], PING, DONE);
}

static void a_message_that_is_too_long(void **state)
{
	static char text[BH_CTL_FRAME_MAX + 2];
	size_t n = (size_t)sprintf(text, PING);

	memset(text + n, ' ', sizeof(text) - n - 1);
	come(full_path, 0);
	text[BH_CTL_FRAME_MAX] = '\0';
	assert_ask(fds[0], text, DONE);
	text[BH_CTL_FRAME_MAX] = ' ';
	assert_ask(fds[0], text, "\"exit\":2,\"error\":\"the message is too long\"");
	assert_closed(fds[0]);
	assert_int_equal(notices, 1);
}

static void no_request_in_time(void **state)
{
	server->request_usec = 50000;
	come(full_path, 0);
	assert_hears(fds[0], "\"exit\":3,\"error\":\"no request came in time\"");
	assert_closed(fds[0]);
}

static void no_second_request_in_time(void **state)
{
	server->request_usec = 50000;
	come(full_path, 0);
	assert_ask(fds[0], PING, DONE);
	assert_hears(fds[0], "no request came in time");
	assert_closed(fds[0]);
}

static void a_verb_may_take_its_time(void **state)
{
	struct timespec from, now;

	server->request_usec = server->stall_usec = 10000;
	come(full_path, 0);
	say(fds[0], FLOOD);
	step_until(is_flooding);
	clock_gettime(CLOCK_MONOTONIC, &from);
	do { /* well past the deadline and the slack that timers have */
		step();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - from.tv_sec < 1 || now.tv_nsec < from.tv_nsec);
	assert_int_equal(gone, 0);
	ctl_call_end(flooding, CTL_EXIT_YES, NULL);
	assert_hears(fds[0], DONE);
}

/* --- who does not read -------------------------------------------------------------------------- */

static void a_queue_that_is_full(void **state)
{
	unsigned n = 0;

	come(full_path, 0);
	say(fds[0], FLOOD);
	step_until(is_flooding);
	while (send_large() == 0)
		assert_true(++n < 1000);
	assert_true(n * 50000 > BH_CTL_QUEUE_MAX); /* with what the socket held */
	assert_true(n * 50000 < BH_CTL_QUEUE_MAX + 4 * BH_CTL_SNDBUF);
	assert_non_null(flooding); /* told later, not in the midst of it */
	assert_int_equal(send_large(), -EPIPE);
	assert_false(ctl_call_has_room(flooding));
	step_until(is_gone);
	assert_int_equal(connections(), 0);
	assert_non_null(strstr(last_notice, "does not read"));
}

static void a_reader_that_stalls(void **state)
{
	server->stall_usec = 100000;
	come(full_path, 0);
	come(full_path, 0);
	say(fds[0], FLOOD);
	step_until(is_flooding);
	for (int i = 0; i < 10; i++)
		assert_int_equal(send_large(), 0);
	assert_ask(fds[1], PING, DONE); /* nobody else feels it */
	step_until(is_gone);
	assert_non_null(strstr(last_notice, "does not read"));
}

static void a_reader_that_stalls_before_more(void **state)
{
	server->stall_usec = 100000;
	come(full_path, 0);
	say(fds[0], FLOOD);
	step_until(is_flooding);
	do {
		assert_int_equal(send_large(), 0);
	} while (!server->conns[0]->head);
	ctl_call_want_more(flooding);
	step_until(is_gone);
}

static void a_slow_reader_is_no_stalled_one(void **state)
{
	unsigned n = 0, heard = 0;
	struct timespec nap = { .tv_nsec = 40000000 };

	server->stall_usec = 400000;
	come(full_path, 0);
	say(fds[0], FLOOD);
	step_until(is_flooding);
	while (server->conns[0]->queued < 800000 && send_large() == 0)
		n++;
	for (; heard < n; heard++) { /* in all it takes longer than a stall may */
		assert_hears(fds[0], "item");
		nanosleep(&nap,
			  NULL); /* it is slow: this is the thing tested, nothing is awaited */
		settle();
	}
	ctl_call_end(flooding, CTL_EXIT_YES, NULL);
	assert_hears(fds[0], DONE);
	assert_int_equal(gone, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(connections_of_one_user),
		T(connections_in_all_and_roots_reserve),
		T(strangers_do_not_fill_the_house),
		T(refusals_are_not_told_for_ever),
		T(no_descriptors_left),
		T(requests_per_second),
		T(a_message_that_is_too_long),
		T(no_request_in_time),
		T(no_second_request_in_time),
		T(a_verb_may_take_its_time),
		T(a_queue_that_is_full),
		T(a_reader_that_stalls),
		T(a_reader_that_stalls_before_more),
		T(a_slow_reader_is_no_stalled_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
