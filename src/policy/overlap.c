/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/text.h>

/* Where the literal ends of two globs differ, no text matches both. */
static bool globs_disjoint(const char *a, const char *b)
{
	size_t na = strcspn(a, "*?"), nb = strcspn(b, "*?");
	size_t la = strlen(a), lb = strlen(b), n = na < nb ? na : nb;

	if (na == la)
		return !bh_glob_match(b, a);
	if (nb == lb)
		return !bh_glob_match(a, b);
	if (strncmp(a, b, n) != 0)
		return true;
	for (n = 1; n <= la && n <= lb; n++) {
		char x = a[la - n], y = b[lb - n];

		if (x == '*' || x == '?' || y == '*' || y == '?')
			return false;
		if (x != y)
			return true;
	}
	return false;
}

bool labels_disjoint(const struct label *a, size_t na, const struct label *b, size_t nb)
{
	for (size_t i = 0; i < na; i++)
		for (size_t k = 0; k < nb; k++)
			if (strcmp(a[i].key, b[k].key) == 0 && strcmp(a[i].value, b[k].value) != 0)
				return true;
	return false;
}

static bool text_differs(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

bool selectors_disjoint(const struct selector *a, const struct selector *b)
{
	return labels_disjoint(a->labels, a->n_labels, b->labels, b->n_labels) ||
	       text_differs(a->compose, b->compose) || text_differs(a->runtime, b->runtime) ||
	       (a->name && b->name && globs_disjoint(a->name, b->name)) ||
	       (a->image && b->image && globs_disjoint(a->image, b->image));
}

static int add(struct overlap *o, size_t *cap, size_t service)
{
	uint32_t *grown;

	if (o->n == *cap) {
		size_t want = *cap ? *cap * 2 : 64;

		grown = reallocarray(o->i, want, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		o->i = grown;
		*cap = want;
	}
	o->i[o->n++] = (uint32_t)service;
	return 0;
}

int overlap_of(const struct policy_set *set, size_t service, struct overlap *ret)
{
	const struct selector *self = &set->services[service].select;
	struct overlap o = { 0 };
	size_t cap = 0;

	for (size_t i = 0; i < set->n_services; i++) {
		if (i != service && selectors_disjoint(self, &set->services[i].select))
			continue;
		if (add(&o, &cap, i) < 0) {
			free(o.i);
			return -ENOMEM;
		}
	}
	*ret = o;
	return 0;
}
