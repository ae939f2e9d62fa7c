/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "alive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <bulkhead/base/limits.h>

#include "logger.h"
#include "trail.h"

#define SECOND INT64_C(1000000)

struct alive {
	struct controller *c;
	sd_event_source *timer;
	struct run_start start;
	struct run_mark mark;
	int64_t at;  /* monotonic: of the last mark; 0: there was none */
	bool failed; /* the mark could not be written, and that was told */
};

static int64_t boot_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return controller_now() - ((int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000);
}

/* --- a daemon that stood still ------------------------------------------------------------------ */

static int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC,
		      &t); /* neither one that is set nor a machine that sleeps counts */
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* A mark that comes so late: nobody watched meanwhile, though a daemon was there. */
static void look_for_stall(struct alive *a)
{
	int64_t now = controller_now(), gap = a->at ? clock_now() - a->at : 0;
	char detail[RUN_STR];
	struct bh_err err = BH_ERR_INIT;
	const struct trail_change change = {
		.action = "stall",
		.before = &a->c->site,
		.after = &a->c->site,
		.result = -EIO,
		.nothing = true,
		.detail = run_stall_format(detail, now - gap, now),
	};

	if (gap > BH_RUN_STALL_S * SECOND && trail_append(a->c, &change, &err) < 0)
		controller_log(err.msg, NULL);
}

/* --- the mark ---------------------------------------------------------------------------------- */

static void put_mark(struct alive *a)
{
	struct bh_err err = BH_ERR_INIT;
	int r;

	look_for_stall(a);
	a->at = clock_now();
	a->mark.seen = controller_now();
	r = run_mark_write(a->c->o->store, &a->mark, &err);
	if (r < 0 && !a->failed)
		controller_log(err.msg, NULL);
	a->failed = r < 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	put_mark(arg);
	sd_event_source_set_time_relative(source, BH_RUN_MARK_S * SECOND);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

void alive_begin(struct alive *a)
{
	a->mark.since = controller_now();
	put_mark(a);
	sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

void alive_end(struct alive *a, int result)
{
	struct bh_err err = BH_ERR_INIT;
	const struct trail_change change = {
		.action = "stop",
		.before = &a->c->site,
		.after = &a->c->site,
		.result = result,
		.nothing = true,
		.detail = result < 0 ? "bulkheadd ends: its event loop failed"
				     : "bulkheadd ends, as it was told",
	};

	put_mark(a);
	logger_last_note(a->c->logger);
	if (trail_append(a->c, &change, &err) < 0)
		controller_log(err.msg, NULL);
	a->mark.ended = result >= 0;
	put_mark(a);
}

/* --- what was before ----------------------------------------------------------------------------- */

static void look_back(struct alive *a)
{
	struct bh_err err = BH_ERR_INIT;
	struct run_mark last;
	int r = run_mark_read(a->c->o->store, &last, &err);

	if (r < 0 && r != -ENOENT)
		controller_log(err.msg, NULL);
	if (r < 0)
		return;
	a->start.before = last.ended ? RUN_ENDED : RUN_LOST;
	a->start.seen = last.seen;
}

const char *alive_sentence(const struct alive *a, char out[RUN_STR])
{
	return run_start_format(out, &a->start);
}

/* --- life ---------------------------------------------------------------------------------------- */

int alive_new(struct controller *c, struct alive **ret, struct bh_err *err)
{
	struct alive *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return bh_err_oom(err);
	a->c = c;
	in_force_boot(a->mark.boot);
	a->mark.booted = boot_time();
	in_force_boot(a->start.boot);
	a->start.booted = a->mark.booted;
	look_back(a);
	r = sd_event_add_time_relative(c->event, &a->timer, CLOCK_BOOTTIME, BH_RUN_MARK_S * SECOND,
				       SECOND, on_timer, a);
	if (r >= 0)
		r = sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
	if (r < 0) {
		alive_free(a);
		return bh_err_errno(err, r, "event loop");
	}
	*ret = a;
	return 0;
}

void alive_free(struct alive *a)
{
	if (!a)
		return;
	sd_event_source_disable_unref(a->timer);
	free(a);
}
