/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/addr.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <bulkhead/base/limits.h>

void bh_rangeset_init(struct bh_rangeset *s)
{
	*s = (struct bh_rangeset) { 0 };
}

void bh_rangeset_done(struct bh_rangeset *s)
{
	free(s->r);
	bh_rangeset_init(s);
}

static int reserve(struct bh_rangeset *s, size_t n)
{
	size_t cap = s->cap ? s->cap : 8;
	struct bh_range *r;

	if (n > BH_RANGES_MAX)
		return -E2BIG;
	if (n <= s->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	r = reallocarray(s->r, cap, sizeof(*r));
	if (!r)
		return -ENOMEM;
	s->r = r;
	s->cap = cap;
	return 0;
}

/* Does B begin inside A or right behind it? Both of sorted order: a.lo <= b.lo. */
static bool touches(const struct bh_range *a, const struct bh_range *b)
{
	struct bh_addr next = a->hi;

	if (a->lo.family != b->lo.family)
		return false;
	if (bh_addr_cmp(&b->lo, &a->hi) <= 0)
		return true;
	return bh_addr_next(&next) && bh_addr_cmp(&next, &b->lo) == 0;
}

/* Append R, which begins at or behind the begin of the last range. */
static int append(struct bh_rangeset *s, const struct bh_range *r)
{
	struct bh_range *last = s->n ? &s->r[s->n - 1] : NULL;
	int err;

	if (last && touches(last, r)) {
		if (bh_addr_cmp(&last->hi, &r->hi) < 0)
			last->hi = r->hi;
		return 0;
	}
	err = reserve(s, s->n + 1);
	if (err < 0)
		return err;
	s->r[s->n++] = *r;
	return 0;
}

/* Index of the first range whose end is not before A. */
static size_t first_ending_at(const struct bh_rangeset *s, const struct bh_addr *a)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&s->r[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool bh_rangeset_contains(const struct bh_rangeset *s, const struct bh_addr *a)
{
	size_t i = first_ending_at(s, a);

	return i < s->n && bh_range_contains(&s->r[i], a);
}

int bh_rangeset_add(struct bh_rangeset *s, const struct bh_range *r)
{
	struct bh_range merged = *r;
	size_t first, last;
	int err;

	if (s->n == 0 || bh_addr_cmp(&s->r[s->n - 1].lo, &r->lo) <= 0)
		return append(s, r);
	first = first_ending_at(s, &r->lo);
	if (first > 0 && touches(&s->r[first - 1], r))
		first--;
	for (last = first; last < s->n; last++) {
		const struct bh_range *x = &s->r[last];
		bool x_first = bh_addr_cmp(&x->lo, &merged.lo) <= 0;

		if (!(x_first ? touches(x, &merged) : touches(&merged, x)))
			break;
		if (x_first)
			merged.lo = x->lo;
		if (bh_addr_cmp(&merged.hi, &x->hi) < 0)
			merged.hi = x->hi;
	}
	err = reserve(s, s->n - (last - first) + 1);
	if (err < 0)
		return err;
	memmove(&s->r[first + 1], &s->r[last], (s->n - last) * sizeof(*s->r));
	s->r[first] = merged;
	s->n = s->n - (last - first) + 1;
	return 0;
}

int bh_rangeset_add_all(struct bh_rangeset *s, const struct bh_rangeset *other)
{
	struct bh_rangeset out = { 0 };
	size_t i = 0, j = 0;
	int r = 0;

	while (r >= 0 && (i < s->n || j < other->n)) {
		bool mine = j == other->n ||
			    (i < s->n && bh_addr_cmp(&s->r[i].lo, &other->r[j].lo) <= 0);

		r = append(&out, mine ? &s->r[i++] : &other->r[j++]);
	}
	if (r < 0) {
		bh_rangeset_done(&out);
		return r;
	}
	bh_rangeset_done(s);
	*s = out;
	return 0;
}

int bh_rangeset_universe(struct bh_rangeset *s)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int r = reserve(s, 2);

	if (r < 0)
		return r;
	s->n = 2;
	for (size_t i = 0; i < 2; i++) {
		s->r[i] = (struct bh_range) { .lo.family = families[i], .hi.family = families[i] };
		memset(s->r[i].hi.b, 0xff, bh_addr_len(families[i]));
	}
	return 0;
}

int bh_rangeset_intersect(struct bh_rangeset *s, const struct bh_rangeset *other)
{
	struct bh_rangeset out = { 0 };
	size_t i = 0, j = 0;
	int r = 0;

	while (r >= 0 && i < s->n && j < other->n) {
		const struct bh_range *a = &s->r[i], *b = &other->r[j];
		struct bh_range both = {
			.lo = bh_addr_cmp(&a->lo, &b->lo) >= 0 ? a->lo : b->lo,
			.hi = bh_addr_cmp(&a->hi, &b->hi) <= 0 ? a->hi : b->hi,
		};

		if (both.lo.family == both.hi.family && bh_addr_cmp(&both.lo, &both.hi) <= 0)
			r = append(&out, &both);
		if (bh_addr_cmp(&a->hi, &b->hi) <= 0)
			i++;
		else
			j++;
	}
	if (r < 0) {
		bh_rangeset_done(&out);
		return r;
	}
	bh_rangeset_done(s);
	*s = out;
	return 0;
}

/* What others cover becomes what they do not cover: the complement of a set. */
static int complement(const struct bh_rangeset *s, struct bh_rangeset *out)
{
	struct bh_rangeset all = { 0 };
	size_t i = 0;
	int r = bh_rangeset_universe(&all);

	for (size_t f = 0; r >= 0 && f < all.n; f++) {
		struct bh_range gap = all.r[f];
		bool open = true;

		for (; r >= 0 && i < s->n && s->r[i].lo.family == gap.lo.family; i++) {
			struct bh_range before = { gap.lo, s->r[i].lo };

			if (bh_addr_cmp(&gap.lo, &s->r[i].lo) < 0 && bh_addr_prev(&before.hi))
				r = append(out, &before);
			gap.lo = s->r[i].hi;
			open = bh_addr_next(&gap.lo);
		}
		if (r >= 0 && open)
			r = append(out, &gap);
	}
	bh_rangeset_done(&all);
	return r;
}

int bh_rangeset_subtract(struct bh_rangeset *s, const struct bh_rangeset *other)
{
	struct bh_rangeset rest = { 0 };
	int r = complement(other, &rest);

	if (r >= 0)
		r = bh_rangeset_intersect(s, &rest);
	bh_rangeset_done(&rest);
	return r;
}

static int add_prefixes(struct bh_rangeset *s, const struct bh_prefix *p, size_t n)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct bh_range range = bh_prefix_range(&p[i]);

		r = bh_rangeset_add(s, &range);
	}
	return r;
}

int bh_rangeset_keep_prefixes(struct bh_rangeset *s, const struct bh_prefix *p, size_t n,
			      const struct bh_prefix *except, size_t n_except)
{
	struct bh_rangeset in, out;
	int r;

	bh_rangeset_init(&in);
	bh_rangeset_init(&out);
	r = add_prefixes(&in, p, n);
	if (r >= 0)
		r = add_prefixes(&out, except, n_except);
	if (r >= 0)
		r = bh_rangeset_subtract(&in, &out);
	if (r >= 0)
		r = bh_rangeset_intersect(s, &in);
	bh_rangeset_done(&in);
	bh_rangeset_done(&out);
	return r;
}
