/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/linediff.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#define CONTEXT 3

struct line {
	const char *s;
	size_t len; /* with the newline */
	uint32_t hash;
	bool changed;
};

struct text {
	struct line *lines;
	size_t n;
};

/* --- lines ----------------------------------------------------------------------------------- */

/* FNV-1a: a quick no; equal hashes are compared. */
static uint32_t hash_of(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

static int split(const char *s, size_t len, struct text *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '\n' || i + 1 == len;
	ret->lines = calloc(n ? n : 1, sizeof(*ret->lines));
	if (!ret->lines)
		return -ENOMEM;
	while (len) {
		const char *newline = memchr(s, '\n', len);
		size_t l = newline ? (size_t)(newline - s) + 1 : len;

		ret->lines[ret->n++] = (struct line) { s, l, hash_of(s, l), false };
		s += l;
		len -= l;
	}
	return 0;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->hash == b->hash && a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* --- which lines change ---------------------------------------------------------------------- */

/* What is left when the same lines at both ends are gone. */
struct middle {
	struct line *a, *b;
	int n, m;
};

static struct middle trim(const struct text *a, const struct text *b)
{
	size_t from = 0, n = a->n, m = b->n;

	while (from < n && from < m && same(&a->lines[from], &b->lines[from]))
		from++;
	while (n > from && m > from && same(&a->lines[n - 1], &b->lines[m - 1])) {
		n--;
		m--;
	}
	return (struct middle) { a->lines + from, b->lines + from, (int)(n - from),
				 (int)(m - from) };
}

static void mark_all(const struct middle *x)
{
	for (int i = 0; i < x->n; i++)
		x->a[i].changed = true;
	for (int i = 0; i < x->m; i++)
		x->b[i].changed = true;
}

/*
 * How far each diagonal k = x - y was reached with d edits, for all d: row d has its k from -d to d, and
 * begins at d * d.
 */
struct trace {
	int *v;
	int rows;
};

static int *at(const struct trace *t, int d, int k)
{
	return &t->v[(size_t)d * (size_t)d + (size_t)(k + d)];
}

static int grow(struct trace *t, int d)
{
	int rows = t->rows ? t->rows * 2 : 16;
	int *v;

	if (d < t->rows)
		return 0;
	v = realloc(t->v, (size_t)rows * (size_t)rows * sizeof(*v));
	if (!v)
		return -ENOMEM;
	t->v = v;
	t->rows = rows;
	return 0;
}

/* Is the step to diagonal K in row D one down (a line added), or one to the right (removed)? */
static bool is_down(const struct trace *t, int d, int k)
{
	return k == -d || (k != d && *at(t, d - 1, k - 1) < *at(t, d - 1, k + 1));
}

static int begin_of(const struct trace *t, int d, int k)
{
	if (d == 0)
		return 0;
	return is_down(t, d, k) ? *at(t, d - 1, k + 1) : *at(t, d - 1, k - 1) + 1;
}

/* True when the end was reached. */
static bool row(const struct middle *x, struct trace *t, int d)
{
	for (int k = -d; k <= d; k += 2) {
		int i = begin_of(t, d, k), j = i - k;

		while (i < x->n && j < x->m && i >= 0 && j >= 0 && same(&x->a[i], &x->b[j])) {
			i++;
			j++;
		}
		*at(t, d, k) = i;
		if (i >= x->n && j >= x->m)
			return true;
	}
	return false;
}

static void mark_path(const struct middle *x, const struct trace *t, int d)
{
	for (int k = x->n - x->m; d > 0; d--) {
		int i = begin_of(t, d, k);

		if (is_down(t, d, k)) {
			x->b[i - k - 1].changed = true;
			k++;
		} else {
			x->a[i - 1].changed = true;
			k--;
		}
	}
}

static int compare(const struct middle *x)
{
	struct trace t = { 0 };
	int r = 0;

	for (int d = 0; r >= 0; d++) {
		if (d > BH_DIFF_EDITS_MAX) {
			mark_all(x);
			break;
		}
		r = grow(&t, d);
		if (r >= 0 && row(x, &t, d)) {
			mark_path(x, &t, d);
			break;
		}
	}
	free(t.v);
	return r;
}

/* --- hunks ----------------------------------------------------------------------------------- */

struct hunk {
	size_t a, a_end, b, b_end;
};

static void put(struct bh_buf *out, char sign, const struct line *l)
{
	bh_buf_add(out, &sign, 1);
	bh_buf_add(out, l->s, l->len);
	if (l->s[l->len - 1] != '\n')
		bh_buf_addstr(out, "\n\\ No newline at end of file\n");
}

/* "12,3"; of no lines at all the line before is named. */
static void put_range(struct bh_buf *out, char sign, size_t from, size_t end)
{
	size_t n = end - from;

	bh_buf_addf(out, "%c%zu", sign, n ? from + 1 : from);
	if (n != 1)
		bh_buf_addf(out, ",%zu", n);
}

static void put_hunk(struct bh_buf *out, const struct text *a, const struct text *b,
		     const struct hunk *h)
{
	size_t i = h->a, j = h->b;

	bh_buf_addstr(out, "@@ ");
	put_range(out, '-', h->a, h->a_end);
	bh_buf_addstr(out, " ");
	put_range(out, '+', h->b, h->b_end);
	bh_buf_addstr(out, " @@\n");
	while (i < h->a_end || j < h->b_end) {
		if (i < h->a_end && a->lines[i].changed)
			put(out, '-', &a->lines[i++]);
		else if (j < h->b_end && b->lines[j].changed)
			put(out, '+', &b->lines[j++]);
		else
			put(out, ' ', &a->lines[i++]), j++;
	}
}

/* Both past the lines that changed. */
static void skip_changed(const struct text *a, const struct text *b, size_t *i, size_t *j)
{
	while (*i < a->n && a->lines[*i].changed)
		++*i;
	while (*j < b->n && b->lines[*j].changed)
		++*j;
}

static size_t count_same(const struct text *a, size_t i, size_t max)
{
	size_t n = 0;

	while (n < max && i + n < a->n && !a->lines[i + n].changed)
		n++;
	return n;
}

/* Where the changes that begin at I and J end: those that are close share a hunk. */
static void find_end(const struct text *a, const struct text *b, size_t *i, size_t *j)
{
	for (;;) {
		size_t n;

		skip_changed(a, b, i, j);
		n = count_same(a, *i, 2 * CONTEXT + 1);
		/* Lines that were added may stand between lines that stay. */
		for (size_t k = 0; k < n; k++)
			if (*j + k < b->n && b->lines[*j + k].changed)
				n = k;
		if (n > 2 * CONTEXT || (*i + n == a->n && *j + n == b->n)) {
			*i += n < CONTEXT ? n : CONTEXT;
			*j += n < CONTEXT ? n : CONTEXT;
			return;
		}
		*i += n;
		*j += n;
	}
}

static void put_hunks(struct bh_buf *out, const struct text *a, const struct text *b)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		struct hunk h;
		size_t back;

		if (!(i < a->n && a->lines[i].changed) && !(j < b->n && b->lines[j].changed)) {
			i++;
			j++;
			continue;
		}
		back = i < CONTEXT ? i : CONTEXT;
		back = j < back ? j : back;
		h.a = i - back;
		h.b = j - back;
		find_end(a, b, &i, &j);
		h.a_end = i;
		h.b_end = j;
		put_hunk(out, a, b, &h);
	}
}

int linediff(const char *old, size_t old_len, const char *new, size_t new_len, struct bh_buf *out)
{
	struct text a = { 0 }, b = { 0 };
	int r = split(old, old_len, &a);

	if (r >= 0)
		r = split(new, new_len, &b);
	if (r >= 0) {
		struct middle x = trim(&a, &b);

		if (x.n && x.m)
			r = compare(&x);
		else
			mark_all(&x);
	}
	if (r >= 0) {
		put_hunks(out, &a, &b);
		r = bh_buf_error(out);
	}
	free(a.lines);
	free(b.lines);
	return r;
}
