/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "assembly.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Entries once more, for a few addresses: what is said of all others is copied. */

/* The piece with those of its single addresses only that are among the moved. */
static int add_moved(struct assembly *a, const struct piece *p, const struct addr_list *moved,
		     uint32_t rank)
{
	struct bh_addr *v = bh_arena_array(a->scratch, moved->n + 1, sizeof(*v));
	struct piece part = *p;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < moved->n; i++)
		if (addr_list_contains(&p->target.singles, &moved->a[i]))
			v[n++] = moved->a[i];
	part.target = (struct target) { .singles = { v, n } };
	return assembly_add_hashed(a, &part, rank);
}

static size_t lower(const struct entry_list *l, const struct bh_addr *a)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&l->e[mid].addr.lo, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t copy_entries(struct entry *to, const struct entry_list *l, size_t from, size_t end)
{
	if (from < end)
		memcpy(to, l->e + from, (end - from) * sizeof(*to));
	return end - from;
}

/* What is said within the windows is replaced by FRESH; the stretches between them are copied. */
static int splice(struct bh_arena *arena, const struct entry_list *old,
		  const struct entry_list *fresh, const struct bh_rangeset *windows,
		  struct entry_list *ret)
{
	struct entry *e = bh_arena_array(arena, old->n + fresh->n + 1, sizeof(*e));
	size_t at = 0, k = 0, n = 0;

	if (!e)
		return -ENOMEM;
	for (size_t i = 0; i < windows->n; i++) {
		const struct bh_range *w = &windows->r[i];
		size_t next = lower(old, &w->lo);

		n += copy_entries(e + n, old, at, next);
		for (at = next; at < old->n && bh_range_contains(w, &old->e[at].addr.lo);)
			at++;
		for (; k < fresh->n && bh_range_contains(w, &fresh->e[k].addr.lo); k++)
			e[n++] = fresh->e[k];
	}
	n += copy_entries(e + n, old, at, old->n);
	if (n > BH_RULESET_ENTRIES_MAX)
		return -E2BIG;
	*ret = n ? (struct entry_list) { e, n } : (struct entry_list) { 0 };
	return 0;
}

/* The interval of L that A lies in, or NULL. */
static const struct bh_range *interval_of(const struct entry_list *l, const struct bh_addr *a)
{
	size_t i = lower(l, a);

	if (i < l->n && bh_addr_cmp(&l->e[i].addr.lo, a) == 0)
		return &l->e[i].addr;
	return i && bh_range_contains(&l->e[i - 1].addr, a) ? &l->e[i - 1].addr : NULL;
}

/*
 * Where intervals may come out otherwise when A moves: at A, and in the intervals beside it, which A
 * may join or part. Beyond those nothing is said, or something else is, as before.
 */
static int add_window(const struct entry_list *l, const struct bh_addr *a, struct bh_rangeset *ret)
{
	struct bh_addr before = *a, behind = *a;
	const struct bh_range *x[3] = { interval_of(l, a) };
	struct bh_range one = { *a, *a };
	int r = bh_rangeset_add(ret, &one);

	if (bh_addr_prev(&before))
		x[1] = interval_of(l, &before);
	if (bh_addr_next(&behind))
		x[2] = interval_of(l, &behind);
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(x); i++)
		if (x[i])
			r = bh_rangeset_add(ret, x[i]);
	return r;
}

static size_t lower_addr(const struct addr_list *l, const struct bh_addr *a)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&l->a[mid], a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct bh_range overlap(const struct bh_range *a, const struct bh_range *b)
{
	return (struct bh_range) {
		.lo = bh_addr_cmp(&a->lo, &b->lo) > 0 ? a->lo : b->lo,
		.hi = bh_addr_cmp(&a->hi, &b->hi) < 0 ? a->hi : b->hi,
	};
}

/* What of a piece lies in one window, as a piece of its own with the same ports. */
static int add_in_window(struct assembly *a, const struct piece *p, const struct bh_range *window,
			 uint32_t rank)
{
	const struct target *t = &p->target;
	struct bh_range *ranges = bh_arena_array(a->scratch, t->n_ranges + 1, sizeof(*ranges));
	size_t from = lower_addr(&t->singles, &window->lo), to = from;
	struct piece part = *p;

	if (!ranges)
		return -ENOMEM;
	while (to < t->singles.n && bh_range_contains(window, &t->singles.a[to]))
		to++;
	part.target =
		(struct target) { .singles = { from < to ? t->singles.a + from : NULL, to - from },
				  .ranges = ranges };
	for (size_t i = 0; i < t->n_ranges; i++) {
		struct bh_range both = overlap(&t->ranges[i], window);

		if (bh_addr_cmp(&both.lo, &both.hi) <= 0)
			ranges[part.target.n_ranges++] = both;
	}
	return assembly_add_boxes(a, &part, rank);
}

static int patch_boxes(struct assembly *a, const struct ranking *by_rank, size_t n,
		       enum entry_kind kind, const struct addr_list *moved, struct entry_list *list)
{
	struct bh_rangeset windows = { 0 };
	struct entry_list fresh = { 0 };
	int r = 0;

	/* the sweep of the other kind added to this vector, too */
	for (int k = ENTRY_RANGE; k < ENTRY_KINDS; k++)
		a->boxes[k].n = 0;
	for (size_t i = 0; r >= 0 && i < moved->n; i++)
		r = add_window(list, &moved->a[i], &windows);
	for (size_t i = 0; r >= 0 && i < n; i++)
		for (size_t k = 0; r >= 0 && !by_rank[i].piece->is_guard && k < windows.n; k++)
			r = add_in_window(a, by_rank[i].piece, &windows.r[k], (uint32_t)i);
	if (r >= 0)
		r = assembly_deliver_boxes(a, kind, by_rank, &fresh);
	if (r >= 0)
		r = splice(a->arena, list, &fresh, &windows, list);
	bh_rangeset_done(&windows);
	return r;
}

static int patch_hashed(struct assembly *a, const struct ranking *by_rank, size_t n,
			const struct addr_list *moved, struct entry_list *lists)
{
	struct bh_rangeset windows = { 0 };
	int r = addr_list_add_to(&windows, moved);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!by_rank[i].piece->is_guard)
			r = add_moved(a, by_rank[i].piece, moved, (uint32_t)i);
	for (int k = 0; r >= 0 && k < ENTRY_RANGE; k++) {
		struct entry_list fresh = { 0 };

		r = assembly_deliver(a->scratch, &a->hashed[k],
				     assembly_keep_owners(a->hashed[k].data, a->hashed[k].n),
				     by_rank, &fresh);
		if (r >= 0)
			r = splice(a->arena, &lists[k], &fresh, &windows, &lists[k]);
	}
	bh_rangeset_done(&windows);
	return r;
}

/* No single address is in what is said of the world. */
static int patch_direction(struct assembly *a, const struct ranking *by_rank, size_t n,
			   const struct patch *p, struct entry_list *lists)
{
	const struct addr_list none = { 0 };
	int r = patch_hashed(a, by_rank, n, &p->moved, lists);

	for (int k = ENTRY_RANGE; r >= 0 && k < ENTRY_KINDS; k++) {
		bool moves = p->boxes && (k == ENTRY_RANGE || k == ENTRY_ICMP_RANGE);

		r = patch_boxes(a, by_rank, n, (enum entry_kind)k, moves ? &p->moved : &none,
				&lists[k]);
	}
	return r;
}

int assemble_patch(struct bh_arena *arena, const struct piece *pieces, size_t n,
		   const struct patch *patch, struct entry_list lists[ENTRY_KINDS],
		   struct bh_err *err)
{
	struct bh_arena *scratch = bh_arena_new();
	struct assembly a = { .arena = arena, .scratch = scratch };
	bh_autofree struct ranking *v = calloc(n + 1, sizeof(*v));
	size_t first = 0, end;
	int r = v && scratch ? 0 : -ENOMEM;

	for (size_t i = 0; v && i < n; i++)
		v[i] = (struct ranking) { &pieces[i], (uint32_t)i, 0 };
	if (v) {
		ranking_find_places(v, n);
		qsort(v, n, sizeof(*v), ranking_cmp_precedence);
	}
	while (v && first < n && v[first].piece->direction != patch->direction)
		first++;
	for (end = first; v && end < n && v[end].piece->direction == patch->direction;)
		end++;
	assembly_init(&a);
	if (r >= 0)
		r = patch_direction(&a, v + first, end - first, patch, lists);
	assembly_done(&a);
	bh_arena_free(scratch);
	return assembly_error(r, err);
}
