/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "netns_name.h"
#include "report.h"

/* What other runs have found out, as they wrote it: hostile until it is tamed. */

#define USEC        INT64_C(1000000)
#define RUN_AGE_MAX (86400 * USEC) /* of what says how things stand */

int report_file(const char *option, const char *path, char **ret, size_t *ret_len)
{
	int r = bh_read_file(path, BH_REPORT_BYTES_MAX, ret, ret_len);
	char shown[256];

	if (r >= 0)
		return CLI_YES;
	return cli_fail(CLI_USAGE, "report: --%s %s: %s", option,
			bh_escape_str(shown, sizeof(shown), path), strerrordesc_np(-r));
}

bool report_lines(const char *text, size_t len, bool (*take)(const json_t *o, void *arg), void *arg)
{
	const char *end = text + len;
	bool right = len > 0;

	while (right && text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);
		json_t *o = n ? json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL) : NULL;

		report_tame(o);
		right = !n || (json_is_object(o) && take(o, arg));
		json_decref(o);
		text += n + 1;
	}
	return right;
}

bool gather_is_stale(const struct gathering *g, const json_t *sums, char why[GATHER_STALE])
{
	const char *when = cli_text(sums, "when"), *host = cli_text(sums, "host");
	int64_t t;

	why[0] = '\0';
	if (gather_time(when, &t) < 0)
		snprintf(why, GATHER_STALE, "it does not say when it was");
	else if (t > g->now + 60 * USEC)
		snprintf(why, GATHER_STALE,
			 "it is of %.40s, which is still to come: the clock was set back", when);
	else if (t < g->now - RUN_AGE_MAX)
		snprintf(why, GATHER_STALE, "it is of %.40s, and says nothing of today", when);
	else if (strcmp(host, cli_text(g->report, "host")) != 0)
		snprintf(why, GATHER_STALE, "it was of another host (%.100s)", host);
	return why[0];
}

json_int_t gather_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* --- the segmentation test (docs/probe.md) ----------------------------------------------------- */

#define PROBE_SCHEMA "bulkhead.probe/1"

struct probing {
	const struct gathering *g;
	json_t *findings, *unknown, *summary;
	json_t *asked; /* ids of those that packets were sent from or to: in which namespace, or "" */
	json_int_t questions;
	size_t more, elsewhere;
};

static bool is_id_inside(const struct probing *p, const char *id)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(p->g->report, "endpoints"), i, e)
		if (strcmp(cli_text(e, "endpoint"), id) == 0)
			return json_is_true(json_object_get(e, "inside"));
	return false;
}

static bool touches_scope(const struct probing *p, const json_t *line)
{
	return is_id_inside(p, cli_text(line, "from")) || is_id_inside(p, cli_text(line, "to")) ||
	       is_id_inside(p, cli_text(line, "endpoint"));
}

static void say(struct probing *p, json_t *list, json_t *text)
{
	if (json_array_size(list) >= BH_REPORT_FINDINGS_MAX) {
		p->more++;
		json_decref(text);
		return;
	}
	json_array_append_new(list, text);
}

static void on_finding(struct probing *p, const json_t *o)
{
	if (!touches_scope(p, o)) {
		p->elsewhere++;
		return;
	}
	say(p, p->findings,
	    json_sprintf("%s to %s on %s: %s%s%s (%s)", cli_text(o, "from"), cli_text(o, "to"),
			 cli_text(o, "protocol"), cli_text(o, "text"),
			 cli_text(o, "explain")[0] ? "; " : "", cli_text(o, "explain"),
			 cli_text(o, "where")[0] ? cli_text(o, "where") : cli_text(o, "fault")));
}

static void on_table(struct probing *p, const json_t *o)
{
	if (touches_scope(p, o))
		say(p, p->findings,
		    json_sprintf("%s: %s", cli_text(o, "endpoint"), cli_text(o, "text")));
	else
		p->elsewhere++;
}

/* Nothing was to be sent there, or it was asked on another way (docs/probe.md): nothing is amiss. */
static bool is_harmless(const char *reason)
{
	return strcmp(reason, "no-way") == 0 || strcmp(reason, "other-way") == 0;
}

static void on_not_probed(struct probing *p, const json_t *o)
{
	if (touches_scope(p, o) && !is_harmless(cli_text(o, "reason")))
		say(p, p->unknown,
		    json_sprintf("%s to %s was not probed: %s (%s)", cli_text(o, "from"),
				 cli_text(o, "to"), cli_text(o, "text"), cli_text(o, "reason")));
}

static void note_asked(struct probing *p, const char *id, const char *netns)
{
	json_object_set_new(p->asked, id, json_string(netns));
}

static void on_pair(struct probing *p, const json_t *o)
{
	json_int_t n = gather_number(o, "packets") - gather_number(o, "not_probed");

	if (n <= 0 || !touches_scope(p, o))
		return;
	p->questions += n;
	note_asked(p, cli_text(o, "from"), cli_text(o, "from_netns"));
	note_asked(p, cli_text(o, "to"), cli_text(o, "to_netns"));
}

static void on_summary(struct probing *p, const json_t *o)
{
	json_decref(p->summary);
	p->summary = json_deep_copy(o);
}

static const struct {
	const char *kind;
	void (*take)(struct probing *p, const json_t *line);
} kinds[] = {
	{ "finding", on_finding }, { "table", on_table },     { "not-probed", on_not_probed },
	{ "pair", on_pair },       { "summary", on_summary },
};

/* False: it is no line of a probe. */
static bool take_probe(const json_t *o, void *arg)
{
	struct probing *p = arg;
	bool right = strcmp(cli_text(o, "schema"), PROBE_SCHEMA) == 0;

	/* what comes behind a summary is of a run that was broken off */
	json_decref(right ? p->summary : NULL);
	p->summary = right ? NULL : p->summary;
	for (size_t i = 0; right && i < BH_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, cli_text(o, "kind")) == 0)
			kinds[i].take(p, o);
	return right;
}

/* In the namespace that it has now: a container that is made anew may have the id of the one before. */
static bool was_asked_as(const struct probing *p, const json_t *endpoint, const char *id)
{
	const char *now = cli_text(endpoint, "namespace");

	return json_object_get(p->asked, id) &&
	       (!now[0] || netns_name_is_same(now, cli_text(p->asked, id)));
}

/* Of those that share a namespace one is asked for all. */
static bool was_asked(const struct probing *p, const json_t *endpoint)
{
	json_t *id;
	size_t i;

	if (was_asked_as(p, endpoint, cli_text(endpoint, "endpoint")))
		return true;
	json_array_foreach (json_object_get(endpoint, "shares_with"), i, id)
		if (json_is_string(id) && was_asked_as(p, endpoint, json_string_value(id)))
			return true;
	return false;
}

/* Who has come into the scope since the test, or was passed over by it, was not tested. */
static void judge_coverage(struct probing *p)
{
	const char *first = NULL;
	size_t i, n = 0;
	json_t *e;

	json_array_foreach (json_object_get(p->g->report, "endpoints"), i, e)
		if (json_is_true(json_object_get(e, "inside")) && !was_asked(p, e) && !n++)
			first = cli_text(e, "name");
	if (n)
		json_array_append_new(p->unknown,
				      json_sprintf("the segmentation test did not ask %zu of the "
						   "endpoints that are in the scope now, or "
						   "not in the namespaces that they have now: %s%s",
						   n, first, n > 1 ? ", ..." : ""));
}

/* A test sends from endpoints alone: who else comes in is for people to try. */
static void judge_from_outside(struct probing *p)
{
	const json_t *first = NULL;
	size_t i, n = 0;
	json_t *f;

	json_array_foreach (json_object_get(p->g->report, "flows"), i, f)
		if (strcmp(cli_text(f, "way"), "inbound") == 0 &&
		    json_is_true(json_object_get(f, "outside")) && !n++)
			first = f;
	if (n)
		json_array_append_new(
			p->unknown,
			json_sprintf("the segmentation test sends nothing from outside or from the "
				     "host, and %zu flow%s from there %s let into the scope (%s to "
				     "%s on %s%s): try from there what may come in and what may "
				     "not, and keep the record",
				     n, bh_s(n), n == 1 ? "is" : "are", cli_text(first, "from"),
				     cli_text(first, "to"), cli_text(first, "ports"),
				     n > 1 ? ", ..." : ""));
}

/* Packets that were sent elsewhere say nothing of this host. */
static void judge_place(struct probing *p)
{
	const char *host = cli_text(p->summary, "host");

	if (strcmp(host, cli_text(p->g->report, "host")) != 0)
		say(p, p->unknown,
		    json_sprintf("the segmentation test was made on another host (%s)", host));
}

/* A run that left something out, or whose clock was set, is no whole test. */
static void judge_run(struct probing *p)
{
	json_int_t jump = json_integer_value(json_object_get(p->summary, "clock_jump"));

	judge_place(p);
	judge_coverage(p);
	judge_from_outside(p);
	if (!json_is_true(json_object_get(p->summary, "complete")))
		say(p, p->unknown,
		    json_string("the segmentation test was told to leave something out"));
	if (jump)
		say(p, p->unknown,
		    json_sprintf("the clock was set by %" JSON_INTEGER_FORMAT
				 " s during the segmentation test",
				 jump));
	if (p->more)
		json_array_append_new(p->findings, json_sprintf("and %zu line%s of the test more",
								p->more, bh_s(p->more)));
	if (p->elsewhere)
		json_array_append_new(p->unknown,
				      json_sprintf("findings of the test that are not of this "
						   "scope: %zu",
						   p->elsewhere));
	if (strcmp(cli_text(p->summary, "result"), "clean") != 0 && !json_array_size(p->findings) &&
	    !json_array_size(p->unknown))
		say(p, p->unknown,
		    json_sprintf("the segmentation test ended with: %s",
				 cli_text(p->summary, "result")));
}

static json_t *probe_object(struct probing *p)
{
	json_t *o = gather_state("read", NULL);

	judge_run(p);
	gather_text(o, "when", cli_text(p->summary, "start"));
	gather_text(o, "host", cli_text(p->summary, "host"));
	gather_text(o, "policies", cli_text(p->summary, "policies"));
	gather_text(o, "result", cli_text(p->summary, "result"));
	json_object_set_new(o, "questions", json_integer(p->questions));
	json_object_set(o, "total", json_object_get(p->summary, "packets"));
	json_object_set(o, "findings", p->findings);
	json_object_set(o, "unknown", p->unknown);
	return o;
}

int gather_tested(struct gathering *g)
{
	struct probing p = {
		.g = g, .findings = json_array(), .unknown = json_array(), .asked = json_object()
	};
	bh_autofree char *text = NULL;
	int64_t since, until;
	size_t len;
	int code = CLI_YES;

	if (g->options->probe)
		code = report_file("probe", g->options->probe, &text, &len);
	if (g->options->probe && code == CLI_YES && report_lines(text, len, take_probe, &p) &&
	    p.summary && gather_time(cli_text(p.summary, "start"), &since) >= 0 &&
	    gather_time(cli_text(p.summary, "end"), &until) >= 0)
		gather_test(
			g, since, until,
			(unsigned)json_integer_value(json_object_get(p.summary, "source_port")));
	json_decref(p.findings);
	json_decref(p.unknown);
	json_decref(p.asked);
	json_decref(p.summary);
	return code;
}

int gather_probe(struct gathering *g)
{
	struct probing p = {
		.g = g, .findings = json_array(), .unknown = json_array(), .asked = json_object()
	};
	const char *path = g->options->probe;
	bh_autofree char *text = NULL;
	size_t len = 0;
	json_t *o;
	int code = CLI_YES;

	if (path)
		code = report_file("probe", path, &text, &len);
	if (!path)
		o = gather_state("absent",
				 "no result was given (bulkhead probe --json, then report "
				 "--probe FILE)");
	else if (code == CLI_YES && !report_lines(text, len, take_probe, &p))
		o = gather_state("unreadable", "the file is no result of bulkhead probe --json");
	else if (code == CLI_YES && !p.summary)
		o = gather_state("unreadable",
				 "the segmentation test was broken off: it has no summary");
	else
		o = probe_object(&p);
	json_object_set_new(g->report, "probe", o);
	json_decref(p.findings);
	json_decref(p.unknown);
	json_decref(p.asked);
	json_decref(p.summary);
	return code;
}
