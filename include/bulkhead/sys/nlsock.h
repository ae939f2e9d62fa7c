/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_NLSOCK_H
#define BULKHEAD_SYS_NLSOCK_H

#include <bulkhead/base/err.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/*
 * A netlink socket inside a namespace. Keep it open: closing one that deleted something
 * waits for RCU (docs/kernel.md).
 */
struct nlsock {
	int fd;
	uint32_t portid;
	uint32_t seq; /* last used */
};

/* clang-format off */
#define NLSOCK_INIT { .fd = -1 }
/* clang-format on */

/* PROTOCOL: NETLINK_NETFILTER, NETLINK_ROUTE, ... The caller closes with nlsock_done(). */
int nlsock_open(struct nlsock *s, int netns_fd, int protocol, struct bh_err *err);
void nlsock_done(struct nlsock *s);

/*
 * Go on with a socket of PROTOCOL that another process opened and left, with its port: FD, which is
 * the nlsock's then, and stays the caller's on failure. What it left unread, half a dump included, is
 * thrown away. FD may be anything: -EINVAL when it is not such a socket, bound, outside of all groups;
 * -EBUSY when there is no end of what is unread.
 */
int nlsock_adopt(struct nlsock *s, int fd, int protocol, struct bh_err *err);

/*
 * Send LEN bytes of messages in one sendmsg(2) (the send buffer is raised as needed) and require
 * the acknowledgement of message sequence ACK_SEQ and no error for any other. Processing in the
 * kernel is synchronous. The first error is returned as -errno and *ret_failed_seq (may be NULL)
 * names its message. ON_MESSAGE (may be NULL) sees every other message that comes back (echo).
 */
int nlsock_transact(struct nlsock *s, const void *data, size_t len, uint32_t ack_seq,
		    uint32_t *ret_failed_seq, int (*on_message)(const struct nlmsghdr *, void *),
		    void *arg, struct bh_err *err);

/*
 * Send one dump or get request (NLH with its flags set; sequence filled in here) and feed every
 * answer to ON_MESSAGE until NLMSG_DONE or the ack. -EINTR when the kernel says that the dump was
 * interrupted by a change (NLM_F_DUMP_INTR): the caller starts again. A negative return of
 * ON_MESSAGE ends it with that error.
 */
int nlsock_query(struct nlsock *s, struct nlmsghdr *nlh,
		 int (*on_message)(const struct nlmsghdr *, void *), void *arg, struct bh_err *err);

#endif
