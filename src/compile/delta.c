/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <string.h>

/* Which endpoints are others than before, in what a policy can see of them. */

/* One in so many, and the selection by index of all beats asking each service of each of them. */
#define MANY_PART 16
#define MANY_MIN  64

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_labels(const struct label *a, size_t n_a, const struct label *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (strcmp(a[i].key, b[i].key) != 0 || strcmp(a[i].value, b[i].value) != 0)
			return false;
	return true;
}

static bool same_addrs(const struct bh_addr *a, size_t n_a, const struct bh_addr *b, size_t n_b)
{
	struct addr_list x = { a, n_a }, y = { b, n_b };

	return addr_list_equal(&x, &y);
}

/* Ports and the process id are of no account here. */
static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
	return a->runtime == b->runtime && a->obstacle == b->obstacle &&
	       a->netns_ino == b->netns_ino && same_text(a->netns, b->netns) &&
	       same_text(a->name, b->name) && same_text(a->image, b->image) &&
	       same_text(a->compose_project, b->compose_project) &&
	       same_text(a->compose_service, b->compose_service) &&
	       same_addrs(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
	       same_addrs(a->resolvers, a->n_resolvers, b->resolvers, b->n_resolvers) &&
	       same_labels(a->labels, a->n_labels, b->labels, b->n_labels) &&
	       same_labels(a->image_labels, a->n_image_labels, b->image_labels, b->n_image_labels);
}

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
			d->gone[i++] = d->touched[j++] = !same_endpoint(a, b);
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
