/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For LD_PRELOAD: every batch that a program sends to nf_tables is written to the file that $RECORD
 * names, as the record that follows, its bytes behind it. What only asks is left out. Nothing of the
 * program is linked here.
 */
#include "record.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int out(void)
{
	static int fd = -1;
	const char *path = getenv("RECORD");

	if (fd < 0 && path)
		fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fd;
}

static int is_batch(int fd, const void *data, size_t len)
{
	const struct nlmsghdr *nlh = data;
	socklen_t size = sizeof(int);
	int domain, protocol;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
	       protocol == NETLINK_NETFILTER && len >= sizeof(*nlh) &&
	       nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

static unsigned long netns_of(int fd)
{
	int netns = ioctl(fd, SIOCGSKNS);
	struct stat st = { 0 };

	if (netns < 0)
		return 0;
	fstat(netns, &st);
	close(netns);
	return st.st_ino;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void record(int fd, const void *data, size_t len)
{
	struct record r = { .netns_ino = 0, .len = len, .when = now_ns() };
	struct iovec iov[] = { { &r, sizeof(r) }, { (void *)data, len } };

	r.netns_ino = netns_of(fd);
	if (writev(out(), iov, 2) != (ssize_t)(sizeof(r) + len)) {
		perror("record");
		_exit(125); /* half a record is worse than none */
	}
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
	       socklen_t to_len)
{
	static ssize_t (*next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t n;

	if (!next)
		next = dlsym(RTLD_NEXT, "sendto");
	n = next(fd, data, len, flags, to, to_len);
	if (n == (ssize_t)len && is_batch(fd, data, len))
		record(fd, data, len);
	return n;
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static ssize_t (*next)(int, const struct msghdr *, int);
	ssize_t n;

	if (!next)
		next = dlsym(RTLD_NEXT, "sendmsg");
	n = next(fd, msg, flags);
	if (n > 0 && msg->msg_iovlen == 1 &&
	    is_batch(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len))
		record(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len);
	return n;
}
