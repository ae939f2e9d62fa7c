/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Answers as the kernel gives them, and as it does not, from the other end of a socket pair: they
 * are all there before the request is sent.
 */

static struct nlsock nl;
static int peer;

static int setup(void **state)
{
	const struct timeval patience = { .tv_usec = 200000 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	nl = (struct nlsock) { .fd = pair[0], .seq = 40 };
	peer = pair[1];
	return 0;
}

static int teardown(void **state)
{
	nlsock_done(&nl);
	close(peer);
	return 0;
}

/* A datagram in the making. */
static char datagram[70000] __attribute__((aligned(16)));
static size_t datagram_len;

static struct nlmsghdr *add(uint16_t type, uint16_t flags, uint32_t seq, const void *data,
			    size_t len)
{
	struct nlmsghdr *nlh = (void *)(datagram + datagram_len);

	memset(nlh, 0, NLMSG_SPACE(len));
	*nlh = (struct nlmsghdr) { (uint32_t)NLMSG_LENGTH(len), type, flags, seq, 0 };
	if (len)
		memcpy(NLMSG_DATA(nlh), data, len);
	datagram_len += NLMSG_SPACE(len);
	return nlh;
}

static void add_error(uint32_t seq, int error)
{
	struct nlmsgerr e = { .error = error };

	add(NLMSG_ERROR, 0, seq, &e, sizeof(e));
}

static void flush(void)
{
	assert_int_equal(send(peer, datagram, datagram_len, 0), datagram_len);
	datagram_len = 0;
}

static const int32_t no_error;

/* What came through, as letters. */
static char heard[64];

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	size_t at = strlen(heard);

	assert_true(at + 1 < sizeof(heard));
	assert_ptr_equal(arg, heard);
	heard[at] = *(const char *)NLMSG_DATA(nlh);
	heard[at + 1] = '\0';
	return heard[at] == '!' ? -ECANCELED : 0;
}

/* --- transactions ---------------------------------------------------------------------------- */

static struct bh_err err;
static uint32_t failed;

static int transact(uint32_t ack_seq)
{
	heard[0] = err.msg[0] = '\0';
	failed = 0;
	return nlsock_transact(&nl, "request", 7, ack_seq, &failed, on_message, heard, &err);
}

static void test_acked(void **state)
{
	char got[16];

	add_error(9, 0);
	flush();
	assert_int_equal(transact(9), 0);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_DONTWAIT), 7);
	assert_memory_equal(got, "request", 7);
}

static void test_not_acked(void **state)
{
	assert_int_equal(transact(9), -EIO); /* silence is no consent */
	assert_string_equal(err.msg, "the kernel did not confirm the change");
	add_error(8, 0);
	add_error(10, 0);
	flush();
	assert_int_equal(transact(9), -EIO);
}

/* The first error counts and is named, even if the last message is acknowledged. */
static void test_refused(void **state)
{
	add_error(5, 0);
	add_error(6, -EEXIST);
	add_error(7, -ENOENT);
	flush();
	add_error(9, 0);
	flush();
	assert_int_equal(transact(9), -EEXIST);
	assert_int_equal(failed, 6);
	assert_string_equal(err.msg, "the kernel refused the change: File exists");
}

static void test_echo(void **state)
{
	add(0x100, 0, 3, "a", 1);
	add(0x100, 0, 4, "b", 1);
	flush();
	add(0x100, 0, 4, "c", 1);
	add_error(9, 0);
	flush();
	assert_int_equal(transact(9), 0);
	assert_string_equal(heard, "abc");
}

static void test_echo_ended(void **state)
{
	add(0x100, 0, 3, "a", 1);
	add(0x100, 0, 4, "!", 1);
	add(0x100, 0, 4, "c", 1);
	add_error(9, 0);
	flush();
	assert_int_equal(transact(9), -ECANCELED);
	assert_string_equal(heard, "a!");
}

/* An error message too short for its number; lengths that lie. */
static void test_damaged_answers(void **state)
{
	add(NLMSG_ERROR, 0, 9, "xy", 2);
	flush();
	assert_int_equal(transact(9), -EBADMSG);
	add_error(9, 0);
	((struct nlmsghdr *)(void *)datagram)->nlmsg_len = 4000; /* more than there is */
	flush();
	assert_int_equal(transact(9), -EIO);
	add_error(9, 0);
	((struct nlmsghdr *)(void *)datagram)->nlmsg_len = 3; /* less than a header */
	flush();
	assert_int_equal(transact(9), -EIO);
	assert_string_equal(heard, "");
}

static void test_answer_too_large(void **state)
{
	memset(datagram, 0, sizeof(datagram));
	datagram_len = 66000;
	flush();
	assert_int_equal(transact(9), -EMSGSIZE);
}

/* --- large requests -------------------------------------------------------------------------- */

/* The send buffer grows as needed; who may not make it grow is told, and soon. */
static int send_large(size_t len)
{
	char *data = calloc(1, len);
	int small = 4096, r;

	setsockopt(nl.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	r = nlsock_transact(&nl, data, len, 9, NULL, NULL, NULL, &err);
	free(data);
	return r;
}

static void test_large_request(void **state)
{
	add_error(9, 0);
	flush();
	assert_int_equal(send_large(100000), 0);
}

static void test_large_request_without_rights(void **state)
{
	pid_t child = fork();
	int status = -1;

	assert_true(child >= 0);
	if (child == 0) {
		alarm(20); /* it would try for ever */
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(send_large(8 << 20) == -EMSGSIZE ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
/* --- queries --------------------------------------------------------------------------------- */

static int query(void)
{
	struct nlmsghdr nlh = { sizeof(nlh), 0x101, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 };

	heard[0] = err.msg[0] = '\0';
	return nlsock_query(&nl, &nlh, on_message, heard, &err);
}

/* Several answers in several datagrams; the request has the next number. */
static void test_dump(void **state)
{
	struct nlmsghdr got;

	add(0x100, NLM_F_MULTI, 41, "a", 1);
	add(0x100, NLM_F_MULTI, 41, "b", 1);
	flush();
	add(0x100, NLM_F_MULTI, 41, "c", 1);
	flush();
	add(NLMSG_DONE, NLM_F_MULTI, 41, &no_error, sizeof(no_error));
	flush();
	assert_int_equal(query(), 0);
	assert_string_equal(heard, "abc");
	assert_int_equal(nl.seq, 41);
	assert_int_equal(recv(peer, &got, sizeof(got), MSG_DONTWAIT), sizeof(got));
	assert_int_equal(got.nlmsg_seq, 41);
}

static void test_get(void **state)
{
	add(0x100, 0, 41, "a", 1);
	flush();
	add_error(41, 0);
	flush();
	assert_int_equal(query(), 0);
	assert_string_equal(heard, "a");
}

static void test_absent(void **state)
{
	add_error(41, -ENOENT);
	flush();
	assert_int_equal(query(), -ENOENT);
	assert_string_equal(err.msg, "reading from the kernel: No such file or directory");
}

/* What is left of a request that was given up belongs to nobody. */
static void test_leftovers(void **state)
{
	add(0x100, NLM_F_MULTI, 40, "x", 1);
	add(NLMSG_DONE, NLM_F_MULTI, 40, &no_error, sizeof(no_error));
	flush();
	add_error(39, -EPERM);
	add(0x100, NLM_F_MULTI, 41, "a", 1);
	add(NLMSG_DONE, NLM_F_MULTI, 41, &no_error, sizeof(no_error));
	flush();
	assert_int_equal(query(), 0);
	assert_string_equal(heard, "a");
}

static void test_interrupted(void **state)
{
	add(0x100, NLM_F_MULTI, 41, "a", 1);
	add(0x100, NLM_F_MULTI | NLM_F_DUMP_INTR, 41, "b", 1);
	flush();
	assert_int_equal(query(), -EINTR);
	assert_string_equal(heard, "a");
	add(0x100, NLM_F_MULTI, 42, "a", 1); /* the mark may come at the very end */
	add(NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 42, &no_error, sizeof(no_error));
	flush();
	assert_int_equal(query(), -EINTR);
}

/* What fails on its way says so in its last message. */
static void test_failed_at_the_end(void **state)
{
	static const int32_t gone = -ENOENT;

	add(0x100, NLM_F_MULTI, 41, "a", 1);
	add(NLMSG_DONE, NLM_F_MULTI, 41, &gone, sizeof(gone));
	flush();
	assert_int_equal(query(), -ENOENT);
	assert_string_equal(heard, "a");
	add(NLMSG_DONE, NLM_F_MULTI, 42, NULL, 0); /* older kernels say nothing */
	flush();
	assert_int_equal(query(), 0);
}

static void test_ended_by_reader(void **state)
{
	add(0x100, NLM_F_MULTI, 41, "!", 1);
	add(0x100, NLM_F_MULTI, 41, "b", 1);
	flush();
	assert_int_equal(query(), -ECANCELED);
	assert_string_equal(heard, "!");
}

/* A dump whose end never comes does not hold us for ever. */
static void test_no_end(void **state)
{
	add(0x100, NLM_F_MULTI, 41, "a", 1);
	flush();
	assert_int_equal(query(), -EAGAIN);
	assert_string_equal(heard, "a");
}

static void test_short_error(void **state)
{
	add(NLMSG_ERROR, 0, 41, "xy", 2);
	flush();
	assert_int_equal(query(), -EBADMSG);
}

static void test_done_twice(void **state)
{
	nlsock_done(&nl);
	assert_int_equal(nl.fd, -1);
	nlsock_done(&nl); /* and again does no harm */
	assert_int_equal(query(), -EBADF);
}

/* --- sockets that were left ------------------------------------------------------------------ */

static int route_socket(uint32_t groups, bool bound)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_true(fd >= 0);
	if (bound)
		assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void assert_not_adopted(int fd, int protocol)
{
	struct nlsock s = NLSOCK_INIT;

	assert_int_equal(nlsock_adopt(&s, fd, protocol, &err), -EINVAL);
	assert_int_equal(s.fd, -1);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* it is the caller's still */
	close(fd);
}

static void test_not_ours(void **state)
{
	assert_not_adopted(open("/dev/null", O_RDONLY), NETLINK_ROUTE);
	assert_not_adopted(socket(AF_UNIX, SOCK_SEQPACKET, 0), NETLINK_ROUTE);
	assert_not_adopted(route_socket(0, false), NETLINK_ROUTE);
	assert_not_adopted(route_socket(RTMGRP_LINK, true), NETLINK_ROUTE);
	assert_not_adopted(route_socket(0, true), NETLINK_NETFILTER);
}

static void ask_links(int fd, uint32_t seq, uint16_t flags)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
	} ask = { { sizeof(ask), RTM_GETLINK, (uint16_t)(NLM_F_REQUEST | flags), seq, 0 }, { 0 } };

	assert_int_equal(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
}

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	assert_int_equal(nlh->nlmsg_type, RTM_NEWLINK);
	++*(size_t *)arg;
	return 0;
}

/* An error with the next number, half a dump; and reading is made not to wait. */
static void test_adopted(void **state)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg ifi;
	} ask = { { sizeof(ask), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 }, { 0 } };
	struct sockaddr_nl addr;
	socklen_t len = sizeof(addr);
	struct nlsock s = NLSOCK_INIT;
	size_t links = 0;
	int fd = route_socket(0, true);

	ask_links(fd, 1, 0); /* of no link: an error */
	ask_links(fd, 1, NLM_F_DUMP);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(nlsock_adopt(&s, fd, NETLINK_ROUTE, &err), 0);
	assert_int_equal(s.fd, fd);
	assert_int_equal(s.portid, addr.nl_pid);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(nlsock_query(&s, &ask.nlh, on_link, &links, &err), 0);
	assert_true(links >= 1);
	nlsock_done(&s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_acked),
		CASE(test_not_acked),
		CASE(test_refused),
		CASE(test_echo),
		CASE(test_echo_ended),
		CASE(test_damaged_answers),
		CASE(test_answer_too_large),
		CASE(test_large_request),
		CASE(test_large_request_without_rights),
		CASE(test_dump),
		CASE(test_get),
		CASE(test_absent),
		CASE(test_leftovers),
		CASE(test_interrupted),
		CASE(test_failed_at_the_end),
		CASE(test_ended_by_reader),
		CASE(test_no_end),
		CASE(test_short_error),
		CASE(test_done_twice),
		CASE(test_not_ours),
		CASE(test_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
