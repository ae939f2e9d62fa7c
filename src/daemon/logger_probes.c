/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logger_probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/store/rules.h>

#include "logger_private.h"

#define ANSWER_USEC 8000000 /* the logger takes three seconds at most, when it runs */

struct probes_waiter {
	struct logger_link *k;
	struct ctl_call *call;
	bool begins;
	uint32_t serial;
	int64_t until; /* logger_link_clock() */
	struct probes_waiter *next;
};

/* --- what there is to tell ------------------------------------------------------------------------ */

static const char *socket_of(const struct controller *c)
{
	return c->o->socket ? c->o->socket : c->site.host.control.socket;
}

/* What cannot be known now is as it was. */
static uint64_t look(struct logger_link *k)
{
	struct bh_err err = BH_ERR_INIT;
	struct ctl_probing p;

	if (ctl_probing_look(socket_of(k->c), &p, &err) >= 0) {
		k->probes.why[0] = '\0';
		return flows_probes_mark(p.begun, p.running);
	}
	if (strcmp(k->probes.why, err.msg) != 0) {
		controller_log("whether a segmentation test runs is not known:", NULL);
		controller_log(err.msg, NULL);
	}
	memcpy(k->probes.why, err.msg, sizeof(k->probes.why));
	return k->probes.told;
}

uint64_t logger_probes_now(struct logger_link *k)
{
	k->probes.told = look(k);
	return k->probes.told;
}

/* WAITS: it was said before anything was sent. */
static void tell(struct logger_link *k, bool waits)
{
	uint64_t now = look(k);
	const struct lg_probes m = {
		.head.type = LG_PROBES,
		.serial = k->probes.serial + 1,
		.waits = waits,
		.mark = now,
	};

	if (now == k->probes.told)
		return;
	k->probes.told = now;
	k->probes.serial++;
	logger_send(k, &m, sizeof(m), NULL, 0);
}

int logger_probes_held(const struct controller *c, struct bh_err *err)
{
	struct ctl_probing p;
	int r = ctl_probing_look(socket_of(c), &p, err);

	if (r < 0)
		return r;
	return p.running ? 0
			 : bh_err_set(err, -EPERM,
				      "it does not hold the file that counts segmentation tests: "
				      "is it of another version, or of another root?");
}

/* --- who waits ------------------------------------------------------------------------------------ */

static void end(struct probes_waiter *w, enum ctl_exit exit, const char *why)
{
	struct probes_waiter **at = &w->k->probes.waiters;
	struct ctl_call *call = w->call;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	free(w);
	ctl_call_set_data(call, NULL);
	ctl_call_end(call, exit, why);
}

void logger_probes_gone(struct ctl_call *call, void *arg)
{
	struct probes_waiter *w = ctl_call_data(call), **at;

	if (!w)
		return;
	for (at = &w->k->probes.waiters; *at != w;)
		at = &(*at)->next;
	*at = w->next;
	free(w);
}

static void end_up_to(struct logger_link *k, uint32_t serial)
{
	struct probes_waiter *w, *next;

	for (w = k->probes.waiters; w; w = next) {
		next = w->next;
		if ((int32_t)(serial - w->serial) >= 0)
			end(w, CTL_EXIT_YES, NULL);
	}
}

void logger_probes_answered(struct logger_link *k, uint32_t serial)
{
	if ((int32_t)(k->probes.serial - serial) < 0) /* it was never told so */
		return;
	k->probes.answered = serial;
	end_up_to(k, serial);
}

/* The next one is told when it begins. */
void logger_probes_logger_gone(struct logger_link *k)
{
	k->probes.answered = k->probes.serial;
	end_up_to(k, k->probes.serial);
}

void logger_probes_tick(struct logger_link *k)
{
	int64_t now = logger_link_clock();
	struct probes_waiter *w, *next;

	tell(k, false);
	for (w = k->probes.waiters; w; w = next) {
		next = w->next;
		if (now < w->until)
			continue;
		if (w->begins)
			end(w, CTL_EXIT_FAILED,
			    "the logger does not answer: what the test hits would count as use of "
			    "rules");
		else
			end(w, CTL_EXIT_YES, NULL);
	}
}

static void wait_for_it(struct logger_link *k, struct ctl_call *call, bool begins)
{
	struct probes_waiter *w = malloc(sizeof(*w));

	if (!w) {
		ctl_call_end(call, CTL_EXIT_FAILED, "out of memory");
		return;
	}
	*w = (struct probes_waiter) {
		.k = k,
		.call = call,
		.begins = begins,
		.serial = k->probes.serial,
		.until = logger_link_clock() + ANSWER_USEC,
		.next = k->probes.waiters,
	};
	k->probes.waiters = w;
	ctl_call_set_data(call, w);
}

void logger_probes_wait(struct logger_link *k, struct ctl_call *call, bool begins)
{
	if (!k) {
		ctl_call_end(call, CTL_EXIT_YES, NULL);
		return;
	}
	tell(k, begins && !(k->probes.told & 1)); /* else what runs already is in the counters */
	if (begins && !(k->probes.told & 1))
		ctl_call_end(call, CTL_EXIT_FAILED,
			     k->probes.why[0] ? k->probes.why : "the test has ended already");
	else if (!k->ready || k->probes.answered == k->probes.serial)
		ctl_call_end(call, CTL_EXIT_YES, NULL); /* or it reads that before it begins */
	else
		wait_for_it(k, call, begins);
}
