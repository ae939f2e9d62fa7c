/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "formats.h"

#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>

#include "facts.h"

/*
 * Elastic Common Schema 9.0.0 (https://www.elastic.co/docs/reference/ecs): a network event; a signal is
 * one of kind alert. What has no field of its own is in the field set `bulkhead`.
 */

#define ECS_VERSION "9.0.0"

static json_t *kind(const struct facts *f)
{
	return json_string(f->s ? "alert" : "event");
}

static json_t *category(const struct facts *f)
{
	return f->s ? json_pack("[s, s]", "network", "intrusion_detection")
		    : json_pack("[s]", "network");
}

static json_t *type(const struct facts *f)
{
	return json_pack("[s, s]", "connection",
			 f->r->verdict == RECORD_DENY ? "denied" : "allowed");
}

static json_t *action(const struct facts *f)
{
	return f->s ? fact_signal(f) : fact_verdict(f);
}

static json_t *dataset(const struct facts *f)
{
	return json_string(f->s ? "bulkhead.signal" : "bulkhead.flow");
}

static json_t *transport(const struct facts *f)
{
	return f->r->proto == IPPROTO_ICMPV6 ? json_string("ipv6-icmp") : fact_protocol(f);
}

static json_t *iana_number(const struct facts *f)
{
	return f->r->source.addr.family ? json_sprintf("%u", f->r->proto) : NULL;
}

static json_t *ip_type(const struct facts *f)
{
	if (!f->r->source.addr.family)
		return NULL;
	return json_string(f->r->source.addr.family == AF_INET6 ? "ipv6" : "ipv4");
}

/* The names of the two fields differ by the direction of the packet. */
static json_t *interface_if(const struct facts *f, enum direction d)
{
	return f->r->direction == d ? json_hostile(f->r->interface) : NULL;
}

static json_t *ingress_interface(const struct facts *f)
{
	return interface_if(f, DIRECTION_INGRESS);
}

static json_t *egress_interface(const struct facts *f)
{
	return interface_if(f, DIRECTION_EGRESS);
}

static json_t *related_ip(const struct facts *f)
{
	json_t *a = fact_source_ip(f), *b = fact_destination_ip(f);

	if (!a || !b) {
		json_decref(a);
		json_decref(b);
		return NULL;
	}
	return json_pack("[o, o]", a, b);
}

static const struct fact_field fields[] = {
	FACT("@timestamp", fact_when),
	FACT_FIXED("ecs.version", ECS_VERSION),
	FACT("message", fact_message),
	FACT("event.kind", kind),
	FACT("event.category", category),
	FACT("event.type", type),
	FACT("event.action", action),
	FACT_FIXED("event.module", "bulkhead"),
	FACT_FIXED("event.provider", "bulkhead"),
	FACT("event.dataset", dataset),
	FACT("event.start", fact_first_seen),
	FACT("event.end", fact_last_seen),
	FACT("event.reason", fact_message),
	FACT("event.id", fact_signal_uid),
	FACT("network.direction", fact_direction),
	FACT("network.transport", transport),
	FACT("network.iana_number", iana_number),
	FACT("network.type", ip_type),
	FACT("network.packets", fact_packets),
	FACT("network.bytes", fact_bytes),
	FACT("source.address", fact_source_ip),
	FACT("source.ip", fact_source_ip),
	FACT("source.port", fact_source_port),
	FACT("source.mac", fact_source_mac),
	FACT("destination.address", fact_destination_ip),
	FACT("destination.ip", fact_destination_ip),
	FACT("destination.port", fact_destination_port),
	FACT("destination.mac", fact_destination_mac),
	FACT("related.ip", related_ip),
	FACT_TEXT("container.id", endpoint_id),
	FACT_TEXT("container.name", endpoint_name),
	FACT_TEXT("container.runtime", runtime),
	FACT_TEXT("container.image.name", image),
	FACT_TEXT("service.name", service),
	FACT("user.id", fact_uid_text),
	FACT("group.id", fact_gid_text),
	FACT("process.pid", fact_pid),
	FACT("process.name", fact_comm),
	FACT("process.executable", fact_exe),
	FACT("rule.name", fact_rule_name),
	FACT("rule.category", fact_rule_kind),
	FACT("rule.id", fact_rule_place),
	FACT_TEXT("rule.ruleset", generation),
	FACT_TEXT("host.name", host),
	FACT_TEXT("host.hostname", host),
	FACT_FIXED("observer.type", "firewall"),
	FACT_FIXED("observer.vendor", "Bulkhead"),
	FACT_FIXED("observer.product", "Bulkhead"),
	FACT_FIXED("observer.version", BULKHEAD_VERSION),
	FACT("observer.ingress.interface.name", ingress_interface),
	FACT("observer.egress.interface.name", egress_interface),
	FACT("bulkhead.verdict", fact_verdict),
	FACT_TEXT("bulkhead.owner", owner),
	FACT_TEXT("bulkhead.scope", scope),
	FACT_TEXT("bulkhead.netns", netns),
	FACT_TEXT("bulkhead.near_miss", near_miss),
	FACT_TEXT("bulkhead.other_side", other_side),
	FACT("bulkhead.aggregated", fact_aggregated),
	FACT("bulkhead.flows", fact_flows),
	FACT("bulkhead.sample", fact_sample),
	FACT("bulkhead.source.endpoint", fact_source_endpoint),
	FACT("bulkhead.source.name", fact_source_name),
	FACT("bulkhead.source.service", fact_source_service),
	FACT("bulkhead.source.scope", fact_source_scope),
	FACT("bulkhead.destination.endpoint", fact_destination_endpoint),
	FACT("bulkhead.destination.name", fact_destination_name),
	FACT("bulkhead.destination.service", fact_destination_service),
	FACT("bulkhead.destination.scope", fact_destination_scope),
	FACT("bulkhead.tcp_flags", fact_tcp_flags),
	FACT("bulkhead.icmp.type", fact_icmp_type),
	FACT("bulkhead.icmp.code", fact_icmp_code),
	FACT("bulkhead.frame_type", fact_frame_type),
	FACT("bulkhead.process_unknown", fact_process_unknown),
	FACT("bulkhead.signal", fact_signal),
	FACT("bulkhead.window_seconds", fact_window),
	FACT("bulkhead.ports", fact_ports),
	FACT("bulkhead.peers", fact_peers),
	FACT("bulkhead.into_scope", fact_into_scope),
};

static int put_line(const struct facts *f, struct bh_buf *out)
{
	json_t *o = json_object();

	FACTS_PUT(o, fields, f);
	return json_take_line(o, out);
}

int ecs_record(const struct flow_record *r, struct bh_buf *out)
{
	struct facts f = facts_of_record(r);

	return put_line(&f, out);
}

int ecs_signal(const struct flow_signal *s, struct bh_buf *out)
{
	struct facts f = facts_of_signal(s);

	return put_line(&f, out);
}
