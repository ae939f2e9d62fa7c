/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/flowspec.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

const char *direction_name(enum direction d)
{
	return d == DIRECTION_EGRESS ? "egress" : "ingress";
}

const char *mode_name(enum mode m)
{
	static const char *const names[] = {
		[MODE_ENFORCE] = "enforce",
		[MODE_AUDIT] = "audit",
		[MODE_OFF] = "off",
	};

	return names[m];
}

static const struct {
	const char *name;
	uint16_t proto;
} protos[] = {
	{ "tcp", IPPROTO_TCP },   { "udp", IPPROTO_UDP },       { "sctp", IPPROTO_SCTP },
	{ "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 }, { "any", PROTO_ANY },
};

const char *proto_name(char out[PROTO_STR], uint16_t proto)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	snprintf(out, PROTO_STR, "%u", proto);
	return out;
}

/* The names nft(8) has for ICMP types, and which request each reply answers. */
static const struct icmp_type {
	uint16_t proto;
	uint8_t type;
	const char *name; /* NULL: nft has none */
	int reply;        /* of a request that conntrack tracks; -1 = not one */
} icmp_types[] = {
	{ IPPROTO_ICMP, 0, "echo-reply", -1 },
	{ IPPROTO_ICMP, 3, "destination-unreachable", -1 },
	{ IPPROTO_ICMP, 4, "source-quench", -1 },
	{ IPPROTO_ICMP, 5, "redirect", -1 },
	{ IPPROTO_ICMP, 8, "echo-request", 0 },
	{ IPPROTO_ICMP, 9, "router-advertisement", -1 },
	{ IPPROTO_ICMP, 10, "router-solicitation", -1 },
	{ IPPROTO_ICMP, 11, "time-exceeded", -1 },
	{ IPPROTO_ICMP, 12, "parameter-problem", -1 },
	{ IPPROTO_ICMP, 13, "timestamp-request", 14 },
	{ IPPROTO_ICMP, 14, "timestamp-reply", -1 },
	{ IPPROTO_ICMP, 15, "info-request", 16 },
	{ IPPROTO_ICMP, 16, "info-reply", -1 },
	{ IPPROTO_ICMP, 17, "address-mask-request", 18 },
	{ IPPROTO_ICMP, 18, "address-mask-reply", -1 },
	{ IPPROTO_ICMPV6, 1, "destination-unreachable", -1 },
	{ IPPROTO_ICMPV6, 2, "packet-too-big", -1 },
	{ IPPROTO_ICMPV6, 3, "time-exceeded", -1 },
	{ IPPROTO_ICMPV6, 4, "parameter-problem", -1 },
	{ IPPROTO_ICMPV6, 128, "echo-request", 129 },
	{ IPPROTO_ICMPV6, 129, "echo-reply", -1 },
	{ IPPROTO_ICMPV6, 130, "mld-listener-query", -1 },
	{ IPPROTO_ICMPV6, 131, "mld-listener-report", -1 },
	{ IPPROTO_ICMPV6, 132, "mld-listener-done", -1 },
	{ IPPROTO_ICMPV6, 132, "mld-listener-reduction", -1 }, /* its other name */
	{ IPPROTO_ICMPV6, 133, "nd-router-solicit", -1 },
	{ IPPROTO_ICMPV6, 134, "nd-router-advert", -1 },
	{ IPPROTO_ICMPV6, 135, "nd-neighbor-solicit", -1 },
	{ IPPROTO_ICMPV6, 136, "nd-neighbor-advert", -1 },
	{ IPPROTO_ICMPV6, 137, "nd-redirect", -1 },
	{ IPPROTO_ICMPV6, 138, "router-renumbering", -1 },
	{ IPPROTO_ICMPV6, 139, NULL, 140 }, /* node information */
	{ IPPROTO_ICMPV6, 141, "ind-neighbor-solicit", -1 },
	{ IPPROTO_ICMPV6, 142, "ind-neighbor-advert", -1 },
	{ IPPROTO_ICMPV6, 143, "mld2-listener-report", -1 },
};

static const struct icmp_type *icmp_find(uint16_t proto, uint8_t type)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(icmp_types); i++)
		if (icmp_types[i].proto == proto && icmp_types[i].type == type)
			return &icmp_types[i];
	return NULL;
}

const char *icmp_type_name(uint16_t proto, uint8_t type)
{
	const struct icmp_type *t = icmp_find(proto, type);

	return t ? t->name : NULL;
}

bool icmp_reply_type(uint16_t proto, uint8_t request, uint8_t *ret_reply)
{
	const struct icmp_type *t = icmp_find(proto, request);

	if (!t || t->reply < 0)
		return false;
	*ret_reply = (uint8_t)t->reply;
	return true;
}

bool icmp_is_reply(uint16_t proto, uint8_t type)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(icmp_types); i++)
		if (icmp_types[i].proto == proto && icmp_types[i].reply == type)
			return true;
	return false;
}

static bool is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static bool find_proto(const char *s, uint16_t *ret)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++)
		if (strcmp(protos[i].name, s) == 0) {
			*ret = protos[i].proto;
			return true;
		}
	return false;
}

static int parse_icmp_type(const char *s, struct port_spec *ret, const char **ret_why)
{
	uint64_t v = 0;
	int r;

	for (size_t i = 0; i < BH_ARRAY_SIZE(icmp_types); i++)
		if (icmp_types[i].proto == ret->proto && icmp_types[i].name &&
		    strcmp(icmp_types[i].name, s) == 0) {
			ret->lo = ret->hi = icmp_types[i].type;
			return 0;
		}
	r = bh_parse_u64(s, 0, 255, &v);
	if (r < 0) {
		*ret_why = r == -ERANGE ? "an ICMP type is a number from 0 to 255"
					: "not an ICMP type that nft knows by name";
		return r;
	}
	ret->lo = ret->hi = (uint16_t)v;
	return 0;
}

static int parse_number(const char *s, uint16_t *ret, const char **ret_why)
{
	uint64_t v = 0;
	int r = bh_parse_u64(s, 1, 65535, &v);

	if (r < 0)
		*ret_why =
			r == -ERANGE ? "a port is a number from 1 to 65535" : "not a port number";
	else
		*ret = (uint16_t)v;
	return r;
}

/* "8000-8080" or "443". */
static int parse_range(char *s, struct port_spec *ret, const char **ret_why)
{
	char *dash = strchr(s, '-');
	int r;

	if (dash)
		*dash++ = '\0';
	r = parse_number(s, &ret->lo, ret_why);
	ret->hi = ret->lo;
	if (r >= 0 && dash)
		r = parse_number(dash, &ret->hi, ret_why);
	if (r >= 0 && ret->lo > ret->hi) {
		*ret_why = "the range is reversed";
		return -EDOM;
	}
	return r;
}

/* A protocol alone means all of it. */
static int whole_protocol(struct port_spec *ret)
{
	ret->lo = 0;
	ret->hi = is_icmp(ret->proto) ? 255 : 65535;
	return 0;
}

int port_spec_parse(const char *s, struct port_spec *ret, const char **ret_why)
{
	struct port_spec p = { .proto = IPPROTO_TCP };
	char text[64], *slash;
	int r;

	*ret_why = "not understood";
	if (strlen(s) >= sizeof(text))
		return -EINVAL;
	strcpy(text, s);
	slash = strchr(text, '/');
	if (slash)
		*slash++ = '\0';
	if (find_proto(text, &p.proto)) {
		if (!slash)
			r = whole_protocol(&p);
		else if (is_icmp(p.proto))
			r = parse_icmp_type(slash, &p, ret_why);
		else
			r = (*ret_why = "the port comes first, as in 443/tcp", -EINVAL);
	} else if (slash &&
		   (!find_proto(slash, &p.proto) || is_icmp(p.proto) || p.proto == PROTO_ANY)) {
		*ret_why = "the protocol behind a port is tcp, udp or sctp";
		r = -EINVAL;
	} else {
		r = parse_range(text, &p, ret_why);
	}
	if (r >= 0)
		*ret = p;
	return r;
}

const char *port_spec_format(char out[PORT_SPEC_STR], const struct port_spec *p)
{
	char number[PROTO_STR];
	const char *proto = proto_name(number, p->proto), *type;

	if (p->proto == PROTO_ANY || (p->lo == 0 && p->hi == (is_icmp(p->proto) ? 255 : 65535)))
		snprintf(out, PORT_SPEC_STR, "%s", proto);
	else if (is_icmp(p->proto) && (type = icmp_type_name(p->proto, (uint8_t)p->lo)) != NULL)
		snprintf(out, PORT_SPEC_STR, "%s/%s", proto, type);
	else if (is_icmp(p->proto))
		snprintf(out, PORT_SPEC_STR, "%s/%u", proto, p->lo);
	else if (p->lo == p->hi)
		snprintf(out, PORT_SPEC_STR, "%u/%s", p->lo, proto);
	else
		snprintf(out, PORT_SPEC_STR, "%u-%u/%s", p->lo, p->hi, proto);
	return out;
}

bool port_spec_contains(const struct port_spec *p, uint16_t proto, uint16_t port)
{
	return p->proto == PROTO_ANY || (p->proto == proto && port >= p->lo && port <= p->hi);
}
