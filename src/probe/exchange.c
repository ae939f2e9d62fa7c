/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "lookup.h"
#include "station.h"

/*
 * So many are under way at a time: what is sent to one namespace at once must fit into its sockets, and
 * into the queue of a neighbour whose hardware address is not known yet.
 */
#define BURST       64
#define BURST_MS    25  /* what has not come by then is late */
#define SETTLE_MS   50  /* at the very end, for what was late */
#define AGAIN       3   /* times that a lost packet is sent once more, each after a longer pause */
#define AGAIN_MS    100 /* before the first of them */
#define EVENTS      64
#define ROOM        128 /* neighbours that there is certainly room for, at both ends of a pair */
#define HOPS        64
#define HOPS_BEYOND 1 /* to where nobody's router shall pass it on */

struct exchange {
	struct probe_run *run;
	const struct probe_options *o;
	int epoll;
	size_t waiting; /* of the burst: cells that shall come */
	uint8_t *dark; /* [from * parties + to]: what is sent there does not come; not waited for */
	uint64_t started; /* microseconds */
	uint64_t last_pair;
	size_t pairs; /* that were talked to since neighbours were forgotten */
	struct station **of_fd;
	size_t n_fds;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- hearing ------------------------------------------------------------------------------------- */

struct arrival {
	struct exchange *x;
	const struct station *s;
	enum heard what;
};

/* Several cells have one key where one address is claimed by several: each is told by its ends. */
static void take_arrival(struct probe_cell *c, void *arg)
{
	static const uint16_t facts[] = {
		[HEARD_OUT] = PROBE_OUT,
		[HEARD_SEEN] = PROBE_SEEN,
		[HEARD_IN] = PROBE_IN | PROBE_SEEN,
	};
	const struct arrival *a = arg;
	const struct probe_run *run = a->x->run;

	if (run->parties[a->what == HEARD_OUT ? c->from : c->to].station != a->s)
		return;
	if (a->what != HEARD_OUT && !(c->facts & PROBE_SEEN) && a->x->waiting)
		a->x->waiting--;
	c->facts |= facts[a->what];
}

static void on_heard(const struct station *s, enum heard what, const struct packet_key *k,
		     void *arg)
{
	struct exchange *x = arg;
	struct arrival a = { x, s, what };

	lookup_each(x->run, k, take_arrival, &a);
}

static int hear_for(struct exchange *x, int ms)
{
	const struct station_hearer h = { on_heard, x };
	struct epoll_event e[EVENTS];
	int n = epoll_wait(x->epoll, e, EVENTS, ms);

	for (int i = 0; i < n; i++)
		station_hear(x->of_fd[e[i].data.fd], e[i].data.fd, &h);
	return n;
}

/* Until all that shall come has come, or nothing more does. */
static void hear_burst(struct exchange *x)
{
	uint64_t end = now_us() + BURST_MS * 1000;

	do {
		uint64_t now = now_us();
		int ms = x->waiting && now < end ? (int)((end - now + 999) / 1000) : 0;

		if (hear_for(x, ms) <= 0)
			break;
	} while (now_us() < end);
	x->waiting = 0;
}

static void hear_until(struct exchange *x, uint64_t end)
{
	uint64_t now;

	while ((now = now_us()) < end)
		hear_for(x, (int)((end - now + 999) / 1000));
}

/* --- sending ------------------------------------------------------------------------------------- */

static uint8_t *dark_pair(const struct exchange *x, const struct probe_cell *c)
{
	return &x->dark[(size_t)c->from * x->run->n_parties + c->to];
}

/* What has been made by our packets goes before it takes room from others. */
static void forget_neighbours(struct exchange *x)
{
	for (size_t i = 0; i < x->run->n_parties; i++)
		if (x->run->parties[i].station)
			station_forget_neighbours(x->run->parties[i].station);
	x->pairs = 0;
}

static void note_pair(struct exchange *x, const struct probe_cell *c)
{
	uint64_t pair =
		(uint64_t)c->from << 33 | (uint64_t)c->to << 1 | (c->dst.family == AF_INET6);

	if (c->way == PROBE_FRAME || !(c->facts & PROBE_SENT) || pair == x->last_pair)
		return;
	x->last_pair = pair;
	x->pairs++;
}

static bool shall_come(const struct exchange *x, const struct probe_cell *c)
{
	return c->way == PROBE_STACK && (c->facts & PROBE_SENT) && !(c->facts & PROBE_SEEN) &&
	       x->run->parties[c->to].station;
}

static void send_one(struct exchange *x, struct probe_cell *c)
{
	const struct probe_party *to = &x->run->parties[c->to];
	const struct station *s = x->run->parties[c->from].station;
	uint8_t packet[PACKET_MAX];
	struct packet_key k;
	size_t len;
	int r;

	lookup_key(x->run, c, &k);
	len = packet_make(&k, to->station || to->kind == PROBE_HOST ? HOPS : HOPS_BEYOND, packet);
	r = c->way == PROBE_FRAME ? station_send_frame(s, &c->dst, c->device, packet, len)
				  : station_send(s, &c->dst, packet, len);
	c->facts |= PROBE_TRIED | (r >= 0 ? PROBE_SENT : 0);
	c->error = -r;
	x->run->totals.sent += r >= 0;
	note_pair(x, c);
	if (shall_come(x, c) && !*dark_pair(x, c))
		x->waiting++;
}

/* Not faster than the rate: packets that were refused count as well. */
static void keep_pace(struct exchange *x, size_t done)
{
	hear_until(x, x->started + (uint64_t)done * 1000000 / x->o->rate);
}

/* Who lost all of a burst is not waited for again. */
static void note_dark(struct exchange *x, struct probe_cell *const *burst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*dark_pair(x, burst[i]) |= shall_come(x, burst[i]);
	for (size_t i = 0; i < n; i++)
		if (burst[i]->facts & PROBE_SEEN)
			*dark_pair(x, burst[i]) = 0;
}

static void send_burst(struct exchange *x, struct probe_cell *const *burst, size_t n)
{
	for (size_t i = 0; i < n; i++)
		send_one(x, burst[i]);
	hear_burst(x);
	note_dark(x, burst, n);
	if (x->pairs >= ROOM)
		forget_neighbours(x);
}

/* All cells for which WANTED holds. */
static size_t send_all(struct exchange *x,
		       bool (*wanted)(const struct exchange *, const struct probe_cell *))
{
	struct probe_cell *burst[BURST];
	size_t n = 0, done = 0;

	x->started = now_us();
	for (size_t i = 0; i < x->run->n_cells; i++) {
		struct probe_cell *c = &x->run->cells[i];

		if (wanted(x, c))
			burst[n++] = c;
		if (n == BURST || (n && i + 1 == x->run->n_cells)) {
			send_burst(x, burst, n);
			done += n;
			n = 0;
			keep_pace(x, done);
			if (x->o->progress)
				x->o->progress(i + 1, x->run->n_cells, x->o->arg);
		}
	}
	if (n) {
		send_burst(x, burst, n);
		done += n;
	}
	return done;
}

static bool is_to_be_sent(const struct exchange *x, const struct probe_cell *c)
{
	return c->outcome != PROBE_NOT_PROBED;
}

/* No hook says ENOBUFS of a packet of the stack but the table netdev; the kernel does when it has no room. */
static bool is_lost(const struct exchange *x, const struct probe_cell *c)
{
	bool not_sent = c->way == PROBE_STACK && !(c->facts & PROBE_SENT) && c->error != EPERM;

	return c->outcome != PROBE_NOT_PROBED && (not_sent || shall_come(x, c));
}

/* --- all ----------------------------------------------------------------------------------------- */

struct listening {
	struct exchange *x;
	struct station *s;
};

static int listen_to(int fd, void *arg)
{
	struct listening *l = arg;
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	struct exchange *x = l->x;

	if ((size_t)fd >= x->n_fds) {
		size_t n = 2 * (size_t)fd + 64;
		struct station **more = reallocarray(x->of_fd, n, sizeof(*more));

		if (!more)
			return -ENOMEM;
		x->of_fd = more;
		x->n_fds = n;
	}
	x->of_fd[fd] = l->s;
	return epoll_ctl(x->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int listen_to_all(struct exchange *x)
{
	int r = 0;

	for (size_t i = 0; i < x->run->n_parties && r >= 0; i++) {
		struct listening l = { x, x->run->parties[i].station };

		if (l.s)
			r = station_each_ear(l.s, listen_to, &l);
	}
	return r;
}

static void run_all(struct exchange *x)
{
	uint64_t pause = AGAIN_MS * 1000;

	send_all(x, is_to_be_sent);
	for (int i = 0; i < AGAIN; i++, pause *= 4) {
		size_t again;

		hear_until(x, now_us() + SETTLE_MS * 1000);
		for (again = 0; again < x->run->n_cells; again++)
			if (is_lost(x, &x->run->cells[again]))
				break;
		if (again == x->run->n_cells)
			return;
		hear_until(x, now_us() + pause);
		send_all(x, is_lost);
	}
	hear_until(x, now_us() + SETTLE_MS * 1000);
}

int exchange_run(struct probe_run *run, const struct probe_options *o, struct bh_err *err)
{
	struct exchange x = { .run = run, .o = o };
	int r;

	x.epoll = epoll_create1(EPOLL_CLOEXEC);
	x.dark = calloc(run->n_parties, run->n_parties);
	r = x.epoll < 0 ? -errno : !x.dark ? -ENOMEM : 0;
	if (r >= 0)
		r = listen_to_all(&x);
	if (r >= 0) {
		run_all(&x);
		forget_neighbours(&x);
	}
	if (x.epoll >= 0)
		close(x.epoll);
	free(x.dark);
	free(x.of_fd);
	return r < 0 ? bh_err_errno(err, r, "hearing what becomes of packets") : 0;
}
