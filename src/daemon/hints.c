/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include <bulkhead/base/limits.h>

#define PAUSE_FIRST_USEC 20000
#define PAUSE_GROWTH     2
#define PAUSE_LAST_USEC  1280000

/* In this order, with no hole, so that it can be a key. */
struct key {
	int runtime;
	char id[BH_HINT_ID_MAX + 1];
};

struct hint {
	struct key key;
	int ended_pid;
	uint64_t due, pause;
	UT_hash_handle hh;
};

struct hints {
	struct hint *all;
};

struct hints *hints_new(void)
{
	return calloc(1, sizeof(struct hints));
}

static void drop(struct hints *h, struct hint *one)
{
	HASH_DEL(h->all, one);
	free(one);
}

void hints_free(struct hints *h)
{
	if (!h)
		return;
	while (h->all)
		drop(h, h->all);
	free(h);
}

static struct hint *find_or_make(struct hints *h, const struct key *key)
{
	struct hint *one;

	HASH_FIND(hh, h->all, key, sizeof(*key), one);
	if (one || HASH_COUNT(h->all) >= BH_HINTS_MAX)
		return one;
	one = calloc(1, sizeof(*one));
	if (!one)
		return NULL;
	one->key = *key;
	HASH_ADD(hh, h->all, key, sizeof(one->key), one);
	return one;
}

int hints_add(struct hints *h, enum endpoint_runtime runtime, const char *id, int ended_pid,
	      uint64_t now)
{
	struct key key = { .runtime = runtime };
	struct hint *one;

	if (strlen(id) > BH_HINT_ID_MAX)
		return -ENAMETOOLONG;
	memcpy(key.id, id, strlen(id));
	one = find_or_make(h, &key);
	if (!one)
		return HASH_COUNT(h->all) >= BH_HINTS_MAX ? -ENOSPC : -ENOMEM;
	one->due = now;
	one->pause = PAUSE_FIRST_USEC;
	if (ended_pid)
		one->ended_pid = ended_pid;
	return 0;
}

size_t hints_due(const struct hints *h, uint64_t now, struct site_hint *out, size_t cap)
{
	size_t n = 0;

	for (const struct hint *one = h->all; one && n < cap; one = one->hh.next)
		if (one->due <= now)
			out[n++] = (struct site_hint) { (enum endpoint_runtime)one->key.runtime,
							one->key.id, one->ended_pid };
	return n;
}

void hints_asked(struct hints *h, uint64_t now)
{
	struct hint *one, *next;

	HASH_ITER (hh, h->all, one, next) {
		if (one->due > now)
			continue;
		if (one->pause > PAUSE_LAST_USEC) {
			drop(h, one);
			continue;
		}
		one->due = now + one->pause;
		one->pause *= PAUSE_GROWTH;
	}
}

void hints_put_off(struct hints *h, uint64_t now, uint64_t until)
{
	for (struct hint *one = h->all; one; one = one->hh.next)
		if (one->due <= now)
			one->due = until;
}

static struct hint *find(const struct hints *h, enum endpoint_runtime runtime, const char *id)
{
	struct key key = { .runtime = (int)runtime };
	struct hint *one = NULL;

	if (strlen(id) > BH_HINT_ID_MAX)
		return NULL;
	memcpy(key.id, id, strlen(id));
	HASH_FIND(hh, h->all, &key, sizeof(key), one);
	return one;
}

void hints_drop(struct hints *h, enum endpoint_runtime runtime, const char *id)
{
	struct hint *one = find(h, runtime, id);

	if (one)
		drop(h, one);
}

void hints_wait(struct hints *h, enum endpoint_runtime runtime, const char *id, uint64_t until)
{
	struct hint *one = find(h, runtime, id);

	if (one && one->due < until)
		one->due = until;
}

uint64_t hints_next(const struct hints *h)
{
	uint64_t next = UINT64_MAX;

	for (const struct hint *one = h->all; one; one = one->hh.next)
		if (one->due < next)
			next = one->due;
	return next;
}
