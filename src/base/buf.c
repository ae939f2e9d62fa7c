/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/buf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bh_buf_init(struct bh_buf *b, size_t max)
{
	*b = (struct bh_buf) { .max = max };
}

void bh_buf_done(struct bh_buf *b)
{
	free(b->data);
	*b = (struct bh_buf) { .max = b->max };
}

void bh_buf_reset(struct bh_buf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for MORE bytes and the NUL. */
static int reserve(struct bh_buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;
	char *data;

	if (b->error)
		return b->error;
	if (more > b->max || b->len > b->max - more)
		return b->error = -EFBIG;
	if (b->len + more < b->cap)
		return 0;
	while (cap <= b->len + more)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data)
		return b->error = -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int bh_buf_add(struct bh_buf *b, const void *data, size_t len)
{
	int r = reserve(b, len);

	if (r < 0)
		return r;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
	return 0;
}

char *bh_buf_room(struct bh_buf *b, size_t more)
{
	return reserve(b, more) < 0 ? NULL : b->data + b->len;
}

void bh_buf_took(struct bh_buf *b, size_t n)
{
	b->len += n;
	b->data[b->len] = '\0';
}

int bh_buf_addstr(struct bh_buf *b, const char *s)
{
	return bh_buf_add(b, s, strlen(s));
}

int bh_buf_vaddf(struct bh_buf *b, const char *fmt, va_list ap)
{
	va_list copy;
	int n, r;

	va_copy(copy, ap);
	n = vsnprintf(NULL, 0, fmt, copy);
	va_end(copy);
	if (n < 0)
		return b->error = b->error ? b->error : -EINVAL;
	r = reserve(b, (size_t)n);
	if (r < 0)
		return r;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int bh_buf_addf(struct bh_buf *b, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = bh_buf_vaddf(b, fmt, ap);
	va_end(ap);
	return r;
}

int bh_buf_error(const struct bh_buf *b)
{
	return b->error;
}

const char *bh_buf_str(const struct bh_buf *b)
{
	return b->data ? b->data : "";
}

char *bh_buf_steal(struct bh_buf *b)
{
	char *data = b->error || !b->len ? NULL : b->data;

	if (data)
		*b = (struct bh_buf) { .max = b->max };
	return data;
}

void bh_vec_init(struct bh_vec *v, size_t element_size, size_t max)
{
	*v = (struct bh_vec) { .size = element_size, .max = max };
}

void bh_vec_done(struct bh_vec *v)
{
	free(v->data);
	bh_vec_init(v, v->size, v->max);
}

void *bh_vec_push(struct bh_vec *v)
{
	void *p;

	if (v->n == v->max)
		return NULL;
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;

		p = reallocarray(v->data, cap, v->size);
		if (!p)
			return NULL;
		v->data = p;
		v->cap = cap;
	}
	p = (char *)v->data + v->n++ * v->size;
	return memset(p, 0, v->size);
}
