/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watches.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "commits.h"
#include "folders.h"
#include "reconcile.h"

/* One namespace. */
struct watch {
	uint64_t ino;
	bool seen;
	int pid;
	int32_t id; /* by which its commits are heard of; -1: they are not */
	struct watches *w;
	sd_event_source *devices, *process;
	UT_hash_handle hh;
};

struct watches {
	struct controller *c;
	struct watch *all;
	sd_event_source *host;
	struct commits *commits;
	struct folders *folders;
	size_t unwatched; /* namespaces of the last time that could not be, not all */
};

/* --- one namespace --------------------------------------------------------------------------- */

/* Its tables may not be what they were: nobody needs to be asked but the kernel. */
static void doubt(struct watch *one)
{
	struct hold *h = holds_find(one->w->c->holds, one->ino);

	if (h)
		hold_doubt(h);
	reconcile_changed(one->w->c);
}

/* What was said does not matter, that something was said does: also ENOBUFS. */
static int on_devices(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watch *one = arg;
	char buf[8192];

	for (int i = 0; i < BH_WATCH_READS_MAX; i++)
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			break;
	reconcile_namespace(one->w->c, one->ino, 0);
	return 0;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watch *one = arg;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	reconcile_namespace(one->w->c, one->ino, one->pid);
	return 0;
}

static int watch_route(sd_event *event, int netns_fd, uint32_t groups, sd_event_source **ret,
		       sd_event_io_handler_t fn, void *arg)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, &fd,
			     NULL);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	r = sd_event_add_io(event, ret, fd, EPOLLIN, fn, arg);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(*ret, true);
	if (r >= 0)
		BH_STEAL_FD(fd);
	return r;
}

static int watch_devices(struct watches *w, struct watch *one, int netns_fd)
{
	return watch_route(w->c->event, netns_fd,
			   RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, &one->devices,
			   on_devices, one);
}

/* One that has ended already: this look, or the next, finds what became of it. */
static int watch_process(struct watches *w, struct watch *one, int pid)
{
	bh_autoclose int fd = -1;
	int r;

	one->process = sd_event_source_disable_unref(one->process);
	one->pid = 0; /* until it is watched */
	if (pid <= 0)
		return 0;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	r = sd_event_add_io(w->c->event, &one->process, fd, EPOLLIN, on_process, one);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(one->process, true);
	if (r < 0)
		return r;
	BH_STEAL_FD(fd);
	one->pid = pid;
	return 0;
}

static void watch_free(struct watches *w, struct watch *one)
{
	HASH_DEL(w->all, one);
	sd_event_source_disable_unref(one->devices);
	commits_forget(w->commits, one->id, one->ino);
	sd_event_source_disable_unref(one->process);
	free(one);
}

void watches_forget(struct watches *w, uint64_t netns_ino)
{
	struct watch *one;

	HASH_FIND(hh, w->all, &netns_ino, sizeof(netns_ino), one);
	if (one)
		watch_free(w, one);
}

static struct watch *watch_of(struct watches *w, uint64_t ino)
{
	struct watch *one;

	HASH_FIND(hh, w->all, &ino, sizeof(ino), one);
	if (one)
		return one;
	one = calloc(1, sizeof(*one));
	if (!one)
		return NULL;
	one->ino = ino;
	one->id = -1;
	one->w = w;
	HASH_ADD(hh, w->all, ino, sizeof(one->ino), one);
	return one;
}

/* --- the host -------------------------------------------------------------------------------- */

/* An address of its own came or went, and not one of those that every new device gets. */
static bool is_of_account(const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = NLMSG_DATA(nlh);

	return nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*ifa)) && ifa->ifa_scope != RT_SCOPE_LINK;
}

static int on_host(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct watches *w = arg;
	bool changed = false;

	for (int i = 0; i < BH_WATCH_READS_MAX; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		unsigned left = n > 0 ? (unsigned)n : 0;

		if (n < 0 && errno != ENOBUFS)
			break;
		changed |= n < 0;
		for (const struct nlmsghdr *nlh = (void *)buf; NLMSG_OK(nlh, left);
		     nlh = NLMSG_NEXT(nlh, left))
			changed |= is_of_account(nlh);
	}
	if (changed)
		reconcile_touch(w->c);
	return 0;
}

static int watch_host(struct watches *w)
{
	bh_autoclose int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (netns < 0)
		return -errno;
	return watch_route(w->c->event, netns, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, &w->host,
			   on_host, w);
}

/* --- all of them ----------------------------------------------------------------------------- */

static int sync_one(struct watches *w, const struct endpoint *e, struct hold *h)
{
	struct watch *one = watch_of(w, hold_ino(h));
	int r = one ? 0 : -ENOMEM;

	if (r >= 0 && !one->devices) {
		r = watch_devices(w, one, hold_netns(h));
		doubt(one); /* what came between reading and listening */
	}
	if (r >= 0 && one->id < 0)
		r = commits_hear(w->commits, hold_netns(h), one->ino, &one->id);
	/* Of those that share it, one: the next look finds the others. */
	if (r >= 0 && !one->seen && one->pid != e->pid)
		r = watch_process(w, one, e->pid);
	if (one)
		one->seen = true;
	return r;
}

/* Said when it begins or changes, not at every look. */
static void note_unwatched(struct watches *w, size_t n, int r)
{
	char line[128];

	if (n && n != w->unwatched) {
		snprintf(line, sizeof(line),
			 "changes in %zu namespaces are found late, they cannot be watched: %s", n,
			 strerror(-r));
		controller_log(line, NULL);
	}
	w->unwatched = n;
}

static void sync_namespaces(struct watches *w, const struct site *s, const struct holds *holds)
{
	size_t failed = 0;
	int r, last = 0;

	for (size_t i = 0; s->endpoints && i < s->endpoints->n; i++) {
		const struct endpoint *e = &s->endpoints->endpoints[i];
		struct hold *h = holds_find(holds, e->netns_ino);

		r = h ? sync_one(w, e, h) : 0;
		failed += r < 0;
		if (r < 0)
			hold_doubt(h); /* nobody will say so: each look looks there */
		last = r < 0 ? r : last;
	}
	note_unwatched(w, failed, last);
}

void watches_sync(struct watches *w, const struct site *s, const struct holds *holds, bool folders)
{
	struct watch *one, *next;

	for (one = w->all; one; one = one->hh.next)
		one->seen = false;
	if (folders)
		commits_look(w->commits);
	sync_namespaces(w, s, holds);
	HASH_ITER (hh, w->all, one, next)
		if (!one->seen)
			watch_free(w, one);
	if (folders)
		folders_sync(w->folders, s);
}

int watches_new(struct controller *c, struct watches **ret, struct bh_err *err)
{
	struct watches *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return bh_err_oom(err);
	w->c = c;
	r = commits_new(c, &w->commits, err);
	if (r >= 0)
		r = folders_new(c, &w->folders, err);
	if (r >= 0) {
		r = watch_host(w);
		if (r < 0)
			bh_err_errno(err, r, "watching the host's addresses");
	}
	if (r < 0) {
		watches_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	while (w->all)
		watch_free(w, w->all);
	commits_free(w->commits);
	sd_event_source_disable_unref(w->host);
	folders_free(w->folders);
	free(w);
}
