/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "judge.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/report/report.h>

static const struct requirement *const parts[] = { requirements_config, requirements_flows,
						   requirements_trail };

#define REQUIREMENTS_MAX 32 /* of all parts together */

static const char *const verdicts[] = { "met", "finding", "not-assessed" };

/* --- what is said ----------------------------------------------------------------------------- */

/* A character that was cut in two is no text to jansson. */
static void add_text(json_t *list, const char *text)
{
	if (json_array_append_new(list, json_string(text)) < 0)
		json_array_append_new(list, json_string("(a sentence that is too long)"));
}

/* SAID without its marks; and without what is between them, when it is to be a key. In place. */
static const char *strip(char *said, bool as_key)
{
	bool varies = false;
	char *out = said;

	for (const char *c = said; *c; c++) {
		if (*c == VARIES_BEGIN || *c == VARIES_END)
			varies = *c == VARIES_BEGIN;
		else if (!varies || !as_key)
			*out++ = *c;
	}
	*out = '\0';
	return said;
}

/* KEYS: NULL, none is kept. */
static void say(const struct judging *j, json_t *list, json_t *keys, const char *fmt, va_list ap)
{
	char said[BH_REPORT_TEXT_MAX], key[BH_REPORT_TEXT_MAX];

	vsnprintf(said, sizeof(said), fmt, ap);
	memcpy(key, said, sizeof(key));
	if (keys)
		add_text(keys, j->key ? j->key : strip(key, true));
	add_text(list, strip(said, false));
}

/* Each kind has room of its own: many of one take no other's. */
static bool has_room(const struct judging *j, json_t *counts, const char *fmt)
{
	const char *kind = j->kind ? j->kind : fmt;
	json_int_t n = json_integer_value(json_object_get(counts, kind)) + 1;

	json_object_set_new(counts, kind, json_integer(n));
	return n <= BH_REPORT_FINDINGS_MAX;
}

void judge_found(struct judging *j, const char *fmt, ...)
{
	va_list ap;

	if (!has_room(j, j->n_findings, fmt)) {
		j->more++;
		return;
	}
	va_start(ap, fmt);
	say(j, j->findings, j->finding_keys, fmt, ap);
	va_end(ap);
}

void judge_unknown(struct judging *j, const char *fmt, ...)
{
	va_list ap;

	if (!has_room(j, j->n_unknown, fmt)) {
		j->more_unknown++;
		return;
	}
	va_start(ap, fmt);
	say(j, j->unknown, j->unknown_keys, fmt, ap);
	va_end(ap);
}

void judge_evidence(struct judging *j, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(j, j->evidence, NULL, fmt, ap);
	va_end(ap);
}

/* Whom it did not see when it looked last, it says nothing of. */
static void judge_trouble(struct judging *j)
{
	const char *trouble = fact_text(j->report, "daemon.trouble");

	if (trouble[0])
		judge_unknown(j, "bulkheadd's last look failed, who is there may not be all: %s",
			      trouble);
}

bool judge_was_read(struct judging *j, const char *what, const char *title)
{
	const json_t *section = fact(j->report, what);

	if (strcmp(what, "enforcement") == 0)
		judge_trouble(j);
	if (fact_equals(section, "state", "read"))
		return true;
	judge_unknown(j, "%s: %s", title,
		      fact_text(section, "why")[0] ? fact_text(section, "why") : "not there");
	return false;
}

/* --- every endpoint ---------------------------------------------------------------------------- */

static void judge_endpoint(struct judging *j, const json_t *e, size_t *good)
{
	const char *state = fact_text(e, "state"), *why = fact_text(e, "why");

	if (strcmp(state, "protected") == 0 && !fact_is(e, "finding"))
		(*good)++;
	else if (strcmp(state, "peer") == 0)
		judge_unknown(j, "%s has no namespace on this host: what holds there is not known",
			      fact_text(e, "name"));
	else
		judge_found(j, "%s is not protected" VARIES(" but %s%s%s"), fact_text(e, "name"),
			    state, why[0] ? ": " : "", why);
}

/* What is declared and nowhere there shows nothing. */
static void judge_empty_services(struct judging *j)
{
	size_t i;
	json_t *s;

	fact_each (j->report, "services", i, s)
		if (!fact_number(s, "endpoints"))
			judge_unknown(j,
				      "no endpoint of %s runs: what would hold for it could not be "
				      "looked at" VARIES(" (%s)"),
				      fact_text(s, "name"), fact_text(s, "where"));
}

bool judge_is_recent(const struct judging *j, char ret[JUDGE_STR])
{
	int64_t now = fact_time(j->report, "generated");
	int64_t when = fact_time(j->report, "enforcement.compared");
	const char *text = fact_text(j->report, "enforcement.compared");

	ret[0] = '\0';
	if (!when)
		snprintf(ret, JUDGE_STR,
			 "when all endpoints were last compared with the policies is not known");
	else if (when > now + JUDGE_LATE)
		snprintf(ret, JUDGE_STR,
			 "all endpoints were last compared with the policies at " VARIES(
				 "%.40s") ", which is still to come: the clock was set back",
			 text);
	else if (when + BH_REPORT_COMPARED_S < now)
		snprintf(ret, JUDGE_STR,
			 "all endpoints were last compared with the policies at " VARIES(
				 "%.40s") ", more than %d s before this report",
			 text, BH_REPORT_COMPARED_S);
	return !ret[0];
}

void judge_enforced(struct judging *j)
{
	char why[JUDGE_STR];
	size_t i, n = 0, good = 0;
	json_t *e;

	if (!judge_was_read(j, "enforcement", "the state of the kernel"))
		return;
	if (!judge_is_recent(j, why))
		judge_unknown(j, "%s: who has come since is not known", why);
	if (fact_is(j->report, "kernel.finding"))
		judge_found(j, "this kernel: %s", fact_text(j->report, "kernel.why"));
	fact_each (j->report, "endpoints", i, e) {
		if (!fact_is(e, "inside"))
			continue;
		n++;
		judge_endpoint(j, e, &good);
	}
	if (!n)
		judge_unknown(j,
			      "no endpoint of the scope is there: nothing is enforced that could "
			      "be looked at");
	judge_empty_services(j);
	if (good)
		judge_evidence(
			j,
			"%zu of %zu endpoint%s of the scope hold%s exactly the rules that the "
			"policies ask for, read back from the kernel (%s, which last "
			"compared all endpoints with the policies at %s)",
			good, n, bh_s(n), n == 1 ? "s" : "",
			fact_text(j->report, "enforcement.source"),
			fact_text(j->report, "enforcement.compared"));
}

/* --- all of it -------------------------------------------------------------------------------- */

static const char *verdict_of(struct judging *j)
{
	j->kind = "and more";
	if (j->more)
		judge_found(j, "and" VARIES(" %zu") " more", j->more);
	if (j->more_unknown)
		judge_unknown(j, "and" VARIES(" %zu") " more", j->more_unknown);
	if (json_array_size(j->findings))
		return verdicts[1];
	if (!json_array_size(j->evidence) && !json_array_size(j->unknown))
		judge_unknown(j, "nothing was there that could be looked at");
	return verdicts[json_array_size(j->unknown) ? 2 : 0];
}

static json_t *judge_one(const json_t *report, const struct requirement *q)
{
	struct judging j = { .report = report,
			     .findings = json_array(),
			     .unknown = json_array(),
			     .evidence = json_array(),
			     .finding_keys = json_array(),
			     .unknown_keys = json_array(),
			     .n_findings = json_object(),
			     .n_unknown = json_object() };
	const char *verdict;

	if (!json_array_size(fact(report, "services")))
		judge_unknown(&j, "scope %s is empty: no service is in it",
			      fact_text(report, "scope.name"));
	q->judge(&j);
	judge_verified(&j, q->id);
	verdict = verdict_of(&j);
	json_decref(j.n_findings);
	json_decref(j.n_unknown);
	return json_pack("{s:s, s:s, s:s, s:s, s:s*, s:o, s:o, s:o, s:{s:o, s:o}}", "id", q->id,
			 "title", q->title, "verdict", verdict, "checked", q->checked, "left",
			 q->left, "findings", j.findings, "unknown", j.unknown, "evidence",
			 j.evidence, "keys", "findings", j.finding_keys, "unknown", j.unknown_keys);
}

static void count(json_t *sum, const json_t *requirement)
{
	const char *verdict = fact_text(requirement, "verdict");

	json_object_set_new(sum, verdict, json_integer(fact_number(sum, verdict) + 1));
}

static int number_cmp(const void *a, const void *b)
{
	return strverscmp((*(const struct requirement *const *)a)->id,
			  (*(const struct requirement *const *)b)->id);
}

/* All parts, by their numbers. Returns how many. */
static size_t list_all(const struct requirement *ret[REQUIREMENTS_MAX])
{
	size_t n = 0;

	for (size_t p = 0; p < BH_ARRAY_SIZE(parts); p++)
		for (const struct requirement *q = parts[p]; q->id && n < REQUIREMENTS_MAX; q++)
			ret[n++] = q;
	qsort(ret, n, sizeof(ret[0]), number_cmp);
	return n;
}

int report_judge(json_t *report, struct bh_err *err)
{
	const struct requirement *list[REQUIREMENTS_MAX];
	json_t *all = json_array(), *sum = json_object();
	size_t n = list_all(list);
	int r = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(verdicts); i++)
		json_object_set_new(sum, verdicts[i], json_integer(0));
	for (size_t i = 0; i < n; i++) {
		json_t *one = judge_one(report, list[i]);

		count(sum, one);
		r |= json_array_append_new(all, one);
	}
	r |= json_object_set_new(report, "requirements", all);
	r |= json_object_set_new(report, "sum", sum);
	return r < 0 ? bh_err_oom(err) : 0;
}
