/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_row.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

/* --- fields ----------------------------------------------------------------------------------- */

#define TEXT(column, member)                                                                       \
	{                                                                                          \
		column, offsetof(struct flow_record, member),                                      \
			sizeof(((struct flow_record *)0)->member)                                  \
	}

#define UNKNOWN 18 /* its place in the table */

const struct flows_text_field flows_text_fields[FLOWS_TEXTS] = {
	TEXT("service", service),
	TEXT("endpoint_id", endpoint_id),
	TEXT("endpoint_name", endpoint_name),
	TEXT("source_endpoint", source.endpoint),
	TEXT("source_service", source.service),
	TEXT("source_name", source.name),
	TEXT("source_scope", source.scope),
	TEXT("destination_endpoint", destination.endpoint),
	TEXT("destination_service", destination.service),
	TEXT("destination_name", destination.name),
	TEXT("destination_scope", destination.scope),
	TEXT("interface", interface),
	TEXT("runtime", runtime),
	TEXT("image", image),
	TEXT("netns", netns),
	TEXT("owner", owner),
	TEXT("scope", scope),
	TEXT("comm", process.comm),
	[UNKNOWN] = { "unknown", 0, 0 }, /* process.unknown, a pointer */
	TEXT("exe", process.exe),
	TEXT("rule_name", rule_name),
	TEXT("rule_file", rule_file),
	TEXT("reason", reason),
	TEXT("near_miss", near_miss),
	TEXT("other_side", other_side),
	TEXT("host", host),
	TEXT("generation", generation),
};

#define NUMBER(column, member, most)                                                               \
	{                                                                                          \
		column, offsetof(struct flow_record, member),                                      \
			sizeof(((struct flow_record *)0)->member), most                            \
	}

struct number_field {
	const char *name;
	size_t offset, size;
	uint32_t max;
};

static const struct number_field flow_numbers[FLOWS_NUMBERS] = {
	NUMBER("verdict", verdict, RECORD_ALLOW),
	NUMBER("direction", direction, DIRECTIONS - 1),
	NUMBER("protocol", proto, PROTO_ANY),
	NUMBER("has_port", destination.has_port, 1),
	NUMBER("port", destination.port, UINT16_MAX),
	NUMBER("has_icmp", has_icmp, 1),
	NUMBER("icmp_type", icmp_type, UINT8_MAX),
	NUMBER("icmp_code", icmp_code, UINT8_MAX),
	NUMBER("aggregated", aggregated, 1),
	NUMBER("rule_kind", rule_kind, RECORD_RULE_KINDS - 1),
	NUMBER("rule_line", rule_line, UINT32_MAX),
	NUMBER("logged", logged, 1),
	NUMBER("has_uid", has_uid, 1),
	NUMBER("uid", uid, UINT32_MAX),
	NUMBER("has_gid", has_gid, 1),
	NUMBER("gid", gid, UINT32_MAX),
	NUMBER("has_frame", has_frame, 1),
	NUMBER("frame_type", frame_type, UINT16_MAX),
};

static const struct number_field record_numbers[] = {
	NUMBER("has_source_port", source.has_port, 1),
	NUMBER("source_port", source.port, UINT16_MAX),
	NUMBER("has_tcp_flags", has_tcp_flags, 1),
	NUMBER("tcp_flags", tcp_flags, UINT8_MAX),
	NUMBER("pid", process.pid, UINT32_MAX),
	NUMBER("flows", flows, UINT32_MAX),
};
#define RECORD_NUMBERS BH_ARRAY_SIZE(record_numbers)
_Static_assert(5 + BH_ARRAY_SIZE(record_numbers) + 2 == FLOWS_RECORD_COLUMNS, "columns of record");

const char *flows_text_of(const struct flow_record *r, size_t i)
{
	if (i == UNKNOWN)
		return r->process.unknown ? r->process.unknown : "";
	return (const char *)r + flows_text_fields[i].offset;
}

static uint32_t get_number(const struct flow_record *r, const struct number_field *f)
{
	const char *p = (const char *)r + f->offset;
	uint16_t two;
	uint32_t four;

	if (f->size == 1)
		return *(const uint8_t *)p;
	if (f->size == 2) {
		memcpy(&two, p, sizeof(two));
		return two;
	}
	memcpy(&four, p, sizeof(four));
	return four;
}

static void set_number(struct flow_record *r, const struct number_field *f, uint32_t v)
{
	char *p = (char *)r + f->offset;
	uint16_t two = (uint16_t)v;

	if (f->size == 1)
		*(uint8_t *)p = (uint8_t)v;
	else if (f->size == 2)
		memcpy(p, &two, sizeof(two));
	else
		memcpy(p, &v, sizeof(v));
}

/* --- statements ------------------------------------------------------------------------------- */

void flows_sql_flow_columns(struct bh_buf *sql, const char *prefix)
{
	for (size_t i = 0; i < FLOWS_NUMBERS; i++)
		bh_buf_addf(sql, "%s%s%s", i ? ", " : "", prefix, flow_numbers[i].name);
	bh_buf_addf(sql, ", %ssource, %sdestination, %sframe", prefix, prefix, prefix);
	for (size_t i = 0; i < FLOWS_TEXTS; i++)
		bh_buf_addf(sql, ", %s%s", prefix, flows_text_fields[i].name);
}

void flows_sql_record_columns(struct bh_buf *sql, const char *prefix)
{
	bh_buf_addf(sql, "%sfirst, %sflow, %spackets, %sspan, %sbytes", prefix, prefix, prefix,
		    prefix, prefix);
	for (size_t i = 0; i < RECORD_NUMBERS; i++)
		bh_buf_addf(sql, ", %s%s", prefix, record_numbers[i].name);
	bh_buf_addf(sql, ", %ssamples, %spacket", prefix, prefix);
}

void flows_sql_insert_flow(struct bh_buf *sql)
{
	bh_buf_addstr(sql, "INSERT INTO flow(id, used, ");
	flows_sql_flow_columns(sql, "");
	bh_buf_addstr(sql, ") VALUES(?, ?");
	for (int i = 0; i < FLOWS_FLOW_COLUMNS; i++)
		bh_buf_addstr(sql, ", ?");
	bh_buf_addstr(sql, ")");
}

/* --- to rows ---------------------------------------------------------------------------------- */

void flow_key_fill(struct flow_key *key, const struct flow_record *r)
{
	for (size_t i = 0; i < FLOWS_NUMBERS; i++)
		key->numbers[i] = get_number(r, &flow_numbers[i]);
	key->source = r->source.addr;
	key->destination = r->destination.addr;
	memcpy(key->frame, r->frame_source, 6);
	memcpy(key->frame + 6, r->frame_destination, 6);
	memset(key->zero, 0, sizeof(key->zero));
}

static void bind_address(sqlite3_stmt *s, int at, const struct bh_addr *a)
{
	if (a->family)
		sqlite3_bind_blob(s, at, a->b, (int)bh_addr_len(a->family), SQLITE_STATIC);
	else
		sqlite3_bind_null(s, at);
}

void flow_key_bind(sqlite3_stmt *s, int at, const struct flow_key *key)
{
	for (size_t i = 0; i < FLOWS_NUMBERS; i++)
		sqlite3_bind_int64(s, at++, key->numbers[i]);
	bind_address(s, at++, &key->source);
	bind_address(s, at++, &key->destination);
	sqlite3_bind_blob(s, at++, key->frame, sizeof(key->frame), SQLITE_STATIC);
	for (size_t i = 0; i < FLOWS_TEXTS; i++)
		sqlite3_bind_int64(s, at++, key->texts[i]);
}

/* A sample is family, address, protocol and port: 21 bytes. */
#define SAMPLE_BYTES 21
#define PACKET_HEAD  6

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void bind_samples(sqlite3_stmt *s, int at, const struct flow_record *r)
{
	uint8_t bytes[RECORD_SAMPLES * SAMPLE_BYTES], *p = bytes;

	for (unsigned i = 0; i < r->n_samples && i < RECORD_SAMPLES; i++) {
		*p++ = r->samples[i].peer.family;
		memcpy(p, r->samples[i].peer.b, 16);
		p = put16(put16(p + 16, r->samples[i].proto), r->samples[i].port);
	}
	if (p > bytes)
		sqlite3_bind_blob(s, at, bytes, (int)(p - bytes), SQLITE_TRANSIENT);
	else
		sqlite3_bind_null(s, at);
}

static void bind_packet(sqlite3_stmt *s, int at, const struct record_packet *k)
{
	uint8_t bytes[PACKET_HEAD + sizeof(k->bytes)], *p = bytes;
	size_t len = k->len < sizeof(k->bytes) ? k->len : sizeof(k->bytes);

	if (!len) {
		sqlite3_bind_null(s, at);
		return;
	}
	p = put16(p, k->ip_at);
	p = put16(put16(p, (uint16_t)(k->length >> 16)), (uint16_t)k->length);
	memcpy(p, k->bytes, len);
	sqlite3_bind_blob(s, at, bytes, (int)(PACKET_HEAD + len), SQLITE_TRANSIENT);
}

void flows_record_bind(sqlite3_stmt *s, int at, const struct flow_record *r, int64_t flow)
{
	sqlite3_bind_int64(s, at++, r->first_seen);
	sqlite3_bind_int64(s, at++, flow);
	sqlite3_bind_int64(s, at++, (int64_t)r->packets);
	sqlite3_bind_int64(s, at++, (int64_t)((uint64_t)r->last_seen - (uint64_t)r->first_seen));
	sqlite3_bind_int64(s, at++, (int64_t)r->bytes);
	for (size_t i = 0; i < RECORD_NUMBERS; i++)
		sqlite3_bind_int64(s, at++, get_number(r, &record_numbers[i]));
	bind_samples(s, at++, r);
	bind_packet(s, at, &r->packet);
}

/* --- from rows -------------------------------------------------------------------------------- */

static void read_number(sqlite3_stmt *s, int at, const struct number_field *f,
			struct flow_record *r)
{
	int64_t v = sqlite3_column_int64(s, at);

	set_number(r, f, v >= 0 && v <= f->max ? (uint32_t)v : 0);
}

void flows_address_read(sqlite3_stmt *s, int at, struct bh_addr *ret)
{
	const void *bytes = sqlite3_column_blob(s, at);

	if (!bytes || !bh_addr_from_bytes(ret, bytes, (size_t)sqlite3_column_bytes(s, at)))
		memset(ret, 0, sizeof(*ret));
}

static void read_frame(sqlite3_stmt *s, int at, struct flow_record *r)
{
	const uint8_t *bytes = sqlite3_column_blob(s, at);

	if (!bytes || sqlite3_column_bytes(s, at) != 12)
		return;
	memcpy(r->frame_source, bytes, 6);
	memcpy(r->frame_destination, bytes + 6, 6);
}

static void read_samples(sqlite3_stmt *s, int at, struct flow_record *r)
{
	const uint8_t *p = sqlite3_column_blob(s, at);
	size_t n = p ? (size_t)sqlite3_column_bytes(s, at) / SAMPLE_BYTES : 0;

	for (; r->n_samples < n && r->n_samples < RECORD_SAMPLES; p += SAMPLE_BYTES) {
		struct record_sample *sample = &r->samples[r->n_samples];

		if ((*p != 0 && *p != AF_INET && *p != AF_INET6) || get16(p + 17) > PROTO_ANY)
			return;
		sample->peer.family = *p;
		memcpy(sample->peer.b, p + 1, *p == AF_INET6 ? 16 : *p == AF_INET ? 4 : 0);
		sample->proto = get16(p + 17);
		sample->port = get16(p + 19);
		r->n_samples++;
	}
}

void flows_packet_read(sqlite3_stmt *s, int at, struct record_packet *k)
{
	const uint8_t *p = sqlite3_column_blob(s, at);
	size_t n = p ? (size_t)sqlite3_column_bytes(s, at) : 0;

	if (n <= PACKET_HEAD || n > PACKET_HEAD + sizeof(k->bytes))
		return;
	k->len = (uint16_t)(n - PACKET_HEAD);
	k->ip_at = get16(p) < k->len ? get16(p) : k->len;
	k->length = (uint32_t)get16(p + 2) << 16 | get16(p + 4);
	if (k->length < k->len)
		k->length = k->len;
	memcpy(k->bytes, p + PACKET_HEAD, k->len);
}

/* Those that docs/record.md calls escaped; what we wrote is, and stays as it is. */
static bool must_be_tame(size_t i)
{
	const size_t at = flows_text_fields[i].offset;

	return at == offsetof(struct flow_record, rule_file) ||
	       at == offsetof(struct flow_record, reason) ||
	       at == offsetof(struct flow_record, near_miss) ||
	       at == offsetof(struct flow_record, other_side);
}

/*
 * The bytes at the end of TEXT that are the beginning of a character: what filled its array was cut
 * there. A reader escapes them, as it would have before they were kept.
 */
static size_t cut_character(const char *text, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		uint8_t c = (uint8_t)text[len - n];

		if (c >= 0xc0)
			return n < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

void flows_tame(char *out, size_t size, const char *text)
{
	size_t len = strlen(text), rest = cut_character(text, len);
	struct bh_buf b;

	bh_buf_init(&b, 8 * sizeof(((struct flow_record *)0)->reason));
	bh_tame(&b, text, len - rest);
	bh_buf_addstr(&b, text + len - rest);
	snprintf(out, size, "%s", bh_buf_str(&b));
	bh_buf_done(&b);
}

static void read_text(struct flow_record *r, size_t i, const char *text)
{
	const struct flows_text_field *f = &flows_text_fields[i];
	char *out = (char *)r + f->offset;

	if (i == UNKNOWN)
		r->process.unknown = text[0] ? text : NULL;
	else if (text[0] && must_be_tame(i))
		flows_tame(out, f->size, text);
	else
		snprintf(out, f->size, "%s", text);
}

static int64_t later(int64_t t, int64_t span)
{
	return (int64_t)((uint64_t)t + (uint64_t)span);
}

/* Years that a calendar of four digits has. */
static int64_t believable(int64_t usec)
{
	const int64_t most = INT64_C(253402300799) * 1000000;

	return usec < 0 ? 0 : usec > most ? most : usec;
}

void flows_record_read(sqlite3_stmt *s, int at, const struct flows_text_source *texts,
		       struct flow_record *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->first_seen = believable(sqlite3_column_int64(s, at));
	ret->packets = (uint64_t)sqlite3_column_int64(s, at + 2);
	ret->last_seen = believable(later(ret->first_seen, sqlite3_column_int64(s, at + 3)));
	ret->bytes = (uint64_t)sqlite3_column_int64(s, at + 4);
	at += 5;
	for (size_t i = 0; i < RECORD_NUMBERS; i++)
		read_number(s, at++, &record_numbers[i], ret);
	read_samples(s, at++, ret);
	flows_packet_read(s, at++, &ret->packet);
	for (size_t i = 0; i < FLOWS_NUMBERS; i++)
		read_number(s, at++, &flow_numbers[i], ret);
	flows_address_read(s, at++, &ret->source.addr);
	flows_address_read(s, at++, &ret->destination.addr);
	read_frame(s, at++, ret);
	for (size_t i = 0; i < FLOWS_TEXTS; i++)
		read_text(ret, i, texts->fn(sqlite3_column_int64(s, at++), texts->arg));
}
