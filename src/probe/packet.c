/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#define IPPROTO_SCTP_ 132

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* --- checksums ------------------------------------------------------------------------------- */

static uint32_t sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		s += get16(p + i);
	return len % 2 ? s + (uint32_t)(p[len - 1] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* RFC 793, RFC 8200: both addresses, the protocol and the length count. */
static uint32_t pseudo(const struct packet_key *k, size_t len)
{
	size_t n = bh_addr_len(k->src.family);

	return sum(k->dst.b, n, sum(k->src.b, n, 0)) + k->proto + (uint32_t)len;
}

/* CRC-32C, RFC 9260 appendix A, as bytes in the order of the wire. */
static void put_crc32c(uint8_t *at, const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		for (int b = 0; b < 8; b++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(crc >> (8 * i));
}

/* --- what is inside -------------------------------------------------------------------------- */

static void put_ports(const struct packet_key *k, uint8_t *out)
{
	put16(out, k->source);
	put16(out + 2, k->port);
}

static size_t make_tcp(const struct packet_key *k, uint8_t *out)
{
	put_ports(k, out);
	put32(out + 4, PACKET_SEQ);
	out[12] = 5 << 4;
	out[13] = 0x02; /* SYN */
	put16(out + 14, 1024);
	put16(out + 16, fold(sum(out, 20, pseudo(k, 20))));
	return 20;
}

static size_t make_udp(const struct packet_key *k, uint8_t *out)
{
	uint16_t check;

	put_ports(k, out);
	put16(out + 4, 8);
	check = fold(sum(out, 8, pseudo(k, 8)));
	put16(out + 6, check ? check : 0xffff);
	return 8;
}

/* An INIT of one stream each way: RFC 9260, 3.3.2. */
static size_t make_sctp(const struct packet_key *k, uint8_t *out)
{
	put_ports(k, out);
	out[12] = 1;
	put16(out + 14, 20);
	put32(out + 16, PACKET_SEQ);
	put32(out + 20, 65536);
	put16(out + 24, 1);
	put16(out + 26, 1);
	put32(out + 28, PACKET_SEQ);
	put_crc32c(out + 8, out, 32);
	return 32;
}

static size_t make_icmp(const struct packet_key *k, uint8_t *out)
{
	size_t len = 8 + sizeof(PACKET_MARK);

	if (k->proto == IPPROTO_ICMP && (k->port == 13 || k->port == 17))
		len = 20; /* three times, or a mask: that long for the kernel to look at it */
	out[0] = (uint8_t)k->port;
	put16(out + 4, k->source);
	put16(out + 6, 1);
	if (len != 20)
		memcpy(out + 8, PACKET_MARK, sizeof(PACKET_MARK));
	put16(out + 2, fold(sum(out, len, k->proto == IPPROTO_ICMPV6 ? pseudo(k, len) : 0)));
	return len;
}

static const struct maker {
	uint16_t proto;
	size_t (*make)(const struct packet_key *k, uint8_t *out);
	uint8_t source, port; /* where they stand; port one byte of ICMP */
} makers[] = {
	{ IPPROTO_TCP, make_tcp, 0, 2 },     { IPPROTO_UDP, make_udp, 0, 2 },
	{ IPPROTO_SCTP_, make_sctp, 0, 2 },  { IPPROTO_ICMP, make_icmp, 4, 0 },
	{ IPPROTO_ICMPV6, make_icmp, 4, 0 },
};

static const struct maker *maker_of(uint16_t proto)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(makers); i++)
		if (makers[i].proto == proto)
			return &makers[i];
	return NULL;
}

/* --- the whole ------------------------------------------------------------------------------- */

static size_t make_ip4(const struct packet_key *k, uint8_t hops, size_t len, uint8_t *out)
{
	out[0] = 0x45;
	put16(out + 2, (unsigned)(20 + len));
	put16(out + 4, PACKET_SEQ & 0xffff); /* "bp" */
	out[8] = hops;
	out[9] = (uint8_t)k->proto;
	memcpy(out + 12, k->src.b, 4);
	memcpy(out + 16, k->dst.b, 4);
	put16(out + 10, fold(sum(out, 20, 0)));
	return 20 + len;
}

static size_t make_ip6(const struct packet_key *k, uint8_t hops, size_t len, uint8_t *out)
{
	out[0] = 0x60;
	put16(out + 4, (unsigned)len);
	out[6] = (uint8_t)k->proto;
	out[7] = hops;
	memcpy(out + 8, k->src.b, 16);
	memcpy(out + 24, k->dst.b, 16);
	return 40 + len;
}

size_t packet_make(const struct packet_key *k, uint8_t hops, uint8_t out[PACKET_MAX])
{
	const struct maker *m = maker_of(k->proto);
	bool v4 = k->src.family == AF_INET;

	memset(out, 0, PACKET_MAX);
	if (!m)
		return 0;
	return (v4 ? make_ip4 : make_ip6)(k, hops, m->make(k, out + (v4 ? 20 : 40)), out);
}

bool packet_parse_inner(const void *data, size_t len, struct packet_key *ret)
{
	const struct maker *m = maker_of(ret->proto);
	const uint8_t *p = data;

	if (!m || len < 8)
		return false;
	ret->source = get16(p + m->source);
	ret->port = m->port ? get16(p + m->port) : p[0];
	return true;
}

static bool parse_ip4(const uint8_t *p, size_t len, struct packet_key *ret)
{
	size_t header = (p[0] & 0xf) * 4u;

	if (len < 20 || header < 20 || len < header || (get16(p + 6) & 0x1fff))
		return false;
	ret->proto = p[9];
	bh_addr_from_bytes(&ret->src, p + 12, 4);
	bh_addr_from_bytes(&ret->dst, p + 16, 4);
	return packet_parse_inner(p + header, len - header, ret);
}

bool packet_parse(const void *data, size_t len, struct packet_key *ret)
{
	const uint8_t *p = data;

	*ret = (struct packet_key) { 0 };
	if (len < 1)
		return false;
	if (p[0] >> 4 == 4)
		return parse_ip4(p, len, ret);
	if (p[0] >> 4 != 6 || len < 40)
		return false;
	ret->proto = p[6];
	bh_addr_from_bytes(&ret->src, p + 8, 16);
	bh_addr_from_bytes(&ret->dst, p + 24, 16);
	return packet_parse_inner(p + 40, len - 40, ret);
}
