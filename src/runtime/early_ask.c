/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "early.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

#include "docker_images.h"

static void tell_known(struct container *c)
{
	struct runtime_early *early = c->early;

	bool placed = !c->running && c->n_places;

	if (c->state == CONTAINER_KNOWN && (c->named || placed) && early->on_known)
		early->on_known(c->id, early->arg);
}

/* --- what it is ------------------------------------------------------------------------------- */

/* With or without use; the next one's turn. */
static void answered(struct container *c, enum container_state state)
{
	struct runtime_early *early = c->early;

	early->asking--;
	c->state = state;
	if (state == CONTAINER_REFUSED) {
		bh_arena_free(c->arena);
		c->arena = NULL;
	}
	tell_known(c);
	early_ask_containers(early);
}

static int take_image(struct container *c, const struct docker_image *image)
{
	int r = docker_take_digests(&c->doc, image, c->arena, NULL);

	return r < 0 ? r
		     : docker_divide_labels(&c->doc, image->labels, image->n_labels, c->arena,
					    NULL);
}

static void divide(struct container *c, const struct docker_image *image)
{
	int r;

	if (docker_made_without_image(&c->doc, c->early->runtime))
		r = docker_divide_labels(&c->doc, NULL, 0, c->arena, NULL);
	else if (image && !image->gone)
		r = take_image(c, image);
	else
		r = docker_distrust_labels(&c->doc, c->arena, NULL);
	answered(c, r < 0 ? CONTAINER_REFUSED : CONTAINER_KNOWN);
}

/* What an image's name says was asked for by that name, for who has no id of it. */
static const char *image_id(struct container *c, const struct bh_buf *body)
{
	if (!c->doc.image_id)
		docker_parse_image_id(bh_buf_str(body), body->len, c->arena, &c->doc);
	return c->doc.image_id;
}

static void on_image(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	const struct docker_image *image;
	struct container *c = arg;
	bool gone = r == -ESRCH && c->doc.image_id;

	c->image = NULL;
	if ((r < 0 && !gone) || (!gone && !image_id(c, body))) {
		answered(c, CONTAINER_REFUSED);
		return;
	}
	r = docker_images_add(c->early->images, c->doc.image_id, gone ? NULL : bh_buf_str(body),
			      body->len, &image, NULL);
	if (r < 0)
		answered(c, CONTAINER_REFUSED);
	else
		divide(c, image);
}

/* By its id, or by what it was called when Podman made a container of it, a moment ago. */
static int ask_image_called(struct container *c, const char *name)
{
	char path[BH_EARLY_IMAGE_NAME_MAX + 32];

	if (!docker_image_name_is_plain(name))
		return -EINVAL;
	snprintf(path, sizeof(path), "/images/%s/json", name);
	return docker_async_get(c->early->http, path, BH_EARLY_CONTAINER_BYTES, BH_EARLY_ASK_MS,
				on_image, c, &c->image, NULL);
}

/* Of one that was told of and has no name of an image, it is not known that it has none. */
static void ask_image(struct container *c)
{
	bool told = c->partial && c->early->runtime == ENDPOINT_PODMAN;
	const struct docker_image *image = NULL;
	const char *name = c->doc.image_id;

	if (name)
		image = docker_images_find(c->early->images, name);
	else if (told)
		name = c->doc.e.image ? c->doc.e.image : "";
	if (image || !name)
		divide(c, image);
	else if (ask_image_called(c, name) < 0)
		answered(c, CONTAINER_REFUSED);
}

/* What it is stands in DOC, whose strings are ARENA's. */
static void learned(struct container *c, struct bh_arena *arena, const struct docker_container *doc,
		    bool partial)
{
	docker_call_cancel(c->image);
	c->image = NULL;
	bh_arena_free(c->arena);
	c->arena = arena;
	c->doc = *doc;
	c->doc.e.runtime = c->early->runtime;
	c->partial = partial;
	c->early->asking += c->state != CONTAINER_ASKED;
	c->state = CONTAINER_ASKED;
	if (c->unsure && !(partial && c->early->runtime == ENDPOINT_PODMAN)) {
		c->running = c->doc.alive;
		c->unsure = false;
	}
	ask_image(c);
}

/* What is known from elsewhere stays. */
static void no_document(struct container *c, int r)
{
	if (r == -ESRCH && c->named)
		early_forget(c);
	else if (c->state == CONTAINER_ASKED && !c->arena)
		answered(c, CONTAINER_REFUSED);
}

static void on_container(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container doc = { 0 };
	struct container *c = arg;

	c->call = NULL;
	if (r >= 0)
		r = arena ? docker_parse_container(bh_buf_str(body), body->len, arena, &doc, NULL)
			  : -ENOMEM;
	if (r < 0 || strcmp(doc.e.id, c->id) != 0) {
		bh_arena_free(arena);
		no_document(c, r);
		return;
	}
	docker_call_cancel(c->listed);
	c->listed = NULL;
	learned(c, arena, &doc, false);
}

/* One that was too slow is asked again, for who waits for it. */
static void not_listed(struct container *c, int r)
{
	if (c->named && r == -ETIMEDOUT && c->tries++ < BH_EARLY_TRIES_MAX)
		early_ask_named(c);
}

/* It may have come second, and then does not count. */
static void on_listed(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	bool told = ((struct container *)arg)->early->runtime == ENDPOINT_PODMAN;
	struct bh_arena *arena = bh_arena_new();
	struct docker_container doc = { 0 };
	struct container *c = arg;

	c->listed = NULL;
	if (r >= 0)
		r = arena ? (told ? docker_parse_told : docker_parse_listed)(
				    bh_buf_str(body), body->len, arena, &doc, NULL)
			  : -ENOMEM;
	if (r >= 0 && !c->arena && strcmp(doc.e.id, c->id) == 0) {
		learned(c, arena, &doc, true);
		return;
	}
	bh_arena_free(arena);
	if (r < 0 && !c->arena)
		not_listed(c, r);
}

/* Podman's clock is ours. It ends the answer where it has nothing more to tell. */
static void path_of_told(const char *id, char *path, size_t size)
{
	long long since = (long long)time(NULL) - BH_EARLY_TOLD_S;

	snprintf(path, size,
		 "/events?stream=false&since=%lld&filters=%%7B%%22container%%22%%3A%%5B%%22%s%%22%%"
		 "5D"
		 "%%2C%%22event%%22%%3A%%5B%%22create%%22%%5D%%7D",
		 since, id);
}

void early_ask_listed(struct container *c)
{
	char path[256];

	if (c->listed)
		return;
	if (c->early->runtime == ENDPOINT_PODMAN)
		path_of_told(c->id, path, sizeof(path));
	else
		snprintf(path, sizeof(path),
			 "/containers/json?all=1&filters=%%7B%%22id%%22%%3A%%5B%%22%s%%22%%5D%%7D",
			 c->id);
	if (docker_async_get(c->early->http, path, BH_EARLY_CONTAINER_BYTES, BH_EARLY_ASK_MS,
			     on_listed, c, &c->listed, NULL) < 0)
		c->listed = NULL;
}

static void ask_container(struct container *c)
{
	char path[128];

	snprintf(path, sizeof(path), "/containers/%s/json", c->id);
	if (docker_async_get(c->early->http, path, BH_EARLY_CONTAINER_BYTES, BH_EARLY_ASK_MS,
			     on_container, c, &c->call, NULL) < 0)
		return;
	if (c->state == CONTAINER_KNOWN)
		return; /* it stays so until the answer is there */
	c->early->asking += c->state != CONTAINER_ASKED;
	c->state = CONTAINER_ASKED;
}

/* Not one of those that wait for their turn. */
void early_ask_again(struct container *c)
{
	if (!c->call)
		ask_container(c);
}

void early_ask_named(struct container *c)
{
	early_ask_again(c);
	if (!c->arena)
		early_ask_listed(c);
}

void early_ask_containers(struct runtime_early *early)
{
	struct container *c, *next;

	HASH_ITER (hh, early->containers, c, next) {
		if (early->asking >= BH_EARLY_ASKING_MAX)
			return;
		if (c->state == CONTAINER_UNKNOWN)
			ask_container(c);
	}
}

/* --- where it is ------------------------------------------------------------------------------ */

static bool is_same(const struct place *p, const struct runtime_attachment *a)
{
	if (p->n_addrs != a->n_addrs || memcmp(p->mac, a->mac, sizeof(p->mac)) != 0)
		return false;
	for (size_t i = 0; i < p->n_addrs; i++)
		if (bh_addr_cmp(&p->addrs[i], &a->addrs[i]) != 0)
			return false;
	return true;
}

/* News, too, is that a namespace that was seen to have these addresses is this container's. */
static void take_place(struct runtime_early *early, const struct network *net,
		       const struct runtime_attachment *a)
{
	struct container *c = a->has_mac && a->n_addrs ? early_find(early, a->container) : NULL;
	struct place *p = c && !c->running ? early_place(c, net->id) : NULL;
	bool news;

	if (!p)
		return;
	news = !is_same(p, a) || p->asked <= p->seen;
	memcpy(p->mac, a->mac, sizeof(p->mac));
	memcpy(p->addrs, a->addrs, sizeof(p->addrs));
	p->n_addrs = a->n_addrs;
	p->asked = net->asked;
	if (news)
		tell_known(c);
}

/* Who is not in the answer is not there any more, whatever was heard of it. */
static void drop_others(struct runtime_early *early, const struct network *net)
{
	struct container *c, *next;

	HASH_ITER (hh, early->containers, c, next) {
		const struct place *p = early_place_in(c, net->id);

		if (p && p->asked < net->asked)
			early_leave(c, net->id);
	}
}

static void network_free(struct network *net)
{
	HASH_DEL(net->early->networks, net);
	docker_call_cancel(net->call);
	free(net);
}

static void on_network(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	struct network *net = arg;
	const struct network was = *net;
	struct runtime_early *early = net->early;
	bh_autofree struct runtime_attachment *v = NULL;
	size_t n = 0;

	net->call = NULL;
	network_free(net);
	if (r >= 0)
		r = docker_parse_network(bh_buf_str(body), body->len, &v, &n, NULL);
	for (size_t i = 0; r >= 0 && i < n; i++)
		take_place(early, &was, &v[i]);
	if (r >= 0)
		drop_others(early, &was);
	if (was.again)
		early_ask_network(early, was.id);
}

bool early_asks_network(const struct runtime_early *early, const char *id)
{
	const struct network *net;

	HASH_FIND_STR(early->networks, id, net);
	return net;
}

/* One question at a time: the answer to one that is under way may be from before the connect. */
void early_ask_network(struct runtime_early *early, const char *id)
{
	struct network *net;
	char path[128];

	HASH_FIND_STR(early->networks, id, net);
	if (net) {
		net->again = true;
		return;
	}
	net = calloc(1, sizeof(*net));
	if (!net)
		return;
	net->early = early;
	net->asked = ++early->clock;
	memcpy(net->id, id, sizeof(net->id));
	HASH_ADD_STR(early->networks, id, net);
	snprintf(path, sizeof(path), "/networks/%s", id);
	if (docker_async_get(early->http, path, BH_RUNTIME_REPLY_BYTES_MAX, BH_EARLY_ASK_MS,
			     on_network, net, &net->call, NULL) < 0)
		network_free(net);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* What an event has said meanwhile is newer. */
static void add_listed(struct runtime_early *early, const char *id)
{
	struct container *c = early_find(early, id) ? NULL : early_add(early, id);

	if (c)
		c->unsure = true;
}

static void on_list(int r, const struct bh_buf *body, const struct bh_err *why, void *arg)
{
	struct runtime_early *early = arg;
	struct bh_arena *arena = bh_arena_new();
	const char **ids;
	size_t n = 0;

	early->list = NULL;
	if (r >= 0 && arena)
		r = docker_parse_list(bh_buf_str(body), body->len, true, arena, &ids, &n, NULL);
	for (size_t i = 0; r >= 0 && i < n; i++)
		add_listed(early, ids[i]);
	early_ask_containers(early);
	bh_arena_free(arena);
}

void early_ask_list(struct runtime_early *early)
{
	if (docker_async_get(early->http, "/containers/json?all=1", BH_RUNTIME_REPLY_BYTES_MAX,
			     BH_RUNTIME_REPLY_MS, on_list, early, &early->list, NULL) < 0)
		early->list = NULL;
}

void early_cancel_questions(struct runtime_early *early)
{
	docker_call_cancel(early->list);
	early->list = NULL;
	while (early->networks)
		network_free(early->networks);
}
