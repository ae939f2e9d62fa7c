/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the first packet of a UDP flow costs its sender, in nanoseconds.
 * usage: flood pass|deny SOURCE FIRST ADDRESSES PORT PORTS PACKETS
 * Each packet has a source port of its own; it goes to FIRST and every second address after it,
 * ADDRESSES of them in turn, and to PORT and those after it, PORTS of them in turn. What conntrack
 * knows in this namespace is forgotten first. Prints the median over chunks of packets; fails if
 * one packet met another verdict.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK      250
#define CHUNKS_MAX 1000
#define PORT_FIRST 1024
#define PORT_COUNT 60000

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char data[36];
};

struct plan {
	bool deny;
	struct in_addr source, first;
	unsigned addresses, port, ports, packets;
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A delete that names no connection deletes them all. */
static int forget_connections(void)
{
	char buf[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct mnl_socket *s = mnl_socket_open(NETLINK_NETFILTER);
	struct nfgenmsg *nfg;
	ssize_t n;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		return -1;
	nlh->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	if (mnl_socket_sendto(s, nlh, nlh->nlmsg_len) < 0)
		return -1;
	n = mnl_socket_recvfrom(s, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(s), NULL, NULL) < 0)
		return -1;
	return mnl_socket_close(s);
}

/* UDP over IPv4 may go without a checksum; the kernel fills in that of the IP header. */
static void make_packet(const struct plan *p, unsigned k, struct packet *pkt)
{
	*pkt = (struct packet) {
		.ip = {
			.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(*pkt)),
			.saddr = p->source.s_addr,
			.daddr = htonl(ntohl(p->first.s_addr) + 2 * (k % p->addresses)),
		},
		.udp = {
			.source = htons((uint16_t)(PORT_FIRST + k % PORT_COUNT)),
			.dest = htons((uint16_t)(p->port + k % p->ports)),
			.len = htons(sizeof(*pkt) - sizeof(pkt->ip)),
		},
	};
}

static int send_one(const struct plan *p, int fd, unsigned k)
{
	struct packet pkt;
	struct sockaddr_in to = { .sin_family = AF_INET };
	ssize_t n;

	make_packet(p, k, &pkt);
	to.sin_addr.s_addr = pkt.ip.daddr;
	n = sendto(fd, &pkt, sizeof(pkt), 0, (struct sockaddr *)&to, sizeof(to));
	if (p->deny ? n < 0 && errno == EPERM : n == (ssize_t)sizeof(pkt))
		return 0;
	fprintf(stderr, "flood: packet %u to %s: %s\n", k, inet_ntoa(to.sin_addr),
		n < 0 ? strerror(errno) : "was not denied");
	return -1;
}

static int compare_double(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
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
	qsort(cost, n, sizeof(*cost), compare_double);
	printf("%.1f\n", cost[n / 2]);
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
