// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a program's system calls give when it sends to somewhere, and how soon.
 *
 *   calls [--device NAME] [--timeout MS] ADDRESS PORT/PROTO     (tcp, udp; icmp is a ping)
 *
 * One line: each call with "ok" or the name of its errno, then the time that all took:
 *
 *   connect=ok send=EPERM recv=EHOSTUNREACH ms=0
 *
 * It ends at the first call after which no other makes sense: TCP at a connect() that failed.
 * ETIMEDOUT, EINPROGRESS and EAGAIN come when time is over (1 s if it is not said). SO_BROADCAST
 * is set, so that broadcast addresses are addresses like others.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/flowspec.h>

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ICMP_FILTER 1 /* as in linux/icmp.h, which defines netinet/ip_icmp.h's words again */

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool is_ping(const struct port_spec *p)
{
	return p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;
}

static socklen_t socket_address(const struct bh_addr *a, uint16_t port,
				struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = a->family;
	if (a->family == AF_INET) {
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->b, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->b, 16);
	return sizeof(*in6);
}

/* A raw socket is told of errors only when it is connected, and is given all that comes. */
static void only_replies(int fd, uint8_t family)
{
	uint32_t only4 = ~(1U << ICMP_ECHOREPLY);
	struct icmp6_filter only6;

	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	if (family == AF_INET ? setsockopt(fd, SOL_RAW, ICMP_FILTER, &only4, sizeof(only4))
			      : setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof(only6)))
		die("ICMP filter");
}

static int open_socket(uint8_t family, const struct port_spec *p, const char *device,
		       uint64_t timeout_ms)
{
	int type = is_ping(p) ? SOCK_RAW : p->proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int proto = !is_ping(p) ? 0 : family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	struct timeval t = { .tv_sec = (time_t)(timeout_ms / 1000),
			     .tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000) };
	int one = 1, fd = socket(family, type | SOCK_CLOEXEC, proto);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)))
		die("socket");
	if (device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)))
		die(device);
	if (is_ping(p))
		only_replies(fd, family);
	return fd;
}

static bool said(const char *call, bool ok)
{
	printf("%s=%s ", call, ok ? "ok" : strerrorname_np(errno));
	return ok;
}

/* Over IPv6 the kernel fills in the checksum; over IPv4 it is that of a message of zeros. */
static ssize_t send_something(int fd, uint8_t family, const struct port_spec *p)
{
	struct icmphdr echo = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };

	if (!is_ping(p))
		return send(fd, "calls\n", 6, MSG_NOSIGNAL);
	if (family == AF_INET6)
		echo.type = ICMP6_ECHO_REQUEST;
	return send(fd, &echo, sizeof(echo), 0);
}

static void call_all(int fd, const struct bh_addr *to, const struct port_spec *p)
{
	struct sockaddr_storage at;
	socklen_t len = socket_address(to, p->lo, &at);
	char data[512];

	if (!said("connect", connect(fd, (void *)&at, len) == 0))
		return;
	said("send", send_something(fd, to->family, p) >= 0); /* an error to read may follow */
	said("recv", recv(fd, data, sizeof(data), 0) >= 0);
}

int main(int argc, char **argv)
{
	uint64_t timeout_ms = 1000, begin;
	const char *device = NULL, *why = "";
	struct port_spec port;
	struct bh_addr to;
	int i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--device"))
			device = argv[i + 1];
		else if (strcmp(argv[i], "--timeout") != 0 ||
			 bh_parse_u64(argv[i + 1], 1, 60000, &timeout_ms))
			break;
	}
	if (argc - i != 2 || bh_addr_parse(argv[i], &to) ||
	    port_spec_parse(argv[i + 1], &port, &why)) {
		fprintf(stderr, "usage: calls [--device NAME] [--timeout MS] ADDRESS PORT/PROTO\n");
		return 2;
	}
	begin = now_ms();
	call_all(open_socket(to.family, &port, device, timeout_ms), &to, &port);
	printf("ms=%llu\n", (unsigned long long)(now_ms() - begin));
	return 0;
}
