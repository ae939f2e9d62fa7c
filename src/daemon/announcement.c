/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announcement.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

const struct ctl_arg announcement_args[] = {
	{ "runtime", CTL_TYPE_STRING, true },
	{ "id", CTL_TYPE_STRING, true },
	{ "netns", CTL_TYPE_STRING, false },
	{ "own", CTL_TYPE_BOOLEAN, false }, /* the namespace was made for it */
	{ "netns_ino", CTL_TYPE_INTEGER, false },
	{ "pid", CTL_TYPE_INTEGER, false },
	{ "name", CTL_TYPE_STRING, false },
	{ "image", CTL_TYPE_STRING, false },
	{ "obstacle", CTL_TYPE_STRING, false },
	{ "labels", CTL_TYPE_STRINGS, false }, /* KEY=VALUE */
	{ "wait", CTL_TYPE_INTEGER, false },   /* milliseconds */
	{ 0 },
};

enum endpoint_runtime announcement_runtime(const char *word)
{
	static const enum endpoint_runtime all[] = { ENDPOINT_DOCKER, ENDPOINT_PODMAN, ENDPOINT_CNI,
						     ENDPOINT_OCI };

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		if (strcmp(endpoint_runtime_name(all[i]), word) == 0)
			return all[i];
	return ENDPOINT_UNKNOWN;
}

/* --- one argument each ------------------------------------------------------------------------ */

static int take_string(const json_t *said, const char *key, size_t max, const char **ret,
		       struct bh_err *err)
{
	const char *s = json_string_value(json_object_get(said, key));

	if (s && (!s[0] || strlen(s) > max))
		return bh_err_set(err, -EINVAL, "\"%s\" takes 1 to %zu bytes", key, max);
	*ret = s;
	return 0;
}

static int take_number(const json_t *said, const char *key, json_int_t max, json_int_t *ret,
		       struct bh_err *err)
{
	const json_t *v = json_object_get(said, key);

	*ret = json_integer_value(v);
	if (v && (*ret < 1 || *ret > max))
		return bh_err_set(err, -EINVAL, "\"%s\" takes a number from 1 to %lld", key,
				  (long long)max);
	return 0;
}

static int take_runtime(struct announcement *a, struct bh_err *err)
{
	const char *word = json_string_value(json_object_get(a->said, "runtime"));

	a->runtime = announcement_runtime(word ? word : "");
	if (a->runtime == ENDPOINT_UNKNOWN)
		return bh_err_set(err, -EINVAL, "\"runtime\" takes docker, podman, cni or oci");
	return 0;
}

static int take_obstacle(struct announcement *a, struct bh_err *err)
{
	const char *word = json_string_value(json_object_get(a->said, "obstacle"));

	a->obstacle = word ? endpoint_obstacle_find(word) : ENDPOINT_HOLDABLE;
	if (word && a->obstacle == ENDPOINT_HOLDABLE)
		return bh_err_set(err, -EINVAL, "\"obstacle\" is none that is known");
	return 0;
}

static int take_netns(struct announcement *a, struct bh_err *err)
{
	int r = take_string(a->said, "netns", PATH_MAX - 1, &a->netns, err);

	if (r >= 0 && a->obstacle == ENDPOINT_HOST_NETWORK && !a->netns)
		return a->pid ? 0 : bh_err_set(err, -EINVAL, "\"pid\" is missing");
	if (r >= 0 && (!a->netns || a->netns[0] != '/'))
		return bh_err_set(err, -EINVAL, "\"netns\" takes an absolute path");
	return r;
}

/* --- labels ----------------------------------------------------------------------------------- */

static size_t bytes_of(const json_t *list)
{
	const json_t *item;
	size_t i, n = 0;

	json_array_foreach (list, i, item)
		n += json_string_length(item) + 1;
	return n;
}

/* TEXT, which is "KEY=VALUE", is cut. */
static int take_label(char *text, struct label *ret, struct bh_err *err)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return bh_err_set(err, -EINVAL, "\"labels\" takes KEY=VALUE");
	*equals = '\0';
	*ret = (struct label) { text, equals + 1 };
	if (equals - text > BH_RUNTIME_LABEL_BYTES_MAX ||
	    strlen(ret->value) > BH_RUNTIME_LABEL_BYTES_MAX)
		return bh_err_set(err, -EINVAL, "\"labels\": one has more than %d bytes",
				  BH_RUNTIME_LABEL_BYTES_MAX);
	return 0;
}

static int take_labels(struct announcement *a, struct bh_err *err)
{
	const json_t *list = json_object_get(a->said, "labels"), *item;
	size_t n = json_array_size(list), i;
	char *at;
	int r = 0;

	if (n > BH_LABELS_MAX)
		return bh_err_set(err, -EINVAL, "\"labels\": more than %d", BH_LABELS_MAX);
	a->labels = calloc(n + 1, sizeof(*a->labels));
	at = a->text = malloc(bytes_of(list) + 1);
	if (!a->labels || !a->text)
		return bh_err_oom(err);
	json_array_foreach (list, i, item) {
		size_t size = json_string_length(item) + 1;

		if (!json_is_string(item))
			return bh_err_set(err, -EINVAL, "\"labels\" takes strings");
		memcpy(at, json_string_value(item), size);
		r = take_label(at, &a->labels[a->n_labels++], err);
		if (r < 0)
			break;
		at += size;
	}
	return r;
}

/* --- all -------------------------------------------------------------------------------------- */

static int take_all(struct announcement *a, struct bh_err *err)
{
	json_int_t ino = 0, pid = 0;
	int r = take_runtime(a, err);

	if (r >= 0)
		r = take_string(a->said, "id", BH_HINT_ID_MAX, &a->id, err);
	if (r >= 0 && !a->id)
		r = bh_err_set(err, -EINVAL, "\"id\" is missing");
	if (r >= 0)
		r = take_string(a->said, "name", BH_RUNTIME_LABEL_BYTES_MAX, &a->name, err);
	if (r >= 0)
		r = take_string(a->said, "image", BH_RUNTIME_LABEL_BYTES_MAX, &a->image, err);
	if (r >= 0)
		r = take_number(a->said, "netns_ino", INT64_MAX, &ino, err);
	if (r >= 0)
		r = take_number(a->said, "pid", INT_MAX, &pid, err);
	if (r >= 0)
		r = take_obstacle(a, err);
	a->own = json_is_true(json_object_get(a->said, "own"));
	a->netns_ino = (uint64_t)ino;
	a->pid = (int)pid;
	if (r >= 0)
		r = take_netns(a, err);
	return r < 0 ? r : take_labels(a, err);
}

int announcement_parse(json_t *said, struct announcement *ret, struct bh_err *err)
{
	struct announcement a = { .said = json_incref(said) };
	int r = take_all(&a, err);

	a.gone = json_is_true(json_object_get(said, "gone"));
	a.doubt = json_is_true(json_object_get(said, "doubt"));
	a.cookie = (uint64_t)json_integer_value(json_object_get(said, "cookie"));
	if (r < 0)
		announcement_done(&a);
	else
		*ret = a;
	return r;
}

int announcement_set_gone(struct announcement *a)
{
	a->gone = json_object_set_new(a->said, "gone", json_true()) == 0;
	return a->gone ? 0 : -ENOMEM;
}

int announcement_set_netns(struct announcement *a, const char *path)
{
	if (json_object_set_new(a->said, "netns", json_string(path)) < 0)
		return -ENOMEM;
	a->netns = json_string_value(json_object_get(a->said, "netns"));
	return 0;
}

void announcement_done(struct announcement *a)
{
	json_decref(a->said);
	free(a->labels);
	free(a->text);
	*a = (struct announcement) { 0 };
}

void announcement_endpoint(const struct announcement *a, struct endpoint *ret)
{
	*ret = (struct endpoint) {
		.id = a->id,
		.name = a->name,
		.runtime = a->runtime,
		.image = a->image,
		.labels = a->labels,
		.n_labels = a->n_labels,
		.netns = a->netns,
		.netns_ino = a->netns_ino,
		.pid = a->pid,
		.obstacle = a->obstacle,
	};
	ret->compose_project = endpoint_label(ret, "com.docker.compose.project", false);
	ret->compose_service = endpoint_label(ret, "com.docker.compose.service", false);
}
