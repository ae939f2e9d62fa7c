/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policywatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <time.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "keeping.h"
#include "meters.h"
#include "policyfiles.h"
#include "reload.h"

/* What no event told is found by then. */
#define TICK_USEC 5000000

struct policywatch {
	struct controller *c;
	struct policyfiles files;
	sd_event_source *events, *settle, *tick;
	int inotify; /* -1: there is none, ticks have to do */
	struct policyfiles_watches watched;
	int unwatched; /* -errno that was told; 0 */
	struct calm calm;
	char seen[DIGEST_HEX];                  /* at the last change */
	struct policyfiles_signature looked_at; /* of what was compared with what is in force */
	struct bh_vec told;                     /* char *: lines of the last refusal */
};

/* --- what may be done ------------------------------------------------------------------------ */

static bool is_on(const struct policywatch *w)
{
	return w->c->loaded && w->c->site.host.watch;
}

/*
 * Is what is in force not for files to change now? An apply waits to be confirmed. Whoever ends that
 * calls policywatch_touch().
 */
static bool is_deferred(const struct policywatch *w)
{
	return w->c->keeping->now.waits;
}

/* --- reading anew ---------------------------------------------------------------------------- */

static bool was_told(const struct bh_vec *told, const char *line)
{
	for (size_t i = 0; i < told->n; i++)
		if (strcmp(((char **)told->data)[i], line) == 0)
			return true;
	return false;
}

static void forget_told(struct bh_vec *told)
{
	for (size_t i = 0; i < told->n; i++)
		free(((char **)told->data)[i]);
	bh_vec_done(told);
	bh_vec_init(told, sizeof(char *), BH_POLICY_LINES_MAX);
}

struct telling {
	const struct bh_vec *before;
	struct bh_vec now;
};

/* A mistake that stays is not told again for each change somewhere else. */
static void tell(const char *line, void *arg)
{
	struct telling *t = arg;
	char *copy = strdup(line), **slot = copy ? bh_vec_push(&t->now) : NULL;

	if (slot)
		*slot = copy;
	else
		free(copy);
	if (!was_told(t->before, line))
		controller_log(line, NULL);
}

static void log_outcome(const struct controller *c, const struct bh_err *err)
{
	const struct health *s = &c->health;
	char line[2 * BH_ERR_MAX], why[2 * BH_ERR_MAX];

	if (!s->refused.there)
		snprintf(line, sizeof(line), "the policy files have changed: %.12s is in force%s%s",
			 s->in_force.policies, err->msg[0] ? "; " : "", err->msg);
	else
		snprintf(line, sizeof(line),
			 "the policy files have changed and are refused: %.800s",
			 mistakes_format(why, sizeof(why), &s->refused.mistakes, true));
	controller_log(line, NULL);
}

/* 0, or -errno when it is to be tried again. */
static int read_anew(struct policywatch *w)
{
	struct telling t = { .before = &w->told };
	struct bh_err err = BH_ERR_INIT;
	int r;

	bh_vec_init(&t.now, sizeof(char *), BH_POLICY_LINES_MAX);
	r = reload_policies(w->c, "change", NULL, false, tell, NULL, &t, &err);
	log_outcome(w->c, &err);
	forget_told(&w->told);
	w->told = t.now;
	return r == -ENOMEM ? r : 0;
}

static int compare(struct policywatch *w)
{
	struct health *s = &w->c->health;
	struct policy_identity now;
	int r = policy_identify(w->files.policies, w->files.n_policies, w->files.config, &now,
				NULL);

	if (r < 0)
		return r;
	switch (health_compare(s, &now)) {
	case HEALTH_NEW:
		return read_anew(w);
	case HEALTH_IN_FORCE:
		if (s->refused.there)
			controller_log("what is in force stands in the policy files again", NULL);
		health_forget_refusal(s);
		meters_refused(w->c->meters, false);
		return 0;
	case HEALTH_REFUSED:
		return 0;
	}
	return 0;
}

/* --- when ------------------------------------------------------------------------------------ */

static uint64_t usec_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int sign(const struct policywatch *w, struct policyfiles_signature *ret)
{
	return policyfiles_sign(&w->files, (int64_t)usec_of(CLOCK_REALTIME), ret, NULL);
}

/* Said when it begins or changes. */
static void note_unwatched(struct policywatch *w, int error)
{
	char line[160];

	if (error && error != w->unwatched) {
		snprintf(line, sizeof(line),
			 "changes of the policy files are found within %u s, not at once: they "
			 "cannot be watched: %s",
			 TICK_USEC / 1000000, strerror(-error));
		controller_log(line, NULL);
	}
	w->unwatched = error;
}

/* Before anything is looked at: what changes behind that look is told then. */
static void watch_files(struct policywatch *w)
{
	if (w->inotify < 0)
		return;
	if (!is_on(w)) {
		policyfiles_unwatch(w->inotify, &w->watched);
		return;
	}
	policyfiles_watch(&w->files, w->inotify, &w->watched);
	note_unwatched(w, w->watched.error);
}

static void arm(struct policywatch *w, uint64_t now)
{
	sd_event_source_set_time(w->settle, calm_due(&w->calm, now));
	sd_event_source_set_enabled(w->settle, SD_EVENT_ONESHOT);
}

void policywatch_touch(struct policywatch *w)
{
	struct policyfiles_signature now;

	if (!is_on(w))
		return;
	if (!w->calm.since && sign(w, &now) >= 0)
		memcpy(w->seen, now.digest, sizeof(w->seen));
	arm(w, usec_of(CLOCK_MONOTONIC));
}

static void look(struct policywatch *w, const struct policyfiles_signature *now)
{
	uint64_t began = usec_of(CLOCK_MONOTONIC);

	if (compare(w) >= 0) {
		w->looked_at = *now;
		w->c->health.checked = controller_now();
	}
	calm_looked(&w->calm, began, usec_of(CLOCK_MONOTONIC));
}

/* Where nothing is heard of changes, that files still change shows when they are looked at twice. */
static int on_settled(sd_event_source *source, uint64_t usec, void *arg)
{
	struct policywatch *w = arg;
	uint64_t now = usec_of(CLOCK_MONOTONIC);
	struct policyfiles_signature signature;

	watch_files(w);
	if (!is_on(w) || is_deferred(w) || sign(w, &signature) < 0) {
		w->calm.since = 0; /* the next tick sees to it */
		return 0;
	}
	if (strcmp(signature.digest, w->seen) != 0 && calm_may_wait(&w->calm, now)) {
		memcpy(w->seen, signature.digest, sizeof(w->seen));
		arm(w, now);
		return 0;
	}
	look(w, &signature);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct policywatch *w = arg;
	struct policyfiles_signature now;

	watch_files(w);
	if (is_on(w) && !w->calm.since && sign(w, &now) >= 0) {
		if (w->looked_at.fresh || strcmp(now.digest, w->looked_at.digest) != 0)
			policywatch_touch(w);
		else
			w->c->health.checked = controller_now();
	}
	sd_event_source_set_time_relative(source, TICK_USEC);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* --- events ---------------------------------------------------------------------------------- */

static bool concern(const struct policywatch *w, const char *buf, size_t len)
{
	const struct inotify_event *e;
	bool any = false;

	for (size_t at = 0; at + sizeof(*e) <= len; at += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(buf + at);
		any = any || policyfiles_concern(&w->files, e->mask, e->len ? e->name : "");
	}
	return any;
}

static int on_events(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct policywatch *w = arg;
	bool any = false;

	for (int i = 0; i < BH_WATCH_READS_MAX; i++) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0)
			break;
		any = concern(w, buf, (size_t)n) || any;
	}
	if (any)
		policywatch_touch(w);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

/* Without it the ticks have to do. */
static void listen_to_files(struct policywatch *w)
{
	int r;

	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = w->inotify < 0
		    ? -errno
		    : sd_event_add_io(w->c->event, &w->events, w->inotify, EPOLLIN, on_events, w);
	if (r < 0)
		note_unwatched(w, r);
}

static int set_up(struct policywatch *w)
{
	int r = sd_event_add_time_relative(w->c->event, &w->tick, CLOCK_MONOTONIC, 0, 1000, on_tick,
					   w);

	if (r >= 0)
		r = sd_event_add_time(w->c->event, &w->settle, CLOCK_MONOTONIC, 0, 1000, on_settled,
				      w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->settle, SD_EVENT_OFF);
	if (r >= 0)
		listen_to_files(w);
	return r;
}

int policywatch_new(struct controller *c, struct policywatch **ret, struct bh_err *err)
{
	struct policywatch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return bh_err_oom(err);
	w->c = c;
	w->inotify = -1;
	w->files = (struct policyfiles) { c->o->policies, c->o->n_policies, c->o->config };
	bh_vec_init(&w->told, sizeof(char *), BH_POLICY_LINES_MAX);
	r = set_up(w);
	if (r < 0) {
		policywatch_free(w);
		return bh_err_errno(err, r, "watching the policy files");
	}
	*ret = w;
	return 0;
}

void policywatch_free(struct policywatch *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->events);
	sd_event_source_disable_unref(w->settle);
	sd_event_source_disable_unref(w->tick);
	if (w->inotify >= 0)
		close(w->inotify);
	forget_told(&w->told);
	free(w);
}
