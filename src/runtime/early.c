/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/early.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "docker.h"
#include "docker_async.h"
#include "docker_images.h"
#include "early.h"
#include "resolve.h"

/* --- the table -------------------------------------------------------------------------------- */

static void unlearn(struct container *c)
{
	if (c->state == CONTAINER_ASKED)
		c->early->asking--;
	docker_call_cancel(c->call);
	docker_call_cancel(c->listed);
	docker_call_cancel(c->image);
	c->call = c->listed = c->image = NULL;
	bh_arena_free(c->arena);
	c->arena = NULL;
	c->partial = false;
	c->state = CONTAINER_UNKNOWN;
}

void early_forget(struct container *c)
{
	struct runtime_early *early = c->early;

	unlearn(c);
	HASH_DEL(early->containers, c);
	free(c);
}

struct container *early_find(struct runtime_early *early, const char *id)
{
	struct container *c;

	HASH_FIND_STR(early->containers, id, c);
	return c;
}

/* Room for one more, at the cost of one that runs: it is of use only when it is started again. Or of one
 * that nothing is known of. */
static bool make_room(struct runtime_early *early)
{
	struct container *c, *next;

	if (HASH_COUNT(early->containers) < BH_EARLY_MAX)
		return true;
	HASH_ITER (hh, early->containers, c, next)
		if (c->running || c->state == CONTAINER_REFUSED) {
			early_forget(c);
			return true;
		}
	return false;
}

struct container *early_add(struct runtime_early *early, const char *id)
{
	struct container *c = early_find(early, id);

	if (c || !make_room(early))
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->early = early;
	memcpy(c->id, id, sizeof(c->id));
	HASH_ADD_STR(early->containers, id, c);
	return c;
}

/* --- events ----------------------------------------------------------------------------------- */

struct place *early_place_in(struct container *c, const char *network)
{
	for (size_t i = 0; i < c->n_places; i++)
		if (strcmp(c->places[i].network, network) == 0)
			return &c->places[i];
	return NULL;
}

struct place *early_place(struct container *c, const char *network)
{
	struct place *p = early_place_in(c, network);

	if (p || c->n_places == BH_EARLY_NETWORKS_MAX)
		return p;
	p = &c->places[c->n_places++];
	*p = (struct place) { 0 };
	memcpy(p->network, network, sizeof(p->network));
	return p;
}

void early_leave(struct container *c, const char *network)
{
	struct place *p = early_place_in(c, network);

	if (p)
		*p = c->places[--c->n_places];
}

/* What it is called may have changed, and what it is while it runs cannot be asked in time. */
static void renamed(struct runtime_early *early, const char *id)
{
	struct container *c = early_find(early, id);

	if (!c)
		return;
	unlearn(c);
	early_ask_containers(early);
}

/* An event says whether it runs: where it was is of the past. */
static void turn(struct container *c, bool running)
{
	c->running = running;
	c->unsure = c->named = false;
	c->n_places = 0;
	if (c->state == CONTAINER_REFUSED)
		c->state = CONTAINER_UNKNOWN;
	early_ask_containers(c->early);
}

/* What it is stays known, for when it is started again: Docker would not answer that in time. */
static void started(struct runtime_early *early, const char *id)
{
	struct container *c = early_find(early, id);

	if (!c)
		return;
	turn(c, true);
	if (c->partial)
		early_ask_again(c); /* now all of it can be asked */
}

/* It may be started again: by its policy of restarts this very moment. */
static void waits(struct runtime_early *early, const char *id)
{
	struct container *c = early_add(early, id);

	if (c)
		turn(c, false);
}

/* Podman may not answer about it any more: it may be in the middle of its start. */
static void made(struct runtime_early *early, const char *id)
{
	struct container *c;

	waits(early, id);
	c = early->runtime == ENDPOINT_PODMAN ? early_find(early, id) : NULL;
	if (c && c->state <= CONTAINER_ASKED && !c->arena)
		early_ask_listed(c);
}

static void connected(struct runtime_early *early, const struct runtime_event *event)
{
	bool known = early_find(early, event->container) != NULL;
	struct container *c = early_add(early, event->container);

	if (!c || c->running)
		return;
	c->unsure |= !known;
	early_ask_containers(early);
	if (c->state <= CONTAINER_ASKED && !c->arena)
		early_ask_listed(c);
	early_ask_network(early, event->network);
}

void runtime_early_event(struct runtime_early *early, const struct runtime_event *event)
{
	struct container *c = early_find(early, event->container);

	switch (event->kind) {
	case RUNTIME_EVENT_CREATE:
		made(early, event->container);
		break;
	case RUNTIME_EVENT_DIE:
		waits(early, event->container);
		break;
	case RUNTIME_EVENT_START:
		started(early, event->container);
		break;
	case RUNTIME_EVENT_DESTROY:
		if (c)
			early_forget(c);
		break;
	case RUNTIME_EVENT_RENAME:
		renamed(early, event->container);
		break;
	case RUNTIME_EVENT_CONNECT:
		connected(early, event);
		break;
	case RUNTIME_EVENT_DISCONNECT:
		if (c)
			early_leave(c, event->network);
		break;
	case RUNTIME_EVENT_UNREADABLE:
		runtime_early_resync(early);
		break;
	case RUNTIME_EVENT_STOP:
	case RUNTIME_EVENT_PAUSE:
	case RUNTIME_EVENT_UNPAUSE:
	case RUNTIME_EVENT_UPDATE:
		break;
	}
}

/* --- whose namespace is it -------------------------------------------------------------------- */

static bool has_mac(const struct net_devices *devices, const uint8_t mac[6])
{
	for (size_t i = 0; i < devices->n; i++)
		if (devices->d[i].ethernet && memcmp(devices->d[i].mac, mac, 6) == 0)
			return true;
	return false;
}

static bool has_addr(const struct bh_addr *v, size_t n, const struct bh_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (bh_addr_cmp(&v[i], a) == 0)
			return true;
	return false;
}

static bool is_place(const struct place *p, const struct net_devices *devices,
		     const struct bh_addr *addrs, size_t n_addrs)
{
	if (!has_mac(devices, p->mac))
		return false;
	for (size_t i = 0; i < p->n_addrs; i++)
		if (has_addr(addrs, n_addrs, &p->addrs[i]))
			return true;
	return false;
}

static struct place *fits(struct container *c, const struct net_devices *devices,
			  const struct bh_addr *addrs, size_t n_addrs)
{
	if (c->running || c->unsure || c->state != CONTAINER_KNOWN)
		return NULL;
	for (size_t i = 0; i < c->n_places; i++)
		if (is_place(&c->places[i], devices, addrs, n_addrs))
			return &c->places[i];
	return NULL;
}

/* The engine has said so after the namespace was seen to have these addresses; else it is asked. */
static bool is_confirmed(struct runtime_early *early, struct place *p, uint64_t number)
{
	bool first = p->seen_in != number;

	if (first) {
		p->seen_in = number;
		p->seen = ++early->clock;
	}
	if (p->asked > p->seen)
		return true;
	if (first || !early_asks_network(early, p->network))
		early_ask_network(early, p->network);
	return false;
}

/* Its engine's addresses in so many places and those inside, each once. */
static size_t all_addrs(const struct place *places, size_t n_places, const struct bh_addr *inner,
			size_t n_inner, struct bh_addr out[BH_ENDPOINT_ADDRS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < n_places; i++)
		for (size_t k = 0; k < places[i].n_addrs; k++)
			if (!has_addr(out, n, &places[i].addrs[k]))
				out[n++] = places[i].addrs[k];
	for (size_t i = 0; i < n_inner && n < BH_ENDPOINT_ADDRS_MAX; i++)
		if (!has_addr(out, n, &inner[i]))
			out[n++] = inner[i];
	return n;
}

static int add_endpoint(const struct container *c, size_t n_places, const struct bh_addr *inner,
			size_t n_inner, const char *path, uint64_t ino, struct endpoint_builder *b,
			struct bh_err *err)
{
	struct bh_addr resolvers[BH_ENDPOINT_RESOLVERS_MAX], addrs[BH_ENDPOINT_ADDRS_MAX];
	struct endpoint e = c->doc.e;

	e.netns = path;
	e.netns_ino = ino;
	e.pid = 0;
	e.addrs = addrs;
	e.n_addrs = all_addrs(c->places, n_places, inner, n_inner, addrs);
	e.resolvers = resolvers;
	e.n_resolvers = c->partial ? 0
				   : docker_resolvers_expected(&c->doc, resolvers,
							       BH_ARRAY_SIZE(resolvers));
	return endpoint_builder_add(b, &e, err);
}

int runtime_early_match(struct runtime_early *early, const struct net_devices *devices,
			const struct bh_addr *addrs, size_t n_addrs, const char *path,
			uint64_t netns_ino, uint64_t number, struct endpoint_builder *b,
			char ret_id[RUNTIME_ID_SIZE], struct diag_list *diags, struct bh_err *err)
{
	struct container *c, *next, *found = NULL;
	struct place *place = NULL;
	int r;

	HASH_ITER (hh, early->containers, c, next) {
		struct place *p = fits(c, devices, addrs, n_addrs);

		if (!p)
			continue;
		if (found) {
			diag_add(diags, DIAG_WARNING, NULL, "ambiguous-namespace", NULL,
				 "%s containers %.12s and %.12s have the same addresses: it is not "
				 "known before they run whose a namespace is",
				 early->who, found->id, c->id);
			return 0;
		}
		found = c;
		place = p;
	}
	if (!found || !is_confirmed(early, place, number))
		return 0;
	r = add_endpoint(found, found->n_places, addrs, n_addrs, path, netns_ino, b, err);
	if (r < 0)
		return r;
	if (ret_id)
		memcpy(ret_id, found->id, sizeof(found->id));
	return 1;
}

int runtime_early_join(struct runtime_early *early, int netns_fd, const char *path, uint64_t number,
		       struct endpoint_builder *b, char ret_id[RUNTIME_ID_SIZE],
		       struct diag_list *diags, struct bh_err *err)
{
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX];
	struct stat st;
	size_t n = 0;
	int r;

	if (fstat(netns_fd, &st) < 0)
		return bh_err_errno(err, -errno, "a network namespace");
	if (!early->containers || st.st_ino == early->own_ino)
		return 0;
	r = runtime_devices(netns_fd, &early->devices, err);
	if (r < 0 || !early->devices.n)
		return r;
	r = runtime_netns_addrs(netns_fd, addrs, BH_ARRAY_SIZE(addrs), &n, err);
	if (r < 0 && r != -E2BIG)
		return r;
	return runtime_early_match(early, &early->devices, addrs, n, path, st.st_ino, number, b,
				   ret_id, diags, err);
}

/* --- who is known by name ------------------------------------------------------------------------ */

static int add_named(struct container *c, int netns_fd, const char *path,
		     struct endpoint_builder *b, struct bh_err *err)
{
	struct bh_addr addrs[BH_ENDPOINT_ADDRS_MAX];
	struct stat st;
	size_t n = 0;
	int r;

	if (netns_fd < 0) {
		r = add_endpoint(c, 0, NULL, 0, NULL, 0, b, err);
		return r < 0 ? r : 1;
	}
	if (fstat(netns_fd, &st) < 0)
		return bh_err_errno(err, -errno, "a network namespace");
	r = runtime_netns_addrs(netns_fd, addrs, BH_ARRAY_SIZE(addrs), &n, err);
	if (r < 0 && r != -E2BIG)
		return r;
	r = add_endpoint(c, 0, addrs, n, path, st.st_ino, b, err);
	return r < 0 ? r : 1;
}

int runtime_early_named(struct runtime_early *early, const char *container, int netns_fd,
			const char *path, struct endpoint_builder *b, struct diag_list *diags,
			struct bh_err *err)
{
	struct container *c;

	if (!docker_id_is_valid(container))
		return bh_err_set(err, -EINVAL, "a container's id has 64 hexadecimal digits");
	c = early_find(early, container);
	if (!c) {
		c = early_add(early, container);
		if (c)
			c->unsure = true;
	}
	if (!c) {
		diag_add(diags, DIAG_WARNING, NULL, "too-many-starts", NULL,
			 "%s: more than %d containers: it is not known before it runs what %.12s "
			 "is",
			 early->who, BH_EARLY_MAX, container);
		return 0;
	}
	if (!c->named)
		c->tries = 0;
	c->named = true;
	if (c->state == CONTAINER_KNOWN)
		return add_named(c, netns_fd, path, b, err);
	early_ask_named(c);
	return 0;
}

bool runtime_early_is_complete(struct runtime_early *early, const char *container)
{
	const struct container *c = early_find(early, container);

	return c && c->state == CONTAINER_KNOWN && !c->partial;
}

/* --- the handle ------------------------------------------------------------------------------- */

int runtime_early_new(sd_event *event, const char *socket_path, enum endpoint_runtime runtime,
		      struct runtime_images *images, runtime_early_known_fn *on_known, void *arg,
		      struct runtime_early **ret, struct bh_err *err)
{
	struct runtime_early *early = calloc(1, sizeof(*early));
	int r;

	if (!early)
		return bh_err_oom(err);
	early->who = runtime == ENDPOINT_PODMAN ? "Podman" : "Docker";
	early->runtime = runtime;
	early->images = images;
	early->on_known = on_known;
	early->arg = arg;
	early->own_ino = netns_own_ino();
	early->socket_path = strdup(socket_path);
	r = early->socket_path
		    ? docker_async_new(event, early->who, early->socket_path, &early->http, err)
		    : bh_err_oom(err);
	if (r < 0) {
		runtime_early_free(early);
		return r;
	}
	*ret = early;
	return 0;
}

static void forget_all(struct runtime_early *early)
{
	while (early->containers)
		early_forget(early->containers);
	early_cancel_questions(early);
}

void runtime_early_free(struct runtime_early *early)
{
	if (!early)
		return;
	forget_all(early);
	docker_async_free(early->http);
	free(early->socket_path);
	free(early);
}

/* What a container is does not change while its start is held. That it went on was perhaps missed. */
static void forget_what_may_change(struct runtime_early *early)
{
	struct container *c, *next;

	early_cancel_questions(early);
	HASH_ITER (hh, early->containers, c, next) {
		if (!c->named) {
			early_forget(c);
			continue;
		}
		c->n_places = 0;
		c->unsure = true;
		c->tries = 0;
		early_ask_named(c);
	}
}

void runtime_early_resync(struct runtime_early *early)
{
	forget_what_may_change(early);
	early_ask_list(early);
}

size_t runtime_early_count(const struct runtime_early *early, size_t *ret_waiting)
{
	struct container *c, *next;
	size_t waiting = 0;

	HASH_ITER (hh, early->containers, c, next)
		waiting += !c->running && c->state == CONTAINER_KNOWN && c->n_places;
	if (ret_waiting)
		*ret_waiting = waiting;
	return HASH_COUNT(early->containers);
}
