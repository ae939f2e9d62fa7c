/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "folders.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/runtime/runtime.h>

#include "engines.h"
#include "fresh.h"
#include "reconcile.h"

enum folder_kind {
	FOLDER_OTHER, /* one above, or of an inventory: what comes there may be anything */
	FOLDER_NAMED, /* of `ip netns` */
	FOLDER_DOCKER,
};

struct folder {
	int wd;
	enum folder_kind kind;
	char path[PATH_MAX];
};

struct folder_list {
	struct folder f[BH_WATCH_FOLDERS_MAX];
	size_t n;
};

struct folders {
	struct controller *c;
	int inotify;
	sd_event_source *now, *later;
	struct bh_buf unread;             /* notices that came while an engine was waited for */
	struct folder_list watched, next; /* the second: of folders_sync() */
};

static void on_named(struct folders *w, const struct folder *f, const struct inotify_event *e)
{
	bool comes = e->mask & (IN_CREATE | IN_MOVED_TO);

	if (comes && w->c->site.host.new_namespaces == NEW_NAMESPACES_QUARANTINE)
		fresh_appeared(w->c->fresh, f->path, e->name, f->kind == FOLDER_NAMED);
	if (!comes && fresh_count(w->c->fresh))
		reconcile_changed(w->c); /* if it was one of those, no engine tells of it */
	/* a list would wait for the start that this is part of */
	if (f->kind == FOLDER_NAMED && fresh_is_of_engine(e->name) &&
	    !engines_tell_of_starts(w->c->engines))
		reconcile_touch(w->c);
	if (f->kind == FOLDER_NAMED && controller_lists(w->c, ENDPOINT_NETNS))
		reconcile_hint(w->c, ENDPOINT_NETNS, e->name, 0);
}

static bool is_other(const struct folders *w, int wd)
{
	for (size_t i = 0; i < w->watched.n; i++)
		if (w->watched.f[i].wd == wd)
			return w->watched.f[i].kind == FOLDER_OTHER;
	return false;
}

static void on_entry(struct folders *w, const struct inotify_event *e)
{
	const struct folder *f = NULL;

	if (is_other(w, e->wd))
		folders_sync(w, &w->c->site); /* one below may have come: a look is too late */
	for (size_t i = 0; i < w->watched.n; i++)
		if (w->watched.f[i].wd == e->wd)
			f = &w->watched.f[i];
	if (!f || f->kind == FOLDER_OTHER || !e->len || (e->mask & IN_Q_OVERFLOW))
		reconcile_touch(w->c);
	else
		on_named(w, f, e);
}

static void each_event(struct folders *w, const char *buf, size_t len,
		       void (*fn)(struct folders *w, const struct inotify_event *e))
{
	struct inotify_event e;

	for (size_t at = 0; at + sizeof(e) <= len; at += sizeof(e) + e.len) {
		memcpy(&e, buf + at, sizeof(e));
		fn(w, (const void *)(buf + at));
	}
}

static int on_folders(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct folders *w = arg;

	for (int i = 0; i < BH_WATCH_READS_MAX; i++) {
		ssize_t len = read(fd, buf, sizeof(buf));

		if (len <= 0)
			break;
		each_event(w, buf, (size_t)len, on_entry);
	}
	return 0;
}

/* Of what came while an engine was waited for: some of it was lost if there is no room for it. */
static int on_later(sd_event_source *source, void *arg)
{
	struct folders *w = arg;

	if (w->unread.error)
		reconcile_touch(w->c);
	each_event(w, w->unread.data, w->unread.len, on_entry);
	bh_buf_reset(&w->unread);
	return 0;
}

static void deny_first(struct folders *w, const struct inotify_event *e)
{
	bool comes = e->mask & (IN_CREATE | IN_MOVED_TO);

	if (is_other(w, e->wd))
		folders_sync(w, &w->c->site);
	for (size_t i = 0; i < w->watched.n && comes && e->len; i++)
		if (w->watched.f[i].wd == e->wd && w->watched.f[i].kind != FOLDER_OTHER)
			fresh_appeared(w->c->fresh, w->watched.f[i].path, e->name,
				       w->watched.f[i].kind == FOLDER_NAMED);
}

/* An engine is waited for, in the middle of a look: only what cannot wait is done. */
static void while_waiting(void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct folders *w = arg;
	ssize_t len = read(w->inotify, buf, sizeof(buf));

	if (len <= 0)
		return;
	if (w->c->site.host.new_namespaces == NEW_NAMESPACES_QUARANTINE)
		each_event(w, buf, (size_t)len, deny_first);
	bh_buf_add(&w->unread, buf, (size_t)len);
	sd_event_source_set_enabled(w->later, SD_EVENT_ONESHOT);
}

/* Its watch, also when it has one already; -1: it is not there. */
static int add_folder(const struct folders *w, const char *folder)
{
	return inotify_add_watch(w->inotify, folder,
				 IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR);
}

static bool has_folder(const struct folder_list *f, int wd)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->f[i].wd == wd)
			return true;
	return false;
}

/* Of one that is not there yet, the nearest above it: somebody will make what is between. */
static void watch_folder(struct folders *w, const char *path, enum folder_kind kind)
{
	struct folder_list *all = &w->next;
	struct folder *f = all->n < BH_WATCH_FOLDERS_MAX ? &all->f[all->n] : NULL;
	char *slash;

	if (!f || (size_t)snprintf(f->path, sizeof(f->path), "%s", path) >= sizeof(f->path))
		return;
	f->kind = kind;
	while ((f->wd = add_folder(w, f->path)) < 0 && errno == ENOENT &&
	       (slash = strrchr(f->path, '/')) && slash != f->path) {
		*slash = '\0';
		f->kind = FOLDER_OTHER;
	}
	if (f->wd >= 0 && !has_folder(all, f->wd))
		all->n++;
}

/* Where this endpoint's namespace stands, unless that is /proc; LAST: the one before stood there. */
static void watch_folder_of(struct folders *w, const char *netns, char *last)
{
	const char *slash = netns ? strrchr(netns, '/') : NULL;
	size_t len = slash ? (size_t)(slash - netns) : 0;

	if (!len || len >= PATH_MAX || strncmp(netns, "/proc/", 6) == 0 ||
	    (strncmp(last, netns, len) == 0 && !last[len]))
		return;
	memcpy(last, netns, len);
	last[len] = '\0';
	watch_folder(w, last, FOLDER_OTHER);
}

/* It came while its parent was watched: what is in it by now came with it, and nothing told of it. */
static void look_into(const struct folders *w, const struct folder *f)
{
	DIR *dir = opendir(f->path);
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			fresh_appeared(w->c->fresh, f->path, d->d_name, f->kind == FOLDER_NAMED);
	if (dir)
		closedir(dir);
}

/* What stands in a folder when the daemon starts may be running: a look finds out. */
static void look_into_new(const struct folders *w)
{
	if (!w->watched.n || w->c->site.host.new_namespaces != NEW_NAMESPACES_QUARANTINE)
		return;
	for (size_t i = 0; i < w->next.n; i++)
		if (w->next.f[i].kind != FOLDER_OTHER && !has_folder(&w->watched, w->next.f[i].wd))
			look_into(w, &w->next.f[i]);
}

/* All anew: a folder that went and came again is another one. */
void folders_sync(struct folders *w, const struct site *s)
{
	const char *named = w->c->o->netns_dir ? w->c->o->netns_dir : "/run/netns";
	char last[PATH_MAX] = "";

	w->next.n = 0;
	if (!w->c->o->inventory) {
		watch_folder(w, named, FOLDER_NAMED);
		if (controller_lists(w->c, ENDPOINT_DOCKER))
			watch_folder(w, "/run/docker/netns", FOLDER_DOCKER);
	}
	for (size_t i = 0; s->endpoints && i < s->endpoints->n; i++)
		watch_folder_of(w, s->endpoints->endpoints[i].netns, last);
	for (size_t i = 0; i < w->watched.n; i++)
		if (!has_folder(&w->next, w->watched.f[i].wd))
			inotify_rm_watch(w->inotify, w->watched.f[i].wd);
	look_into_new(w);
	w->watched = w->next;
}

static int open_all(struct folders *w)
{
	int r;

	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify < 0)
		return -errno;
	r = sd_event_add_io(w->c->event, &w->now, w->inotify, EPOLLIN, on_folders, w);
	if (r >= 0)
		r = sd_event_add_defer(w->c->event, &w->later, on_later, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->later, SD_EVENT_OFF);
	if (r >= 0)
		runtime_while_waiting(w->inotify, while_waiting, w);
	return r;
}

int folders_new(struct controller *c, struct folders **ret, struct bh_err *err)
{
	struct folders *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return bh_err_oom(err);
	w->c = c;
	bh_buf_init(&w->unread, BH_WATCH_UNREAD_MAX);
	r = open_all(w);
	if (r < 0) {
		folders_free(w);
		return bh_err_errno(err, r, "watching folders");
	}
	*ret = w;
	return 0;
}

void folders_free(struct folders *w)
{
	if (!w)
		return;
	runtime_while_waiting(-1, NULL, NULL);
	bh_buf_done(&w->unread);
	sd_event_source_disable_unref(w->later);
	sd_event_source_disable_unref(w->now);
	if (w->inotify >= 0)
		close(w->inotify);
	free(w);
}
