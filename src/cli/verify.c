/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/report.h>
#include <bulkhead/enforce/verify.h>

#include "cli.h"
#include "verify.h"

struct view {
	const struct cli_options *o;
	struct site *site;
	bool colour;
	json_t *daemon; /* endpoint id -> what it says of it; NULL: no daemon */
	char in_force[128];
};

/* --- what a daemon says -------------------------------------------------------------------------- */

/* All that is of interest: which policies, and whether it can hold each endpoint. */
static int on_item(json_t *o, void *arg)
{
	struct view *v = arg;

	if (json_object_get(o, "daemon"))
		snprintf(v->in_force, sizeof(v->in_force), "%s", cli_text(o, "generation"));
	else if (json_object_get(o, "endpoint"))
		json_object_set(v->daemon, cli_text(o, "endpoint"), o);
	json_decref(o);
	return 0;
}

static bool holds_queues(const char *endpoint_id, void *arg)
{
	const struct view *v = arg;
	char id[256];
	const json_t *o = json_object_get(v->daemon, bh_escape_str(id, sizeof(id), endpoint_id));

	return o && !json_object_get(o, "obstacle");
}

/* Its status may be a finding; that it answers is enough. */
static int ask_daemon(struct view *v)
{
	int code;

	v->daemon = json_object();
	code = cli_ask_daemon(v->o, "status", on_item, v);
	if (code == CLI_YES || code == CLI_NO)
		return CLI_YES;
	json_decref(v->daemon);
	v->daemon = NULL;
	return code == CLI_NO_DAEMON ? CLI_YES : code;
}

/* --- printing ------------------------------------------------------------------------------------ */

static const char *colour_of(const struct view *v, enum verify_severity s)
{
	static const char *const colours[] = { [VERIFY_NOTE] = "\033[36m",
					       [VERIFY_WARNING] = "\033[33m",
					       [VERIFY_ERROR] = "\033[31m" };

	return v->colour ? colours[s] : "";
}

static void print_text(const struct view *v, const struct verify_finding *f)
{
	printf("%s%-8s%s %-20s %s\n", colour_of(v, f->info->severity),
	       verify_severity_name(f->info->severity), v->colour ? "\033[0m" : "", f->info->id,
	       f->text);
	printf("%30s%s\n", "", f->info->fix);
}

json_t *verify_json(const struct site *s, const struct verify_finding *f)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "finding", f->info->id, "severity",
			      verify_severity_name(f->info->severity), "text", f->text, "why",
			      f->info->why, "fix", f->info->fix);
	char name[256], text[512];

	if (f->endpoint != VERIFY_NOBODY) {
		const struct endpoint *e = &s->endpoints->endpoints[f->endpoint];

		json_object_set_new(o, "endpoint",
				    json_string(bh_escape_str(name, sizeof(name), e->id)));
		json_object_set_new(o, "name", json_string(endpoint_format(name, sizeof(name), e)));
		json_object_set_new(
			o, "services",
			json_string(site_services_of(s, f->endpoint, text, sizeof(text))));
		json_object_set_new(
			o, "scope",
			json_string(site_scopes_of(s, f->endpoint, text, sizeof(text))));
	}
	if (f->netns)
		json_object_set_new(o, "netns", json_integer((json_int_t)f->netns));
	return o;
}

json_t *verify_status_json(const struct site *s, const struct endpoint_status *st)
{
	json_t *o = report_endpoint(s, st);

	json_object_del(o, "finding"); /* here the name of what was found */
	return o;
}

json_t *verify_sums_json(const struct site *s, const char *scope, bool daemon,
			 const struct verify_sums *sums)
{
	const size_t *n = sums->findings;
	json_t *o =
		json_pack("{s:b, s:s?, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "passed",
			  verify_passed(sums), "scope", scope, "policies", s->policies->digest,
			  "daemon", daemon, "endpoints", (json_int_t)sums->endpoints, "namespaces",
			  (json_int_t)sums->namespaces, "protected", (json_int_t)sums->protected,
			  "errors", (json_int_t)n[VERIFY_ERROR], "warnings",
			  (json_int_t)n[VERIFY_WARNING], "notes", (json_int_t)n[VERIFY_NOTE]);

	cli_put_run(o);
	return o;
}

static void print_object(json_t *o)
{
	cli_print_object(o);
	json_decref(o);
}

static int on_finding(const struct verify_finding *f, void *arg)
{
	const struct view *v = arg;

	if (v->o->json)
		print_object(verify_json(v->site, f));
	else
		print_text(v, f);
	return 0;
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	const struct view *v = arg;

	if (v->o->json)
		print_object(verify_status_json(v->site, st));
	return 0;
}

static void print_sums(const struct view *v, const char *scope, const struct verify_sums *s)
{
	const size_t *n = s->findings;

	if (!v->o->json) {
		printf("%s%sendpoints: %zu, namespaces read back: %zu, protected: %zu; errors: "
		       "%zu, "
		       "warnings: %zu, notes: %zu\n",
		       scope ? scope : "", scope ? ": " : "", s->endpoints, s->namespaces,
		       s->protected, n[VERIFY_ERROR], n[VERIFY_WARNING], n[VERIFY_NOTE]);
		return;
	}
	print_object(verify_sums_json(v->site, scope, v->daemon != NULL, s));
}

static int list_findings(bool json)
{
	for (size_t i = 0; i < verify_infos_n; i++) {
		const struct verify_info *f = &verify_infos[i];
		json_t *o;

		if (!json) {
			printf("%s (%s)\n  %s\n  %s\n  %s\n", f->id,
			       verify_severity_name(f->severity), f->title, f->why, f->fix);
			continue;
		}
		o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", f->id, "severity",
			      verify_severity_name(f->severity), "title", f->title, "why", f->why,
			      "fix", f->fix);
		cli_print_object(o);
		json_decref(o);
	}
	return CLI_YES;
}

/* --- the verb ------------------------------------------------------------------------------------ */

static int look(struct view *v)
{
	const char *scope = v->o->scopes.n ? v->o->scopes.words[0] : NULL;
	const struct verify_options options = {
		.scope = scope,
		.given = v->o->inventory != NULL,
		.daemon = v->daemon != NULL,
		.ours = holds_queues,
		.in_force = v->in_force[0] ? v->in_force : NULL,
		.found = on_finding,
		.status = on_status,
		.arg = v,
	};
	struct bh_err err = BH_ERR_INIT;
	struct verify_sums sums;
	char shown[128];

	if (v->o->scopes.n > 1)
		return cli_fail(CLI_USAGE, "verify: one --scope at a time");
	if (scope && !policy_set_scope(v->site->policies, scope))
		return cli_fail(CLI_USAGE, "verify: there is no scope '%s'",
				bh_escape_str(shown, sizeof(shown), scope));
	if (enforce_verify(v->site, &options, &sums, &err) < 0)
		return cli_fail(CLI_FAILED, "verify: %s", err.msg);
	print_sums(v, scope, &sums);
	return verify_passed(&sums) ? CLI_YES : CLI_NO;
}

int cmd_verify(struct cli_options *o)
{
	struct view v = { .o = o, .colour = cli_colour(stdout) };
	struct site s;
	int code;

	if (o->findings)
		return list_findings(o->json);
	site_init(&s);
	code = ask_daemon(&v);
	if (code == CLI_YES)
		code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS);
	v.site = &s;
	if (code == CLI_YES)
		code = look(&v);
	json_decref(v.daemon);
	site_done(&s);
	return code;
}
