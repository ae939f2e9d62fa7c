/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How soon a daemon follows what happens to one container.
 * usage: react PID DIRECTORY WORK NAME ADDRESS WINDOW OTHER...
 *
 * A container is made, out of sight. Then, one after the other: it appears in DIRECTORY with its
 * address ("start"), loses the address, gets it back, and is gone ("stop"). PID, the daemon, is
 * expected to put the address into the tables of the namespaces OTHER of DIRECTORY, or to take it out
 * of them, each time. The kernel tells of every element and every commit (NFNLGRP_NFTABLES): sockets in
 * these namespaces hear of it. Not in all: each such socket costs whoever commits anywhere. After each
 * event WINDOW milliseconds are waited for. A line each:
 *
 *   KIND UPDATED OWN OTHERS TOUCHED CPU CPU_WINDOW
 *
 * UPDATED: microseconds from just before the event to the commit in the last of the others; OWN: to the
 * first in the container itself, 0 when there was none. OTHERS: how many followed; TOUCHED: namespaces
 * of DIRECTORY in which there was any commit, by their generation numbers. CPU: what the daemon took
 * until UPDATED, and in the whole window, microseconds. Ends with 1 when it did not come about within
 * UPDATE_TIMEOUT_MS.
 *
 * It appears as a symbolic link to where it is bound in WORK: with a file that is bound on afterwards,
 * as `ip netns` does it, no event would tell when the namespace is there.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>

#include <linux/netfilter/nf_tables.h>

#include <bulkhead/nft/monitor.h>
#include <bulkhead/nft/nft.h>

#include "container.h"
#include "measure.h"

#define NAMESPACES_MAX    4096
#define UPDATE_TIMEOUT_MS 5000

/* One namespace that is listened to. */
struct ear {
	int fd;
	bool has_it;    /* the address was in an element of the commit that is going on */
	double touched; /* when the first commit was over; 0: there was none */
	double updated; /* when the last one with the address was; 0: none yet */
};

struct react {
	pid_t daemon;
	const char *directory, *address;
	struct in_addr in;
	double window;
	struct ear ears[NAMESPACES_MAX]; /* the first is the container's own */
	unsigned n;
	struct nlsock all[NAMESPACES_MAX]; /* in every namespace of the directory, to ask */
	uint32_t generation[NAMESPACES_MAX];
	unsigned n_all;
	int epoll;
	struct nlsock own; /* rtnetlink */
	char link[4096], bound[4096];
};

/* --- listening ------------------------------------------------------------------------------- */

static int listen_to(struct react *r, int netns_fd, struct bh_err *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = r->n };
	struct ear *ear = &r->ears[r->n];
	int e;

	if (r->n == NAMESPACES_MAX)
		return bh_err_set(err, -E2BIG, "more than %d namespaces", NAMESPACES_MAX);
	e = nft_monitor_open(netns_fd, &ear->fd, err);
	if (e >= 0 && epoll_ctl(r->epoll, EPOLL_CTL_ADD, ear->fd, &ev) < 0)
		e = bh_err_errno(err, -errno, "epoll");
	r->n += e >= 0;
	return e;
}

static int listen_to_other(struct react *r, const char *name, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	char path[4096];
	int e;

	snprintf(path, sizeof(path), "%s/%s", r->directory, name);
	e = netns_open(path, &fd, NULL, err);
	return e < 0 ? e : listen_to(r, fd, err);
}

static bool has_address(const struct react *r, const struct nlmsghdr *nlh)
{
	return memmem(mnl_nlmsg_get_payload(nlh), mnl_nlmsg_get_payload_len(nlh), &r->in,
		      sizeof(r->in));
}

/* WHAT: the kind of message that has to have the address. */
static void hear_message(const struct react *r, struct ear *ear, const struct nlmsghdr *nlh,
			 unsigned what, double now)
{
	unsigned type = nlh->nlmsg_type & 0xff;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
		return;
	if (type == what && has_address(r, nlh))
		ear->has_it = true;
	if (type != NFT_MSG_NEWGEN)
		return;
	if (!ear->touched)
		ear->touched = now;
	if (ear->has_it)
		ear->updated = now;
	ear->has_it = false;
}

static int hear(const struct react *r, struct ear *ear, unsigned what)
{
	char buf[32768] __attribute__((aligned(16)));
	ssize_t n;

	while ((n = recv(ear->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		double now = now_ns();
		int left = (int)n;

		for (const struct nlmsghdr *nlh = (void *)buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			hear_message(r, ear, nlh, what, now);
	}
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

static unsigned count_updated(const struct react *r)
{
	unsigned n = 0;

	for (unsigned i = 1; i < r->n; i++)
		n += r->ears[i].updated > 0;
	return n;
}

/* All that is heard until END, or with ENOUGH, until all that is expected has come about. */
static int hear_until(struct react *r, double end, unsigned what, bool enough, struct bh_err *err)
{
	struct epoll_event events[64];
	int n, e = 0;

	while (e >= 0 && now_ns() < end && !(enough && count_updated(r) + 1 >= r->n)) {
		n = epoll_wait(r->epoll, events, 64, (int)((end - now_ns()) / 1e6) + 1);
		for (int i = 0; i < n && e >= 0; i++)
			e = hear(r, &r->ears[events[i].data.u32], what);
	}
	return e < 0 ? bh_err_errno(err, e, "listening") : 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

static int open_all(struct react *r, struct bh_err *err)
{
	DIR *d = opendir(r->directory);
	struct dirent *ent;
	char path[4096];
	int e = d ? 0 : bh_err_errno(err, -errno, "%s", r->directory);

	while (e >= 0 && (ent = readdir(d)) && r->n_all < NAMESPACES_MAX) {
		bh_autoclose int fd = -1;

		if (ent->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", r->directory, ent->d_name);
		e = netns_open(path, &fd, NULL, err);
		if (e >= 0)
			e = nlsock_open(&r->all[r->n_all++], fd, NETLINK_NETFILTER, err);
	}
	if (d)
		closedir(d);
	return e;
}

/* How many have another generation than the last time. */
static int count_touched(struct react *r, unsigned *ret, struct bh_err *err)
{
	int e = 0;

	*ret = 0;
	for (unsigned i = 0; i < r->n_all && e >= 0; i++) {
		uint32_t now = 0;

		e = nft_commit_id(&r->all[i], &now, err);
		*ret += now != r->generation[i];
		r->generation[i] = now;
	}
	return e;
}

/* --- what happens ---------------------------------------------------------------------------- */

static int appear(struct react *r, struct bh_err *err)
{
	return symlink(r->bound, r->link) < 0 ? bh_err_errno(err, -errno, "%s", r->link) : 0;
}

static int vanish(struct react *r, struct bh_err *err)
{
	return unlink(r->link) < 0 ? bh_err_errno(err, -errno, "%s", r->link) : 0;
}

static int lose_address(struct react *r, struct bh_err *err)
{
	return container_set_address(&r->own, RTM_DELADDR, r->address, err);
}

static int get_address(struct react *r, struct bh_err *err)
{
	return container_set_address(&r->own, RTM_NEWADDR, r->address, err);
}

static const struct happening {
	const char *name;
	int (*fn)(struct react *r, struct bh_err *err);
	unsigned what;
} happenings[] = {
	{ "start", appear, NFT_MSG_NEWSETELEM },
	{ "address-goes", lose_address, NFT_MSG_DELSETELEM },
	{ "address-comes", get_address, NFT_MSG_NEWSETELEM },
	{ "stop", vanish, NFT_MSG_DELSETELEM },
};

static void forget(struct react *r)
{
	for (unsigned i = 0; i < r->n; i++)
		r->ears[i] = (struct ear) { .fd = r->ears[i].fd };
}

static void report(const struct react *r, const char *name, double start, unsigned touched,
		   double cpu, double cpu_window)
{
	double last = start, own = r->ears[0].touched;

	for (unsigned i = 1; i < r->n; i++)
		if (r->ears[i].updated > last)
			last = r->ears[i].updated;
	printf("%s %.0f %.0f %u %u %.0f %.0f\n", name, (last - start) / 1e3,
	       own > 0 ? (own - start) / 1e3 : 0, count_updated(r), touched, cpu, cpu_window);
}

static int happen(struct react *r, const struct happening *h, struct bh_err *err)
{
	double cpu, cpu_updated, start;
	unsigned touched;
	int e = count_touched(r, &touched, err);

	if (e < 0)
		return e;
	forget(r);
	cpu = cpu_us_of(r->daemon);
	start = now_ns();
	e = h->fn(r, err);
	if (e >= 0)
		e = hear_until(r, start + UPDATE_TIMEOUT_MS * 1e6, h->what, true, err);
	cpu_updated = cpu_us_of(r->daemon);
	if (e >= 0 && count_updated(r) + 1 < r->n)
		e = bh_err_set(err, -ETIMEDOUT, "%s: %u of %u namespaces are up to date", h->name,
			       count_updated(r), r->n - 1);
	if (e >= 0)
		e = hear_until(r, start + r->window, h->what, false, err);
	cpu_updated -= cpu;
	cpu = cpu_us_of(r->daemon) - cpu;
	if (e >= 0)
		e = count_touched(r, &touched, err);
	if (e >= 0)
		report(r, h->name, start, touched, cpu_updated, cpu);
	return e;
}

static int happen_all(struct react *r, struct bh_err *err)
{
	int e = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(happenings) && e >= 0; i++)
		e = happen(r, &happenings[i], err);
	return e;
}

/* --- the container --------------------------------------------------------------------------- */

static int make_container(struct react *r, struct bh_err *err)
{
	bh_autoclose int hub = -1, fd = -1;
	char path[4096];
	int e;

	snprintf(path, sizeof(path), "%s/" CONTAINER_HUB, r->directory);
	e = netns_open(path, &hub, NULL, err);
	if (e >= 0)
		e = container_new(hub, r->address, &fd, err);
	if (e >= 0)
		e = container_bind(fd, r->bound, err);
	if (e >= 0)
		e = nlsock_open(&r->own, fd, NETLINK_ROUTE, err);
	return e < 0 ? e : listen_to(r, fd, err);
}

static void end_container(struct react *r)
{
	unlink(r->link);
	umount2(r->bound, MNT_DETACH);
	unlink(r->bound);
}

int main(int argc, char **argv)
{
	static struct react r = { .own = NLSOCK_INIT };
	struct bh_err err = BH_ERR_INIT;
	int e;

	if (argc < 8 || inet_pton(AF_INET, argv[5], &r.in) != 1) {
		fputs("usage: react PID DIRECTORY WORK NAME ADDRESS WINDOW OTHER...\n", stderr);
		return 2;
	}
	r.daemon = atoi(argv[1]);
	r.directory = argv[2];
	r.address = argv[5];
	r.window = atoi(argv[6]) * 1e6;
	r.epoll = epoll_create1(EPOLL_CLOEXEC);
	snprintf(r.link, sizeof(r.link), "%s/%s", argv[2], argv[4]);
	snprintf(r.bound, sizeof(r.bound), "%s/%s", argv[3], argv[4]);
	e = make_container(&r, &err);
	for (int i = 7; i < argc && e >= 0; i++)
		e = listen_to_other(&r, argv[i], &err);
	if (e >= 0)
		e = open_all(&r, &err);
	if (e >= 0)
		e = happen_all(&r, &err);
	end_container(&r);
	if (e < 0)
		fprintf(stderr, "react: %s\n", err.msg);
	return e < 0 ? 1 : 0;
}
