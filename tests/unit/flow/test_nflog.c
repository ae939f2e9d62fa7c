/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter/nfnetlink.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/flow.h>

#define NFPROTO_NETDEV_FAMILY 5
#define L2HDR                 21 /* NFULA_L2HDR, which libnetfilter_log does not know */

static const uint8_t syn[] = {
	0x45, 0,    0,    40,   0, 0, 0, 0, 64, 6, 0, 0, 10,   77,   1,    2,    203, 0, 113, 9,
	0xc0, 0x01, 0x18, 0xeb, 0, 0, 0, 1, 0,  0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0,   0, 0,   0,
};

struct seen {
	struct flow_log_event last;
	struct record_packet packet; /* what it carried, taken while it was there */
	unsigned n;
	int fail;
};

static int see(struct flow_log_event *ev, void *arg)
{
	struct seen *s = arg;

	s->last = *ev;
	s->packet = (struct record_packet) { 0 };
	if (ev->data_len)
		record_packet_set(&s->packet, ev->data, ev->data_len, ev->ip_at, 0);
	s->n++;
	return s->fail;
}

/* The parser gets a copy that ends where the data ends. */
static int parse(const void *data, size_t len, struct seen *s)
{
	bh_autofree void *copy = malloc(len ? len : 1);
	int fail = s->fail;

	assert_non_null(copy);
	memcpy(copy, data, len);
	*s = (struct seen) { .fail = fail };
	return flow_log_parse(copy, len, see, s);
}

static struct nlmsghdr *begin(void *buf, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	return nlh;
}

static struct nlmsghdr *put_egress(void *buf, uint8_t family, uint32_t seq)
{
	struct nlmsghdr *nlh = begin(buf, family);

	mnl_attr_put_strz(nlh, NFULA_PREFIX, "bulkhead:deny");
	mnl_attr_put_u32(nlh, NFULA_IFINDEX_OUTDEV, htonl(7));
	mnl_attr_put_u32(nlh, NFULA_UID, htonl(1000));
	mnl_attr_put_u32(nlh, NFULA_GID, htonl(0));
	mnl_attr_put_u32(nlh, NFULA_SEQ, htonl(seq));
	mnl_attr_put(nlh, NFULA_PAYLOAD, sizeof(syn), syn);
	return nlh;
}

static void test_event(void **state)
{
	uint32_t buf[128] = { 0 };
	struct nlmsghdr *nlh = put_egress(buf, AF_INET, 41);
	struct seen s = { 0 };

	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.last.prefix, "bulkhead:deny");
	assert_int_equal(s.last.ifindex_out, 7);
	assert_int_equal(s.last.ifindex_in, 0);
	assert_true(s.last.has_uid && s.last.uid == 1000);
	assert_true(s.last.has_gid && s.last.gid == 0);
	assert_true(s.last.has_seq && s.last.seq == 41);
	assert_true(s.last.has_packet);
	assert_int_equal(s.last.packet.dport, 6379);
	assert_int_equal(s.last.when, 0);
	assert_int_equal(s.packet.len, sizeof(syn));
	assert_int_equal(s.packet.ip_at, 0);
	assert_memory_equal(s.packet.bytes, syn, sizeof(syn));
}

static void test_little_said(void **state)
{
	uint32_t buf[64] = { 0 };
	struct nlmsghdr *nlh = begin(buf, AF_INET);
	struct seen s = { 0 };

	mnl_attr_put(nlh, NFULA_PAYLOAD, 10, syn);
	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.last.prefix, "");
	assert_false(s.last.has_uid || s.last.has_gid || s.last.has_seq || s.last.has_packet);
}

static void test_short_attribute(void **state)
{
	uint32_t buf[64] = { 0 };
	struct nlmsghdr *nlh = begin(buf, AF_INET);
	struct seen s = { 0 };

	mnl_attr_put_u16(nlh, NFULA_UID, 1);
	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 0); /* not what the kernel sends */
}

/* What begins at a link header is not taken for IP, nor what is of no family that we log. */
static void test_other_families(void **state)
{
	static const uint8_t families[] = { NFPROTO_NETDEV_FAMILY, 0, 3, 7, 12, 255 };

	for (size_t i = 0; i < BH_ARRAY_SIZE(families); i++) {
		uint32_t buf[128] = { 0 };
		struct nlmsghdr *nlh = put_egress(buf, families[i], 0);
		struct seen s = { 0 };

		mnl_attr_put(nlh, L2HDR, 14, syn);
		assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
		assert_int_equal(s.n, 1);
		assert_false(s.last.has_packet);
		assert_int_equal(s.last.has_frame, i == 0);
	}
}

/* A frame as the table netdev logs it: TYPE and what stands behind it; LINK: and where it is. */
static size_t put_frame(void *buf, const char *type, size_t type_len, const uint8_t *body,
			size_t len, bool link)
{
	struct nlmsghdr *nlh = begin(buf, NFPROTO_NETDEV_FAMILY);
	uint8_t frame[128] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x42, 0xac, 0x11, 0, 2 };

	memcpy(frame + 12, type, type_len);
	memcpy(frame + 12 + type_len, body, len);
	mnl_attr_put_strz(nlh, NFULA_PREFIX, "bulkhead:raw");
	mnl_attr_put_u32(nlh, NFULA_IFINDEX_OUTDEV, htonl(7));
	mnl_attr_put_u32(nlh, NFULA_UID, htonl(1000));
	mnl_attr_put(nlh, NFULA_PAYLOAD, 12 + type_len + len, frame);
	if (link)
		mnl_attr_put(nlh, L2HDR, 12 + type_len, frame);
	return nlh->nlmsg_len;
}

static void test_frames(void **state)
{
	static const struct {
		const char *type;
		size_t type_len, len; /* of the packet */
		uint16_t says;
		bool has_packet;
	} frames[] = {
		{ "\x08\x00", 2, sizeof(syn), 0x0800, true },
		{ "\x08\x00", 2, 20, 0x0800, true },
		{ "\x08\x00", 2, 19, 0x0800, false },
		{ "\x08\x00", 2, 0, 0x0800, false },
		{ "\x86\xdd", 2, 20, 0x86dd, true }, /* whatever it says, it is IPv4 */
		{ "\x81\x00\x00\x07\x08\x00", 6, sizeof(syn), 0x0800, true },
		{ "\x88\xa8\x00\x07\x08\x00", 6, sizeof(syn), 0x0800, true },
		{ "\x81\x00\x00\x07\x81\x00", 6, sizeof(syn), 0x8100, false },
		{ "\x81\x00\x00\x07", 4, 0, 0x8100, false }, /* cut in the tag */
		{ "\x08\x06", 2, sizeof(syn), 0x0806, false },
		{ "\x88\xb5", 2, sizeof(syn), 0x88b5, false },
		{ "\x00\x26", 2, sizeof(syn), 0x0026, false }, /* a length: IEEE 802.3 */
	};
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	static const uint8_t own[6] = { 2, 0x42, 0xac, 0x11, 0, 2 };

	for (size_t i = 0; i < 2 * BH_ARRAY_SIZE(frames); i++) {
		bool link = i % 2;
		uint32_t buf[128] = { 0 };
		struct seen s = { 0 };
		size_t len = put_frame(buf, frames[i / 2].type, frames[i / 2].type_len, syn,
				       frames[i / 2].len, link);

		assert_int_equal(parse(buf, len, &s), 0);
		assert_int_equal(s.n, 1);
		assert_string_equal(s.last.prefix, "bulkhead:raw");
		assert_true(s.last.has_frame && s.last.has_uid && s.last.ifindex_out == 7);
		assert_memory_equal(s.last.frame.destination, all, 6);
		assert_memory_equal(s.last.frame.source, own, 6);
		assert_int_equal(s.last.frame.type, frames[i / 2].says);
		assert_int_equal(s.last.has_packet, frames[i / 2].has_packet);
		assert_int_equal(s.packet.len, 12 + frames[i / 2].type_len + frames[i / 2].len);
		assert_memory_equal(s.packet.bytes, all, 6);
		assert_int_equal(s.packet.ip_at, frames[i / 2].has_packet
							 ? 12 + frames[i / 2].type_len
							 : s.packet.len);
		if (frames[i / 2].has_packet)
			assert_int_equal(s.last.packet.destination.b[0], 203);
	}
}

/* The device of a tunnel has no link header: what it sends begins with IP. */
static void test_no_link_header(void **state)
{
	static const uint8_t v6[40] = { 0x60, [6] = 59, [7] = 64, [8] = 0xfd, [24] = 0xfd };
	static const uint8_t arp[60] = { /* to MAC addresses that begin as IP does */
					 0x62, 0xcd, 0xf3, 0xdd, 0xe0, 0x64, [12] = 8, [13] = 6
	};
	static const uint8_t arp4[60] = { 0x46, 0, 0, 0x1c, [12] = 8, [13] = 6 };
	static const struct {
		const uint8_t *data;
		size_t len;
		int family; /* 0: it is taken for a frame */
	} packets[] = {
		{ syn, sizeof(syn), AF_INET }, { syn, 20, 0 },
		{ arp, sizeof(arp), 0 },       { arp4, sizeof(arp4), 0 },
		{ v6, sizeof(v6), AF_INET6 },  { v6, 39, 0 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(packets); i++) {
		uint32_t buf[128] = { 0 };
		struct nlmsghdr *nlh = begin(buf, NFPROTO_NETDEV_FAMILY);
		struct seen s = { 0 };

		mnl_attr_put(nlh, NFULA_PAYLOAD, packets[i].len, packets[i].data);
		assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
		assert_int_equal(s.last.has_packet, packets[i].family != 0);
		assert_int_equal(s.last.has_frame, packets[i].family == 0);
		assert_int_equal(s.packet.ip_at, packets[i].family ? 0 : packets[i].len);
		if (packets[i].family)
			assert_int_equal(s.last.packet.source.family, packets[i].family);
	}
}

/* Shorter than a link header: nothing is known but that it was sent. */
static void test_short_frame(void **state)
{
	uint32_t buf[64] = { 0 };
	struct nlmsghdr *nlh = begin(buf, NFPROTO_NETDEV_FAMILY);
	struct seen s = { 0 };

	mnl_attr_put(nlh, NFULA_PAYLOAD, 13, syn);
	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 1);
	assert_false(s.last.has_frame || s.last.has_packet);
	nlh = begin(buf, NFPROTO_NETDEV_FAMILY); /* or nothing at all */
	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 1);
	assert_false(s.last.has_frame || s.last.has_packet);
}

static void test_long_prefix(void **state)
{
	uint32_t buf[128] = { 0 };
	struct nlmsghdr *nlh = begin(buf, AF_INET);
	char prefix[200];
	struct seen s = { 0 };

	memset(prefix, 'x', sizeof(prefix));
	prefix[sizeof(prefix) - 1] = '\0';
	mnl_attr_put_strz(nlh, NFULA_PREFIX, prefix);
	assert_int_equal(parse(buf, nlh->nlmsg_len, &s), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(strlen(s.last.prefix), sizeof(s.last.prefix) - 1);
}

static void test_several_messages(void **state)
{
	uint32_t buf[256] = { 0 };
	struct nlmsghdr *nlh = put_egress(buf, AF_INET, 1);
	size_t len = nlh->nlmsg_len;
	struct seen s = { 0 };

	nlh = mnl_nlmsg_put_header((char *)buf + len);
	nlh->nlmsg_type = NLMSG_DONE;
	len += nlh->nlmsg_len;
	len += put_egress((char *)buf + len, AF_INET, 2)->nlmsg_len;
	assert_int_equal(parse(buf, len, &s), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.last.seq, 2);

	s.fail = -ECANCELED;
	assert_int_equal(parse(buf, len, &s), -ECANCELED);
	assert_int_equal(s.n, 1);
}

/* Lengths that claim what is not there end the reading, and it does end. */
static void test_lengths(void **state)
{
	static const uint32_t lengths[] = { 0,          1,          15,         16,
					    19,         0x7fffffff, 0x80000000, 0xc2c2c2c2,
					    0xfffffffc, 0xfffffffd, 0xffffffff };
	uint32_t buf[128];

	for (size_t i = 0; i < BH_ARRAY_SIZE(lengths); i++) {
		struct nlmsghdr *nlh;
		struct seen s = { 0 };
		size_t len;

		memset(buf, 0, sizeof(buf));
		nlh = put_egress(buf, AF_INET, 1);
		len = nlh->nlmsg_len;
		nlh->nlmsg_len = lengths[i];
		assert_int_equal(parse(buf, len, &s), 0);
		assert_int_equal(s.n, 0);
	}
}

static void test_every_prefix(void **state)
{
	uint32_t buf[128] = { 0 };
	size_t whole = put_egress(buf, AF_INET, 1)->nlmsg_len;
	struct seen s = { 0 };

	for (size_t len = 0; len < whole; len++) {
		assert_int_equal(parse(buf, len, &s), 0);
		assert_int_equal(s.n, 0); /* the header says more than is there */
	}
	for (size_t len = NLMSG_HDRLEN; len < whole; len += 4) {
		((struct nlmsghdr *)buf)->nlmsg_len = (uint32_t)len;
		assert_int_equal(parse(buf, len, &s), 0);
		assert_false(s.n && s.last.has_packet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),           cmocka_unit_test(test_little_said),
		cmocka_unit_test(test_short_attribute), cmocka_unit_test(test_other_families),
		cmocka_unit_test(test_long_prefix),     cmocka_unit_test(test_several_messages),
		cmocka_unit_test(test_lengths),         cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_frames),          cmocka_unit_test(test_short_frame),
		cmocka_unit_test(test_no_link_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
