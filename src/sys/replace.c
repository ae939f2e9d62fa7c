/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/replace.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/files.h>

/* The directory is held, so that both names are in the same one whatever becomes of its path. */
static int open_dir(const char *path, size_t len)
{
	bh_autofree char *dir = strndup(len ? path : "/", len ? len : 1);
	int fd;

	if (!dir)
		return -ENOMEM;
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One that an earlier process left is of no use. O_EXCL: no link of somebody else's is written. */
static int write_beside(int dir, const char *name, mode_t mode, const char *data, size_t len)
{
	bh_autoclose int fd = -1;
	int r;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r >= 0 && fchmod(fd, mode) < 0)
		r = -errno;
	return r;
}

static int replace(int dir, const char *name, mode_t mode, const void *data, size_t len)
{
	char beside[NAME_MAX + 1];
	int r;

	if (!*name)
		return -EISDIR;
	if (snprintf(beside, sizeof(beside), ".%s.new", name) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	r = write_beside(dir, beside, mode, data, len);
	if (r >= 0)
		r = files_rename(dir, beside, name);
	if (r < 0)
		unlinkat(dir, beside, 0);
	return r;
}

static bool is_special(mode_t mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

int replace_file(const char *path, mode_t mode, const void *data, size_t len, struct bh_err *err)
{
	const char *slash = strrchr(path, '/');
	bh_autoclose int dir = -1;
	char shown[256];
	struct stat st;
	int r;

	bh_escape_str(shown, sizeof(shown), path);
	if (stat(path, &st) >= 0 && is_special(st.st_mode))
		return bh_err_set(err, -EINVAL,
				  "cannot write %s: it is a device, FIFO or socket, and is not "
				  "replaced by a file",
				  shown);
	dir = slash ? open_dir(path, (size_t)(slash - path)) : open_dir(".", 1);
	r = dir < 0 ? dir : replace(dir, slash ? slash + 1 : path, mode, data, len);
	return r < 0 ? bh_err_errno(err, r, "cannot write %s", shown) : 0;
}

/* --- what is no regular file -------------------------------------------------------------------- */

/* /dev/stdout is a link, and leads to a regular file when this output does. */
static bool is_stdout(const struct stat *st)
{
	struct stat out;

	return fstat(STDOUT_FILENO, &out) >= 0 && out.st_dev == st->st_dev &&
	       out.st_ino == st->st_ino;
}

/* A block device is a disk, and whoever names one is mistaken. 1: it is to be replaced. */
static int write_into(const char *path, const char *data, size_t len)
{
	bh_autoclose int fd = -1;
	struct stat st;

	if (stat(path, &st) < 0)
		return 1;
	if (is_stdout(&st))
		return write_all(STDOUT_FILENO, data, len);
	if (!is_special(st.st_mode) || S_ISBLK(st.st_mode))
		return 1;
	fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* another thing meanwhile */
	return S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode) ? write_all(fd, data, len) : -EAGAIN;
}

int put_file(const char *path, mode_t mode, const void *data, size_t len, struct bh_err *err)
{
	char shown[256];
	int r = write_into(path, data, len);

	if (r > 0)
		return replace_file(path, mode, data, len, err);
	return r < 0 ? bh_err_errno(err, r, "cannot write %s",
				    bh_escape_str(shown, sizeof(shown), path))
		     : 0;
}
