/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_RUNTIME_SOCKET_DIAG_H
#define BULKHEAD_SRC_RUNTIME_SOCKET_DIAG_H

#include <bulkhead/runtime/process.h>

/* A socket, as NETLINK_SOCK_DIAG tells it: linux/sock_diag.h, linux/inet_diag.h. */
struct socket_found {
	struct bh_addr local, remote; /* IPv4 in IPv6 is IPv4; an unspecified one has family 0 */
	uint16_t lport, rport;        /* rport 0: not connected */
	uint32_t inode;               /* 0: no descriptor is open any more */
	uint32_t uid;
};

/* The LEN bytes behind the netlink header of an answer. -EBADMSG: no socket of IPv4 or IPv6. */
int socket_parse(const void *data, size_t len, struct socket_found *ret);

/* May it have sent this packet? */
bool socket_fits(const struct socket_found *s, const struct process_question *q);

/*
 * The one that sent it: of TCP the very connection, of UDP that with the port. -ENOENT: there is none
 * any more; -ENOTUNIQ: several may have; -EOPNOTSUPP: the kernel cannot be asked that.
 */
int socket_find(const struct process_question *q, struct socket_found *ret, struct bh_err *err);

#endif
