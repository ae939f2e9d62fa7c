/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policyfiles.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/host.h>
#include <bulkhead/policy/policy.h>

/* Of filesystems that are in use, none is coarser. */
#define COARSEST_USEC 2000000

static const char *config_of(const struct policyfiles *f)
{
	return f->config ? f->config : HOST_CONFIG_FILE;
}

/* --- the signature --------------------------------------------------------------------------- */

struct signing {
	struct bh_buf text;
	int64_t newest; /* microseconds since the epoch */
};

static int64_t usec_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

static void note_time(struct signing *s, const struct timespec *t)
{
	if (usec_of(t) > s->newest)
		s->newest = usec_of(t);
}

static int sign_one(const char *path, void *arg)
{
	struct signing *s = arg;
	struct stat st;

	bh_buf_add(&s->text, path, strlen(path) + 1);
	if (stat(path, &st) < 0)
		return bh_buf_addf(&s->text, "error %d\n", errno);
	note_time(s, &st.st_mtim);
	note_time(s, &st.st_ctim);
	return bh_buf_addf(&s->text, "%ju %ju %jd %jd.%09ld %jd.%09ld\n", (uintmax_t)st.st_dev,
			   (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
			   st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

int policyfiles_sign(const struct policyfiles *f, int64_t now, struct policyfiles_signature *ret,
		     struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	struct signing s = { .newest = INT64_MIN };
	int r;

	bh_buf_init(&s.text, BH_POLICY_SIGNATURE_MAX);
	r = policy_each_path(f->policies, f->n_policies, sign_one, &s, &why);
	if (r < 0 && !bh_buf_error(&s.text))
		bh_buf_addf(&s.text, "%d %s\n", r, why.msg);
	sign_one(config_of(f), &s);
	r = bh_buf_error(&s.text);
	if (r >= 0) {
		digest_bytes(bh_buf_str(&s.text), s.text.len, ret->digest);
		ret->fresh = s.newest >= now - COARSEST_USEC;
	}
	bh_buf_done(&s.text);
	return r < 0 ? bh_err_errno(err, r, "looking at the policy files") : 0;
}

/* --- watches --------------------------------------------------------------------------------- */

struct watching {
	int inotify;
	struct policyfiles_watches now;
};

static int watch(int inotify, const char *path)
{
	return inotify_add_watch(inotify, path,
				 IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
					 IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |
					 IN_ONLYDIR);
}

static bool has(const struct policyfiles_watches *w, int wd)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->wd[i] == wd)
			return true;
	return false;
}

static void keep(struct watching *w, int wd)
{
	if (has(&w->now, wd))
		return;
	if (w->now.n < BH_POLICY_WATCHES_MAX) {
		w->now.wd[w->now.n++] = wd;
		return;
	}
	inotify_rm_watch(w->inotify, wd);
	w->now.error = -E2BIG;
}

/* What is not there may come: that is told where it would stand. */
static bool may_come(int error)
{
	return error == ENOENT || error == ENOTDIR;
}

/* From a path to the directory that it stands in, in place; false: there is none above. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
		return false;
	if (slash)
		slash[slash == path] = '\0';
	else
		strcpy(path, ".");
	return true;
}

/* The directory that PATH stands in; of one that is not there the nearest above. */
static void watch_around(struct watching *w, const char *path)
{
	size_t len = strlen(path);
	char directory[PATH_MAX];
	int wd = -1;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (!len || len >= sizeof(directory))
		return; /* no such file can be opened */
	snprintf(directory, sizeof(directory), "%.*s", (int)len, path);
	do {
		if (!go_up(directory))
			return;
		wd = watch(w->inotify, directory);
	} while (wd < 0 && may_come(errno));
	if (wd >= 0)
		keep(w, wd);
	else
		w->now.error = -errno;
}

/* What is written where a link leads to is told there. */
static int watch_target(const char *path, void *arg)
{
	bh_autofree char *target = NULL;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	target = realpath(path, NULL);
	if (target)
		watch_around(arg, target);
	return 0;
}

static void watch_path(struct watching *w, const char *path)
{
	struct stat st;
	int wd;

	watch_around(w, path);
	watch_target(path, w);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return;
	wd = watch(w->inotify, path);
	if (wd >= 0)
		keep(w, wd);
	else if (!may_come(errno))
		w->now.error = -errno;
}

void policyfiles_watch(const struct policyfiles *f, int inotify, struct policyfiles_watches *w)
{
	struct watching new = { .inotify = inotify };

	for (size_t i = 0; i < f->n_policies; i++)
		watch_path(&new, f->policies[i]);
	watch_path(&new, config_of(f));
	policy_each_path(f->policies, f->n_policies, watch_target, &new, NULL);
	for (size_t i = 0; i < w->n; i++)
		if (!has(&new.now, w->wd[i]))
			inotify_rm_watch(inotify, w->wd[i]);
	*w = new.now;
}

void policyfiles_unwatch(int inotify, struct policyfiles_watches *w)
{
	for (size_t i = 0; i < w->n; i++)
		inotify_rm_watch(inotify, w->wd[i]);
	*w = (struct policyfiles_watches) { 0 };
}

/* --- events ---------------------------------------------------------------------------------- */

static bool is_last_part(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, name) == 0;
}

bool policyfiles_concern(const struct policyfiles *f, uint32_t mask, const char *name)
{
	if (mask & IN_IGNORED)
		return false; /* we did that, or the event before this one told */
	/* What comes and goes may be a link on the way: "..data". What is written to is a file. */
	if (!(mask & (IN_MODIFY | IN_CLOSE_WRITE)) || policy_is_file_name(name))
		return true;
	for (size_t i = 0; i < f->n_policies; i++)
		if (is_last_part(f->policies[i], name))
			return true;
	return is_last_part(config_of(f), name);
}
