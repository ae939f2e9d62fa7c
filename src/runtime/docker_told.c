/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

#include "docker.h"
#include "reply.h"

/* Podman writes these over the labels of the same name. */
static const char *const its_own[] = { "name", "image", "podId", "containerExitCode" };

static void take_told(struct reply *d, struct docker_container *c)
{
	json_t *actor = reply_member(d, d->root, "Actor", JSON_OBJECT);
	json_t *told = reply_member(d, actor, "Attributes", JSON_OBJECT);
	const char *type = reply_borrow(d, d->root, "Type");
	const char *action = reply_borrow(d, d->root, "Action");

	if (!type || strcmp(type, "container") != 0 || !action || strcmp(action, "create") != 0)
		reply_wrong(d, "Action", "is not the making of a container");
	c->e.id = reply_text(d, actor, "ID");
	if (d->r >= 0 && (!c->e.id || !docker_id_is_valid(c->e.id)))
		reply_wrong(d, "ID", "is not 64 hexadecimal digits");
	c->e.name = reply_text(d, told, "name");
	c->e.image = reply_text(d, told, "image");
	for (size_t i = 0; told && i < BH_ARRAY_SIZE(its_own); i++)
		json_object_del(told, its_own[i]);
	c->e.labels = docker_labels(d, actor, "Attributes", &c->e.n_labels);
	c->e.obstacle = ENDPOINT_RAW_SOCKETS;
}

/* One a line. */
int docker_parse_told(const char *json, size_t len, struct bh_arena *arena,
		      struct docker_container *ret, struct bh_err *err)
{
	struct reply d = { .arena = arena, .err = err };
	struct docker_container c = { 0 };
	const char *end = memchr(json, '\n', len);
	int r;

	if (end)
		len = (size_t)(end - json);
	if (!len)
		return bh_err_set(err, -ENOENT, "there was no such container made");
	r = reply_open(&d, json, len, JSON_OBJECT, "the event");
	if (r < 0)
		return r;
	take_told(&d, &c);
	json_decref(d.root);
	if (d.r < 0)
		return d.r;
	*ret = c;
	return 0;
}

bool docker_image_name_is_plain(const char *name)
{
	return name[0] && strlen(name) <= BH_EARLY_IMAGE_NAME_MAX &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@") ==
		       strlen(name) &&
	       !strstr(name, "..") && !strstr(name, "//");
}

void docker_parse_image_id(const char *json, size_t len, struct bh_arena *arena,
			   struct docker_container *c)
{
	struct reply d = { .arena = arena };
	const char *id;

	if (reply_open(&d, json, len, JSON_OBJECT, "the image's document") < 0)
		return;
	id = reply_borrow(&d, d.root, "Id");
	if (id && docker_image_id_is_valid(id))
		docker_take_image_id(c, id, &d);
	json_decref(d.root);
}
