// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a container sends with its first instructions. Nothing runs before it: there is no C library,
 * and no more is read of an argument than the packet at hand needs.
 *
 *   first [DENIED4 ALLOWED4 [DENIED6 ALLOWED6]]
 *       Addresses as hexadecimal digits. To each denied one a TCP SYN and a datagram, both to port
 *       9999; and where raw sockets can be had, a packet with a header of its own (port 9998), and a
 *       frame of a packet socket (port 9997), of which a second one is addressed to the allowed one.
 *       Then a TCP connection and a datagram to port 5432 of each allowed one, which is to answer.
 *       Prints "AT NETNS ASKED ANSWERED RAW": nanoseconds of CLOCK_REALTIME at the first
 *       instruction, the inode of its network namespace (0: not to be seen), what was asked, what
 *       was answered (the sum of 1 TCP, 2 UDP; 4 and 8 over IPv6), and how many raw packets the kernel
 *       was given, refused ones included. Exit code: what was asked and not answered, so 0 if all is
 *       well; 64 if the arguments are wrong.
 */
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/poll.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <asm/unistd.h>

#include <stdint.h>
#include <stddef.h>

/* Of sys/socket.h, net/if.h and fcntl.h, which belong to a C library. */
#define AF_INET       2
#define AF_INET6      10
#define AF_PACKET     17
#define SOCK_STREAM   1
#define SOCK_DGRAM    2
#define SOCK_RAW      3
#define SOCK_NONBLOCK 04000
#define SOL_SOCKET    1
#define SO_ERROR      4
#define AT_FDCWD      -100

#define ALLOWED      5432
#define DENIED       9999
#define DENIED_RAW   9998
#define DENIED_FRAME 9997
#define PATIENCE_NS  5000000000LL
#define PAYLOAD      "bulkhead-frame:first;" /* as rawsend marks them */

/* --- the kernel ------------------------------------------------------------------------------ */

static long call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
			 x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e,
			 x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
#error "how a system call is made here has to be added"
#endif
}

static int make_socket(int family, int type, int protocol)
{
	return (int)call(__NR_socket, family, type, protocol, 0, 0, 0);
}

static long send_to(int fd, const void *data, size_t n, const void *to, size_t to_len)
{
	return call(__NR_sendto, fd, (long)data, (long)n, 0, (long)to, (long)to_len);
}

static int64_t now_ns(int clock)
{
	struct __kernel_timespec t = { 0 };

	call(__NR_clock_gettime, clock, (long)&t, 0, 0, 0, 0);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The compiler calls this by itself, too. */
void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void *memset(void *to, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)to)[i] = (char)c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

/* --- addresses ------------------------------------------------------------------------------- */

struct end {
	int family;
	uint8_t b[16];
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
	size_t to_len;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint16_t swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

static int read_end(const char *text, int family, struct end *e)
{
	size_t n = family == AF_INET ? 4 : 16;

	e->family = family;
	for (size_t i = 0; i < n; i++) {
		int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);

		if (low < 0)
			return -1;
		e->b[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * n] ? -1 : 0;
}

static void aim(struct end *e, uint16_t port)
{
	memset(&e->to, 0, sizeof(e->to));
	if (e->family == AF_INET) {
		e->to.in.sin_family = AF_INET;
		e->to.in.sin_port = swapped(port);
		memcpy(&e->to.in.sin_addr, e->b, 4);
		e->to_len = sizeof(e->to.in);
		return;
	}
	e->to.in6.sin6_family = AF_INET6;
	e->to.in6.sin6_port = swapped(port);
	memcpy(&e->to.in6.sin6_addr, e->b, 16);
	e->to_len = sizeof(e->to.in6);
}

/* --- by the stack ---------------------------------------------------------------------------- */

static int connect_to(struct end *e, uint16_t port)
{
	int fd = make_socket(e->family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	aim(e, port);
	call(__NR_connect, fd, (long)&e->to, (long)e->to_len, 0, 0, 0);
	return fd;
}

static int datagram_to(struct end *e, uint16_t port)
{
	int fd = make_socket(e->family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	aim(e, port);
	send_to(fd, PAYLOAD, sizeof(PAYLOAD) - 1, &e->to, e->to_len);
	return fd;
}

/* --- by hand --------------------------------------------------------------------------------- */

struct packet {
	uint8_t b[128];
	size_t n;
};

static void put(struct packet *p, const void *data, size_t n)
{
	memcpy(p->b + p->n, data, n);
	p->n += n;
}

static void put16(struct packet *p, uint16_t v)
{
	v = swapped(v);
	put(p, &v, 2);
}

static void put_ip4(struct packet *p, const uint8_t *from, const uint8_t *to, size_t inner)
{
	static const uint8_t rest[] = { 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0 };
	uint32_t sum = 0;
	uint8_t *h = p->b + p->n;

	put16(p, 0x4500);
	put16(p, (uint16_t)(20 + inner));
	put(p, rest, sizeof(rest));
	put(p, from, 4);
	put(p, to, 4);
	for (size_t i = 0; i < 20; i += 2)
		sum += (uint32_t)(h[i] << 8 | h[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	h[10] = (uint8_t)(sum >> 8);
	h[11] = (uint8_t)sum;
}

static void put_ip6(struct packet *p, const uint8_t *from, const uint8_t *to, size_t inner)
{
	put16(p, 0x6000);
	put16(p, 0);
	put16(p, (uint16_t)inner);
	put16(p, IPPROTO_UDP << 8 | 64);
	put(p, from, 16);
	put(p, to, 16);
}

/* FROM of zeros: the kernel writes the own address in its place. */
static void put_udp(struct packet *p, const struct end *to, const uint8_t *from, uint16_t port)
{
	const size_t inner = 8 + sizeof(PAYLOAD) - 1;

	if (to->family == AF_INET)
		put_ip4(p, from, to->b, inner);
	else
		put_ip6(p, from, to->b, inner);
	put16(p, 4000);
	put16(p, port);
	put16(p, (uint16_t)inner);
	put16(p, 0);
	put(p, PAYLOAD, sizeof(PAYLOAD) - 1);
}

/* Over IPv4 with the own address, over IPv6 with that of another. */
static int send_own_header(struct end *to, const struct end *another)
{
	static const uint8_t own[16];
	int fd = make_socket(to->family, SOCK_RAW, IPPROTO_RAW);
	struct packet p = { .n = 0 };

	if (fd < 0)
		return 0;
	put_udp(&p, to, to->family == AF_INET ? own : another->b, DENIED_RAW);
	aim(to, 0);
	send_to(fd, p.b, p.n, &to->to, to->to_len);
	return 1;
}

static int index_of_eth0(int fd)
{
	struct {
		char name[16];
		int index;
		char rest[20];
	} request = { .name = "eth0" };

	return call(__NR_ioctl, fd, SIOCGIFINDEX, (long)&request, 0, 0, 0) < 0 ? 0 : request.index;
}

static int send_frame(const struct end *to, const struct end *another)
{
	static const uint8_t macs[] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1 };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_halen = 6 };
	int fd = make_socket(AF_PACKET, SOCK_RAW, 0);
	struct packet p = { .n = 0 };
	uint16_t type = to->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;

	if (fd < 0)
		return 0;
	put(&p, macs, sizeof(macs));
	put16(&p, type);
	put_udp(&p, to, another->b, DENIED_FRAME);
	ll.sll_ifindex = index_of_eth0(fd);
	ll.sll_protocol = swapped(type);
	send_to(fd, p.b, p.n, &ll, sizeof(ll));
	return 1;
}

/* --- answers --------------------------------------------------------------------------------- */

#define FLOWS 4

static int is_answered(int fd, int by_tcp)
{
	int error = 0, len = sizeof(error);
	char byte;

	if (by_tcp)
		return call(__NR_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&len,
			    0) == 0 &&
		       error == 0;
	return call(__NR_recvfrom, fd, (long)&byte, 1, 0, 0, 0) >= 0;
}

/* Those of FDS (-1: not asked) that are answered in time; a bit each, TCP at even places. */
static unsigned await_answers(const int *fds)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct pollfd p[FLOWS];
	unsigned answered = 0, asked = 0;

	for (int i = 0; i < FLOWS; i++) {
		p[i] = (struct pollfd) { .fd = fds[i], .events = i & 1 ? POLLIN : POLLOUT };
		asked |= fds[i] < 0 ? 0 : 1U << i;
	}
	for (int64_t left = PATIENCE_NS; asked && left > 0; left = end - now_ns(CLOCK_MONOTONIC)) {
		struct __kernel_timespec t = { left / 1000000000, left % 1000000000 };

		if (call(__NR_ppoll, (long)p, FLOWS, (long)&t, 0, 0, 0) <= 0)
			continue;
		for (int i = 0; i < FLOWS; i++) {
			if (p[i].fd < 0 || !p[i].revents)
				continue;
			answered |= is_answered(p[i].fd, !(i & 1)) ? 1U << i : 0;
			asked &= ~(1U << i);
			p[i].fd = -1;
		}
	}
	return answered;
}

/* --- and all of it --------------------------------------------------------------------------- */

static uint64_t own_netns(void)
{
	char text[64];
	uint64_t ino = 0;
	long n = call(__NR_readlinkat, AT_FDCWD, (long)"/proc/self/ns/net", (long)text,
		      sizeof(text), 0, 0);

	for (long i = 5; i < n && text[i] >= '0' && text[i] <= '9'; i++) /* net:[N] */
		ino = ino * 10 + (uint64_t)(text[i] - '0');
	return ino;
}

static size_t put_number(char *out, uint64_t v, char end)
{
	char digits[20];
	size_t n = 0, at = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	while (n)
		out[at++] = digits[--n];
	out[at++] = end;
	return at;
}

static void tell(const uint64_t *numbers, size_t n)
{
	char line[128];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += put_number(line + len, numbers[i], i + 1 < n ? ' ' : '\n');
	call(__NR_write, 1, (long)line, (long)len, 0, 0, 0);
}

static unsigned send_denied(struct end *denied, const struct end *allowed)
{
	unsigned raw;

	connect_to(denied, DENIED);
	datagram_to(denied, DENIED);
	raw = (unsigned)send_own_header(denied, allowed);
	raw += (unsigned)send_frame(denied, allowed);
	return raw + (unsigned)send_frame(allowed, denied);
}

static int run(int argc, char **argv)
{
	int64_t at = now_ns(CLOCK_REALTIME);
	struct end denied, allowed[2];
	int fds[FLOWS] = { -1, -1, -1, -1 }, pairs = argc / 2;
	unsigned raw = 0, answered, asked;

	if (argc != 1 && argc != 3 && argc != 5)
		return 64;
	for (int i = 0; i < pairs; i++) {
		int family = i ? AF_INET6 : AF_INET;

		if (read_end(argv[1 + 2 * i], family, &denied) < 0 ||
		    read_end(argv[2 + 2 * i], family, &allowed[i]) < 0)
			return 64;
		raw += send_denied(&denied, &allowed[i]);
	}
	for (int i = 0; i < pairs; i++) {
		fds[2 * i] = connect_to(&allowed[i], ALLOWED);
		fds[2 * i + 1] = datagram_to(&allowed[i], ALLOWED);
	}
	asked = (1U << 2 * pairs) - 1;
	answered = await_answers(fds);
	tell((const uint64_t[]) { (uint64_t)at, own_netns(), asked, answered, raw }, 5);
	return (int)(asked & ~answered);
}

/* The stack as the kernel leaves it: the number of arguments, and they. */
__attribute__((noreturn, used)) void first_main(long *stack);
void first_main(long *stack)
{
	call(__NR_exit_group, run((int)stack[0], (char **)(stack + 1)), 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call first_main\n");
#else
__asm__(".globl _start\n_start: mov x0, sp\n bl first_main\n");
#endif
