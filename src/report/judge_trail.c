/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "judge.h"

/* What is kept of the past, and who watches: 10 and 11. */

/* An empty trail shows nothing. */
static bool judge_has_entries(struct judging *j)
{
	if (!judge_was_read(j, "trail", "the audit trail"))
		return false;
	if (!fact_number(j->report, "trail.entries"))
		judge_unknown(j, "the audit trail has no entry");
	return fact_number(j->report, "trail.entries");
}

/* --- 10.2 ------------------------------------------------------------------------------------- */

/* Since when there is one, against since when a daemon ran that would have kept it. */
static bool judge_span(struct judging *j, const json_t *d)
{
	int64_t begun = fact_time(d, "kept.begun"), runs = fact_time(j->report, "trail.runs.from");

	if (begun <= 0)
		judge_unknown(j, "the history of denied flows has not begun: what was denied is "
				 "not known");
	else if (runs && begun > runs + BH_REPORT_BEGIN_S)
		judge_found(j,
			    "the history of denied flows begins at %s, and bulkheadd runs since "
			    "%s: what was denied before was removed, or never recorded",
			    fact_text(d, "kept.begun"), fact_text(j->report, "trail.runs.from"));
	return begun > 0;
}

static void judge_history(struct judging *j)
{
	const json_t *d = fact(j->report, "denied");

	if (!judge_was_read(j, "denied", "the history of denied flows"))
		return;
	if (!judge_span(j, d))
		return;
	if (!fact_is(d, "adds_up"))
		judge_found(j, "what was denied is not what was recorded and what was counted "
			       "without a record: the history was altered");
	if (fact_number(d, "kept.lost_records"))
		judge_found(j, "%" JSON_INTEGER_FORMAT " record%s could not be written",
			    fact_number(d, "kept.lost_records"),
			    bh_s((uint64_t)fact_number(d, "kept.lost_records")));
	if (fact_is(d, "from_the_future"))
		judge_found(j, "the history has records of a time that is still to come: the clock "
			       "was set back");
	judge_evidence(j,
		       "denied packets of the scope since %s: %" JSON_INTEGER_FORMAT
		       ", in records: %" JSON_INTEGER_FORMAT
		       "; every packet is recorded or counted",
		       fact_text(d, "from"), fact_number(d, "packets"), fact_number(d, "records"));
}

static void judge_left_out(struct judging *j)
{
	json_int_t left_out = fact_number(j->report, "denied.left_out");
	size_t unclear = json_array_size(fact(j->report, "denied.unclear"));

	if (left_out)
		judge_evidence(j,
			       "records of packets that a segmentation test of the trail sent, by "
			       "its source port and marks, are not listed here: "
			       "%" JSON_INTEGER_FORMAT " (bulkhead denied shows all)",
			       left_out);
	if (unclear)
		judge_evidence(j,
			       "denied attempts of the time of a segmentation test of which only "
			       "the count is known, so that they may be the test's or "
			       "somebody's: %zu, listed on their own",
			       unclear);
}

static void judge_logging(struct judging *j)
{
	size_t i, allowed = 0, n = 0;
	json_t *s;

	fact_each (j->report, "services", i, s) {
		n++;
		allowed += fact_is(s, "log_allowed");
		if (!fact_is(s, "log_denied"))
			judge_found(j, "%s keeps no records of what it denies (%s)",
				    fact_text(s, "name"), fact_text(s, "where"));
	}
	judge_evidence(j, "services of the scope that also record what they allow: %zu of %zu",
		       allowed, n);
}

static void judge_clock(struct judging *j)
{
	size_t i;
	json_t *b;

	fact_each (j->report, "trail.backwards", i, b)
		if (fact_equals(b, "when", "now"))
			judge_found(
				j,
				"the newest entry of the trail is of %s, which is still to come: "
				"the clock was set back",
				fact_text(b, "before"));
		else
			judge_found(j,
				    "entry %" JSON_INTEGER_FORMAT
				    " of the trail (%s) is older than the one "
				    "before it (%s): the clock was set back",
				    fact_number(b, "seq"), fact_text(b, "when"),
				    fact_text(b, "before"));
}

static void judge_complete(struct judging *j)
{
	if (judge_has_entries(j))
		judge_evidence(j,
			       "the audit trail has entries %" JSON_INTEGER_FORMAT
			       " to %" JSON_INTEGER_FORMAT,
			       fact_number(j->report, "trail.first"),
			       fact_number(j->report, "trail.last"));
	judge_whole(j);
	judge_clock(j);
	judge_history(j);
	judge_left_out(j);
	judge_logging(j);
}

/* --- 10.3 ------------------------------------------------------------------------------------- */

static void judge_unaltered(struct judging *j)
{
	size_t i;
	json_t *f;

	fact_each (j->report, "trail.findings", i, f)
		judge_found(j, "%s", json_string_value(f));
	judge_begins(j);
	if (!judge_has_entries(j))
		return;
	if (!fact_is(j->report, "trail.safe"))
		judge_found(j, "others than root may write to the directory of the trail");
	judge_evidence(j,
		       "entries that were looked at, each with the SHA-256 of the one before: "
		       "%" JSON_INTEGER_FORMAT "; the last is %" JSON_INTEGER_FORMAT ", %s",
		       fact_number(j->report, "trail.entries"),
		       fact_number(j->report, "trail.last"),
		       fact_text(j->report, "trail.last_hash"));
}

/* --- 10.7 ------------------------------------------------------------------------------------- */

static void judge_now(struct judging *j)
{
	const json_t *d = fact(j->report, "daemon");
	char why[JUDGE_STR];

	if (fact_equals(d, "state", "absent")) {
		judge_found(j,
			    "no bulkheadd answers: between two runs nobody would notice a control "
			    "that failed");
		return;
	}
	if (!judge_was_read(j, "daemon", "bulkheadd"))
		return;
	if (fact_is(d, "finding"))
		judge_found(j, "bulkheadd: %s", fact_text(d, "why"));
	if (!judge_is_recent(j, why))
		judge_found(j, "bulkheadd: %s", why);
	if (!fact_equals(d, "logger", "runs"))
		judge_found(j,
			    "the logger does not run (%s): what is denied is counted, and not "
			    "recorded",
			    fact_text(d, "logger"));
	judge_evidence(j,
		       "bulkheadd runs since %s; namespaces that it holds: %" JSON_INTEGER_FORMAT
		       ", altered tables that it has put right: %" JSON_INTEGER_FORMAT,
		       fact_text(d, "since"), fact_number(d, "namespaces"),
		       fact_number(d, "repairs"));
}

static void judge_daemon(struct judging *j)
{
	judge_now(j);
	judge_gaps(j);
}

/* --- 11.4 ------------------------------------------------------------------------------------- */

static void judge_test(struct judging *j, json_int_t days)
{
	const json_t *p = fact(j->report, "probe");
	int64_t when = fact_time(p, "when"), now = fact_time(j->report, "generated");
	size_t i;
	json_t *f;

	if (!judge_was_read(j, "probe", "no segmentation test"))
		return;
	fact_each (p, "findings", i, f)
		judge_found(j, "%s", json_string_value(f));
	fact_each (p, "unknown", i, f)
		judge_unknown(j, "%s", json_string_value(f));
	if (!when)
		judge_unknown(j, "the segmentation test has no date");
	else if (when > now + JUDGE_LATE)
		judge_found(j,
			    "the segmentation test is of %s, which is still to come: the clock "
			    "was set back",
			    fact_text(p, "when"));
	else if (when + days * JUDGE_DAY < now)
		judge_found(j,
			    "the segmentation test is of %s, older than %" JSON_INTEGER_FORMAT
			    " days",
			    fact_text(p, "when"), days);
	if (!fact_text(p, "policies")[0])
		judge_unknown(j, "of which policies the segmentation test was is not known");
	else if (!fact_equals(p, "policies", fact_text(j->report, "policies.digest")))
		judge_found(j, "the segmentation test was of other policies (%.12s)",
			    fact_text(p, "policies"));
	if (!fact_number(p, "questions"))
		judge_unknown(j, "the segmentation test asked nothing that touches the scope");
	else
		judge_evidence(j,
			       "connections that were tried at %s: %" JSON_INTEGER_FORMAT
			       ", of them into or out of the scope: %" JSON_INTEGER_FORMAT
			       "; each verdict is from counters and records",
			       fact_text(p, "when"), fact_number(p, "total"),
			       fact_number(p, "questions"));
}

static void judge_test_yearly(struct judging *j)
{
	judge_test(j, BH_REPORT_TEST_DAYS);
}

static void judge_test_provider(struct judging *j)
{
	judge_test(j, BH_REPORT_PROVIDER_TEST_DAYS);
}

const struct requirement requirements_trail[] = {
	{ "10.2", "Logs are there and tell all that happened",
	  "the audit trail of changes; the history of denied flows and whether its sums add up; "
	  "which services record; whether time ran backwards",
	  "Logs of the applications, and of who logs in.", judge_complete },
	{ "10.3", "Logs are safe from destruction and unauthorised change",
	  "every entry of the audit trail against the hash of the one before, and the head file",
	  "That the last hash is kept elsewhere too: the chain has no secret in it.",
	  judge_unaltered },
	{ "10.7", "A failure of a control is found, told and answered in time",
	  "bulkheadd runs, sees every namespace, and its logger runs; by the audit trail, when "
	  "none "
	  "did",
	  "Who is called, and how fast they answer.", judge_daemon },
	{ "11.4.5", "Segmentation is tested at least once a year and after changes",
	  "the result of bulkhead probe, its date, and that it was of these policies",
	  "That the tester is qualified and independent.", judge_test_yearly },
	{ "11.4.6", "Service providers test segmentation at least every six months",
	  "the same, against six months", "Whether this is a service provider's environment.",
	  judge_test_provider },
	{ 0 },
};
