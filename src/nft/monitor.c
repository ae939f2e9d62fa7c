/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/monitor.h>

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "attr.h"
#include "kernel.h"

#define READ_BYTES     16384
#define READ_ROUND_MAX 64

int nft_monitor_open(int netns_fd, int *ret_fd, struct bh_err *err)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES;
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER, &fd,
			     err);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return bh_err_errno(err, -errno, "listening for changes of nf_tables");
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

static void take_commit(const struct nlmsghdr *nlh, void (*fn)(const struct nft_commit *, void *),
			void *arg)
{
	const struct nlattr *tb[NFTA_GEN_PROC_NAME + 1];
	struct nft_commit c = { .name = "?" };
	char name[32];
	uint32_t pid;

	attr_parse(nlh, tb, NFTA_GEN_PROC_NAME);
	if (attr_u32(tb[NFTA_GEN_PROC_PID], &pid))
		c.pid = (pid_t)pid;
	if (attr_string(tb[NFTA_GEN_PROC_NAME], name, sizeof(name)))
		bh_escape_str(c.name, sizeof(c.name), name);
	fn(&c, arg);
}

void nft_monitor_parse(const void *data, size_t len, uint32_t own,
		       void (*fn)(const struct nft_commit *, void *), void *arg)
{
	int left = (int)len;

	for (const struct nlmsghdr *nlh = data; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN) &&
		    nlh->nlmsg_pid != own)
			take_commit(nlh, fn, arg);
}

int nft_monitor_read(int fd, uint32_t own, void (*fn)(const struct nft_commit *, void *), void *arg,
		     bool *ret_missed)
{
	char buf[READ_BYTES] __attribute__((aligned(16)));
	ssize_t n;

	*ret_missed = false;
	for (int i = 0; i < READ_ROUND_MAX; i++) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == ENOBUFS) {
			*ret_missed = true;
			continue;
		}
		if (n < 0)
			return -errno;
		nft_monitor_parse(buf, (size_t)n, own, fn, arg);
	}
	return 0;
}
