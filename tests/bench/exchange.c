/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What allowed UDP packets cost through several namespaces' rules, in turns, in nanoseconds.
 * usage: exchange KIND ROUNDS PACKETS FLOWS NAMESPACE PEER [NAMESPACE PEER...]
 *
 * KIND is what is timed:
 *   sent, sent6       a packet of an established flow, sent; the peer throws it away
 *   asked, asked6     the same with its answer: out, and back in
 *   answered          a packet of an established flow that comes in, and the answer to it
 *   first-sent        as sent, each packet the first of its flow
 *   first-answered    as answered, each packet the first of its flow
 *
 * One process holds both ends of every pair, on one CPU: a packet is delivered before its sender
 * goes on, nobody waits for anybody. Each pair sends a chunk, then the next one does. A round prints
 * a line, a column a pair: the tenth percentile of its chunks, because what disturbs a chunk makes
 * it dearer, never cheaper. Fails if one packet does not arrive.
 */
#include "measure.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#define CHUNK      250
#define CHUNKS_MAX 240
#define PAIRS_MAX  3

#define ENDPOINT     "10.79.0.1"
#define SERVER       "10.80.0.2" /* the first of those that the endpoint may call */
#define SERVER6      "fd80::2"
#define CLIENT       "10.88.0.2" /* the first of those that may call the endpoint */
#define SERVERS_PORT 9000
#define OWN_PORT     9100
#define PORT_FIRST   1024

/* A namespace with rules, and the one at the other end of its wire. */
struct pair {
	int netns, socket, raw;
	int peer_netns, peer_socket, peer_raw;
	double cost[CHUNKS_MAX];
};

struct plan {
	const struct kind *kind;
	unsigned rounds, packets, flows, n_pairs;
	struct in_addr endpoint, server, client;
	struct in6_addr server6;
	struct pair pairs[PAIRS_MAX];
};

struct kind {
	const char *name;
	int family;
	bool first, one_way;
	int (*step)(const struct plan *, const struct pair *, unsigned);
};

static int fail(const char *what)
{
	fprintf(stderr, "exchange: %s: %s\n", what, strerror(errno));
	return -1;
}

/* --- the kinds ------------------------------------------------------------------------------- */

static int ask(const struct plan *p, const struct pair *pair, unsigned k)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(SERVERS_PORT) };
	char data[36] = { 0 };

	to.sin_addr = every_second(p->server, k % p->flows);
	if (sendto(pair->socket, data, sizeof(data), 0, (void *)&to, sizeof(to)) < 0)
		return fail("sending to a server");
	return 0;
}

static int ask6(const struct plan *p, const struct pair *pair, unsigned k)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(SERVERS_PORT) };
	char data[36] = { 0 };

	to.sin6_addr = p->server6;
	to.sin6_addr.s6_addr16[7] = htons((uint16_t)(2 + 2 * (k % p->flows)));
	if (sendto(pair->socket, data, sizeof(data), 0, (void *)&to, sizeof(to)) < 0)
		return fail("sending to a server, IPv6");
	return 0;
}

/*
 * What came goes back where it came from; the peer has many addresses, and what it is told of where
 * a packet went to is also how it says where the answer comes from.
 */
static int echo(int fd)
{
	char data[64], control[128];
	struct sockaddr_in6 from;
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &m, 0);

	if (n < 0)
		return fail("a packet did not arrive");
	iov.iov_len = (size_t)n;
	m.msg_flags = 0;
	return sendmsg(fd, &m, 0) < 0 ? fail("sending an answer") : 0;
}

static int finish(const struct pair *pair)
{
	char data[64];

	if (echo(pair->peer_socket) < 0)
		return -1;
	return recv(pair->socket, data, sizeof(data), 0) < 0 ? fail("no answer arrived") : 0;
}

static int asked(const struct plan *p, const struct pair *pair, unsigned k)
{
	return ask(p, pair, k) < 0 ? -1 : finish(pair);
}

static int asked6(const struct plan *p, const struct pair *pair, unsigned k)
{
	return ask6(p, pair, k) < 0 ? -1 : finish(pair);
}

static int send_raw(int fd, const struct packet *pkt)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { pkt->ip.daddr } };

	return sendto(fd, pkt, sizeof(*pkt), 0, (void *)&to, sizeof(to)) < 0 ? fail("sending") : 0;
}

static int first_sent(const struct plan *p, const struct pair *pair, unsigned k)
{
	struct packet pkt = make_packet(p->endpoint, PORT_FIRST + k,
					every_second(p->server, k % p->flows), SERVERS_PORT);

	return send_raw(pair->raw, &pkt);
}

/* The peer has no such address: it throws the answer away. */
static int answer(const struct plan *p, const struct pair *pair, unsigned k, unsigned port)
{
	struct packet pkt =
		make_packet(every_second(p->client, k % p->flows), port, p->endpoint, OWN_PORT);

	return send_raw(pair->peer_raw, &pkt) < 0 ? -1 : echo(pair->socket);
}

static int answered(const struct plan *p, const struct pair *pair, unsigned k)
{
	return answer(p, pair, k, PORT_FIRST);
}

static int first_answered(const struct plan *p, const struct pair *pair, unsigned k)
{
	return answer(p, pair, k, PORT_FIRST + k);
}

static const struct kind kinds[] = {
	{ "sent", AF_INET, false, true, ask },
	{ "sent6", AF_INET6, false, true, ask6 },
	{ "asked", AF_INET, false, false, asked },
	{ "asked6", AF_INET6, false, false, asked6 },
	{ "answered", AF_INET, false, false, answered },
	{ "first-sent", AF_INET, true, true, first_sent },
	{ "first-answered", AF_INET, true, false, first_answered },
};

/* --- both ends ------------------------------------------------------------------------------- */

/* A socket in a namespace, bound to PORT of any address; nothing waits longer than a second. */
static int open_udp(int netns, int family, uint16_t port, bool many_addresses, int *ret)
{
	struct sockaddr_in6 at6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in at4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval second = { .tv_sec = 1 };
	struct bh_err err = BH_ERR_INIT;
	bool v6 = family == AF_INET6;
	int one = 1;

	if (netns_socket(netns, family, SOCK_DGRAM, 0, ret, &err) < 0) {
		fprintf(stderr, "exchange: %s\n", err.msg);
		return -1;
	}
	if (setsockopt(*ret, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) < 0 ||
	    (v6 ? bind(*ret, (void *)&at6, sizeof(at6)) : bind(*ret, (void *)&at4, sizeof(at4))) <
		    0)
		return fail("socket");
	if (!many_addresses)
		return 0;
	if (v6 ? setsockopt(*ret, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one)) ||
			    setsockopt(*ret, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one))
	       : setsockopt(*ret, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)))
		return fail("socket options");
	return 0;
}

static int open_end(const char *path, int family, uint16_t port, bool many_addresses,
		    int *ret_netns, int *ret_socket, int *ret_raw)
{
	struct bh_err err = BH_ERR_INIT;

	if (netns_open(path, ret_netns, NULL, &err) < 0 ||
	    netns_socket(*ret_netns, AF_INET, SOCK_RAW, IPPROTO_RAW, ret_raw, &err) < 0) {
		fprintf(stderr, "exchange: %s: %s\n", path, err.msg);
		return -1;
	}
	return open_udp(*ret_netns, family, port, many_addresses, ret_socket);
}

static int throw_away(int fd)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog f = { BH_ARRAY_SIZE(none), none };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) < 0)
		return fail("filter");
	return 0;
}

/* Flows that are not to begin in what is timed begin here, each with an answer. */
static int prepare(const struct plan *p, const struct pair *pair)
{
	const struct kind *kind = p->kind;

	for (unsigned k = 0; k < p->flows && !kind->first; k++)
		if (kind->step(p, pair, k) < 0 || (kind->one_way && finish(pair) < 0))
			return -1;
	return kind->one_way ? throw_away(pair->peer_socket) : 0;
}

static int forget_there(void *arg, struct bh_err *err)
{
	return forget_connections();
}

/* --- rounds ---------------------------------------------------------------------------------- */

static int send_chunk(const struct plan *p, const struct pair *pair, unsigned chunk,
		      double *ret_cost)
{
	double start = now_ns();

	for (unsigned k = chunk * CHUNK; k < (chunk + 1) * CHUNK; k++)
		if (p->kind->step(p, pair, k) < 0)
			return -1;
	*ret_cost = (now_ns() - start) / CHUNK;
	return 0;
}

static int do_round(struct plan *p)
{
	unsigned chunks = p->packets / CHUNK;

	for (unsigned i = 0; i < p->n_pairs && p->kind->first; i++)
		if (netns_run(p->pairs[i].netns, forget_there, NULL, NULL) < 0)
			return fail("forgetting connections");
	for (unsigned chunk = 0; chunk < chunks; chunk++)
		for (unsigned n = 0; n < p->n_pairs; n++) {
			unsigned i = (n + chunk) % p->n_pairs; /* who begins takes turns, too */
			struct pair *pair = &p->pairs[i];

			if (send_chunk(p, pair, chunk, &pair->cost[chunk]) < 0)
				return -1;
		}
	for (unsigned i = 0; i < p->n_pairs; i++)
		printf("%s%.1f", i ? " " : "", percentile(p->pairs[i].cost, chunks, 10));
	putchar('\n');
	return 0;
}

static int run(struct plan *p, char **paths)
{
	int family = p->kind->family;

	if (stay_on_one_cpu() < 0)
		return fail("one CPU");
	inet_pton(AF_INET, ENDPOINT, &p->endpoint);
	inet_pton(AF_INET, SERVER, &p->server);
	inet_pton(AF_INET, CLIENT, &p->client);
	inet_pton(AF_INET6, SERVER6, &p->server6);
	for (unsigned i = 0; i < p->n_pairs; i++) {
		struct pair *x = &p->pairs[i];

		if (open_end(paths[2 * i], family, OWN_PORT, false, &x->netns, &x->socket,
			     &x->raw) ||
		    open_end(paths[2 * i + 1], family, SERVERS_PORT, true, &x->peer_netns,
			     &x->peer_socket, &x->peer_raw) ||
		    prepare(p, x))
			return -1;
	}
	for (unsigned r = 0; r < p->rounds; r++)
		if (do_round(p) < 0)
			return -1;
	return 0;
}

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static struct plan p;

	if (argc >= 7 && argc % 2 == 1 && argc <= 5 + 2 * PAIRS_MAX)
		p = (struct plan) {
			.kind = find_kind(argv[1]),
			.rounds = (unsigned)atoi(argv[2]),
			.packets = (unsigned)atoi(argv[3]),
			.flows = (unsigned)atoi(argv[4]),
			.n_pairs = (unsigned)(argc - 5) / 2,
		};
	if (!p.kind || p.flows == 0 || p.packets < CHUNK || p.packets > CHUNK * CHUNKS_MAX) {
		fputs("usage: exchange KIND ROUNDS PACKETS FLOWS NAMESPACE PEER...\n", stderr);
		return 2;
	}
	return run(&p, &argv[5]) < 0 ? 1 : 0;
}
