/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "report.h"
#include "rules.h"

/* Rules without a hit (docs/rules.md): as the history has them, or as another run wrote them. */

#define USEC INT64_C(1000000)

struct counting {
	const struct gathering *g;
	json_t *unused, *sums;
	json_int_t lines, n, young, wanted, tested;
};

/*
 * A segmentation test hits every rule, needed or not. That is told apart, but was not always; a second for what
 * is between the clocks.
 */
static bool is_by_test(const struct gathering *g, const json_t *rule)
{
	const char *last_hit = cli_text(rule, "last_hit");
	int64_t t;

	if (json_is_true(json_object_get(rule, "apart")) || gather_time(last_hit, &t) < 0)
		return false;
	for (size_t i = 0; i < g->n_tests; i++)
		if (t >= g->tests[i].span.since - USEC && t <= g->tests[i].span.until)
			return true;
	return false;
}

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
	c->tested += strcmp(use, "used") == 0 && is_by_test(c->g, o);
	if (strcmp(use, "unused") != 0)
		return true;
	u = json_pack("{s:s, s:s, s:o}", "service", cli_text(o, "service"), "rule",
		      cli_text(o, "rule"), "where",
		      json_sprintf("%s:%" JSON_INTEGER_FORMAT, cli_text(o, "file"),
				   gather_number(o, "line")));
	json_object_set(u, "since", json_object_get(o, "since"));
	json_object_set(u, "last", json_object_get(o, "last_hit"));
	json_object_set(u, "tests", json_object_get(o, "probe_packets"));
	json_array_append_new(c->unused, u);
	return true;
}

/* Counts of one service, or of another scope, are none of this scope. */
static bool is_of_all(const struct counting *c)
{
	const json_t *scopes = json_object_get(c->sums, "scopes"), *one;
	bool among = !scopes;
	size_t i;

	json_array_foreach (scopes, i, one)
		among = among || strcmp(json_string_value(one) ? json_string_value(one) : "",
					c->g->scope->name) == 0;
	return among && !json_object_get(c->sums, "services");
}

static int on_rule(const struct compile_rule *r, void *arg)
{
	struct counting *c = arg;

	if (r->service && gather_is_inside(c->g, r->service))
		c->wanted++;
	return 0;
}

/* How many rules the scope has, by the policies. */
static bool count_wanted(struct counting *c)
{
	c->wanted = 0;
	return compile_each_rule(c->g->site->policies, on_rule, c, NULL) >= 0;
}

static json_t *rules_read(struct counting *c)
{
	json_t *o = gather_state("read", NULL);

	json_object_set_new(o, "n", json_integer(c->wanted));
	json_object_set_new(o, "young", json_integer(c->young));
	json_object_set_new(o, "tested", json_integer(c->tested));
	json_object_set(o, "unused", c->unused);
	return o;
}

static json_t *rules_object(struct counting *c)
{
	bool listed = c->lines == gather_number(c->sums, "rules");
	char stale[GATHER_STALE];

	if (strcmp(cli_text(c->sums, "policies"), c->g->site->policies->digest) != 0)
		return gather_state("unreadable", "the counts are of other policies");
	if (gather_is_stale(c->g, c->sums, stale))
		return gather_state("unreadable", stale);
	if (!json_is_true(json_object_get(c->sums, "history")))
		return gather_state("unreadable", "there is no history in which hits are counted");
	if (gather_number(c->sums, "window_seconds") < (json_int_t)c->g->days * 86400)
		return gather_state("unreadable",
				    "the counts are of a shorter time than is asked for "
				    "(bulkhead rules --unused)");
	/* either all are listed, or, with --unused, those; else lines are missing */
	if (!is_of_all(c) || !count_wanted(c) ||
	    (listed ? c->n != c->wanted
		    : c->lines != gather_number(c->sums, "unused") ||
			      gather_number(c->sums, "rules") < c->wanted))
		return gather_state("unreadable", "the counts are not of all rules of the scope");
	/* With --unused the others are not listed, only counted: of whichever scope. */
	if (!listed && c->g->n_tests)
		c->tested = gather_number(
			c->sums, json_object_get(c->sums, "not_apart") ? "not_apart" : "used");
	if (!listed && c->young < gather_number(c->sums, "not_yet_known"))
		c->young = gather_number(c->sums, "not_yet_known");
	return rules_read(c);
}

static json_t *rules_there(struct counting *c, const char *text, size_t len)
{
	if (!report_lines(text, len, take_rule, c) || !c->sums)
		return gather_state("unreadable",
				    "the file is not what bulkhead rules --json writes");
	return rules_object(c);
}

/* As gather_denied() has read them. */
static json_t *rules_here(struct counting *c)
{
	json_t *o;
	size_t i;

	if (strcmp(cli_text(c->g->counted, "state"), "read") != 0)
		return gather_state(cli_text(c->g->counted, "state")[0]
					    ? cli_text(c->g->counted, "state")
					    : "unreadable",
				    cli_text(c->g->counted, "why"));
	json_array_foreach (json_object_get(c->g->counted, "lines"), i, o)
		take_rule(o, c);
	if (!count_wanted(c) || c->n != c->wanted)
		return gather_state("unreadable", "not every rule of the scope could be counted");
	return rules_read(c);
}

int gather_rules(struct gathering *g)
{
	struct counting c = { .g = g, .unused = json_array() };
	const char *path = g->options->counted;
	bh_autofree char *text = NULL;
	size_t len = 0;
	int code = path ? report_file("rules", path, &text, &len) : CLI_YES;

	if (code == CLI_YES)
		json_object_set_new(g->report, "rules",
				    path ? rules_there(&c, text, len) : rules_here(&c));
	json_decref(c.unused);
	json_decref(c.sums);
	return code;
}
