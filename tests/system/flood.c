// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbered datagrams at full speed or at a pace, counted at both ends to the packet.
 *
 *   flood run BOARD [--answer] [--id N] [--rate PPS] [--at PORT[+MORE]] [--to ADDRESS PORT]...
 *       Opens sockets for IPv4 and IPv6, bound to PORT and the MORE ports after it (any port
 *       without --at). With --to it sends to all targets from all sockets in turn, PPS datagrams
 *       a second in all; without --rate as fast as it can; with --answer not before something
 *       came in. What comes in is counted by the number that its sender has (--id, 0 to 15).
 *       Sends no more after SIGUSR1, ends on SIGTERM.
 *   flood look BOARD [ID]
 *       "sent N refused N received N highest N repeated N", the last three for sender ID.
 *
 * The board is memory that both share. `sent` is raised before a datagram leaves, so whoever looks
 * knows the last one that can be out; `refused` are those of them that the own kernel did not take.
 * A number is counted as received once, however many copies come; those are `repeated`. So nothing
 * is lost between two ends if `received` becomes the other's `sent`.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define SENDERS       16
#define SOCKETS       256
#define TARGETS       16
#define BURST         64 /* datagrams between two looks at what came in */
#define NS            1000000000ULL
#define RECEIVE_BYTES (64 << 20)
#define WINDOW        (1 << 20) /* how far one number may overtake another */

struct board {
	uint64_t sent, refused;
	struct heard {
		uint64_t received, highest, repeated;
	} heard[SENDERS];
};

struct message {
	uint64_t id, number;
};

/* Of the numbers of one sender the last WINDOW: did they come? */
static uint8_t seen[SENDERS][WINDOW / 8];

static struct {
	struct board *board;
	uint64_t id, rate;
	uint16_t port, more;
	struct sockaddr_in6 to[TARGETS];
	size_t n_to, n_sockets;
	bool waits;
	struct pollfd socket[SOCKETS];
} flood;

static volatile sig_atomic_t ends, hushed;

static void told(int signal)
{
	if (signal == SIGTERM)
		ends = 1;
	hushed = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* IPv4 goes as ::ffff:a.b.c.d, so that one kind of socket does. */
static int add_target(const char *address, const char *port)
{
	struct sockaddr_in6 *to = &flood.to[flood.n_to];
	struct bh_addr a;
	uint64_t n;

	if (flood.n_to == TARGETS || bh_addr_parse(address, &a) || bh_parse_u64(port, 1, 65535, &n))
		return -EINVAL;
	to->sin6_family = AF_INET6;
	to->sin6_port = htons((uint16_t)n);
	if (a.family == AF_INET) {
		memset(to->sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(to->sin6_addr.s6_addr + 12, a.b, 4);
	} else {
		memcpy(&to->sin6_addr, a.b, 16);
	}
	flood.n_to++;
	return 0;
}

static void open_socket(uint16_t port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int bytes = RECEIVE_BYTES, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    (port && bind(fd, (void *)&at, sizeof(at))))
		die("socket");
	flood.socket[flood.n_sockets++] = (struct pollfd) { .fd = fd, .events = POLLIN };
}

/* What the own kernel would not take counts as sent all the same: it may not be taken later. */
static void send_next(void)
{
	uint64_t n = ++flood.board->sent;
	struct message m = { flood.id, n };
	const struct sockaddr_in6 *to = &flood.to[n % flood.n_to];
	int fd = flood.socket[n / flood.n_to % flood.n_sockets].fd;

	if (sendto(fd, &m, sizeof(m), 0, (const void *)to, sizeof(*to)) < 0)
		flood.board->refused++;
}

static void mark(uint64_t id, uint64_t number, bool came)
{
	uint8_t bit = (uint8_t)(1 << number % 8), *at = &seen[id][number % WINDOW / 8];

	*at = came ? *at | bit : *at & (uint8_t)~bit;
}

static bool came(uint64_t id, uint64_t number)
{
	return seen[id][number % WINDOW / 8] & 1 << number % 8;
}

static void count(const struct message *m)
{
	uint64_t id = m->id % SENDERS;
	struct heard *h = &flood.board->heard[id];

	for (uint64_t n = h->highest; n < m->number; n++)
		mark(id, n + 1, false);
	if (m->number > h->highest)
		h->highest = m->number;
	if (m->number + WINDOW <= h->highest || came(id, m->number)) {
		h->repeated++;
		return;
	}
	mark(id, m->number, true);
	h->received++;
	flood.waits = false;
}

static void drain(int fd)
{
	static struct message m[BURST];
	static struct iovec iov[BURST];
	static struct mmsghdr msg[BURST];
	int n;

	for (int i = 0; i < BURST; i++) {
		iov[i] = (struct iovec) { &m[i], sizeof(m[i]) };
		msg[i] = (struct mmsghdr) { .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	do {
		n = recvmmsg(fd, msg, BURST, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			if (msg[i].msg_len == sizeof(m[i]))
				count(&m[i]);
	} while (n == BURST);
}

/* Datagrams that are due by now; a late wake-up is made good at once. */
static uint64_t due(uint64_t start)
{
	uint64_t n;

	if (flood.n_to == 0 || flood.waits || hushed)
		return 0;
	if (flood.rate == 0)
		return BURST;
	n = (now_ns() - start) * flood.rate / NS;
	n = n > flood.board->sent ? n - flood.board->sent : 0;
	return n < BURST ? n : BURST;
}

static void run(void)
{
	uint64_t start = now_ns();

	while (!ends) {
		bool waited = flood.waits;
		struct timespec tick = { .tv_nsec = flood.n_to && !hushed ? 100000 : 100000000 };
		uint64_t n = due(start);
		int ready;

		for (uint64_t i = 0; i < n; i++)
			send_next();
		if (n)
			tick.tv_nsec = 0;
		ready = ppoll(flood.socket, flood.n_sockets, &tick, NULL);
		for (size_t i = 0; i < flood.n_sockets && ready > 0; i++)
			if (flood.socket[i].revents)
				drain(flood.socket[i].fd);
		if (waited && !flood.waits)
			start = now_ns();
	}
}

static struct board *open_board(const char *path, int flags)
{
	bh_autoclose int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0644);
	struct board *b;

	if (fd < 0 || (flags && ftruncate(fd, sizeof(*b))))
		die(path);
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		die(path);
	return b;
}

static int look(const char *path, const char *id)
{
	const struct board *b = open_board(path, 0);
	uint64_t n = 0;

	if (id && bh_parse_u64(id, 0, SENDERS - 1, &n))
		return -EINVAL;
	printf("sent %" PRIu64 " refused %" PRIu64 " received %" PRIu64 " highest %" PRIu64
	       " repeated %" PRIu64 "\n",
	       b->sent, b->refused, b->heard[n].received, b->heard[n].highest,
	       b->heard[n].repeated);
	return 0;
}

static int parse_ports(const char *arg)
{
	char first[8];
	const char *plus = strchrnul(arg, '+');
	uint64_t port, more = 0;

	snprintf(first, sizeof(first), "%.*s", (int)(plus - arg), arg);
	if (bh_parse_u64(first, 1, 65535 - SOCKETS, &port) ||
	    (*plus && bh_parse_u64(plus + 1, 0, SOCKETS - 1, &more)))
		return -EINVAL;
	flood.port = (uint16_t)port;
	flood.more = (uint16_t)more;
	return 0;
}

static int parse(char **argv)
{
	for (int r = 0; *argv; argv++) {
		if (!strcmp(*argv, "--answer")) {
			flood.waits = true;
			continue;
		}
		if (!argv[1])
			return -EINVAL;
		if (!strcmp(*argv, "--to") && argv[2]) {
			r = add_target(argv[1], argv[2]);
			argv++;
		} else if (!strcmp(*argv, "--id")) {
			r = bh_parse_u64(argv[1], 0, SENDERS - 1, &flood.id);
		} else if (!strcmp(*argv, "--rate")) {
			r = bh_parse_u64(argv[1], 1, 10000000, &flood.rate);
		} else if (!strcmp(*argv, "--at")) {
			r = parse_ports(argv[1]);
		} else {
			return -EINVAL;
		}
		if (r)
			return -EINVAL;
		argv++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = told };

	if (argc >= 3 && argc <= 4 && !strcmp(argv[1], "look") && !look(argv[2], argv[3]))
		return 0;
	if (argc < 3 || strcmp(argv[1], "run") || parse(argv + 3)) {
		fputs("usage: flood run BOARD [--answer] [--id N] [--rate PPS] [--at PORT[+MORE]]"
		      " [--to ADDRESS PORT]...\n       flood look BOARD [ID]\n",
		      stderr);
		return 2;
	}
	for (unsigned i = 0; i <= flood.more; i++)
		open_socket(flood.port ? (uint16_t)(flood.port + i) : 0);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	flood.board = open_board(argv[2], O_CREAT | O_EXCL);
	run();
	return 0;
}
