/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/runtime/runtime.h>

/* The host's own addresses, and whether a runtime's socket is there. */

static bool is_loopback(const struct bh_addr *a)
{
	static const struct bh_addr one = { AF_INET6, { [15] = 1 } };

	return a->family == AF_INET ? a->b[0] == 127 : bh_addr_cmp(a, &one) == 0;
}

/* Whatever this machine has: no loopback, no link-local IPv6, and each is a real address. */
static void test_addresses(void **state)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct endpoint_set *set = NULL;
	struct bh_err err = BH_ERR_INIT;

	assert_non_null(b);
	assert_int_equal(runtime_host_addrs(b, &err), 0);
	assert_int_equal(endpoint_builder_finish(b, &set, &err), 0);
	for (size_t i = 0; i < set->n_host_addrs; i++) {
		const struct bh_addr *a = &set->host_addrs[i];

		assert_true(a->family == AF_INET || a->family == AF_INET6);
		assert_false(is_loopback(a));
		assert_false(a->family == AF_INET6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80);
	}
	endpoint_set_free(set);
	endpoint_builder_free(b);
}

static void test_socket(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/bulkhead-host-XXXXXX";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_non_null(mkdtemp(dir));
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", dir);
	assert_false(runtime_socket_exists(a.sun_path));
	assert_false(runtime_socket_exists(dir));
	assert_false(runtime_socket_exists("/dev/null"));
	assert_false(runtime_socket_exists(""));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_true(runtime_socket_exists(a.sun_path));
	close(fd);
	unlink(a.sun_path);
	rmdir(dir);
}

/* Files that are no namespaces, and the caller's own one, are not containers'. */
static void test_namespaces(void **state)
{
	char dir[] = "/tmp/bulkhead-host-XXXXXX", file[64], own[64];

	assert_non_null(mkdtemp(dir));
	assert_false(runtime_docker_has_namespaces(dir));
	snprintf(file, sizeof(file), "%s/0f3c", dir);
	snprintf(own, sizeof(own), "%s/default", dir);
	assert_int_equal(symlink("/proc/self/ns/net", own), 0);
	assert_int_equal(symlink("/dev/null", file), 0);
	assert_false(runtime_docker_has_namespaces(dir));
	unlink(file);
	unlink(own);
	rmdir(dir);
	assert_false(runtime_docker_has_namespaces(dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
