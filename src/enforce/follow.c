/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/follow.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "watch.h"

#define LOOK_USEC 1000000

struct follower {
	struct watch_shared shared;
	struct parties parties;
	sd_event *event;
	struct follow_slot {
		struct watch *watch;
		sd_event_source *io;
		struct follower *f;
	} * slots;
	size_t n;
	struct follow_sums sums;
	struct bh_err *err;
};

static int64_t now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static const struct endpoint *slot_endpoint(const struct follow_slot *slot)
{
	return &slot->f->shared.site->endpoints->endpoints[slot->watch->endpoint];
}

/* Take the namespace's sums and let it go. */
static void slot_close(struct follow_slot *slot)
{
	if (!slot->watch)
		return;
	watch_add_sums(slot->watch, &slot->f->sums);
	slot->io = sd_event_source_disable_unref(slot->io);
	watch_free(slot->watch);
	slot->watch = NULL;
}

/* What is denied there from its last look on, no sum will hold. */
static void slot_lost(struct follow_slot *slot, int r, const struct bh_err *err)
{
	slot->f->sums.cut_short++;
	watch_notice(&slot->f->shared, slot_endpoint(slot), err->msg[0] ? err->msg : strerror(-r));
}

/* A record that could not be handed out ends the run; any other failure ends this namespace. */
static int slot_failed(struct follow_slot *slot, int r, const struct bh_err *err)
{
	if (r == -EPIPE || r == -ENOMEM) {
		bh_err_set(slot->f->err, r, "%s",
			   r == -EPIPE ? "the output was closed" : "out of memory");
		return sd_event_exit(slot->f->event, r);
	}
	slot_lost(slot, r, err);
	slot_close(slot);
	return 0;
}

static int drained(const struct follower *f)
{
	return f->shared.cb->drained(f->shared.cb->arg);
}

static int on_log(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct follow_slot *slot = arg;
	struct bh_err err = BH_ERR_INIT;
	int r = watch_read_log(slot->watch, &err);

	if (r >= 0)
		r = drained(slot->f);
	return r < 0 ? slot_failed(slot, r, &err) : 0;
}

static void look_at(struct follow_slot *slot, int64_t now)
{
	struct bh_err err = BH_ERR_INIT;
	bool gone = watch_is_gone(slot->watch);
	int r = gone ? watch_finish(slot->watch, now, &err) : watch_look(slot->watch, now, &err);

	if (r >= 0)
		r = drained(slot->f);
	if (r < 0) {
		slot_failed(slot, r, &err);
	} else if (gone) {
		watch_notice(&slot->f->shared, slot_endpoint(slot), "its namespace has gone");
		slot_close(slot);
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct follower *f = arg;
	int64_t now = now_usec();

	for (size_t i = 0; i < f->n; i++)
		if (f->slots[i].watch)
			look_at(&f->slots[i], now);
	sd_event_source_set_time_relative(source, LOOK_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Can this endpoint's namespace hold a table of ours at all? */
static bool is_candidate(const struct follower *f, size_t i, uint64_t host_ino)
{
	const struct site *s = f->shared.site;
	const struct endpoint *e = &s->endpoints->endpoints[i];
	const struct ruleset_item *item;

	if (!e->netns || e->obstacle == ENDPOINT_HOST_NETWORK ||
	    (e->netns_ino && e->netns_ino == host_ino))
		return false;
	if (!s->rulesets)
		return true;
	item = site_item_of(s, i);
	return item && item->endpoint == i;
}

static bool already_watched(const struct follower *f, uint64_t ino)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->slots[i].watch->ino == ino)
			return true;
	return false;
}

static int open_slot(struct follower *f, size_t i, int64_t now)
{
	const struct endpoint *e = &f->shared.site->endpoints->endpoints[i];
	struct follow_slot *slot = &f->slots[f->n];
	struct bh_err err = BH_ERR_INIT;
	int r;

	if (e->netns_ino && already_watched(f, e->netns_ino))
		return 0;
	r = watch_new(&f->shared, i, now, &slot->watch, &err);
	if (r < 0) {
		watch_notice(&f->shared, e, err.msg);
		return r;
	}
	if (!slot->watch)
		return 0;
	slot->f = f;
	f->n++;
	return sd_event_add_io(f->event, &slot->io, flow_log_fd(slot->watch->log), EPOLLIN, on_log,
			       slot);
}

/* Open every namespace; those that fail are told and left out. */
static int open_slots(struct follower *f, struct bh_err *err)
{
	const struct endpoint_set *eps = f->shared.site->endpoints;
	uint64_t host_ino = netns_own_ino();
	int64_t now = now_usec();
	int r, first_failure = -ENOENT;

	f->slots = calloc(eps->n + 1, sizeof(*f->slots));
	if (!f->slots)
		return bh_err_oom(err);
	for (size_t i = 0; i < eps->n; i++) {
		if (!is_candidate(f, i, host_ino))
			continue;
		r = open_slot(f, i, now);
		if (r < 0)
			first_failure = r;
	}
	if (f->n)
		return 0;
	if (first_failure == -ENOENT)
		return bh_err_set(err, -ENOENT, "no namespace holds a table of Bulkhead");
	return bh_err_set(err, first_failure, "no namespace could be followed");
}

static int add_sources(struct follower *f)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_add_signal(f->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(f->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_time_relative(f->event, NULL, CLOCK_MONOTONIC, LOOK_USEC, 0,
					       on_timer, f);
	return r;
}

/* All are closed only when the last has spoken: each is asked what the other side would say. */
static void finish_all(struct follower *f)
{
	int64_t now = now_usec();

	for (size_t i = 0; i < f->n; i++) {
		struct bh_err err = BH_ERR_INIT;
		int r;

		if (!f->slots[i].watch)
			continue;
		r = watch_finish(f->slots[i].watch, now, &err);
		if (r < 0)
			slot_lost(&f->slots[i], r, &err);
	}
	for (size_t i = 0; i < f->n; i++)
		slot_close(&f->slots[i]);
}

static void follower_done(struct follower *f)
{
	for (size_t i = 0; i < f->n; i++)
		slot_close(&f->slots[i]);
	free(f->slots);
	parties_done(&f->parties);
	process_finder_free(f->shared.processes);
	sd_event_unref(f->event);
}

int follow_run(struct site *s, const struct follow_callbacks *cb, struct follow_sums *ret,
	       struct bh_err *err)
{
	struct follower f = {
		.shared = { .site = s,
			    .cb = cb,
			    .budget = { .max = BH_FLOWS_MAX, .own = BH_FLOWS_OWN } },
		.err = err,
	};
	int r;

	f.shared.parties = &f.parties;
	gethostname(f.shared.host, sizeof(f.shared.host) - 1);
	r = parties_init(&f.parties, s, err);
	if (r < 0)
		return r;
	r = sd_event_new(&f.event);
	if (r >= 0)
		r = add_sources(&f);
	if (r < 0)
		bh_err_errno(err, r, "event loop");
	else
		r = process_finder_new(NULL, &f.shared.processes, err);
	if (r >= 0)
		r = open_slots(&f, err);
	if (r >= 0) {
		cb->ready(f.n, cb->arg);
		r = sd_event_loop(f.event);
		if (r >= 0)
			finish_all(&f);
	}
	*ret = f.sums;
	follower_done(&f);
	return r < 0 ? r : 0;
}
