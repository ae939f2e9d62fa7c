/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_TCPSOCK_H
#define BULKHEAD_SYS_TCPSOCK_H

#include <stdint.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>

/*
 * A non-blocking TCP socket that listens at ADDR and PORT (0: any free one) for at most BACKLOG
 * connections that were not accepted yet. ADDR must be a loopback address (-EINVAL): nothing of ours
 * listens to the network. -EADDRINUSE, -EADDRNOTAVAIL, ... with ERR saying where. The caller closes
 * *RET_FD.
 */
int tcpsock_listen_loopback(const struct bh_addr *addr, uint16_t port, int backlog, int *ret_fd,
			    struct bh_err *err);

/* The port that a socket is bound to, or -errno. */
int tcpsock_port(int fd);

#endif
