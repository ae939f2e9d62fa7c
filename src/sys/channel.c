/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/channel.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CHANNEL_FDS_MAX * sizeof(int))];
};

int channel_pair(int ret_fds[2], struct bh_err *err)
{
	int size = BH_CHANNEL_SNDBUF;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return bh_err_errno(err, -errno, "a pair of sockets");
	for (int i = 0; i < 2; i++)
		if (setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(ret_fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static void put_fds(struct msghdr *msg, union control *control, const int *fds, size_t n)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control->bytes;
	msg->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	if (!c)
		return; /* there is room for it: above */
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

int channel_send(int fd, const void *data, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (n_fds > CHANNEL_FDS_MAX)
		return -EINVAL;
	if (n_fds)
		put_fds(&msg, &control, fds, n_fds);
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* ENOBUFS, ETOOMANYREFS: too much is on its way already */
	if (errno == ENOBUFS || errno == ETOOMANYREFS)
		return -EAGAIN;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

static void take_fds(struct msghdr *msg, int *fds, size_t *n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*n < CHANNEL_FDS_MAX)
				fds[(*n)++] = fd;
			else
				close(fd);
		}
	}
}

ssize_t channel_receive(int fd, void *buf, size_t cap, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_n)
{
	struct iovec iov = { buf, cap };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t n;

	*ret_n = 0;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	take_fds(&msg, ret_fds, ret_n);
	if (!(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return n;
	while (*ret_n)
		close(ret_fds[--*ret_n]);
	return -EMSGSIZE;
}

/* --- what waits -------------------------------------------------------------------------------- */

struct channel_waiting {
	struct channel_waiting *next;
	int fds[CHANNEL_FDS_MAX];
	size_t n_fds, len;
	char data[];
};

void channel_init(struct channel *c, int fd)
{
	*c = (struct channel) { .fd = fd };
}

static void drop_first(struct channel *c)
{
	struct channel_waiting *w = c->first;

	while (w->n_fds)
		close(w->fds[--w->n_fds]);
	c->first = w->next;
	if (!c->first)
		c->last = NULL;
	c->n--;
	free(w);
}

void channel_done(struct channel *c)
{
	while (c->first)
		drop_first(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static int wait_turn(struct channel *c, const void *data, size_t len, const int *fds, size_t n_fds)
{
	struct channel_waiting *w;

	if (c->n >= BH_CHANNEL_QUEUE_MAX)
		return -ENOBUFS;
	w = calloc(1, sizeof(*w) + len);
	if (!w)
		return -ENOMEM;
	memcpy(w->data, data, len);
	w->len = len;
	if (c->last)
		c->last->next = w;
	else
		c->first = w;
	c->last = w;
	c->n++;
	for (; w->n_fds < n_fds; w->n_fds++) {
		w->fds[w->n_fds] = fcntl(fds[w->n_fds], F_DUPFD_CLOEXEC, 0);
		if (w->fds[w->n_fds] < 0)
			return -ENOBUFS;
	}
	return 0;
}

int channel_put(struct channel *c, const void *data, size_t len, const int *fds, size_t n_fds)
{
	int r = c->first ? -EAGAIN : channel_send(c->fd, data, len, fds, n_fds);

	return r == -EAGAIN ? wait_turn(c, data, len, fds, n_fds) : r;
}

int channel_flush(struct channel *c)
{
	while (c->first) {
		int r = channel_send(c->fd, c->first->data, c->first->len, c->first->fds,
				     c->first->n_fds);

		if (r < 0)
			return r;
		drop_first(c);
	}
	return 0;
}

/* --- blobs ------------------------------------------------------------------------------------ */

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int channel_blob(const void *data, size_t len, int *ret_fd)
{
	bh_autoclose int fd = memfd_create("bulkhead", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, data, len);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

int channel_blob_map(int fd, size_t max, const void **ret, size_t *ret_len)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || (seals & SEALS) != SEALS)
		return -EPERM;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return -EFBIG;
	p = mmap(NULL, st.st_size ? (size_t)st.st_size : 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	*ret_len = (size_t)st.st_size;
	return 0;
}

void channel_blob_unmap(const void *data, size_t len)
{
	munmap((void *)(uintptr_t)data, len ? len : 1);
}
