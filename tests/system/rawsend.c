// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames that no stack has made, and packets with a source that is not one's own.
 *
 *   rawsend send DEVICE VIA TOKEN [KEY=VALUE]...
 *       VIA: raw, dgram, bypass (PACKET_QDISC_BYPASS), ring (PACKET_TX_RING), hdrincl (a raw
 *       socket of IPv4 or IPv6 with a header of its own), freebind (a UDP socket bound to what
 *       need not be one's own; no capability is needed for it).
 *       Answers "sent N refused N ERROR"; the error is "-" or the last one's name.
 *         what    udp, tcp (SYN), ping, dhcp, arp-ask, arp-tell, advert (neighbour advertisement),
 *                 nothing (no header of a network); udp without
 *         from, to, sport, dport           addresses and ports
 *         smac, dmac                       of the frame; the device's own, ff:ff:ff:ff:ff:ff without
 *         chaddr                           of a DHCP client; smac without
 *         type, sll                        what the frame says it is, and what the kernel is told
 *         vlan, vlan2                      the type of a tag in front: 0x8100, 0x88a8
 *         count                            how often
 *         uid                              who sends: he keeps CAP_NET_RAW, for freebind nothing
 *
 *   rawsend catch READY
 *       Every frame that comes in by any device of the namespace and holds a token, a line:
 *       "DEVICE TOKEN SOURCE-MAC". FILE appears once it listens.
 *
 * A token goes into the frame's last bytes, so that it is told from all else.
 */
#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARK        "bulkhead-frame:" /* before a token, and ';' behind it */
#define FRAME_MAX   1500
#define CATCH_BYTES (16 << 20)
#define RING_FRAME  2048
#define RING_FRAMES 16
#define DHCP_BYTES  240 /* RFC 2131: the message up to its options */
#define ARP_BYTES   28

enum what { UDP, TCP, PING, DHCP, ARP_ASK, ARP_TELL, ADVERT, NOTHING };
static const char *const whats[] = { "udp",     "tcp",      "ping",   "dhcp",
				     "arp-ask", "arp-tell", "advert", "nothing" };

enum via { RAW, DGRAM, BYPASS, RING, HDRINCL, FREEBIND };
static const char *const vias[] = { "raw", "dgram", "bypass", "ring", "hdrincl", "freebind" };

static struct {
	int ifindex;
	enum via via;
	const char *token;
	enum what what;
	struct bh_addr from, to;
	uint8_t smac[6], dmac[6], chaddr[6];
	uint64_t sport, dport, type, sll, vlan, vlan2, count, uid;
} o = { .sport = 4000, .dport = 9, .count = 1, .dmac = { 255, 255, 255, 255, 255, 255 } };

static struct {
	uint8_t b[FRAME_MAX];
	size_t n, network; /* bytes, and where the network's header begins */
} frame;

static void die(const char *what)
{
	perror(what);
	exit(3);
}

/* --- a frame --------------------------------------------------------------------------------- */

static void put(const void *data, size_t n)
{
	memcpy(frame.b + frame.n, data, n);
	frame.n += n;
}

static void put16(uint64_t v)
{
	put((const uint8_t[]) { (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put_token(void)
{
	put(MARK, strlen(MARK));
	put(o.token, strlen(o.token));
	put(";", 1);
}

static uint32_t add_up(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static void write_sum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

static bool is_ip6(void)
{
	return o.to.family == AF_INET6;
}

static uint8_t protocol(void)
{
	if (o.what == TCP)
		return IPPROTO_TCP;
	if (o.what == PING || o.what == ADVERT)
		return is_ip6() ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	return IPPROTO_UDP;
}

static void put_dhcp(void)
{
	static const uint8_t options[] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255 };
	uint8_t message[DHCP_BYTES - 4] = { 1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78 };

	memcpy(message + 28, o.chaddr, sizeof(o.chaddr));
	put(message, sizeof(message));
	put(options, sizeof(options));
}

static void put_advert(void)
{
	const struct nd_neighbor_advert na = {
		.nd_na_type = ND_NEIGHBOR_ADVERT,
		.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE,
	};

	put(&na, offsetof(struct nd_neighbor_advert, nd_na_target));
	put(o.from.b, 16);
	put((const uint8_t[]) { ND_OPT_TARGET_LINKADDR, 1 }, 2);
	put(o.smac, sizeof(o.smac));
}

/* What is above IP. Returns where its checksum stands. */
static size_t put_upper(void)
{
	const struct tcphdr tcp = { .doff = 5, .syn = 1, .window = htons(1000) };
	size_t start = frame.n;

	switch (o.what) {
	case TCP:
		put(&tcp, sizeof(tcp));
		memcpy(frame.b + start,
		       (const uint16_t[]) { htons((uint16_t)o.sport), htons((uint16_t)o.dport) },
		       4);
		return start + offsetof(struct tcphdr, check);
	case PING:
		put((const uint8_t[8]) { is_ip6() ? ICMP6_ECHO_REQUEST : ICMP_ECHO }, 8);
		return start + 2;
	case ADVERT:
		put_advert();
		return start + 2;
	default:
		put16(o.sport);
		put16(o.dport);
		put16(0);
		put16(0);
		if (o.what == DHCP)
			put_dhcp();
		return start + offsetof(struct udphdr, check);
	}
}

static void put_ip4(void)
{
	const struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = protocol() };

	put(&ip, sizeof(ip));
	memcpy(frame.b + frame.network + 12, o.from.b, 4);
	memcpy(frame.b + frame.network + 16, o.to.b, 4);
}

static void put_ip6(void)
{
	const struct ip6_hdr ip = {
		.ip6_flow = htonl(6u << 28),
		.ip6_nxt = protocol(),
		.ip6_hlim = 255,
	};

	put(&ip, sizeof(ip));
	memcpy(frame.b + frame.network + 8, o.from.b, 16);
	memcpy(frame.b + frame.network + 24, o.to.b, 16);
}

/* The lengths and sums that are known only now. UPPER: where that header begins. */
static void finish_ip(size_t upper, size_t check)
{
	uint8_t *ip = frame.b + frame.network, *body = frame.b + upper;
	size_t n = frame.n - upper, total = is_ip6() ? n : n + 20;
	bool plain_icmp = protocol() == IPPROTO_ICMP;
	uint32_t pseudo = (uint32_t)n + protocol();

	ip[is_ip6() ? 4 : 2] = (uint8_t)(total >> 8);
	ip[is_ip6() ? 5 : 3] = (uint8_t)total;
	if (protocol() == IPPROTO_UDP) {
		body[4] = (uint8_t)(n >> 8);
		body[5] = (uint8_t)n;
	}
	pseudo = is_ip6() ? add_up(pseudo, ip + 8, 32) : add_up(pseudo, ip + 12, 8);
	write_sum(frame.b + check, add_up(plain_icmp ? 0 : pseudo, body, n));
	if (!is_ip6())
		write_sum(ip + 10, add_up(0, ip, 20));
}

static void put_ip(void)
{
	size_t upper, check;

	if (is_ip6())
		put_ip6();
	else
		put_ip4();
	upper = frame.n;
	check = put_upper();
	put_token();
	finish_ip(upper, check);
}

static void put_arp(void)
{
	size_t start = frame.n;

	put16(1); /* Ethernet */
	put16(ETHERTYPE_IP);
	put((const uint8_t[]) { 6, 4 }, 2);
	put16(o.what == ARP_ASK ? 1 : 2);
	put(o.smac, 6);
	put(o.from.b, 4);
	put(o.dmac, 6);
	put(o.to.b, 4);
	if (frame.n - start != ARP_BYTES)
		die("arp");
	put_token();
}

static void put_tag(uint64_t type)
{
	if (!type)
		return;
	put16(type);
	put16(5);
}

static void make_frame(void)
{
	put(o.dmac, 6);
	put(o.smac, 6);
	put_tag(o.vlan);
	put_tag(o.vlan2);
	put16(o.type);
	frame.network = frame.n;
	if (o.what == ARP_ASK || o.what == ARP_TELL)
		put_arp();
	else if (o.what == NOTHING)
		put_token();
	else
		put_ip();
}

static uint64_t natural_type(void)
{
	if (o.what == ARP_ASK || o.what == ARP_TELL)
		return ETHERTYPE_ARP;
	if (o.what == NOTHING)
		return 0x88b5; /* for experiments: IEEE 802, local experimental 1 */
	return is_ip6() ? ETHERTYPE_IPV6 : ETHERTYPE_IP;
}

static void become_user(void)
{
	uint32_t caps = o.via == FREEBIND ? 0 : 1u << CAP_NET_RAW;
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { caps, caps, 0 } };
	gid_t gid = (gid_t)o.uid;

	if (o.uid && (prctl(PR_SET_KEEPCAPS, 1) || setresgid(gid, gid, gid) ||
		      setresuid((uid_t)o.uid, (uid_t)o.uid, (uid_t)o.uid) ||
		      syscall(SYS_capset, &head, data)))
		die("becoming another user");
}

/* --- sockets --------------------------------------------------------------------------------- */

static int open_packet(void)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_ifindex = o.ifindex };
	int one = 1, fd = socket(AF_PACKET, o.via == DGRAM ? SOCK_DGRAM : SOCK_RAW, 0);

	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)))
		die("packet socket");
	if (o.via == BYPASS && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die("PACKET_QDISC_BYPASS");
	return fd;
}

static int send_packet(int fd)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = o.ifindex,
		.sll_protocol = htons((uint16_t)o.sll),
		.sll_halen = 6,
	};
	size_t skip = o.via == DGRAM ? frame.network : 0;

	memcpy(to.sll_addr, o.dmac, sizeof(o.dmac));
	return sendto(fd, frame.b + skip, frame.n - skip, 0, (void *)&to, sizeof(to)) < 0;
}

static uint8_t *open_ring(int fd)
{
	int version = TPACKET_V2;
	struct tpacket_req req = { RING_FRAME * RING_FRAMES, 1, RING_FRAME, RING_FRAMES };
	uint8_t *ring;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req)))
		die("PACKET_TX_RING");
	ring = mmap(NULL, req.tp_block_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		die("mmap");
	return ring;
}

/* One frame of the ring at a time, and the next one of it each time. */
static int send_ring(int fd)
{
	static uint8_t *ring;
	static unsigned next;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_ifindex = o.ifindex,
		.sll_protocol = htons((uint16_t)o.sll),
	};
	struct tpacket2_hdr *slot;

	if (!ring)
		ring = open_ring(fd);
	slot = (void *)(ring + next * RING_FRAME);
	next = (next + 1) % RING_FRAMES;
	memcpy((uint8_t *)slot + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), frame.b, frame.n);
	slot->tp_len = (uint32_t)frame.n;
	__atomic_store_n(&slot->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	return sendto(fd, NULL, 0, 0, (void *)&to, sizeof(to)) < 0;
}

static int open_hdrincl(void)
{
	int one = 1, fd = socket(o.to.family, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0 || (is_ip6() && setsockopt(fd, IPPROTO_IPV6, IPV6_HDRINCL, &one, sizeof(one))))
		die("raw socket");
	return fd;
}

static socklen_t sockaddr_of(struct sockaddr_storage *ret, const struct bh_addr *a, uint64_t port)
{
	struct sockaddr_in6 *in6 = (void *)ret;
	struct sockaddr_in *in = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (a->family == AF_INET6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		memcpy(&in6->sin6_addr, a->b, 16);
		if (a->b[0] >= 0xfe) /* of the link, or a group on it */
			in6->sin6_scope_id = (uint32_t)o.ifindex;
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	memcpy(&in->sin_addr, a->b, 4);
	return sizeof(*in);
}

static int open_freebind(void)
{
	int one = 1, fd = socket(o.to.family, SOCK_DGRAM, 0);
	struct sockaddr_storage at;
	socklen_t len = sockaddr_of(&at, &o.from, o.sport);

	if (fd < 0 ||
	    setsockopt(fd, is_ip6() ? IPPROTO_IPV6 : IPPROTO_IP,
		       is_ip6() ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one)) ||
	    bind(fd, (void *)&at, len))
		die("freebind");
	return fd;
}

static int send_stack(int fd)
{
	const size_t skip = o.via == HDRINCL ? frame.network : frame.n;
	char text[128];
	int len = snprintf(text, sizeof(text), MARK "%s;", o.token);
	struct sockaddr_storage to;
	socklen_t to_len = sockaddr_of(&to, &o.to, o.via == HDRINCL ? 0 : o.dport);

	if (o.via == FREEBIND)
		return sendto(fd, text, (size_t)len, 0, (void *)&to, to_len) < 0;
	return sendto(fd, frame.b + skip, frame.n - skip, 0, (void *)&to, to_len) < 0;
}

static int open_socket(void)
{
	if (o.via == HDRINCL)
		return open_hdrincl();
	return o.via == FREEBIND ? open_freebind() : open_packet();
}

static int send_once(int fd)
{
	if (o.via == RING)
		return send_ring(fd);
	return o.via == HDRINCL || o.via == FREEBIND ? send_stack(fd) : send_packet(fd);
}

static void send_all(void)
{
	int fd = open_socket(), error = 0;
	uint64_t refused = 0;

	for (uint64_t i = 0; i < o.count; i++)
		if (send_once(fd)) {
			error = errno;
			refused++;
		}
	printf("sent %" PRIu64 " refused %" PRIu64 " %s\n", o.count - refused, refused,
	       error ? strerrorname_np(error) : "-");
}

/* --- options --------------------------------------------------------------------------------- */

static int parse_mac(const char *s, uint8_t out[6])
{
	unsigned v[6];
	char end;

	if (sscanf(s, "%2x:%2x:%2x:%2x:%2x:%2x%c", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
		   &end) != 6)
		return -EINVAL;
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)v[i];
	return 0;
}

static int parse_number(const char *s, void *ret)
{
	unsigned type;
	char end;

	if (sscanf(s, "0x%4x%c", &type, &end) == 1) {
		*(uint64_t *)ret = type;
		return 0;
	}
	return bh_parse_u64(s, 0, 1000000, ret);
}

static int parse_addr(const char *s, void *ret)
{
	return bh_addr_parse(s, ret);
}

static int parse_mac_to(const char *s, void *ret)
{
	return parse_mac(s, ret);
}

static int parse_word(const char *s, const char *const *words, size_t n, void *ret)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(s, words[i])) {
			*(unsigned *)ret = (unsigned)i;
			return 0;
		}
	return -EINVAL;
}

static int parse_what(const char *s, void *ret)
{
	return parse_word(s, whats, BH_ARRAY_SIZE(whats), ret);
}

static const struct {
	const char *key;
	int (*parse)(const char *, void *);
	void *to;
} keys[] = {
	{ "what", parse_what, &o.what },     { "from", parse_addr, &o.from },
	{ "to", parse_addr, &o.to },         { "sport", parse_number, &o.sport },
	{ "dport", parse_number, &o.dport }, { "smac", parse_mac_to, o.smac },
	{ "dmac", parse_mac_to, o.dmac },    { "chaddr", parse_mac_to, o.chaddr },
	{ "type", parse_number, &o.type },   { "sll", parse_number, &o.sll },
	{ "vlan", parse_number, &o.vlan },   { "vlan2", parse_number, &o.vlan2 },
	{ "count", parse_number, &o.count }, { "uid", parse_number, &o.uid },
};

static int parse_one(const char *arg)
{
	const char *value = strchrnul(arg, '=');

	for (size_t i = 0; i < BH_ARRAY_SIZE(keys); i++)
		if (*value && strlen(keys[i].key) == (size_t)(value - arg) &&
		    !strncmp(arg, keys[i].key, (size_t)(value - arg)))
			return keys[i].parse(value + 1, keys[i].to);
	return -EINVAL;
}

/* The device's own address is the frame's, unless another is asked for. */
static int look_up_device(const char *name)
{
	bh_autoclose int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	o.ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !o.ifindex || ioctl(fd, SIOCGIFHWADDR, &ifr))
		return -ENODEV;
	memcpy(o.smac, ifr.ifr_hwaddr.sa_data, sizeof(o.smac));
	return 0;
}

static int parse(char **argv)
{
	if (look_up_device(argv[0]) || parse_word(argv[1], vias, BH_ARRAY_SIZE(vias), &o.via))
		return -EINVAL;
	o.token = argv[2];
	for (char **arg = argv + 3; *arg; arg++)
		if (parse_one(*arg))
			return -EINVAL;
	if (!memcmp(o.chaddr, (uint8_t[6]) { 0 }, sizeof(o.chaddr)))
		memcpy(o.chaddr, o.smac, sizeof(o.chaddr));
	if (!o.type)
		o.type = natural_type();
	if (!o.sll)
		o.sll = o.vlan ? o.vlan : o.type;
	return strlen(o.token) > 64 ? -EINVAL : 0;
}

/* --- catching -------------------------------------------------------------------------------- */

static void tell(const uint8_t *data, size_t n, int ifindex)
{
	const uint8_t *at = memmem(data, n, MARK, strlen(MARK)), *end;
	char device[IF_NAMESIZE] = "?";

	if (!at || n < ETH_HLEN)
		return;
	at += strlen(MARK);
	end = memchr(at, ';', n - (size_t)(at - data));
	if (!end)
		return;
	if_indextoname((unsigned)ifindex, device);
	printf("%s %.*s %02x:%02x:%02x:%02x:%02x:%02x\n", device, (int)(end - at), (const char *)at,
	       data[6], data[7], data[8], data[9], data[10], data[11]);
	fflush(stdout);
}

static _Noreturn void catch_all(const char *ready)
{
	static uint8_t data[65536];
	int bytes = CATCH_BYTES, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct sockaddr_ll from;
	socklen_t len;
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    close(open(ready, O_CREAT | O_WRONLY | O_CLOEXEC, 0644)))
		die("catch");
	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, data, sizeof(data), 0, (void *)&from, &len);
		if (n < 0)
			die("recvfrom");
		if (from.sll_pkttype != PACKET_OUTGOING)
			tell(data, (size_t)n, from.sll_ifindex);
	}
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "catch"))
		catch_all(argv[2]);
	if (argc < 5 || strcmp(argv[1], "send") || parse(argv + 2)) {
		fputs("usage: rawsend send DEVICE VIA TOKEN [KEY=VALUE]... | rawsend catch READY\n",
		      stderr);
		return 2;
	}
	if (o.via != FREEBIND)
		make_frame();
	become_user();
	send_all();
	return 0;
}
