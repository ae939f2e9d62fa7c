/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_BUF_H
#define BULKHEAD_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * A growing byte buffer with a ceiling that is named when it is made. Errors stick: after the
 * first failure every further add is a no-op that returns the same error, so that a writer may
 * check once at the end with bh_buf_error().
 */
struct bh_buf {
	char *data; /* always NUL-terminated when data != NULL; NUL not counted in len */
	size_t len, cap, max;
	int error; /* 0, -ENOMEM, or -EFBIG when max was reached */
};

void bh_buf_init(struct bh_buf *b, size_t max);
void bh_buf_done(struct bh_buf *b);  /* frees; the struct may be initialised again */
void bh_buf_reset(struct bh_buf *b); /* empties and clears the error; keeps the memory */
int bh_buf_add(struct bh_buf *b, const void *data, size_t len);
int bh_buf_addstr(struct bh_buf *b, const char *s);
int bh_buf_addf(struct bh_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int bh_buf_vaddf(struct bh_buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/*
 * Room for MORE bytes at the end, to be filled by the caller, who says with bh_buf_took() how many it
 * filled; NULL as bh_buf_add() fails. For writers that know how much they need.
 */
char *bh_buf_room(struct bh_buf *b, size_t more);
void bh_buf_took(struct bh_buf *b, size_t n);
int bh_buf_error(const struct bh_buf *b);
const char *bh_buf_str(const struct bh_buf *b); /* "" when empty; owned by the buffer */
char *bh_buf_steal(struct bh_buf *b);           /* caller frees; NULL on error or empty */

/* A vector of fixed-size elements on the heap with a ceiling; grows by doubling. */
struct bh_vec {
	void *data;
	size_t n, cap, max, size;
};

void bh_vec_init(struct bh_vec *v, size_t element_size, size_t max);
void bh_vec_done(struct bh_vec *v);
/* A zeroed new last element, or NULL: out of memory, or v->n == v->max (tell which by that). */
void *bh_vec_push(struct bh_vec *v);

#endif
