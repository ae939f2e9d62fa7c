/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/enforce/report.h>

#include "cli.h"

/* Lines are printed from the objects of report.h, whoever made them: this process or a daemon. */
struct tally {
	const struct site *site;
	bool json, clean;
	size_t n[APPLY_FAILED + 1];
};

/* Those of a newer daemon that are not known here count as failures. */
static enum apply_outcome outcome_of(const json_t *o)
{
	enum apply_outcome k = APPLY_CREATED;

	while (k < APPLY_FAILED && strcmp(cli_text(o, "outcome"), apply_outcome_name(k)) != 0)
		k++;
	return k;
}

/* Failures and repairs are said one by one, the rest in the sum. */
static int on_item(json_t *o, void *arg)
{
	struct tally *t = arg;
	const char *who = cli_text(o, "name"), *why = cli_text(o, "why");
	enum apply_outcome outcome = outcome_of(o);

	t->n[outcome]++;
	if (t->json)
		cli_print_object(o);
	if (outcome == APPLY_FAILED)
		cli_fail(CLI_FAILED, "%s: %s", who, why);
	else if (why[0])
		fprintf(stderr, "bulkhead: %s: repaired: %s\n", who, why);
	else if (outcome == APPLY_REMOVED && !t->clean)
		fprintf(stderr,
			"bulkhead: %s: its table was removed: nothing selects it any more\n", who);
	json_decref(o);
	return 0;
}

static int on_result(const struct apply_result *res, void *arg)
{
	struct tally *t = arg;

	return on_item(report_applied(t->site, res), t);
}

static void print_sum(const struct tally *t)
{
	static const enum apply_outcome shown[] = { APPLY_CREATED, APPLY_UPDATED, APPLY_UNCHANGED,
						    APPLY_REMOVED };
	const char *sep = t->clean ? "cleaned: " : "applied: ";

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (t->clean && shown[i] != APPLY_REMOVED)
			continue;
		printf("%s%zu %s", sep, t->n[shown[i]], apply_outcome_name(shown[i]));
		sep = ", ";
	}
	if (t->n[APPLY_FAILED])
		printf(", %zu failed", t->n[APPLY_FAILED]);
	putchar('\n');
}

static int write_tables(struct site *s, struct tally *t)
{
	struct bh_err err = BH_ERR_INIT;
	int r = t->clean ? enforce_clean(s, on_result, t, &err)
			 : enforce_apply(s, on_result, t, &err);

	return r < 0 ? cli_fail(CLI_FAILED, "%s", err.msg) : CLI_YES;
}

static int apply_here(struct tally *t, struct cli_options *o)
{
	unsigned need = NEED_ENDPOINTS;
	struct site s;
	int code;

	if (!o->clean)
		need |= NEED_POLICIES | NEED_RULESETS;
	code = cli_load(&s, o, need);
	t->site = &s;
	if (code == CLI_YES && !o->clean && !s.policies->n_services && !s.policies->n_guardrails)
		code = cli_fail(CLI_USAGE, "apply: there is not one service in the policies; "
					   "bulkhead apply --clean takes all tables away");
	if (code == CLI_YES && !o->clean && (o->strict || s.host.strict))
		code = cli_preflight(&s, o, "apply", true);
	if (code == CLI_YES)
		code = write_tables(&s, t);
	site_done(&s);
	return code;
}

int cmd_apply(struct cli_options *o)
{
	struct tally t = { .json = o->json, .clean = o->clean };
	int code = CLI_NO_DAEMON;

	if (o->clean && o->strict)
		return cli_fail(CLI_USAGE,
				"apply: --clean holds nothing: it goes without --strict");
	if (!o->clean)
		code = cli_ask_daemon(o, "apply", on_item, &t);
	if (code == CLI_NO_DAEMON)
		code = apply_here(&t, o);
	if (code == CLI_YES && !o->json)
		print_sum(&t);
	return code == CLI_YES && t.n[APPLY_FAILED] ? CLI_FAILED : code;
}
