/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_PROTO_H
#define BULKHEAD_SRC_FLOW_PROTO_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* Source and destination port are the first 32 bits. */
static inline bool proto_has_ports(uint16_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       proto == IPPROTO_UDPLITE || proto == IPPROTO_DCCP;
}

static inline bool proto_is_icmp(uint16_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

#endif
