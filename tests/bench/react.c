/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How soon a daemon follows what happens to one container.
 * usage: react PID DIRECTORY WORK NAME ADDRESS WINDOW OTHER...
 *
 * A container is made, out of sight. Then, one after the other: it appears in DIRECTORY with its
 * address ("start"), loses the address, gets it back, and is gone ("stop"). PID, the daemon, is
 * expected to put the address into the tables of the namespaces OTHER of DIRECTORY, or to take it out
 * of them, each time. The kernel tells of every element and every commit in all namespaces
 * (NFNLGRP_NFTABLES, NETLINK_LISTEN_ALL_NSID): one socket hears of it. It is read every NAP_US and not
 * waited on: whoever commits would have to wake who waits, which takes longer than the commit. After
 * each event WINDOW milliseconds are waited for. A line each:
 *
 *   KIND UPDATED OWN OTHERS TOUCHED CPU
 *
 * UPDATED: microseconds from just before the event to when the commit in the last of the others was
 * read; OWN: to the first in the container itself, 0 when there was none. OTHERS: how many followed;
 * TOUCHED: namespaces of DIRECTORY in which there was any commit. CPU: what the daemon took in the
 * window, microseconds; while it runs the kernel tells that of another process to the tick only, so it
 * is not known how much of it was before UPDATED. Ends with 1 when it did not come about within
 * UPDATE_TIMEOUT_MS.
 *
 * It appears as a symbolic link to where it is bound in WORK: with a file that is bound on afterwards,
 * as `ip netns` does it, no event would tell when the namespace is there.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "container.h"
#include "measure.h"

#define NAMESPACES_MAX    4096
#define IDS_MAX           65536
#define UPDATE_TIMEOUT_MS 5000
#define NAP_US            200
#define LONG_NAP_US       5000

/* One namespace of the directory, or the container's own. */
struct ear {
	bool expected;  /* it is one of the others */
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
	unsigned n, n_expected;
	struct ear *by_id[IDS_MAX]; /* by the number of the namespace, as seen from here */
	struct nlsock notices;
	struct nlsock route; /* of the namespace of this process */
	struct nlsock own;   /* rtnetlink, in the container */
	char link[4096], bound[4096];
};

/* --- listening ------------------------------------------------------------------------------- */

static int open_notices(struct react *r, struct bh_err *err)
{
	bh_autoclose int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int group = NFNLGRP_NFTABLES, on = 1;
	int e = nlsock_open(&r->notices, here, NETLINK_NETFILTER, err);

	if (e >= 0)
		e = nlsock_open(&r->route, here, NETLINK_ROUTE, err);
	if (e < 0)
		return e;
	if (setsockopt(r->notices.fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0 ||
	    setsockopt(r->notices.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
		    0)
		return bh_err_errno(err, -errno, "listening");
	return 0;
}

static int listen_to(struct react *r, int netns_fd, struct ear **ret, struct bh_err *err)
{
	int32_t id;
	int e = netns_id(&r->route, netns_fd, &id, err);

	if (e < 0)
		return e;
	if (r->n == NAMESPACES_MAX || id >= IDS_MAX)
		return bh_err_set(err, -E2BIG, "more than %d namespaces", NAMESPACES_MAX);
	if (!r->by_id[id])
		r->by_id[id] = &r->ears[r->n++];
	if (ret)
		*ret = r->by_id[id];
	return 0;
}

static int listen_to_name(struct react *r, const char *name, struct ear **ret, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	char path[4096];
	int e;

	snprintf(path, sizeof(path), "%s/%s", r->directory, name);
	e = netns_open(path, &fd, NULL, err);
	return e < 0 ? e : listen_to(r, fd, ret, err);
}

static int listen_to_other(struct react *r, const char *name, struct bh_err *err)
{
	struct ear *ear;
	int e = listen_to_name(r, name, &ear, err);

	if (e < 0)
		return e;
	r->n_expected += !ear->expected;
	ear->expected = true;
	return 0;
}

static int listen_to_all(struct react *r, struct bh_err *err)
{
	DIR *d = opendir(r->directory);
	struct dirent *ent;
	int e = d ? 0 : bh_err_errno(err, -errno, "%s", r->directory);

	while (e >= 0 && (ent = readdir(d)))
		if (ent->d_name[0] != '.')
			e = listen_to_name(r, ent->d_name, NULL, err);
	if (d)
		closedir(d);
	return e;
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

/* Which namespace a message is of; NULL: none of those that are listened to. */
static struct ear *ear_of(const struct react *r, struct msghdr *m)
{
	int32_t id = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&id, CMSG_DATA(c), sizeof(id));
	return id >= 0 && id < IDS_MAX ? r->by_id[id] : NULL;
}

/* All that is there. */
static int hear(const struct react *r, unsigned what)
{
	char buf[32768] __attribute__((aligned(16))), control[256] __attribute__((aligned(16)));
	struct iovec iov = { buf, sizeof(buf) };

	for (;;) {
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(r->notices.fd, &m, MSG_DONTWAIT);
		struct ear *ear = n > 0 ? ear_of(r, &m) : NULL;
		double now = now_ns();
		int left = ear ? (int)n : 0;

		if (n <= 0)
			return n < 0 && errno != EAGAIN ? -errno : 0;
		for (const struct nlmsghdr *nlh = (void *)buf; mnl_nlmsg_ok(nlh, left);
		     nlh = mnl_nlmsg_next(nlh, &left))
			hear_message(r, ear, nlh, what, now);
	}
}

static unsigned count_updated(const struct react *r)
{
	unsigned n = 0;

	for (unsigned i = 1; i < r->n; i++)
		n += r->ears[i].expected && r->ears[i].updated > 0;
	return n;
}

static unsigned count_touched(const struct react *r)
{
	unsigned n = 0;

	for (unsigned i = 1; i < r->n; i++)
		n += r->ears[i].touched > 0;
	return n;
}

/* All that is heard until END, or with ENOUGH, until all that is expected has come about. */
static int hear_until(struct react *r, double end, unsigned what, bool enough, struct bh_err *err)
{
	const struct timespec nap = { .tv_nsec = (enough ? NAP_US : LONG_NAP_US) * 1000L };
	int e = 0;

	while (e >= 0 && now_ns() < end && !(enough && count_updated(r) == r->n_expected)) {
		nanosleep(&nap, NULL);
		e = hear(r, what);
	}
	return e < 0 ? bh_err_errno(err, e, "listening") : 0;
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
		r->ears[i] = (struct ear) { .expected = r->ears[i].expected };
}

static void report(const struct react *r, const char *name, double start, double cpu)
{
	double last = start, own = r->ears[0].touched;

	for (unsigned i = 1; i < r->n; i++)
		if (r->ears[i].expected && r->ears[i].updated > last)
			last = r->ears[i].updated;
	printf("%s %.0f %.0f %u %u %.0f\n", name, (last - start) / 1e3,
	       own > 0 ? (own - start) / 1e3 : 0, count_updated(r), count_touched(r), cpu);
}

static int happen(struct react *r, const struct happening *h, struct bh_err *err)
{
	double cpu, start;
	int e = hear(r, h->what); /* what is left of before */

	forget(r);
	cpu = cpu_us_of(r->daemon);
	start = now_ns();
	if (e >= 0)
		e = h->fn(r, err);
	if (e >= 0)
		e = hear_until(r, start + UPDATE_TIMEOUT_MS * 1e6, h->what, true, err);
	if (e >= 0 && count_updated(r) < r->n_expected)
		e = bh_err_set(err, -ETIMEDOUT, "%s: %u of %u namespaces are up to date", h->name,
			       count_updated(r), r->n_expected);
	if (e >= 0)
		e = hear_until(r, start + r->window, h->what, false, err);
	cpu = cpu_us_of(r->daemon) - cpu;
	if (e >= 0)
		report(r, h->name, start, cpu);
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
	return e < 0 ? e : listen_to(r, fd, NULL, err);
}

static void end_container(struct react *r)
{
	unlink(r->link);
	umount2(r->bound, MNT_DETACH);
	unlink(r->bound);
}

int main(int argc, char **argv)
{
	static struct react r = { .notices = NLSOCK_INIT,
				  .route = NLSOCK_INIT,
				  .own = NLSOCK_INIT };
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
	snprintf(r.link, sizeof(r.link), "%s/%s", argv[2], argv[4]);
	snprintf(r.bound, sizeof(r.bound), "%s/%s", argv[3], argv[4]);
	e = open_notices(&r, &err);
	if (e >= 0)
		e = make_container(&r, &err);
	for (int i = 7; i < argc && e >= 0; i++)
		e = listen_to_other(&r, argv[i], &err);
	if (e >= 0)
		e = listen_to_all(&r, &err);
	if (e >= 0)
		e = happen_all(&r, &err);
	end_container(&r);
	if (e < 0)
		fprintf(stderr, "react: %s\n", err.msg);
	return e < 0 ? 1 : 0;
}
