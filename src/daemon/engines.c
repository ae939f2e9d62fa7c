/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engines.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/runtime/events.h>

#include "reconcile.h"

struct engines {
	struct runtime_events *docker, *podman;
};

static void on_event(const struct runtime_event *event, void *arg)
{
	reconcile_touch(arg);
}

static void on_connected(void *arg)
{
	reconcile_touch(arg);
}

/* One that is not there is no news; one that went away is. */
static void on_lost(int r, const char *reason, void *arg)
{
	if (r != -ENOENT && r != -ECONNREFUSED)
		controller_log(reason, NULL);
	reconcile_touch(arg);
}

static const struct runtime_events_callbacks callbacks = { on_event, on_connected, on_lost };

static int follow(struct controller *c, const char *named, bool wanted, const char *fallback,
		  enum endpoint_runtime runtime, struct runtime_events **ret, struct bh_err *err)
{
	if (!named && !wanted)
		return 0;
	return runtime_events_new(c->event, named ? named : fallback, runtime, &callbacks, c, ret,
				  err);
}

int engines_new(struct controller *c, struct engines **ret, struct bh_err *err)
{
	const struct host_config *host = &c->site.host;
	struct engines *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return bh_err_oom(err);
	if (!c->o->inventory)
		r = follow(c, c->o->docker_socket, host->docker, host->docker_socket,
			   ENDPOINT_DOCKER, &e->docker, err);
	if (r >= 0 && !c->o->inventory)
		r = follow(c, c->o->podman_socket, host->podman, host->podman_socket,
			   ENDPOINT_PODMAN, &e->podman, err);
	if (r < 0) {
		engines_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void engines_free(struct engines *e)
{
	if (!e)
		return;
	runtime_events_free(e->docker);
	runtime_events_free(e->podman);
	free(e);
}
