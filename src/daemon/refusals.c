/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "refusals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>

#include "trail.h"

struct refusals {
	struct controller *c;
	sd_event_source *timer; /* of the end of the window; off: none is open */
	struct {
		uid_t uid;
		unsigned n;
	} users[BH_REFUSALS_MAX]; /* as many as entries, at most */
	size_t n_users, n;
	uint64_t left_out;
};

/* --- the window ------------------------------------------------------------------------------ */

static void close_window(struct refusals *r)
{
	struct trail_change change = { .action = "left-out", .result = -EPERM };
	struct bh_err err = BH_ERR_INIT;
	char detail[128];

	if (r->left_out) {
		snprintf(detail, sizeof(detail),
			 "%" PRIu64 " more requests that changed nothing have no entry",
			 r->left_out);
		change.detail = detail;
		if (trail_append(r->c, &change, &err) < 0)
			controller_log(err.msg, NULL);
	}
	r->n = r->n_users = 0;
	r->left_out = 0;
}

static int on_end(sd_event_source *source, uint64_t usec, void *arg)
{
	close_window(arg);
	return 0;
}

static void open_window(struct refusals *r)
{
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(r->timer, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(r->timer, BH_REFUSALS_WINDOW_S * UINT64_C(1000000));
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static unsigned *count_of(struct refusals *r, uid_t uid)
{
	for (size_t i = 0; i < r->n_users; i++)
		if (r->users[i].uid == uid)
			return &r->users[i].n;
	if (r->n_users == BH_REFUSALS_MAX)
		return NULL;
	r->users[r->n_users].uid = uid;
	r->users[r->n_users].n = 0;
	return &r->users[r->n_users++].n;
}

bool refusals_admit(struct refusals *r, uid_t uid)
{
	unsigned *n;

	open_window(r);
	n = r->n < BH_REFUSALS_MAX ? count_of(r, uid) : NULL;
	if (n && *n < BH_REFUSALS_UID_MAX) {
		(*n)++;
		r->n++;
		return true;
	}
	if (!r->left_out++)
		controller_log("requests are refused more often than the audit trail takes: "
			       "further ones are counted only",
			       NULL);
	return false;
}

/* --- from the control socket ----------------------------------------------------------------- */

static void on_refusal(const struct ctl_peer *peer, const char *verb, const char *why, void *arg)
{
	struct trail_change change = {
		.action = verb ? verb : "connect",
		.peer = peer,
		.result = -EPERM,
		.detail = why,
	};
	struct bh_err err = BH_ERR_INIT;
	struct controller *c = arg;

	if (trail_append(c, &change, &err) < 0)
		controller_log(err.msg, NULL);
}

int refusals_new(struct controller *c, struct refusals **ret, struct bh_err *err)
{
	struct refusals *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return bh_err_oom(err);
	r->c = c;
	e = sd_event_add_time_relative(c->event, &r->timer, CLOCK_BOOTTIME, 0, 0, on_end, r);
	if (e >= 0)
		e = sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	if (e < 0) {
		refusals_free(r);
		return bh_err_errno(err, e, "the event loop");
	}
	ctl_server_on_refusal(c->server, on_refusal);
	*ret = r;
	return 0;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	close_window(r);
	sd_event_source_disable_unref(r->timer);
	free(r);
}
