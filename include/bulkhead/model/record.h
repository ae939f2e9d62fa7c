/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_RECORD_H
#define BULKHEAD_MODEL_RECORD_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/flowspec.h>

/* A denied (or audited, or allowed) flow: schema "bulkhead.flow/1", docs/record.md. */

enum record_verdict { RECORD_DENY, RECORD_AUDIT, RECORD_ALLOW };
enum record_rule_kind {
	RECORD_DEFAULT_DENY,
	RECORD_GUARDRAIL,
	RECORD_RAW_SOCKET,
	RECORD_INVALID,
	RECORD_BASELINE,
	RECORD_REVOKED, /* packets of a connection that a newer policy no longer allows */
	RECORD_ALLOWED, /* the first packet of a connection that a policy rule allows */
};
#define RECORD_RULE_KINDS (RECORD_ALLOWED + 1)

#define RECORD_STR 256

struct record_end {
	struct bh_addr addr; /* family 0 = unknown */
	bool has_port;
	uint16_t port;
	char endpoint[RECORD_STR]; /* id, "" when not local; unescaped, hostile */
	char service[RECORD_STR];  /* "" when none */
	char name[RECORD_STR];     /* what people call it; unescaped, hostile */
	char scope[RECORD_STR]; /* of its services, joined with ", "; "" when none, or not local */
};

/* A flow that an aggregated record stands for: its far end. */
#define RECORD_SAMPLES 8
struct record_sample {
	struct bh_addr peer;
	uint16_t proto, port; /* port: 0 for those without */
};

/* Who sent the first packet of a flow, found by its socket. */
struct record_process {
	uint32_t pid;         /* in the host's PID namespace; 0 = not known */
	char comm[16];        /* unescaped, hostile */
	char exe[RECORD_STR]; /* as readlink(/proc/PID/exe) has it; unescaped, hostile */
	const char *unknown;  /* why it is not known, static; NULL when nobody looked */
};

/*
 * The first bytes of the packet, or frame, that made the record, as they were seen: hostile.
 */
struct record_packet {
	uint16_t len;    /* bytes that are there; 0 = none: the record was made from counts */
	uint16_t ip_at;  /* where its IP header begins, behind the link's; == len: there is none */
	uint32_t length; /* of all of it, at least len */
	uint8_t bytes[BH_NFLOG_COPY_RANGE];
};

struct flow_record {
	int64_t first_seen, last_seen; /* microseconds since the epoch */
	enum record_verdict verdict;
	enum direction direction;
	uint64_t packets, bytes;
	uint16_t proto;
	struct record_end source, destination;
	bool has_icmp;
	uint8_t icmp_type, icmp_code;
	bool has_tcp_flags;
	uint8_t tcp_flags;
	bool aggregated; /* stands for several flows whose tuples were not kept one by one */
	uint32_t flows;  /* AGGREGATED: of so many flows at least; 0 = not known */
	struct record_sample samples[RECORD_SAMPLES]; /* the first of them */
	unsigned n_samples;
	char interface[16];
	uint32_t ifindex; /* its number, of what was logged; nobody is told, and it is not kept */
	/* of a frame that was made by hand: its Ethernet header */
	bool has_frame;
	uint8_t frame_source[6], frame_destination[6];
	uint16_t frame_type;
	char endpoint_id[RECORD_STR], endpoint_name[RECORD_STR], runtime[16], image[RECORD_STR];
	char netns[RECORD_STR];
	char service[RECORD_STR], owner[RECORD_STR], scope[RECORD_STR];
	bool has_uid, has_gid;
	uint32_t uid, gid;
	struct record_process process;
	enum record_rule_kind rule_kind;
	bool logged; /* the kernel's log said so; otherwise rule_kind and verdict are to be found */
	/* rule_file, reason, near_miss and other_side are escaped already */
	char rule_name[RECORD_STR], rule_file[RECORD_STR];
	unsigned rule_line; /* 0 = the file as a whole */
	char reason[512];
	char near_miss[RECORD_STR];  /* "" when none */
	char other_side[RECORD_STR]; /* "" when not known */
	char host[65], generation[65];
	struct record_packet packet; /* last, so that what is of interest lies together */
};

/* At most as many bytes as fit are taken over. */
void record_packet_set(struct record_packet *p, const uint8_t *data, size_t len, size_t ip_at,
		       uint32_t length);

const char *record_verdict_name(enum record_verdict v);     /* "deny", "audit", "allow" */
const char *record_rule_kind_name(enum record_rule_kind k); /* "default-deny", ... */

/* One JSON object and a newline, keys in the order of docs/record.md; empty fields are left out. */
int flow_record_json(const struct flow_record *r, struct bh_buf *out);
/*
 * The other way: LEN hostile bytes of one line, with or without its newline. Strict: wrong types, texts
 * that are too long, numbers out of range and a missing key are mistakes; keys that are not known are
 * passed over, and a text that became too long by being escaped is cut. `logged` is always set, of
 * process.unknown only that it was there is kept, and there is no packet. 0; -EINVAL it is none, and ERR
 * says why; -ENOMSG a JSON object of another schema, as a signal is; -ENOMEM. On failure *RET is
 * untouched.
 */
int flow_record_read(const char *line, size_t len, struct flow_record *ret, struct bh_err *err);
/* One line for a person, newline included, hostile text escaped. */
int flow_record_text(const struct flow_record *r, struct bh_buf *out, bool colour);

#endif
