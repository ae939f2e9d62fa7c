/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "compare.h"

/* The same flow in two reports, and what its rules say of it: another reason, owner or ticket is a change. */

static const char *const fields[] = { "reason", "owner", "ticket", "reviewed", "note" };

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Of several rules that are one flow, all that they say, in their order; once what they all say. */
static void add_said(json_t *said, const json_t *flow)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const char *before = fact_text(said, fields[i]), *s = fact_text(flow, fields[i]);

		if (s[0] && strcmp(before, s) != 0)
			json_object_set_new(
				said, fields[i],
				json_sprintf("%s%s%s", before, before[0] ? "; " : "", s));
	}
}

/* {line: {field: what is said}} */
static json_t *said_of(const json_t *report)
{
	json_t *all = json_object();
	const json_t *f;
	size_t i;

	fact_each (report, "flows", i, f) {
		json_t *line = compare_flow_line(f);
		json_t *said = json_object_get(all, json_string_value(line));

		if (!said) {
			said = json_object();
			json_object_set_new(all, json_string_value(line), said);
		}
		add_said(said, f);
		json_decref(line);
	}
	return all;
}

static void add_changes(json_t *lines, const char *flow, const json_t *now, const json_t *before)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const char *a = fact_text(before, fields[i]), *b = fact_text(now, fields[i]);

		if (strcmp(a, b) != 0)
			json_array_append_new(lines,
					      json_sprintf("%s: %s: %s, then %s", flow, fields[i],
							   a[0] ? a : "none", b[0] ? b : "none"));
	}
}

void compare_said(json_t *parts, const json_t *now, const json_t *before)
{
	json_t *a = said_of(now), *b = said_of(before), *lines = json_array(), *said;
	const char *flow;

	json_object_foreach (a, flow, said)
		if (json_object_get(b, flow))
			add_changes(lines, flow, said, json_object_get(b, flow));
	compare_add(parts, "Flows of which something else is said now", lines);
	json_decref(a);
	json_decref(b);
}
