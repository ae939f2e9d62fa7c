/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <bulkhead/base/cleanup.h>

/* Sets of endpoints: by labels, as pods, or by the name of a port. Who is in one, and where it is kept. */

#define FF 0xff
const struct bh_range resolver_everything[2] = {
	{ { .family = AF_INET }, { .family = AF_INET, .b = { FF, FF, FF, FF } } },
	{ { .family = AF_INET6 },
	  { .family = AF_INET6,
	    .b = { FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF, FF } } },
};
#undef FF

bool target_has(const struct target *t, const struct bh_addr *a)
{
	size_t lo = 0, hi = t->n_ranges;

	if (addr_list_contains(&t->singles, a))
		return true;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bh_addr_cmp(&t->ranges[mid].hi, a) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n_ranges && bh_range_contains(&t->ranges[lo], a);
}

static int use_cmp(const void *key, const void *use)
{
	uintptr_t a = (uintptr_t)key, b = (uintptr_t)((const struct label_use *)use)->of;

	return (a > b) - (a < b);
}

const struct label_set *label_sets_find(const struct label_sets *s, const void *of)
{
	const struct label_use *u = bsearch(of, s->uses, s->n_uses, sizeof(*s->uses), use_cmp);

	return u ? &s->sets[u->set] : NULL;
}

bool label_set_has(const struct resolver *r, const struct label_set *s, uint32_t i)
{
	const struct endpoint_set *all = r->in->endpoints;
	const struct endpoint *e = &all->endpoints[i];

	if (s->pods)
		return pods_match(s->pods, all, e, r->image_labels);
	if (s->port)
		return pods_have_port(e, s->port);
	return resolver_is_managed(r, i) &&
	       select_labels_match(e, s->labels, s->n_labels, r->image_labels);
}

const struct term *label_set_candidates(const struct label_set *s, const struct term_index *x,
					size_t *ret_n)
{
	if (s->pods)
		return pods_candidates(s->pods, x, ret_n);
	if (s->port)
		return term_index_find(x, TERM_PORT, "", s->port->name, ret_n);
	return term_index_labels(x, s->labels, s->n_labels, ret_n);
}

static int find_members(struct resolver *r, const struct label_set *what,
			struct selection_list *ret)
{
	size_t n = r->in->endpoints->n, count = 0;
	const struct term *t = label_set_candidates(what, &r->terms, &n);
	uint32_t *v = bh_arena_array(r->arena, n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t e = t ? t[i].endpoint : (uint32_t)i;

		if (!(count && v[count - 1] == e) && label_set_has(r, what, e))
			v[count++] = e;
	}
	*ret = (struct selection_list) { v, count };
	return 0;
}

int resolver_members(struct resolver *r, const struct label_set *what, const void *of,
		     struct selection_list *ret)
{
	const struct label_set *s;

	if (!r->label_sets)
		return find_members(r, what, ret);
	s = label_sets_find(r->label_sets, of);
	if (!s)
		return -ENOENT; /* cannot be: all of them were gone through */
	*ret = (struct selection_list) { s->members, s->n_members };
	return 0;
}

int resolver_pods(struct resolver *r, const struct pods *p, struct addr_list *ret)
{
	const struct label_set what = { .pods = p };
	struct selection_list l;
	int error;

	if (r->label_sets) {
		const struct label_set *s = label_sets_find(r->label_sets, p);

		if (!s)
			return -ENOENT;
		*ret = r->label_sets->addrs[s - r->label_sets->sets];
		return 0;
	}
	error = resolver_members(r, &what, p, &l);
	return error < 0 ? error : resolver_collect(r, l.i, l.n, false, ret);
}
