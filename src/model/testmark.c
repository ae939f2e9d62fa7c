/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/testmark.h>

#include <netinet/in.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#define IPV4_HEADER  20
#define IPV6_HEADER  40
#define PROTO_SCTP   132
#define ECHO_REQUEST 8
#define ECHO6        128

/* What is behind the header of IP. */
struct inside {
	const uint8_t *p;
	size_t len;
	uint8_t proto;
};

static uint32_t get(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* A test sends no fragments and no extension headers. */
static bool look_inside(const struct record_packet *p, struct inside *ret)
{
	const uint8_t *ip = p->bytes + p->ip_at;
	size_t len, header;

	if (p->len > sizeof(p->bytes) || p->ip_at >= p->len)
		return false;
	len = (size_t)(p->len - p->ip_at);
	header = ip[0] >> 4 == 6 ? IPV6_HEADER : (ip[0] & 15u) * 4u;
	if ((ip[0] >> 4 != 4 && ip[0] >> 4 != 6) || header < IPV4_HEADER || len <= header)
		return false;
	if (ip[0] >> 4 == 4 && (get(ip + 6, 2) & 0x3fff))
		return false;
	*ret = (struct inside) { ip + header, len - header, ip[ip[0] >> 4 == 4 ? 9 : 6] };
	return true;
}

static bool is_tcp(const struct inside *in)
{
	return get(in->p + 4, 4) == TESTMARK_SEQ;
}

static bool is_udp(const struct inside *in)
{
	return get(in->p + 4, 2) == 8;
}

static bool is_sctp(const struct inside *in)
{
	return get(in->p + 16, 4) == TESTMARK_SEQ;
}

/* Other requests than an echo have no room for it. */
static bool is_icmp(const struct inside *in)
{
	if (in->p[0] != ECHO_REQUEST && in->p[0] != ECHO6)
		return true;
	return in->len >= 8 + strlen(TESTMARK_TEXT) &&
	       memcmp(in->p + 8, TESTMARK_TEXT, strlen(TESTMARK_TEXT)) == 0;
}

static const struct {
	uint8_t proto, at; /* where the source port stands, or the id */
	uint8_t least;     /* bytes that are looked at */
	bool (*is)(const struct inside *in);
} marks[] = {
	{ IPPROTO_TCP, 0, 8, is_tcp },     { IPPROTO_UDP, 0, 8, is_udp },
	{ PROTO_SCTP, 0, 20, is_sctp },    { IPPROTO_ICMP, 4, 8, is_icmp },
	{ IPPROTO_ICMPV6, 4, 8, is_icmp },
};

bool testmark_is(const struct record_packet *p, uint16_t port)
{
	struct inside in;

	if (!look_inside(p, &in))
		return false;
	for (size_t i = 0; i < BH_ARRAY_SIZE(marks); i++) {
		uint32_t source;

		if (marks[i].proto != in.proto || in.len < marks[i].least)
			continue;
		source = get(in.p + marks[i].at, 2);
		return (source == port || source == port + 1u) && marks[i].is(&in);
	}
	return false;
}
