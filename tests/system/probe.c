// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the system tests send and answer with.
 *
 *   probe listen [--ready FILE] [--banner] [--join GROUP]... PORT/PROTO...
 *       Serves all these ports over IPv4 and IPv6: what comes in goes back, from the address that
 *       was asked. A line on stdout for each arrival: "tcp 5432 10.77.0.1". FILE appears once
 *       everything listens. With --banner a TCP server greets first and says nothing else. With
 *       --join it is a member of a multicast group on eth0.
 *
 *   probe ask [--timeout MS] [--tries N] [--hear]
 *       A question a line on stdin, "ADDRESS PORT/PROTO" or "ADDRESS icmp" (a ping); all are
 *       asked at once, and each gets a verdict a line on stdout:
 *         open         an answer came
 *         half         connected, but no answer came
 *         refused      a reset, or ICMP said that nobody listens
 *         unreachable  another ICMP error
 *         timeout      nothing came
 *       With --hear TCP waits for the greeting and sends nothing.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/flowspec.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define TOKEN      "probe\n"
#define QUESTIONS  65536 /* in one run */
#define IN_FLIGHT  2048  /* sockets open at once */
#define EVENTS_MAX 64

#define ICMP_FILTER 1 /* linux/icmp.h does not go with net/if.h */

enum state { WAITING, CONNECTING, LISTENING, DONE };

struct question {
	struct bh_addr to;
	struct port_spec port;
	enum state state;
	int fd; /* -1 for a ping, which shares a socket */
	unsigned int tries;
	uint64_t deadline;
	const char *verdict;
};

static struct {
	uint64_t timeout_ms;
	uint64_t tries;
	bool hear;
	int epoll;
	int ping4, ping6;
	struct question *q;
	size_t n, in_flight;
} ask = { .timeout_ms = 300, .tries = 2, .ping4 = -1, .ping6 = -1 };

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

static socklen_t to_sockaddr(const struct bh_addr *a, uint16_t port, struct sockaddr_storage *ret)
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

/* --- asking ------------------------------------------------------------------------------- */

static void settle(struct question *q, const char *verdict)
{
	q->verdict = verdict;
	q->state = DONE;
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	ask.in_flight--;
}

static void settle_error(struct question *q, int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ECONNRESET:
		settle(q, "refused");
		break;
	case ETIMEDOUT:
		settle(q, "timeout");
		break;
	default:
		settle(q, "unreachable");
	}
}

static void send_ping(struct question *q)
{
	bool six = q->to.family == AF_INET6;
	struct icmphdr echo = {
		.type = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO,
		.un.echo.id = (uint16_t)getpid(),
		.un.echo.sequence = (uint16_t)(q - ask.q),
	};
	struct sockaddr_storage to;
	socklen_t len = to_sockaddr(&q->to, 0, &to);
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(echo) / 2; i++)
		sum += ((const uint16_t *)&echo)[i];
	sum = (sum >> 16) + (sum & 0xffff);
	if (!six) /* over IPv6 the kernel does it */
		echo.checksum = (uint16_t) ~(sum + (sum >> 16));
	if (sendto(six ? ask.ping6 : ask.ping4, &echo, sizeof(echo), 0, (void *)&to, len) < 0 &&
	    errno != EPERM)
		settle_error(q, errno);
}

static void open_socket(struct question *q)
{
	int type = q->port.proto == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)(q - ask.q) };
	struct sockaddr_storage to;
	socklen_t len = to_sockaddr(&q->to, q->port.lo, &to);

	q->fd = socket(q->to.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		die("socket");
	q->state = CONNECTING;
	if (connect(q->fd, (void *)&to, len) && errno != EINPROGRESS)
		settle_error(q, errno);
	else if (epoll_ctl(ask.epoll, EPOLL_CTL_ADD, q->fd, &ev))
		die("epoll_ctl");
}

static void begin(struct question *q)
{
	q->tries++;
	q->deadline = now_ms() + ask.timeout_ms;
	if (!is_ping(&q->port)) {
		open_socket(q);
		return;
	}
	q->state = LISTENING;
	send_ping(q);
}

/* A packet may be late on a busy machine; only a silence is asked again. */
static void expire(struct question *q)
{
	if (q->tries >= ask.tries) {
		settle(q,
		       !is_ping(&q->port) && q->port.proto == IPPROTO_TCP && q->state == LISTENING
			       ? "half"
			       : "timeout");
		return;
	}
	if (q->fd >= 0)
		close(q->fd);
	begin(q);
}

static void connected(struct question *q)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = (uint32_t)(q - ask.q) };
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		settle_error(q, error);
		return;
	}
	q->state = LISTENING;
	epoll_ctl(ask.epoll, EPOLL_CTL_MOD, q->fd, &ev);
	if (ask.hear && q->port.proto == IPPROTO_TCP)
		return;
	/* EPERM is an output hook's drop; if it rejects, the reason comes as an error to read. */
	if (send(q->fd, TOKEN, strlen(TOKEN), MSG_NOSIGNAL) < 0 && errno != EPERM)
		settle_error(q, errno);
}

static void answered(struct question *q)
{
	char answer[64];
	ssize_t n = recv(q->fd, answer, sizeof(answer), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		settle_error(q, errno);
	else
		settle(q, n == 0 ? "refused" : "open");
}

static void ping_answered(int fd)
{
	uint8_t packet[512];
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		size_t skip = fd == ask.ping4 ? (size_t)(packet[0] & 0xf) * 4 : 0;
		struct icmphdr echo;

		if ((size_t)n < skip + sizeof(echo))
			continue;
		memcpy(&echo, packet + skip, sizeof(echo));
		if (echo.un.echo.id == (uint16_t)getpid() && echo.un.echo.sequence < ask.n &&
		    ask.q[echo.un.echo.sequence].state == LISTENING)
			settle(&ask.q[echo.un.echo.sequence], "open");
	}
}

static int ping_socket(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	uint32_t only4 = ~(1U << ICMP_ECHOREPLY);
	struct icmp6_filter only6;
	struct epoll_event ev = { .events = EPOLLIN,
				  .data.u32 = family == AF_INET ? QUESTIONS : QUESTIONS + 1 };

	ICMP6_FILTER_SETBLOCKALL(&only6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &only6);
	if (fd < 0 ||
	    (family == AF_INET
		     ? setsockopt(fd, SOL_RAW, ICMP_FILTER, &only4, sizeof(only4))
		     : setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only6, sizeof(only6))) ||
	    epoll_ctl(ask.epoll, EPOLL_CTL_ADD, fd, &ev))
		die("a raw socket for pings");
	return fd;
}

/* Room for another question is made by those that are settled or out of time. */
static void pump(void)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(ask.epoll, events, EVENTS_MAX, 20);

	for (int i = 0; i < n; i++) {
		uint32_t at = events[i].data.u32;

		if (at >= QUESTIONS)
			ping_answered(at == QUESTIONS ? ask.ping4 : ask.ping6);
		else if (ask.q[at].state == CONNECTING)
			connected(&ask.q[at]);
		else if (ask.q[at].state == LISTENING)
			answered(&ask.q[at]);
	}
}

static void ask_all(void)
{
	size_t next = 0, first = 0;

	while (next < ask.n || ask.in_flight > 0) {
		while (next < ask.n && ask.in_flight < IN_FLIGHT) {
			ask.in_flight++;
			begin(&ask.q[next++]);
		}
		pump();
		while (first < next && ask.q[first].state == DONE)
			first++;
		for (size_t i = first; i < next; i++)
			if (ask.q[i].state != DONE && now_ms() >= ask.q[i].deadline)
				expire(&ask.q[i]);
	}
}

static void read_questions(void)
{
	char line[256], to[64], port[64];
	const char *why = "not 'ADDRESS PORT/PROTO'";

	ask.q = calloc(QUESTIONS, sizeof(*ask.q));
	if (!ask.q)
		die("calloc");
	for (; fgets(line, sizeof(line), stdin); ask.n++) {
		struct question *q = &ask.q[ask.n % QUESTIONS];

		q->fd = -1;
		if (ask.n >= QUESTIONS || sscanf(line, "%63s %63s", to, port) != 2 ||
		    bh_addr_parse(to, &q->to) || port_spec_parse(port, &q->port, &why) ||
		    (!is_ping(&q->port) && q->port.proto != IPPROTO_TCP &&
		     q->port.proto != IPPROTO_UDP)) {
			fprintf(stderr, "probe: line %zu: %s: %s", ask.n + 1, why, line);
			exit(2);
		}
	}
}

static int run_ask(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		uint64_t *number = !strcmp(argv[i], "--timeout") ? &ask.timeout_ms
				   : !strcmp(argv[i], "--tries") ? &ask.tries
								 : NULL;

		if (!strcmp(argv[i], "--hear"))
			ask.hear = true;
		else if (!number || i + 1 == argc || bh_parse_u64(argv[++i], 1, 60000, number))
			return -EINVAL;
	}
	read_questions();
	ask.epoll = epoll_create1(EPOLL_CLOEXEC);
	ask.ping4 = ping_socket(AF_INET);
	ask.ping6 = ping_socket(AF_INET6);
	ask_all();
	for (size_t i = 0; i < ask.n; i++)
		puts(ask.q[i].verdict);
	return 0;
}

/* --- listening ---------------------------------------------------------------------------- */

struct server {
	int fd;
	uint16_t port;
	bool stream, accepted;
};

static bool greets;
static int listeners;

static void watch(struct server s)
{
	struct server *kept = malloc(sizeof(s));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = kept };

	if (!kept)
		die("malloc");
	*kept = s;
	if (epoll_ctl(listeners, EPOLL_CTL_ADD, s.fd, &ev))
		die("epoll_ctl");
}

/* With each datagram comes the address that it was sent to, for the answer to come from. */
static int tell_address(int family, int fd)
{
	int one = 1;

	return family == AF_INET
		       ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one))
		       : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
}

/* Membership is the host's, whichever socket asks for it. */
static void join(const char *text)
{
	struct group_req group = { .gr_interface = if_nametoindex("eth0") };
	struct bh_addr a;
	int fd;

	if (bh_addr_parse(text, &a))
		die(text);
	to_sockaddr(&a, 0, &group.gr_group);
	fd = socket(a.family, SOCK_DGRAM, 0); /* open to the end, as its membership */
	if (fd < 0 || setsockopt(fd, a.family == AF_INET ? SOL_IP : SOL_IPV6, MCAST_JOIN_GROUP,
				 &group, sizeof(group)))
		die("join");
}

static void listen_on(int family, uint16_t proto, uint16_t port)
{
	struct server s = { .port = port, .stream = proto == IPPROTO_TCP };
	struct bh_addr any = { .family = (uint8_t)family };
	struct sockaddr_storage at;
	socklen_t len = to_sockaddr(&any, port, &at);
	int one = 1;

	s.fd = socket(family, (s.stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC,
		      0);
	if (s.fd < 0 || setsockopt(s.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    (family == AF_INET6 &&
	     setsockopt(s.fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    (!s.stream && tell_address(family, s.fd)) || bind(s.fd, (void *)&at, len) ||
	    (s.stream && listen(s.fd, 1024)))
		die("listen");
	watch(s);
}

static void report(const struct server *s, const struct sockaddr_storage *from)
{
	struct bh_addr a = { .family = (uint8_t)from->ss_family };
	char text[BH_ADDR_STR];

	if (a.family == AF_INET)
		memcpy(a.b, &((const struct sockaddr_in *)from)->sin_addr, 4);
	else
		memcpy(a.b, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	printf("%s %u %s\n", s->stream ? "tcp" : "udp", s->port, bh_addr_format(text, &a));
}

static void greet(const struct server *s)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	struct server c = *s;

	c.fd = accept4(s->fd, (void *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c.fd < 0)
		return;
	c.accepted = true;
	report(s, &from);
	if (greets && send(c.fd, TOKEN, strlen(TOKEN), MSG_NOSIGNAL) < 0)
		perror("send");
	watch(c);
}

static void answer_datagram(const struct server *s)
{
	char data[4096];
	char control[64] __attribute__((aligned(8))); /* either family's packet information */
	struct sockaddr_storage from = { 0 };
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = { .msg_name = &from,
			      .msg_namelen = sizeof(from),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &msg, 0);

	if (n < 0)
		return;
	report(s, &from);
	iov.iov_len = (size_t)n;
	if (sendmsg(s->fd, &msg, 0) >= 0 || errno != EINVAL)
		return;
	msg.msg_controllen = 0; /* nobody answers from a group's address */
	sendmsg(s->fd, &msg, 0);
}

static void answer(struct server *s)
{
	char data[4096];
	ssize_t n;

	if (!s->stream) {
		answer_datagram(s);
		return;
	}
	n = recv(s->fd, data, sizeof(data), 0);
	if (n > 0 && !greets) {
		send(s->fd, data, (size_t)n, MSG_NOSIGNAL);
	} else if (n == 0 || (n < 0 && errno != EAGAIN)) {
		close(s->fd);
		free(s);
	}
}

static void serve(void)
{
	struct epoll_event events[EVENTS_MAX];

	for (;;) {
		int n = epoll_wait(listeners, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			struct server *s = events[i].data.ptr;

			if (s->stream && !s->accepted)
				greet(s);
			else
				answer(s);
		}
	}
}

static int run_listen(int argc, char **argv)
{
	const char *ready = NULL, *why;
	struct port_spec p;

	setvbuf(stdout, NULL, _IOLBF, 0);
	listeners = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--banner")) {
			greets = true;
		} else if (!strcmp(argv[i], "--ready") && i + 1 < argc) {
			ready = argv[++i];
		} else if (!strcmp(argv[i], "--join") && i + 1 < argc) {
			join(argv[++i]);
		} else if (port_spec_parse(argv[i], &p, &why) ||
			   (p.proto != IPPROTO_TCP && p.proto != IPPROTO_UDP)) {
			return -EINVAL;
		} else {
			for (uint32_t port = p.lo; port <= p.hi; port++) {
				listen_on(AF_INET, p.proto, (uint16_t)port);
				listen_on(AF_INET6, p.proto, (uint16_t)port);
			}
		}
	}
	if (ready && close(open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)))
		die(ready);
	serve();
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = { 8192, 8192 };
	int r = -EINVAL;

	setrlimit(RLIMIT_NOFILE, &files);
	if (argc > 1 && !strcmp(argv[1], "listen"))
		r = run_listen(argc - 2, argv + 2);
	else if (argc > 1 && !strcmp(argv[1], "ask"))
		r = run_ask(argc - 2, argv + 2);
	if (r)
		fprintf(stderr,
			"usage: probe listen [--ready FILE] [--banner] [--join GROUP]... "
			"PORT/PROTO...\n"
			"       probe ask [--timeout MS] [--tries N] [--hear] <questions\n");
	return r ? 2 : 0;
}
