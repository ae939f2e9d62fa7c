/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_ARENA_H
#define BULKHEAD_BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that is freed whole. Policy sets, endpoint sets and rulesets each live in one and are
 * immutable once built. All memory is zeroed and aligned for any type.
 */
struct bh_arena;

struct bh_arena *bh_arena_new(void);                             /* NULL when out of memory */
void bh_arena_free(struct bh_arena *a);                          /* takes NULL */
void *bh_arena_alloc(struct bh_arena *a, size_t size);           /* NULL when out of memory */
void *bh_arena_array(struct bh_arena *a, size_t n, size_t size); /* overflow-checked */
void *bh_arena_memdup(struct bh_arena *a, const void *data, size_t len);
char *bh_arena_strdup(struct bh_arena *a, const char *s);
char *bh_arena_strndup(struct bh_arena *a, const char *s, size_t len);
char *bh_arena_printf(struct bh_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
size_t bh_arena_size(const struct bh_arena *a); /* bytes handed out so far */

#endif
