/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_UNIXSOCK_H
#define BULKHEAD_SYS_UNIXSOCK_H

#include <sys/types.h>

#include <bulkhead/base/err.h>

/* Unix sockets in the file system. TYPE is SOCK_SEQPACKET or SOCK_STREAM. */

struct unixsock {
	int fd; /* listens; O_NONBLOCK, close-on-exec; -1 when done */
	char *path;
	dev_t dev; /* of the file, to take away none but our own */
	ino_t ino;
};

/*
 * Listen at PATH with exactly the mode MODE and the group GROUP ((gid_t)-1: as it comes), whatever
 * the umask: nobody can connect before both are set. The parent directory is made (0755) when it is
 * missing, its own parent must be there. A socket that nobody answers on is replaced, a symbolic
 * link in PATH's last component never followed. PATH.lock (kept) lets two starters take turns.
 * -EADDRINUSE when somebody answers on PATH, -EEXIST when what stands there is no socket, -EBUSY
 * when another process is at this very thing, -ENAMETOOLONG.
 */
int unixsock_listen(struct unixsock *s, const char *path, int type, mode_t mode, gid_t group,
		    int backlog, struct bh_err *err);

/* Close, and remove the file if it is still the one that was made. */
void unixsock_done(struct unixsock *s);

/*
 * Connect within TIMEOUT_MS (-1: whenever). The descriptor is O_NONBLOCK and close-on-exec and the
 * caller's. -ENOENT, -ECONNREFUSED, -EACCES, -ETIMEDOUT (the backlog is full), -ENAMETOOLONG.
 */
int unixsock_connect(const char *path, int type, int timeout_ms, int *ret_fd, struct bh_err *err);

/* A socket for datagrams to whomever, O_NONBLOCK and close-on-exec; the caller's. */
int unixsock_datagram(int *ret_fd, struct bh_err *err);

/*
 * One datagram of LEN bytes to whoever listens at PATH now, without waiting. 0 or -errno: -EAGAIN its
 * queue is full, -ENOENT, -ECONNREFUSED nobody listens, -EPROTOTYPE it takes no datagrams, -EMSGSIZE.
 */
int unixsock_send_to(int fd, const char *path, const void *data, size_t len);

#endif
