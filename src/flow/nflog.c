/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/flow.h>

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/nlsock.h>

/* What the kernel may gather before it wakes us: bytes, messages, and hundredths of a second. */
#define NLBUFSIZ 131072
#define QTHRESH  100
#define TIMEOUT  10

#define CONFIG_BYTES 256
#define PACKET_TYPE  (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)

#define BH_NFULA_L2HDR 21 /* linux/netfilter/nfnetlink_log.h; libnetfilter_log has its own copy */

struct flow_log {
	struct nlsock sock;
	uint16_t group;
	bool adopted; /* and no message was read yet */
	uint32_t next_seq;
	uint64_t lost;
};

/* --- one message -------------------------------------------------------------------------- */

static bool get_u32(const struct nlattr *attr, uint32_t *ret)
{
	if (!attr || mnl_attr_get_payload_len(attr) < sizeof(uint32_t))
		return false;
	*ret = ntohl(mnl_attr_get_u32(attr));
	return true;
}

static void get_prefix(const struct nlattr *attr, struct flow_log_event *ev)
{
	size_t len;

	if (!attr)
		return;
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (len >= sizeof(ev->prefix))
		len = sizeof(ev->prefix) - 1;
	memcpy(ev->prefix, mnl_attr_get_payload(attr), len);
}

static bool has_link_header(const struct nlmsghdr *nlh)
{
	const struct nlattr *a;

	mnl_attr_for_each (a, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(a) == BH_NFULA_L2HDR)
			return true;
	return false;
}

/* Is it all of a packet? A link's header may begin like one, but hardly says its length, too. */
static bool is_bare_packet(const uint8_t *data, size_t len, struct packet *ret)
{
	return packet_decode(data, len, ret) >= 0 &&
	       (ret->length == len || (len >= BH_NFLOG_COPY_RANGE && ret->length > len));
}

/*
 * What the table netdev logs begins at the header of the link, if the device has one: a tunnel has
 * none. The kernel says where it is (LINK), but for frames that went past the queues
 * (PACKET_QDISC_BYPASS): of those the bytes must tell.
 */
static void get_frame(const uint8_t *data, size_t len, bool link, struct flow_log_event *ev)
{
	struct packet bare;
	size_t at = 0;
	bool framed = frame_decode(data, len, &ev->frame, &at) >= 0;

	if (framed && (ev->frame.type == ETHERTYPE_IP || ev->frame.type == ETHERTYPE_IPV6))
		ev->has_packet = packet_decode(data + at, len - at, &ev->packet) >= 0;
	ev->has_frame = framed;
	ev->ip_at = ev->has_packet ? at : len;
	if (ev->has_packet || link || !is_bare_packet(data, len, &bare))
		return;
	ev->packet = bare;
	ev->has_packet = true;
	ev->has_frame = false;
	ev->ip_at = 0;
}

static void get_packet(const struct nlmsghdr *nlh, const struct nlattr *attr,
		       struct flow_log_event *ev)
{
	uint8_t family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
	const uint8_t *data = attr ? mnl_attr_get_payload(attr) : NULL;
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	ev->data = data;
	ev->data_len = len;
	if (family == NFPROTO_NETDEV)
		get_frame(data, len, has_link_header(nlh), ev);
	else if (family == AF_INET || family == AF_INET6)
		ev->has_packet = packet_decode(data, len, &ev->packet) >= 0;
}

static int parse_message(const struct nlmsghdr *nlh, struct flow_log_event *ret)
{
	struct nlattr *attr[NFULA_MAX + 1] = { 0 };
	struct flow_log_event ev = { 0 };

	if (nlh->nlmsg_type != PACKET_TYPE ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return -EINVAL;
	if (nflog_nlmsg_parse(nlh, attr) < 0)
		return -EINVAL;
	get_prefix(attr[NFULA_PREFIX], &ev);
	get_packet(nlh, attr[NFULA_PAYLOAD], &ev);
	get_u32(attr[NFULA_IFINDEX_INDEV], &ev.ifindex_in);
	get_u32(attr[NFULA_IFINDEX_OUTDEV], &ev.ifindex_out);
	ev.has_uid = get_u32(attr[NFULA_UID], &ev.uid);
	ev.has_gid = get_u32(attr[NFULA_GID], &ev.gid);
	ev.has_seq = get_u32(attr[NFULA_SEQ], &ev.seq);
	*ret = ev;
	return 0;
}

/*
 * libmnl takes lengths from 2 GiB on for negative, and so for good, and reads attributes up to the
 * aligned end: the kernel pads its messages.
 */
static bool message_ok(const struct nlmsghdr *nlh, size_t left)
{
	return left >= sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) && nlh->nlmsg_len <= left &&
	       NLMSG_ALIGN(nlh->nlmsg_len) <= left;
}

int flow_log_parse(const void *data, size_t len, int (*fn)(struct flow_log_event *, void *),
		   void *arg)
{
	const uint8_t *p = data;
	size_t step;

	for (; message_ok((const void *)p, len); p += step, len -= step) {
		const struct nlmsghdr *nlh = (const void *)p;
		struct flow_log_event ev;
		int r;

		step = NLMSG_ALIGN(nlh->nlmsg_len);
		if (parse_message(nlh, &ev) < 0)
			continue;
		r = fn(&ev, arg);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- the listener ------------------------------------------------------------------------- */

/* One message binds and sets everything, so that no packet is logged with the defaults. */
static struct nlmsghdr *put_config(char *buf, uint16_t group, uint32_t seq)
{
	struct nlmsghdr *nlh = nflog_nlmsg_put_header(buf, NFULNL_MSG_CONFIG, AF_UNSPEC, group);

	nlh->nlmsg_flags |= NLM_F_ACK;
	nlh->nlmsg_seq = seq;
	nflog_attr_put_cfg_cmd(nlh, NFULNL_CFG_CMD_BIND);
	nflog_attr_put_cfg_mode(nlh, NFULNL_COPY_PACKET, BH_NFLOG_COPY_RANGE);
	mnl_attr_put_u32(nlh, NFULA_CFG_NLBUFSIZ, htonl(NLBUFSIZ));
	mnl_attr_put_u32(nlh, NFULA_CFG_QTHRESH, htonl(QTHRESH));
	mnl_attr_put_u32(nlh, NFULA_CFG_TIMEOUT, htonl(TIMEOUT));
	mnl_attr_put_u16(nlh, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	return nlh;
}

static void raise_rcvbuf(int fd)
{
	int size = BH_NFLOG_RCVBUF;

	/* Without the privilege the system's ceiling applies; what is lost is counted either way.
	 */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static int bind_group(struct flow_log *l, uint16_t group, struct bh_err *err)
{
	char buf[CONFIG_BYTES] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	uint32_t seq = ++l->sock.seq;
	struct nlmsghdr *nlh = put_config(buf, group, seq);
	int r = nlsock_transact(&l->sock, nlh, nlh->nlmsg_len, seq, NULL, NULL, NULL, err);

	/* The kernel answers EPERM when the group belongs to another socket. */
	if (r == -EPERM || r == -EBUSY)
		return bh_err_set(
			err, -EBUSY,
			"another process listens to NFLOG group %u of this namespace already",
			group);
	if (r < 0)
		return bh_err_prefix(err, r, "listening to NFLOG group %u", group);
	return 0;
}

int flow_log_open(int netns_fd, uint16_t group, struct flow_log **ret, struct bh_err *err)
{
	struct flow_log *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return bh_err_oom(err);
	l->sock = (struct nlsock)NLSOCK_INIT;
	l->group = group;
	r = nlsock_open(&l->sock, netns_fd, NETLINK_NETFILTER, err);
	if (r >= 0) {
		raise_rcvbuf(l->sock.fd);
		r = bind_group(l, group, err);
	}
	if (r < 0) {
		flow_log_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

int flow_log_adopt(int fd, struct flow_log **ret, struct bh_err *err)
{
	struct flow_log *l = calloc(1, sizeof(*l));

	if (!l)
		return bh_err_oom(err);
	l->sock.fd = fd;
	l->adopted = true;
	*ret = l;
	return 0;
}

void flow_log_close(struct flow_log *l)
{
	if (!l)
		return;
	nlsock_done(&l->sock);
	free(l);
}

void flow_log_end(struct flow_log *l)
{
	char buf[CONFIG_BYTES] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	struct nlmsghdr *nlh = nflog_nlmsg_put_header(buf, NFULNL_MSG_CONFIG, AF_UNSPEC, l->group);

	nflog_attr_put_cfg_cmd(nlh, NFULNL_CFG_CMD_UNBIND);
	(void)send(l->sock.fd, nlh, nlh->nlmsg_len, MSG_DONTWAIT);
}

int flow_log_fd(const struct flow_log *l)
{
	return l->sock.fd;
}

uint64_t flow_log_lost(const struct flow_log *l)
{
	return l->lost;
}

/* --- reading ------------------------------------------------------------------------------ */

static void count_gap(struct flow_log *l, const struct flow_log_event *ev)
{
	if (!ev->has_seq)
		return;
	if (!l->adopted)
		l->lost += ev->seq - l->next_seq;
	l->adopted = false;
	l->next_seq = ev->seq + 1;
}

static int64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* One buffer's way to the caller. Interface names are asked for once a buffer. */
struct reader {
	struct flow_log *l;
	int64_t when;
	uint32_t ifindex;
	char interface[IFNAMSIZ];
	int (*fn)(const struct flow_log_event *, void *);
	void *arg;
};

/* A netlink socket answers the same questions on devices as any socket of its namespace. */
static void name_interface(struct reader *rd, struct flow_log_event *ev)
{
	uint32_t ifindex = ev->ifindex_in ? ev->ifindex_in : ev->ifindex_out;
	struct ifreq ifr = { .ifr_ifindex = (int)ifindex };

	_Static_assert(sizeof(ev->interface) == IFNAMSIZ, "interface names");
	if (ifindex && ifindex != rd->ifindex) {
		rd->ifindex = ifindex;
		memset(rd->interface, 0, sizeof(rd->interface));
		if (ioctl(rd->l->sock.fd, SIOCGIFNAME, &ifr) == 0)
			memcpy(rd->interface, ifr.ifr_name, strnlen(ifr.ifr_name, IFNAMSIZ - 1));
	}
	if (ifindex)
		memcpy(ev->interface, rd->interface, sizeof(ev->interface));
}

static int on_parsed(struct flow_log_event *ev, void *arg)
{
	struct reader *rd = arg;

	ev->when = rd->when;
	count_gap(rd->l, ev);
	name_interface(rd, ev);
	return rd->fn(ev, rd->arg);
}

/* One buffer of messages. 0: nothing was there; -errno. */
static ssize_t read_buffer(struct flow_log *l, void *buf, struct bh_err *err)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	n = recvfrom(l->sock.fd, buf, NLBUFSIZ, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from,
		     &from_len);
	if (n > NLBUFSIZ || (n < 0 && errno == ENOBUFS))
		return -ENOBUFS;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return bh_err_errno(err, -errno, "reading NFLOG messages");
	/* A process with NET_ADMIN in the container may send here too; only the kernel is port 0.
	 */
	return from.nl_pid ? -EPROTO : n;
}

int flow_log_read(struct flow_log *l, int (*fn)(const struct flow_log_event *, void *), void *arg,
		  struct bh_err *err)
{
	bh_autofree void *buf = malloc(NLBUFSIZ);
	struct reader rd = { .l = l, .fn = fn, .arg = arg };

	if (!buf)
		return bh_err_oom(err);
	for (int i = 0; i < BH_NFLOG_READS_MAX; i++) {
		ssize_t n = read_buffer(l, buf, err);
		int r;

		if (n == -ENOBUFS || n == -EPROTO)
			continue;
		if (n <= 0)
			return (int)n;
		rd.when = now_usec();
		rd.ifindex = 0;
		r = flow_log_parse(buf, (size_t)n, on_parsed, &rd);
		if (r < 0)
			return r;
	}
	return 1;
}
