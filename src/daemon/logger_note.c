/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logger.h"

#include <errno.h>
#include <stdio.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/store/runs.h>

#include "logger_private.h"
#include "trail.h"

/*
 * On the trail: since when denied packets are not recorded, and since when they are again. A logger that
 * dies again and again does not fill it: what comes sooner than BH_LOGGER_NOTE_S is one time together.
 */

#define SECOND INT64_C(1000000)

static int append(struct logger_link *k, int64_t since, const char *why)
{
	char detail[RUN_STR];
	const struct trail_change change = {
		.action = "logger",
		.before = &k->c->site,
		.after = &k->c->site,
		.result = why ? -EIO : 0,
		.nothing = true,
		.detail = run_logger_format(detail, since, why),
	};
	struct bh_err err = BH_ERR_INIT;
	int r = trail_append(k->c, &change, &err);

	if (r < 0)
		controller_log(err.msg, NULL);
	return r;
}

static void write_down(struct logger_link *k)
{
	struct logger_note *n = &k->note;

	if (n->deaf && !n->written && append(k, n->deaf, n->why) >= 0)
		n->written = true;
	if (n->written)
		n->deaf = 0;
	if (n->again && n->written && append(k, n->again, NULL) >= 0)
		n->written = false;
	if (!n->written)
		n->again = 0;
	n->at = logger_link_clock();
}

static bool is_due(const struct logger_note *n)
{
	return !n->at || logger_link_clock() - n->at >= BH_LOGGER_NOTE_S * SECOND;
}

void logger_note(struct logger_link *k, bool last)
{
	const char *why = k->state.why;
	struct logger_note *n = &k->note;

	if (why[0] && !n->is_deaf) {
		n->again = 0;
		if (!n->deaf && !n->written) {
			n->deaf = controller_now() - (logger_link_clock() - k->deaf_since);
			snprintf(n->why, sizeof(n->why), "%s", why);
		}
	} else if (!why[0] && n->is_deaf) {
		n->again = controller_now();
	}
	n->is_deaf = why[0];
	if (k->c->loaded && (n->deaf || n->again) && (last || is_due(n)))
		write_down(k);
}

void logger_last_note(struct logger_link *k)
{
	if (k)
		logger_note(k, true);
}
