/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of the benchmark share: the clocks, quantiles, packets, conntrack's memory. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	char data[36];
};

static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* All of a process, its threads included; 0: this one. 0 for one that is gone. */
static inline double cpu_us_of(pid_t pid)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static inline int compare_double(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* The value of N that PERCENT of them do not reach. Sorts them. */
static inline double percentile(double *v, unsigned n, unsigned percent)
{
	qsort(v, n, sizeof(*v), compare_double);
	return v[n * percent / 100];
}

static inline int stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

/* UDP over IPv4 may go without a checksum; the kernel fills in that of the IP header. */
static inline struct packet make_packet(struct in_addr source, unsigned source_port,
					struct in_addr destination, unsigned port)
{
	return (struct packet) {
		.ip = {
			.version = 4,
			.ihl = 5,
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.tot_len = htons(sizeof(struct packet)),
			.saddr = source.s_addr,
			.daddr = destination.s_addr,
		},
		.udp = {
			.source = htons((uint16_t)source_port),
			.dest = htons((uint16_t)port),
			.len = htons(sizeof(struct packet) - sizeof(struct iphdr)),
		},
	};
}

/* The sites of the benchmark name every second address, so that none is a range with its neighbour. */
static inline struct in_addr every_second(struct in_addr first, unsigned k)
{
	return (struct in_addr) { htonl(ntohl(first.s_addr) + 2 * k) };
}

/* Of this namespace. A delete that names no connection deletes them all. */
static inline int forget_connections(void)
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

#endif
