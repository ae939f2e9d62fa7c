/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/generations.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

#include "genfile.h"

#define TEMP_MAX 40
#define STAGED   ".bulkhead."

/* A file that is there now. */
struct was {
	char *path, *data; /* path as the policies' loader names it */
	const char *name;  /* in the directory: the end of PATH */
	size_t len;
	struct files_access access;
};

/* What is done to one name. */
struct step {
	const char *name;
	const struct policy_source *want; /* NULL: it goes */
	const struct was *was;            /* NULL: there is none */
	char temp[TEMP_MAX];              /* what is to come, staged; "" = not, or not any more */
	char back[TEMP_MAX];              /* what was, staged */
	bool done;
};

struct restoring {
	const struct restore_options *o;
	const struct generation *g;
	int dir;
	struct files_access access; /* of files that are new */
	struct bh_vec was;          /* struct was, sorted by path */
	struct bh_vec steps;        /* struct step */
};

/* --- what is there --------------------------------------------------------------------------- */

static size_t dir_len(const char *dir)
{
	size_t n = strlen(dir);

	return n && dir[n - 1] == '/' ? n - 1 : n;
}

/* The name of PATH in the policy directory, or NULL when it is not directly in it. */
static const char *name_in(const char *dir, const char *path)
{
	size_t n = dir_len(dir);

	if (strncmp(path, dir, n) != 0 || path[n] != '/' || strchr(path + n + 1, '/') ||
	    strlen(path + n + 1) > NAME_MAX || !policy_is_file_name(path + n + 1))
		return NULL;
	return path + n + 1;
}

static int read_was(struct restoring *x, struct was *w, const char *name)
{
	size_t n = dir_len(x->o->policy_dir);
	struct stat st;

	if (asprintf(&w->path, "%.*s/%s", (int)n, x->o->policy_dir, name) < 0) {
		w->path = NULL;
		return -ENOMEM;
	}
	w->name = w->path + n + 1;
	if (fstatat(x->dir, name, &st, 0) < 0) /* as the loader, which follows links */
		return -errno;
	w->access = (struct files_access) { st.st_mode & 0777, st.st_uid, st.st_gid };
	return bh_read_file(w->path, BH_POLICY_FILE_BYTES_MAX, &w->data, &w->len);
}

static int was_cmp(const void *a, const void *b)
{
	return strcmp(((const struct was *)a)->path, ((const struct was *)b)->path);
}

/* Staged by a restore that was killed: what was there then is a generation. */
static bool is_left_over(const char *name)
{
	size_t digits;

	if (strncmp(name, STAGED, strlen(STAGED)) != 0)
		return false;
	name += strlen(STAGED);
	digits = strspn(name, "0123456789");
	return digits && (strcmp(name + digits, ".new") == 0 || strcmp(name + digits, ".old") == 0);
}

static int read_entries(struct restoring *x, DIR *d, struct bh_err *err)
{
	char shown[BH_ERR_MAX / 2];
	struct dirent *e;

	while (errno = 0, (e = readdir(d)) != NULL) {
		struct was *w;
		int r;

		if (is_left_over(e->d_name))
			unlinkat(x->dir, e->d_name, 0);
		if (e->d_type == DT_DIR || !policy_is_file_name(e->d_name))
			continue;
		w = bh_vec_push(&x->was);
		r = w ? read_was(x, w, e->d_name) : -E2BIG;
		if (r < 0)
			return bh_err_errno(err, r, "cannot keep what is in %s",
					    bh_escape_str(shown, sizeof(shown), e->d_name));
	}
	return errno ? bh_err_errno(err, -errno, "cannot list the policy directory") : 0;
}

static int read_dir(struct restoring *x, struct bh_err *err)
{
	bh_autoclose int fd = openat(x->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!d)
		return bh_err_errno(err, -errno, "cannot list the policy directory");
	BH_STEAL_FD(fd);
	r = read_entries(x, d, err);
	closedir(d);
	if (r >= 0 && x->was.n)
		qsort(x->was.data, x->was.n, sizeof(struct was), was_cmp);
	return r;
}

static int keep_was(struct restoring *x, struct restored *ret, struct bh_err *err)
{
	const struct restore_options *o = x->o;
	const struct was *w = x->was.data;
	bh_autofree struct policy_source *src = calloc(x->was.n + 1, sizeof(*src));

	if (!src)
		return bh_err_oom(err);
	if (x->was.n == 0)
		return 0;
	for (size_t i = 0; i < x->was.n; i++)
		src[i] = (struct policy_source) { w[i].path, w[i].data, w[i].len };
	digest_sources(src, x->was.n, ret->before);
	return generations_keep(o->store_dir, src, x->was.n, o->host, &o->keeper, o->notice, o->arg,
				ret->before_id, err);
}

/* --- what is to be done ----------------------------------------------------------------------- */

static const struct was *find_was(const struct restoring *x, const char *name)
{
	const struct was *w = x->was.data;

	for (size_t i = 0; i < x->was.n; i++)
		if (strcmp(w[i].name, name) == 0)
			return &w[i];
	return NULL;
}

static int add_step(struct restoring *x, const char *name, const struct policy_source *want,
		    const struct was *was)
{
	struct step *s = bh_vec_push(&x->steps);

	if (!s)
		return -ENOMEM;
	s->name = name;
	s->want = want;
	s->was = was;
	return 0;
}

static bool has(const struct generation *g, const char *path)
{
	for (size_t i = 0; i < g->n_files; i++)
		if (strcmp(g->files[i].name, path) == 0)
			return true;
	return false;
}

static int plan(struct restoring *x, struct restored *ret)
{
	const struct was *w = x->was.data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < x->g->n_files; i++) {
		const struct policy_source *f = &x->g->files[i];
		const char *name = name_in(x->o->policy_dir, f->name);
		const struct was *old = name ? find_was(x, name) : NULL;

		if (!name) /* check() has seen to that */
			return -EINVAL;
		if (old && old->len == f->len && memcmp(old->data, f->data, f->len) == 0)
			ret->unchanged++;
		else
			r = add_step(x, name, f, old);
	}
	for (size_t i = 0; r >= 0 && i < x->was.n; i++)
		if (!has(x->g, w[i].path))
			r = add_step(x, w[i].name, NULL, &w[i]);
	return r;
}

/* --- doing it -------------------------------------------------------------------------------- */

/* All that can fail for want of room fails here, and nothing has changed: the way back, too. */
static int stage(struct restoring *x)
{
	struct step *s = x->steps.data;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < x->steps.n; i++) {
		const struct was *w = s[i].was;

		snprintf(s[i].temp, TEMP_MAX, STAGED "%zu.new", i);
		snprintf(s[i].back, TEMP_MAX, STAGED "%zu.old", i);
		if (s[i].want)
			r = files_stage(x->dir, s[i].temp, s[i].want->data, s[i].want->len,
					w ? &w->access : &x->access);
		if (r >= 0 && w)
			r = files_stage(x->dir, s[i].back, w->data, w->len, &w->access);
	}
	return r < 0 ? r : files_sync(x->dir);
}

static int exchange(struct restoring *x, struct restored *ret)
{
	struct step *s = x->steps.data;

	for (size_t i = 0; i < x->steps.n; i++) {
		int r;

		if (s[i].want)
			r = files_rename(x->dir, s[i].temp, s[i].name);
		else
			r = unlinkat(x->dir, s[i].name, 0) < 0 && errno != ENOENT ? -errno : 0;
		if (r < 0)
			return r;
		s[i].done = true;
		if (s[i].want)
			ret->written++;
		else
			ret->removed++;
	}
	return files_sync(x->dir);
}

static int put_back(struct restoring *x)
{
	struct step *s = x->steps.data;
	int worst = 0;

	for (size_t i = 0; i < x->steps.n; i++) {
		int r = 0;

		if (s[i].done && s[i].was)
			r = files_rename(x->dir, s[i].back, s[i].name);
		else if (s[i].done)
			r = unlinkat(x->dir, s[i].name, 0) < 0 ? -errno : 0;
		worst = r < 0 ? r : worst;
	}
	if (files_sync(x->dir) < 0)
		worst = worst < 0 ? worst : -EIO;
	return worst;
}

static void clear_staged(struct restoring *x)
{
	const struct step *s = x->steps.data;

	for (size_t i = 0; i < x->steps.n; i++) {
		if (s[i].temp[0])
			unlinkat(x->dir, s[i].temp, 0);
		if (s[i].back[0])
			unlinkat(x->dir, s[i].back, 0);
	}
}

static int carry_out(struct restoring *x, struct restored *ret, struct bh_err *err)
{
	int r = stage(x), back;

	if (r < 0) {
		r = bh_err_errno(err, r,
				 "cannot write to the policy directory, nothing was changed");
	} else {
		r = exchange(x, ret);
		back = r < 0 ? put_back(x) : 0;
		if (back < 0)
			bh_err_set(
				err, r,
				"cannot restore (%s), nor put back all that was there (%s): it is "
				"kept as generation %.12s",
				strerrordesc_np(-r), strerrordesc_np(-back), ret->before_id);
		else if (r < 0)
			bh_err_errno(err, r, "cannot restore, what was there was put back");
	}
	clear_staged(x);
	return r;
}

/* --- all of it ------------------------------------------------------------------------------- */

static int check(const struct generation *g, const struct restore_options *o, struct bh_err *err)
{
	char shown[BH_ERR_MAX / 3], dir[BH_ERR_MAX / 3];

	bh_escape_str(dir, sizeof(dir), o->policy_dir);
	if (g->n_files == 0)
		return bh_err_set(err, -EINVAL, "generation %.12s has no files", g->info.id);
	for (size_t i = 0; i < g->n_files; i++)
		if (!name_in(o->policy_dir, g->files[i].name))
			return bh_err_set(err, -EINVAL,
					  "generation %.12s has %s, which is not in %s", g->info.id,
					  bh_escape_str(shown, sizeof(shown), g->files[i].name),
					  dir);
	return o->validate(g->files, g->n_files, o->arg, err);
}

static int open_policy_dir(struct restoring *x, struct bh_err *err)
{
	struct stat st;
	char shown[BH_ERR_MAX / 2];

	x->dir = open(x->o->policy_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->dir < 0 || fstat(x->dir, &st) < 0)
		return bh_err_errno(err, -errno, "cannot open %s",
				    bh_escape_str(shown, sizeof(shown), x->o->policy_dir));
	/* Whoever may read the directory may read what is new in it. */
	x->access = (struct files_access) { st.st_mode & 0644, st.st_uid, st.st_gid };
	return 0;
}

static void restoring_done(struct restoring *x)
{
	struct was *w = x->was.data;

	for (size_t i = 0; i < x->was.n; i++) {
		free(w[i].path);
		free(w[i].data);
	}
	bh_vec_done(&x->was);
	bh_vec_done(&x->steps);
	if (x->dir >= 0)
		close(x->dir);
}

int generation_restore(const struct generation *g, const struct restore_options *o,
		       struct restored *ret, struct bh_err *err)
{
	struct restoring x = { .o = o, .g = g, .dir = -1 };
	struct restored done = { 0 };
	int r = check(g, o, err);

	if (r < 0)
		return r;
	bh_vec_init(&x.was, sizeof(struct was), BH_POLICY_FILES_MAX);
	bh_vec_init(&x.steps, sizeof(struct step), 2 * BH_POLICY_FILES_MAX);
	r = open_policy_dir(&x, err);
	if (r >= 0)
		r = read_dir(&x, err);
	if (r >= 0)
		r = keep_was(&x, &done, err);
	if (r >= 0) {
		r = plan(&x, &done);
		if (r < 0)
			bh_err_errno(err, r, "cannot restore");
	}
	if (r >= 0)
		r = carry_out(&x, &done, err);
	restoring_done(&x);
	if (r >= 0)
		*ret = done;
	return r;
}
