/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/tcpsock.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t fill(union address *ret, const struct bh_addr *addr, uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	ret->any.sa_family = addr->family;
	if (addr->family == AF_INET) {
		ret->v4.sin_port = htons(port);
		memcpy(&ret->v4.sin_addr, addr->b, sizeof(ret->v4.sin_addr));
		return sizeof(ret->v4);
	}
	ret->v6.sin6_port = htons(port);
	memcpy(&ret->v6.sin6_addr, addr->b, sizeof(ret->v6.sin6_addr));
	return sizeof(ret->v6);
}

/* What a daemon before this one had open may linger; that does not keep another listener out. */
static int open_listener(const union address *a, socklen_t len, int backlog)
{
	bh_autoclose int fd =
		socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, &a->any, len) < 0 || listen(fd, backlog) < 0)
		return -errno;
	return BH_STEAL_FD(fd);
}

int tcpsock_listen_loopback(const struct bh_addr *addr, uint16_t port, int backlog, int *ret_fd,
			    struct bh_err *err)
{
	char text[BH_ADDR_STR];
	union address a;
	int fd;

	bh_addr_format(text, addr);
	if (!bh_addr_is_loopback(addr))
		return bh_err_set(err, -EINVAL, "%s is not a loopback address", text);
	fd = open_listener(&a, fill(&a, addr, port), backlog);
	if (fd < 0)
		return bh_err_errno(err, fd, "cannot listen on %s port %u", text, port);
	*ret_fd = fd;
	return 0;
}

int tcpsock_port(int fd)
{
	union address a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, &a.any, &len) < 0)
		return -errno;
	return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}
