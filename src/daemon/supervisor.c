/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-daemon.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/text.h>

#include "park.h"

#define GENERATION_SHOWN 16 /* digits, as elsewhere */

/* Lines are what sd_notify() is made of: words that came from outside are none. */
static void describe(const struct controller *c, char out[SUPERVISOR_STATUS_MAX])
{
	size_t refused = park_refused(c->park);
	struct bh_buf b;

	bh_buf_init(&b, SUPERVISOR_STATUS_MAX - 1);
	bh_buf_addf(&b, "%zu namespaces held, policies %.*s", holds_count(c->holds),
		    GENERATION_SHOWN, c->site.policies ? c->site.policies->digest : "none");
	if (refused)
		bh_buf_addf(&b, ", %zu descriptors not in the store", refused);
	if (c->health.refused.there)
		bh_buf_addstr(&b, "; what stands in the policy files is refused");
	if (c->trouble[0])
		bh_buf_addstr(&b, "; ");
	bh_tame(&b, c->trouble, strlen(c->trouble));
	snprintf(out, SUPERVISOR_STATUS_MAX, "%s", bh_buf_str(&b));
	bh_buf_done(&b);
}

void supervisor_status(struct controller *c)
{
	char now[SUPERVISOR_STATUS_MAX];

	describe(c, now);
	if (strcmp(now, c->told_status) == 0)
		return;
	memcpy(c->told_status, now, sizeof(now));
	sd_notifyf(0, "STATUS=%s", now);
}

void supervisor_ready(struct controller *c)
{
	describe(c, c->told_status);
	sd_notifyf(0, "READY=1\nSTATUS=%s", c->told_status);
}

/* The time is for Type=notify-reload: of a reload that it asked for, and no earlier one. */
void supervisor_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void supervisor_stopping(void)
{
	sd_notify(0, "STOPPING=1\nSTATUS=ends; what is enforced stays");
}
