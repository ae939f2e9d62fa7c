/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>
#include <bulkhead/policy/lint.h>

#include "cli.h"

#define FILE_NAME_MAX (64u << 10)

static size_t count_rules(const struct policy_set *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_services; i++)
		n += p->services[i].n_rules[DIRECTION_EGRESS] +
		     p->services[i].n_rules[DIRECTION_INGRESS];
	return n;
}

static size_t count_k8s(const struct policy_set *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_services; i++)
		n += p->services[i].is_k8s;
	return n;
}

static void print_summary(const struct site *s, const struct diag_list *diags, bool json)
{
	const struct policy_set *p = s->policies;
	size_t accepted = diags->accepted->warnings;
	size_t k8s = count_k8s(p);

	if (json) {
		printf("{\"files\": %zu, \"services\": %zu, \"network_policies\": %zu, "
		       "\"groups\": %zu, \"rules\": %zu, \"guardrails\": %zu, "
		       "\"scopes\": %zu, \"warnings\": %zu, \"accepted\": %zu, "
		       "\"digest\": \"%s\"}\n",
		       p->n_files, p->n_services - k8s, k8s, p->n_groups, count_rules(p),
		       p->n_guardrails, p->n_scopes, diags->warnings, accepted, p->digest);
		return;
	}
	printf("valid: %zu file%s, %zu service%s, ", p->n_files, bh_s(p->n_files),
	       p->n_services - k8s, bh_s(p->n_services - k8s));
	if (k8s)
		printf("%zu NetworkPolic%s, ", k8s, k8s == 1 ? "y" : "ies");
	printf("%zu group%s, %zu rule%s, %zu guardrail%s", p->n_groups, bh_s(p->n_groups),
	       count_rules(p), bh_s(count_rules(p)), p->n_guardrails, bh_s(p->n_guardrails));
	if (accepted)
		printf("; %zu %s accepted", accepted,
		       accepted == 1 ? "warning is" : "warnings are");
	putchar('\n');
}

/* One line an endpoint: which services it is. An endpoint of two services gets their union. */
static void print_endpoint(const struct site *s, size_t i, bool json)
{
	size_t n = s->selection->services_of[i].n;
	char services[512], scopes[512], id[512];
	json_t *obj;

	site_services_of(s, i, services, sizeof(services));
	if (!json) {
		endpoint_format(id, sizeof(id), &s->endpoints->endpoints[i]);
		printf("  %-24s %s%s\n", id, n ? services : "unmanaged", n > 1 ? " (union)" : "");
		return;
	}
	bh_escape_str(id, sizeof(id), s->endpoints->endpoints[i].id);
	obj = json_pack("{s:s, s:s}", "endpoint", id, "services", services);
	if (site_scopes_of(s, i, scopes, sizeof(scopes))[0])
		json_object_set_new(obj, "scope", json_string(scopes));
	json_dumpf(obj, stdout, 0);
	putchar('\n');
	json_decref(obj);
}

/* --- what was found ----------------------------------------------------------------------- */

enum check_format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF };

static int parse_format(const struct cli_options *o, enum check_format *ret)
{
	static const char *const words[] = { "text", "json", "sarif" };
	char shown[128];

	*ret = o->json ? FORMAT_JSON : FORMAT_TEXT;
	for (unsigned i = 0; o->format && i < BH_ARRAY_SIZE(words); i++) {
		if (strcmp(words[i], o->format) != 0)
			continue;
		if (o->json && i != FORMAT_JSON)
			return cli_fail(CLI_USAGE, "check: --json and --format %s: choose one",
					words[i]);
		*ret = (enum check_format)i;
		return CLI_YES;
	}
	if (o->format)
		return cli_fail(CLI_USAGE, "check: --format takes text, json or sarif, not '%s'",
				bh_escape_str(shown, sizeof(shown), o->format));
	return CLI_YES;
}

static json_t *file_name(const char *file)
{
	struct bh_buf name;
	json_t *o;

	bh_buf_init(&name, FILE_NAME_MAX);
	bh_escape(&name, file, strlen(file));
	o = json_string(bh_buf_str(&name));
	bh_buf_done(&name);
	return o;
}

static void print_diag_json(const struct diag *d)
{
	const struct lint_info *info = lint_find(d->id);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*}", "severity",
			      d->severity == DIAG_ERROR ? "error" : "warning", "id", d->id,
			      "message", d->text, "fix", d->hint, "why", info ? info->why : NULL,
			      "accepted", d->accepted);

	if (d->file)
		json_object_set_new(o, "file", file_name(d->file));
	if (d->file && d->line) {
		json_object_set_new(o, "line", json_integer(d->line));
		json_object_set_new(o, "column", json_integer(d->column));
	}
	cli_print_object(o);
	json_decref(o);
}

static void print_list_json(const struct diag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		print_diag_json(&l->d[i]);
}

static bool is_said(const struct diag_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->d[i].id, id) == 0)
			return true;
	return false;
}

/* Under the list what is bad about each kind of warning, once. */
static void print_text(const struct diag_list *l)
{
	diag_list_print(l, stderr, cli_colour(stderr));
	for (size_t i = 0; i < lints_n; i++)
		if (is_said(l, lints[i].id))
			fprintf(stderr, "  %s: %s\n", lints[i].id, lints[i].why);
}

static void print_found(const struct diag_list *l, enum check_format format)
{
	if (format == FORMAT_TEXT)
		print_text(l);
	if (format != FORMAT_JSON)
		return;
	print_list_json(l);
	print_list_json(l->accepted);
	if (l->errors)
		printf("{\"errors\": %zu, \"warnings\": %zu, \"accepted\": %zu}\n", l->errors,
		       l->warnings, l->accepted->warnings);
}

/* --- the verb ----------------------------------------------------------------------------- */

/* A pipeline wants to know of each warning, of whatever; not of those that somebody has accepted. */
static int judge_warnings(const struct diag_list *l)
{
	if (!l->warnings)
		return CLI_YES;
	return cli_fail(CLI_NO, "check: strict: %zu %s", l->warnings,
			l->warnings == 1 ? "warning" : "warnings");
}

static int judge(struct site *s, const struct cli_options *o, const struct diag_list *l,
		 bool has_endpoints)
{
	int code = o->strict ? judge_warnings(l) : CLI_YES, held = CLI_YES;

	if (has_endpoints && (o->strict || s->host.strict))
		held = cli_preflight(s, o, "check", false);
	return held > code ? held : code;
}

static int check(struct cli_options *o, enum check_format format, struct diag_list *diags)
{
	bool has_endpoints = o->endpoints || o->inventory;
	struct bh_err err = BH_ERR_INIT;
	unsigned need = NEED_POLICIES;
	struct site s;
	int code, printed = CLI_YES;

	if (has_endpoints)
		need |= NEED_ENDPOINTS | NEED_RULESETS | NEED_ALL_SUBJECTS | NEED_LINT;
	code = cli_load_quietly(&s, o, need, diags, &err);
	print_found(diags, format);
	if (format == FORMAT_SARIF)
		printed = cli_print_sarif(diags);
	if (code != CLI_YES && err.msg[0])
		cli_fail(code, "%s", err.msg);
	if (code == CLI_YES) {
		if (format != FORMAT_SARIF)
			print_summary(&s, diags, o->json);
		for (size_t i = 0; o->endpoints && i < s.endpoints->n; i++)
			print_endpoint(&s, i, o->json);
		code = judge(&s, o, diags, has_endpoints);
	}
	site_done(&s);
	return printed != CLI_YES ? printed : code;
}

int cmd_check(struct cli_options *o)
{
	struct diag_list diags, accepted;
	enum check_format format;
	int code = parse_format(o, &format);

	if (code != CLI_YES)
		return code;
	if (format == FORMAT_SARIF && o->endpoints)
		return cli_fail(CLI_USAGE, "check: SARIF has no place for --endpoints");
	o->json = format == FORMAT_JSON;
	if (o->lints) {
		cli_print_lints(o->json);
		return CLI_YES;
	}
	diag_list_init(&diags);
	diag_list_init(&accepted);
	diags.accepted = &accepted;
	code = check(o, format, &diags);
	diag_list_done(&diags);
	diag_list_done(&accepted);
	return code;
}
