/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/sys/tcpsock.h>

static int listen_on(const char *address, uint16_t port, int *fd, struct bh_err *err)
{
	struct bh_addr a;

	*err = (struct bh_err)BH_ERR_INIT;
	*fd = -1;
	assert_int_equal(bh_addr_parse(address, &a), 0);
	return tcpsock_listen_loopback(&a, port, 4, fd, err);
}

static void test_listen(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
	int fd, other, client;
	struct bh_err err;

	assert_int_equal(listen_on("127.0.0.2", 0, &fd, &err), 0);
	assert_true(tcpsock_port(fd) > 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	a.sin_port = htons((uint16_t)tcpsock_port(fd));
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen_on("127.0.0.2", ntohs(a.sin_port), &other, &err), -EADDRINUSE);
	assert_int_equal(other, -1);
	assert_non_null(strstr(err.msg, "cannot listen on 127.0.0.2 port "));
	close(client);
	close(fd);
	/* At once again, though connections of before may linger. */
	assert_int_equal(listen_on("127.0.0.2", ntohs(a.sin_port), &fd, &err), 0);
	close(fd);
}

static void test_v6(void **state)
{
	struct bh_err err;
	int fd, r = listen_on("::1", 0, &fd, &err);

	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) {
		print_message("this host has no ::1\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(tcpsock_port(fd) > 0);
	close(fd);
}

static void test_loopback_only(void **state)
{
	static const char *const others[] = {
		"0.0.0.0", "::", "192.0.2.1", "128.0.0.1", "126.255.255.255", "fe80::1", "::2"
	};
	struct bh_err err;
	int fd;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		assert_int_equal(listen_on(others[i], 0, &fd, &err), -EINVAL);
		assert_non_null(strstr(err.msg, "is not a loopback address"));
		assert_int_equal(fd, -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_loopback_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
