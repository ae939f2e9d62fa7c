/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "report.h"

/* What other runs have found out, as they wrote it: hostile until it is tamed. */

int report_file(const char *option, const char *path, char **ret, size_t *ret_len)
{
	int r = bh_read_file(path, BH_REPORT_BYTES_MAX, ret, ret_len);
	char shown[256];

	if (r >= 0)
		return CLI_YES;
	return cli_fail(CLI_USAGE, "report: --%s %s: %s", option,
			bh_escape_str(shown, sizeof(shown), path), strerrordesc_np(-r));
}

/* An object a line; TAKE says false of one that is none of its. */
static bool take_lines(const char *text, size_t len, bool (*take)(const json_t *o, void *arg),
		       void *arg)
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

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* --- the segmentation test (docs/probe.md) ----------------------------------------------------- */

#define PROBE_SCHEMA "bulkhead.probe/1"

struct probing {
	const struct gathering *g;
	json_t *findings, *unknown, *summary;
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

static void on_not_probed(struct probing *p, const json_t *o)
{
	if (touches_scope(p, o))
		say(p, p->unknown,
		    json_sprintf("%s to %s was not probed: %s (%s)", cli_text(o, "from"),
				 cli_text(o, "to"), cli_text(o, "text"), cli_text(o, "reason")));
}

static void on_pair(struct probing *p, const json_t *o)
{
	if (touches_scope(p, o))
		p->questions += json_integer_value(json_object_get(o, "packets")) -
				json_integer_value(json_object_get(o, "not_probed"));
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

	for (size_t i = 0; right && i < BH_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].kind, cli_text(o, "kind")) == 0)
			kinds[i].take(p, o);
	return right;
}

/* A run that left something out, or whose clock was set, is no whole test. */
static void judge_run(struct probing *p)
{
	json_int_t jump = json_integer_value(json_object_get(p->summary, "clock_jump"));

	if (!json_is_true(json_object_get(p->summary, "complete")))
		say(p, p->unknown,
		    json_string("the segmentation test was told to leave something out"));
	if (jump)
		say(p, p->unknown,
		    json_sprintf("the clock was set by %" JSON_INTEGER_FORMAT
				 " s during the segmentation test",
				 jump));
	if (p->more)
		json_array_append_new(p->findings,
				      json_sprintf("and %zu lines of the test more", p->more));
	if (p->elsewhere)
		json_array_append_new(p->unknown,
				      json_sprintf("the test has %zu findings that are not of this "
						   "scope",
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
	struct probing p = { .g = g, .findings = json_array(), .unknown = json_array() };
	bh_autofree char *text = NULL;
	int64_t since, until;
	size_t len;
	int code = CLI_YES;

	if (g->options->probe)
		code = report_file("probe", g->options->probe, &text, &len);
	if (g->options->probe && code == CLI_YES && take_lines(text, len, take_probe, &p) &&
	    p.summary && gather_time(cli_text(p.summary, "start"), &since) >= 0 &&
	    gather_time(cli_text(p.summary, "end"), &until) >= 0)
		gather_test(
			g, since, until,
			(unsigned)json_integer_value(json_object_get(p.summary, "source_port")));
	json_decref(p.findings);
	json_decref(p.unknown);
	json_decref(p.summary);
	return code;
}

static int gather_probe(struct gathering *g)
{
	struct probing p = { .g = g, .findings = json_array(), .unknown = json_array() };
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
	else if (code == CLI_YES && !take_lines(text, len, take_probe, &p))
		o = gather_state("unreadable", "the file is no result of bulkhead probe --json");
	else if (code == CLI_YES && !p.summary)
		o = gather_state("unreadable",
				 "the segmentation test was broken off: it has no summary");
	else
		o = probe_object(&p);
	json_object_set_new(g->report, "probe", o);
	json_decref(p.findings);
	json_decref(p.unknown);
	json_decref(p.summary);
	return code;
}

/* --- rules without a hit (docs/rules.md) -------------------------------------------------------- */

struct counting {
	const struct gathering *g;
	json_t *unused, *sums;
	json_int_t lines, n, young;
};

static bool take_rule(const json_t *o, void *arg)
{
	struct counting *c = arg;
	const char *use = cli_text(o, "use");
	json_t *u;

	if (json_object_get(o, "rules")) {
		json_decref(c->sums);
		c->sums = json_deep_copy(o);
		return true;
	}
	c->lines++;
	/* guardrails deny: that nothing has hit one is no flaw of it */
	if (!use[0] || strcmp(cli_text(o, "scope"), c->g->scope->name) != 0 ||
	    strcmp(cli_text(o, "kind"), "guardrail") == 0)
		return use[0];
	c->n++;
	c->young += strcmp(use, "not-yet-known") == 0;
	if (strcmp(use, "unused") != 0)
		return true;
	u = json_pack(
		"{s:s, s:s, s:o}", "service", cli_text(o, "service"), "rule", cli_text(o, "rule"),
		"where",
		json_sprintf("%s:%" JSON_INTEGER_FORMAT, cli_text(o, "file"), number(o, "line")));
	json_object_set(u, "since", json_object_get(o, "since"));
	json_object_set(u, "last", json_object_get(o, "last_hit"));
	json_array_append_new(c->unused, u);
	return true;
}

static json_t *rules_object(struct counting *c)
{
	json_t *o;

	if (strcmp(cli_text(c->sums, "policies"), c->g->site->policies->digest) != 0)
		return gather_state("unreadable", "the counts are of other policies");
	if (!json_is_true(json_object_get(c->sums, "history")))
		return gather_state("unreadable", "there is no history in which hits are counted");
	if (number(c->sums, "window_seconds") < (json_int_t)c->g->days * 86400)
		return gather_state("unreadable",
				    "the counts are of a shorter time than is asked for "
				    "(bulkhead rules --unused)");
	/* With --unused the others are not listed, only counted: of whichever scope. */
	if (c->lines != number(c->sums, "rules") && c->young < number(c->sums, "not_yet_known"))
		c->young = number(c->sums, "not_yet_known");
	o = gather_state("read", NULL);
	json_object_set_new(o, "n", json_integer(c->n));
	json_object_set_new(o, "young", json_integer(c->young));
	json_object_set(o, "unused", c->unused);
	return o;
}

static int gather_rules(struct gathering *g)
{
	struct counting c = { .g = g, .unused = json_array() };
	const char *path = g->options->counted;
	bh_autofree char *text = NULL;
	size_t len = 0;
	json_t *o;
	int code = path ? report_file("rules", path, &text, &len) : CLI_YES;

	if (!path)
		o = gather_state("absent",
				 "no counts were given (bulkhead rules --json, then report "
				 "--rules FILE)");
	else if (code == CLI_YES && (!take_lines(text, len, take_rule, &c) || !c.sums))
		o = gather_state("unreadable", "the file is not what bulkhead rules --json writes");
	else
		o = rules_object(&c);
	json_object_set_new(g->report, "rules", o);
	json_decref(c.unused);
	json_decref(c.sums);
	return code;
}

/* --- verify (docs/verify.md) --------------------------------------------------------------------- */

struct verifying {
	const struct gathering *g;
	json_t *findings, *seen, *sums;
};

static bool take_verified(const json_t *o, void *arg)
{
	struct verifying *v = arg;
	const char *finding = cli_text(o, "finding"), *who = cli_text(o, "name");

	if (json_object_get(o, "passed")) {
		json_decref(v->sums);
		v->sums = json_deep_copy(o);
	} else if (!finding[0]) {
		json_object_set_new(v->seen, cli_text(o, "endpoint"), json_true());
	} else if (strcmp(cli_text(o, "severity"), "note") != 0 &&
		   json_array_size(v->findings) < BH_REPORT_FINDINGS_MAX) {
		json_array_append_new(v->findings,
				      json_sprintf("%s%s%s (%s)", who, who[0] ? ": " : "",
						   cli_text(o, "text"), finding));
	}
	return finding[0] || json_object_get(o, "passed") || cli_text(o, "state")[0];
}

/* A run of an hour ago says nothing of a container that has come since. */
static bool saw_all(const struct verifying *v)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(v->g->report, "endpoints"), i, e)
		if (json_is_true(json_object_get(e, "inside")) &&
		    !json_object_get(v->seen, cli_text(e, "endpoint")))
			return false;
	return true;
}

static json_t *verified_object(const struct verifying *v)
{
	const char *scope = cli_text(v->sums, "scope");
	json_t *o;

	if (strcmp(cli_text(v->sums, "policies"), v->g->site->policies->digest) != 0)
		return gather_state("unreadable", "it was of other policies");
	if (scope[0] && strcmp(scope, v->g->scope->name) != 0)
		return gather_state("unreadable", "it was of another scope");
	if (!saw_all(v))
		return gather_state("unreadable", "it did not look at every endpoint of the scope");
	o = gather_state("read", NULL);
	json_object_set(o, "checked", json_object_get(v->sums, "namespaces"));
	json_object_set(o, "findings", v->findings);
	if (!json_is_true(json_object_get(v->sums, "passed")) && !json_array_size(v->findings))
		json_array_append_new(v->findings, json_string("it did not pass"));
	return o;
}

/* Optional: without it the tables alone are read back. */
static int gather_verified(struct gathering *g)
{
	struct verifying v = { g, json_array(), json_object(), NULL };
	const char *path = g->options->verified;
	bh_autofree char *text = NULL;
	size_t len = 0;
	int code = path ? report_file("verify", path, &text, &len) : CLI_YES;

	if (path && code == CLI_YES) {
		bool right = take_lines(text, len, take_verified, &v) && v.sums;

		json_object_set_new(g->report, "verify",
				    right ? verified_object(&v)
					  : gather_state("unreadable",
							 "the file is not what bulkhead "
							 "verify --json writes"));
	}
	json_decref(v.findings);
	json_decref(v.seen);
	json_decref(v.sums);
	return code;
}

int gather_inputs(struct gathering *g)
{
	int code = gather_probe(g);

	if (code == CLI_YES)
		code = gather_rules(g);
	return code == CLI_YES ? gather_verified(g) : code;
}
