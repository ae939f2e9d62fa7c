/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report_runs.h"

#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define USEC INT64_C(1000000)

/* A mark that is older than this is of a daemon that is no more. */
#define MARK_OLD (3 * BH_RUN_MARK_S * USEC)

/* --- gaps --------------------------------------------------------------------------------------- */

static void put_time(json_t *o, const char *key, int64_t t)
{
	char text[BH_TIME_STR];

	json_object_set_new(o, key, json_string(bh_format_time(text, t)));
}

/* A restart in order, of bulkheadd or of the machine, as judge_gaps() takes it for one. */
static bool is_in_order(const json_t *gap)
{
	int64_t booted, to;
	json_int_t s = gather_number(gap, "seconds");

	if (strcmp(cli_text(gap, "kind"), "ended") != 0 ||
	    gather_time(cli_text(gap, "to"), &to) < 0 || s < 0)
		return false;
	if (s <= BH_REPORT_GAP_S)
		return true;
	return s <= BH_REPORT_REBOOT_S && gather_time(cli_text(gap, "booted"), &booted) >= 0 &&
	       to - booted <= BH_REPORT_GAP_S * USEC;
}

/* However often it was started anew in order, that hides no time in which nobody watched. */
static void make_room(struct run_reading *r)
{
	const json_t *gap;
	size_t i;

	if (json_array_size(r->gaps) < BH_REPORT_GAPS_MAX)
		return;
	json_array_foreach (r->gaps, i, gap)
		if (is_in_order(gap)) {
			json_array_remove(r->gaps, i);
			r->more_restarts++;
			return;
		}
	json_array_remove(r->gaps, 0);
	r->more++;
}

/* NULL: it was over before the time of the report. TO: 0, it lasts. Seconds are rounded up; < 0: the clock was set back in it. */
static json_t *add_gap(struct run_reading *r, const char *what, const char *kind, int64_t from,
		       int64_t to)
{
	json_t *o;

	if (to && to < r->from)
		return NULL;
	o = json_pack("{s:s, s:s}", "what", what, "kind", kind);
	put_time(o, "from", from);
	if (to) {
		put_time(o, "to", to);
		json_object_set_new(
			o, "seconds",
			json_integer(to < from ? -1 : (json_int_t)((to - from + USEC - 1) / USEC)));
	}
	make_room(r);
	json_array_append_new(r->gaps, o);
	return o;
}

/* Its end: again, or of the run that it was in. */
static void end_deafness(struct run_reading *r, int64_t to)
{
	json_t *gap;

	if (!r->deaf)
		return;
	gap = add_gap(r, "logger", "deaf", r->deaf, to);
	if (gap)
		gather_text(gap, "why", r->deaf_why);
	r->deaf = 0;
}

/* --- entries ------------------------------------------------------------------------------------ */

/* When the run before ended, and how; NULL: there was none that is known of. */
static const char *end_before(const struct run_reading *r, const struct run_start *s, int64_t *ret)
{
	if (r->state == RUN_OFF) {
		*ret = r->at;
		return r->failed ? "failed" : "ended";
	}
	*ret = s->before == RUN_LOST && r->seen > s->seen ? r->seen : s->seen;
	if (s->before != RUN_NOT_KNOWN)
		return s->before == RUN_ENDED ? "ended" : "lost";
	*ret = r->seen;
	if (r->state != RUN_ON)
		return NULL;
	return r->marks ? "unmarked" : "unknown";
}

static void on_start(struct run_reading *r, const json_t *e, int64_t t)
{
	struct run_start s = { 0 };
	bool says = run_start_parse(cli_text(e, "detail"), &s) >= 0;
	const char *kind;
	int64_t from;
	json_t *gap;

	/* what was refused ended at once; older versions say no more than that it went well */
	if (!says && strcmp(cli_text(e, "outcome"), "done") != 0)
		return;
	if (says && s.before != RUN_NOT_KNOWN && r->state == RUN_NEVER)
		r->earlier = s.seen;
	kind = end_before(r, &s, &from);
	if (kind) {
		end_deafness(r, from);
		gap = add_gap(r, "bulkheadd", kind, from, t);
		if (gap && r->boot[0] && s.boot[0] && strcmp(r->boot, s.boot) != 0)
			put_time(gap, "booted", s.booted);
	}
	snprintf(r->boot, sizeof(r->boot), "%s", s.boot);
	r->marks = says;
	r->state = RUN_ON;
	r->at = r->seen = t;
	r->deaf = 0;
	r->first = r->first ? r->first : t;
}

static void on_stop(struct run_reading *r, const json_t *e, int64_t t)
{
	end_deafness(r, t);
	r->state = RUN_OFF;
	r->at = t;
	r->failed = strcmp(cli_text(e, "outcome"), "done") != 0;
}

static void on_logger(struct run_reading *r, const json_t *e, int64_t t)
{
	const char *why;
	int64_t since;
	bool again;

	if (run_logger_parse(cli_text(e, "detail"), &since, &again, &why) < 0)
		return;
	if (again) {
		end_deafness(r, since);
	} else if (!r->deaf) {
		r->deaf = since;
		snprintf(r->deaf_why, sizeof(r->deaf_why), "%s", why);
	}
}

static void on_stall(struct run_reading *r, const json_t *e, int64_t t)
{
	int64_t from, to;

	if (run_stall_parse(cli_text(e, "detail"), &from, &to) >= 0)
		add_gap(r, "bulkheadd", "stalled", from, to);
}

static const struct {
	const char *action;
	void (*take)(struct run_reading *r, const json_t *e, int64_t t);
} actions[] = {
	{ "start", on_start },
	{ "stop", on_stop },
	{ "logger", on_logger },
	{ "stall", on_stall },
};

/* Whoever opens the trail writes these. */
static bool is_a_daemons(const json_t *e)
{
	static const char *const others[] = { "torn", "damage", "prune" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(others); i++)
		if (strcmp(cli_text(e, "action"), others[i]) == 0)
			return false;
	return strcmp(cli_text(json_object_get(e, "who"), "role"), "command line") != 0;
}

void runs_entry(struct run_reading *r, const json_t *entry, int64_t t)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(actions); i++)
		if (strcmp(cli_text(entry, "action"), actions[i].action) == 0)
			actions[i].take(r, entry, t);
	if (r->state == RUN_ON && is_a_daemons(entry) && t > r->seen)
		r->seen = t;
}

/* --- now ---------------------------------------------------------------------------------------- */

/* The last run: does it last, as far as its mark says? */
static void look_at_now(struct run_reading *r, const struct gathering *g)
{
	struct run_mark m;

	if (r->state == RUN_OFF)
		add_gap(r, "bulkheadd", r->failed ? "failed" : "ended", r->at, 0);
	if (r->state == RUN_ON && run_mark_read(g->options->store, &m, NULL) >= 0 &&
	    m.since >= r->at - MARK_OLD && g->now - m.seen > (m.ended ? 0 : MARK_OLD)) {
		end_deafness(r, m.seen);
		add_gap(r, "bulkheadd", m.ended ? "ended" : "lost", m.seen, 0);
	}
	end_deafness(r, 0);
}

/* What is known of runs that may be older than the trail. */
static void put_earlier(json_t *o, const struct run_reading *r, const struct gathering *g)
{
	struct run_mark m;

	if (r->earlier)
		put_time(o, "earlier", r->earlier);
	if (run_mark_read(g->options->store, &m, NULL) >= 0 && m.since > 0)
		put_time(o, "mark", m.since);
}

json_t *runs_object(struct run_reading *r, const struct gathering *g)
{
	json_t *o = json_object();

	look_at_now(r, g);
	if (r->first)
		put_time(o, "from", r->first > r->from ? r->first : r->from);
	put_earlier(o, r, g);
	report_tame(r->gaps);
	json_object_set_new(o, "gaps", r->gaps);
	json_object_set_new(o, "more", json_integer((json_int_t)r->more));
	json_object_set_new(o, "more_restarts", json_integer((json_int_t)r->more_restarts));
	return o;
}
