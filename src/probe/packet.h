/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROBE_PACKET_H
#define PROBE_PACKET_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/testmark.h>

/* Packets as they are sent, and what is recognised of those that come. Pure. */

#define PACKET_MAX  BH_PROBE_PACKET_MAX
#define PACKET_SEQ  TESTMARK_SEQ
#define PACKET_MARK TESTMARK_TEXT

/* What tells one packet of a run from another. */
struct packet_key {
	struct bh_addr src, dst;
	uint16_t proto;
	uint16_t port;   /* destination port, or the ICMP type */
	uint16_t source; /* port, or the ICMP id */
};

/*
 * All of a packet from the IP header on, checksums included. Of TCP a SYN, of UDP an empty datagram,
 * of SCTP an INIT, of ICMP a request of that type. HOPS: its TTL. Returns its length; 0: a protocol of
 * which there is none.
 */
size_t packet_make(const struct packet_key *k, uint8_t hops, uint8_t out[PACKET_MAX]);

/* DATA from an IP header on, hostile. False: it is none of these. */
bool packet_parse(const void *data, size_t len, struct packet_key *ret);
/* The same behind an IP header that somebody else has read, with SRC, DST and PROTO. */
bool packet_parse_inner(const void *data, size_t len, struct packet_key *ret);

#endif
