/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/nlsock.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

/* One answer of a dump fits: the kernel makes them of at most 32 KiB. */
#define RECV_BYTES (64 << 10)
/* The kernel answers within the sendmsg(); this only bounds a defect. */
#define RECV_TIMEOUT_S 10

static char recv_buffer[RECV_BYTES] __attribute__((aligned(16)));

void nlsock_done(struct nlsock *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int raise_buffer(int fd, int forced, int plain, size_t bytes)
{
	int v = (int)(bytes > INT32_MAX / 2 ? INT32_MAX / 2 : bytes);

	if (setsockopt(fd, SOL_SOCKET, forced, &v, sizeof(v)) == 0)
		return 0;
	return setsockopt(fd, SOL_SOCKET, plain, &v, sizeof(v)) < 0 ? -errno : 0;
}

static int set_options(int fd)
{
	const struct timeval timeout = { .tv_sec = RECV_TIMEOUT_S };
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	/* A batch that is echoed answers with as many messages, all before sendto() returns. */
	raise_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, BH_NLSOCK_RCVBUF);
	/* Answers without the request repeated: a failing batch of megabytes fits, too. */
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

int nlsock_open(struct nlsock *s, int netns_fd, int protocol, struct bh_err *err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(addr);
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, protocol, &fd, err);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return bh_err_errno(err, -errno, "opening a netlink socket");
	r = set_options(fd);
	if (r < 0)
		return bh_err_errno(err, r, "opening a netlink socket");
	*s = (struct nlsock) { .fd = BH_STEAL_FD(fd), .portid = addr.nl_pid };
	return 0;
}

/* --- one that is left ------------------------------------------------------------------------ */

static bool has_option(int fd, int option, int want)
{
	socklen_t len = sizeof(int);
	int v = -1;

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) == 0 && v == want;
}

/* Bound, and nothing comes to it that was not asked for. */
static bool is_ours(int fd, int protocol, struct sockaddr_nl *ret)
{
	socklen_t len = sizeof(*ret);

	return has_option(fd, SO_DOMAIN, AF_NETLINK) && has_option(fd, SO_PROTOCOL, protocol) &&
	       getsockname(fd, (struct sockaddr *)ret, &len) == 0 && len == sizeof(*ret) &&
	       ret->nl_pid && !ret->nl_groups;
}

/* Each read of a dump makes the kernel go on with it: so this ends, as the dump does. */
static int drain(int fd)
{
	for (unsigned i = 0; i < BH_NLSOCK_DRAIN_MAX; i++) {
		if (recv(fd, recv_buffer, sizeof(recv_buffer), MSG_DONTWAIT) >= 0 ||
		    errno == EINTR || errno == ENOBUFS)
			continue;
		return errno == EAGAIN ? 0 : -errno;
	}
	return -EBUSY;
}

int nlsock_adopt(struct nlsock *s, int fd, int protocol, struct bh_err *err)
{
	struct sockaddr_nl addr;
	int r;

	if (!is_ours(fd, protocol, &addr))
		return bh_err_set(err, -EINVAL, "it is not a netlink socket of ours");
	/* Of the open file, not of the descriptor: whoever else has it may have set it. */
	r = fcntl(fd, F_SETFL, 0) < 0 ? -errno : set_options(fd);
	if (r >= 0)
		r = drain(fd);
	if (r < 0)
		return bh_err_errno(err, r, "a netlink socket that was left");
	*s = (struct nlsock) { .fd = fd, .portid = addr.nl_pid };
	return 0;
}

static int send_all(struct nlsock *s, const void *data, size_t len, struct bh_err *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	bool raised = false; /* once: without CAP_NET_ADMIN there is a ceiling */

	while (sendto(s->fd, data, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EMSGSIZE || raised ||
		    raise_buffer(s->fd, SO_SNDBUFFORCE, SO_SNDBUF, 2 * len) < 0)
			return bh_err_errno(err, -errno, "sending %zu bytes to the kernel", len);
		if (len > BH_BATCH_BYTES_MAX)
			return bh_err_set(err, -E2BIG,
					  "a batch of %zu bytes is over the limit of %u", len,
					  BH_BATCH_BYTES_MAX);
		raised = true;
	}
	return 0;
}

/* One datagram of the kernel into the shared buffer. FLAGS: MSG_DONTWAIT or 0. */
static ssize_t receive(struct nlsock *s, int flags, struct bh_err *err)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { recv_buffer, sizeof(recv_buffer) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = recvmsg(s->fd, &msg, flags);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return bh_err_errno(err, -errno, "receiving from the kernel");
	if (msg.msg_flags & MSG_TRUNC)
		return bh_err_set(err, -EMSGSIZE, "the kernel's answer is over %d bytes",
				  RECV_BYTES);
	return n;
}

/* --- a batch -------------------------------------------------------------------------------- */

struct transaction {
	uint32_t ack_seq, failed_seq;
	bool acked;
	int error; /* of the first message that failed */
	int (*on_message)(const struct nlmsghdr *, void *);
	void *arg;
};

static int take_answer(struct transaction *t, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = NLMSG_DATA(nlh);

	if (nlh->nlmsg_type != NLMSG_ERROR)
		return t->on_message ? t->on_message(nlh, t->arg) : 0;
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return -EBADMSG;
	if (e->error && !t->error) {
		t->error = e->error;
		t->failed_seq = nlh->nlmsg_seq;
	}
	if (nlh->nlmsg_seq == t->ack_seq)
		t->acked = true;
	return 0;
}

static int take_datagram(struct transaction *t, ssize_t n)
{
	int len = (int)n, r = 0;

	for (const struct nlmsghdr *nlh = (const void *)recv_buffer; r >= 0 && NLMSG_OK(nlh, len);
	     nlh = NLMSG_NEXT(nlh, len))
		r = take_answer(t, nlh);
	return r;
}

/*
 * The kernel has worked through the batch before sendto() returned, so everything it has to say is
 * there. Without the ack of the last message nothing of the batch was done (docs/kernel.md).
 */
int nlsock_transact(struct nlsock *s, const void *data, size_t len, uint32_t ack_seq,
		    uint32_t *ret_failed_seq, int (*on_message)(const struct nlmsghdr *, void *),
		    void *arg, struct bh_err *err)
{
	struct transaction t = { .ack_seq = ack_seq, .on_message = on_message, .arg = arg };
	int r = send_all(s, data, len, err);
	ssize_t n;

	while (r >= 0) {
		n = receive(s, MSG_DONTWAIT, NULL);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return bh_err_errno(err, (int)n, "receiving from the kernel");
		r = take_datagram(&t, n);
	}
	if (r < 0)
		return r;
	if (ret_failed_seq)
		*ret_failed_seq = t.failed_seq;
	if (t.error)
		return bh_err_errno(err, t.error, "the kernel refused the change");
	if (!t.acked)
		return bh_err_set(err, -EIO, "the kernel did not confirm the change");
	return 0;
}

/* --- a dump --------------------------------------------------------------------------------- */

/* A dump that failed on its way says so at its end (netlink_dump_done(), net/netlink/af_netlink.c). */
static int done_with(const struct nlmsghdr *nlh, struct bh_err *err)
{
	int r = 0;

	if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(r)))
		memcpy(&r, NLMSG_DATA(nlh), sizeof(r));
	return r < 0 ? bh_err_errno(err, r, "reading from the kernel") : 0;
}

/* 1 = go on, 0 = that was the end, negative = failed. */
static int take_reply(uint32_t seq, const struct nlmsghdr *nlh,
		      int (*on_message)(const struct nlmsghdr *, void *), void *arg,
		      struct bh_err *err)
{
	int r;

	if (nlh->nlmsg_seq != seq)
		return 1; /* of an earlier request that was given up */
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		return bh_err_set(err, -EINTR, "the tables changed while they were read");
	if (nlh->nlmsg_type == NLMSG_DONE)
		return done_with(nlh, err);
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(nlh);

		if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
			return -EBADMSG;
		return e->error ? bh_err_errno(err, e->error, "reading from the kernel") : 0;
	}
	r = on_message(nlh, arg);
	return r < 0 ? r : 1;
}

int nlsock_query(struct nlsock *s, struct nlmsghdr *nlh,
		 int (*on_message)(const struct nlmsghdr *, void *), void *arg, struct bh_err *err)
{
	int r, len;
	ssize_t n;

	nlh->nlmsg_seq = ++s->seq;
	r = send_all(s, nlh, nlh->nlmsg_len, err);
	if (r < 0)
		return r;
	for (;;) {
		n = receive(s, 0, err);
		if (n < 0)
			return (int)n;
		len = (int)n;
		for (const struct nlmsghdr *h = (const void *)recv_buffer; NLMSG_OK(h, len);
		     h = NLMSG_NEXT(h, len)) {
			r = take_reply(s->seq, h, on_message, arg, err);
			if (r <= 0)
				return r;
		}
	}
}
