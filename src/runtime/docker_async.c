/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_async.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>

#include <bulkhead/base/limits.h>

#include "docker_http.h"

struct docker_call {
	struct docker_async *a;
	struct docker_transfer t;
	struct bh_buf body; /* the answer; of a stream, what is said instead of one */
	const struct docker_stream *stream; /* or NULL */
	bool opened, told_open, dirty;
	int data_error;
	docker_done_fn *done;
	void *arg;
	LIST_ENTRY(docker_call) link;
};

struct docker_async {
	sd_event *event;
	sd_event_source *timer;
	CURLM *multi;
	const char *who, *socket_path;
	LIST_HEAD(, docker_call) calls;
};

/* --- calls ------------------------------------------------------------------------------------ */

static void call_free(struct docker_call *call)
{
	LIST_REMOVE(call, link);
	curl_multi_remove_handle(call->a->multi, call->t.curl);
	docker_transfer_done(&call->t);
	bh_buf_done(&call->body);
	free(call);
}

void docker_call_cancel(struct docker_call *call)
{
	if (call)
		call_free(call);
}

/* --- streams ---------------------------------------------------------------------------------- */

static long status_of(const struct docker_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->t.curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_stream_header(char *data, size_t size, size_t n, void *arg)
{
	struct docker_call *call = arg;
	size_t len = size * n;

	call->t.header_bytes += len;
	if (call->t.header_bytes > BH_RUNTIME_HEADER_BYTES_MAX)
		return 0;
	if (len <= 2 && (data[0] == '\r' || data[0] == '\n') && status_of(call) == 200)
		call->opened = call->dirty = true;
	return len;
}

static size_t on_stream_data(char *data, size_t size, size_t n, void *arg)
{
	struct docker_call *call = arg;
	size_t len = size * n, room = call->body.max - call->body.len;

	if (!call->opened) { /* an error: its beginning is enough */
		bh_buf_add(&call->body, data, len < room ? len : room);
		return len;
	}
	call->dirty = true;
	call->data_error = call->stream->data(data, len, call->arg);
	return call->data_error < 0 ? 0 : len;
}

static int make_stream(struct docker_call *call, struct bh_err *err)
{
	CURL *c = call->t.curl;

	if (curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_stream_data) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, call) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_stream_header) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HEADERDATA, call) != CURLE_OK)
		return bh_err_oom(err);
	return 0;
}

static struct docker_call *next_dirty(struct docker_async *a)
{
	struct docker_call *call;

	LIST_FOREACH(call, &a->calls, link)
	if (call->dirty)
		return call;
	return NULL;
}

/* Outside of libcurl, so that callbacks may do what they like. One may cancel the call. */
static void tell_streams(struct docker_async *a)
{
	struct docker_call *call;

	while ((call = next_dirty(a)) != NULL) {
		if (!call->told_open) {
			call->told_open = true;
			call->stream->open(call->arg); /* still dirty: ready() comes next */
			continue;
		}
		call->dirty = false;
		call->stream->ready(call->arg);
	}
}

/* --- libcurl on the loop ---------------------------------------------------------------------- */

static void end_call(struct docker_call *call, CURLcode code)
{
	struct bh_err why = BH_ERR_INIT;
	docker_done_fn *done = call->done;
	struct bh_buf body;
	void *arg = call->arg;
	int r;

	if (call->data_error < 0)
		r = bh_err_errno(&why, call->data_error, "%s sends what is of no use", call->t.who);
	else
		r = docker_transfer_result(&call->t, code, &why);
	body = call->body;
	bh_buf_init(&call->body, 0);
	call_free(call);
	done(r, &body, &why, arg);
	bh_buf_done(&body);
}

static void collect(struct docker_async *a)
{
	CURLMsg *msg;
	int left;

	tell_streams(a);
	while ((msg = curl_multi_info_read(a->multi, &left)) != NULL) {
		CURLcode code = msg->data.result;
		char *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		end_call((struct docker_call *)(void *)call, code);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct docker_async *a = arg;
	int what = 0, running;

	what |= revents & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0;
	what |= revents & EPOLLOUT ? CURL_CSELECT_OUT : 0;
	what |= revents & EPOLLERR ? CURL_CSELECT_ERR : 0;
	curl_multi_socket_action(a->multi, fd, what, &running);
	collect(a);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	struct docker_async *a = arg;
	int running;

	curl_multi_socket_action(a->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(a);
	return 0;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct docker_async *a = arg;
	sd_event_source *source = watched;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	if (what == CURL_POLL_REMOVE) {
		curl_multi_assign(a->multi, fd, NULL);
		sd_event_source_disable_unref(source);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(a->event, &source, fd, events, on_io, a) < 0)
		return -1;
	curl_multi_assign(a->multi, fd, source);
	return 0;
}

static int watch_time(CURLM *multi, long timeout_ms, void *arg)
{
	struct docker_async *a = arg;

	if (timeout_ms < 0)
		return sd_event_source_set_enabled(a->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	if (sd_event_source_set_time_relative(a->timer, (uint64_t)timeout_ms * 1000) < 0)
		return -1;
	return sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

/* --- the handle ------------------------------------------------------------------------------- */

static int set_up(struct docker_async *a)
{
	bool ok;
	int r = sd_event_add_time_relative(a->event, &a->timer, CLOCK_MONOTONIC, 0, 1000, on_time,
					   a);

	if (r >= 0)
		r = sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	a->multi = curl_multi_init();
	if (!a->multi)
		return -ENOMEM;
	ok = curl_multi_setopt(a->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) == CURLM_OK;
	ok &= curl_multi_setopt(a->multi, CURLMOPT_SOCKETDATA, a) == CURLM_OK;
	ok &= curl_multi_setopt(a->multi, CURLMOPT_TIMERFUNCTION, watch_time) == CURLM_OK;
	ok &= curl_multi_setopt(a->multi, CURLMOPT_TIMERDATA, a) == CURLM_OK;
	return ok ? 0 : -EIO;
}

int docker_async_new(sd_event *event, const char *who, const char *socket_path,
		     struct docker_async **ret, struct bh_err *err)
{
	struct docker_async *a;
	int r;

	if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK)
		return bh_err_oom(err);
	a = calloc(1, sizeof(*a));
	if (!a) {
		curl_global_cleanup();
		return bh_err_oom(err);
	}
	LIST_INIT(&a->calls);
	a->event = sd_event_ref(event);
	a->who = who;
	a->socket_path = socket_path;
	r = set_up(a);
	if (r < 0) {
		docker_async_free(a);
		return bh_err_errno(err, r, "%s: libcurl cannot be set up", who);
	}
	*ret = a;
	return 0;
}

void docker_async_free(struct docker_async *a)
{
	if (!a)
		return;
	while (!LIST_EMPTY(&a->calls))
		call_free(LIST_FIRST(&a->calls));
	curl_multi_cleanup(a->multi);
	sd_event_source_disable_unref(a->timer);
	sd_event_unref(a->event);
	free(a);
	curl_global_cleanup();
}

/* NULL: out of memory, and ERR says it. */
static struct docker_call *call_new(struct docker_async *a, size_t max, docker_done_fn *done,
				    void *arg, struct bh_err *err)
{
	struct docker_call *call = calloc(1, sizeof(*call));

	if (!call) {
		bh_err_oom(err);
		return NULL;
	}
	call->a = a;
	call->done = done;
	call->arg = arg;
	call->t.who = a->who;
	call->t.socket_path = a->socket_path;
	if (docker_transfer_init(&call->t, err) < 0) {
		free(call);
		return NULL;
	}
	bh_buf_init(&call->body, max);
	LIST_INSERT_HEAD(&a->calls, call, link);
	return call;
}

/* libcurl does nothing before its timer, which the loop calls. */
static int call_start(struct docker_call *call, const char *path, long timeout_ms,
		      struct docker_call **ret, struct bh_err *err)
{
	int r = docker_transfer_prepare(&call->t, path, &call->body, timeout_ms, err);

	if (r >= 0 && (curl_easy_setopt(call->t.curl, CURLOPT_PRIVATE, call) != CURLE_OK ||
		       curl_multi_add_handle(call->a->multi, call->t.curl) != CURLM_OK))
		r = bh_err_oom(err);
	if (r < 0) {
		call_free(call);
		return r;
	}
	*ret = call;
	return 0;
}

int docker_async_get(struct docker_async *a, const char *path, size_t max, int timeout_ms,
		     docker_done_fn *done, void *arg, struct docker_call **ret, struct bh_err *err)
{
	struct docker_call *call = call_new(a, max, done, arg, err);

	return call ? call_start(call, path, timeout_ms, ret, err) : -ENOMEM;
}

int docker_async_stream(struct docker_async *a, const char *path, const struct docker_stream *s,
			void *arg, struct docker_call **ret, struct bh_err *err)
{
	struct docker_call *call = call_new(a, BH_ENGINE_ERROR_MAX, s->done, arg, err);
	int r;

	if (!call)
		return -ENOMEM;
	call->stream = s;
	r = make_stream(call, err);
	if (r < 0) {
		call_free(call);
		return r;
	}
	return call_start(call, path, 0, ret, err);
}
