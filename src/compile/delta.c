/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <string.h>

/* Which endpoints are others than before, in what a policy can see of them. */

/* One in so many, and the selection by index of all beats asking each service of each of them. */
#define MANY_PART 16
#define MANY_MIN  64

/* Both are sorted by id. */
static void match(const struct endpoint_set *before, size_t n_before,
		  const struct endpoint_set *now, struct delta *d)
{
	size_t i = 0, j = 0;

	while (i < n_before || j < now->n) {
		const struct endpoint *a = i < n_before ? &before->endpoints[i] : NULL;
		const struct endpoint *b = j < now->n ? &now->endpoints[j] : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a->id, b->id);

		if (order < 0) {
			d->new_of[i] = NONE;
			d->gone[i++] = true;
		} else if (order > 0) {
			d->old_of[j] = NONE;
			d->touched[j++] = true;
		} else {
			d->new_of[i] = (uint32_t)j;
			d->old_of[j] = (uint32_t)i;
			d->gone[i++] = d->touched[j++] = !endpoint_looks_same(a, b);
		}
	}
}

int delta_make(struct bh_arena *arena, const struct endpoint_set *before,
	       const struct endpoint_set *now, struct delta *ret)
{
	size_t n_before = before ? before->n : 0;
	struct delta d = {
		.old_of = bh_arena_array(arena, now->n + 1, sizeof(*d.old_of)),
		.new_of = bh_arena_array(arena, n_before + 1, sizeof(*d.new_of)),
		.touched = bh_arena_array(arena, now->n + 1, sizeof(*d.touched)),
		.gone = bh_arena_array(arena, n_before + 1, sizeof(*d.gone)),
		.list = bh_arena_array(arena, now->n + 1, sizeof(*d.list)),
	};

	if (!d.old_of || !d.new_of || !d.touched || !d.gone || !d.list)
		return -ENOMEM;
	match(before, n_before, now, &d);
	for (uint32_t i = 0; i < now->n; i++)
		if (d.touched[i])
			d.list[d.n++] = i;
	for (size_t i = 0; i < n_before; i++)
		d.n_gone += d.gone[i];
	d.many = d.n > MANY_MIN && d.n > now->n / MANY_PART;
	*ret = d;
	return 0;
}
