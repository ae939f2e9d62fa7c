/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include "writers.h"

const char *verdict_word(const char *verdict)
{
	return strcmp(verdict, "not-assessed") == 0 ? "not assessed" : verdict;
}

const char *verdict_count(const char *verdict, json_int_t n)
{
	return n != 1 && strcmp(verdict, "finding") == 0 ? "findings" : verdict_word(verdict);
}

#define DENIED_COLUMNS                                                                             \
	{                                                                                          \
		{ "denied by", "service" }, { "way", "direction" }, { "other end", "peer" },       \
			{ "port", "port" }, { "packets", "packets" }, { "records", "records" },    \
			{ "first", "first" }, { "last", "last" },                                  \
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
	{ "denied", "Denied attempts", "denied.groups",
	  "By the service that denied them, those with the most packets first, then those of the "
	  "others that were seen last.",
	  "Nothing of the scope was denied, or it is not known what was.", DENIED_COLUMNS,
	  "denied.more" },
	{ "unclear", "Denied while a segmentation test ran, by the test or by somebody",
	  "denied.unclear",
	  "Only their count is known: no packet tells them from the test's. Those that can be told "
	  "from it stand above.",
	  NULL, DENIED_COLUMNS, "denied.more_unclear" },
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
	{ "gaps",
	  "Times without bulkheadd, or in which not all was recorded",
	  "trail.runs.gaps",
	  "From the audit trail. Without an end: it lasted when this report was made.",
	  NULL,
	  { { "of", "what" },
	    { "how it ended", "kind" },
	    { "from", "from" },
	    { "to", "to" },
	    { "seconds", "seconds" },
	    { "machine started", "booted" },
	    { "why", "why" } } },
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

const char *table_more(const struct table *t, const json_t *report, char ret[TABLE_MORE])
{
	json_int_t n = t->more ? fact_number(report, t->more) : 0;

	ret[0] = '\0';
	if (n)
		snprintf(ret, TABLE_MORE, "And %" JSON_INTEGER_FORMAT " more, not listed.", n);
	return ret;
}

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

/* Texts, numbers, lists of texts, yes and no. */
static void add_cell(struct bh_buf *b, const struct style *s, const json_t *v)
{
	struct bh_buf cell;

	bh_buf_init(&cell, 1 << 20);
	add_value(v, &cell);
	bh_buf_addstr(b, s->cell);
	s->text(b, bh_buf_str(&cell));
	bh_buf_addstr(b, s->cell_end);
	bh_buf_done(&cell);
}

void style_row(struct bh_buf *b, const struct style *s, const struct table *t, const json_t *row)
{
	bh_buf_addstr(b, s->row);
	for (size_t i = 0; i < COLUMNS_MAX && t->columns[i].title; i++)
		add_cell(b, s, fact(row, t->columns[i].path));
	bh_buf_addstr(b, s->row_end);
}

void style_list(struct bh_buf *b, const struct style *s, const char *title, const json_t *list)
{
	const json_t *v;
	size_t i;

	if (!json_array_size(list))
		return;
	bh_buf_addstr(b, s->list);
	s->text(b, title);
	bh_buf_addstr(b, s->items);
	json_array_foreach (list, i, v) {
		bh_buf_addstr(b, s->item);
		s->text(b, json_string_value(v) ? json_string_value(v) : "");
		bh_buf_addstr(b, s->item_end);
	}
	bh_buf_addstr(b, s->list_end);
}

void style_head(struct bh_buf *b,
		void (*add)(struct bh_buf *b, const char *term, const char *s, const char *more),
		const json_t *report, const char *digest)
{
	add(b, "made", fact_text(report, "generated"), fact_text(report, "host"));
	add(b, "framework", fact_text(report, "scope.framework"), "");
	add(b, "policies", fact_text(report, "policies.digest"), "");
	add(b, "in force since", fact_text(report, "generations.since"),
	    fact_text(report, "generations.by"));
	add(b, "segmentation test", fact_text(report, "probe.when"), "");
	add(b, "digest of the data", digest, "SHA-256");
	add(b, "made by", "bulkhead", fact_text(report, "version"));
}

void style_compared(struct bh_buf *b, const struct style *s, const json_t *report)
{
	const json_t *part;
	size_t i;

	json_array_foreach (fact(report, "compared.parts"), i, part)
		style_list(b, s, fact_text(part, "title"), fact(part, "lines"));
}
