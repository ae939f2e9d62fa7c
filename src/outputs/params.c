/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "params.h"

#include <syslog.h>

#include <bulkhead/base/cleanup.h>

#define VALUE_MAX 4096 /* 512 bytes, all escaped */

static const struct fact_field fields[] = {
	FACT("signal", fact_signal),
	FACT("verdict", fact_verdict),
	FACT("direction", fact_direction),
	FACT("first_seen", fact_first_seen),
	FACT("last_seen", fact_last_seen),
	FACT("packets", fact_packets),
	FACT("bytes", fact_bytes),
	FACT("aggregated", fact_aggregated),
	FACT("flows", fact_flows),
	FACT("protocol", fact_protocol),
	FACT("source", fact_source_ip),
	FACT("source_port", fact_source_port),
	FACT("source_endpoint", fact_source_endpoint),
	FACT("source_name", fact_source_name),
	FACT("source_service", fact_source_service),
	FACT("source_scope", fact_source_scope),
	FACT("source_mac", fact_source_mac),
	FACT("destination", fact_destination_ip),
	FACT("destination_port", fact_destination_port),
	FACT("destination_endpoint", fact_destination_endpoint),
	FACT("destination_name", fact_destination_name),
	FACT("destination_service", fact_destination_service),
	FACT("destination_scope", fact_destination_scope),
	FACT("destination_mac", fact_destination_mac),
	FACT("icmp_type", fact_icmp_type),
	FACT("icmp_code", fact_icmp_code),
	FACT("tcp_flags", fact_tcp_flags),
	FACT("frame_type", fact_frame_type),
	FACT_TEXT("interface", interface),
	FACT_TEXT("endpoint", endpoint_id),
	FACT_TEXT("name", endpoint_name),
	FACT_TEXT("runtime", runtime),
	FACT_TEXT("image", image),
	FACT_TEXT("service", service),
	FACT_TEXT("owner", owner),
	FACT_TEXT("scope", scope),
	FACT("uid", fact_uid),
	FACT("gid", fact_gid),
	FACT("pid", fact_pid),
	FACT("comm", fact_comm),
	FACT("exe", fact_exe),
	FACT("rule", fact_rule_kind),
	FACT("rule_name", fact_rule_name),
	FACT("rule_place", fact_rule_place),
	FACT("window_seconds", fact_window),
	FACT("ports", fact_ports),
	FACT("peers", fact_peers),
	FACT("into_scope", fact_into_scope),
	FACT_TEXT("generation", generation),
	FACT_TEXT("near_miss", near_miss),
	FACT_TEXT("other_side", other_side),
	FACT("reason", fact_message),
};

int params_each(const struct facts *f, param_fn *fn, void *arg)
{
	struct bh_buf text;
	int r = 0;

	bh_buf_init(&text, VALUE_MAX);
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(fields); i++) {
		json_t *value = fact_value(&fields[i], f);

		if (!value)
			continue;
		bh_buf_reset(&text);
		fact_print(value, &text);
		json_decref(value);
		r = bh_buf_error(&text);
		if (r >= 0)
			r = fn(fields[i].path, bh_buf_str(&text), text.len, arg);
	}
	bh_buf_done(&text);
	return r;
}

int params_severity(const struct facts *f)
{
	if (f->s)
		return LOG_WARNING;
	return f->r->verdict == RECORD_DENY ? LOG_NOTICE : LOG_INFO;
}
