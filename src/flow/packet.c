/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/flow.h>

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

#include "proto.h"

#define ETHERTYPE_QINQ       0x88a8 /* IEEE 802.1ad */
#define IPV4_HEADER          20
#define IPV6_HEADER          40
#define IPV6_FRAGMENT_HEADER 8

/* What is left of the packet. Every read goes through span_has(). */
struct span {
	const uint8_t *p;
	size_t len;
};

static bool span_has(const struct span *s, size_t n)
{
	return s->len >= n;
}

/* False, and S unchanged, when fewer than N bytes are left. */
static bool span_skip(struct span *s, size_t n)
{
	if (!span_has(s, n))
		return false;
	s->p += n;
	s->len -= n;
	return true;
}

static void span_cut(struct span *s, size_t n)
{
	if (n < s->len)
		s->len = n;
}

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void decode_icmp(const struct span *s, struct packet *ret)
{
	if (!span_has(s, 2))
		return;
	ret->has_icmp = true;
	ret->icmp_type = s->p[0];
	ret->icmp_code = s->p[1];
	ret->has_key = true;
	ret->key = get_u16(s->p);
}

static void decode_upper(const struct span *s, struct packet *ret)
{
	if (proto_is_icmp(ret->proto)) {
		decode_icmp(s, ret);
		return;
	}
	if (!span_has(s, 4))
		return;
	ret->has_key = true;
	ret->key = get_u16(s->p + 2);
	if (!proto_has_ports(ret->proto))
		return;
	ret->has_ports = true;
	ret->sport = get_u16(s->p);
	ret->dport = ret->key;
	if (ret->proto == IPPROTO_TCP && span_has(s, 14)) {
		ret->has_tcp_flags = true;
		ret->tcp_flags = s->p[13];
	}
}

static void set_addr(struct bh_addr *a, uint8_t family, const uint8_t *bytes, size_t len)
{
	*a = (struct bh_addr) { .family = family };
	memcpy(a->b, bytes, len);
}

static int decode_ipv4(struct span s, struct packet *ret)
{
	size_t header, total;

	if (!span_has(&s, IPV4_HEADER))
		return -EINVAL;
	header = (s.p[0] & 15u) * 4u;
	total = get_u16(s.p + 2);
	ret->length = (uint32_t)total;
	ret->proto = s.p[9];
	ret->fragment = get_u16(s.p + 6) & 0x1fff;
	set_addr(&ret->source, AF_INET, s.p + 12, 4);
	set_addr(&ret->destination, AF_INET, s.p + 16, 4);
	if (total) /* 0: longer than 16 bits can say (segmentation offload) */
		span_cut(&s, total);
	if (!ret->fragment && header >= IPV4_HEADER && span_skip(&s, header))
		decode_upper(&s, ret);
	return 0;
}

static bool is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_DSTOPTS || proto == IPPROTO_AH;
}

/* Bytes of the extension header at S, of which at least 2 are there. */
static size_t extension_len(uint8_t proto, const struct span *s)
{
	if (proto == IPPROTO_FRAGMENT)
		return IPV6_FRAGMENT_HEADER;
	if (proto == IPPROTO_AH)
		return (s->p[1] + 2u) * 4u;
	return (s->p[1] + 1u) * 8u;
}

/* Go behind the extension headers. False when the upper layer is not there to be read. */
static bool skip_extensions(struct span *s, struct packet *ret)
{
	for (int i = 0; is_extension(ret->proto); i++) {
		bool is_fragment = ret->proto == IPPROTO_FRAGMENT;
		const uint8_t *header = s->p;

		if (i == BH_IPV6_HEADERS_MAX || !span_has(s, 2))
			return false;
		if (!span_skip(s, extension_len(ret->proto, s)))
			return false;
		ret->proto = header[0];
		if (is_fragment && get_u16(header + 2) & 0xfff8) {
			ret->fragment = true;
			return false;
		}
	}
	return ret->proto != IPPROTO_NONE;
}

static int decode_ipv6(struct span s, struct packet *ret)
{
	size_t payload;

	if (!span_has(&s, IPV6_HEADER))
		return -EINVAL;
	payload = get_u16(s.p + 4);
	ret->length = (uint32_t)(IPV6_HEADER + payload);
	ret->proto = s.p[6];
	set_addr(&ret->source, AF_INET6, s.p + 8, 16);
	set_addr(&ret->destination, AF_INET6, s.p + 24, 16);
	span_skip(&s, IPV6_HEADER);
	if (payload) /* 0: a jumbogram, or segmentation offload */
		span_cut(&s, payload);
	if (skip_extensions(&s, ret))
		decode_upper(&s, ret);
	return 0;
}

int frame_decode(const uint8_t *data, size_t len, struct frame *ret, size_t *ret_packet_at)
{
	struct span s = { data, len };
	size_t at = ETH_HLEN;

	if (!span_has(&s, ETH_HLEN))
		return -EINVAL;
	memcpy(ret->destination, data, sizeof(ret->destination));
	memcpy(ret->source, data + 6, sizeof(ret->source));
	ret->type = get_u16(data + 12);
	if ((ret->type == ETHERTYPE_VLAN || ret->type == ETHERTYPE_QINQ) && span_has(&s, at + 4)) {
		ret->type = get_u16(data + 16);
		at += 4;
	}
	*ret_packet_at = at;
	return 0;
}

int packet_decode(const uint8_t *data, size_t len, struct packet *ret)
{
	struct span s = { data, len };
	struct packet p = { 0 };
	int r = -EINVAL;

	if (len && data[0] >> 4 == 4)
		r = decode_ipv4(s, &p);
	else if (len && data[0] >> 4 == 6)
		r = decode_ipv6(s, &p);
	if (r >= 0)
		*ret = p;
	return r;
}
