/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OUTPUTS_FACTS_H
#define OUTPUTS_FACTS_H

#include <stddef.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/model/json.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/signal.h>

/* What there is to say of a record or a signal, one by one, for tables that say where it goes. */
struct facts {
	const struct flow_record *r; /* of a signal, the one that gave rise to it */
	const struct flow_signal *s; /* NULL: it is a record */
};

static inline struct facts facts_of_record(const struct flow_record *r)
{
	return (struct facts) { r, NULL };
}

static inline struct facts facts_of_signal(const struct flow_signal *s)
{
	return (struct facts) { &s->record, s };
}

/* A fact's value, the caller's; NULL when there is none. */
typedef json_t *fact_get(const struct facts *f);

struct fact_field {
	const char *path; /* keys of objects, one in the other, joined with dots */
	fact_get *get;
	size_t text;       /* without GET: offset of an array of char in struct flow_record */
	const char *fixed; /* without GET: always this */
};

#define FACT(path, get)                                                                            \
	{                                                                                          \
		(path), (get), 0, NULL                                                             \
	}
#define FACT_TEXT(path, member)                                                                    \
	{                                                                                          \
		(path), NULL, offsetof(struct flow_record, member), NULL                           \
	}
#define FACT_FIXED(path, text)                                                                     \
	{                                                                                          \
		(path), NULL, 0, (text)                                                            \
	}

json_t *fact_value(const struct fact_field *field, const struct facts *f);
/* All of them that have a value, into O. */
void facts_put(json_t *o, const struct fact_field *fields, size_t n, const struct facts *f);
/* A value as text at the end of OUT: numbers in decimal, texts as they are. */
void fact_print(const json_t *value, struct bh_buf *out);

#define FACTS_PUT(o, fields, f) facts_put((o), (fields), BH_ARRAY_SIZE(fields), (f))

fact_get fact_first_seen, fact_last_seen, fact_first_seen_ms, fact_last_seen_ms;
fact_get fact_when, fact_when_ms; /* of the signal, or when it was first seen */
fact_get fact_verdict, fact_direction, fact_packets, fact_bytes;
fact_get fact_aggregated, fact_flows, fact_sample;
fact_get fact_protocol, fact_protocol_number, fact_ip_version;
fact_get fact_icmp_type, fact_icmp_code, fact_tcp_flags, fact_frame_type;
fact_get fact_uid, fact_gid, fact_uid_text, fact_gid_text;
fact_get fact_pid, fact_comm, fact_exe, fact_exe_name, fact_process_unknown;
fact_get fact_rule_kind, fact_rule_name, fact_rule_line, fact_rule_place;
fact_get fact_message; /* the sentence */
fact_get fact_signal, fact_signal_uid, fact_window, fact_ports, fact_peers, fact_into_scope;

/* Of one end. Those of the endpoint that denied it are known in an aggregated record, too. */
fact_get fact_source_ip, fact_destination_ip;
fact_get fact_source_port, fact_destination_port;
fact_get fact_source_endpoint, fact_destination_endpoint;
fact_get fact_source_name, fact_destination_name;
fact_get fact_source_service, fact_destination_service;
fact_get fact_source_scope, fact_destination_scope;
fact_get fact_source_mac, fact_destination_mac;
/* Only of the end that is the endpoint which denied it. */
fact_get fact_source_interface, fact_destination_interface;
fact_get fact_source_image, fact_destination_image;
fact_get fact_source_runtime, fact_destination_runtime;
fact_get fact_source_own_id, fact_destination_own_id;
fact_get fact_source_own_name, fact_destination_own_name;

#endif
