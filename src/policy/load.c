/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/policy.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "parse.h"

/* Everything of one load that stays on the heap until the set stands. */
struct loading {
	struct bh_vec paths;   /* char * */
	struct bh_vec sources; /* struct policy_source; name borrowed from paths, data owned */
	size_t bytes;
	bool incomplete;
};

static int add_path(struct loading *l, const char *dir, const char *name, struct bh_err *err)
{
	char **path = bh_vec_push(&l->paths);
	size_t len = strlen(dir);

	if (!path && l->paths.n == l->paths.max)
		return bh_err_set(err, -E2BIG, "more than %u policy files", BH_POLICY_FILES_MAX);
	if (!path)
		return bh_err_oom(err);
	if (!name)
		*path = strdup(dir);
	else if (asprintf(path, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0)
		*path = NULL;
	return *path ? 0 : bh_err_oom(err);
}

/* Anybody may have chosen the name of a file. */
static int cannot_read(struct bh_err *err, int r, const char *path)
{
	char shown[BH_ERR_MAX / 2];

	return bh_err_errno(err, r, "cannot read %s", bh_escape_str(shown, sizeof(shown), path));
}

static int add_directory(struct loading *l, const char *path, struct bh_err *err)
{
	char shown[BH_ERR_MAX / 2];
	size_t before = l->paths.n;
	DIR *dir = opendir(path);
	struct dirent *e;
	int r = 0;

	if (!dir)
		return cannot_read(err, -errno, path);
	while (errno = 0, r >= 0 && (e = readdir(dir)) != NULL)
		if (e->d_type != DT_DIR && policy_is_file_name(e->d_name))
			r = add_path(l, path, e->d_name, err);
	if (r >= 0 && errno)
		r = cannot_read(err, -errno, path);
	closedir(dir);
	if (r >= 0 && l->paths.n == before)
		r = bh_err_set(err, -ENODATA, "there is no *.yaml or *.yml file in %s",
			       bh_escape_str(shown, sizeof(shown), path));
	return r;
}

static int add_argument(struct loading *l, const char *path, struct bh_err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return cannot_read(err, -errno, path);
	return S_ISDIR(st.st_mode) ? add_directory(l, path, err) : add_path(l, path, NULL, err);
}

static int path_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_path(struct loading *l, const char *path, struct diag_list *diags,
		     struct bh_err *err)
{
	char shown[BH_ERR_MAX / 2];
	struct policy_source *src;
	bh_autofree char *data = NULL;
	size_t len = 0;
	int r = bh_read_file(path, BH_POLICY_FILE_BYTES_MAX, &data, &len);

	if (r == -EFBIG) {
		source_too_big(diags, path);
		l->incomplete = true;
		return 0;
	}
	if (r == -EINVAL)
		return bh_err_set(err, r, "%s is not a regular file",
				  bh_escape_str(shown, sizeof(shown), path));
	if (r < 0)
		return cannot_read(err, r, path);
	l->bytes += len;
	if (l->bytes > BH_POLICY_SET_BYTES_MAX)
		return bh_err_set(err, -EFBIG, "the policy files together are larger than %u MiB",
				  BH_POLICY_SET_BYTES_MAX >> 20);
	src = bh_vec_push(&l->sources);
	if (!src)
		return bh_err_oom(err);
	*src = (struct policy_source) { path, BH_STEAL_PTR(data), len };
	return 0;
}

static void loading_done(struct loading *l)
{
	for (size_t i = 0; i < l->sources.n; i++)
		free((char *)((struct policy_source *)l->sources.data)[i].data);
	for (size_t i = 0; i < l->paths.n; i++)
		free(((char **)l->paths.data)[i]);
	bh_vec_done(&l->sources);
	bh_vec_done(&l->paths);
}

static int list_all(struct loading *l, const char *const *paths, size_t n, struct bh_err *err)
{
	int r = 0;

	bh_vec_init(&l->paths, sizeof(char *), BH_POLICY_FILES_MAX);
	bh_vec_init(&l->sources, sizeof(struct policy_source), BH_POLICY_FILES_MAX);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = add_argument(l, paths[i], err);
	if (r >= 0 && l->paths.n)
		qsort(l->paths.data, l->paths.n, sizeof(char *), path_cmp);
	return r;
}

static int read_all(struct loading *l, const char *const *paths, size_t n, struct diag_list *diags,
		    struct bh_err *err)
{
	int r = list_all(l, paths, n, err);

	for (size_t i = 0; r >= 0 && i < l->paths.n; i++)
		r = read_path(l, ((char **)l->paths.data)[i], diags, err);
	return r;
}

int policy_each_path(const char *const *paths, size_t n, int (*fn)(const char *path, void *arg),
		     void *arg, struct bh_err *err)
{
	struct loading l = { 0 };
	int r = list_all(&l, paths, n, err);

	for (size_t i = 0; r >= 0 && i < l.paths.n; i++)
		r = fn(((char **)l.paths.data)[i], arg);
	loading_done(&l);
	return r;
}

/* --- what was read, for those who keep it ---------------------------------------------------- */

struct policy_files {
	struct loading l;
};

int policy_read(const char *const *paths, size_t n, struct policy_files **ret,
		struct diag_list *diags, struct bh_err *err)
{
	struct policy_files *f = calloc(1, sizeof(*f));
	int r = f ? read_all(&f->l, paths, n, diags, err) : bh_err_oom(err);

	if (r >= 0)
		*ret = f;
	else
		policy_files_free(f);
	return r;
}

static int copy_source(struct loading *l, const struct policy_source *from)
{
	char **path = bh_vec_push(&l->paths);
	struct policy_source *src;
	char *data;

	if (!path || !(*path = strdup(from->name)))
		return -ENOMEM;
	src = bh_vec_push(&l->sources);
	data = src ? malloc(from->len + 1) : NULL;
	if (!data)
		return -ENOMEM;
	memcpy(data, from->data, from->len);
	data[from->len] = '\0';
	*src = (struct policy_source) { *path, data, from->len };
	return 0;
}

int policy_files_copy(const struct policy_source *sources, size_t n, struct policy_files **ret,
		      struct bh_err *err)
{
	struct policy_files *f = calloc(1, sizeof(*f));
	int r = f ? 0 : -ENOMEM;

	if (f) {
		bh_vec_init(&f->l.paths, sizeof(char *), BH_POLICY_FILES_MAX);
		bh_vec_init(&f->l.sources, sizeof(struct policy_source), BH_POLICY_FILES_MAX);
	}
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = copy_source(&f->l, &sources[i]);
	if (r < 0) {
		policy_files_free(f);
		return bh_err_oom(err);
	}
	*ret = f;
	return 0;
}

void policy_files_free(struct policy_files *f)
{
	if (f)
		loading_done(&f->l);
	free(f);
}

const struct policy_source *policy_files_sources(const struct policy_files *f, size_t *ret_n)
{
	*ret_n = f->l.sources.n;
	return f->l.sources.data;
}

int policy_files_parse(const struct policy_files *f, struct policy_set **ret_set,
		       struct diag_list *diags, struct bh_err *err)
{
	return sources_parse(f->l.sources.data, f->l.sources.n, f->l.incomplete, ret_set, diags,
			     err);
}

int policy_load(const char *const *paths, size_t n, struct policy_set **ret_set,
		struct diag_list *diags, struct bh_err *err)
{
	struct policy_files *f;
	int r = policy_read(paths, n, &f, diags, err);

	if (r < 0)
		return r;
	r = policy_files_parse(f, ret_set, diags, err);
	policy_files_free(f);
	return r;
}
