/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <jansson.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>

#include "cli.h"

struct tally {
	const struct site *site;
	bool json, clean;
	size_t n[APPLY_FAILED + 1];
};

static void print_json(const struct tally *t, const struct apply_result *res)
{
	char id[256], services[512];
	json_t *o;

	bh_escape_str(id, sizeof(id), t->site->endpoints->endpoints[res->endpoint].id);
	site_services_of(t->site, res->endpoint, services, sizeof(services));
	o = json_pack("{s:s, s:s, s:s}", "endpoint", id, "services", services, "outcome",
		      apply_outcome_name(res->outcome));
	if (o && res->why[0])
		json_object_set_new(o, "why", json_string(res->why));
	json_dumpf(o, stdout, 0);
	putchar('\n');
	json_decref(o);
}

/* Failures and repairs are said one by one, the rest in the sum. */
static int on_result(const struct apply_result *res, void *arg)
{
	struct tally *t = arg;
	const struct endpoint *e = &t->site->endpoints->endpoints[res->endpoint];
	char who[256];

	t->n[res->outcome]++;
	if (t->json)
		print_json(t, res);
	endpoint_format(who, sizeof(who), e);
	if (res->outcome == APPLY_FAILED)
		cli_fail(CLI_FAILED, "%s: %s", who, res->why);
	else if (res->why[0])
		fprintf(stderr, "bulkhead: %s: repaired: %s\n", who, res->why);
	else if (res->outcome == APPLY_REMOVED && !t->clean)
		fprintf(stderr,
			"bulkhead: %s: its table was removed: nothing selects it any more\n", who);
	return 0;
}

static void print_sum(const struct tally *t, bool clean)
{
	static const enum apply_outcome shown[] = { APPLY_CREATED, APPLY_UPDATED, APPLY_UNCHANGED,
						    APPLY_REMOVED };
	const char *sep = clean ? "cleaned: " : "applied: ";

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		if (clean && shown[i] != APPLY_REMOVED)
			continue;
		printf("%s%zu %s", sep, t->n[shown[i]], apply_outcome_name(shown[i]));
		sep = ", ";
	}
	if (t->n[APPLY_FAILED])
		printf(", %zu failed", t->n[APPLY_FAILED]);
	putchar('\n');
}

static int write_tables(struct site *s, const struct cli_options *o)
{
	struct tally t = { .site = s, .json = o->json, .clean = o->clean };
	struct bh_err err = BH_ERR_INIT;
	int code = CLI_YES;
	int r = o->clean ? enforce_clean(s, on_result, &t, &err)
			 : enforce_apply(s, on_result, &t, &err);

	if (r < 0)
		code = cli_fail(CLI_FAILED, "%s", err.msg);
	else if (!o->json)
		print_sum(&t, o->clean);
	return t.n[APPLY_FAILED] ? CLI_FAILED : code;
}

int cmd_apply(struct cli_options *o)
{
	unsigned need = NEED_ENDPOINTS;
	struct site s;
	int code;

	if (o->clean && o->strict)
		return cli_fail(CLI_USAGE,
				"apply: --clean holds nothing: it goes without --strict");
	if (!o->clean)
		need |= NEED_POLICIES | NEED_RULESETS;
	code = cli_load(&s, o, need);
	if (code == CLI_YES && !o->clean && !s.policies->n_services && !s.policies->n_guardrails)
		code = cli_fail(CLI_USAGE, "apply: there is not one service in the policies; "
					   "bulkhead apply --clean takes all tables away");
	if (code == CLI_YES && !o->clean && (o->strict || s.host.strict))
		code = cli_preflight(&s, o, "apply", true);
	if (code == CLI_YES)
		code = write_tables(&s, o);
	site_done(&s);
	return code;
}
