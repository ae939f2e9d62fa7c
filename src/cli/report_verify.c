/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "report.h"
#include "verify.h"

/* What goes round the tables: found out here, or as a run of `verify` wrote it. */

struct verifying {
	const struct gathering *g;
	json_t *findings, *unknown, *seen, *sums;
	json_t *counts;    /* of each kind of finding: those that are there */
	struct site *site; /* that is looked at here */
};

/* Findings of what was not looked at: known is nothing, neither good nor bad. */
static bool is_unknown(const char *finding)
{
	return strcmp(finding, "nothing-checked") == 0 || strcmp(finding, "vanished") == 0;
}

/* FINDING: its name in docs/verify.md, by which the report knows what it voids. Takes TEXT over. */
static void add_finding(json_t *list, const char *finding, const char *name, json_t *text)
{
	json_array_append_new(
		list, json_pack("{s:s, s:s, s:o}", "finding", finding, "name", name, "text", text));
}

static json_t *list_of(const struct verifying *v, const char *finding)
{
	return is_unknown(finding) ? v->unknown : v->findings;
}

/* Each kind has room of its own: many of one take no other's. */
static void take_finding(struct verifying *v, const json_t *o)
{
	const char *finding = cli_text(o, "finding"), *who = cli_text(o, "name");
	json_int_t n = gather_number(v->counts, finding) + 1;

	if (strcmp(cli_text(o, "severity"), "note") == 0)
		return;
	json_object_set_new(v->counts, finding, json_integer(n));
	if (n > BH_REPORT_VERIFIED_MAX)
		return;
	add_finding(
		list_of(v, finding), finding, who,
		json_sprintf("%s%s%s (%s)", who, who[0] ? ": " : "", cli_text(o, "text"), finding));
}

static void tell_more(const struct verifying *v)
{
	const char *finding;
	json_t *n;

	json_object_foreach (v->counts, finding, n)
		if (json_integer_value(n) > BH_REPORT_VERIFIED_MAX)
			add_finding(list_of(v, finding), finding, "and more",
				    json_sprintf("and %" JSON_INTEGER_FORMAT " more (%s)",
						 json_integer_value(n) - BH_REPORT_VERIFIED_MAX,
						 finding));
}

static bool take_verified(const json_t *o, void *arg)
{
	struct verifying *v = arg;
	const char *finding = cli_text(o, "finding");

	if (json_object_get(o, "passed")) {
		json_decref(v->sums);
		v->sums = json_deep_copy(o);
	} else if (finding[0]) {
		take_finding(v, o);
	} else {
		json_object_set_new(v->seen, cli_text(o, "endpoint"), json_true());
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
	char stale[GATHER_STALE];
	json_t *o;

	if (gather_is_stale(v->g, v->sums, stale))
		return gather_state("unreadable", stale);
	if (strcmp(cli_text(v->sums, "policies"), v->g->site->policies->digest) != 0)
		return gather_state("unreadable", "it was of other policies");
	if (scope[0] && strcmp(scope, v->g->scope->name) != 0)
		return gather_state("unreadable", "it was of another scope");
	if (!saw_all(v))
		return gather_state("unreadable", "it did not look at every endpoint of the scope");
	tell_more(v);
	o = gather_state("read", NULL);
	json_object_set(o, "checked", json_object_get(v->sums, "namespaces"));
	json_object_set(o, "findings", v->findings);
	json_object_set(o, "unknown", v->unknown);
	json_object_set(o, "when", json_object_get(v->sums, "when"));
	if (!json_is_true(json_object_get(v->sums, "passed")) && !json_array_size(v->findings) &&
	    !json_array_size(v->unknown))
		add_finding(v->findings, "", "", json_string("it did not pass"));
	return o;
}

/* --- by this run ------------------------------------------------------------------------------- */

static int take_own(struct verifying *v, json_t *o)
{
	report_tame(o);
	take_verified(o, v);
	json_decref(o);
	return 0;
}

static int on_found(const struct verify_finding *f, void *arg)
{
	struct verifying *v = arg;

	return take_own(v, verify_json(v->site, f));
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct verifying *v = arg;

	return take_own(v, verify_status_json(v->site, st));
}

/* What the daemon has said of this endpoint. */
static bool holds_queues(const char *endpoint_id, void *arg)
{
	const struct verifying *v = arg;
	char id[256];
	json_t *e;
	size_t i;

	bh_escape_str(id, sizeof(id), endpoint_id);
	json_array_foreach (json_object_get(v->g->report, "endpoints"), i, e)
		if (strcmp(cli_text(e, "endpoint"), id) == 0)
			return !json_object_get(e, "obstacle");
	return false;
}

static int look_closely(struct verifying *v, struct bh_err *err)
{
	const json_t *daemon = json_object_get(v->g->report, "daemon");
	const char *in_force = cli_text(daemon, "generation");
	const struct verify_options options = {
		.scope = v->g->scope->name,
		.given = v->g->options->inventory != NULL,
		.daemon = strcmp(cli_text(daemon, "state"), "read") == 0,
		.ours = holds_queues,
		.in_force = in_force[0] ? in_force : NULL,
		.found = on_found,
		.status = on_status,
		.arg = v,
	};
	struct verify_sums sums;
	int r = enforce_verify(v->site, &options, &sums, err);

	if (r < 0)
		return r;
	return take_own(v, verify_sums_json(v->site, options.scope, options.daemon, &sums));
}

static json_t *verify_here(struct verifying *v)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	struct site s;
	bool done = false;

	diag_list_init(&diags);
	v->site = &s;
	if (cli_load_quietly(&s, v->g->options, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS,
			     &diags, &err) == CLI_YES &&
	    policy_set_scope(s.policies, v->g->scope->name))
		done = look_closely(v, &err) >= 0;
	site_done(&s);
	diag_list_done(&diags);
	if (!done)
		return gather_state("unreadable",
				    err.msg[0] ? err.msg : "the endpoints cannot be listed");
	return verified_object(v);
}

/* --- by another run ------------------------------------------------------------------------------ */

static json_t *verified_there(struct verifying *v, const char *text, size_t len)
{
	if (!report_lines(text, len, take_verified, v) || !v->sums)
		return gather_state("unreadable",
				    "the file is not what bulkhead verify --json writes");
	return verified_object(v);
}

int gather_verified(struct gathering *g)
{
	struct verifying v = { .g = g,
			       .findings = json_array(),
			       .unknown = json_array(),
			       .seen = json_object(),
			       .counts = json_object() };
	const char *path = g->options->verified;
	bh_autofree char *text = NULL;
	size_t len = 0;
	int code = path ? report_file("verify", path, &text, &len) : CLI_YES;

	if (code == CLI_YES)
		json_object_set_new(g->report, "verify",
				    path ? verified_there(&v, text, len) : verify_here(&v));
	json_decref(v.findings);
	json_decref(v.unknown);
	json_decref(v.seen);
	json_decref(v.counts);
	json_decref(v.sums);
	return code;
}
