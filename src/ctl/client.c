/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/ctl/ctl.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/unixsock.h>

#include "frame.h"

struct ctl_client {
	int fd;
	int64_t deadline; /* milliseconds of the monotonic clock; -1: none */
	char buffer[BH_CTL_FRAME_MAX];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int ctl_client_connect(const char *path, int timeout_ms, struct ctl_client **ret,
		       struct bh_err *err)
{
	struct ctl_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return bh_err_oom(err);
	r = unixsock_connect(path, SOCK_SEQPACKET, timeout_ms, &c->fd, err);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void ctl_client_free(struct ctl_client *c)
{
	if (!c)
		return;
	close(c->fd);
	free(c);
}

/* Until the socket is ready for EVENTS or the time is up. */
static int wait_for(const struct ctl_client *c, short events)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	int64_t left = -1;
	int n;

	do {
		if (c->deadline >= 0) {
			left = c->deadline - now_ms();
			if (left < 0)
				return -ETIMEDOUT;
		}
		n = poll(&p, 1, (int)left);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

static int send_request(struct ctl_client *c, size_t len)
{
	int r = 0;

	while (r >= 0) {
		if (send(c->fd, c->buffer, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		/* It has closed, and said why before: that is for the reader to find. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		r = wait_for(c, POLLOUT);
	}
	return r;
}

int ctl_client_request(struct ctl_client *c, const char *verb, json_t *args, int timeout_ms,
		       struct bh_err *err)
{
	ssize_t n = ctl_request_write(c->buffer, verb, args);
	int r;

	if (n == -EMSGSIZE)
		return bh_err_set(err, -EMSGSIZE, "the request %s has more than %u bytes", verb,
				  BH_CTL_FRAME_MAX);
	if (n < 0)
		return bh_err_errno(err, (int)n, "the request %s", verb);
	c->deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	r = send_request(c, (size_t)n);
	return r < 0 ? bh_err_errno(err, r, "asking the daemon") : 0;
}

/*
 * A daemon that closes with our request unread leaves ECONNRESET in front of its last words, once.
 */
static ssize_t receive(struct ctl_client *c)
{
	struct iovec iov = { c->buffer, sizeof(c->buffer) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	bool was_reset = false;
	ssize_t n;
	int r;

	for (;;) {
		n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
		if (n > 0)
			return msg.msg_flags & MSG_TRUNC ? -EBADMSG : n;
		if (n == 0 || (errno == ECONNRESET && was_reset))
			return -ECONNRESET;
		was_reset |= errno == ECONNRESET;
		if (errno == ECONNRESET || errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_for(c, POLLIN);
		if (r < 0)
			return r;
	}
}

int ctl_client_next(struct ctl_client *c, json_t **ret_item, struct ctl_end *ret_end,
		    struct bh_err *err)
{
	ssize_t n = receive(c);

	if (n == -ECONNRESET)
		return bh_err_set(err, -ECONNRESET, "the daemon ended the connection");
	if (n == -ETIMEDOUT)
		return bh_err_set(err, -ETIMEDOUT, "the daemon did not answer in time");
	if (n < 0)
		return bh_err_errno(err, (int)n, "hearing from the daemon");
	return ctl_answer_parse(c->buffer, (size_t)n, ret_item, ret_end, err);
}
