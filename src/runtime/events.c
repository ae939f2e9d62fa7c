/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/events.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <bulkhead/base/limits.h>

#include "docker_async.h"
#include "docker_event.h"

struct runtime_events {
	sd_event *event;
	sd_event_source
		*timer; /* while connecting: until the answer; while lost: until the next try */
	char *socket_path;
	const char *who;
	const struct runtime_events_callbacks *cb;
	void *arg;
	struct docker_async *http;
	struct docker_call *stream; /* NULL: lost */
	struct docker_splitter split;
	struct bh_vec queue; /* struct runtime_event: heard, and not told yet */
	bool connected, told_lost;
	uint64_t since_usec; /* connected; on CLOCK_MONOTONIC */
	bool ever;           /* connected, now or before */
	int64_t changed;     /* `connected`; microseconds since the epoch */
	unsigned failures;   /* in a row */
};

static void try_again(struct runtime_events *e);

/* --- losing it -------------------------------------------------------------------------------- */

static uint64_t now_usec(struct runtime_events *e)
{
	uint64_t now = 0;

	sd_event_now(e->event, CLOCK_MONOTONIC, &now);
	return now;
}

static int64_t epoch_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Twice as long each time, less a random part: engines that start together are not asked in step. */
static uint64_t retry_usec(unsigned failures)
{
	uint64_t ms = BH_EVENTS_RETRY_MAX_MS;
	uint32_t random = 0;

	if (failures < 16 && (BH_EVENTS_RETRY_MIN_MS << failures) < BH_EVENTS_RETRY_MAX_MS)
		ms = BH_EVENTS_RETRY_MIN_MS << failures;
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	return ms * 1000 - random % (ms * 500);
}

static void set_timer(struct runtime_events *e, uint64_t usec)
{
	sd_event_source_set_time_relative(e->timer, usec);
	sd_event_source_set_enabled(e->timer, SD_EVENT_ONESHOT);
}

/* One that ends again and again soon after it began is asked as seldom as one that is not there. */
static void lost(struct runtime_events *e, int r, const char *reason)
{
	if (e->connected && now_usec(e) - e->since_usec >= BH_EVENTS_STEADY_MS * 1000ull)
		e->failures = 0;
	set_timer(e, retry_usec(e->failures++));
	if (e->connected)
		e->changed = epoch_usec();
	e->connected = false;
	if (e->told_lost)
		return;
	e->told_lost = true;
	e->cb->on_lost(r, reason, e->arg);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct runtime_events *e = arg;
	char reason[BH_ERR_MAX];

	if (!e->stream) {
		try_again(e);
		return 0;
	}
	docker_call_cancel(e->stream);
	e->stream = NULL;
	snprintf(reason, sizeof(reason), "%s: no answer to /events within %d seconds", e->who,
		 BH_EVENTS_ANSWER_MS / 1000);
	lost(e, -ETIMEDOUT, reason);
	return 0;
}

/* --- hearing ---------------------------------------------------------------------------------- */

static int queue_object(const char *json, size_t len, void *arg)
{
	struct runtime_event event = { .kind = RUNTIME_EVENT_UNREADABLE }, *slot;
	struct runtime_events *e = arg;

	if (json && docker_parse_event(json, len, &event) == 0)
		return 0; /* of no interest */
	slot = bh_vec_push(&e->queue);
	if (!slot)
		return e->queue.n == e->queue.max ? -EFBIG : -ENOMEM;
	*slot = event;
	return 0;
}

static int on_data(const char *data, size_t len, void *arg)
{
	struct runtime_events *e = arg;

	return docker_splitter_feed(&e->split, data, len, queue_object, e);
}

static void on_ready(void *arg)
{
	struct runtime_events *e = arg;
	const struct runtime_event *v = e->queue.data;

	for (size_t i = 0; i < e->queue.n; i++)
		e->cb->on_event(&v[i], e->arg);
	e->queue.n = 0;
}

static void on_open(void *arg)
{
	struct runtime_events *e = arg;

	sd_event_source_set_enabled(e->timer, SD_EVENT_OFF);
	e->connected = e->ever = true;
	e->changed = epoch_usec();
	e->told_lost = false;
	e->since_usec = now_usec(e);
	e->cb->on_connected(e->arg);
}

static void on_done(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	struct runtime_events *e = arg;
	struct bh_err reason = *why;

	e->stream = NULL;
	if (e->connected && (r == -EBADMSG || r == -EFBIG || r == -ENOMEM))
		bh_err_prefix(&reason, r, "the stream of events ended");
	else if (e->connected)
		r = bh_err_set(&reason, -ECONNRESET, "%s ended the stream of events", e->who);
	lost(e, r, reason.msg);
}

/* --- asking ----------------------------------------------------------------------------------- */

/*
 * Docker sends its first line before it begins to listen to itself: what it says from before the
 * question closes that gap.
 */
static int ask(struct runtime_events *e, struct bh_err *err)
{
	static const struct docker_stream stream = { on_open, on_data, on_ready, on_done };
	struct timespec now;
	char path[160];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(path, sizeof(path),
		 "/events?since=%lld.%09ld&filters="
		 "%%7B%%22type%%22%%3A%%5B%%22container%%22%%2C%%22network%%22%%5D%%7D",
		 (long long)now.tv_sec, now.tv_nsec);
	docker_splitter_done(&e->split);
	docker_splitter_init(&e->split);
	e->queue.n = 0;
	return docker_async_stream(e->http, path, &stream, e, &e->stream, err);
}

static void try_again(struct runtime_events *e)
{
	struct bh_err err = BH_ERR_INIT;
	int r = ask(e, &err);

	if (r < 0)
		lost(e, r, err.msg);
	else
		set_timer(e, BH_EVENTS_ANSWER_MS * 1000ull);
}

/* --- the handle ------------------------------------------------------------------------------- */

static int set_up(struct runtime_events *e, const char *socket_path, struct bh_err *err)
{
	int r;

	e->socket_path = strdup(socket_path);
	if (!e->socket_path)
		return bh_err_oom(err);
	r = sd_event_add_time_relative(e->event, &e->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, e);
	if (r < 0)
		return bh_err_errno(err, r, "%s: a timer", e->who);
	return docker_async_new(e->event, e->who, e->socket_path, &e->http, err);
}

int runtime_events_new(sd_event *event, const char *socket_path, enum endpoint_runtime runtime,
		       const struct runtime_events_callbacks *callbacks, void *arg,
		       struct runtime_events **ret, struct bh_err *err)
{
	struct runtime_events *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return bh_err_oom(err);
	e->event = sd_event_ref(event);
	e->changed = epoch_usec();
	e->who = runtime == ENDPOINT_PODMAN ? "Podman" : "Docker";
	e->cb = callbacks;
	e->arg = arg;
	docker_splitter_init(&e->split);
	bh_vec_init(&e->queue, sizeof(struct runtime_event), BH_EVENTS_QUEUE_MAX);
	r = set_up(e, socket_path, err);
	if (r < 0) {
		runtime_events_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void runtime_events_free(struct runtime_events *e)
{
	if (!e)
		return;
	docker_async_free(e->http);
	sd_event_source_disable_unref(e->timer);
	docker_splitter_done(&e->split);
	bh_vec_done(&e->queue);
	free(e->socket_path);
	sd_event_unref(e->event);
	free(e);
}

bool runtime_events_connected(const struct runtime_events *e)
{
	return e->connected;
}

int64_t runtime_events_since(const struct runtime_events *e, bool *ret_ever)
{
	if (ret_ever)
		*ret_ever = e->ever;
	return e->changed;
}
