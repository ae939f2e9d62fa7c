/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/enforce/report.h>

#include "cli.h"

/* Lines are printed from the objects of report.h, whoever made them: this process or a daemon. */
struct view {
	const struct site *site;
	bool json, colour;
	size_t changes, unchanged, failed;
};

static const char *colour_of(const struct view *v, const char *line)
{
	if (!v->colour)
		return "";
	return line[0] == '+' ? "\033[32m" : "\033[31m";
}

static void print_text(const struct view *v, const json_t *o, const char *outcome)
{
	const json_t *lines = json_object_get(o, "changes"), *line;
	json_int_t all = json_integer_value(json_object_get(o, "n_changes"));
	const char *why = cli_text(o, "why");
	size_t i;

	printf("%-10s %s%s%s\n", outcome, cli_text(o, "name"), why[0] ? ": " : "", why);
	json_array_foreach (lines, i, line) {
		const char *text = json_string_value(line);

		if (text)
			printf("    %s%s%s\n", colour_of(v, text), text,
			       v->colour ? "\033[0m" : "");
	}
	if (all > (json_int_t)json_array_size(lines))
		printf("    and %" JSON_INTEGER_FORMAT " more\n",
		       all - (json_int_t)json_array_size(lines));
}

static int on_item(json_t *o, void *arg)
{
	const char *outcome = cli_text(o, "outcome");
	struct view *v = arg;

	if (strcmp(outcome, apply_outcome_name(APPLY_FAILED)) == 0)
		v->failed++;
	else if (strcmp(outcome, apply_outcome_name(APPLY_UNCHANGED)) == 0)
		v->unchanged++;
	else
		v->changes++;
	if (v->json)
		cli_print_object(o);
	else if (strcmp(outcome, apply_outcome_name(APPLY_UNCHANGED)) != 0)
		print_text(v, o, outcome);
	json_decref(o);
	return 0;
}

static int on_planned(const struct plan_item *item, void *arg)
{
	struct view *v = arg;

	return on_item(report_planned(v->site, item), v);
}

static int plan_here(struct view *v, struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct site s;
	int code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS);

	v->site = &s;
	if (code == CLI_YES && enforce_plan(&s, on_planned, v, &err) < 0)
		code = cli_fail(CLI_FAILED, "%s", err.msg);
	site_done(&s);
	return code;
}

int cmd_plan(struct cli_options *o)
{
	struct view v = { .json = o->json, .colour = cli_colour(stdout) };
	int code = cli_ask_daemon(o, "plan", on_item, &v);

	if (code == CLI_NO_DAEMON)
		code = plan_here(&v, o);
	if (code != CLI_YES)
		return code;
	if (!o->json)
		printf("%zu to change, %zu as they should be%s\n", v.changes, v.unchanged,
		       v.failed ? ", some could not be looked at" : "");
	return v.failed ? CLI_FAILED : v.changes ? CLI_NO : CLI_YES;
}
