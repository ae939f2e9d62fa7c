/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_MAP_H
#define STORE_FLOWS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers of flows (above 0) to a value: looked up once for each record, so as quick as can be. */
struct flows_map {
	int64_t *keys; /* 0: a free place */
	uint32_t *values;
	size_t n, size; /* size: 0, or a power of two */
};

void flows_map_done(struct flows_map *m);
/* -ENOMEM; -E2BIG over BH_FLOWS_READ_MAX. */
int flows_map_put(struct flows_map *m, int64_t key, uint32_t value);
bool flows_map_get(const struct flows_map *m, int64_t key, uint32_t *ret);

#endif
