/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>

static void test_find(void **state)
{
	static const struct service services[] = { { .name = "web" }, { .name = "ledger" } };
	static const struct group groups[] = { { .name = "acquirers" }, { .name = "web" } };
	struct policy_set set = { .services = services,
				  .n_services = BH_ARRAY_SIZE(services),
				  .groups = groups,
				  .n_groups = BH_ARRAY_SIZE(groups) };

	assert_ptr_equal(policy_set_service(&set, "web"), &services[0]);
	assert_ptr_equal(policy_set_service(&set, "ledger"), &services[1]);
	assert_null(policy_set_service(&set, "acquirers")); /* a group is no service */
	assert_null(policy_set_service(&set, "we"));
	assert_null(policy_set_service(&set, "Web"));
	assert_null(policy_set_service(&set, ""));
	assert_ptr_equal(policy_set_group(&set, "web"), &groups[1]);
	assert_ptr_equal(policy_set_group(&set, "acquirers"), &groups[0]);
	assert_null(policy_set_group(&set, "ledger"));
	set.n_services = set.n_groups = 0;
	assert_null(policy_set_service(&set, "web"));
	assert_null(policy_set_group(&set, "web"));
}

/* Without a host file every runtime is asked, where it usually listens. */
static void test_host_defaults(void **state)
{
	struct host_config c;

	memset(&c, 0xff, sizeof(c));
	host_config_init(&c);
	assert_false(c.image_labels);
	assert_int_equal(c.unmanaged, UNMANAGED_IGNORE);
	assert_true(c.docker && c.podman && c.netns);
	assert_string_equal(c.docker_socket, "/var/run/docker.sock");
	assert_string_equal(c.podman_socket, "/run/podman/podman.sock");
	assert_int_equal(c.new_namespaces, NEW_NAMESPACES_QUARANTINE);
	assert_int_equal(c.n_grants, 0);
	assert_string_equal(c.control.socket, "/run/bulkhead/control.sock");
	assert_null(c.control.read_only_socket);
	assert_false(c.metrics.listen);
	assert_null(c.metrics.textfile);
	assert_true(c.retention.generations > 1);
	host_config_done(&c);
	host_config_done(&c);
	assert_true(c.docker);
}

static void test_freeing(void **state)
{
	struct bh_arena *a = bh_arena_new();
	struct policy_set *set = bh_arena_alloc(a, sizeof(*set));

	set->arena = a;
	policy_set_free(set);
	policy_set_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_host_defaults),
		cmocka_unit_test(test_freeing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
