// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams that are to be denied, as fast as it goes or at a pace, over many flows.
 *
 *   deny FIRST ADDRESSES PORT PORTS PACKETS [RATE]
 *       One byte each: to FIRST and the ADDRESSES - 1 after it, and PORT and the PORTS - 1 after it,
 *       all of them in turn. Says how many were sent, how many the own kernel refused, and in how many
 *       microseconds. PACKETS is at most 10,000,000. RATE: a second; what is late is made good at once.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PACKETS_MAX 10000000
#define BURST       16 /* datagrams between two looks at the clock */

struct plan {
	struct bh_addr first;
	uint64_t addresses, port, ports, packets, rate;
};

static socklen_t target(const struct plan *p, uint64_t k, struct sockaddr_storage *out)
{
	uint64_t at = k % (p->addresses * p->ports);
	uint16_t port = htons((uint16_t)(p->port + at / p->addresses));
	uint32_t low;

	memset(out, 0, sizeof(*out));
	if (p->first.family == AF_INET) {
		struct sockaddr_in *sin = (void *)out;

		memcpy(&low, p->first.b, sizeof(low));
		*sin = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = port };
		sin->sin_addr.s_addr = htonl(ntohl(low) + (uint32_t)(at % p->addresses));
		return sizeof(*sin);
	}
	struct sockaddr_in6 *sin6 = (void *)out;

	*sin6 = (struct sockaddr_in6) { .sin6_family = AF_INET6, .sin6_port = port };
	memcpy(&low, p->first.b + 12, sizeof(low));
	low = htonl(ntohl(low) + (uint32_t)(at % p->addresses));
	memcpy(sin6->sin6_addr.s6_addr, p->first.b, 12);
	memcpy(sin6->sin6_addr.s6_addr + 12, &low, sizeof(low));
	return sizeof(*sin6);
}

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Until the next burst, which begins with datagram K, is due. */
static void pace(const struct plan *p, uint64_t began, uint64_t k)
{
	uint64_t due, now;
	struct timespec t;

	if (!p->rate || k % BURST)
		return;
	due = began + k * 1000000 / p->rate;
	now = now_usec();
	t = (struct timespec) { .tv_nsec = due > now ? (long)(due - now) * 1000 : 0 };
	if (due > now)
		nanosleep(&t, NULL);
}

static int run(const struct plan *p)
{
	bh_autoclose int fd = socket(p->first.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t sent = 0, refused = 0, began = now_usec();

	if (fd < 0)
		return 3;
	for (uint64_t k = 0; k < p->packets; k++) {
		struct sockaddr_storage to;
		socklen_t len = target(p, k, &to);

		pace(p, began, k);
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, len) == 1)
			sent++;
		else if (errno == EPERM)
			refused++;
		else
			return 3;
	}
	printf("sent %" PRIu64 " refused %" PRIu64 " usec %" PRIu64 "\n", sent, refused,
	       now_usec() - began);
	return 0;
}

int main(int argc, char **argv)
{
	struct plan p = { .rate = 0 };

	if (argc < 6 || argc > 7 || bh_addr_parse(argv[1], &p.first) < 0 ||
	    bh_parse_u64(argv[2], 1, 65536, &p.addresses) < 0 ||
	    bh_parse_u64(argv[3], 1, 65535, &p.port) < 0 ||
	    bh_parse_u64(argv[4], 1, 65536 - p.port, &p.ports) < 0 ||
	    bh_parse_u64(argv[5], 1, PACKETS_MAX, &p.packets) < 0 ||
	    (argc == 7 && bh_parse_u64(argv[6], 100, PACKETS_MAX, &p.rate) < 0)) {
		fprintf(stderr, "usage: deny FIRST ADDRESSES PORT PORTS PACKETS [RATE]\n");
		return 2;
	}
	return run(&p);
}
