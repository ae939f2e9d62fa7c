/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/report.h>

#include "meters.h"
#include "watches.h"

/* Changes come in bursts: a container that starts makes a dozen within some milliseconds. */
#define SETTLE_USEC 20000
/* What no event told is found by then. */
#define LOOK_USEC 30000000
/*
 * An event tells that something begins, not that it is complete: a namespace's file is there before
 * it is mounted on, a process has ended before its engine knows. So more looks follow, ever later.
 */
#define PAUSE_GROWTH 2
/* Whoever makes events without end gets half the time for looks: each is followed by as long a rest. */
#define REST_USEC 1000000 /* at most, unless it was our own CPU that took longer */

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static void log_result(const struct site *s, const struct apply_result *res)
{
	char who[256], line[BH_ERR_MAX + 400];

	if (res->outcome == APPLY_UNCHANGED)
		return;
	endpoint_format(who, sizeof(who), &s->endpoints->endpoints[res->endpoint]);
	snprintf(line, sizeof(line), "%s: %s%s%s", who, apply_outcome_name(res->outcome),
		 res->why[0] ? ": " : "", res->why);
	controller_log(line, NULL);
}

static int on_result(const struct apply_result *res, void *arg)
{
	struct handing *h = arg;

	h->failed += res->outcome == APPLY_FAILED;
	meters_applied(h->c->meters, res);
	log_result(&h->c->site, res);
	if (h->fn)
		h->fn(report_applied(&h->c->site, res), h->arg);
	return 0;
}

/* What is held of namespaces that nobody lists any more would keep them alive. */
struct sweep {
	struct controller *c;
	uint64_t *gone;
	size_t n;
};

static bool is_listed(const struct site *s, uint64_t ino)
{
	for (size_t i = 0; i < s->endpoints->n; i++)
		if (s->endpoints->endpoints[i].netns_ino == ino)
			return true;
	return false;
}

static void note_gone(const struct hold *h, void *arg)
{
	struct sweep *s = arg;

	if (!is_listed(&s->c->site, hold_ino(h)))
		s->gone[s->n++] = hold_ino(h);
}

static void release_gone(struct controller *c)
{
	bh_autofree uint64_t *gone = calloc(holds_count(c->holds) + 1, sizeof(*gone));
	struct sweep s = { c, gone, 0 };

	if (!gone)
		return; /* the next look does it */
	holds_each(c->holds, note_gone, &s);
	for (size_t i = 0; i < s.n; i++) {
		watches_forget(c->watches, gone[i]);
		holds_release(c->holds, gone[i]);
	}
}

static uint64_t usec_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void arm(struct controller *c, uint64_t at)
{
	sd_event_source_set_time(c->timer, at);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

struct effort reconcile_begin(void)
{
	return (struct effort) { usec_of(CLOCK_MONOTONIC), usec_of(CLOCK_PROCESS_CPUTIME_ID) };
}

void reconcile_end(struct controller *c, const struct effort *began)
{
	uint64_t now;
	uint64_t cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID) - began->cpu;

	meters_looked(c->meters, &c->site, holds_count(c->holds),
		      usec_of(CLOCK_MONOTONIC) - began->wall, c->apply_usec);
	now = usec_of(CLOCK_MONOTONIC);
	c->pause = MIN(c->pause * PAUSE_GROWTH, LOOK_USEC);
	c->rests_until = now + MAX(MIN(now - began->wall, REST_USEC), cpu);
	arm(c, MAX(now + c->pause, c->rests_until));
}

/* Never later than it is due already: else events without end would put it off for ever. */
void reconcile_touch(struct controller *c)
{
	uint64_t at = MAX(usec_of(CLOCK_MONOTONIC) + SETTLE_USEC, c->rests_until), due;
	int enabled;

	c->pause = SETTLE_USEC;
	if (sd_event_source_get_enabled(c->timer, &enabled) < 0 ||
	    sd_event_source_get_time(c->timer, &due) < 0)
		return;
	if (enabled == SD_EVENT_OFF || at < due)
		arm(c, at);
}

int reconcile_apply(struct controller *c, struct handing *h, struct bh_err *err)
{
	uint64_t start = usec_of(CLOCK_MONOTONIC);
	int r;

	release_gone(c);
	r = enforce_apply(&c->site, on_result, h, err);
	c->apply_usec = usec_of(CLOCK_MONOTONIC) - start;
	watches_sync(c->watches, &c->site, c->holds);
	return r;
}

/* The endpoints could not be listed: what runs stays as it is, and that is said once. */
void reconcile_note_trouble(struct controller *c, const struct bh_err *err)
{
	if (strcmp(c->trouble, err->msg) != 0)
		controller_log(err->msg[0] ? err->msg : "the last trouble is over", NULL);
	snprintf(c->trouble, sizeof(c->trouble), "%s", err->msg);
}

int reconcile_all(struct controller *c, void (*tell)(const char *, void *),
		  void (*fn)(json_t *, void *), void *arg, struct bh_err *err)
{
	struct handing h = { .c = c, .fn = fn, .arg = arg };
	struct effort began = reconcile_begin();
	struct diag_list diags;
	bool input;
	int r;

	diag_list_init(&diags);
	r = site_refresh(&c->site, &c->site_options, &diags, &input, err);
	if (tell)
		controller_tell_diags(&diags, tell, arg);
	diag_list_done(&diags);
	if (r >= 0)
		r = reconcile_apply(c, &h, err);
	reconcile_note_trouble(c, err);
	reconcile_end(c, &began);
	return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;

	if (c->loaded)
		reconcile_all(c, NULL, NULL, NULL, &err);
	return 0;
}

int reconcile_init(struct controller *c, struct bh_err *err)
{
	int r = sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, LOOK_USEC, 1000,
					   on_timer, c);

	return r < 0 ? bh_err_errno(err, r, "event loop") : 0;
}
