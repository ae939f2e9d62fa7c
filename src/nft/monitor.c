/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/nft/monitor.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/sys/netns.h>

#include "attr.h"
#include "kernel.h"

#define READ_BYTES     16384
#define READ_ROUND_MAX 64

#define TYPE_COMMIT ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN)

/*
 * Of all that the kernel tells, the end of each commit alone comes into the queue; it is a message
 * by itself. So what somebody writes does not fill it, only how often.
 */
static int hear_commits_only(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(TYPE_COMMIT), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { BH_ARRAY_SIZE(code), code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int listen_everywhere(int fd)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES, on = 1, bytes = BH_MONITOR_RCVBUF;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0 ||
	    hear_commits_only(fd) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

int nft_monitor_open(int netns_fd, int *ret_fd, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_NETFILTER, &fd,
			     err);

	if (r < 0)
		return r;
	r = listen_everywhere(fd);
	if (r < 0)
		return bh_err_errno(err, r, "listening for changes of nf_tables");
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

static void take_commit(const struct nlmsghdr *nlh, int32_t netns_id,
			void (*fn)(const struct nft_commit *, void *), void *arg)
{
	const struct nlattr *tb[NFTA_GEN_PROC_NAME + 1];
	struct nft_commit c = { .netns_id = netns_id, .port = nlh->nlmsg_pid, .name = "?" };
	char name[32];
	uint32_t pid;

	attr_parse(nlh, tb, NFTA_GEN_PROC_NAME);
	if (attr_u32(tb[NFTA_GEN_PROC_PID], &pid))
		c.pid = (pid_t)pid;
	if (attr_string(tb[NFTA_GEN_PROC_NAME], name, sizeof(name)))
		bh_escape_str(c.name, sizeof(c.name), name);
	fn(&c, arg);
}

void nft_monitor_parse(const void *data, size_t len, int32_t netns_id,
		       void (*fn)(const struct nft_commit *, void *), void *arg)
{
	int left = (int)len;

	for (const struct nlmsghdr *nlh = data; mnl_nlmsg_ok(nlh, left);
	     nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == TYPE_COMMIT)
			take_commit(nlh, netns_id, fn, arg);
}

/* Which namespace it is from: the kernel says so of all but the listener's own. */
static int32_t id_of(struct msghdr *m)
{
	int32_t id = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    c->cmsg_len == CMSG_LEN(sizeof(id)))
			memcpy(&id, CMSG_DATA(c), sizeof(id));
	return id;
}

static ssize_t read_one(int fd, void (*fn)(const struct nft_commit *, void *), void *arg)
{
	char control[CMSG_SPACE(sizeof(int32_t)) + 64] __attribute__((aligned(16)));
	char buf[READ_BYTES] __attribute__((aligned(16)));
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	nft_monitor_parse(buf, (size_t)n, id_of(&m), fn, arg);
	return n;
}

int nft_monitor_read(int fd, void (*fn)(const struct nft_commit *, void *), void *arg,
		     bool *ret_missed)
{
	*ret_missed = false;
	for (int i = 0; i < READ_ROUND_MAX; i++) {
		ssize_t n = read_one(fd, fn, arg);

		if (n == -EAGAIN)
			return 0;
		if (n == -ENOBUFS)
			*ret_missed = true;
		else if (n < 0)
			return (int)n;
	}
	return 0;
}
