/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/policy/policy.h>

#include "../../../src/daemon/grants.h"

static struct host_config config;
static struct ctl_grant *grants;
static size_t n;
static struct bh_err err;

static int build(const char *yaml)
{
	struct policy_source source = { "bulkhead.yaml", yaml, strlen(yaml) };
	struct diag_list diags;

	err = (struct bh_err)BH_ERR_INIT;
	grants = (void *)0x1;
	n = 77;
	diag_list_init(&diags);
	assert_int_equal(host_config_parse(&source, &config, &diags, &err), 0);
	diag_list_done(&diags);
	return grants_build(&config, &grants, &n, &err);
}

static void done(void)
{
	free(grants);
	host_config_done(&config);
}

static void test_names_and_ids(void **state)
{
	assert_int_equal(build("roles:\n"
			       "- {user: root, role: viewer}\n"
			       "- {group: root, role: operator, owners: [team-a, team-b]}\n"
			       "- {user: 4294967294, role: admin}\n"
			       "- {group: \"1000\", role: viewer}\n"),
			 0);
	assert_int_equal(n, 4);
	assert_false(grants[0].is_group);
	assert_int_equal(grants[0].id, 0);
	assert_int_equal(grants[0].role, CTL_ROLE_VIEWER);
	assert_true(grants[0].everything);
	assert_true(grants[1].is_group);
	assert_int_equal(grants[1].id, 0);
	assert_int_equal(grants[1].role, CTL_ROLE_OPERATOR);
	assert_false(grants[1].everything);
	assert_int_equal(grants[1].n_owners, 2);
	assert_string_equal(grants[1].owners[1], "team-b");
	assert_int_equal(grants[2].id, UINT32_MAX - 1);
	assert_int_equal(grants[2].role, CTL_ROLE_ADMIN);
	assert_true(grants[3].is_group);
	assert_int_equal(grants[3].id, 1000);
	done();
}

/* Whoever else this machine knows: a name must not become another's ID. */
static void test_everybody(void **state)
{
	const struct passwd *pw;
	char yaml[256];

	setpwent();
	for (int i = 0; i < 20 && (pw = getpwent()); i++) {
		uid_t uid = pw->pw_uid;

		snprintf(yaml, sizeof(yaml), "roles: [{user: \"%s\", role: viewer}]", pw->pw_name);
		assert_int_equal(build(yaml), 0);
		assert_int_equal(grants[0].id, uid);
		done();
	}
	endpwent();
}

static void test_none(void **state)
{
	assert_int_equal(build(""), 0);
	assert_int_equal(n, 0);
	done();
}

static void assert_nobody(const char *yaml, const char *message)
{
	assert_int_equal(build(yaml), -ENOENT);
	assert_string_equal(err.msg, message);
	assert_ptr_equal(grants, (void *)0x1);
	assert_int_equal(n, 77);
	host_config_done(&config);
}

static void test_nobody(void **state)
{
	assert_nobody(
		"roles:\n- {user: root, role: viewer}\n- {user: no-such-user, role: viewer}\n",
		"bulkhead.yaml:3: there is no user 'no-such-user'");
	assert_nobody("roles: [{group: no-such-group, role: admin}]",
		      "bulkhead.yaml:1: there is no group 'no-such-group'");
}

static void test_group_id(void **state)
{
	gid_t gid = 77;

	err = (struct bh_err)BH_ERR_INIT;
	assert_int_equal(grants_group_id("no-such-group", &gid, &err), -ENOENT);
	assert_int_equal(gid, 77);
	assert_string_equal(err.msg, "there is no group 'no-such-group'");
	assert_int_equal(grants_group_id("root", &gid, &err), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(grants_group_id("123", &gid, &err), 0);
	assert_int_equal(gid, 123);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_ids), cmocka_unit_test(test_everybody),
		cmocka_unit_test(test_none),          cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_group_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
