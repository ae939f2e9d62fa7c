/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_RUNTIME_EVENTS_H
#define BULKHEAD_RUNTIME_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/endpoint.h>

/*
 * What happens in Docker, or in Podman by its Docker-compatible API: its stream of events, followed
 * from the caller's event loop, which it never holds up. What is lost is connected again, after
 * BH_EVENTS_RETRY_MIN_MS at first, twice as long each time up to BH_EVENTS_RETRY_MAX_MS, each less a
 * random part of up to a half; so an engine that starts later is found, too. That nothing happens is
 * no failure: a stream may be silent for ever.
 *
 * Events are a hint where to look, never the truth: who hears one asks (runtime_docker_container()),
 * and on_connected() means that any number of them may have been missed. Events may also come twice.
 *
 *	static void on_event(const struct runtime_event *e, void *arg)
 *	{
 *		struct controller *c = arg;
 *
 *		if (e->kind == RUNTIME_EVENT_UNREADABLE)
 *			return reconcile_touch(c);
 *		runtime_early_event(c->early, e);       (runtime/early.h)
 *		reconcile_hint(c, ENDPOINT_DOCKER, e->container, 0);
 *	}
 *	static void on_connected(void *arg)             everything, anew
 *	{
 *		runtime_early_resync(((struct controller *)arg)->early);
 *		reconcile_touch(arg);
 *	}
 *	static void on_lost(int r, const char *reason, void *arg)
 *	{
 *		controller_log(reason, arg);            what is enforced stays
 *	}
 *	static const struct runtime_events_callbacks callbacks = { on_event, on_connected, on_lost };
 *
 *	r = runtime_events_new(event, "/run/docker.sock", ENDPOINT_DOCKER, &callbacks, c,
 *			       &c->events, err);
 */

enum runtime_event_kind {
	/* of a container */
	RUNTIME_EVENT_CREATE,  /* made, not started */
	RUNTIME_EVENT_START,   /* its process runs; of a restart as well */
	RUNTIME_EVENT_DIE,     /* its process has ended */
	RUNTIME_EVENT_STOP,    /* it was told to stop, and is behind DIE */
	RUNTIME_EVENT_DESTROY, /* removed */
	RUNTIME_EVENT_PAUSE,
	RUNTIME_EVENT_UNPAUSE,
	RUNTIME_EVENT_RENAME,
	RUNTIME_EVENT_UPDATE, /* of its limits */
	/* of a container and a network; Docker tells them at every start and end, too */
	RUNTIME_EVENT_CONNECT,
	RUNTIME_EVENT_DISCONNECT,
	/* One that was too large or made no sense: everything may have changed. It has no ids. */
	RUNTIME_EVENT_UNREADABLE,
};
/* "create", ... */
const char *runtime_event_name(enum runtime_event_kind kind);

#define RUNTIME_ID_SIZE 65 /* with the NUL */

struct runtime_event {
	enum runtime_event_kind kind;
	char container[RUNTIME_ID_SIZE]; /* 64 hexadecimal digits, as endpoint.id; "": none */
	char network[RUNTIME_ID_SIZE];   /* letters, digits, '_', '.', '-'; "": none */
	int64_t when_usec;               /* since the epoch, as the engine says; 0: it does not */
};

/* All are called from the loop; none may free the handle. */
struct runtime_events_callbacks {
	void (*on_event)(const struct runtime_event *event, void *arg);
	/*
	 * It is followed from now on: what came before was missed. Nothing that happens after the call
	 * will be (the stream is asked for from the time before it was opened, which is a matter of
	 * one request and is not relied on over longer gaps).
	 */
	void (*on_connected)(void *arg);
	/*
	 * It is not followed any longer, or cannot be from the start; once until on_connected().
	 * R: -ENOENT, -ECONNREFUSED, -EACCES nobody answers there; -ECONNRESET it ended; -ETIMEDOUT;
	 * -EBADMSG, -EFBIG it sends no events. REASON is a sentence, escaped.
	 */
	void (*on_lost)(int r, const char *reason, void *arg);
};

struct runtime_events;

/*
 * Follow the engine at SOCKET_PATH (copied; nobody needs to be there yet) on EVENT. RUNTIME is
 * ENDPOINT_DOCKER or ENDPOINT_PODMAN. CALLBACKS must outlive the handle. The first try is made by
 * the loop. -ENOMEM.
 */
int runtime_events_new(sd_event *event, const char *socket_path, enum endpoint_runtime runtime,
		       const struct runtime_events_callbacks *callbacks, void *arg,
		       struct runtime_events **ret, struct bh_err *err);
/* Takes NULL. No callback comes any more. */
void runtime_events_free(struct runtime_events *e);
bool runtime_events_connected(const struct runtime_events *e);
/*
 * Since when: it is connected, it is lost, or it is waited for; microseconds since the epoch. *RET_EVER
 * (may be NULL): it was connected before.
 */
int64_t runtime_events_since(const struct runtime_events *e, bool *ret_ever);

#endif
