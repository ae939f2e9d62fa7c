/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "distinct.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>

#define FIRST_CAP 4

uint32_t distinct_count(struct distinct *d, uint32_t now)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->n; i++)
		if (now - d->e[i].at < BH_SIGNAL_SCAN_S)
			d->e[n++] = d->e[i];
	d->n = n;
	return n;
}

static int grow(struct distinct *d)
{
	uint32_t cap = d->cap ? 2 * d->cap : FIRST_CAP;
	struct distinct_entry *e = realloc(d->e, cap * sizeof(*e));

	if (!e)
		return -ENOMEM;
	d->e = e;
	d->cap = cap;
	return 0;
}

static struct distinct_entry *oldest(const struct distinct *d)
{
	struct distinct_entry *old = d->e;

	for (uint32_t i = 1; i < d->n; i++)
		if (d->e[i].at < old->at)
			old = &d->e[i];
	return old;
}

int distinct_add(struct distinct *d, uint32_t key, uint32_t now)
{
	const struct distinct_entry new = { key, now };

	for (uint32_t i = 0; i < d->n; i++)
		if (d->e[i].key == key) {
			d->e[i].at = now;
			return 0;
		}
	if (d->n == d->cap)
		distinct_count(d, now); /* those of before the window go */
	if (d->n == BH_SIGNAL_DISTINCT_MAX) {
		*oldest(d) = new;
		return 0;
	}
	if (d->n == d->cap && grow(d) < 0)
		return -ENOMEM;
	d->e[d->n++] = new;
	return 0;
}

void distinct_done(struct distinct *d)
{
	free(d->e);
	*d = (struct distinct) { 0 };
}
