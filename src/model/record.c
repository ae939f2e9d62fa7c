/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/record.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/text.h>
#include <bulkhead/model/json.h>

#include "record_json.h"

static const char *const verdicts[] = {
	[RECORD_DENY] = "deny",
	[RECORD_AUDIT] = "audit",
	[RECORD_ALLOW] = "allow",
};

static const char *const rule_kinds[] = {
	[RECORD_DEFAULT_DENY] = "default-deny",
	[RECORD_GUARDRAIL] = "guardrail",
	[RECORD_RAW_SOCKET] = "raw-socket",
	[RECORD_INVALID] = "invalid",
	[RECORD_BASELINE] = "baseline",
	[RECORD_REVOKED] = "revoked",
	[RECORD_ALLOWED] = "allow",
};

const char *record_verdict_name(enum record_verdict v)
{
	return verdicts[v];
}

const char *record_rule_kind_name(enum record_rule_kind k)
{
	return rule_kinds[k];
}

void record_packet_set(struct record_packet *p, const uint8_t *data, size_t len, size_t ip_at,
		       uint32_t length)
{
	size_t fits = len < sizeof(p->bytes) ? len : sizeof(p->bytes);

	p->len = (uint16_t)fits;
	p->ip_at = (uint16_t)(ip_at < fits ? ip_at : fits);
	p->length = length > len ? length : (uint32_t)len;
	memcpy(p->bytes, data, fits);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void add_end_json(struct bh_buf *b, const char *key, const struct record_end *e)
{
	char s[BH_ADDR_STR];

	json_add_object(b, key);
	if (e->addr.family)
		json_add_text(b, "address", bh_addr_format(s, &e->addr));
	if (e->has_port)
		json_add_number(b, "port", e->port);
	json_add_text(b, "endpoint", e->endpoint);
	json_add_text(b, "name", e->name);
	json_add_text(b, "service", e->service);
	json_add_text(b, "scope", e->scope);
	json_add_end(b, '}');
}

static void add_process_json(struct bh_buf *b, const struct record_process *p)
{
	json_add_object(b, "process");
	if (p->pid) {
		json_add_number(b, "pid", p->pid);
		json_add_text(b, "comm", p->comm);
		json_add_text(b, "exe", p->exe);
	} else {
		json_add_text(b, "unknown", p->unknown);
	}
	json_add_end(b, '}');
}

static void add_endpoint_json(struct bh_buf *b, const struct flow_record *r)
{
	json_add_object(b, "endpoint");
	json_add_text(b, "id", r->endpoint_id);
	json_add_text(b, "name", r->endpoint_name);
	json_add_text(b, "runtime", r->runtime);
	json_add_text(b, "image", r->image);
	json_add_text(b, "netns", r->netns);
	json_add_end(b, '}');
}

static void add_rule_json(struct bh_buf *b, const struct flow_record *r)
{
	json_add_object(b, "rule");
	json_add_text(b, "kind", rule_kinds[r->rule_kind]);
	json_add_text(b, "name", r->rule_name);
	json_add_text(b, "file", r->rule_file);
	if (r->rule_line)
		json_add_number(b, "line", r->rule_line);
	json_add_end(b, '}');
}

#define MAC_STR 18

static const char *format_mac(char out[MAC_STR], const uint8_t mac[6])
{
	snprintf(out, MAC_STR, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return out;
}

static void add_frame_json(struct bh_buf *b, const struct flow_record *r)
{
	char mac[MAC_STR], type[8];

	json_add_object(b, "frame");
	json_add_text(b, "source", format_mac(mac, r->frame_source));
	json_add_text(b, "destination", format_mac(mac, r->frame_destination));
	snprintf(type, sizeof(type), "0x%04x", r->frame_type);
	json_add_text(b, "type", type);
	json_add_end(b, '}');
}

static void add_icmp_json(struct bh_buf *b, const struct flow_record *r)
{
	json_add_object(b, "icmp");
	json_add_number(b, "type", r->icmp_type);
	json_add_number(b, "code", r->icmp_code);
	json_add_end(b, '}');
}

/* A frame that holds no IP packet has neither protocol nor addresses. */
static bool is_bare_frame(const struct flow_record *r)
{
	return r->has_frame && !r->source.addr.family;
}

static void add_samples_json(struct bh_buf *b, const struct flow_record *r)
{
	char addr[BH_ADDR_STR], proto[PROTO_STR];

	json_add_array(b, "sample");
	for (unsigned i = 0; i < r->n_samples && i < RECORD_SAMPLES; i++) {
		const struct record_sample *s = &r->samples[i];

		json_add_object(b, NULL);
		json_add_text(b, "peer", bh_addr_format(addr, &s->peer));
		json_add_text(b, "protocol", proto_name(proto, s->proto));
		if (s->port)
			json_add_number(b, "port", s->port);
		json_add_end(b, '}');
	}
	json_add_end(b, ']');
}

/* The same for an object of jansson. */
json_t *json_samples(const struct flow_record *r)
{
	char addr[BH_ADDR_STR], proto[PROTO_STR];
	json_t *all = json_array();

	for (unsigned i = 0; i < r->n_samples && i < RECORD_SAMPLES; i++) {
		const struct record_sample *s = &r->samples[i];
		json_t *o = json_object();

		json_put_text(o, "peer", bh_addr_format(addr, &s->peer));
		json_put_text(o, "protocol", proto_name(proto, s->proto));
		if (s->port)
			json_put_number(o, "port", s->port);
		json_array_append_new(all, o);
	}
	return all;
}

static void add_flow_json(struct bh_buf *b, const struct flow_record *r)
{
	char proto[PROTO_STR];

	json_add_time(b, "first_seen", r->first_seen);
	json_add_time(b, "last_seen", r->last_seen);
	json_add_text(b, "verdict", verdicts[r->verdict]);
	json_add_text(b, "direction", direction_name(r->direction));
	json_add_number(b, "packets", r->packets);
	json_add_number(b, "bytes", r->bytes);
	if (r->aggregated)
		json_add_true(b, "aggregated");
	if (r->aggregated && r->flows)
		json_add_number(b, "flows", r->flows);
	if (r->aggregated && r->n_samples)
		add_samples_json(b, r);
	if (!r->aggregated && !is_bare_frame(r))
		json_add_text(b, "protocol", proto_name(proto, r->proto));
	add_end_json(b, "source", &r->source);
	add_end_json(b, "destination", &r->destination);
	if (r->has_icmp)
		add_icmp_json(b, r);
	if (r->has_tcp_flags)
		json_add_number(b, "tcp_flags", r->tcp_flags);
	if (r->has_frame)
		add_frame_json(b, r);
}

static void add_explanation_json(struct bh_buf *b, const struct flow_record *r)
{
	json_add_text(b, "interface", r->interface);
	add_endpoint_json(b, r);
	json_add_text(b, "service", r->service);
	json_add_text(b, "owner", r->owner);
	json_add_text(b, "scope", r->scope);
	if (r->has_uid)
		json_add_number(b, "uid", r->uid);
	if (r->has_gid)
		json_add_number(b, "gid", r->gid);
	if (r->process.pid || r->process.unknown)
		add_process_json(b, &r->process);
	add_rule_json(b, r);
	json_add_text(b, "reason", r->reason);
	json_add_text(b, "near_miss", r->near_miss);
	json_add_text(b, "other_side", r->other_side);
	json_add_text(b, "host", r->host);
	json_add_text(b, "generation", r->generation);
}

void record_add_json(struct bh_buf *b, const char *key, const struct flow_record *r)
{
	json_add_object(b, key);
	json_add_text(b, "schema", "bulkhead.flow/1");
	add_flow_json(b, r);
	add_explanation_json(b, r);
	json_add_end(b, '}');
}

int flow_record_json(const struct flow_record *r, struct bh_buf *out)
{
	size_t start = out->len;

	record_add_json(out, NULL, r);
	return json_end_line(out, start);
}

/* --- text ----------------------------------------------------------------------------------- */

static const struct {
	const char *word, *colour;
} shown_verdicts[] = {
	[RECORD_DENY] = { "DENY ", "\033[31m" },
	[RECORD_AUDIT] = { "AUDIT", "\033[33m" },
	[RECORD_ALLOW] = { "ALLOW", "\033[32m" },
};

static void add_escaped(struct bh_buf *b, const char *s)
{
	bh_escape(b, s, strlen(s));
}

/*
 * Text that was escaped when it was made: its backslashes stay as they are. What would do harm all
 * the same, and a character that was cut in two, are escaped here.
 */
static void add_once_escaped(struct bh_buf *b, const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "\\");

		bh_escape(b, s, n);
		if (!s[n])
			return;
		bh_buf_addstr(b, "\\");
		s += n + 1;
	}
}

/* "ledger (shop/ledger)", "shop/ledger", or nothing. */
static void add_who(struct bh_buf *b, const char *service, const char *endpoint)
{
	if (service[0])
		add_escaped(b, service);
	if (endpoint[0] && strcmp(endpoint, service) != 0) {
		bh_buf_addstr(b, service[0] ? " (" : "");
		add_escaped(b, endpoint);
		bh_buf_addstr(b, service[0] ? ")" : "");
	}
}

static void add_address(struct bh_buf *b, const struct record_end *e, bool with_port)
{
	char s[BH_ADDR_STR];
	bool bracket = with_port && e->addr.family == AF_INET6;

	if (!e->addr.family)
		return;
	bh_buf_addf(b, "%s%s%s", bracket ? "[" : "", bh_addr_format(s, &e->addr),
		    bracket ? "]" : "");
	if (with_port)
		bh_buf_addf(b, ":%u", e->port);
}

/* The id of a container says nothing to a person: then its name is what is shown. */
static bool is_container_id(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

static void add_end(struct bh_buf *b, const struct record_end *e, bool with_port)
{
	bool named = e->service[0] || e->endpoint[0];

	add_who(b, e->service, e->name[0] && is_container_id(e->endpoint) ? e->name : e->endpoint);
	if (named)
		bh_buf_addstr(b, " ");
	add_address(b, e, with_port);
}

static void add_protocol(struct bh_buf *b, const struct flow_record *r)
{
	char proto[PROTO_STR];
	const char *type = r->has_icmp ? icmp_type_name(r->proto, r->icmp_type) : NULL;

	if (r->destination.has_port)
		bh_buf_addf(b, "/%s", proto_name(proto, r->proto));
	else if (type)
		bh_buf_addf(b, " %s/%s", proto_name(proto, r->proto), type);
	else if (r->has_icmp)
		bh_buf_addf(b, " %s/%u", proto_name(proto, r->proto), r->icmp_type);
	else
		bh_buf_addf(b, " protocol %s", proto_name(proto, r->proto));
}

static void add_flow(struct bh_buf *b, const struct flow_record *r)
{
	char mac[MAC_STR];

	if (r->aggregated) {
		add_who(b, r->service, r->endpoint_name);
		if (r->flows)
			bh_buf_addf(b, ": %u flows or more", r->flows);
		else
			bh_buf_addstr(b, ": several flows");
		return;
	}
	if (is_bare_frame(r)) {
		add_who(b, r->service, r->endpoint_name);
		bh_buf_addf(b, " %s", format_mac(mac, r->frame_source));
		bh_buf_addf(b, " -> %s frame 0x%04x", format_mac(mac, r->frame_destination),
			    r->frame_type);
		return;
	}
	add_end(b, &r->source, false);
	bh_buf_addstr(b, " -> ");
	add_end(b, &r->destination, r->destination.has_port);
	add_protocol(b, r);
}

static void add_rule(struct bh_buf *b, const struct flow_record *r)
{
	bh_buf_addf(b, "  %s", rule_kinds[r->rule_kind]);
	if (r->rule_file[0]) {
		bh_buf_addstr(b, " ");
		add_once_escaped(b, r->rule_file);
	}
	if (r->rule_file[0] && r->rule_line)
		bh_buf_addf(b, ":%u", r->rule_line);
}

int flow_record_text(const struct flow_record *r, struct bh_buf *out, bool colour)
{
	char when[BH_TIME_STR];

	bh_format_time(when, r->first_seen);
	bh_buf_addf(out, "%.12s %s%s%s %-7s ", when + 11,
		    colour ? shown_verdicts[r->verdict].colour : "",
		    shown_verdicts[r->verdict].word, colour ? "\033[0m" : "",
		    direction_name(r->direction));
	add_flow(out, r);
	if (r->has_uid)
		bh_buf_addf(out, "  uid %u", r->uid);
	bh_buf_addf(out, "  %" PRIu64 " %s", r->packets, r->packets == 1 ? "packet" : "packets");
	add_rule(out, r);
	if (r->reason[0]) {
		bh_buf_addf(out, "  %s", colour ? "\033[2m" : "");
		add_once_escaped(out, r->reason);
		bh_buf_addstr(out, colour ? "\033[0m" : "");
	}
	return bh_buf_addstr(out, "\n");
}
