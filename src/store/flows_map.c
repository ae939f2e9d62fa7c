/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_map.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>

#define FIRST_SIZE 1024

/* Neighbours stay neighbours, mostly: flows that came together are asked for together. */
static size_t place(const struct flows_map *m, int64_t key)
{
	uint64_t h = (uint64_t)key;

	h ^= (h >> 20) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)h & (m->size - 1);
}

static size_t find(const struct flows_map *m, int64_t key)
{
	size_t i = place(m, key);

	while (m->keys[i] && m->keys[i] != key)
		i = (i + 1) & (m->size - 1);
	return i;
}

void flows_map_done(struct flows_map *m)
{
	free(m->keys);
	free(m->values);
	*m = (struct flows_map) { 0 };
}

static int grow(struct flows_map *m)
{
	struct flows_map larger = { .size = m->size ? 2 * m->size : FIRST_SIZE };

	larger.keys = calloc(larger.size, sizeof(*larger.keys));
	larger.values = calloc(larger.size, sizeof(*larger.values));
	if (!larger.keys || !larger.values) {
		flows_map_done(&larger);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->size; i++) {
		size_t at = m->keys[i] ? find(&larger, m->keys[i]) : 0;

		if (!m->keys[i])
			continue;
		larger.keys[at] = m->keys[i];
		larger.values[at] = m->values[i];
	}
	larger.n = m->n;
	flows_map_done(m);
	*m = larger;
	return 0;
}

int flows_map_put(struct flows_map *m, int64_t key, uint32_t value)
{
	size_t at;
	int r;

	if (m->n >= BH_FLOWS_READ_MAX)
		return -E2BIG;
	if (2 * (m->n + 1) > m->size) {
		r = grow(m);
		if (r < 0)
			return r;
	}
	at = find(m, key);
	m->n += !m->keys[at];
	m->keys[at] = key;
	m->values[at] = value;
	return 0;
}

bool flows_map_get(const struct flows_map *m, int64_t key, uint32_t *ret)
{
	size_t at;

	if (!m->size || key <= 0)
		return false;
	at = find(m, key);
	if (m->keys[at])
		*ret = m->values[at];
	return m->keys[at] != 0;
}
