/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/report.h>

#include "cli.h"

/* Lines are printed from the objects of report.h, whoever made them: this process or a daemon. */
struct view {
	const struct site *site;
	bool json, strict, colour;
	size_t findings, protected, total;
};

static bool is_state(const json_t *o, const char *state)
{
	return strcmp(cli_text(o, "state"), state) == 0;
}

/* What is told without being a finding is one for the strict. */
static bool is_finding(const struct view *v, const json_t *o)
{
	if (json_is_true(json_object_get(o, "finding")))
		return true;
	if (!v->strict)
		return false;
	if (json_object_get(o, "daemon"))
		return false;
	if (json_object_get(o, "kernel"))
		return cli_text(o, "lacks")[0];
	if (json_object_get(o, "policies"))
		return json_object_get(o, "confirm");
	return !is_state(o, "peer") && (!is_state(o, "protected") || json_object_get(o, "sharers"));
}

static const char *colour_of(const struct view *v, const json_t *o)
{
	if (!v->colour)
		return "";
	if (is_finding(v, o))
		return "\033[31m";
	return is_state(o, "protected") || is_state(o, "in-force") ? "\033[32m" : "\033[33m";
}

static void print_counts(const json_t *o)
{
	const json_t *denied = json_object_get(o, "denied_packets");
	json_int_t raw = json_integer_value(json_object_get(o, "raw_packets"));
	json_int_t forwarded = json_integer_value(json_object_get(o, "forwarded_packets"));

	if (denied)
		printf(" %" JSON_INTEGER_FORMAT " denied", json_integer_value(denied));
	/* rare: whoever sees these should ask why */
	if (raw)
		printf(" (%" JSON_INTEGER_FORMAT " raw)", raw);
	if (forwarded)
		printf(", %" JSON_INTEGER_FORMAT " forwarded", forwarded);
	if (cli_text(o, "raw_sockets")[0])
		printf(", raw sockets %s", cli_text(o, "raw_sockets"));
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* An engine that never was there is no news. */
static void print_engines(const json_t *o)
{
	json_t *engine;
	size_t i;

	json_array_foreach (json_object_get(o, "engines"), i, engine) {
		if (!is_state(engine, "absent"))
			printf(", %s %s since %s", cli_text(engine, "engine"),
			       cli_text(engine, "state"), cli_text(engine, "since"));
	}
}

static void print_logger(const json_t *o)
{
	if (o)
		printf(", %" JSON_INTEGER_FORMAT " record%s%s", number(o, "records"),
		       bh_s((uint64_t)number(o, "records")),
		       is_state(o, "down") ? ", the logger is down" : "");
}

static void print_daemon(const struct view *v, const json_t *o)
{
	const char *why = cli_text(o, "why"), *compared = cli_text(o, "compared");

	printf("%s%-12s%s %-24s %-20.12s since %s, %" JSON_INTEGER_FORMAT
	       " namespace%s held, %" JSON_INTEGER_FORMAT " repair%s",
	       colour_of(v, o), cli_text(o, "state"), v->colour ? "\033[0m" : "",
	       cli_text(o, "daemon"), cli_text(o, "generation"), cli_text(o, "since"),
	       number(o, "namespaces_held"), bh_s((uint64_t)number(o, "namespaces_held")),
	       number(o, "repairs"), bh_s((uint64_t)number(o, "repairs")));
	if (compared[0])
		printf(", compared %s", compared);
	print_engines(o);
	print_logger(json_object_get(o, "logger"));
	printf("%s%s\n", why[0] ? "  " : "", why);
}

/* The kernel has a line of its own when there is something to say of it. */
static void print_text(const struct view *v, const json_t *o)
{
	bool kernel = json_object_get(o, "kernel");
	const char *services = cli_text(o, "services"), *why = cli_text(o, "why");
	const char *lacks = cli_text(o, "lacks");

	if (kernel && !why[0] && !lacks[0])
		return;
	printf("%s%-12s%s %-24s %-20s", colour_of(v, o), cli_text(o, "state"),
	       v->colour ? "\033[0m" : "", kernel ? "this kernel" : cli_text(o, "name"),
	       services[0] ? services : "-");
	print_counts(o);
	printf("%s%s%s%s\n", why[0] || lacks[0] ? "  " : "", why, why[0] && lacks[0] ? "; " : "",
	       lacks);
}

/* A line only when there is something to say: a change that waits, or policies that are not kept. */
static void print_policies(const struct view *v, const json_t *o)
{
	const json_t *confirm = json_object_get(o, "confirm");
	const char *why = cli_text(o, "why");

	if (!confirm && !why[0])
		return;
	printf("%s%-12s%s %-24s", colour_of(v, o), cli_text(o, "state"), v->colour ? "\033[0m" : "",
	       "the policies");
	if (confirm)
		printf(" %s: taken back at %s, in %" JSON_INTEGER_FORMAT
		       " s, unless: bulkhead confirm",
		       cli_text(json_object_get(confirm, "who"), "name"),
		       cli_text(confirm, "until"),
		       json_integer_value(json_object_get(confirm, "seconds")));
	printf("%s%s\n", why[0] ? "  " : "", why);
}

static int on_item(json_t *o, void *arg)
{
	struct view *v = arg;
	bool policies = json_object_get(o, "policies");
	bool finding = is_finding(v, o);

	v->findings += finding;
	if (!json_object_get(o, "kernel") && !json_object_get(o, "daemon") && !policies) {
		v->total++;
		v->protected += is_state(o, "protected");
	}
	json_object_set_new(o, "finding", json_boolean(finding));
	if (v->json)
		cli_print_object(o);
	else if (policies)
		print_policies(v, o);
	else if (json_object_get(o, "daemon"))
		print_daemon(v, o);
	else
		print_text(v, o);
	json_decref(o);
	return 0;
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct view *v = arg;

	return on_item(report_endpoint(v->site, st), v);
}

static int look_here(struct view *v, struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct kernel_status kernel;
	struct site s;
	int code = cli_load(&s, o, NEED_POLICIES | NEED_ENDPOINTS | NEED_RULESETS);

	v->site = &s;
	if (code == CLI_YES && enforce_status(&s, on_status, v, &err) < 0)
		code = cli_fail(CLI_FAILED, "%s", err.msg);
	if (code == CLI_YES) {
		enforce_kernel_status(&kernel, NULL);
		on_item(report_kernel(&kernel), v);
	}
	site_done(&s);
	return code;
}

int cmd_status(struct cli_options *o)
{
	struct view v = { .json = o->json, .strict = o->strict, .colour = cli_colour(stdout) };
	int code = cli_ask_daemon(o, "status", on_item, &v);

	if (code == CLI_NO_DAEMON)
		code = look_here(&v, o);
	if (code != CLI_YES)
		return code;
	if (!o->json)
		printf("%zu endpoint%s, %zu protected, %zu finding%s\n", v.total, bh_s(v.total),
		       v.protected, v.findings, bh_s(v.findings));
	return v.findings ? CLI_NO : CLI_YES;
}
