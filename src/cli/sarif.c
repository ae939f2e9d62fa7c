/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/lint.h>

#include "cli.h"

/*
 * SARIF 2.1.0 (OASIS Standard, 27 March 2020), as code hosts and editors read it. Columns are of
 * code points, as libyaml counts them.
 */
#define SCHEMA_URI                                                                                 \
	"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"                      \
	"sarif-schema-2.1.0.json"
#define URI_MAX (64u << 10)

struct run {
	json_t *rules, *results;
	const char *ids[LINTS_MAX + BH_DIAGS_MAX]; /* of the rules, in their order */
	size_t n_ids;
};

static json_t *text_object(const char *text)
{
	return json_pack("{s:s}", "text", text);
}

static json_t *rule_of_lint(const struct lint_info *l)
{
	return json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}, s:o, s:{s:s}}", "id", l->id,
			 "shortDescription", "text", l->title, "fullDescription", "text", l->why,
			 "help", "text", l->fix, "helpUri",
			 json_sprintf("%s/lint.md#%s", BULKHEAD_DOCS_URI, l->id),
			 "defaultConfiguration", "level", "warning");
}

/* A mistake, or a warning that is not of a policy. */
static json_t *rule_of_other(const struct diag *d)
{
	bool error = d->severity == DIAG_ERROR;

	return json_pack("{s:s, s:{s:s}, s:s, s:{s:s}}", "id", d->id, "shortDescription", "text",
			 error ? "The policies are not valid."
			       : "Something else is not as it should be.",
			 "helpUri", BULKHEAD_DOCS_URI "/policy-format.md#mistakes-and-warnings",
			 "defaultConfiguration", "level", error ? "error" : "warning");
}

static void add_rule(struct run *r, const char *id, json_t *rule)
{
	r->ids[r->n_ids++] = id;
	json_array_append_new(r->rules, rule);
}

static size_t rule_index(struct run *r, const struct diag *d)
{
	size_t i = 0;

	while (i < r->n_ids && strcmp(r->ids[i], d->id) != 0)
		i++;
	if (i == r->n_ids)
		add_rule(r, d->id, rule_of_other(d));
	return i;
}

/* A path as a URI: relative to where check ran, or file:// for one from the root. */
static json_t *uri_of(const char *path)
{
	json_t *uri;
	struct bh_buf b;

	bh_buf_init(&b, URI_MAX);
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	if (path[0] == '/')
		bh_buf_addstr(&b, "file://");
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		bh_buf_addf(&b, c < 0x80 && (isalnum(c) || strchr("/-._~", c)) ? "%c" : "%%%02X",
			    c);
	}
	uri = json_string(bh_buf_str(&b));
	bh_buf_done(&b);
	return uri;
}

static json_t *location_of(const struct diag *d)
{
	json_t *place = json_pack("{s:{s:o}}", "artifactLocation", "uri", uri_of(d->file));

	if (d->line)
		json_object_set_new(place, "region",
				    json_pack("{s:i, s:i}", "startLine", (int)d->line,
					      "startColumn", (int)(d->column ? d->column : 1)));
	return json_pack("[{s:o}]", "physicalLocation", place);
}

static json_t *message_of(const struct diag *d)
{
	if (!d->hint)
		return text_object(d->text);
	return json_pack("{s:o}", "text", json_sprintf("%s (%s)", d->text, d->hint));
}

/* The standard wants suppressions: of all results or of none, so all have them. */
static void add_result(struct run *r, const struct diag *d)
{
	json_t *o = json_pack("{s:s, s:i, s:s, s:o, s:[]}", "ruleId", d->id, "ruleIndex",
			      (int)rule_index(r, d), "level",
			      d->severity == DIAG_ERROR ? "error" : "warning", "message",
			      message_of(d), "suppressions");

	if (d->file)
		json_object_set_new(o, "locations", location_of(d));
	if (d->accepted)
		json_array_append_new(json_object_get(o, "suppressions"),
				      json_pack("{s:s, s:s, s:s}", "kind", "inSource", "status",
						"accepted", "justification", d->accepted));
	json_array_append_new(r->results, o);
}

/* What is beyond BH_DIAGS_MAX is said to be missing. */
static json_t *invocation(const struct diag_list *l)
{
	size_t missing = l->errors + l->warnings - l->n;
	json_t *o = json_pack("{s:b}", "executionSuccessful", true);

	if (missing)
		json_object_set_new(
			o, "toolExecutionNotifications",
			json_pack("[{s:s, s:{s:o}}]", "level", "note", "message", "text",
				  json_sprintf("%zu more results are not listed", missing)));
	return o;
}

int cli_print_sarif(const struct diag_list *diags)
{
	struct run r = { .rules = json_array(), .results = json_array() };
	json_t *log;
	int failed;

	for (size_t i = 0; i < lints_n; i++)
		add_rule(&r, lints[i].id, rule_of_lint(&lints[i]));
	for (size_t i = 0; i < diags->n; i++)
		add_result(&r, &diags->d[i]);
	for (size_t i = 0; diags->accepted && i < diags->accepted->n; i++)
		add_result(&r, &diags->accepted->d[i]);
	log = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:[o], s:s, s:o}]}", "$schema",
			SCHEMA_URI, "version", "2.1.0", "runs", "tool", "driver", "name",
			"bulkhead", "version", BULKHEAD_VERSION, "rules", r.rules, "invocations",
			invocation(diags), "columnKind", "unicodeCodePoints", "results", r.results);
	failed = !log || json_dumpf(log, stdout, JSON_INDENT(1)) < 0;
	putchar('\n');
	json_decref(log);
	return failed ? cli_fail(CLI_FAILED, "check: cannot write the output") : CLI_YES;
}
