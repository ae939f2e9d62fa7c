/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What bulk data over TCP takes through several namespaces' rules, in turns: milliseconds a GiB.
 * usage: bulk out|in ROUNDS NAMESPACE PEER [NAMESPACE PEER...]
 *
 * One connection a pair, from the namespace to its peer (out) or the other way (in); the data goes
 * from who called. A piece goes over the first one, then one over the next, and so on. A round
 * prints a line, a column a pair: the median of its pieces. The next round has connections of its
 * own: by where its buffers lie in memory, one may be a tenth slower than another for all its life.
 *
 * One process on one CPU is both sender and receiver: as much is under way as TCP takes, then all of
 * it is read. So throughput is the inverse of all the work that there is, and does not depend on how
 * two CPUs fall in with each other.
 */
#include "measure.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>

#define PAIRS_MAX 3
#define BLOCK     (128 << 10) /* of one system call */
#define PIECE     (8 << 20)
#define PIECES    5  /* a round */
#define SECONDS   10 /* that a block may take */

/* Out: the endpoint calls a server. In: a client, whose address the peer has, calls the endpoint. */
static const struct {
	const char *from, *to;
	uint16_t port;
} ways[] = { { "10.79.0.1", "10.80.0.2", 9000 }, { "10.88.0.2", "10.79.0.1", 9100 } };

struct plan {
	bool in;
	unsigned rounds, n_pairs;
	int sender[PAIRS_MAX], receiver[PAIRS_MAX];
	double cost[PAIRS_MAX][PIECES];
};

static int fail(const char *what)
{
	fprintf(stderr, "bulk: %s: %s\n", what, strerror(errno));
	return -1;
}

static int open_socket(const char *netns, const char *address, uint16_t port, int *ret)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = SECONDS };
	struct bh_err err = BH_ERR_INIT;
	bh_autoclose int fd = -1;
	int one = 1;

	if (netns_open(netns, &fd, NULL, &err) < 0 ||
	    netns_socket(fd, AF_INET, SOCK_STREAM, 0, ret, &err) < 0) {
		fprintf(stderr, "bulk: %s: %s\n", netns, err.msg);
		return -1;
	}
	inet_pton(AF_INET, address, &at.sin_addr);
	if (setsockopt(*ret, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(*ret, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(*ret, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(*ret, (void *)&at, sizeof(at)) < 0)
		return fail(address);
	return 0;
}

static int connect_pair(const struct plan *p, char **paths, int *ret_sender, int *ret_receiver)
{
	const char *from = ways[p->in].from, *to = ways[p->in].to;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(ways[p->in].port) };
	bh_autoclose int listener = -1;

	inet_pton(AF_INET, to, &at.sin_addr);
	if (open_socket(paths[!p->in], to, ways[p->in].port, &listener) < 0 ||
	    open_socket(paths[p->in], from, 0, ret_sender) < 0)
		return -1;
	if (listen(listener, 1) < 0 || connect(*ret_sender, (void *)&at, sizeof(at)) < 0)
		return fail("connecting");
	*ret_receiver = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return *ret_receiver < 0 ? fail("accepting") : 0;
}

/* Sends until TCP takes no more; how much it took. */
static ssize_t fill(int fd)
{
	static const char block[BLOCK];
	ssize_t sent = 0, n = 0;

	while (sent < PIECE && (n = send(fd, block, BLOCK, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
		sent += n;
	if (n < 0 && (errno != EAGAIN || sent == 0))
		return fail("sending");
	return sent;
}

static int drain(int fd, ssize_t bytes)
{
	static char block[BLOCK];

	while (bytes > 0) {
		ssize_t n = recv(fd, block, BLOCK, 0);

		if (n <= 0)
			return fail("receiving");
		bytes -= n;
	}
	return 0;
}

static int send_piece(const struct plan *p, unsigned i, double *ret_cost)
{
	double start = now_ns();
	ssize_t sent = 0;

	while (sent < PIECE) {
		ssize_t n = fill(p->sender[i]);

		if (n < 0 || drain(p->receiver[i], n) < 0)
			return -1;
		sent += n;
	}
	*ret_cost = (now_ns() - start) / 1e6 * (1 << 30) / (double)sent;
	return 0;
}

static int do_round(struct plan *p, char **paths)
{
	double warm;

	for (unsigned i = 0; i < p->n_pairs; i++)
		if (connect_pair(p, &paths[2 * i], &p->sender[i], &p->receiver[i]) < 0 ||
		    send_piece(p, i, &warm) < 0)
			return -1;
	for (unsigned k = 0; k < PIECES; k++)
		for (unsigned n = 0; n < p->n_pairs; n++) {
			unsigned i = (n + k) % p->n_pairs; /* who begins takes turns, too */

			if (send_piece(p, i, &p->cost[i][k]) < 0)
				return -1;
		}
	for (unsigned i = 0; i < p->n_pairs; i++) {
		close(p->sender[i]);
		close(p->receiver[i]);
	}
	for (unsigned i = 0; i < p->n_pairs; i++)
		printf("%s%.2f", i ? " " : "", percentile(p->cost[i], PIECES, 50));
	putchar('\n');
	return 0;
}

static int run(struct plan *p, char **paths)
{
	if (stay_on_one_cpu() < 0)
		return fail("one CPU");
	for (unsigned r = 0; r < p->rounds; r++)
		if (do_round(p, paths) < 0)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	static struct plan p;

	if (argc < 5 || argc % 2 == 0 || argc > 3 + 2 * PAIRS_MAX) {
		fputs("usage: bulk out|in ROUNDS NAMESPACE PEER...\n", stderr);
		return 2;
	}
	p.in = strcmp(argv[1], "in") == 0;
	p.rounds = (unsigned)atoi(argv[2]);
	p.n_pairs = (unsigned)(argc - 3) / 2;
	return run(&p, &argv[3]) < 0 ? 1 : 0;
}
