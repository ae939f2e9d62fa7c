/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watches.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/nft/monitor.h>
#include <bulkhead/sys/netns.h>

#include "reconcile.h"

/* One namespace. */
struct watch {
	uint64_t ino;
	bool seen;
	int pid;
	bool told; /* of a change of its tables, since the last look */
	struct watches *w;
	sd_event_source *devices, *tables, *process;
	UT_hash_handle hh;
};

struct folders {
	int wd[BH_WATCH_FOLDERS_MAX];
	size_t n;
};

struct watches {
	struct controller *c;
	struct watch *all;
	int inotify;
	sd_event_source *folders;
	struct folders watched;
	size_t unwatched; /* namespaces of the last time that could not be, not all */
};

/* --- one namespace --------------------------------------------------------------------------- */

/* What was said does not matter, that something was said does: also ENOBUFS. */
static int on_devices(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watches *w = arg;
	char buf[8192];

	for (int i = 0; i < BH_WATCH_READS_MAX; i++)
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			break;
	reconcile_touch(w->c);
	return 0;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watches *w = arg;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	reconcile_touch(w->c);
	return 0;
}

/* Whatever it was, and whether it was allowed, is found by looking: ours is put back. */
static void on_commit(const struct nft_commit *commit, void *arg)
{
	struct watch *one = arg;
	char line[256];

	reconcile_touch(one->w->c);
	if (one->told)
		return;
	one->told = true;
	snprintf(line, sizeof(line), "nf_tables of namespace %llu were changed by %s (process %d)",
		 (unsigned long long)one->ino, commit->name, (int)commit->pid);
	controller_log(line, NULL);
}

static int on_tables(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watch *one = arg;
	bool missed;

	if (nft_monitor_read(fd, on_commit, one, &missed) < 0)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (missed)
		reconcile_touch(one->w->c);
	return 0;
}

static int watch_tables(struct watches *w, struct watch *one, int netns_fd)
{
	bh_autoclose int fd = -1;
	int r = nft_monitor_open(netns_fd, &fd, NULL);

	if (r >= 0)
		r = sd_event_add_io(w->c->event, &one->tables, fd, EPOLLIN, on_tables, one);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(one->tables, true);
	if (r >= 0)
		BH_STEAL_FD(fd);
	return r;
}

static int watch_devices(struct watches *w, struct watch *one, int netns_fd)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, &fd,
			     NULL);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&groups, sizeof(groups)) < 0)
		return -errno;
	r = sd_event_add_io(w->c->event, &one->devices, fd, EPOLLIN, on_devices, w);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(one->devices, true);
	if (r >= 0)
		BH_STEAL_FD(fd);
	return r;
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
	r = sd_event_add_io(w->c->event, &one->process, fd, EPOLLIN, on_process, w);
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
	sd_event_source_disable_unref(one->tables);
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
	one->w = w;
	HASH_ADD(hh, w->all, ino, sizeof(one->ino), one);
	return one;
}

/* --- folders --------------------------------------------------------------------------------- */

static int on_folders(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct watches *w = arg;

	for (int i = 0; i < BH_WATCH_READS_MAX; i++)
		if (read(fd, buf, sizeof(buf)) <= 0)
			break;
	reconcile_touch(w->c);
	return 0;
}

/* Its watch, also when it has one already; -1: it is not there. */
static int add_folder(const struct watches *w, const char *folder)
{
	return inotify_add_watch(w->inotify, folder,
				 IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR);
}

/* Of one that is not there yet, the nearest above it: somebody will make what is between. */
static int add_nearest(const struct watches *w, const char *folder)
{
	char path[PATH_MAX];
	char *slash;
	int wd;

	if ((size_t)snprintf(path, sizeof(path), "%s", folder) >= sizeof(path))
		return -1;
	while ((wd = add_folder(w, path)) < 0 && errno == ENOENT && (slash = strrchr(path, '/')) &&
	       slash != path)
		*slash = '\0';
	return wd;
}

static bool has_folder(const struct folders *f, int wd)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->wd[i] == wd)
			return true;
	return false;
}

static void watch_folder(const struct watches *w, const char *folder, struct folders *f)
{
	int wd = f->n < BH_WATCH_FOLDERS_MAX ? add_nearest(w, folder) : -1;

	if (wd >= 0 && !has_folder(f, wd))
		f->wd[f->n++] = wd;
}

/* Where this endpoint's namespace stands, unless that is /proc; LAST: the one before stood there. */
static void watch_folder_of(const struct watches *w, const char *netns, char *last,
			    struct folders *f)
{
	const char *slash = netns ? strrchr(netns, '/') : NULL;
	size_t len = slash ? (size_t)(slash - netns) : 0;

	if (!len || len >= PATH_MAX || strncmp(netns, "/proc/", 6) == 0 ||
	    (strncmp(last, netns, len) == 0 && !last[len]))
		return;
	memcpy(last, netns, len);
	last[len] = '\0';
	watch_folder(w, last, f);
}

/* All anew: a folder that went and came again is another one. */
static void watch_folders(struct watches *w, const struct site *s)
{
	struct folders now = { 0 };
	char last[PATH_MAX] = "";

	if (!w->c->o->inventory) {
		watch_folder(w, w->c->o->netns_dir ? w->c->o->netns_dir : "/run/netns", &now);
		watch_folder(w, "/run/docker/netns", &now);
	}
	for (size_t i = 0; i < s->endpoints->n; i++)
		watch_folder_of(w, s->endpoints->endpoints[i].netns, last, &now);
	for (size_t i = 0; i < w->watched.n; i++)
		if (!has_folder(&now, w->watched.wd[i]))
			inotify_rm_watch(w->inotify, w->watched.wd[i]);
	w->watched = now;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int sync_one(struct watches *w, const struct endpoint *e, const struct hold *h)
{
	struct watch *one = watch_of(w, hold_ino(h));
	int r = one ? 0 : -ENOMEM;

	if (r >= 0 && !one->devices)
		r = watch_devices(w, one, hold_netns(h));
	if (r >= 0 && !one->tables)
		r = watch_tables(w, one, hold_netns(h));
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

	for (size_t i = 0; i < s->endpoints->n; i++) {
		const struct endpoint *e = &s->endpoints->endpoints[i];
		const struct hold *h = holds_find(holds, e->netns_ino);

		r = h ? sync_one(w, e, h) : 0;
		failed += r < 0;
		last = r < 0 ? r : last;
	}
	note_unwatched(w, failed, last);
}

void watches_sync(struct watches *w, const struct site *s, const struct holds *holds)
{
	struct watch *one, *next;

	HASH_ITER (hh, w->all, one, next)
		one->seen = one->told = false;
	sync_namespaces(w, s, holds);
	HASH_ITER (hh, w->all, one, next)
		if (!one->seen)
			watch_free(w, one);
	watch_folders(w, s);
}

int watches_new(struct controller *c, struct watches **ret, struct bh_err *err)
{
	struct watches *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return bh_err_oom(err);
	w->c = c;
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = w->inotify < 0
		    ? -errno
		    : sd_event_add_io(c->event, &w->folders, w->inotify, EPOLLIN, on_folders, w);
	if (r < 0) {
		watches_free(w);
		return bh_err_errno(err, r, "watching folders");
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
	sd_event_source_disable_unref(w->folders);
	if (w->inotify >= 0)
		close(w->inotify);
	free(w);
}
