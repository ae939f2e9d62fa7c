/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the first packet of a UDP flow costs its sender, in nanoseconds.
 * usage: flood pass|deny SOURCE FIRST ADDRESSES PORT PORTS PACKETS
 * Each packet has a source port of its own; it goes to FIRST and every second address after it,
 * ADDRESSES of them in turn, and to PORT and those after it, PORTS of them in turn. What conntrack
 * knows in this namespace is forgotten first. Prints the median over chunks of packets; fails if
 * one packet met another verdict.
 */
#include "measure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHUNK      250
#define CHUNKS_MAX 1000
#define PORT_FIRST 1024
#define PORT_COUNT 60000

struct plan {
	bool deny;
	struct in_addr source, first;
	unsigned addresses, port, ports, packets;
};

static int send_one(const struct plan *p, int fd, unsigned k)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr = every_second(p->first, k % p->addresses),
	};
	struct packet pkt = make_packet(p->source, PORT_FIRST + k % PORT_COUNT, to.sin_addr,
					p->port + k % p->ports);
	ssize_t n;

	n = sendto(fd, &pkt, sizeof(pkt), 0, (struct sockaddr *)&to, sizeof(to));
	if (p->deny ? n < 0 && errno == EPERM : n == (ssize_t)sizeof(pkt))
		return 0;
	fprintf(stderr, "flood: packet %u to %s: %s\n", k, inet_ntoa(to.sin_addr),
		n < 0 ? strerror(errno) : "was not denied");
	return -1;
}

static int flood(const struct plan *p, int fd)
{
	static double cost[CHUNKS_MAX];
	unsigned n = p->packets / CHUNK, k = 0;

	for (unsigned i = 0; i < n; i++) {
		double start = now_ns();

		for (unsigned end = k + CHUNK; k < end; k++)
			if (send_one(p, fd, k) < 0)
				return 1;
		cost[i] = (now_ns() - start) / CHUNK;
	}
	printf("%.1f\n", percentile(cost, n, 50));
	return 0;
}

static int usage(void)
{
	fputs("usage: flood pass|deny SOURCE FIRST ADDRESSES PORT PORTS PACKETS\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct plan p;
	int fd;

	if (argc != 8 || inet_aton(argv[2], &p.source) == 0 || inet_aton(argv[3], &p.first) == 0)
		return usage();
	p.deny = strcmp(argv[1], "deny") == 0;
	p.addresses = (unsigned)atoi(argv[4]);
	p.port = (unsigned)atoi(argv[5]);
	p.ports = (unsigned)atoi(argv[6]);
	p.packets = (unsigned)atoi(argv[7]);
	if (p.addresses == 0 || p.ports == 0 || p.packets < CHUNK ||
	    p.packets > CHUNK * CHUNKS_MAX || p.packets > PORT_COUNT || p.port + p.ports > 65536)
		return usage();
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0 || forget_connections() < 0) {
		perror("flood");
		return 3;
	}
	return flood(&p, fd);
}
