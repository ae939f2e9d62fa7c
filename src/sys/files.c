/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/files.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define SHOWN_MAX 256

/* Whoever may write to the directory may put other files in the place of ours. */
static int check_dir(int fd, const char *shown, struct bh_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "%s", shown);
	if (st.st_uid != geteuid())
		return bh_err_set(err, -EPERM, "%s belongs to user %u, not to %u", shown, st.st_uid,
				  geteuid());
	if (st.st_mode & 022)
		return bh_err_set(err, -EPERM, "others may write to %s (mode %04o)", shown,
				  st.st_mode & 07777);
	return 0;
}

int files_open_dir(const char *path, mode_t mode, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	char shown[SHOWN_MAX];
	int r;

	bh_escape_str(shown, sizeof(shown), path);
	if (mode && mkdir(path, mode) < 0 && errno != EEXIST)
		return bh_err_errno(err, -errno, "cannot make %s", shown);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return bh_err_errno(err, -errno, "cannot open %s", shown);
	r = check_dir(fd, shown, err);
	if (r < 0)
		return r;
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

int files_append(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill(int fd, const void *data, size_t len, const struct files_access *access)
{
	int r = files_append(fd, data, len);

	if (r < 0)
		return r;
	/* Before the owner: of another's file it would take CAP_FOWNER. */
	if (fchmod(fd, access->mode) < 0)
		return -errno;
	if ((access->uid != (uid_t)-1 || access->gid != (gid_t)-1) &&
	    fchown(fd, access->uid, access->gid) < 0 && errno != EPERM)
		return -errno;
	return fsync(fd) < 0 ? -errno : 0;
}

int files_stage(int dir, const char *temp, const void *data, size_t len,
		const struct files_access *access)
{
	bh_autoclose int fd = -1;
	int r;

	if (unlinkat(dir, temp, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fill(fd, data, len, access);
	if (r < 0)
		unlinkat(dir, temp, 0);
	return r;
}

int files_rename(int dir, const char *temp, const char *name)
{
	return renameat(dir, temp, dir, name) < 0 ? -errno : 0;
}

int files_sync(int dir)
{
	return fsync(dir) < 0 ? -errno : 0;
}

/* Where the file system cannot rename so, a second name does it, which never replaces either. */
static int take_free_name(int dir, const char *temp, const char *name)
{
	if (renameat2(dir, temp, dir, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	if (linkat(dir, temp, dir, name, 0) < 0)
		return -errno;
	return unlinkat(dir, temp, 0) < 0 ? -errno : 0;
}

static int write_by(int (*give_name)(int dir, const char *temp, const char *name), int dir,
		    const char *name, const void *data, size_t len,
		    const struct files_access *access)
{
	char temp[256];
	int r;

	if (snprintf(temp, sizeof(temp), ".%s.new", name) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	r = files_stage(dir, temp, data, len, access);
	if (r < 0)
		return r;
	r = give_name(dir, temp, name);
	if (r < 0)
		unlinkat(dir, temp, 0);
	return r < 0 ? r : files_sync(dir);
}

int files_write_as(int dir, const char *name, const void *data, size_t len,
		   const struct files_access *access)
{
	return write_by(files_rename, dir, name, data, len, access);
}

int files_write_new(int dir, const char *name, const void *data, size_t len,
		    const struct files_access *access)
{
	return write_by(take_free_name, dir, name, data, len, access);
}

int files_write(int dir, const char *name, const void *data, size_t len, mode_t mode)
{
	const struct files_access access = { mode, (uid_t)-1, (gid_t)-1 };

	return files_write_as(dir, name, data, len, &access);
}

int files_read(int dir, const char *name, size_t max, char **ret, size_t *ret_len)
{
	bh_autoclose int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : bh_read_fd(fd, max, ret, ret_len);
}
