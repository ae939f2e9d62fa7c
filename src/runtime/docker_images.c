/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_images.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/limits.h>

#include "docker.h"

struct entry {
	struct docker_image image;
	struct bh_arena *arena;
	const char *id;
	int64_t when; /* docker_now_ms() */
	UT_hash_handle hh;
};

struct runtime_images {
	struct entry *all; /* in the order in which they came */
	size_t max, bytes_max, bytes;
	bool keep_gone;
};

static int images_new(size_t max, size_t bytes_max, bool keep_gone, struct runtime_images **ret,
		      struct bh_err *err)
{
	struct runtime_images *images = calloc(1, sizeof(*images));

	if (!images)
		return bh_err_oom(err);
	images->max = max;
	images->bytes_max = bytes_max;
	images->keep_gone = keep_gone;
	*ret = images;
	return 0;
}

int runtime_images_new(struct runtime_images **ret, struct bh_err *err)
{
	return images_new(BH_IMAGES_CACHED_MAX, BH_IMAGES_CACHED_BYTES_MAX, false, ret, err);
}

int docker_images_new_listing(struct runtime_images **ret, struct bh_err *err)
{
	return images_new(BH_ENDPOINTS_MAX, SIZE_MAX, true, ret, err);
}

static void entry_free(struct runtime_images *images, struct entry *e)
{
	images->bytes -= bh_arena_size(e->arena);
	HASH_DEL(images->all, e);
	bh_arena_free(e->arena);
	free(e);
}

void runtime_images_free(struct runtime_images *images)
{
	if (!images)
		return;
	while (images->all)
		entry_free(images, images->all);
	free(images);
}

const struct docker_image *docker_images_find(const struct runtime_images *images, const char *id)
{
	struct entry *e;

	HASH_FIND_STR(images->all, id, e);
	return e && docker_now_ms() - e->when <= BH_IMAGES_FRESH_MS ? &e->image : NULL;
}

static int fill(struct entry *e, const char *id, const char *json, size_t len, struct bh_err *err)
{
	int r;

	e->when = docker_now_ms();
	e->arena = bh_arena_new();
	e->id = e->arena ? bh_arena_strdup(e->arena, id) : NULL;
	if (!e->id)
		return bh_err_oom(err);
	if (!json) {
		e->image.gone = true;
		return 0;
	}
	r = docker_parse_image(json, len, e->arena, &e->image, NULL);
	e->image.gone = r == -EBADMSG;
	return r == -ENOMEM ? bh_err_oom(err) : 0;
}

/* In front of it, the oldest go until it fits; it stays in any case. */
static void keep(struct runtime_images *images, struct entry *e)
{
	size_t bytes = bh_arena_size(e->arena);

	while (images->all && (HASH_COUNT(images->all) >= images->max ||
			       images->bytes + bytes > images->bytes_max))
		entry_free(images, images->all);
	images->bytes += bytes;
	HASH_ADD_KEYPTR(hh, images->all, e->id, strlen(e->id), e);
}

int docker_images_add(struct runtime_images *images, const char *id, const char *json, size_t len,
		      const struct docker_image **ret, struct bh_err *err)
{
	static const struct docker_image gone = { .gone = true };
	struct entry *e = calloc(1, sizeof(*e)), *old;
	int r;

	if (!e)
		return bh_err_oom(err);
	r = fill(e, id, json, len, err);
	if (r < 0 || !e->id || (e->image.gone && !images->keep_gone)) {
		bh_arena_free(e->arena);
		free(e);
		if (r >= 0)
			*ret = &gone;
		return r;
	}
	HASH_FIND_STR(images->all, id, old);
	if (old)
		entry_free(images, old);
	keep(images, e);
	*ret = &e->image;
	return 0;
}
