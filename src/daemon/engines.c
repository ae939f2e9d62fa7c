/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engines.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/text.h>
#include <bulkhead/runtime/early.h>
#include <bulkhead/runtime/runtime.h>

#include "privileges.h"
#include "reconcile.h"

struct engine {
	struct controller *c;
	enum endpoint_runtime runtime;
	struct runtime_events *events;
	struct runtime_early *early;
	bool told; /* of an event, since it is connected */
};

struct engines {
	struct engine docker, podman;
	struct runtime_images *images;
};

/* --- events ----------------------------------------------------------------------------------- */

/* Docker answers for a container that it starts only when its process runs: START says so. */
static bool runs(const struct controller *c, const char *id)
{
	const struct endpoint *e =
		c->site.endpoints ? endpoint_set_find(c->site.endpoints, id, NULL) : NULL;

	return e && e->pid;
}

static bool is_worth_asking(const struct engine *e, const struct runtime_event *event)
{
	switch (event->kind) {
	case RUNTIME_EVENT_START:
	case RUNTIME_EVENT_DIE:
	case RUNTIME_EVENT_STOP:
	case RUNTIME_EVENT_DESTROY:
		return true;
	case RUNTIME_EVENT_RENAME:
	case RUNTIME_EVENT_UPDATE:
	case RUNTIME_EVENT_CONNECT:
	case RUNTIME_EVENT_DISCONNECT:
		return runs(e->c, event->container);
	case RUNTIME_EVENT_CREATE:
	case RUNTIME_EVENT_PAUSE:
	case RUNTIME_EVENT_UNPAUSE:
	case RUNTIME_EVENT_UNREADABLE:
		return false;
	}
	return false;
}

static void on_event(const struct runtime_event *event, void *arg)
{
	struct engine *e = arg;

	e->told = true;
	if (event->kind == RUNTIME_EVENT_UNREADABLE)
		reconcile_touch(e->c);
	runtime_early_event(e->early, event);
	if (is_worth_asking(e, event))
		reconcile_hint(e->c, e->runtime, event->container, 0);
}

static void on_connected(void *arg)
{
	struct engine *e = arg;

	runtime_early_resync(e->early);
	reconcile_touch(e->c);
}

/* One that is not there is no news; one that went away is. */
static void on_lost(int r, const char *reason, void *arg)
{
	struct engine *e = arg;

	e->told = false;
	if (r != -ENOENT && r != -ECONNREFUSED)
		controller_log(reason, NULL);
	reconcile_touch(e->c);
}

static const struct runtime_events_callbacks callbacks = { on_event, on_connected, on_lost };

/* --- whose a namespace will be ---------------------------------------------------------------- */

static void on_known(const char *container, void *arg)
{
	struct engine *e = arg;

	privileges_known(e->c->privileges, container);
	reconcile_changed(e->c);
}

struct runtime_images *engines_images(const struct engines *e)
{
	return e->images;
}

bool engines_tell(const struct engines *e)
{
	return e->podman.events && runtime_events_connected(e->podman.events);
}

bool engines_tell_of_starts(const struct engines *e)
{
	return engines_tell(e) && e->podman.told;
}

int engines_join(struct engines *e, int netns_fd, const char *path, uint64_t number,
		 struct endpoint_builder *b, char ret_id[RUNTIME_ID_SIZE], struct diag_list *diags,
		 struct bh_err *err)
{
	int r = 0;

	if (e->docker.early)
		r = runtime_early_join(e->docker.early, netns_fd, path, number, b, ret_id, diags,
				       err);
	if (r == 0 && e->podman.early)
		r = runtime_early_join(e->podman.early, netns_fd, path, number, b, ret_id, diags,
				       err);
	return r;
}

/* What is known by half, Docker keeps as a whole. */
int engines_named(struct engines *e, enum endpoint_runtime runtime, const char *id, int netns_fd,
		  const char *path, struct endpoint_builder *b, struct diag_list *diags,
		  struct bh_err *err)
{
	struct runtime_early *early = runtime == ENDPOINT_DOCKER   ? e->docker.early
				      : runtime == ENDPOINT_PODMAN ? e->podman.early
								   : NULL;
	int r = 0;

	if (!early)
		return 0;
	if (runtime == ENDPOINT_DOCKER && !runtime_early_is_complete(early, id))
		r = runtime_docker_kept(id, netns_fd, path, b, err);
	return r ? r : runtime_early_named(early, id, netns_fd, path, b, diags, err);
}

/* --- life ------------------------------------------------------------------------------------- */

static int follow(struct engine *e, const char *path, struct runtime_images *images,
		  struct bh_err *err)
{
	struct controller *c = e->c;
	int r = runtime_early_new(c->event, path, e->runtime, images, on_known, e, &e->early, err);

	return r < 0 ? r
		     : runtime_events_new(c->event, path, e->runtime, &callbacks, e, &e->events,
					  err);
}

static int follow_both(struct engines *e, struct controller *c, struct bh_err *err)
{
	const struct host_config *host = &c->site.host;
	const struct daemon_options *o = c->o;
	int r = 0;

	if (controller_lists(c, ENDPOINT_DOCKER))
		r = follow(&e->docker, o->docker_socket ? o->docker_socket : host->docker_socket,
			   e->images, err);
	if (r >= 0 && controller_lists(c, ENDPOINT_PODMAN))
		r = follow(&e->podman, o->podman_socket ? o->podman_socket : host->podman_socket,
			   e->images, err);
	return r;
}

int engines_new(struct controller *c, struct engines **ret, struct bh_err *err)
{
	struct engines *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return bh_err_oom(err);
	e->docker = (struct engine) { .c = c, .runtime = ENDPOINT_DOCKER };
	e->podman = (struct engine) { .c = c, .runtime = ENDPOINT_PODMAN };
	r = runtime_images_new(&e->images, err);
	if (r >= 0 && !c->o->inventory)
		r = follow_both(e, c, err);
	if (r < 0) {
		engines_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

static void end(struct engine *e)
{
	runtime_events_free(e->events);
	runtime_early_free(e->early);
}

void engines_free(struct engines *e)
{
	if (!e)
		return;
	end(&e->docker);
	end(&e->podman);
	runtime_images_free(e->images);
	free(e);
}

/* --- how they stand -------------------------------------------------------------------------- */

static void report(const struct runtime_events *e, const char *name, json_t *list)
{
	char since[BH_TIME_STR];
	bool ever;

	if (!e)
		return;
	bh_format_time(since, runtime_events_since(e, &ever));
	json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "engine", name, "state",
					      runtime_events_connected(e) ? "connected"
					      : ever                      ? "lost"
									  : "absent",
					      "since", since));
}

void engines_report(const struct engines *e, json_t *list)
{
	report(e->docker.events, "docker", list);
	report(e->podman.events, "podman", list);
}
