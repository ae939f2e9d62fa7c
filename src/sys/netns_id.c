/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/netns.h>

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Both requests: the namespace as a descriptor, and the number that it is to get: any. */
struct request {
	struct nlmsghdr nlh;
	struct rtgenmsg gen;
	uint8_t padding[3];
	struct nlattr fd_attr;
	int32_t fd;
	struct nlattr id_attr;
	int32_t id;
};

static int ask(struct nlsock *route, uint16_t type, int netns_fd,
	       int (*fn)(const struct nlmsghdr *, void *), void *arg)
{
	struct request q = {
		.nlh = { .nlmsg_len = sizeof(q),
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.gen = { .rtgen_family = AF_UNSPEC },
		.fd_attr = { NLA_HDRLEN + sizeof(q.fd), NETNSA_FD },
		.fd = netns_fd,
		.id_attr = { NLA_HDRLEN + sizeof(q.id), NETNSA_NSID },
		.id = NETNSA_NSID_NOT_ASSIGNED,
	};

	return nlsock_query(route, &q.nlh, fn, arg, NULL);
}

static int take_nothing(const struct nlmsghdr *nlh, void *arg)
{
	return 0;
}

static int take_id(const struct nlmsghdr *nlh, void *arg)
{
	struct rtattr *a = (void *)((char *)NLMSG_DATA(nlh) + NLMSG_ALIGN(sizeof(struct rtgenmsg)));
	int left = (int)nlh->nlmsg_len - (int)NLMSG_SPACE(sizeof(struct rtgenmsg));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == NETNSA_NSID && RTA_PAYLOAD(a) == sizeof(int32_t))
			memcpy(arg, RTA_DATA(a), sizeof(int32_t));
	return 0;
}

int netns_id(struct nlsock *route, int netns_fd, int32_t *ret, struct bh_err *err)
{
	int32_t id = NETNSA_NSID_NOT_ASSIGNED;
	int r = ask(route, RTM_NEWNSID, netns_fd, take_nothing, NULL);

	if (r >= 0 || r == -EEXIST)
		r = ask(route, RTM_GETNSID, netns_fd, take_id, &id);
	if (r >= 0 && id < 0)
		r = -ENOENT;
	if (r < 0)
		return bh_err_errno(err, r, "the number of a network namespace");
	*ret = id;
	return 0;
}

/* Of a Unix socket, which is closed at once: one of netlink would wait. */
int netns_cookie(int netns_fd, uint64_t *ret, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	socklen_t len = sizeof(*ret);
	int r = netns_socket(netns_fd, AF_UNIX, SOCK_DGRAM, 0, &fd, err);

	*ret = 0;
	if (r >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0)
		*ret = 0;
	return r;
}
