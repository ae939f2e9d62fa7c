/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "../../../src/ctl/role.h"

static const char *const payments[] = { "payments" };
static const char *const two[] = { "shop", "search" };

static const struct ctl_grant site[] = {
	{ .id = 1000, .role = CTL_ROLE_OPERATOR, .everything = true },
	{ .is_group = true, .id = 500, .role = CTL_ROLE_VIEWER, .everything = true },
	{ .is_group = true,
	  .id = 501,
	  .role = CTL_ROLE_OPERATOR,
	  .owners = payments,
	  .n_owners = 1 },
	{ .id = 1002, .role = CTL_ROLE_ADMIN, .owners = two, .n_owners = 2 },
	{ .id = 1003, .role = CTL_ROLE_OPERATOR }, /* for nothing at all */
	{ .id = 1004, .role = CTL_ROLE_NONE, .everything = true },
};

static struct ctl_grants *grants;
static const struct ctl_grant *room[BH_ARRAY_SIZE(site)];

static int setup(void **state)
{
	return ctl_grants_new(site, BH_ARRAY_SIZE(site), &grants, NULL);
}

static int teardown(void **state)
{
	ctl_grants_free(grants);
	return 0;
}

static struct ctl_peer judge(uid_t uid, gid_t gid, gid_t group, bool restricted)
{
	struct ctl_creds creds = { 1, uid, gid, &group, 1 };
	struct ctl_peer peer = { .restricted = restricted };

	ctl_peer_judge(&peer, &creds, grants, room);
	return peer;
}

static void assert_roles(struct ctl_peer peer, enum ctl_role role, enum ctl_role everything)
{
	assert_int_equal(peer.role, role);
	assert_int_equal(peer.role_everything, everything);
}

static void roles_by_user_and_group(void **state)
{
	assert_roles(judge(0, 0, 0, false), CTL_ROLE_ADMIN, CTL_ROLE_ADMIN);
	assert_roles(judge(1000, 1, 1, false), CTL_ROLE_OPERATOR, CTL_ROLE_OPERATOR);
	assert_roles(judge(7, 500, 1, false), CTL_ROLE_VIEWER, CTL_ROLE_VIEWER);
	assert_roles(judge(7, 1, 500, false), CTL_ROLE_VIEWER, CTL_ROLE_VIEWER);
	assert_roles(judge(7, 1, 1, false), CTL_ROLE_NONE, CTL_ROLE_NONE);
	/* A uid is not a gid. */
	assert_roles(judge(500, 1000, 1000, false), CTL_ROLE_NONE, CTL_ROLE_NONE);
	assert_roles(judge(1003, 1, 1, false), CTL_ROLE_NONE, CTL_ROLE_NONE);
	assert_roles(judge(1004, 1, 1, false), CTL_ROLE_NONE, CTL_ROLE_NONE);
	assert_roles(judge((uid_t)-1, (gid_t)-1, 0, false), CTL_ROLE_NONE, CTL_ROLE_NONE);
}

static void teams_keep_to_their_owners(void **state)
{
	struct ctl_peer peer = judge(7, 500, 501, false);

	assert_roles(peer, CTL_ROLE_OPERATOR, CTL_ROLE_VIEWER);
	assert_true(ctl_peer_may(&peer, CTL_ROLE_OPERATOR, "payments"));
	assert_false(ctl_peer_may(&peer, CTL_ROLE_OPERATOR, "shop"));
	assert_false(ctl_peer_may(&peer, CTL_ROLE_OPERATOR, NULL));
	assert_false(ctl_peer_may(&peer, CTL_ROLE_ADMIN, "payments"));
	assert_true(ctl_peer_may(&peer, CTL_ROLE_VIEWER, "shop"));
	assert_true(ctl_peer_may(&peer, CTL_ROLE_VIEWER, NULL));

	/* Roles of two teams do not mix: admin for one, operator for the other. */
	peer = judge(1002, 501, 1, false);
	assert_roles(peer, CTL_ROLE_ADMIN, CTL_ROLE_NONE);
	assert_true(ctl_peer_may(&peer, CTL_ROLE_ADMIN, "search"));
	assert_true(ctl_peer_may(&peer, CTL_ROLE_OPERATOR, "payments"));
	assert_false(ctl_peer_may(&peer, CTL_ROLE_ADMIN, "payments"));
	assert_false(ctl_peer_may(&peer, CTL_ROLE_VIEWER, NULL));
}

static void verbs_that_do_not_know_teams(void **state)
{
	struct ctl_verb verb = { .name = "apply", .least = CTL_ROLE_OPERATOR };
	struct ctl_peer peer = judge(7, 500, 501, false);

	assert_false(ctl_peer_may_call(&peer, &verb));
	verb.by_owner = true;
	assert_true(ctl_peer_may_call(&peer, &verb));
	peer = judge(1000, 1, 1, false);
	verb.by_owner = false;
	assert_true(ctl_peer_may_call(&peer, &verb));
	verb.least = CTL_ROLE_ADMIN;
	assert_false(ctl_peer_may_call(&peer, &verb));
}

static void whoever_comes_in_on_the_restricted_socket(void **state)
{
	const struct ctl_verb apply = { .name = "apply", .least = CTL_ROLE_OPERATOR };
	const struct ctl_verb denied = { .name = "denied", .least = CTL_ROLE_VIEWER };
	const struct ctl_verb status = { .name = "status",
					 .least = CTL_ROLE_VIEWER,
					 .read_only = true };

	for (uid_t uid = 0; uid < 2000; uid += 1000) {
		struct ctl_peer peer = judge(uid, 0, 0, true);

		assert_roles(peer, CTL_ROLE_VIEWER, CTL_ROLE_VIEWER);
		assert_false(ctl_peer_may(&peer, CTL_ROLE_OPERATOR, "shop"));
		assert_false(ctl_peer_may_call(&peer, &apply));
		assert_false(ctl_peer_may_call(&peer, &denied));
		assert_true(ctl_peer_may_call(&peer, &status));
	}
}

static void grants_are_copied_and_counted(void **state)
{
	char name[] = "team";
	const char *owners[] = { name };
	struct ctl_grant g = { .id = 5, .role = CTL_ROLE_VIEWER, .owners = owners, .n_owners = 1 };
	struct ctl_creds creds = { .uid = 5 };
	struct ctl_grants *copy = NULL;
	struct ctl_peer peer = { 0 };
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(ctl_grants_new(&g, 1, &copy, &err), 0);
	memset(name, 'x', sizeof(name) - 1);
	owners[0] = NULL;
	ctl_peer_judge(&peer, &creds, copy, room);
	assert_true(ctl_peer_may(&peer, CTL_ROLE_VIEWER, "team"));
	ctl_grants_free(copy);
	g.n_owners = BH_CTL_OWNERS_MAX + 1;
	assert_int_equal(ctl_grants_new(&g, 1, &copy, &err), -E2BIG);
	assert_int_equal(ctl_grants_new(&g, BH_CTL_GRANTS_MAX + 1, &copy, &err), -E2BIG);
}

/* The kernel's word about ourselves. */
static void real_credentials(void **state)
{
	gid_t groups[256];
	int n = getgroups(256, groups), pair[2];
	struct ctl_creds c;
	struct ctl_peer peer = { 0 };

	assert_true(n >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(ctl_creds_read(pair[0], &c), 0);
	assert_int_equal(c.pid, getpid());
	assert_int_equal(c.uid, geteuid());
	assert_int_equal(c.gid, getegid());
	assert_int_equal(c.n_groups, n);
	for (int i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < c.n_groups; k++)
			found |= c.groups[k] == groups[i];
		assert_true(found);
	}
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[31m\nb"), 0);
	ctl_peer_name(&peer, &c);
	assert_string_equal(peer.comm, "a\\x1b[31m\\x0ab");
	c.pid = 0;
	ctl_peer_name(&peer, &c);
	assert_string_equal(peer.comm, "?");
	ctl_creds_done(&c);
	close(pair[0]);
	close(pair[1]);
}

static void no_credentials_without_a_socket(void **state)
{
	bh_autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct ctl_creds c;

	assert_int_equal(ctl_creds_read(fd, &c), -ENOTSOCK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roles_by_user_and_group),
		cmocka_unit_test(teams_keep_to_their_owners),
		cmocka_unit_test(verbs_that_do_not_know_teams),
		cmocka_unit_test(whoever_comes_in_on_the_restricted_socket),
		cmocka_unit_test(grants_are_copied_and_counted),
		cmocka_unit_test(real_credentials),
		cmocka_unit_test(no_credentials_without_a_socket),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
