/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_DOCKER_ASYNC_H
#define RUNTIME_DOCKER_ASYNC_H

#include <stdbool.h>
#include <stddef.h>

#include <systemd/sd-event.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>

/*
 * Asking an engine from an event loop: nothing here waits. Every callback comes from the loop, never
 * from within a function of this header, and may start and cancel calls, but not free the handle.
 */
struct docker_async;
struct docker_call;

/* WHO is what messages call it, SOCKET_PATH where it listens; both outlive the handle. */
int docker_async_new(sd_event *event, const char *who, const char *socket_path,
		     struct docker_async **ret, struct bh_err *err);
void docker_async_free(struct docker_async *a); /* takes NULL; cancels all calls */

/* R as of docker_api_get(); BODY and WHY live as long as the callback. CALL is gone. */
typedef void docker_done_fn(int r, const struct bh_buf *body, const struct bh_err *why, void *arg);

/* GET PATH, at most MAX bytes within TIMEOUT_MS. DONE is called once, unless it is cancelled. */
int docker_async_get(struct docker_async *a, const char *path, size_t max, int timeout_ms,
		     docker_done_fn *done, void *arg, struct docker_call **ret, struct bh_err *err);

struct docker_stream {
	/* Status 200 has come. */
	void (*open)(void *arg);
	/*
	 * Bytes, in order; from within libcurl: nothing but to put them away. A negative return ends
	 * the stream with it.
	 */
	int (*data)(const char *data, size_t len, void *arg);
	/* From the loop, after data(). */
	void (*ready)(void *arg);
	/* Its end, R = 0 when the engine ended it in order. CALL is gone. */
	docker_done_fn *done;
};

/* GET PATH whose answer has no end; no deadline but for connecting. S outlives the call. */
int docker_async_stream(struct docker_async *a, const char *path, const struct docker_stream *s,
			void *arg, struct docker_call **ret, struct bh_err *err);

void docker_call_cancel(struct docker_call *call); /* takes NULL */

#endif
