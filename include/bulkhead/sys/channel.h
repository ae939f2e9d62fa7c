/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_CHANNEL_H
#define BULKHEAD_SYS_CHANNEL_H

#include <stddef.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Two ends of a line between two processes of ours: whole messages, and descriptors with them
 * (SOCK_SEQPACKET, SCM_RIGHTS: unix(7)). Neither end ever blocks.
 */

#define CHANNEL_FDS_MAX 4 /* with one message */

/* Close-on-exec, both; the caller closes them. */
int channel_pair(int ret_fds[2], struct bh_err *err);

/* The whole message, or -EAGAIN when there is no room now, -EPIPE when nobody is at the other end. */
int channel_send(int fd, const void *data, size_t len, const int *fds, size_t n_fds);

/*
 * The next message into BUF: its length, 0 when the other end is gone, -EAGAIN when there is none,
 * -EMSGSIZE when it was longer than CAP or came with more than CHANNEL_FDS_MAX descriptors (it is
 * gone then, and all its descriptors are closed). *RET_N descriptors are the caller's.
 */
ssize_t channel_receive(int fd, void *buf, size_t cap, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_n);

/*
 * What there is no room for waits its turn, in order, with copies of its descriptors. At most
 * BH_CHANNEL_QUEUE_MAX messages: -ENOBUFS then, and the line is of no use any more, as one is missing.
 */
struct channel_waiting;
struct channel {
	int fd;
	struct channel_waiting *first, *last;
	unsigned n; /* that wait: watch for EPOLLOUT while it is not 0, and flush */
};
/* Takes FD. */
void channel_init(struct channel *c, int fd);
void channel_done(struct channel *c); /* closes */
/* 0: sent, or waiting; -EPIPE, -ENOBUFS, -ENOMEM. */
int channel_put(struct channel *c, const void *data, size_t len, const int *fds, size_t n_fds);
/* 0: nothing waits any more; -EAGAIN: some does; else as above. */
int channel_flush(struct channel *c);

/* A sealed file without a name that holds these bytes; read it with channel_blob_map(). */
int channel_blob(const void *data, size_t len, int *ret_fd);
/*
 * Its bytes, which cannot change any more: -EPERM when it is not sealed, -EFBIG over MAX. Given back by
 * channel_blob_unmap().
 */
int channel_blob_map(int fd, size_t max, const void **ret, size_t *ret_len);
void channel_blob_unmap(const void *data, size_t len);

#endif
