// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection on which both ends talk all the time, to see when and in which direction it stops.
 *
 *   talk STATUS-FILE listen ADDRESS PORT/PROTO     (an own address)
 *   talk STATUS-FILE call ADDRESS PORT/PROTO
 *   talk STATUS-FILE hear ADDRESS PORT/tcp         (calls, and says nothing at all)
 *
 * The listener waits for the first one to call. From then on each end sends a numbered message
 * every 5 ms and keeps STATUS-FILE up to date, one line of fixed width:
 *
 *   sent N highest N received N retransmitted N error N
 *
 * `sent` counts attempts, `highest` is the largest number heard. Messages are lost if fewer were
 * received; what TCP had to send again is in `retransmitted`, less what the other end had already
 * (a busy machine makes TCP impatient). `error` is an errno that ended it.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/model/flowspec.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PACE_NS 5000000

static struct {
	int fd, status;
	bool stream, mute;
	uint64_t sent, highest, received;
	int error;
	uint8_t partial[8]; /* of a message in a stream */
	size_t have;
} talk = { .fd = -1 };

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void write_status(void)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	char line[160];
	unsigned again;
	int n;

	if (talk.stream && talk.fd >= 0)
		getsockopt(talk.fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	again = info.tcpi_total_retrans > info.tcpi_dsack_dups
			? info.tcpi_total_retrans - info.tcpi_dsack_dups
			: 0;
	n = snprintf(line, sizeof(line),
		     "sent %-10" PRIu64 " highest %-10" PRIu64 " received %-10" PRIu64
		     " retransmitted %-6u error %-4d\n",
		     talk.sent, talk.highest, talk.received, again, talk.error);
	if (pwrite(talk.status, line, (size_t)n, 0) != n)
		die("status");
}

static void hear(const uint8_t message[8])
{
	uint64_t number;

	memcpy(&number, message, sizeof(number));
	talk.received++;
	if (number > talk.highest)
		talk.highest = number;
}

/* EPERM is the own kernel that would not send; it may change its mind. */
static void failed(void)
{
	if (errno != EAGAIN && errno != EPERM && errno != EINTR)
		talk.error = errno;
}

static void speak(void)
{
	uint64_t number = ++talk.sent;

	write_status(); /* before the message leaves: whoever reads it knows the last that can be out */
	if (send(talk.fd, &number, sizeof(number), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		failed();
}

static void take(void)
{
	uint8_t data[4096];
	ssize_t n = recv(talk.fd, data, talk.stream ? sizeof(data) : 8, MSG_DONTWAIT);

	if (n < 0)
		failed();
	else if (n == 0 && talk.stream)
		talk.error = EPIPE;
	for (ssize_t i = 0; i < n; i++) {
		talk.partial[talk.have++] = data[i];
		if (talk.have < sizeof(talk.partial))
			continue;
		hear(talk.partial);
		talk.have = 0;
	}
}

static void converse(void)
{
	uint64_t next = now_ns();

	write_status();
	while (!talk.error) {
		struct pollfd p = { .fd = talk.fd, .events = POLLIN };
		uint64_t now = now_ns();

		if (now >= next) {
			if (!talk.mute)
				speak();
			next += PACE_NS;
		} else if (poll(&p, 1, (int)((next - now) / 1000000) + 1) > 0) {
			take();
			write_status();
		}
	}
	write_status();
}

static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_in6 *ret)
{
	struct bh_addr a;

	memset(ret, 0, sizeof(*ret));
	ret->sin6_family = AF_INET6;
	ret->sin6_port = htons(port);
	if (bh_addr_parse(text, &a))
		die(text);
	memcpy(&ret->sin6_addr, a.b, sizeof(ret->sin6_addr));
	if (a.family == AF_INET) { /* as ::ffff:a.b.c.d, so that one kind of socket does */
		memset(&ret->sin6_addr, 0, 10);
		memset(ret->sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(ret->sin6_addr.s6_addr + 12, a.b, 4);
	}
	return sizeof(*ret);
}

static void await_call(int fd)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	uint64_t first;

	write_status(); /* says that we listen */
	if (talk.stream) {
		talk.fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (talk.fd < 0)
			die("accept");
		close(fd);
		return;
	}
	if (recvfrom(fd, &first, sizeof(first), 0, (void *)&from, &len) != sizeof(first) ||
	    connect(fd, (void *)&from, len))
		die("recvfrom");
	talk.fd = fd;
	hear((const uint8_t *)&first);
}

int main(int argc, char **argv)
{
	struct port_spec port;
	struct sockaddr_in6 at;
	const char *why;
	bool listens;
	int fd, one = 1;
	socklen_t len;

	if (argc != 5 || port_spec_parse(argv[4], &port, &why)) {
		fprintf(stderr, "usage: talk STATUS-FILE listen|call|hear ADDRESS PORT/PROTO\n");
		return 2;
	}
	listens = !strcmp(argv[2], "listen");
	talk.mute = !strcmp(argv[2], "hear");
	talk.stream = port.proto == IPPROTO_TCP;
	talk.status = open(argv[1], O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
	len = socket_address(argv[3], port.lo, &at);
	fd = socket(AF_INET6, (talk.stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	if (talk.status < 0 || fd < 0)
		die("open");
	if (talk.stream && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY");
	if (listens && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
			bind(fd, (void *)&at, len) || (talk.stream && listen(fd, 1))))
		die("listen");
	if (!listens && connect(fd, (void *)&at, len))
		die("connect");
	if (listens)
		await_call(fd);
	else
		talk.fd = fd;
	converse();
	return 1;
}
