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

#define FOLDERS_MAX    16
#define READ_ROUND_MAX 64

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

struct watches {
	struct controller *c;
	struct watch *all;
	int inotify;
	sd_event_source *folders;
	char *folder[FOLDERS_MAX];
	size_t n_folders;
};

/* --- one namespace --------------------------------------------------------------------------- */

/* What was said does not matter, that something was said does: also ENOBUFS. */
static int on_devices(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watches *w = arg;
	char buf[8192];

	for (int i = 0; i < READ_ROUND_MAX; i++)
		if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			break;
	controller_touch(w->c);
	return 0;
}

static int on_process(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct watches *w = arg;

	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	controller_touch(w->c);
	return 0;
}

/* Whatever it was, and whether it was allowed, is found by looking: ours is put back. */
static void on_commit(const struct nft_commit *commit, void *arg)
{
	struct watch *one = arg;
	char line[256];

	controller_touch(one->w->c);
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
		controller_touch(one->w->c);
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

/* A process that has ended already is found by the next look. */
static int watch_process(struct watches *w, struct watch *one, int pid)
{
	bh_autoclose int fd = -1;
	int r;

	one->process = sd_event_source_disable_unref(one->process);
	one->pid = pid;
	if (pid <= 0)
		return 0;
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	r = sd_event_add_io(w->c->event, &one->process, fd, EPOLLIN, on_process, w);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(one->process, true);
	if (r >= 0)
		BH_STEAL_FD(fd);
	return r;
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

	for (int i = 0; i < READ_ROUND_MAX; i++)
		if (read(fd, buf, sizeof(buf)) <= 0)
			break;
	controller_touch(w->c);
	return 0;
}

static bool is_watched(const struct watches *w, const char *folder)
{
	for (size_t i = 0; i < w->n_folders; i++)
		if (strcmp(w->folder[i], folder) == 0)
			return true;
	return false;
}

/* One that is not there yet is tried again at the next look. */
static void watch_folder(struct watches *w, const char *folder)
{
	if (is_watched(w, folder) || w->n_folders == FOLDERS_MAX ||
	    inotify_add_watch(w->inotify, folder,
			      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return;
	w->folder[w->n_folders] = strdup(folder);
	w->n_folders += w->folder[w->n_folders] != NULL;
}

/* Where this endpoint's namespace stands, unless that is /proc. */
static void watch_folder_of(struct watches *w, const char *netns)
{
	char folder[PATH_MAX];
	const char *slash = netns ? strrchr(netns, '/') : NULL;

	if (!slash || slash == netns || strncmp(netns, "/proc/", 6) == 0 ||
	    (size_t)(slash - netns) >= sizeof(folder))
		return;
	memcpy(folder, netns, (size_t)(slash - netns));
	folder[slash - netns] = '\0';
	watch_folder(w, folder);
}

static void watch_folders(struct watches *w, const struct site *s)
{
	if (!w->c->o->inventory) {
		watch_folder(w, w->c->o->netns_dir ? w->c->o->netns_dir : "/run/netns");
		watch_folder(w, "/run/docker/netns");
	}
	for (size_t i = 0; i < s->endpoints->n; i++)
		watch_folder_of(w, s->endpoints->endpoints[i].netns);
}

/* --- all of them ----------------------------------------------------------------------------- */

static void sync_one(struct watches *w, const struct endpoint *e, const struct hold *h)
{
	struct watch *one = watch_of(w, hold_ino(h));

	if (!one)
		return;
	if (!one->devices && watch_devices(w, one, hold_netns(h)) < 0)
		controller_log("the devices of a namespace cannot be watched", NULL);
	if (!one->tables && watch_tables(w, one, hold_netns(h)) < 0)
		controller_log("the tables of a namespace cannot be watched", NULL);
	/* Of those that share it, one: the next look finds the others. */
	if (!one->seen && one->pid != e->pid && watch_process(w, one, e->pid) < 0)
		controller_log("the end of a container's process cannot be watched", NULL);
	one->seen = true;
}

void watches_sync(struct watches *w, const struct site *s, const struct holds *holds)
{
	struct watch *one, *next;

	HASH_ITER (hh, w->all, one, next)
		one->seen = one->told = false;
	for (size_t i = 0; i < s->endpoints->n; i++) {
		const struct endpoint *e = &s->endpoints->endpoints[i];
		const struct hold *h = holds_find(holds, e->netns_ino);

		if (h)
			sync_one(w, e, h);
	}
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
	for (size_t i = 0; i < w->n_folders; i++)
		free(w->folder[i]);
	free(w);
}
