/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "noted.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/ctl/notes.h>

#include "announced_private.h"
#include "reconcile.h"

struct noted {
	struct controller *c;
	struct announced *announced;
	int inotify;
	int folder, above; /* watches; -1: none */
	sd_event_source *source;
	size_t taken, bad;  /* of this time */
	struct bh_err left; /* why the first that was not taken stays, or "" */
	char told[BH_ERR_MAX];
};

static const char *socket_of(const struct noted *n)
{
	return n->c->o->socket ? n->c->o->socket : n->c->site.host.control.socket;
}

/* --- taking ----------------------------------------------------------------------------------- */

static void tell_bad(struct noted *n, json_t *request, const struct bh_err *why)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	char line[BH_ERR_MAX + 256], shown[128];

	if (++n->bad > BH_NOTES_TOLD_MAX)
		return;
	snprintf(line, sizeof(line),
		 "word of container %s, which was quarantined, is of no use: %s%s",
		 bh_escape_str(shown, sizeof(shown), id ? id : "?"), why->msg,
		 n->bad == BH_NOTES_TOLD_MAX ? "; more are not told" : "");
	controller_log(line, NULL);
}

/* What it says will never be of use. Of one that has ended meanwhile there is nothing to say. */
static bool is_hopeless(int r)
{
	return r == -EINVAL || r == -ESTALE || r == -ESRCH || r == -ENOENT;
}

static bool on_note(json_t *request, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct noted *n = arg;
	int r = announced_note(n->announced, request, &err);

	n->taken += r > 0;
	if (r >= 0 || r == -ESRCH || r == -ENOENT)
		return true;
	if (is_hopeless(r))
		tell_bad(n, request, &err);
	else if (!n->left.msg[0])
		bh_err_set(&n->left, r,
			   "word of a container that was quarantined is left for later: %s",
			   err.msg);
	return is_hopeless(r);
}

static bool are_kept(void *arg)
{
	const struct noted *n = arg;

	announced_save(n->announced);
	return !announced_unwritten(n->announced);
}

/* What lasts is told once. */
static void tell(struct noted *n, const char *why)
{
	if (why[0] && strcmp(why, n->told) != 0)
		controller_log(why, NULL);
	snprintf(n->told, sizeof(n->told), "%s", why);
}

/* --- watching --------------------------------------------------------------------------------- */

static void unwatch(struct noted *n)
{
	if (n->folder >= 0)
		inotify_rm_watch(n->inotify, n->folder);
	n->folder = -1;
}

/* The folder that was looked at, whatever has its name by then. */
static void watch_folder(struct noted *n, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n->folder = inotify_add_watch(n->inotify, path, IN_MOVED_TO | IN_ONLYDIR);
}

/* Of a folder in which others may write nothing is heard, however much they write. */
static void sync_watches(struct noted *n)
{
	bh_autoclose int fd = -1;
	char path[PATH_MAX], *slash;

	unwatch(n);
	if (ctl_notes_path(socket_of(n), path, NULL) < 0)
		return;
	if (ctl_notes_open(socket_of(n), &fd, NULL) >= 0)
		watch_folder(n, fd);
	slash = strrchr(path, '/');
	if (slash)
		slash[slash == path] = '\0';
	else
		strcpy(path, ".");
	n->above = inotify_add_watch(n->inotify, path,
				     IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR);
}

static bool is_folder(const struct noted *n, const char *name)
{
	char path[PATH_MAX];
	const char *slash;

	if (ctl_notes_path(socket_of(n), path, NULL) < 0)
		return false;
	slash = strrchr(path, '/');
	return strcmp(slash ? slash + 1 : path, name) == 0;
}

struct news {
	bool notes, folder;
};

static void on_event(const struct noted *n, const struct inotify_event *e, struct news *news)
{
	if (e->mask & IN_Q_OVERFLOW)
		news->notes = news->folder = true;
	else if (e->wd == n->folder)
		news->notes |= e->len && e->name[0] != '.';
	else if (e->wd == n->above && e->len && is_folder(n, e->name))
		news->folder = true;
}

/* Many come at once: they are taken together. */
static int on_inotify(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct noted *n = arg;
	struct news news = { 0 };

	for (int i = 0; i < BH_WATCH_READS_MAX; i++) {
		ssize_t len = read(fd, buf, sizeof(buf));
		const struct inotify_event *e;

		if (len <= 0)
			break;
		for (char *at = buf; at < buf + len; at += sizeof(*e) + e->len) {
			e = (const void *)at;
			on_event(n, e, &news);
		}
	}
	if (news.folder)
		sync_watches(n);
	if (news.folder || news.notes)
		noted_take(n);
	return 0;
}

void noted_take(struct noted *n)
{
	const struct ctl_notes_taker taker = { on_note, are_kept, n };
	struct bh_err why = BH_ERR_INIT;

	n->taken = n->bad = 0;
	n->left = (struct bh_err)BH_ERR_INIT;
	if (n->folder < 0)
		sync_watches(n);
	ctl_notes_take(socket_of(n), &taker, &why);
	tell(n, why.msg[0] ? why.msg : n->left.msg);
	if (n->taken)
		reconcile_urgent(n->c);
}

/* --- life ------------------------------------------------------------------------------------- */

int noted_new(struct controller *c, struct announced *a, struct noted **ret, struct bh_err *err)
{
	struct noted *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return bh_err_oom(err);
	*n = (struct noted) { .c = c, .announced = a, .folder = -1, .above = -1 };
	n->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = n->inotify < 0
		    ? -errno
		    : sd_event_add_io(c->event, &n->source, n->inotify, EPOLLIN, on_inotify, n);
	if (r < 0) {
		noted_free(n);
		return bh_err_errno(err, r, "watching for word of starters");
	}
	noted_take(n);
	*ret = n;
	return 0;
}

void noted_free(struct noted *n)
{
	if (!n)
		return;
	sd_event_source_disable_unref(n->source);
	if (n->inotify >= 0)
		close(n->inotify);
	free(n);
}
