/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/netns.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

/* The namespace that this process started in; opened once, kept for the way back. */
static int own_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd;
}

/* Open what stands behind an O_PATH descriptor if it is a network namespace, else -EINVAL. */
static int open_netns(int path_fd)
{
	bh_autoclose int fd = -1;
	char self[64];
	struct statfs fs;

	if (fstatfs(path_fd, &fs) < 0)
		return -errno;
	if (fs.f_type != NSFS_MAGIC)
		return -EINVAL;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return -EINVAL;
	return BH_STEAL_FD(fd);
}

int netns_open(const char *path, int *ret_fd, uint64_t *ret_ino, struct bh_err *err)
{
	/* O_PATH: what is no namespace is not opened, a device, FIFO or lease in its place unharmed. */
	bh_autoclose int path_fd = open(path, O_PATH | O_CLOEXEC);
	bh_autoclose int fd = -1;
	char shown[256];
	struct stat st;

	bh_escape_str(shown, sizeof(shown), path);
	if (path_fd < 0)
		return bh_err_errno(err, -errno, "network namespace %s", shown);
	fd = open_netns(path_fd);
	if (fd == -EINVAL)
		return bh_err_set(err, fd, "%s is not a network namespace", shown);
	if (fd < 0)
		return bh_err_errno(err, fd, "network namespace %s", shown);
	if (fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "network namespace %s", shown);
	if (ret_ino)
		*ret_ino = st.st_ino;
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

uint64_t netns_own_ino(void)
{
	struct stat st;

	return own_fd() >= 0 && fstat(own_fd(), &st) == 0 ? st.st_ino : 0;
}

int netns_run(int netns_fd, int (*fn)(void *arg, struct bh_err *err), void *arg, struct bh_err *err)
{
	int r, home = own_fd();

	if (home < 0)
		return bh_err_set(err, -ENOENT, "/proc/self/ns/net cannot be opened");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return bh_err_errno(err, -errno, "entering the network namespace");
	r = fn(arg, err);
	if (setns(home, CLONE_NEWNET) < 0) {
		/* Whatever came next would be done to the wrong namespace. */
		fputs("bulkhead: cannot return to the own network namespace\n", stderr);
		abort();
	}
	return r;
}

struct socket_call {
	int domain, type, protocol, fd;
};

static int call_socket(void *arg, struct bh_err *err)
{
	struct socket_call *c = arg;

	c->fd = socket(c->domain, c->type | SOCK_CLOEXEC, c->protocol);
	return c->fd < 0 ? bh_err_errno(err, -errno, "opening a socket") : 0;
}

int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd, struct bh_err *err)
{
	struct socket_call c = { domain, type, protocol, -1 };
	int r = netns_run(netns_fd, call_socket, &c, err);

	if (r >= 0)
		*ret_fd = c.fd;
	return r;
}

int netns_of_socket(int fd, int *ret_fd, uint64_t *ret_ino, struct bh_err *err)
{
	bh_autoclose int netns_fd = -1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return bh_err_errno(err, -errno, "the namespace of a socket");
	if (!S_ISSOCK(st.st_mode)) /* to whom that request may mean something else */
		return bh_err_set(err, -ENOTSOCK, "it is not a socket");
	netns_fd = ioctl(fd, SIOCGSKNS);
	if (netns_fd < 0 || fstat(netns_fd, &st) < 0)
		return bh_err_errno(err, -errno, "the namespace of a socket");
	*ret_ino = st.st_ino;
	*ret_fd = BH_STEAL_FD(netns_fd);
	return 0;
}

/* Open the namespace that this process is in now, then go home. */
static int make_scratch(int *ret_fd, struct bh_err *err)
{
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return bh_err_errno(err, -errno, "making a network namespace");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		bh_err_errno(err, -errno, "opening the new network namespace");
	if (setns(own_fd(), CLONE_NEWNET) < 0) {
		fputs("bulkhead: cannot return to the own network namespace\n", stderr);
		abort();
	}
	if (fd < 0)
		return -ENOENT;
	*ret_fd = fd;
	return 0;
}

int netns_scratch(int *ret_fd, struct bh_err *err)
{
	if (own_fd() < 0)
		return bh_err_set(err, -ENOENT, "/proc/self/ns/net cannot be opened");
	return make_scratch(ret_fd, err);
}
