/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/store/audit.h>
#include <bulkhead/store/inforce.h>

#include "report.h"
#include "report_runs.h"

/* The audit trail, and which generation is in force. */

#define USEC       INT64_C(1000000)
#define BEGUN_MAX  16          /* that run at one time */
#define TEST_MAX_S 3600        /* a longer one is not taken for one */
#define TEST_LATE  (12 * USEC) /* what is counted and not logged is recorded at the next look */

struct begun {
	int64_t since; /* 0: none */
	unsigned port;
	json_int_t pid;
};

struct reading {
	struct gathering *g;
	struct begun begun[BEGUN_MAX]; /* segmentation tests that were not yet done */
	size_t n_begun;                /* that ever were: the last ones are kept */
	json_t *changes, *backwards, *findings;
	char first[BH_TIME_STR]; /* the time of the first entry */
	int64_t before;          /* the time of the entry before */
	char before_text[64];
	struct run_reading runs;
};

/* --- entries ---------------------------------------------------------------------------------- */

static bool is_change(const json_t *e)
{
	const char *after = cli_text(e, "after");

	return strcmp(cli_text(e, "outcome"), "done") == 0 && after[0] &&
	       strcmp(cli_text(e, "before"), after) != 0;
}

static void add_change(struct reading *r, const struct audit_item *item)
{
	json_t *o = json_pack("{s:I}", "seq", (json_int_t)item->seq);
	const json_t *e = item->entry;
	static const char *const copied[] = { "when",  "action",  "outcome", "before",
					      "after", "objects", "detail" };

	for (size_t i = 0; i < BH_ARRAY_SIZE(copied); i++)
		json_object_set_new(o, copied[i], json_deep_copy(json_object_get(e, copied[i])));
	json_object_set_new(
		o, "who",
		json_sprintf(
			"%s(%" JSON_INTEGER_FORMAT ")", cli_text(json_object_get(e, "who"), "name"),
			json_integer_value(json_object_get(json_object_get(e, "who"), "uid"))));
	report_tame(o);
	if (json_array_size(r->changes) >= BH_REPORT_CHANGES_MAX)
		json_array_remove(r->changes, 0);
	json_array_append_new(r->changes, o);
}

/* A second back is what a clock that is being kept right does. */
static void look_at_time(struct reading *r, const struct audit_item *item)
{
	const char *when = cli_text(item->entry, "when");
	int64_t t;

	if (bh_parse_time(when, &t) < 0)
		return;
	if (t + 1 < r->before && json_array_size(r->backwards) < BH_REPORT_FINDINGS_MAX) {
		json_t *o = json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)item->seq, "when", when,
				      "before", r->before_text);

		report_tame(o);
		json_array_append_new(r->backwards, o);
	}
	r->before = t;
	snprintf(r->before_text, sizeof(r->before_text), "%s", when);
}

/* The same run, as its result has it and as the trail has it: their times differ by little. */
static bool is_known(struct gathering *g, const struct report_test *t)
{
	for (size_t i = 0; i < g->n_tests; i++) {
		struct flows_span *s = &g->tests[i].span;

		if (g->tests[i].port != t->port || s->since > t->span.until ||
		    s->until < t->span.since)
			continue;
		s->since = s->since < t->span.since ? s->since : t->span.since;
		s->until = s->until > t->span.until ? s->until : t->span.until;
		return true;
	}
	return false;
}

void gather_test(struct gathering *g, int64_t since, int64_t until, unsigned port)
{
	struct report_test t = { { since, until + TEST_LATE }, port };

	if (until < since || until - since > TEST_MAX_S * USEC || is_known(g, &t))
		return;
	if (g->n_tests == REPORT_TESTS_MAX) /* the newest are of interest */
		memmove(g->tests, g->tests + 1, sizeof(g->tests) - sizeof(t));
	else
		g->n_tests++;
	g->tests[g->n_tests - 1] = t;
}

static void add_trailed(struct gathering *g, int64_t since, int64_t until, unsigned port)
{
	const struct flows_test t = { { since, until + TEST_LATE }, (uint16_t)port };

	if (until < since || until - since > TEST_MAX_S * USEC || port >= UINT16_MAX)
		return;
	if (g->n_trailed == REPORT_TESTS_MAX)
		memmove(g->trailed, g->trailed + 1, sizeof(g->trailed) - sizeof(t));
	else
		g->n_trailed++;
	g->trailed[g->n_trailed - 1] = t;
}

static void end_test(struct reading *r, int64_t now, unsigned port, json_int_t pid)
{
	for (size_t i = 0; i < BEGUN_MAX; i++) {
		struct begun *b = &r->begun[i];

		if (!b->since || b->port != port || b->pid != pid)
			continue;
		gather_test(r->g, b->since, now, port);
		add_trailed(r->g, b->since, now, port);
		*b = (struct begun) { 0 };
	}
}

/* Of a test that could have been: root's, and of a port that one takes. */
static bool is_tests(const json_t *e, unsigned port)
{
	const json_t *uid = json_object_get(json_object_get(e, "who"), "uid");

	return json_is_integer(uid) && json_integer_value(uid) == 0 &&
	       port >= BH_PROBE_PORT_FIRST && port < BH_PROBE_PORT_LAST;
}

/* Two entries of audit_probe_begins() and audit_probe_ended(), with one port, by one process. */
static void look_for_test(struct reading *r, const json_t *e)
{
	json_int_t pid = json_integer_value(json_object_get(json_object_get(e, "who"), "pid"));
	const char *detail = cli_text(e, "detail");
	unsigned port;
	int64_t t;

	if (strcmp(cli_text(e, "action"), "probe") != 0 ||
	    strcmp(cli_text(e, "outcome"), "done") != 0 || gather_time(cli_text(e, "when"), &t) < 0)
		return;
	if (sscanf(detail, "a segmentation test begins: %*u %*s from source port %u", &port) == 1 &&
	    is_tests(e, port))
		r->begun[r->n_begun++ % BEGUN_MAX] = (struct begun) { t, port, pid };
	else if (sscanf(detail, "the segmentation test from source port %u", &port) == 1 &&
		 is_tests(e, port))
		end_test(r, t, port, pid);
}

static int on_item(const struct audit_item *item, void *arg)
{
	struct reading *r = arg;
	int64_t t;

	if (!item->entry)
		return 0;
	look_at_time(r, item);
	if (!r->first[0])
		snprintf(r->first, sizeof(r->first), "%s", cli_text(item->entry, "when"));
	if (gather_time(cli_text(item->entry, "when"), &t) >= 0)
		runs_entry(&r->runs, item->entry, t);
	look_for_test(r, item->entry);
	if (is_change(item->entry))
		add_change(r, item);
	return 0;
}

static void on_finding(const struct audit_finding *f, void *arg)
{
	struct reading *r = arg;

	if (json_array_size(r->findings) < BH_REPORT_FINDINGS_MAX)
		json_array_append_new(r->findings,
				      json_sprintf("%s: %s", audit_fault_name(f->fault), f->text));
}

static bool is_safe(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static json_t *trail_object(struct gathering *g)
{
	const char *dir = g->options->store ? g->options->store : BH_STORE_DIR;
	struct reading r = {
		.g = g,
		.changes = json_array(),
		.backwards = json_array(),
		.findings = json_array(),
		.runs.gaps = json_array(),
		.runs.from = g->now - (int64_t)g->days * RUNS_DAY,
	};
	struct bh_err err = BH_ERR_INIT;
	struct audit_verdict v = { 0 };
	int q = audit_verify(dir, on_finding, &r, &v, &err);
	json_t *o;

	if (q >= 0)
		q = audit_read(dir, on_item, &r, &err);
	o = q >= 0 ? gather_state("read", NULL) : gather_state("unreadable", err.msg);
	/* A clock that is behind the newest entry has been set back, too. */
	if (r.before > g->now / USEC + 60)
		json_array_append_new(r.backwards, json_pack("{s:s, s:s}", "when", "now", "before",
							     r.before_text));
	json_object_set_new(o, "entries", json_integer((json_int_t)v.entries));
	json_object_set_new(o, "first", json_integer(v.first));
	gather_text(o, "begins", r.first);
	json_object_set_new(o, "last", json_integer(v.last));
	json_object_set_new(o, "last_hash", json_string(v.last_hash));
	json_object_set_new(o, "n_findings", json_integer((json_int_t)v.findings));
	json_object_set(o, "first_finding", json_array_get(r.findings, 0));
	json_object_set_new(o, "safe", json_boolean(is_safe(dir)));
	json_object_set_new(o, "runs", runs_object(&r.runs, g));
	json_object_set_new(o, "findings", r.findings);
	json_object_set_new(o, "changes", r.changes);
	json_object_set_new(o, "backwards", r.backwards);
	return o;
}

/* --- generations ------------------------------------------------------------------------------ */

static void put_generation(json_t *o, const struct in_force *now, const struct generation_info *g,
			   size_t n)
{
	char when[BH_TIME_STR];
	int64_t oldest = n ? g[0].when : 0;

	for (size_t i = 0; i < n; i++) {
		oldest = g[i].when < oldest ? g[i].when : oldest;
		if (strcmp(g[i].id, now->id) != 0)
			continue;
		json_object_set_new(o, "policies", json_string(g[i].digest));
		json_object_set_new(o, "since", json_string(bh_format_time(when, g[i].when)));
		json_object_set_new(o, "by", json_sprintf("%s(%u)", g[i].name, g[i].uid));
	}
	if (n)
		json_object_set_new(o, "oldest", json_string(bh_format_time(when, oldest)));
	json_object_set_new(o, "kept", json_integer((json_int_t)n));
	json_object_set_new(o, "waits", json_boolean(now->waits));
}

static json_t *generations_object(const struct gathering *g)
{
	const char *store = g->options->store ? g->options->store : BH_STORE_DIR;
	bh_autofree struct generation_info *all = NULL;
	struct bh_err err = BH_ERR_INIT;
	struct in_force now;
	char dir[PATH_MAX];
	size_t n = 0;
	json_t *o;

	if (snprintf(dir, sizeof(dir), "%s/generations", store) >= (int)sizeof(dir))
		return gather_state("unreadable", "the store's name is too long");
	if (in_force_load(store, &now, &err) < 0 ||
	    generations_list(dir, &all, &n, NULL, NULL, &err) < 0)
		return gather_state("unreadable", err.msg);
	o = gather_state("read", NULL);
	put_generation(o, &now, all, n);
	report_tame(o);
	return o;
}

int gather_trail(struct gathering *g)
{
	json_object_set_new(g->report, "trail", trail_object(g));
	json_object_set_new(g->report, "generations", generations_object(g));
	return CLI_YES;
}
