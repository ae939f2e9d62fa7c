/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "judge.h"

/* Times in which nobody watched (10.7): "runs" of the trail. */

#define MINUTE 60
#define HOUR   3600
#define SPAN   48

/* "3 d 4 h", "2 h 5 min", "41 s": two units are exact enough. */
static const char *span_text(char out[SPAN], int64_t s)
{
	static const struct {
		int64_t unit, next;
		const char *name, *next_name;
	} units[] = { { JUDGE_DAY, HOUR, "d", "h" },
		      { HOUR, MINUTE, "h", "min" },
		      { MINUTE, 1, "min", "s" } };

	for (size_t i = 0; i < BH_ARRAY_SIZE(units); i++) {
		if (s < units[i].unit)
			continue;
		snprintf(out, SPAN, "%lld %s %lld %s", (long long)(s / units[i].unit),
			 units[i].name, (long long)(s % units[i].unit / units[i].next),
			 units[i].next_name);
		return out;
	}
	snprintf(out, SPAN, "%lld s", (long long)s);
	return out;
}

/* Restarts in order: one line of evidence for all, with the last. */
struct in_order {
	size_t restarts, reboots;
	const json_t *restart, *reboot;
};

struct gap {
	struct in_order *in_order;
	const json_t *o;
	const char *from, *to; /* TO "": it lasts */
	int64_t seconds;       /* < 0: not known */
	int64_t booted,
		after; /* the machine was started anew, and so long before TO; 0: it was not */
	char text[SPAN];
};

static void read_gap(const struct judging *j, const json_t *o, struct in_order *in_order,
		     struct gap *ret)
{
	int64_t now = fact_time(j->report, "generated");

	*ret = (struct gap) {
		.o = o,
		.in_order = in_order,
		.from = fact_text(o, "from"),
		.to = fact_text(o, "to"),
		.booted = fact_time(o, "booted"),
	};
	ret->seconds = ret->to[0] ? fact_number(o, "seconds") : now - fact_time(o, "from");
	if (ret->booted)
		ret->after = fact_time(o, "to") - ret->booted;
	span_text(ret->text, ret->seconds);
	if (ret->seconds < 0)
		snprintf(ret->text, sizeof(ret->text), "how long is not known");
}

#define GAP "from %s" VARIES(" to %s (%s)%s%s")
#define GAP_OF(g)                                                                                  \
	(g)->from, (g)->to[0] ? (g)->to : "now", (g)->text,                                        \
		(g)->booted ? "; the machine was started anew at " : "",                           \
		fact_text((g)->o, "booted")

/* --- one kind each ------------------------------------------------------------------------------ */

/* Of a machine that is off nobody knows since when: the run ended before, in order. */
static bool judge_reboot(struct judging *j, const struct gap *g)
{
	char after[SPAN];

	if (!g->booted || g->seconds < 0 || g->after < 0 || g->after > BH_REPORT_GAP_S)
		return false;
	if (g->seconds <= BH_REPORT_REBOOT_S) {
		g->in_order->reboots++;
		g->in_order->reboot = g->o;
		return true;
	}
	judge_unknown(j,
		      "bulkheadd was ended, and did not run " GAP " and bulkheadd " VARIES(
			      "%s") " later: how "
				    "long the machine ran before that is not known",
		      GAP_OF(g), span_text(after, g->after));
	return true;
}

static void judge_ended(struct judging *j, const struct gap *g)
{
	if (judge_reboot(j, g))
		return;
	if (g->to[0] && g->seconds >= 0 && g->seconds <= BH_REPORT_GAP_S) {
		g->in_order->restarts++;
		g->in_order->restart = g->o;
		return;
	}
	judge_found(j, "bulkheadd was ended, and none ran " GAP, GAP_OF(g));
}

static void judge_failed(struct judging *j, const struct gap *g)
{
	judge_found(j, "bulkheadd ended by a failure, and none ran " GAP, GAP_OF(g));
}

static void judge_lost(struct judging *j, const struct gap *g)
{
	judge_found(j,
		    "bulkheadd ended without a word (it crashed, was killed, or the machine was), "
		    "and none is known to have run " GAP,
		    GAP_OF(g));
}

static void judge_dark(struct judging *j, const struct gap *g)
{
	judge_unknown(
		j,
		"when bulkheadd ended between %s and %s is not known: an older version wrote no "
		"stop into the trail",
		g->from, g->to);
}

static void judge_unmarked(struct judging *j, const struct gap *g)
{
	judge_found(j,
		    "when bulkheadd ended between %s and %s is not known: it kept a mark, and that "
		    "was removed",
		    g->from, g->to);
}

static void judge_stalled(struct judging *j, const struct gap *g)
{
	judge_found(j, "bulkheadd was there and stood still " GAP, GAP_OF(g));
}

static void judge_deaf(struct judging *j, const struct gap *g)
{
	judge_found(j, "not all denied packets were recorded " GAP ": %s", GAP_OF(g),
		    fact_text(g->o, "why"));
}

static const struct {
	const char *kind;
	void (*judge)(struct judging *j, const struct gap *g);
} kinds[] = {
	{ "ended", judge_ended },     { "failed", judge_failed }, { "lost", judge_lost },
	{ "unknown", judge_dark },    { "deaf", judge_deaf },     { "unmarked", judge_unmarked },
	{ "stalled", judge_stalled },
};

/* --- restarts in order -------------------------------------------------------------------------- */

static void tell_last(struct judging *j, const char *what, const char *mark, size_t n,
		      const json_t *last)
{
	struct gap g;

	if (!n)
		return;
	read_gap(j, last, NULL, &g);
	if (n == 1)
		judge_evidence(j, "bulkheadd was ended%s%s " GAP, what, mark, GAP_OF(&g));
	else
		judge_evidence(j, "%zu times bulkheadd was ended%s; the last time " GAP, n, what,
			       GAP_OF(&g));
}

static void tell_in_order(struct judging *j, const struct in_order *in_order)
{
	json_int_t more = fact_number(j->report, "trail.runs.more_restarts");

	tell_last(j, " and started again", ":", in_order->restarts, in_order->restart);
	tell_last(j, ", and did not run", "", in_order->reboots, in_order->reboot);
	if (more)
		judge_evidence(j,
			       "older restarts in order, of bulkheadd or the machine, that are not "
			       "listed: %" JSON_INTEGER_FORMAT,
			       more);
}

/* --- all ---------------------------------------------------------------------------------------- */

void judge_gaps(struct judging *j)
{
	const json_t *runs = fact(j->report, "trail.runs");
	struct in_order in_order = { 0 };
	size_t i, k, n = 0;
	json_t *o;

	if (!judge_was_read(j, "trail", "when bulkheadd ran"))
		return;
	judge_whole(j);
	if (!fact_text(runs, "from")[0]) {
		judge_unknown(j,
			      "whether bulkheadd always ran is not known: the audit trail has no "
			      "start of it");
		return;
	}
	fact_each (runs, "gaps", i, o) {
		struct gap g;

		n++;
		read_gap(j, o, &in_order, &g);
		for (k = 0; k < BH_ARRAY_SIZE(kinds); k++)
			if (fact_equals(o, "kind", kinds[k].kind))
				kinds[k].judge(j, &g);
	}
	tell_in_order(j, &in_order);
	if (fact_number(runs, "more"))
		judge_found(j,
			    "there are more times without bulkheadd or its logger: " VARIES(
				    "%" JSON_INTEGER_FORMAT),
			    fact_number(runs, "more"));
	if (!n)
		judge_evidence(j,
			       "since %s there was no time without bulkheadd, nor any in which not "
			       "all denied packets were recorded",
			       fact_text(runs, "from"));
}
