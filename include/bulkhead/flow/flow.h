/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_FLOW_FLOW_H
#define BULKHEAD_FLOW_FLOW_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/ruleset.h>

/* NFLOG in, flow records out. Everything that comes in is written by an attacker. */

/* --- packet decode ------------------------------------------------------------------------ */

struct packet {
	struct bh_addr source, destination;
	uint8_t proto;	  /* the upper-layer protocol behind IPv6 extension headers */
	bool has_ports;
	uint16_t sport, dport;
	bool has_icmp;
	uint8_t icmp_type, icmp_code;
	bool has_tcp_flags;
	uint8_t tcp_flags;
	bool fragment;	  /* not the first: no ports */
	uint32_t length;  /* IP total length as the header says */
};

/*
 * Decode LEN bytes that begin at an IPv4 or IPv6 header (RFC 791, RFC 8200). Reads nothing outside
 * them; at most 8 extension headers. -EINVAL: not even the addresses could be read. What lies
 * behind a truncation is left unset.
 */
int packet_decode(const uint8_t *data, size_t len, struct packet *ret);

/* --- NFLOG -------------------------------------------------------------------------------- */

struct nflog_event {
	char prefix[128];
	bool has_packet;
	struct packet packet;
	uint32_t ifindex_in, ifindex_out; /* 0 = none */
	bool has_uid, has_gid;
	uint32_t uid, gid;
	int64_t when; /* microseconds since the epoch, taken when it was read */
};

struct nflog;
/*
 * Listen on GROUP in the namespace (libnetfilter_log on a socket opened there; NFULNL copy packet,
 * BH_NFLOG_COPY_RANGE bytes, sequence numbers on, 100 ms batching). -EBUSY: another process of this
 * namespace listens already.
 */
int nflog_open(int netns_fd, uint16_t group, struct nflog **ret, struct bh_err *err);
void nflog_close(struct nflog *l);
int nflog_fd(const struct nflog *l); /* for poll; stays owned by L */
/* Read what is there without blocking; FN for each. Lost messages are counted, not an error. */
int nflog_read(struct nflog *l, int (*fn)(const struct nflog_event *, void *), void *arg,
	       struct bh_err *err);
uint64_t nflog_lost(const struct nflog *l); /* by sequence gaps so far */
bool nflog_overrun(const struct nflog *l);  /* ENOBUFS was seen: some more may be lost */

/* --- attribution -------------------------------------------------------------------------- */

/* Who is behind an address, on this host. */
struct flow_party {
	const char *endpoint; /* id or NULL */
	const char *name;     /* endpoint name or NULL */
	const char *service;  /* joined names or NULL */
	const struct ruleset *ruleset; /* what that end enforces, or NULL when not known */
};

/* Everything that is needed to explain a denial seen in one namespace. Borrowed throughout. */
struct flow_context {
	const struct endpoint *endpoint; /* of the namespace; NULL when only its table is known */
	const struct ruleset *ruleset;	 /* read back from it, or compiled */
	const char *netns_name;
	const char *host;
	const char *owner; /* of the service, or NULL */
	bool (*party_of)(const struct bh_addr *a, struct flow_party *ret, void *arg); /* may be NULL */
	void *arg;
};

/*
 * Fill the explaining fields (endpoint, service, rule, near_miss, other_side, reason, names of both
 * ends) of a record whose tuple, direction, verdict and times are set. Never fails; unknown stays
 * empty and the reason says so.
 */
void flow_explain(struct flow_record *rec, const struct flow_context *ctx);

#endif
