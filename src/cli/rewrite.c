/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

#include "cli.h"

/* The directory of PATH, which is cut off it. */
static int open_dir(char *path, const char **ret_name)
{
	char *slash = strrchr(path, '/');
	int dir;

	*ret_name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	dir = open(!slash ? "." : *path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : dir;
}

typedef int write_fn(int dir, const char *name, const void *data, size_t len,
		     const struct files_access *access);

static int write_by(write_fn *fn, const char *file, mode_t mode, const char *text, size_t len)
{
	const struct files_access access = { mode, (uid_t)-1, (gid_t)-1 };
	bh_autofree char *path = strdup(file);
	bh_autoclose int dir = -1;
	const char *name;

	dir = path ? open_dir(path, &name) : -ENOMEM;
	return dir < 0 ? dir : fn(dir, name, text, len, &access);
}

int cli_write(const char *file, mode_t mode, const char *text, size_t len)
{
	return write_by(files_write_as, file, mode, text, len);
}

int cli_write_new(const char *file, mode_t mode, const char *text, size_t len)
{
	return write_by(files_write_new, file, mode, text, len);
}

int cli_rewrite(const char *file, const char *old, size_t old_len, size_t max, const char *text,
		size_t len)
{
	bh_autofree char *path = realpath(file, NULL), *now = NULL;
	struct files_access access;
	bh_autoclose int dir = -1;
	const char *name;
	struct stat st;
	size_t now_len;
	int r;

	if (!path)
		return -errno;
	r = bh_read_file(path, max, &now, &now_len);
	if (r < 0)
		return r;
	if (now_len != old_len || memcmp(now, old, now_len) != 0)
		return -ESTALE;
	if (stat(path, &st) < 0)
		return -errno;
	access = (struct files_access) { st.st_mode & 07777, st.st_uid, st.st_gid };
	dir = open_dir(path, &name);
	return dir < 0 ? dir : files_write_as(dir, name, text, len, &access);
}
