/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "writers.h"

const char *verdict_word(const char *verdict)
{
	return strcmp(verdict, "not-assessed") == 0 ? "not assessed" : verdict;
}

const struct table report_tables[] = {
	{ "flows",
	  "Allowed services, protocols and ports",
	  "flows",
	  "Everything that may be opened into the scope, out of it, or within it. All else is "
	  "denied.",
	  "No flow touches the scope.",
	  { { "from", "from" },
	    { "to", "to" },
	    { "ports", "ports" },
	    { "way", "way" },
	    { "reason", "reason" },
	    { "owner", "owner" },
	    { "ticket", "ticket" },
	    { "reviewed", "reviewed" },
	    { "remarks", "remarks" },
	    { "line", "where" } } },
	{ "insecure",
	  "Services on ports that are known to be insecure",
	  "insecure",
	  NULL,
	  "None of the flows is on such a port.",
	  { { "from", "from" },
	    { "to", "to" },
	    { "ports", "ports" },
	    { "what it is", "what" },
	    { "what makes up for it", "note" },
	    { "line", "where" } } },
	{ "services",
	  "Services of the scope",
	  "services",
	  NULL,
	  "The scope is empty: no service is in it.",
	  { { "service", "name" },
	    { "owner", "owner" },
	    { "mode", "mode" },
	    { "endpoints", "endpoints" },
	    { "records denied", "log_denied" },
	    { "records allowed", "log_allowed" },
	    { "taken for a store", "store" },
	    { "line", "where" } } },
	{ "endpoints",
	  "Endpoints, as their kernels say",
	  "endpoints",
	  "Each table was read back and compared with what the policies ask for.",
	  "No endpoint was there.",
	  { { "endpoint", "name" },
	    { "services", "services" },
	    { "in the scope", "inside" },
	    { "state", "state" },
	    { "denied packets", "denied_packets" },
	    { "why", "why" } } },
	{ "denied",
	  "Denied attempts",
	  "denied.groups",
	  "By the service that denied them, those with the most packets first.",
	  "Nothing of the scope was denied, or it is not known what was.",
	  { { "denied by", "service" },
	    { "way", "direction" },
	    { "other end", "peer" },
	    { "port", "port" },
	    { "packets", "packets" },
	    { "records", "records" },
	    { "first", "first" },
	    { "last", "last" } } },
	{ "unused",
	  "Rules that nothing has hit",
	  "rules.unused",
	  NULL,
	  NULL,
	  { { "service", "service" },
	    { "rule", "rule" },
	    { "counted since", "since" },
	    { "last hit", "last" },
	    { "line", "where" } } },
	{ "guardrails",
	  "Guardrails over the scope",
	  "policies.guardrails",
	  NULL,
	  "None.",
	  { { "guardrail", "name" }, { "reasons", "reasons" }, { "line", "where" } } },
	{ "changes",
	  "Changes of the policies",
	  "trail.changes",
	  "From the audit trail, the newest last; bulkhead history shows each with its difference.",
	  "None is known.",
	  { { "entry", "seq" },
	    { "when", "when" },
	    { "who", "who" },
	    { "what", "action" },
	    { "outcome", "outcome" },
	    { "policies", "after" },
	    { "touches", "objects" },
	    { "detail", "detail" } } },
	{ 0 },
};

static void add_value(const json_t *v, struct bh_buf *out)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		bh_buf_addstr(out, json_string_value(v));
	else if (json_is_integer(v))
		bh_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else if (json_is_boolean(v))
		bh_buf_addstr(out, json_is_true(v) ? "yes" : "no");
	json_array_foreach (v, i, item) {
		bh_buf_addstr(out, i ? ", " : "");
		if (json_is_string(item))
			bh_buf_addstr(out, json_string_value(item));
	}
}

void table_cell(const json_t *row, const char *path, struct bh_buf *out)
{
	bh_buf_init(out, 1 << 20);
	add_value(fact(row, path), out);
}
