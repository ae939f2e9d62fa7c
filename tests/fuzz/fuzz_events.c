/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "../../src/runtime/docker.h"
#include "../../src/runtime/docker_event.h"

/*
 * What an engine sends as its stream of events, cut into reads of a length that the first byte
 * says; the same bytes also as a network's document and as a list of one container. Beyond not
 * crashing: however it is cut, the same comes out, and an id is one.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

struct sums {
	size_t objects, events, unreadable;
};

static void check_event(const struct runtime_event *e)
{
	bool network = e->kind == RUNTIME_EVENT_CONNECT || e->kind == RUNTIME_EVENT_DISCONNECT;

	must(e->kind < RUNTIME_EVENT_UNREADABLE && runtime_event_name(e->kind) != NULL);
	must(docker_id_is_valid(e->container) && e->when_usec >= 0);
	must(network ? docker_network_id_is_valid(e->network) : !e->network[0]);
}

static int on_object(const char *json, size_t len, void *arg)
{
	struct sums *s = arg;
	struct runtime_event e;
	int r = json ? docker_parse_event(json, len, &e) : -EBADMSG;

	must(r == 0 || r == 1 || r == -EBADMSG);
	s->objects++;
	s->events += r == 1;
	s->unreadable += r < 0;
	if (r == 1)
		check_event(&e);
	return 0;
}

static int stream(const char *data, size_t len, size_t step, struct sums *s)
{
	struct docker_splitter split;
	int r = 0;

	docker_splitter_init(&split);
	for (size_t i = 0; r >= 0 && i < len; i += step)
		r = docker_splitter_feed(&split, data + i, len - i < step ? len - i : step,
					 on_object, s);
	docker_splitter_done(&split);
	must(r == 0 || r == -EBADMSG || r == -EFBIG);
	return r;
}

static void network(const char *data, size_t len)
{
	struct runtime_attachment *v = NULL;
	size_t n = 0;

	if (docker_parse_network(data, len, &v, &n, NULL) == 0)
		for (size_t i = 0; i < n; i++)
			must(docker_id_is_valid(v[i].container) && v[i].n_addrs <= 2);
	free(v);
}

static void listed(const char *data, size_t len)
{
	struct bh_arena *arena = bh_arena_new();
	struct docker_container c;

	if (arena && docker_parse_listed(data, len, arena, &c, NULL) == 0)
		must(docker_id_is_valid(c.e.id));
	bh_arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sums whole = { 0 }, parts = { 0 };
	const char *text;

	if (!size)
		return 0;
	text = (const char *)data + 1;
	must(stream(text, size - 1, size, &whole) ==
	     stream(text, size - 1, 1 + data[0] % 32, &parts));
	must(memcmp(&whole, &parts, sizeof(whole)) == 0);
	network(text, size - 1);
	listed(text, size - 1);
	return 0;
}
