/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "judge.h"

/* Is the trail as old as what else is kept? Whoever removes it does not hide that there was more. */

/* What is a moment older comes with the first entry: LATE seconds. */
static const struct {
	const char *path, *what;
	int64_t late;
} older[] = {
	{ "trail.runs.mark", "the bulkheadd that ran last was ready at", JUDGE_SECOND },
	{ "generations.oldest", "a generation was kept at", BH_REPORT_BEGIN_S },
	{ "denied.kept.begun", "the history of denied flows has begun at", BH_REPORT_BEGIN_S },
};

static bool is_older(const struct judging *j, size_t i, int64_t begins)
{
	int64_t t = fact_time(j->report, older[i].path);

	return t > 0 && t + older[i].late < begins;
}

void judge_begins(struct judging *j)
{
	int64_t begins = fact_time(j->report, "trail.begins");
	const char *when = fact_text(j->report, "trail.begins");

	/* what is before a later entry is missing (10.3), or was removed in order */
	if (fact_number(j->report, "trail.first") != 1 || !begins)
		return;
	if (fact_text(j->report, "trail.runs.earlier")[0])
		judge_found(j,
			    "the audit trail begins at %s, and its first start knows of a run that "
			    "was seen last at %s and has no entry: the trail before was removed",
			    when, fact_text(j->report, "trail.runs.earlier"));
	for (size_t i = 0; i < BH_ARRAY_SIZE(older); i++)
		if (is_older(j, i, begins))
			judge_found(j,
				    "the audit trail begins at %s, and %s %s: the trail before was "
				    "removed",
				    when, older[i].what, fact_text(j->report, older[i].path));
}

void judge_whole(struct judging *j)
{
	json_int_t n = fact_number(j->report, "trail.n_findings");

	judge_begins(j);
	if (n)
		judge_found(j,
			    "the audit trail is not whole, %" JSON_INTEGER_FORMAT
			    " finding%s (10.3): what happened may not be in it",
			    n, bh_s((uint64_t)n));
}
