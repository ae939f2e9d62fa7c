/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "station.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#define EAR_BYTES (4 << 20)

static const int families[FAMILIES] = { AF_INET, AF_INET6 };
static const int protos[FAMILIES][STATION_PROTOS] = {
	{ IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP },
	{ IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMPV6 },
};

static unsigned family_index(const struct bh_addr *a)
{
	return a->family == AF_INET6;
}

/* --- what is heard ----------------------------------------------------------------------------- */

/*
 * Nothing but packets of this run: their source port, or ICMP id, is one of two. Where it stands depends
 * on what a socket's packets begin with.
 */
#define TAIL(port)                                                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (port), 2, 0),                                         \
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (port) + 1u, 1, 0),                            \
		BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 256)

static int attach(int fd, struct sock_filter *f, size_t n)
{
	struct sock_fprog p = { (unsigned short)n, f };
	int bytes = EAR_BYTES, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)); /* of IPv6 alone */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) < 0 ? -errno : 0;
}

/* A raw socket of IPv4 has the IP header in front, one of IPv6 has not. */
static int filter_raw(int fd, bool v4, bool icmp, uint16_t port)
{
	struct sock_filter four[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, icmp ? 4 : 0),
		TAIL(port),
	};
	struct sock_filter six[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, icmp ? 4 : 0),
		TAIL(port),
	};

	return v4 ? attach(fd, four, BH_ARRAY_SIZE(four)) : attach(fd, six, BH_ARRAY_SIZE(six));
}

/* From the IP header on, of either family. */
static int filter_tap(int fd, uint16_t port)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 6, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 1),
		BPF_JUMP(BPF_JMP | BPF_JA, 6, 0, 0), /* to 13 */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JA, 7, 0, 0), /* to the tail */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 4, 0), /* to 15 */
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 40),
		BPF_JUMP(BPF_JMP | BPF_JA, 3, 0, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 44),
		TAIL(port),
	};

	return attach(fd, f, BH_ARRAY_SIZE(f));
}

/* --- opening ----------------------------------------------------------------------------------- */

static int open_ears(struct station *s, int netns, unsigned f, uint16_t source, struct bh_err *err)
{
	for (unsigned p = 0; p < STATION_PROTOS; p++) {
		int *fd = &s->in[f][p];
		int r = netns_socket(netns, families[f], SOCK_RAW | SOCK_NONBLOCK, protos[f][p], fd,
				     err);

		if (r >= 0)
			r = filter_raw(*fd, f == 0, p == STATION_PROTOS - 1, source);
		if (r < 0)
			return bh_err_errno(err, r, "a raw socket");
	}
	return 0;
}

/* Errors that come later than the call, of the table netdev, shall be told, too. */
static void tell_errors(int fd, unsigned f)
{
	int on = 1;

	if (f == 0) {
		setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	}
}

static int open_family(struct station *s, int netns, unsigned f, uint16_t source,
		       struct bh_err *err)
{
	int r = netns_socket(netns, families[f], SOCK_RAW | SOCK_NONBLOCK, IPPROTO_RAW, &s->raw[f],
			     err);

	if (r == -EAFNOSUPPORT && f > 0)
		return 0;
	if (r >= 0) {
		tell_errors(s->raw[f], f);
		r = netns_socket(netns, families[f], SOCK_DGRAM, 0, &s->way[f], err);
	}
	return r < 0 ? r : open_ears(s, netns, f, source, err);
}

/* Bound, and never listening: answers to it are answered by the kernel, RST to TCP, nothing to UDP. */
static int reserve(struct station *s, int netns, uint16_t source, struct bh_err *err)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	unsigned f = s->raw[1] >= 0;
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(source) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(source) };
	const struct sockaddr *at = f ? (const void *)&six : (const void *)&four;

	for (size_t i = 0; i < BH_ARRAY_SIZE(types); i++) {
		int r = netns_socket(netns, families[f], types[i], 0, &s->reserved[i], err);
		int off = 0, least = 1;

		if (r < 0)
			return r;
		if (f)
			setsockopt(s->reserved[i], IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		setsockopt(s->reserved[i], SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
		if (bind(s->reserved[i], at, f ? sizeof(six) : sizeof(four)) < 0)
			return bh_err_errno(err, -errno, "source port %u", source);
	}
	return 0;
}

static int open_tap(struct station *s, int netns, uint16_t source, struct bh_err *err)
{
	int r = netns_socket(netns, AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_ALL),
			     &s->tap, err);

	if (r >= 0)
		r = filter_tap(s->tap, source);
	return r < 0 ? bh_err_errno(err, r, "a packet socket") : 0;
}

static int open_all(struct station *s, int netns, uint16_t source, struct bh_err *err)
{
	int r = nlsock_open(&s->nft, netns, NETLINK_NETFILTER, err);

	if (r >= 0)
		r = nlsock_open(&s->route, netns, NETLINK_ROUTE, err);
	if (r >= 0)
		r = station_know_neighbours(s, err);
	for (unsigned f = 0; f < FAMILIES && r >= 0; f++)
		r = open_family(s, netns, f, source, err);
	if (r >= 0)
		r = open_tap(s, netns, source, err);
	if (r >= 0)
		r = reserve(s, netns, source, err);
	if (r >= 0)
		r = runtime_devices(netns, &s->devices, err);
	return r;
}

static struct station *station_new(void)
{
	struct station *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->nft = s->route = (struct nlsock)NLSOCK_INIT;
	s->tap = s->reserved[0] = s->reserved[1] = -1;
	memset(s->raw, 0xff, sizeof(s->raw));
	memset(s->way, 0xff, sizeof(s->way));
	memset(s->in, 0xff, sizeof(s->in));
	return s;
}

/* The one that was listed, and not the host's. */
static int open_listed(const struct endpoint *e, int *ret_fd, uint64_t *ret_ino, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = netns_open(e->netns, &fd, ret_ino, err);

	if (r < 0)
		return r;
	if (*ret_ino == netns_own_ino())
		return bh_err_set(err, -EINVAL, "its namespace is the host's own");
	if (e->netns_ino && *ret_ino != e->netns_ino)
		return bh_err_set(err, -ESTALE, "its namespace was replaced by another");
	*ret_fd = BH_STEAL_FD(fd);
	return 0;
}

int station_open(const struct endpoint *e, uint16_t source, struct station **ret,
		 struct bh_err *err)
{
	bh_autoclose int netns = -1;
	struct station *s = station_new();
	int r;

	if (!s)
		return bh_err_oom(err);
	r = open_listed(e, &netns, &s->ino, err);
	if (r >= 0)
		r = netns_cookie(netns, &s->cookie, err);
	if (r >= 0)
		r = open_all(s, netns, source, err);
	if (r < 0) {
		station_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void station_close(struct station *s)
{
	if (!s)
		return;
	nlsock_done(&s->nft);
	nlsock_done(&s->route);
	bh_vec_done(&s->neighbours);
	close_all(s->raw, FAMILIES);
	close_all(s->way, FAMILIES);
	close_all(&s->in[0][0], FAMILIES * STATION_PROTOS);
	close_all(s->reserved, 2);
	close_all(&s->tap, 1);
	free(s->listeners);
	free(s);
}

bool station_stands(const struct station *s, const struct endpoint *e)
{
	bh_autoclose int fd = -1;
	uint64_t ino;

	return netns_open(e->netns, &fd, &ino, NULL) >= 0 && ino == s->ino;
}

/* --- sending ----------------------------------------------------------------------------------- */

union any_address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

static socklen_t put_address(const struct bh_addr *a, uint16_t port, union any_address *ret)
{
	*ret = (union any_address) { 0 };
	if (a->family == AF_INET) {
		ret->four.sin_family = AF_INET;
		ret->four.sin_port = htons(port);
		memcpy(&ret->four.sin_addr, a->b, 4);
		return sizeof(ret->four);
	}
	ret->six.sin6_family = AF_INET6;
	ret->six.sin6_port = htons(port);
	memcpy(&ret->six.sin6_addr, a->b, 16);
	return sizeof(ret->six);
}

/* That takes a socket with leave for it; a route that prohibits does not ask for leave. */
static bool is_broadcast(int fd, const union any_address *a, socklen_t len)
{
	int on = 1, off = 0;
	bool is;

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	is = connect(fd, &a->any, len) == 0;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &off, sizeof(off));
	return is;
}

int station_source(const struct station *s, const struct bh_addr *to, struct bh_addr *ret)
{
	union any_address a;
	socklen_t len = put_address(to, 9, &a);
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int fd = s->way[family_index(to)];

	if (fd < 0)
		return -EAFNOSUPPORT;
	connect(fd, &nobody,
		sizeof(nobody)); /* or it keeps the source that it had for the last one */
	if (connect(fd, &a.any, len) < 0)
		return errno != EACCES ? -errno : is_broadcast(fd, &a, len) ? 1 : -EACCES;
	len = sizeof(a);
	if (getsockname(fd, &a.any, &len) < 0)
		return -errno;
	if (to->family == AF_INET)
		bh_addr_from_bytes(ret, &a.four.sin_addr, 4);
	else
		bh_addr_from_bytes(ret, &a.six.sin6_addr, 16);
	return 0;
}

/* An error of an earlier packet would come in place of this one's own. */
static void forget_errors(int fd)
{
	uint8_t buf[512];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t len = sizeof(int);
	int ignored;

	while (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &ignored, &len);
}

int station_send(const struct station *s, const struct bh_addr *to, const void *data, size_t len)
{
	int fd = s->raw[family_index(to)];
	union any_address a;
	socklen_t a_len = put_address(to, 0, &a);

	if (fd < 0)
		return -EAFNOSUPPORT;
	forget_errors(fd);
	return sendto(fd, data, len, MSG_DONTWAIT, &a.any, a_len) < 0 ? -errno : 0;
}

int station_send_frame(const struct station *s, const struct bh_addr *to, uint32_t device,
		       const void *data, size_t len)
{
	const struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(to->family == AF_INET ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = (int)device,
		.sll_halen = 6,
		.sll_addr = { 0x02, 'b', 'h', 'b', 'p', 0 }, /* locally administered, nobody's */
	};

	return sendto(s->tap, data, len, MSG_DONTWAIT, (const struct sockaddr *)&ll, sizeof(ll)) < 0
		       ? -errno
		       : 0;
}

/* --- hearing ----------------------------------------------------------------------------------- */

static bool is_outgoing(const struct sockaddr_ll *ll)
{
	return ll->sll_pkttype == PACKET_OUTGOING;
}

static void hear_tap(const struct station *s, const struct station_hearer *h)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	struct packet_key k;
	uint8_t buf[256];
	ssize_t n;

	while ((n = recvfrom(s->tap, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from,
			     &len)) >= 0) {
		len = sizeof(from);
		if ((is_outgoing(&from) || from.sll_pkttype == PACKET_HOST) &&
		    packet_parse(buf, (size_t)n, &k))
			h->fn(s, is_outgoing(&from) ? HEARD_OUT : HEARD_SEEN, &k, h->arg);
	}
}

static void hear_four(const struct station *s, int fd, const struct station_hearer *h)
{
	struct packet_key k;
	uint8_t buf[256];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0)
		if (packet_parse(buf, (size_t)n, &k))
			h->fn(s, HEARD_IN, &k, h->arg);
}

/* Where it was sent to: the header is not there, so the kernel says it beside. */
static bool take_destination(struct msghdr *m, struct bh_addr *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			return bh_addr_from_bytes(ret, &info.ipi6_addr, 16);
		}
	return false;
}

static void hear_six(const struct station *s, int fd, int proto, const struct station_hearer *h)
{
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct sockaddr_in6 from;
	struct packet_key k;
	uint8_t buf[256];
	struct iovec iov = { buf, sizeof(buf) };
	ssize_t n;

	for (;;) {
		struct msghdr m = { &from, sizeof(from), &iov, 1, control, sizeof(control), 0 };

		n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n < 0)
			return;
		k = (struct packet_key) { .proto = (uint16_t)proto };
		bh_addr_from_bytes(&k.src, &from.sin6_addr, 16);
		if (take_destination(&m, &k.dst) && packet_parse_inner(buf, (size_t)n, &k))
			h->fn(s, HEARD_IN, &k, h->arg);
	}
}

void station_hear(const struct station *s, int fd, const struct station_hearer *h)
{
	if (fd == s->tap)
		hear_tap(s, h);
	for (unsigned p = 0; p < STATION_PROTOS; p++)
		if (fd == s->in[0][p])
			hear_four(s, fd, h);
		else if (fd == s->in[1][p])
			hear_six(s, fd, protos[1][p], h);
}

int station_each_ear(const struct station *s, int (*fn)(int fd, void *arg), void *arg)
{
	int r = fn(s->tap, arg);

	for (unsigned f = 0; f < FAMILIES; f++)
		for (unsigned p = 0; p < STATION_PROTOS && r >= 0; p++)
			if (s->in[f][p] >= 0)
				r = fn(s->in[f][p], arg);
	return r;
}
