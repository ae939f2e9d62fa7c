/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>

#include "../../src/runtime/docker.h"

/*
 * What an engine answers: a container's document, and behind a NUL byte its image's; the same bytes
 * also as a list of containers and as a resolv.conf. Beyond not crashing: no label selects that the
 * image has with that value, and what is unusable is refused with a reason.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_labels(const struct endpoint *e)
{
	must(e->n_labels <= BH_LABELS_MAX && e->n_image_labels <= BH_LABELS_MAX);
	for (size_t i = 0; i < e->n_labels; i++)
		for (size_t k = 0; k < e->n_image_labels; k++)
			must(strcmp(e->labels[i].key, e->image_labels[k].key) != 0);
}

static void check_endpoint(const struct endpoint *e)
{
	must(docker_id_is_valid(e->id) && e->name && e->namespace);
	must(!e->netns || (e->netns[0] == '/' && e->obstacle != ENDPOINT_HOST_NETWORK));
	must(e->netns || e->obstacle == ENDPOINT_HOST_NETWORK || e->obstacle == ENDPOINT_NO_NETNS);
	must(e->n_addrs <= BH_ENDPOINT_ADDRS_MAX && e->pid >= 0);
	must(!e->compose_project || endpoint_label(e, "com.docker.compose.project", false));
	check_labels(e);
}

static void container(const char *json, size_t len, const char *image, size_t image_len)
{
	struct endpoint_builder *b = endpoint_builder_new();
	struct bh_err err = BH_ERR_INIT;
	struct endpoint_set *set = NULL;
	int r;

	if (!b)
		return;
	r = runtime_docker_parse(json, len, image, image_len, ENDPOINT_DOCKER, b, &err);
	must(r == 0 || r == -EBADMSG || r == -E2BIG);
	must(r == 0 || err.msg[0]);
	must(endpoint_builder_finish(b, &set, NULL) == 0);
	must(r == 0 ? set->n <= 1 : set->n == 0);
	if (set->n)
		check_endpoint(&set->endpoints[0]);
	endpoint_set_free(set);
	endpoint_builder_free(b);
}

static void list(const char *json, size_t len)
{
	struct bh_arena *arena = bh_arena_new();
	const char **ids = NULL;
	size_t n = 0;

	if (arena && docker_parse_list(json, len, false, arena, &ids, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			must(docker_id_is_valid(ids[i]));
	bh_arena_free(arena);
}

/* Nobody vouches for it, and there is nothing that it could agree with. */
static void resolv_conf(const char *text)
{
	struct bh_addr out[2];
	struct docker_container c = { 0 };
	size_t left_out;

	must(docker_resolvers_from(&c, text, true, NULL, 0, out, 2, &left_out) <= 2);
	must(left_out == 0);
	must(docker_resolvers_from(&c, text, false, NULL, 0, out, 2, &left_out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, '\0', size) : NULL;
	size_t first = cut ? (size_t)(cut - data) : size;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	container((const char *)data, first, cut ? (const char *)cut + 1 : NULL,
		  cut ? size - first - 1 : 0);
	list((const char *)data, size);
	resolv_conf(text);
	free(text);
	return 0;
}
