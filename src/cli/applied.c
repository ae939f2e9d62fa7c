/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "applied.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* Those of a newer daemon that are not known here count as failures. */
static enum apply_outcome outcome_of(const json_t *o)
{
	enum apply_outcome k = APPLY_CREATED;

	while (k < APPLY_FAILED && strcmp(cli_text(o, "outcome"), apply_outcome_name(k)) != 0)
		k++;
	return k;
}

/* What is in force now, and whether it waits: the daemon's last object. */
static void say_policies(const json_t *o)
{
	const json_t *confirm = json_object_get(o, "confirm");

	if (confirm)
		fprintf(stderr,
			"bulkhead: it is taken back at %s, in %" JSON_INTEGER_FORMAT
			" s, unless somebody says: bulkhead confirm\n",
			cli_text(confirm, "until"),
			json_integer_value(json_object_get(confirm, "seconds")));
}

static void say_one(const struct applied *a, const json_t *o, enum apply_outcome outcome)
{
	const char *who = cli_text(o, "name"), *why = cli_text(o, "why");

	if (outcome == APPLY_FAILED)
		cli_fail(CLI_FAILED, "%s: %s", who, why);
	else if (why[0])
		fprintf(stderr, "bulkhead: %s: repaired: %s\n", who, why);
	else if (outcome == APPLY_REMOVED && !a->clean)
		fprintf(stderr,
			"bulkhead: %s: its table was removed: nothing selects it any more\n", who);
}

int applied_item(json_t *o, void *arg)
{
	bool policies = json_object_get(o, "policies");
	enum apply_outcome outcome = outcome_of(o);
	struct applied *a = arg;

	if (a->json)
		cli_print_object(o);
	if (policies) {
		say_policies(o);
	} else {
		a->n[outcome]++;
		say_one(a, o, outcome);
	}
	json_decref(o);
	return 0;
}

int applied_result(const struct apply_result *res, void *arg)
{
	struct applied *a = arg;

	return applied_item(report_applied(a->site, res), a);
}

static void print_sum(const struct applied *a)
{
	static const enum apply_outcome shown[] = { APPLY_CREATED, APPLY_UPDATED, APPLY_UNCHANGED,
						    APPLY_REMOVED };
	const char *sep = ": ";

	fputs(a->head ? a->head : a->clean ? "cleaned" : "applied", stdout);
	for (size_t i = 0; i < BH_ARRAY_SIZE(shown); i++) {
		if (a->clean && shown[i] != APPLY_REMOVED)
			continue;
		printf("%s%zu %s", sep, a->n[shown[i]], apply_outcome_name(shown[i]));
		sep = ", ";
	}
	if (a->n[APPLY_FAILED])
		printf(", %zu failed", a->n[APPLY_FAILED]);
	putchar('\n');
}

int applied_end(const struct applied *a, int code)
{
	if (code == CLI_YES && !a->json)
		print_sum(a);
	return code == CLI_YES && a->n[APPLY_FAILED] ? CLI_FAILED : code;
}
