/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/report.h>
#include <bulkhead/runtime/runtime.h>

#include "announced.h"
#include "fresh.h"
#include "hints.h"
#include "logger.h"
#include "meters.h"
#include "park.h"
#include "protect.h"
#include "supervisor.h"
#include "warnings.h"
#include "watches.h"

/* Changes come in bursts: a container that starts makes a dozen within some milliseconds. */
#define SETTLE_USEC 20000
/* What no event told is found by then. */
#define LOOK_USEC    30000000
#define PUT_OFF_USEC 100000  /* while a container starts */
#define RELEASE_USEC 1000000 /* that what has gone is held on to, for those that start */
#define GIVEN_UP_MAX 10 /* times, of questions about some containers: then they are waited for */
/* When it is not known what has changed, it may not be complete yet: more looks follow, ever later. */
#define PAUSE_GROWTH 2
/* Whoever makes events without end gets half the time for looks: each is followed by as long a rest. */
#define REST_USEC 1000000 /* at most, unless it was our own CPU that took longer */

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static void log_result(const struct site *s, const struct apply_result *res)
{
	char who[256], line[BH_ERR_MAX + 400];

	const struct endpoint *e = &s->endpoints->endpoints[res->endpoint];

	if (res->outcome == APPLY_UNCHANGED ||
	    (res->outcome == APPLY_UPDATED && e->runtime == ENDPOINT_UNKNOWN))
		return;
	endpoint_format(who, sizeof(who), e);
	snprintf(line, sizeof(line), "%s: %s%s%s", who, apply_outcome_name(res->outcome),
		 res->why[0] ? ": " : "", res->why);
	controller_log(line, NULL);
}

static int on_result(const struct apply_result *res, void *arg)
{
	struct handing *h = arg;

	h->failed += res->outcome == APPLY_FAILED;
	meters_applied(h->c->meters, res);
	h->c->health.repairs += apply_was_repair(res);
	log_result(&h->c->site, res);
	if (h->fn)
		h->fn(report_applied(&h->c->site, res), h->arg);
	return 0;
}

static uint64_t usec_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- what is held ----------------------------------------------------------------------------- */

static int order_ino(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void on_gone(uint64_t ino, void *arg)
{
	struct controller *c = arg;

	watches_forget(c->watches, ino);
}

/* What is held of namespaces that nobody lists any more would keep them alive. */
static void release_gone(struct controller *c)
{
	const struct endpoint_set *all = c->site.endpoints;
	size_t n = all->n + fresh_count(c->fresh) + announced_count(c->announced);
	bh_autofree uint64_t *inos = calloc(n + 1, sizeof(*inos));

	c->unreleased = 0;
	if (!inos)
		return; /* the next look does it */
	for (size_t i = 0; i < all->n; i++)
		inos[i] = all->endpoints[i].netns_ino;
	/* no endpoints yet, if an engine did not answer */
	fresh_list(c->fresh, inos + all->n);
	announced_list(c->announced, inos + all->n + fresh_count(c->fresh));
	qsort(inos, n, sizeof(*inos), order_ino);
	holds_keep_only(c->holds, inos, n, on_gone, c);
}

/* Closing waits for RCU, up to 20 ms, which a container that starts need not. */
static void release_if_none_starts(struct controller *c)
{
	uint64_t now = usec_of(CLOCK_MONOTONIC);

	if (!c->unreleased)
		c->unreleased = now;
	if (!protect_waits(c->protect) || now - c->unreleased > RELEASE_USEC)
		release_gone(c);
}

/* --- when ------------------------------------------------------------------------------------- */

/* For whatever is due first; before it is due, nothing of it is done. */
static void arm(struct controller *c)
{
	uint64_t at = MIN(c->look_at, hints_next(c->hints));

	if (c->unreleased)
		at = MIN(at, usec_of(CLOCK_MONOTONIC) + PUT_OFF_USEC);
	if (c->changed)
		at = 0;
	if (!protect_waits(c->protect)) /* a start does not wait for a rest */
		at = MAX(at, c->rests_until);
	sd_event_source_set_time(c->timer, at);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

struct effort reconcile_begin(void)
{
	return (struct effort) { usec_of(CLOCK_MONOTONIC), usec_of(CLOCK_PROCESS_CPUTIME_ID) };
}

static void rest(struct controller *c, const struct effort *began)
{
	uint64_t now = usec_of(CLOCK_MONOTONIC);
	uint64_t cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID) - began->cpu;

	c->rests_until = now + MAX(MIN(now - began->wall, REST_USEC), cpu);
	park_look(c->park, c->holds);
	supervisor_status(c);
}

void reconcile_end(struct controller *c, const struct effort *began)
{
	meters_looked(c->meters, &c->site, holds_count(c->holds),
		      usec_of(CLOCK_MONOTONIC) - began->wall, c->apply_usec);
	rest(c, began);
	if (!c->trouble[0])
		c->health.compared = controller_now();
	c->pause = MIN(c->pause * PAUSE_GROWTH, LOOK_USEC);
	c->look_at = usec_of(CLOCK_MONOTONIC) + c->pause;
	arm(c);
}

/* Never later than it is due already: else events without end would put it off for ever. */
void reconcile_touch(struct controller *c)
{
	c->pause = SETTLE_USEC;
	c->look_at = MIN(c->look_at, usec_of(CLOCK_MONOTONIC) + SETTLE_USEC);
	arm(c);
}

void reconcile_changed(struct controller *c)
{
	c->changed = true;
	arm(c);
}

void reconcile_urgent(struct controller *c)
{
	c->rests_until = 0;
	reconcile_changed(c);
}

void reconcile_hint(struct controller *c, enum endpoint_runtime runtime, const char *id,
		    int ended_pid)
{
	if (hints_add(c->hints, runtime, id, ended_pid, usec_of(CLOCK_MONOTONIC)) < 0)
		reconcile_touch(c);
	else
		arm(c);
}

void reconcile_namespace(struct controller *c, uint64_t ino, int ended_pid)
{
	const struct endpoint_set *all = c->site.endpoints;
	struct hold *h = holds_find(c->holds, ino);

	if (h)
		hold_doubt(h);
	for (size_t i = 0; all && !c->o->inventory && i < all->n; i++) {
		const struct endpoint *e = &all->endpoints[i];

		if (e->netns_ino == ino && (e->runtime == ENDPOINT_NETNS || e->pid))
			reconcile_hint(c, e->runtime, e->id, e->pid == ended_pid ? ended_pid : 0);
	}
	if (c->o->inventory && ended_pid)
		reconcile_touch(c);
	reconcile_changed(c);
}

/* --- comparing -------------------------------------------------------------------------------- */

static int bring_about(struct controller *c, enum keep_care care, struct handing *h,
		       struct bh_err *err)
{
	uint64_t start = usec_of(CLOCK_MONOTONIC);
	int r;

	c->changed = false;
	r = enforce_keep(&c->site, care, on_result, h, err);
	c->apply_usec = usec_of(CLOCK_MONOTONIC) - start;
	protect_settle(c->protect); /* who waits for a start waits for no more than this */
	release_if_none_starts(c);
	watches_sync(c->watches, &c->site, c->holds, care != KEEP_CHANGED);
	logger_sync(c->logger);
	c->failed = r < 0 || h->failed;
	return r;
}

int reconcile_apply(struct controller *c, struct handing *h, struct bh_err *err)
{
	return bring_about(c, KEEP_READ_ALL, h, err);
}

/* The endpoints could not be listed: what runs stays as it is, and that is said once. */
void reconcile_note_trouble(struct controller *c, const struct bh_err *err)
{
	if (strcmp(c->trouble, err->msg) != 0)
		controller_log(err->msg[0] ? err->msg : "the last trouble is over", NULL);
	snprintf(c->trouble, sizeof(c->trouble), "%s", err->msg);
}

int reconcile_refresh(struct controller *c, struct bh_err *err)
{
	struct diag_list diags;
	bool input;
	int r;

	diag_list_init(&diags);
	r = site_refresh(&c->site, &c->site_options, &diags, &input, err);
	c->listings += r >= 0;
	if (r >= 0)
		warnings_take(c->warnings, &diags, true, controller_log, NULL);
	diag_list_done(&diags);
	return r;
}

/* An engine does not answer; what starters say needs none. */
static void take_announced(struct controller *c)
{
	struct diag_list diags;

	if (c->o->inventory || !c->site.endpoints || !announced_count(c->announced))
		return;
	diag_list_init(&diags);
	c->listings += site_refresh_some(&c->site, &c->site_options, NULL, 0, &diags, NULL) >= 0;
	diag_list_done(&diags);
}

bool reconcile_makes_way(const struct controller *c)
{
	return !c->o->inventory && c->site.endpoints && protect_waits(c->protect);
}

int reconcile_refresh_or_known(struct controller *c, struct bh_err *err)
{
	int r = reconcile_makes_way(c) ? -EBUSY : reconcile_refresh(c, err);

	if (r != -EBUSY || !c->site.endpoints)
		return r;
	take_announced(c);
	reconcile_touch(c);
	*err = (struct bh_err)BH_ERR_INIT;
	return 0;
}

/* Everything is asked for anew. */
static void look(struct controller *c)
{
	struct effort began = reconcile_begin();
	struct handing h = { .c = c };
	struct bh_err err = BH_ERR_INIT;
	int r = reconcile_refresh(c, &err);

	c->put_off_since = 0;
	if (r < 0)
		take_announced(c);
	if (c->site.endpoints) { /* those that cannot be listed now are held on to as they were */
		bring_about(c, KEEP_LOOK, &h, r < 0 ? NULL : &err);
	} else { /* none were ever listed: nothing less than a look is of use, when it is its turn */
		watches_sync(c->watches, &c->site, c->holds, true);
		c->changed = false;
		hints_asked(c->hints, began.wall);
	}
	reconcile_note_trouble(c, &err);
	reconcile_end(c, &began);
}

/* Who knocks all the time does not keep it from being answered. */
static int ask_about(struct controller *c, struct site_hint *due, size_t n, struct diag_list *diags,
		     struct bh_err *err)
{
	bool insists = c->given_up >= GIVEN_UP_MAX;
	int r;

	if (insists)
		runtime_patience(-1);
	r = site_refresh_some(&c->site, &c->site_options, due, n, diags, err);
	if (insists)
		runtime_patience(ctl_server_fd(c->server));
	c->given_up = r == -EBUSY ? c->given_up + 1 : 0;
	for (size_t i = 0; i < n && r >= 0; i++)
		if (due[i].ended)
			hints_drop(c->hints, due[i].runtime, due[i].id);
	return r;
}

/* Only what an event named. What cannot be asked about now is asked again, and all with it. */
static void look_at_some(struct controller *c)
{
	bh_autofree struct site_hint *due = calloc(BH_HINTS_MAX, sizeof(*due));
	struct effort began = reconcile_begin();
	struct handing h = { .c = c };
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	size_t n = due ? hints_due(c->hints, began.wall, due, BH_HINTS_MAX) : 0;
	bool to_do = c->changed || c->failed;
	int r = 0;

	c->changed = false;
	c->apply_usec = 0;
	diag_list_init(&diags);
	if (!c->o->inventory) {
		r = ask_about(c, due, n, &diags, &err);
		c->listings += r >= 0;
	}
	if (r > 0)
		warnings_take(c->warnings, &diags, false, controller_log, NULL);
	diag_list_done(&diags);
	if (r < 0)
		take_announced(c);
	if (r == -EBUSY)
		hints_put_off(c->hints, began.wall, began.wall + PUT_OFF_USEC);
	else
		hints_asked(c->hints, began.wall);
	if (to_do || r != 0)
		bring_about(c, KEEP_CHANGED, &h, &err);
	if (r < 0 && r != -EBUSY)
		reconcile_touch(c);
	meters_compared(c->meters, usec_of(CLOCK_MONOTONIC) - began.wall, c->apply_usec);
	rest(c, &began);
	arm(c);
}

/* Not for ever, if there is always one that starts. */
static bool look_can_wait(struct controller *c, uint64_t now)
{
	if (!c->put_off_since)
		c->put_off_since = now;
	return now - c->put_off_since <= LOOK_USEC;
}

/*
 * Podman does not answer for a container that it starts, which waits for us, nor with a list: it is asked
 * when that has started, of which an event tells.
 */
static void make_way(struct controller *c, uint64_t now)
{
	if (!reconcile_makes_way(c))
		return;
	protect_put_off(c->protect, now + PUT_OFF_USEC);
	if (c->look_at <= now && look_can_wait(c, now))
		c->look_at = now + PUT_OFF_USEC;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct controller *c = arg;
	uint64_t now = usec_of(CLOCK_MONOTONIC);

	if (!c->loaded)
		return 0;
	announced_look(c->announced);
	if (c->unreleased && c->site.endpoints)
		release_if_none_starts(c);
	make_way(c, now);
	if (c->look_at <= now || !c->site.endpoints)
		look(c);
	else if (c->changed || hints_next(c->hints) <= now)
		look_at_some(c);
	else
		arm(c);
	return 0;
}

/* After all that has happened at the same time was heard. */
int reconcile_init(struct controller *c, struct bh_err *err)
{
	int r;

	c->look_at = usec_of(CLOCK_MONOTONIC) + LOOK_USEC;
	r = sd_event_add_time(c->event, &c->timer, CLOCK_MONOTONIC, c->look_at, 1, on_timer, c);
	if (r >= 0)
		r = sd_event_source_set_priority(c->timer, SD_EVENT_PRIORITY_NORMAL + 10);
	return r < 0 ? bh_err_errno(err, r, "event loop") : 0;
}
