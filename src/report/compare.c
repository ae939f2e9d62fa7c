/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/report/report.h>

#include <errno.h>
#include <string.h>

#include "compare.h"
#include "writers.h"

/* Two reports of one scope: what is another. Each thing is a line of text, and lines are compared. */

json_t *compare_flow_line(const json_t *f)
{
	return json_sprintf("%s to %s on %s (%s)", fact_text(f, "from"), fact_text(f, "to"),
			    fact_text(f, "ports"), fact_text(f, "way"));
}

static json_t *endpoint_line(const json_t *e)
{
	if (!fact_is(e, "inside"))
		return NULL;
	return json_sprintf("%s: %s", fact_text(e, "name"), fact_text(e, "state"));
}

static json_t *denied_line(const json_t *g)
{
	return json_sprintf("%s %s %s on %s", fact_text(g, "service"), fact_text(g, "direction"),
			    fact_text(g, "peer"), fact_text(g, "port"));
}

static const struct {
	const char *rows;
	json_t *(*line)(const json_t *row);
	const char *came, *went;
	const char *section; /* whose "state" says whether it was read; NULL: always */
} things[] = {
	{ "flows", compare_flow_line, "Flows that may be opened now, and could not",
	  "Flows that are closed now", NULL },
	{ "endpoints", endpoint_line, "Endpoints of the scope that are there now, or in this state",
	  "Endpoints that are gone, or in another state", "enforcement" },
	{ "denied.groups", denied_line, "Denied attempts that were not there",
	  "Denied attempts that are there no more", "denied" },
	{ "denied.unclear", denied_line,
	  "Denied while a segmentation test ran, by the test or by somebody, that was not there",
	  "Denied while a segmentation test ran, by the test or by somebody, that is there no more",
	  "denied" },
};

static void put_lines(json_t *set, const json_t *rows, json_t *(*line)(const json_t *))
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		json_t *text = line(row);

		if (text)
			json_object_set_new(set, json_string_value(text), json_true());
		json_decref(text);
	}
}

void compare_add(json_t *parts, const char *title, json_t *lines)
{
	if (json_array_size(lines))
		json_array_append_new(parts,
				      json_pack("{s:s, s:O}", "title", title, "lines", lines));
	json_decref(lines);
}

/* The lines of A that B does not have. */
static void add_part(json_t *parts, const char *title, json_t *a, const json_t *b)
{
	json_t *lines = json_array(), *v;
	const char *line;

	json_object_foreach (a, line, v)
		if (!json_object_get(b, line))
			json_array_append_new(lines, json_string(line));
	compare_add(parts, title, lines);
}

static void compare_verdicts(json_t *parts, const json_t *now, const json_t *before)
{
	json_t *lines = json_array();
	const json_t *a, *b;
	size_t i, k;

	json_array_foreach (fact(now, "requirements"), i, a)
		json_array_foreach (fact(before, "requirements"), k, b)
			if (fact_equals(b, "id", fact_text(a, "id")) &&
			    !fact_equals(b, "verdict", fact_text(a, "verdict")))
				json_array_append_new(
					lines, json_sprintf("%s: %s, then %s", fact_text(a, "id"),
							    verdict_word(fact_text(b, "verdict")),
							    verdict_word(fact_text(a, "verdict"))));
	compare_add(parts, "Verdicts", lines);
}

/* What stands over it all: other policies, a clock that was set back. */
static void compare_heads(json_t *parts, const json_t *now, const json_t *before)
{
	json_t *lines = json_array();

	if (!fact_equals(now, "policies.digest", fact_text(before, "policies.digest")))
		json_array_append_new(lines, json_sprintf("policies: %.12s, then %.12s",
							  fact_text(before, "policies.digest"),
							  fact_text(now, "policies.digest")));
	if (fact_number(now, "days") != fact_number(before, "days"))
		json_array_append_new(
			lines, json_sprintf("the other report is of %" JSON_INTEGER_FORMAT
					    " days, and this one of %" JSON_INTEGER_FORMAT,
					    fact_number(before, "days"), fact_number(now, "days")));
	if (!fact_equals(now, "host", fact_text(before, "host")))
		json_array_append_new(lines,
				      json_sprintf("the other report is of another host (%s)",
						   fact_text(before, "host")));
	if (fact_time(before, "generated") > fact_time(now, "generated"))
		json_array_append_new(lines,
				      json_string("the other report is of a time that is still "
						  "to come: the clock was set back"));
	compare_add(parts, "All of it", lines);
}

static void compare_sets(json_t *parts, json_t *a, json_t *b, const char *came, const char *went)
{
	add_part(parts, came, a, b);
	add_part(parts, went, b, a);
	json_decref(a);
	json_decref(b);
}

static bool was_read(const json_t *report, const char *section)
{
	return !section || fact_equals(fact(report, section), "state", "read");
}

/* What could not be read once neither came nor went. */
static void add_unread(json_t *parts, const char *title, bool now)
{
	json_array_append_new(parts, json_pack("{s:s, s:[s]}", "title", title, "lines",
					       now ? "not compared: the other report could not "
						     "read them"
						   : "not compared: they could not be read now"));
}

int report_compare(json_t *report, const json_t *earlier, struct bh_err *err)
{
	json_t *parts = json_array(), *a, *b;

	if (!fact_equals(earlier, "scope.name", fact_text(report, "scope.name"))) {
		json_decref(parts);
		return bh_err_set(err, -EINVAL, "the other report is of scope %s",
				  fact_text(earlier, "scope.name"));
	}
	compare_heads(parts, report, earlier);
	compare_verdicts(parts, report, earlier);
	compare_judged(parts, report, earlier);
	compare_said(parts, report, earlier);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		bool is = was_read(report, things[i].section);
		bool was = was_read(earlier, things[i].section);

		if (is != was)
			add_unread(parts, things[i].came, is);
		if (!is || !was)
			continue;
		a = json_object();
		b = json_object();
		put_lines(a, fact(report, things[i].rows), things[i].line);
		put_lines(b, fact(earlier, things[i].rows), things[i].line);
		compare_sets(parts, a, b, things[i].came, things[i].went);
	}
	if (json_object_set_new(report, "compared",
				json_pack("{s:s, s:o}", "since", fact_text(earlier, "generated"),
					  "parts", parts)) < 0)
		return bh_err_oom(err);
	return 0;
}
