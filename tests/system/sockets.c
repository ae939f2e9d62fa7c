// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which sockets a process gets: a line each, "packet EPERM" or "udp ok".
 *
 *   sockets [own]
 *       own: in a user and a network namespace of its own, where it has CAP_NET_RAW whatever it was
 *       given: then only seccomp can refuse.
 *
 * wide-packet is 2^32 + AF_PACKET, which the kernel takes for AF_PACKET; i386-packet the same by that
 * table of system calls.
 */
#include <bulkhead/base/cleanup.h>

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *name, long r)
{
	printf("%s %s\n", name, r < 0 ? strerrorname_np(errno) : "ok");
	if (r >= 0)
		close((int)r);
}

static long i386_socket(long family, long type, long protocol)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(359L), "b"(family), "c"(type), "d"(protocol)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)r >= 0)
		return (int)r;
	errno = -(int)r;
	return -1;
#else
	return syscall(SYS_socket, family, type, protocol);
#endif
}

int main(int argc, char **argv)
{
	if (argc > 1 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		perror("unshare");
		return 1;
	}
	tell("udp", socket(AF_INET, SOCK_DGRAM, 0));
	tell("unix", socket(AF_UNIX, SOCK_STREAM, 0));
	tell("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	tell("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	tell("packet", socket(AF_PACKET, SOCK_RAW, 0));
	tell("xdp", socket(AF_XDP, SOCK_RAW, 0));
	tell("wide-packet", syscall(SYS_socket, (1L << 32) + AF_PACKET, (long)SOCK_RAW, 0L));
	tell("i386-packet", i386_socket(AF_PACKET, SOCK_RAW, 0));
	return 0;
}
