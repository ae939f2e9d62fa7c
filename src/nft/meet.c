/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meet.h"

#include <errno.h>
#include <stdlib.h>

#include "plan.h"

/* So many comparisons, about a millisecond. */
#define LOOKS_MAX (1 << 18)

/* --- entries --------------------------------------------------------------------------------- */

static bool addresses_meet(const struct bh_range *a, const struct bh_range *b)
{
	return bh_addr_cmp(&a->lo, &b->hi) <= 0 && bh_addr_cmp(&b->lo, &a->hi) <= 0;
}

bool entries_meet(const struct entry *a, const struct entry *b)
{
	return a->proto_lo <= b->proto_hi && b->proto_lo <= a->proto_hi &&
	       a->port_lo <= b->port_hi && b->port_lo <= a->port_hi &&
	       addresses_meet(&a->addr, &b->addr);
}

/* One that comes again for the same flows moves nothing. */
static bool changes(uint8_t step)
{
	return step && !(step & ENTRY_SAME);
}

static size_t count_changes(const uint8_t *steps, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += changes(steps[i]);
	return count;
}

static bool meets_one_of(const struct entry *e, const struct entry_list *l, const uint8_t *steps)
{
	for (size_t i = 0; i < l->n; i++)
		if (changes(steps[i]) && entries_meet(e, &l->e[i]))
			return true;
	return false;
}

bool lists_meet(const struct entry_list *a, const uint8_t *a_steps, const struct entry_list *b,
		const uint8_t *b_steps)
{
	size_t n_a = count_changes(a_steps, a->n), n_b = count_changes(b_steps, b->n);

	if (n_a == 0 || n_b == 0)
		return false;
	if (n_a * b->n > LOOKS_MAX)
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (changes(a_steps[i]) && meets_one_of(&a->e[i], b, b_steps))
			return true;
	return false;
}

/* --- known addresses ------------------------------------------------------------------------- */

bool same_ranges(const struct nft_program *a, const struct nft_program *b, unsigned family)
{
	size_t n = b->n_known[family];

	if (a->n_known[family] != n)
		return false;
	for (size_t i = 0; i < n && a->known[family] != b->known[family]; i++)
		if (bh_addr_cmp(&a->known[family][i].lo, &b->known[family][i].lo) != 0 ||
		    bh_addr_cmp(&a->known[family][i].hi, &b->known[family][i].hi) != 0)
			return false;
	return true;
}

static const struct bh_addr *later(const struct bh_addr *a, const struct bh_addr *b)
{
	return bh_addr_cmp(a, b) > 0 ? a : b;
}

static const struct bh_addr *sooner(const struct bh_addr *a, const struct bh_addr *b)
{
	return bh_addr_cmp(a, b) < 0 ? a : b;
}

/* A cursor over the part of a list that is within a range. */
struct within {
	const struct bh_range *r;
	size_t n;
	const struct bh_range *in;
};

static bool within_next(struct within *w, struct bh_range *ret)
{
	while (w->n > 0 && !addresses_meet(w->r, w->in)) {
		w->r++;
		w->n--;
	}
	if (w->n == 0)
		return false;
	*ret = (struct bh_range) { *later(&w->r->lo, &w->in->lo), *sooner(&w->r->hi, &w->in->hi) };
	w->r++;
	w->n--;
	return true;
}

static bool same_within(const struct nft_program *a, const struct nft_program *b, unsigned family,
			const struct bh_range *in)
{
	struct within x = { a->known[family], a->n_known[family], in };
	struct within y = { b->known[family], b->n_known[family], in };
	struct bh_range p, q;
	bool more_x, more_y;

	do {
		more_x = within_next(&x, &p);
		more_y = within_next(&y, &q);
		if (more_x != more_y ||
		    (more_x && (bh_addr_cmp(&p.lo, &q.lo) != 0 || bh_addr_cmp(&p.hi, &q.hi) != 0)))
			return false;
	} while (more_x);
	return true;
}

bool ranges_meet(const struct nft_program *a, const struct nft_program *b, unsigned family,
		 const struct entry_list *l, const uint8_t *steps)
{
	size_t looks = a->n_known[family] + b->n_known[family], n = count_changes(steps, l->n);

	if (n == 0 || same_ranges(a, b, family))
		return false;
	if (n * looks > LOOKS_MAX)
		return true;
	for (size_t i = 0; i < l->n; i++)
		if (changes(steps[i]) && !same_within(a, b, family, &l->e[i].addr))
			return true;
	return false;
}

int common_ranges(const struct nft_program *a, const struct nft_program *b, unsigned family,
		  struct bh_range **ret, size_t *ret_n)
{
	const struct bh_range *x = a->known[family], *y = b->known[family];
	size_t i = 0, j = 0, n = 0;
	struct bh_range *both = calloc(a->n_known[family] + b->n_known[family] + 1, sizeof(*both));

	if (!both)
		return -ENOMEM;
	while (i < a->n_known[family] && j < b->n_known[family]) {
		if (addresses_meet(&x[i], &y[j]))
			both[n++] = (struct bh_range) { *later(&x[i].lo, &y[j].lo),
							*sooner(&x[i].hi, &y[j].hi) };
		if (bh_addr_cmp(&x[i].hi, &y[j].hi) < 0)
			i++;
		else
			j++;
	}
	*ret = both;
	*ret_n = n;
	return 0;
}
