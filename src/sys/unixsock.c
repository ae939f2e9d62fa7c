/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/unixsock.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define SHOWN_MAX 256
#define PROBES    10 /* of whether somebody answers, at such distances: */
#define PROBE_MS  20

static int make_addr(struct sockaddr_un *ret, const char *path, struct bh_err *err)
{
	char shown[SHOWN_MAX];
	size_t len = strlen(path);

	*ret = (struct sockaddr_un) { .sun_family = AF_UNIX };
	/* An empty one would be bound to an abstract name. */
	if (len == 0 || len >= sizeof(ret->sun_path))
		return bh_err_set(err, -ENAMETOOLONG, "a socket's path has 1 to %zu bytes: '%s'",
				  sizeof(ret->sun_path) - 1,
				  bh_escape_str(shown, sizeof(shown), path));
	memcpy(ret->sun_path, path, len);
	return 0;
}

/* --- the place ------------------------------------------------------------------------------- */

/* The umask may have made it narrower than the socket's own mode promises. */
static int widen(const char *dir)
{
	bh_autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || fchmod(fd, 0755) < 0 ? -errno : 0;
}

static int make_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	bh_autofree char *dir = NULL;

	if (!slash || slash == path)
		return 0;
	dir = strndup(path, (size_t)(slash - path));
	if (!dir)
		return -ENOMEM;
	if (mkdir(dir, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return widen(dir);
}

/*
 * A socket that is bound and does not listen yet looks like one that was left behind: two that start
 * together would take each other's away.
 */
static int take_lock(const char *path, int *ret_fd)
{
	bh_autofree char *name = NULL;
	bh_autoclose int fd = -1;

	if (asprintf(&name, "%s.lock", path) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

/* 0: nobody answers there. -EADDRINUSE: somebody does, though it may be of another type. */
static int probe_once(const struct sockaddr_un *addr, int type)
{
	bh_autoclose int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return -EADDRINUSE;
	switch (errno) {
	case ECONNREFUSED:
	case ENOENT:
		return 0;
	case EAGAIN: /* its backlog is full */
	case EPROTOTYPE:
		return -EADDRINUSE;
	default:
		return -errno;
	}
}

/*
 * One that was killed while it started a child may answer for a moment more: the child has its sockets
 * until it executes its own program.
 */
static int probe(const struct sockaddr_un *addr, int type)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < PROBES && r == -EADDRINUSE; i++) {
		if (i)
			poll(NULL, 0, PROBE_MS);
		r = probe_once(addr, type);
	}
	return r;
}

static int clear_place(const struct sockaddr_un *addr, int type)
{
	struct stat st;
	int r;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	r = probe(addr, type);
	if (r < 0)
		return r;
	return unlink(addr->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

/* --- the socket ------------------------------------------------------------------------------ */

/* The file that was just bound, held so that nothing else can be meant. */
static int open_bound(struct unixsock *s)
{
	bh_autoclose int fd = open(s->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EEXIST;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return BH_STEAL_FD(fd);
}

static int set_access(int path_fd, mode_t mode, gid_t group)
{
	char self[64];

	if (group != (gid_t)-1 && fchownat(path_fd, "", (uid_t)-1, group, AT_EMPTY_PATH) < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	return chmod(self, mode) < 0 ? -errno : 0;
}

/* The file begins with no rights at all for others: bind() takes the mode that the socket has. */
static int bind_and_listen(struct unixsock *s, const struct sockaddr_un *addr, int type,
			   mode_t mode, gid_t group, int backlog)
{
	bh_autoclose int path_fd = -1;
	int r;

	s->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || fchmod(s->fd, 0600) < 0 ||
	    bind(s->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -errno;
	path_fd = open_bound(s);
	if (path_fd < 0)
		return path_fd;
	r = set_access(path_fd, mode, group);
	if (r < 0)
		return r;
	return listen(s->fd, backlog) < 0 ? -errno : 0;
}

int unixsock_listen(struct unixsock *s, const char *path, int type, mode_t mode, gid_t group,
		    int backlog, struct bh_err *err)
{
	struct unixsock made = { .fd = -1 };
	bh_autoclose int lock = -1;
	struct sockaddr_un addr;
	char shown[SHOWN_MAX];
	int r = make_addr(&addr, path, err);

	if (r < 0)
		return r;
	bh_escape_str(shown, sizeof(shown), path);
	made.path = strdup(path);
	if (!made.path)
		return bh_err_oom(err);
	r = make_parent(path);
	if (r >= 0)
		r = take_lock(path, &lock);
	if (r >= 0)
		r = clear_place(&addr, type);
	if (r >= 0)
		r = bind_and_listen(&made, &addr, type, mode, group, backlog);
	if (r < 0) {
		unixsock_done(&made);
		if (r == -EEXIST)
			return bh_err_set(err, r, "%s is there and is no socket of ours", shown);
		return bh_err_errno(err, r, "socket %s", shown);
	}
	*s = made;
	return 0;
}

void unixsock_done(struct unixsock *s)
{
	struct stat st;

	/* While it still listens nobody else takes it for one that was left behind. */
	if (s->path && s->ino && lstat(s->path, &st) == 0 && st.st_ino == s->ino &&
	    st.st_dev == s->dev)
		unlink(s->path);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	*s = (struct unixsock) { .fd = -1 };
}

int unixsock_connect(const char *path, int type, int timeout_ms, int *ret_fd, struct bh_err *err)
{
	/* A timeout of zero would mean none. */
	const struct timeval patience = { timeout_ms / 1000, timeout_ms % 1000 * 1000 + 1 };
	bh_autoclose int fd = -1;
	struct sockaddr_un addr;
	char shown[SHOWN_MAX];
	int r = make_addr(&addr, path, err);

	if (r < 0)
		return r;
	bh_escape_str(shown, sizeof(shown), path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || (timeout_ms >= 0 &&
		       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0))
		return bh_err_errno(err, -errno, "socket %s", shown);
	do {
		r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	} while (r == -EINTR);
	if (r < 0)
		return bh_err_errno(err, r == -EAGAIN ? -ETIMEDOUT : r, "socket %s", shown);
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return bh_err_errno(err, -errno, "socket %s", shown);
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

int unixsock_datagram(int *ret_fd, struct bh_err *err)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return bh_err_errno(err, -errno, "datagram socket");
	*ret_fd = fd;
	return 0;
}

int unixsock_send_to(int fd, const char *path, const void *data, size_t len)
{
	struct sockaddr_un addr;
	int r = make_addr(&addr, path, NULL);

	if (r < 0)
		return r;
	do {
		r = sendto(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			   (const struct sockaddr *)&addr, sizeof(addr)) < 0
			    ? -errno
			    : 0;
	} while (r == -EINTR);
	return r;
}
