/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/text.h>

#define KEY_MAX 64

/* --- the tables ----------------------------------------------------------------------------- */

json_t *fact_value(const struct fact_field *field, const struct facts *f)
{
	if (field->get)
		return field->get(f);
	if (field->fixed)
		return json_string(field->fixed);
	return json_hostile((const char *)f->r + field->text);
}

/* The object in O by the name of LEN bytes, made when it is not there. */
static json_t *descend(json_t *o, const char *name, size_t len)
{
	char key[KEY_MAX];
	json_t *in;

	snprintf(key, sizeof(key), "%.*s", (int)len, name);
	in = json_object_get(o, key);
	if (in)
		return in;
	in = json_object();
	json_object_set_new(o, key, in);
	return in;
}

static void put_at(json_t *o, const char *path, json_t *value)
{
	for (const char *dot = strchr(path, '.'); o && dot; dot = strchr(path, '.')) {
		o = descend(o, path, (size_t)(dot - path));
		path = dot + 1;
	}
	json_object_set_new(o, path, value); /* takes VALUE, also when O is NULL */
}

void facts_put(json_t *o, const struct fact_field *fields, size_t n, const struct facts *f)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = fact_value(&fields[i], f);

		if (value)
			put_at(o, fields[i].path, value);
	}
}

void fact_print(const json_t *value, struct bh_buf *out)
{
	if (json_is_string(value))
		bh_buf_add(out, json_string_value(value), json_string_length(value));
	else if (json_is_integer(value))
		bh_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		bh_buf_addstr(out, json_is_true(value) ? "true" : "false");
}

/* --- times and counts ------------------------------------------------------------------------ */

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *time_text(int64_t usec)
{
	char s[BH_TIME_STR];

	return json_string(bh_format_time(s, usec));
}

json_t *fact_first_seen(const struct facts *f)
{
	return time_text(f->r->first_seen);
}

json_t *fact_last_seen(const struct facts *f)
{
	return time_text(f->r->last_seen);
}

json_t *fact_first_seen_ms(const struct facts *f)
{
	return json_integer(f->r->first_seen / 1000);
}

json_t *fact_last_seen_ms(const struct facts *f)
{
	return json_integer(f->r->last_seen / 1000);
}

json_t *fact_when(const struct facts *f)
{
	return time_text(f->s ? f->s->when : f->r->first_seen);
}

json_t *fact_when_ms(const struct facts *f)
{
	return json_integer((f->s ? f->s->when : f->r->first_seen) / 1000);
}

json_t *fact_packets(const struct facts *f)
{
	return number(f->r->packets);
}

/* Of what is known as a difference alone, only the packets are counted. */
json_t *fact_bytes(const struct facts *f)
{
	return f->r->aggregated && !f->r->bytes ? NULL : number(f->r->bytes);
}

json_t *fact_aggregated(const struct facts *f)
{
	return f->r->aggregated ? json_true() : NULL;
}

json_t *fact_flows(const struct facts *f)
{
	return f->r->aggregated && f->r->flows ? number(f->r->flows) : NULL;
}

json_t *fact_sample(const struct facts *f)
{
	return f->r->aggregated && f->r->n_samples ? json_samples(f->r) : NULL;
}

/* --- what it was ------------------------------------------------------------------------------ */

json_t *fact_verdict(const struct facts *f)
{
	return json_string(record_verdict_name(f->r->verdict));
}

json_t *fact_direction(const struct facts *f)
{
	return json_string(direction_name(f->r->direction));
}

/* A frame without an IP packet in it has neither protocol nor addresses. */
static bool has_packet(const struct facts *f)
{
	return !f->r->aggregated && f->r->source.addr.family;
}

json_t *fact_protocol(const struct facts *f)
{
	char s[PROTO_STR];

	return has_packet(f) ? json_string(proto_name(s, f->r->proto)) : NULL;
}

json_t *fact_protocol_number(const struct facts *f)
{
	return has_packet(f) ? number(f->r->proto) : NULL;
}

json_t *fact_ip_version(const struct facts *f)
{
	return has_packet(f) ? number(f->r->source.addr.family == AF_INET6 ? 6 : 4) : NULL;
}

json_t *fact_icmp_type(const struct facts *f)
{
	return f->r->has_icmp ? number(f->r->icmp_type) : NULL;
}

json_t *fact_icmp_code(const struct facts *f)
{
	return f->r->has_icmp ? number(f->r->icmp_code) : NULL;
}

json_t *fact_tcp_flags(const struct facts *f)
{
	return f->r->has_tcp_flags ? number(f->r->tcp_flags) : NULL;
}

json_t *fact_frame_type(const struct facts *f)
{
	return f->r->has_frame ? json_sprintf("0x%04x", f->r->frame_type) : NULL;
}

/* --- who --------------------------------------------------------------------------------------- */

json_t *fact_uid(const struct facts *f)
{
	return f->r->has_uid ? number(f->r->uid) : NULL;
}

json_t *fact_gid(const struct facts *f)
{
	return f->r->has_gid ? number(f->r->gid) : NULL;
}

json_t *fact_uid_text(const struct facts *f)
{
	return f->r->has_uid ? json_sprintf("%" PRIu32, f->r->uid) : NULL;
}

json_t *fact_gid_text(const struct facts *f)
{
	return f->r->has_gid ? json_sprintf("%" PRIu32, f->r->gid) : NULL;
}

json_t *fact_pid(const struct facts *f)
{
	return f->r->process.pid ? number(f->r->process.pid) : NULL;
}

json_t *fact_comm(const struct facts *f)
{
	return f->r->process.pid ? json_hostile(f->r->process.comm) : NULL;
}

json_t *fact_exe(const struct facts *f)
{
	return f->r->process.pid ? json_hostile(f->r->process.exe) : NULL;
}

json_t *fact_exe_name(const struct facts *f)
{
	const char *slash = strrchr(f->r->process.exe, '/');

	return f->r->process.pid ? json_hostile(slash ? slash + 1 : f->r->process.exe) : NULL;
}

json_t *fact_process_unknown(const struct facts *f)
{
	return f->r->process.pid ? NULL : json_hostile(f->r->process.unknown);
}

/* --- why ---------------------------------------------------------------------------------------- */

json_t *fact_rule_kind(const struct facts *f)
{
	return json_string(record_rule_kind_name(f->r->rule_kind));
}

json_t *fact_rule_name(const struct facts *f)
{
	return f->r->rule_name[0] ? json_hostile(f->r->rule_name) : fact_rule_kind(f);
}

json_t *fact_rule_line(const struct facts *f)
{
	return f->r->rule_line ? number(f->r->rule_line) : NULL;
}

/* FILE:LINE */
json_t *fact_rule_place(const struct facts *f)
{
	char place[RECORD_STR + 16];

	if (!f->r->rule_file[0] || !f->r->rule_line)
		return json_hostile(f->r->rule_file);
	snprintf(place, sizeof(place), "%s:%u", f->r->rule_file, f->r->rule_line);
	return json_hostile(place);
}

json_t *fact_message(const struct facts *f)
{
	return json_hostile(f->s ? f->s->reason : f->r->reason);
}

json_t *fact_signal(const struct facts *f)
{
	return f->s ? json_string(signal_kind_name(f->s->kind)) : NULL;
}

/* The same finding has the same name wherever it is written. */
json_t *fact_signal_uid(const struct facts *f)
{
	char uid[2 * RECORD_STR + 64];

	if (!f->s)
		return NULL;
	snprintf(uid, sizeof(uid), "%s/%" PRId64 "/%s%s%s", signal_kind_name(f->s->kind),
		 f->s->when, f->r->endpoint_id, f->s->scope[0] ? "/" : "", f->s->scope);
	return json_hostile(uid);
}

json_t *fact_into_scope(const struct facts *f)
{
	return f->s ? json_hostile(f->s->scope) : NULL;
}

static bool is_scan(const struct facts *f)
{
	return f->s && f->s->kind == SIGNAL_PORT_SCAN;
}

json_t *fact_window(const struct facts *f)
{
	return is_scan(f) ? number(f->s->window_s) : NULL;
}

json_t *fact_ports(const struct facts *f)
{
	return is_scan(f) ? number(f->s->ports) : NULL;
}

json_t *fact_peers(const struct facts *f)
{
	return is_scan(f) ? number(f->s->peers) : NULL;
}

/* --- the ends ------------------------------------------------------------------------------------ */

/* One end of F. OWN: it is the endpoint whose table denied it. */
struct end {
	const struct facts *f;
	const struct record_end *e;
	const uint8_t *mac;
	bool own;
};

static struct end source_of(const struct facts *f)
{
	return (struct end) { f, &f->r->source, f->r->frame_source,
			      f->r->direction == DIRECTION_EGRESS };
}

static struct end destination_of(const struct facts *f)
{
	return (struct end) { f, &f->r->destination, f->r->frame_destination,
			      f->r->direction == DIRECTION_INGRESS };
}

static json_t *end_text(struct end end, const char *said, const char *own)
{
	return json_hostile(!said[0] && end.own ? own : said);
}

static json_t *end_ip(struct end end)
{
	char s[BH_ADDR_STR];

	return end.e->addr.family ? json_string(bh_addr_format(s, &end.e->addr)) : NULL;
}

static json_t *end_port(struct end end)
{
	return end.e->has_port ? number(end.e->port) : NULL;
}

static json_t *end_endpoint(struct end end)
{
	return end_text(end, end.e->endpoint, end.f->r->endpoint_id);
}

static json_t *end_name(struct end end)
{
	return end_text(end, end.e->name, end.f->r->endpoint_name);
}

static json_t *end_service(struct end end)
{
	return end_text(end, end.e->service, end.f->r->service);
}

static json_t *end_scope(struct end end)
{
	return end_text(end, end.e->scope, end.f->r->scope);
}

static json_t *end_mac(struct end end)
{
	const uint8_t *m = end.mac;

	return end.f->r->has_frame ? json_sprintf("%02X-%02X-%02X-%02X-%02X-%02X", m[0], m[1], m[2],
						  m[3], m[4], m[5])
				   : NULL;
}

static json_t *end_interface(struct end end)
{
	return end_text(end, "", end.f->r->interface);
}

static json_t *end_image(struct end end)
{
	return end_text(end, "", end.f->r->image);
}

static json_t *end_runtime(struct end end)
{
	return end_text(end, "", end.f->r->runtime);
}

static json_t *end_own_id(struct end end)
{
	return end_text(end, "", end.f->r->endpoint_id);
}

static json_t *end_own_name(struct end end)
{
	return end_text(end, "", end.f->r->endpoint_name);
}

#define BOTH_ENDS(what)                                                                            \
	json_t *fact_source_##what(const struct facts *f)                                          \
	{                                                                                          \
		return end_##what(source_of(f));                                                   \
	}                                                                                          \
	json_t *fact_destination_##what(const struct facts *f)                                     \
	{                                                                                          \
		return end_##what(destination_of(f));                                              \
	}

BOTH_ENDS(ip)
BOTH_ENDS(port)
BOTH_ENDS(endpoint)
BOTH_ENDS(name)
BOTH_ENDS(service)
BOTH_ENDS(scope)
BOTH_ENDS(mac)
BOTH_ENDS(interface)
BOTH_ENDS(image)
BOTH_ENDS(runtime)
BOTH_ENDS(own_id)
BOTH_ENDS(own_name)
