/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_NETNS_H
#define BULKHEAD_SYS_NETNS_H

#include <bulkhead/base/err.h>
#include <bulkhead/sys/nlsock.h>
#include <stdint.h>
#include <stddef.h>

/*
 * Network namespaces, and the only setns(2) of the project. Single-threaded use. If the way back
 * to the own namespace fails the process aborts: going on in the wrong one would be worse.
 */

/*
 * Open a namespace file. Refused with -EINVAL unless it is an nsfs file (statfs NSFS_MAGIC,
 * include/uapi/linux/magic.h) of type CLONE_NEWNET (ioctl NS_GET_NSTYPE, include/uapi/linux/
 * nsfs.h). Never blocks, never follows into reading. *ret_ino: its inode, may be NULL.
 */
int netns_open(const char *path, int *ret_fd, uint64_t *ret_ino, struct bh_err *err);

/* The inode of the namespace that this process is in; 0 when /proc is not there. */
uint64_t netns_own_ino(void);

/* socket(2) inside the namespace; close-on-exec. The socket stays in it for ever. */
int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd, struct bh_err *err);

/*
 * The other way round: the namespace that a socket was opened in, whoever did. FD is checked:
 * -ENOTSOCK; -EPERM without CAP_NET_ADMIN there. Source: ioctl SIOCGSKNS, net/socket.c.
 */
int netns_of_socket(int fd, int *ret_fd, uint64_t *ret_ino, struct bh_err *err);

/*
 * The number by which the namespace of ROUTE, a socket of NETLINK_ROUTE, knows another: it gets one
 * if it has none, and keeps it as long as it lives. What a socket with NETLINK_LISTEN_ALL_NSID hears
 * of another namespace it hears by this number, and only of those that have one. -EPERM without
 * CAP_NET_ADMIN. Source: RTM_NEWNSID and RTM_GETNSID, include/uapi/linux/net_namespace.h.
 */
int netns_id(struct nlsock *route, int netns_fd, int32_t *ret, struct bh_err *err);

/*
 * A number that no other namespace has until the next boot, as an inode's may be had again. 0: the kernel gives
 * none (before 5.14). -EMFILE, -ENOMEM, ... Source: SO_NETNS_COOKIE, net/core/sock.c.
 */
int netns_cookie(int netns_fd, uint64_t *ret, struct bh_err *err);

/* Run FN(ARG) inside the namespace and come back; FN must not open threads or change namespaces. */
int netns_run(int netns_fd, int (*fn)(void *arg, struct bh_err *err), void *arg,
	      struct bh_err *err);

/*
 * A fresh, empty namespace that only the returned descriptor holds (unshare(CLONE_NEWNET) in a
 * child): for feature probes. Its loopback is down.
 */
int netns_scratch(int *ret_fd, struct bh_err *err);

#endif
