/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <sys/stat.h>

/* What a client of good will sees, and what it may not do. */

static struct ctl_call *kept; /* of "wait" */
static unsigned gone, left;   /* items that "many" still has to send */

static void run_hello(struct ctl_call *call, const json_t *args, void *arg)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	assert_int_equal(ctl_call_item(call, json_pack("{s:s}", "hello", name)), 0);
	assert_int_equal(ctl_call_item(call, json_pack("[i]", 1)), -EINVAL);
	ctl_call_end(call, CTL_EXIT_NO, "that was all");
}

static void run_wait(struct ctl_call *call, const json_t *args, void *arg)
{
	ctl_call_set_data(call, &kept);
	kept = call;
}

static void gone_wait(struct ctl_call *call, void *arg)
{
	assert_ptr_equal(ctl_call_data(call), &kept);
	assert_ptr_equal(call, kept);
	assert_int_equal(ctl_call_item(call, json_object()), -EPIPE);
	kept = NULL;
	gone++;
}

static void more_many(struct ctl_call *call, void *arg)
{
	static const char text[1000] = { [0 ... 998] = 'x' };

	while (left > 0 && ctl_call_has_room(call))
		assert_int_equal(
			ctl_call_item(call, json_pack("{s:i,s:s}", "left", --left, "t", text)), 0);
	if (left > 0)
		ctl_call_want_more(call);
	else
		ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static void run_many(struct ctl_call *call, const json_t *args, void *arg)
{
	left = 10000;
	more_many(call, arg);
}

static void run_later(struct ctl_call *call, const json_t *args, void *arg)
{
	left = 1;
	ctl_call_want_more(call);
	assert_int_equal(left, 1);
}

/* Takes its own role away. */
static void run_revoke(struct ctl_call *call, const json_t *args, void *arg)
{
	assert_int_equal(ctl_server_set_grants(server, NULL, 0, NULL), 0);
	assert_int_equal(ctl_call_peer(call)->role, CTL_ROLE_NONE);
	assert_int_equal(ctl_call_item(call, json_object()), -EPIPE);
	ctl_call_end(call, CTL_EXIT_YES, NULL);
}

static void run_team(struct ctl_call *call, const json_t *args, void *arg)
{
	const char *owner = json_string_value(json_object_get(args, "name"));
	bool may = ctl_peer_may(ctl_call_peer(call), CTL_ROLE_OPERATOR, owner);

	ctl_call_end(call, may ? CTL_EXIT_YES : CTL_EXIT_FAILED, may ? NULL : "not yours");
}

static const struct ctl_arg name_arg[] = { { "name", CTL_TYPE_STRING, true }, { NULL } };

static const struct ctl_verb verbs[] = {
	{ "hello", CTL_ROLE_VIEWER, .read_only = true, .args = name_arg, .run = run_hello },
	{ "wait", CTL_ROLE_VIEWER, .run = run_wait, .gone = gone_wait },
	{ "many", CTL_ROLE_VIEWER, .run = run_many, .more = more_many },
	{ "later", CTL_ROLE_VIEWER, .run = run_later, .more = more_many },
	{ "revoke", CTL_ROLE_OPERATOR, .run = run_revoke },
	{ "team", CTL_ROLE_OPERATOR, .by_owner = true, .args = name_arg, .run = run_team },
};

static int setup(void **state)
{
	start_server(verbs, BH_ARRAY_SIZE(verbs));
	kept = NULL;
	gone = 0;
	return 0;
}

static int teardown(void **state)
{
	stop_server();
	return 0;
}

#define HELLO "{\"v\":1,\"do\":\"hello\",\"name\":\"x\"}"
#define WAIT  "{\"v\":1,\"do\":\"wait\"}"

static bool is_kept(void)
{
	return kept != NULL;
}

static bool is_gone(void)
{
	return gone > 0;
}

static void items_and_an_end(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	for (int i = 0; i < 3; i++) { /* one connection, several requests */
		say(fd, HELLO);
		assert_string_equal(hear(fd), "{\"item\":{\"hello\":\"x\"}}");
		assert_string_equal(hear(fd), "{\"end\":{\"exit\":1,\"error\":\"that was all\"}}");
	}
	assert_int_equal(notices, 0);
}

static void requests_sent_ahead_wait_their_turn(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	say(fd, WAIT);
	say(fd, HELLO);
	step_until(is_kept);
	settle();
	assert_int_equal(recv(fd, (char[8]) { 0 }, 8, MSG_DONTWAIT), -1);
	ctl_call_end(kept, CTL_EXIT_YES, NULL);
	assert_hears(fd, "\"exit\":0}");
	assert_hears(fd, "hello");
}

static void an_answer_after_a_half_close(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	say(fd, WAIT);
	step_until(is_kept);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	settle();
	assert_int_equal(gone, 0);
	assert_int_equal(ctl_call_item(kept, json_object()), 0);
	ctl_call_end(kept, CTL_EXIT_YES, NULL);
	assert_hears(fd, "item");
	assert_hears(fd, "\"exit\":0}");
	assert_closed(fd);
}

static void wrong_requests(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	assert_ask(fd, "nonsense", "\"exit\":2,\"error\":\"the message is not JSON");
	assert_ask(fd, "{\"v\":1,\"do\":\"bye\"}", "\"exit\":2,\"error\":\"there is no request");
	assert_ask(fd, "{\"v\":2,\"do\":\"hello\"}", "\"exit\":3,\"error\":\"this daemon speaks");
	assert_ask(fd, "{\"v\":1,\"do\":\"hello\"}", "\"exit\":2,\"error\":\"hello: the argument");
	assert_ask(fd, "{\"v\":1,\"do\":\"wait\",\"x\":1}", "unknown argument");
	assert_ask(fd, HELLO, "hello"); /* no harm done */
}

static void a_client_that_goes_is_told(void **state)
{
	int fd = connect_to(full_path);

	say(fd, WAIT);
	step_until(is_kept);
	close(fd);
	step_until(is_gone);
	assert_int_equal(gone, 1);
	assert_int_equal(connections(), 0);
}

static void a_call_that_ends_too_late(void **state)
{
	int fd = connect_to(full_path);

	say(fd, WAIT);
	step_until(is_kept);
	close(fd);
	assert_int_equal(ctl_call_item(kept, json_object()), -EPIPE);
	ctl_call_end(kept, CTL_EXIT_YES, NULL);
	step_until(nobody_there);
	assert_int_equal(gone, 0); /* one or the other */
}

static void the_server_ends_with_a_call_running(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	say(fd, WAIT);
	step_until(is_kept);
	stop_server();
	assert_int_equal(gone, 1);
	assert_int_equal(recv(fd, (char[8]) { 0 }, 8, MSG_DONTWAIT), 0);
	setup(state);
}

/* Ten times what a queue holds. */
static void a_long_answer(void **state)
{
	bh_autoclose int fd = connect_to(full_path);
	char wanted[32];

	say(fd, "{\"v\":1,\"do\":\"many\"}");
	settle();
	for (int i = 9999; i >= 0; i--) {
		snprintf(wanted, sizeof(wanted), "{\"left\":%d,", i);
		assert_hears(fd, wanted);
	}
	assert_string_equal(hear(fd), "{\"end\":{\"exit\":0}}");
	assert_int_equal(notices, 0);
}

/* There is room at once: more() comes from the loop, not from within. */
static void more_with_nothing_queued(void **state)
{
	bh_autoclose int fd = connect_to(full_path);

	say(fd, "{\"v\":1,\"do\":\"later\"}");
	assert_hears(fd, "{\"left\":0,");
	assert_string_equal(hear(fd), "{\"end\":{\"exit\":0}}");
}

static void nobody_without_a_role(void **state)
{
	bh_autoclose int fd = -1;

	fake.uid = 1000;
	fd = connect_to(full_path);
	assert_string_equal(
		hear(fd),
		"{\"end\":{\"exit\":3,\"error\":\"this user has no role with this daemon\"}}");
	assert_closed(fd);
	assert_int_equal(notices, 1);
	assert_non_null(strstr(last_notice, "user 1000, process"));
}

static void roles_at_the_door_of_a_verb(void **state)
{
	gid_t groups[] = { 7, 8, 9 };
	const char *const shop[] = { "shop" };
	const struct ctl_grant grants[] = {
		{ .id = 1000, .role = CTL_ROLE_VIEWER, .everything = true },
		{ .is_group = true,
		  .id = 9,
		  .role = CTL_ROLE_OPERATOR,
		  .owners = shop,
		  .n_owners = 1 },
	};
	bh_autoclose int viewer = -1, team = -1;

	assert_int_equal(ctl_server_set_grants(server, grants, 2, NULL), 0);
	fake.uid = 1000;
	viewer = connect_to(full_path);
	assert_ask(viewer, HELLO, "hello");
	hear(viewer);
	assert_ask(viewer, "{\"v\":1,\"do\":\"revoke\"}",
		   "\"exit\":3,\"error\":\"revoke needs the role operator for everything; user "
		   "1000 has viewer\"");
	assert_ask(viewer, "{\"v\":1,\"do\":\"team\",\"name\":\"shop\"}", "\"exit\":3");
	fake = (struct ctl_creds) { .uid = 1001, .groups = groups, .n_groups = 3 };
	team = connect_to(full_path);
	assert_ask(team, "{\"v\":1,\"do\":\"team\",\"name\":\"shop\"}", "\"exit\":0}");
	assert_ask(team, "{\"v\":1,\"do\":\"team\",\"name\":\"bank\"}", "not yours");
	assert_ask(team, "{\"v\":1,\"do\":\"revoke\"}", "for everything");
	assert_ask(team, HELLO, "for everything");
}

static void the_restricted_socket(void **state)
{
	bh_autoclose int fd = -1;

	fake.uid = 1000; /* no role at all */
	fd = connect_to(restricted_path);
	assert_ask(fd, HELLO, "hello");
	hear(fd);
	assert_ask(fd, WAIT, "\"exit\":2,\"error\":\"there is no request \\\"wait\\\" on the read");
	close(BH_STEAL_FD(fd));
	fake.uid = 0;
	fd = connect_to(restricted_path);
	assert_ask(fd, WAIT, "there is no request");
	assert_ask(fd, "{\"v\":1,\"do\":\"revoke\"}", "there is no request");
}

static char refused[512];

static void on_refusal(const struct ctl_peer *peer, const char *verb, const char *why, void *arg)
{
	size_t len = strlen(refused);

	snprintf(refused + len, sizeof(refused) - len, "%u %s %s%s;", peer->uid,
		 ctl_role_name(peer->role), verb ? verb : "-",
		 strstr(why, "role") || strstr(why, "read-only") ? "" : " (why?)");
}

/* Whoever asks for what is not his; not whoever makes a mistake. */
static void refusals_are_told(void **state)
{
	const struct ctl_grant viewer = { .id = 1000, .role = CTL_ROLE_VIEWER, .everything = true };
	bh_autoclose int nobody = -1, fd = -1, restricted = -1;

	refused[0] = '\0';
	ctl_server_on_refusal(server, on_refusal);
	assert_int_equal(ctl_server_set_grants(server, &viewer, 1, NULL), 0);
	fake.uid = 1001;
	nobody = connect_to(full_path);
	assert_hears(nobody, "no role");
	fake.uid = 1000;
	fd = connect_to(full_path);
	assert_ask(fd, HELLO, "hello");
	hear(fd);
	assert_ask(fd, "{\"v\":1,\"do\":\"nothing\"}", "no request");
	assert_ask(fd, "{\"v\":1,\"do\":\"revoke\"}", "needs the role");
	restricted = connect_to(restricted_path);
	assert_ask(restricted, "{\"v\":1,\"do\":\"revoke\"}", "no request");
	assert_ask(restricted, "{\"v\":1,\"do\":\"nothing\"}", "no request");
	assert_string_equal(refused, "1001 none -;1000 viewer revoke;1000 viewer revoke;");
}

static void grants_taken_away(void **state)
{
	const struct ctl_grant grant = { .id = 1000,
					 .role = CTL_ROLE_OPERATOR,
					 .everything = true };
	bh_autoclose int idle = -1, waits = -1, self = -1, open_to_all = -1;

	assert_int_equal(ctl_server_set_grants(server, &grant, 1, NULL), 0);
	fake.uid = 1000;
	idle = connect_to(full_path);
	waits = connect_to(full_path);
	self = connect_to(full_path);
	open_to_all = connect_to(restricted_path);
	say(waits, WAIT);
	step_until(is_kept);
	say(self, "{\"v\":1,\"do\":\"revoke\"}");
	assert_closed(self);
	assert_closed(idle);
	assert_closed(waits);
	assert_int_equal(gone, 1);
	assert_ask(open_to_all, HELLO, "hello");
	assert_int_equal(connections(), 1);
}

static void modes_of_the_sockets(void **state)
{
	struct stat st;

	assert_int_equal(stat(full_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	assert_int_equal(stat(restricted_path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0666);
}

static void another_server(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_server *second;
	char wanted[128];

	assert_int_equal(ctl_server_new(event, verbs, 1, NULL, NULL, &second, &err), 0);
	assert_int_equal(ctl_server_listen(second, full_path, (gid_t)-1, &err), -EADDRINUSE);
	snprintf(wanted, sizeof(wanted), "another bulkheadd answers on %s", full_path);
	assert_string_equal(err.msg, wanted);
	ctl_server_free(second);
	settle();
	close(connect_to(full_path)); /* the first one's is still there */
}

static void tables_that_contradict_themselves(void **state)
{
	const struct ctl_verb wrong[][2] = {
		{ verbs[0], { "write", CTL_ROLE_OPERATOR, .read_only = true, .run = run_hello } },
		{ verbs[0], { "none", CTL_ROLE_NONE, .run = run_hello } },
		{ verbs[0], { "empty", CTL_ROLE_VIEWER } },
		{ verbs[0], verbs[0] },
	};
	struct bh_err err = BH_ERR_INIT;
	struct ctl_server *s;

	for (size_t i = 0; i < BH_ARRAY_SIZE(wrong); i++)
		assert_int_equal(ctl_server_new(event, wrong[i], 2, NULL, NULL, &s, &err), -EINVAL);
}

/* The kernel's own word, whoever runs this. */
static void a_real_peer(void **state)
{
	const struct ctl_grant grant = { .id = geteuid(),
					 .role = CTL_ROLE_OPERATOR,
					 .everything = true };
	bh_autoclose int fd = -1;

	server->creds_read = ctl_creds_read;
	assert_int_equal(ctl_server_set_grants(server, &grant, 1, NULL), 0);
	fd = connect_to(full_path);
	say(fd, WAIT);
	step_until(is_kept);
	assert_int_equal(ctl_call_peer(kept)->pid, getpid());
	assert_int_equal(ctl_call_peer(kept)->uid, geteuid());
	assert_int_equal(ctl_call_peer(kept)->gid, getegid());
	assert_string_equal(ctl_call_peer(kept)->comm, "test_server");
	assert_true(ctl_peer_may(ctl_call_peer(kept), CTL_ROLE_OPERATOR, NULL));
	ctl_call_end(kept, CTL_EXIT_YES, NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(items_and_an_end),
		T(requests_sent_ahead_wait_their_turn),
		T(an_answer_after_a_half_close),
		T(wrong_requests),
		T(a_client_that_goes_is_told),
		T(a_call_that_ends_too_late),
		T(the_server_ends_with_a_call_running),
		T(a_long_answer),
		T(more_with_nothing_queued),
		T(nobody_without_a_role),
		T(roles_at_the_door_of_a_verb),
		T(the_restricted_socket),
		T(refusals_are_told),
		T(grants_taken_away),
		T(modes_of_the_sockets),
		T(another_server),
		T(tables_that_contradict_themselves),
		T(a_real_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
