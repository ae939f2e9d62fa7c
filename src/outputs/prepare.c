/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/outputs/outputs.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define SHOWN_MAX 256
#define DIR_MODE  0750

/* What is checked is what was opened. */
static int open_at(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * What we have just made is nobody else's: whoever could put another directory into its place may write
 * to the parent, and of that only its owner and its group are trusted (/var/log is syslog's, too, on some
 * systems).
 */
static int check_parent(int parent)
{
	struct stat st;

	if (fstat(parent, &st) < 0)
		return -errno;
	return st.st_uid != geteuid() || st.st_mode & 0002 ? -EPERM : 0;
}

static int make(int parent, const char *name, uid_t uid, gid_t gid)
{
	bh_autoclose int fd = -1;
	struct stat st;
	int r = check_parent(parent);

	if (r < 0)
		return r;
	if (mkdirat(parent, name, DIR_MODE) < 0)
		return -errno;
	fd = open_at(parent, name);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_nlink > 2)
		return -EPERM;
	/* The umask may have made it narrower. */
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, DIR_MODE) < 0)
		return -errno;
	return 0;
}

static int check(int fd, const char *shown, uid_t uid, struct bh_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "%s", shown);
	if (st.st_uid != uid)
		return bh_err_set(err, -EPERM,
				  "%s belongs to user %u, not to %u: give the files of outputs a "
				  "directory of their own, or this one to user %u",
				  shown, st.st_uid, uid, uid);
	if (st.st_mode & 0022)
		return bh_err_set(err, -EPERM, "others may write to %s (mode %04o): chmod 0750 it",
				  shown, st.st_mode & 07777);
	return 0;
}

/* DIR without a slash at its end, but for the root's. */
static int prepare_dir(char *dir, uid_t uid, gid_t gid, struct bh_err *err)
{
	char *slash = strrchr(dir, '/'), shown[SHOWN_MAX];
	bh_autoclose int parent = -1;
	bh_autoclose int fd = -1;
	int r;

	bh_escape_str(shown, sizeof(shown), *dir ? dir : "/");
	fd = open_at(AT_FDCWD, *dir ? dir : "/");
	if (fd >= 0)
		return check(fd, shown, uid, err);
	if (fd != -ENOENT)
		return bh_err_errno(err, fd, "%s", shown);
	*slash = '\0';
	parent = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = parent < 0 ? -errno : make(parent, slash + 1, uid, gid);
	return r < 0 ? bh_err_errno(err, r, "cannot make %s", shown) : 0;
}

int outputs_prepare(const struct host_output *list, size_t n, uid_t uid, gid_t gid,
		    struct bh_err *err)
{
	for (size_t i = 0; i < n; i++) {
		bh_autofree char *dir = NULL;
		int r;

		if (list[i].kind != OUTPUT_FILE)
			continue;
		dir = strdup(list[i].path);
		if (!dir)
			return bh_err_oom(err);
		*strrchr(dir, '/') = '\0';
		r = prepare_dir(dir, uid, gid, err);
		if (r < 0)
			return r;
	}
	return 0;
}
