/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/ctl/probing.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>

/* Not in the socket's own directory: a service manager may take that away with the daemon. */
static int open_file(const char *socket, int flags, int *ret_fd, struct bh_err *err)
{
	const char *slash = strrchr(socket, '/');
	int n = slash ? (int)(slash - socket) : 0;
	bh_autoclose int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	if (n < 1 || snprintf(path, sizeof(path), "%.*s.probes", n, socket) >= PATH_MAX)
		return bh_err_set(err, -EINVAL, "the socket has no directory of its own");
	fd = open(path, flags | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return bh_err_set(err, -EPERM, "%s is not a file of ours", path);
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

/* The lock first: whoever sees a test counted that has not ended must see that it runs. */
int ctl_probing_begin(const char *socket, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = open_file(socket, O_RDWR | O_CREAT, &fd, err);

	if (r < 0)
		return r;
	if (flock(fd, LOCK_SH) < 0 || write(fd, ".", 1) != 1)
		return bh_err_errno(err, errno ? -errno : -EIO, "counting segmentation tests");
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

/* The count first, for the same reason. */
int ctl_probing_look(const char *socket, struct ctl_probing *ret, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct stat st;
	int r = open_file(socket, O_RDONLY, &fd, err);

	*ret = (struct ctl_probing) { 0 };
	if (r == -ENOENT) {
		if (err)
			*err = (struct bh_err)BH_ERR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "counting segmentation tests");
	ret->begun = (uint64_t)st.st_size;
	ret->running = flock(fd, LOCK_EX | LOCK_NB) < 0;
	return 0;
}
