/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/site.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/policy/policy.h>

#define ID                                                                                         \
	"0123456789abcdef0123456789abcdef"                                                         \
	"0123456789abcdef0123456789abcdef"

static const char policy[] = "service: web\nowner: us\nselect: {name: web}\n"
			     "egress:\n  - to: [{cidr: 192.0.2.0/24}]\n    ports: [443/tcp]\n";

static void write_policy(char path[64])
{
	int fd;

	strcpy(path, "/tmp/test_site-XXXXXX.yaml");
	fd = mkstemps(path, 5);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, policy, strlen(policy)), (ssize_t)strlen(policy));
	close(fd);
}

static struct endpoint_set *two(void)
{
	const struct endpoint e[] = {
		{ .id = ID, .name = "db", .runtime = ENDPOINT_DOCKER, .pid = 4711 },
		{ .id = "web", .name = "web", .runtime = ENDPOINT_NETNS },
	};
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *s;

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(endpoint_builder_add(b, &e[i], NULL), 0);
	assert_int_equal(endpoint_builder_finish(b, &s, NULL), 0);
	endpoint_builder_free(b);
	return s;
}

/* Whose process has ended is no endpoint any more, whether its engine answers or not. */
static void test_ended_though_nobody_answers(void **state)
{
	const struct site_options o = { .docker_socket = "/nonexistent/docker.sock" };
	struct site_hint hint = { ENDPOINT_DOCKER, ID, 0 };
	struct endpoint_set *known = two();
	struct diag_list diags;
	const char *paths[1];
	struct site s;
	char path[64];
	uint64_t serial;

	write_policy(path);
	paths[0] = path;
	diag_list_init(&diags);
	site_init(&s);
	assert_int_equal(policy_load(paths, 1, &s.policies, &diags, NULL), 0);
	s.state = compile_state_new();
	assert_int_equal(site_assume(&s, known, &diags, NULL), 0);

	assert_true(site_refresh_some(&s, &o, &hint, 1, &diags, NULL) < 0);
	assert_int_equal(s.endpoints->n, 2);
	hint.ended_pid = 4712; /* of an earlier life */
	assert_true(site_refresh_some(&s, &o, &hint, 1, &diags, NULL) < 0);
	assert_int_equal(s.endpoints->n, 2);
	serial = s.serial;
	hint.ended_pid = 4711;
	assert_true(site_refresh_some(&s, &o, &hint, 1, &diags, NULL) < 0);
	assert_int_equal(s.endpoints->n, 1);
	assert_string_equal(s.endpoints->endpoints[0].id, "web");
	assert_true(s.outdated); /* nobody was asked */
	assert_true(s.serial > serial);

	site_done(&s);
	endpoint_set_free(known);
	diag_list_done(&diags);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ended_though_nobody_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
