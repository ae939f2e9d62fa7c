/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <bulkhead/sys/nlsock.h>

/* Devices come and go while they are listed: begun anew, this often. */
#define LIST_TRIES 8

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct net_devices *l = arg;
	struct net_device d = { 0 };
	const struct nlattr *a;

	if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi) ||
	    ifi->ifi_flags & IFF_LOOPBACK)
		return 0;
	d.index = (uint32_t)ifi->ifi_index;
	mnl_attr_for_each (a, nlh, sizeof(*ifi)) {
		if (mnl_attr_get_type(a) == IFLA_IFNAME &&
		    mnl_attr_get_payload_len(a) <= sizeof(d.name))
			memcpy(d.name, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
		if (mnl_attr_get_type(a) == IFLA_ADDRESS && ifi->ifi_type == ARPHRD_ETHER &&
		    mnl_attr_get_payload_len(a) == sizeof(d.mac)) {
			memcpy(d.mac, mnl_attr_get_payload(a), sizeof(d.mac));
			d.ethernet = true;
		}
	}
	d.name[sizeof(d.name) - 1] = '\0';
	if (l->n == BH_DEVICES_MAX)
		l->more = true;
	else
		l->d[l->n++] = d;
	return 0;
}

static int on_addr(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct net_devices *l = arg;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    ifa->ifa_family != AF_INET || !(ifa->ifa_flags & IFA_F_PERMANENT))
		return 0;
	for (size_t i = 0; i < l->n; i++)
		if (l->d[i].index == ifa->ifa_index)
			l->d[i].permanent4 = true;
	return 0;
}

static int dump(struct nlsock *s, uint16_t type, uint8_t family,
		int (*fn)(const struct nlmsghdr *, void *), void *arg, struct bh_err *err)
{
	char buf[256] __attribute__((aligned(16)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (type == RTM_GETLINK) {
		struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

		ifi->ifi_family = family;
		mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	} else {
		struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

		ifa->ifa_family = family;
	}
	return nlsock_query(s, nlh, fn, arg, err);
}

/* ONCE fills RET, from the beginning each time. */
static int list(int netns_fd, int (*once)(struct nlsock *s, void *ret, struct bh_err *err),
		void *ret, struct bh_err *err)
{
	struct nlsock s = NLSOCK_INIT;
	int r = nlsock_open(&s, netns_fd, NETLINK_ROUTE, err);

	if (r < 0)
		return r;
	r = -EINTR;
	for (int i = 0; i < LIST_TRIES && r == -EINTR; i++)
		r = once(&s, ret, err);
	nlsock_done(&s);
	return r;
}

static int list_devices(struct nlsock *s, void *ret, struct bh_err *err)
{
	struct net_devices *l = ret;
	int r;

	*l = (struct net_devices) { 0 };
	r = dump(s, RTM_GETLINK, AF_UNSPEC, on_link, l, err);
	return r >= 0 && l->n ? dump(s, RTM_GETADDR, AF_INET, on_addr, l, err) : r;
}

int runtime_devices(int netns_fd, struct net_devices *ret, struct bh_err *err)
{
	int r = list(netns_fd, list_devices, ret, err);

	return r < 0 ? bh_err_prefix(err, r, "listing the network devices") : 0;
}

/* --- networks ---------------------------------------------------------------------------------- */

struct networks {
	struct bh_prefix *out;
	size_t cap, n;
	bool more;
};

static void take_network(struct networks *l, const struct bh_addr *a, uint8_t len)
{
	char text[BH_ADDR_STR + 8], addr[BH_ADDR_STR];
	struct bh_prefix p;

	if (len >= 8 * bh_addr_len(a->family) || bh_addr_is_loopback(a))
		return;
	snprintf(text, sizeof(text), "%s/%u", bh_addr_format(addr, a), len);
	if (bh_prefix_parse(text, &p) == -EINVAL) /* bits behind the prefix are cleared */
		return;
	if (l->n < l->cap)
		l->out[l->n++] = p;
	else
		l->more = true;
}

static int on_network(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a;
	struct bh_addr addr;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    ifa->ifa_scope == RT_SCOPE_HOST || ifa->ifa_scope == RT_SCOPE_LINK)
		return 0;
	/* Of a point-to-point link the other end's: who is reached there. */
	mnl_attr_for_each (a, nlh, sizeof(*ifa))
		if (mnl_attr_get_type(a) == IFA_ADDRESS &&
		    bh_addr_from_bytes(&addr, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)))
			take_network(arg, &addr, ifa->ifa_prefixlen);
	return 0;
}

static int list_networks(struct nlsock *s, void *ret, struct bh_err *err)
{
	((struct networks *)ret)->n = 0;
	((struct networks *)ret)->more = false;
	return dump(s, RTM_GETADDR, AF_UNSPEC, on_network, ret, err);
}

int runtime_networks(int netns_fd, struct bh_prefix *out, size_t cap, size_t *ret_n,
		     struct bh_err *err)
{
	struct networks l = { .out = out, .cap = cap };
	int r = list(netns_fd, list_networks, &l, err);

	*ret_n = l.n;
	if (r >= 0 && l.more)
		return bh_err_set(err, -E2BIG, "it is on more than %zu networks", cap);
	return r < 0 ? bh_err_prefix(err, r, "listing the networks") : 0;
}
