/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_FLOWSPEC_H
#define BULKHEAD_MODEL_FLOWSPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words that every room shares: direction, mode, and what a `ports:` entry means. */

enum direction { DIRECTION_EGRESS, DIRECTION_INGRESS };
#define DIRECTIONS 2

enum mode { MODE_ENFORCE, MODE_AUDIT, MODE_OFF };
enum on_deny { ON_DENY_DROP, ON_DENY_REJECT };

const char *direction_name(enum direction d); /* "egress", "ingress" */
const char *mode_name(enum mode m);           /* "enforce", "audit", "off" */

#define PROTO_ANY 256 /* every IP protocol; the others are IPPROTO_* */

/*
 * One `ports:` entry. proto is IPPROTO_TCP/UDP/SCTP with lo..hi = destination ports (0..65535 is
 * every port), IPPROTO_ICMP/ICMPV6 with lo..hi = types (0..255 is every type), or PROTO_ANY.
 */
struct port_spec {
	uint16_t proto;
	uint16_t lo, hi;
};

/*
 * "443/tcp", "8000-8080/tcp", "443" (TCP), "53/udp", "9/sctp", "icmp", "icmp/echo-request",
 * "icmp/8", "icmpv6/echo-request", "tcp", "udp", "sctp", "any". 0; -EINVAL not understood; -ERANGE
 * a number out of range; -EDOM range reversed. *ret_why then names it in a few words (static).
 */
int port_spec_parse(const char *s, struct port_spec *ret, const char **ret_why);
#define PORT_SPEC_STR 48
/* The canonical spelling; parses back to the same. Returns OUT. */
const char *port_spec_format(char out[PORT_SPEC_STR], const struct port_spec *p);
bool port_spec_contains(const struct port_spec *p, uint16_t proto, uint16_t port);

/* "tcp", "udp", "sctp", "icmp", "icmpv6", else the number; static or in OUT. */
#define PROTO_STR 8
const char *proto_name(char out[PROTO_STR], uint16_t proto);
/* ICMP type name of nft ("echo-request") or NULL. proto is IPPROTO_ICMP or IPPROTO_ICMPV6. */
const char *icmp_type_name(uint16_t proto, uint8_t type);
/*
 * The reply type of a request that conntrack tracks (echo, timestamp, ...); false for all
 * others.
 */
bool icmp_reply_type(uint16_t proto, uint8_t request, uint8_t *ret_reply);
/* Is this the reply type of some request? Such a packet never begins a flow. */
bool icmp_is_reply(uint16_t proto, uint8_t type);

#endif
