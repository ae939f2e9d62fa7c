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
	uint8_t proto; /* the upper-layer protocol behind IPv6 extension headers */
	bool has_ports;
	uint16_t sport, dport;
	bool has_icmp;
	uint8_t icmp_type, icmp_code;
	bool has_tcp_flags;
	uint8_t tcp_flags;
	bool fragment; /* not the first: no ports */
	bool has_key;  /* key was inside the data */
	/*
	 * What the kernel's denied sets hold at the port's place: the second 16 bits behind the IP
	 * headers whatever the protocol is, or type << 8 | code for ICMP and ICMPv6.
	 */
	uint16_t key;
	uint32_t length; /* IP total length as the header says */
};

/*
 * Decode LEN bytes that begin at an IPv4 or IPv6 header (RFC 791, RFC 8200). Reads nothing outside
 * them; at most BH_IPV6_HEADERS_MAX extension headers. -EINVAL: not even the addresses could be
 * read. What lies behind a truncation is left unset.
 */
int packet_decode(const uint8_t *data, size_t len, struct packet *ret);

/* The header of a frame (IEEE 802.3), for those that were made by hand. */
struct frame {
	uint8_t source[6], destination[6];
	uint16_t type; /* behind one VLAN tag at most */
};

/*
 * Decode LEN bytes that begin at an Ethernet header. *RET_PACKET_AT: where the packet in it begins.
 * -EINVAL: shorter than that.
 */
int frame_decode(const uint8_t *data, size_t len, struct frame *ret, size_t *ret_packet_at);

/* --- NFLOG -------------------------------------------------------------------------------- */

struct flow_log_event {
	char prefix[128]; /* hostile: a container with NET_ADMIN may log with any */
	bool has_packet;
	struct packet packet;
	bool has_frame; /* from the table netdev */
	struct frame frame;
	uint32_t ifindex_in, ifindex_out; /* 0 = none */
	char interface[16];               /* name of the one that is set; "" = none or gone */
	bool has_uid, has_gid;            /* known for packets that a local socket sent */
	uint32_t uid, gid;
	bool has_seq;
	uint32_t seq;        /* counts the messages of one listener from 0 */
	int64_t when;        /* microseconds since the epoch, taken when it was read */
	const uint8_t *data; /* what the kernel copied of it; only while the event is handed out */
	size_t data_len;     /* 0 = nothing */
	size_t ip_at;        /* where in DATA its IP header begins; DATA_LEN when there is none */
};

/*
 * The messages of one read of an NFLOG socket -> events; when and interface stay empty. Pure; DATA
 * is aligned for a struct nlmsghdr and hostile. What is not an NFLOG packet message is skipped. A
 * negative return of FN ends it and is returned.
 */
int flow_log_parse(const void *data, size_t len, int (*fn)(struct flow_log_event *, void *),
		   void *arg);

struct flow_log;
/*
 * Listen on GROUP in the namespace: NFULNL copy packet, BH_NFLOG_COPY_RANGE bytes, sequence numbers
 * on, 100 ms batching, never blocks. -EBUSY: another process of this namespace listens already.
 */
int flow_log_open(int netns_fd, uint16_t group, struct flow_log **ret, struct bh_err *err);
/*
 * Go on reading FD, on which another process listens, and which is L's then; the caller's on failure.
 * How much was lost before the first message is not known, and what asks for a privilege is not done:
 * flow_log_end() is for who opened it.
 */
int flow_log_adopt(int fd, struct flow_log **ret, struct bh_err *err);
void flow_log_close(struct flow_log *l);   /* takes NULL */
int flow_log_fd(const struct flow_log *l); /* for poll; stays owned by L */
/*
 * Listen no more. What the kernel has held back until now is there to be read when this returns
 * (NFULNL_CFG_CMD_UNBIND flushes the group); if it refuses, some of it comes up to 100 ms later.
 */
void flow_log_end(struct flow_log *l);
/*
 * Read what is there without blocking; FN for each, and a negative return of it ends it. Lost
 * messages are counted, not an error. At most BH_NFLOG_READS_MAX buffers in one call, so that one
 * namespace's flood does not starve the others: > 0 when there may be more, 0 when it is drained.
 */
int flow_log_read(struct flow_log *l, int (*fn)(const struct flow_log_event *, void *), void *arg,
		  struct bh_err *err);
uint64_t flow_log_lost(const struct flow_log *l); /* by sequence gaps so far */

/* --- attribution -------------------------------------------------------------------------- */

/* Who is behind an address, on this host. */
struct flow_party {
	const char *endpoint;          /* id or NULL */
	const char *name;              /* endpoint name or NULL */
	const char *service;           /* joined names or NULL */
	const struct ruleset *ruleset; /* what that end enforces, or NULL when not known */
	const char *scope;             /* of its services, joined with ", ", or NULL */
};

/* Everything that is needed to explain a denial seen in one namespace. Borrowed throughout. */
struct flow_context {
	const struct endpoint *endpoint; /* of the namespace; NULL when only its table is known */
	const struct ruleset *ruleset;   /* read back from it, or compiled */
	const char *netns_name;
	const char *host;
	const char *owner; /* of the service, or NULL */
	const char *scope; /* of its services, or NULL */
	bool (*party_of)(const struct bh_addr *a, struct flow_party *ret,
			 void *arg); /* may be NULL */
	void *arg;
};

/*
 * Fill the explaining fields (endpoint, service, rule, near_miss, other_side, reason, names of both
 * ends) of a record whose tuple, direction, verdict and times are set. Never fails; unknown stays
 * empty and the reason says so.
 */
void flow_explain(struct flow_record *rec, const struct flow_context *ctx);

#endif
