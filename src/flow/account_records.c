/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accounting.h"

#include <string.h>

#include "proto.h"

int account_emit(struct flow_account *a, struct flow_record *rec)
{
	if (!a->o.logged && rec->rule_kind != RECORD_GUARDRAIL &&
	    rec->rule_kind != RECORD_RAW_SOCKET)
		return 0;
	a->recorded[rec->direction] += rec->packets;
	return a->o.emit(rec, a->o.arg);
}

static void put_icmp(struct flow_record *rec, uint16_t key)
{
	rec->has_icmp = true;
	rec->icmp_type = (uint8_t)(key >> 8);
	rec->icmp_code = (uint8_t)key;
}

void account_put_event(struct flow_record *rec, const struct flow_log_event *ev)
{
	const struct packet *p = &ev->packet;

	rec->first_seen = rec->last_seen = ev->when;
	rec->packets = 1;
	rec->has_uid = ev->has_uid;
	rec->uid = ev->uid;
	rec->has_gid = ev->has_gid;
	rec->gid = ev->gid;
	memcpy(rec->interface, ev->interface, sizeof(rec->interface));
	rec->ifindex = ev->ifindex_in ? ev->ifindex_in : ev->ifindex_out;
	rec->has_frame = ev->has_frame;
	if (ev->has_frame) {
		memcpy(rec->frame_source, ev->frame.source, sizeof(rec->frame_source));
		memcpy(rec->frame_destination, ev->frame.destination,
		       sizeof(rec->frame_destination));
		rec->frame_type = ev->frame.type;
	}
	if (ev->data_len)
		record_packet_set(&rec->packet, ev->data, ev->data_len, ev->ip_at,
				  (uint32_t)ev->ip_at + p->length);
	if (!ev->has_packet)
		return;
	rec->bytes = p->length;
	rec->proto = p->proto;
	rec->source.addr = p->source;
	rec->destination.addr = p->destination;
	rec->source.has_port = rec->destination.has_port = p->has_ports;
	rec->source.port = p->sport;
	rec->destination.port = p->dport;
	if (p->has_icmp)
		put_icmp(rec, p->key);
	rec->has_tcp_flags = p->has_tcp_flags;
	rec->tcp_flags = p->tcp_flags;
}

int account_emit_pending(struct flow_account *a, struct flow *f)
{
	struct flow_record rec = {
		.first_seen = f->since,
		.last_seen = f->last,
		.verdict = f->audit ? RECORD_AUDIT : RECORD_DENY,
		.direction = flow_direction(f->id.oif),
		.rule_kind = f->guard ? RECORD_GUARDRAIL : RECORD_DEFAULT_DENY,
		.logged = f->told,
		.packets = f->pending,
		.bytes = f->pending_bytes,
		.proto = f->id.proto,
		.has_uid = f->has_uid,
		.uid = f->uid,
		.has_gid = f->has_gid,
		.gid = f->gid,
	};
	struct flow_count c;

	account_count(f, &c);
	rec.source.addr = c.source;
	rec.destination.addr = c.destination;
	memcpy(rec.interface, f->interface, sizeof(rec.interface));
	if (proto_is_icmp(c.proto)) {
		put_icmp(&rec, c.port);
	} else if (proto_has_ports(c.proto)) {
		rec.destination.has_port = true;
		rec.destination.port = c.port;
	}
	f->since = f->last;
	f->pending = f->pending_bytes = 0;
	f->recorded = true;
	f->due = false;
	return account_emit(a, &rec);
}

/* In audit mode only a guardrail ends connections. */
static bool tally_passes(const struct flow_account *a, enum tally_kind kind)
{
	return kind == TALLY_RAW ? a->raw_passes : a->o.audit && kind != TALLY_REVOKED;
}

int account_emit_tally(struct flow_account *a, enum tally_kind kind, enum direction d,
		       uint64_t upto, int64_t now)
{
	static const enum record_rule_kind rules[TALLIES] = {
		[TALLY_REST] = RECORD_DEFAULT_DENY,
		[TALLY_REVOKED] = RECORD_REVOKED,
		[TALLY_RAW] = RECORD_RAW_SOCKET,
	};
	struct tally *t = &a->tallies[kind][d];
	struct flow_record rec = {
		.first_seen = t->since,
		.last_seen = now,
		.verdict = tally_passes(a, kind) ? RECORD_AUDIT : RECORD_DENY,
		.direction = d,
		.aggregated = true,
		.rule_kind = rules[kind],
	};

	if (upto <= t->done)
		return 0;
	rec.packets = upto - t->done;
	t->done = upto;
	t->since = now;
	return account_emit(a, &rec);
}
