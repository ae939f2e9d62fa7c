/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of the benchmark take for a container: a namespace with eth0 and an address. */
#ifndef BENCH_CONTAINER_H
#define BENCH_CONTAINER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/nlsock.h>

#define CONTAINER_HUB     ".hub" /* its name in a directory; no endpoint's begins with a dot */
#define CONTAINER_IFINDEX 2      /* of the first device after the loopback */

static inline int container_take_nothing(const struct nlmsghdr *nlh, void *arg)
{
	return 0;
}

static inline int container_ask(struct nlsock *s, struct nlmsghdr *nlh, struct bh_err *err)
{
	return nlsock_query(s, nlh, container_take_nothing, NULL, err);
}

/* ip link add eth0 up type veth peer netns HUB; that end stays down, so that nothing is ever sent */
static inline int container_add_device(struct nlsock *s, int hub, struct bh_err *err)
{
	char buf[512] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *info, *data, *peer;
	struct ifinfomsg *link;

	nlh->nlmsg_type = RTM_NEWLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	link = mnl_nlmsg_put_extra_header(nlh, sizeof(*link));
	link->ifi_index = CONTAINER_IFINDEX;
	link->ifi_flags = link->ifi_change = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)hub);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return container_ask(s, nlh, err);
}

/* ip address add ADDRESS/32 dev eth0; WHAT is RTM_NEWADDR, or RTM_DELADDR to take it away */
static inline int container_set_address(struct nlsock *s, uint16_t what, const char *address,
					struct bh_err *err)
{
	char buf[512] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *a;
	struct in_addr in;

	if (inet_pton(AF_INET, address, &in) != 1)
		return bh_err_set(err, -EINVAL, "not an address: %s", address);
	nlh->nlmsg_type = what;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (what == RTM_NEWADDR)
		nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	a = mnl_nlmsg_put_extra_header(nlh, sizeof(*a));
	a->ifa_family = AF_INET;
	a->ifa_prefixlen = 32;
	a->ifa_index = CONTAINER_IFINDEX;
	mnl_attr_put(nlh, IFA_LOCAL, sizeof(in), &in);
	mnl_attr_put(nlh, IFA_ADDRESS, sizeof(in), &in);
	return container_ask(s, nlh, err);
}

/* A namespace that only *RET_FD holds. HUB: of the other ends of all devices. ADDRESS NULL: none yet. */
static inline int container_new(int hub, const char *address, int *ret_fd, struct bh_err *err)
{
	struct nlsock s = NLSOCK_INIT;
	bh_autoclose int fd = -1;
	int r = netns_scratch(&fd, err);

	if (r >= 0)
		r = nlsock_open(&s, fd, NETLINK_ROUTE, err);
	if (r >= 0)
		r = container_add_device(&s, hub, err);
	if (r >= 0 && address)
		r = container_set_address(&s, RTM_NEWADDR, address, err);
	nlsock_done(&s);
	if (r >= 0)
		*ret_fd = BH_STEAL_FD(fd);
	return r;
}

/* As `ip netns` binds its own. */
static inline int container_bind(int netns_fd, const char *path, struct bh_err *err)
{
	char from[64];
	bh_autoclose int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);

	snprintf(from, sizeof(from), "/proc/self/fd/%d", netns_fd);
	if (file < 0 || mount(from, path, NULL, MS_BIND, NULL) < 0)
		return bh_err_errno(err, -errno, "%s", path);
	return 0;
}

#endif
