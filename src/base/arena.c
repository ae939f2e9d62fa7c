/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/arena.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST 4096
#define CHUNK_MAX   (1u << 20)
#define ALIGNMENT   _Alignof(max_align_t)

struct chunk {
	struct chunk *next;
	size_t used, cap;
	max_align_t data[];
};

struct bh_arena {
	struct chunk *head;
	size_t next_cap, total;
};

struct bh_arena *bh_arena_new(void)
{
	struct bh_arena *a = calloc(1, sizeof(*a));

	if (a)
		a->next_cap = CHUNK_FIRST;
	return a;
}

void bh_arena_free(struct bh_arena *a)
{
	struct chunk *c, *next;

	if (!a)
		return;
	for (c = a->head; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

/* A chunk that holds SIZE bytes; large pieces get one of their own behind the head. */
static struct chunk *add_chunk(struct bh_arena *a, size_t size)
{
	size_t cap = size > a->next_cap ? size : a->next_cap;
	struct chunk *c;

	if (cap > SIZE_MAX - sizeof(*c))
		return NULL;
	c = calloc(1, sizeof(*c) + cap);
	if (!c)
		return NULL;
	c->cap = cap;
	if (a->head && size > a->next_cap) {
		c->next = a->head->next;
		a->head->next = c;
		return c;
	}
	c->next = a->head;
	a->head = c;
	if (a->next_cap < CHUNK_MAX)
		a->next_cap *= 2;
	return c;
}

void *bh_arena_alloc(struct bh_arena *a, size_t size)
{
	struct chunk *c = a->head;
	void *p;

	if (size > SIZE_MAX - ALIGNMENT)
		return NULL;
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	if (size == 0)
		size = ALIGNMENT;
	if (!c || c->cap - c->used < size)
		c = add_chunk(a, size);
	if (!c)
		return NULL;
	p = (char *)c->data + c->used;
	c->used += size;
	a->total += size;
	return p;
}

void *bh_arena_array(struct bh_arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return bh_arena_alloc(a, bytes);
}

void *bh_arena_memdup(struct bh_arena *a, const void *data, size_t len)
{
	void *p = bh_arena_alloc(a, len);

	if (p && len)
		memcpy(p, data, len);
	return p;
}

char *bh_arena_strndup(struct bh_arena *a, const char *s, size_t len)
{
	char *p;

	len = strnlen(s, len);
	p = bh_arena_alloc(a, len + 1);
	if (p)
		memcpy(p, s, len);
	return p;
}

char *bh_arena_strdup(struct bh_arena *a, const char *s)
{
	return bh_arena_strndup(a, s, strlen(s));
}

char *bh_arena_printf(struct bh_arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	p = bh_arena_alloc(a, (size_t)n + 1);
	if (!p)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

size_t bh_arena_size(const struct bh_arena *a)
{
	return a->total;
}
