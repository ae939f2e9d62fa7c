/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

static int compare(const void *a, const void *b)
{
	const struct name_entry *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->index > y->index) - (x->index < y->index);
}

void names_sort(struct name_entry *e, size_t n)
{
	qsort(e, n, sizeof(*e), compare);
}

static int compare_name(const void *key, const void *entry)
{
	return strcmp(key, ((const struct name_entry *)entry)->name);
}

const struct name_entry *names_find(const struct name_entry *e, size_t n, const char *name)
{
	return bsearch(name, e, n, sizeof(*e), compare_name);
}

/* What was defined under one kind of name. */
struct definitions {
	const char *what;
	struct name_entry *sorted;
	const char **words; /* the same, for suggestions */
	size_t n;
};

static int collect(struct definitions *d, const struct bh_vec *v,
		   const char *(*name_of)(const struct bh_vec *, size_t))
{
	d->sorted = calloc(v->n + 1, sizeof(*d->sorted));
	d->words = calloc(v->n + 1, sizeof(*d->words));
	if (!d->sorted || !d->words)
		return -ENOMEM;
	for (size_t i = 0; i < v->n; i++)
		if (name_of(v, i))
			d->sorted[d->n++] = (struct name_entry) { name_of(v, i), i };
	names_sort(d->sorted, d->n);
	for (size_t i = 0; i < d->n; i++)
		d->words[i] = d->sorted[i].name;
	return 0;
}

static const char *service_name(const struct bh_vec *v, size_t i)
{
	return ((const struct service *)v->data)[i].name;
}

static const char *group_name(const struct bh_vec *v, size_t i)
{
	return ((const struct group *)v->data)[i].name;
}

static const struct src_loc *loc_of(const struct set_builder *b, enum ref_kind kind, size_t i)
{
	if (kind == REF_SERVICE)
		return &((const struct service *)b->services.data)[i].loc;
	return &((const struct group *)b->groups.data)[i].loc;
}

static void check_duplicates(struct set_builder *b, enum ref_kind kind, const struct definitions *d)
{
	static const char *const id[REF_KINDS] = { "duplicate-service", "duplicate-group" };
	size_t first = 0;

	for (size_t i = 1; i < d->n; i++) {
		char place[PLACE_MAX];

		if (strcmp(d->sorted[first].name, d->sorted[i].name) != 0) {
			first = i;
			continue;
		}
		diag_add(b->rd.diags, DIAG_ERROR, loc_of(b, kind, d->sorted[i].index), id[kind],
			 "join the two, or give one another name",
			 "a second %s named \"%s\", first at %s", d->what, d->sorted[i].name,
			 place_format(place, loc_of(b, kind, d->sorted[first].index)));
	}
}

static const char *ref_hint(char out[HINT_MAX], const struct ref *ref,
			    const struct definitions defs[REF_KINDS])
{
	const struct definitions *d = &defs[ref->kind];
	const struct definitions *other = &defs[ref->kind == REF_SERVICE ? REF_GROUP : REF_SERVICE];

	if (!names_find(other->sorted, other->n, ref->name))
		return hint_nearest(out, ref->name, d->words, d->n, NULL);
	snprintf(out, HINT_MAX, "there is a %s of that name: write %s: %s", other->what,
		 other->what, ref->name);
	return out;
}

static void check_refs(struct set_builder *b, const struct definitions defs[REF_KINDS])
{
	static const char *const id[REF_KINDS] = { "unknown-service", "unknown-group" };
	const struct ref *refs = b->refs.data;
	size_t suggestions = 0;

	for (size_t i = 0; i < b->refs.n; i++) {
		const struct definitions *d = &defs[refs[i].kind];
		const char *hint = NULL;
		char text[HINT_MAX];

		if (names_find(d->sorted, d->n, refs[i].name))
			continue;
		if (suggestions++ < BH_SUGGESTIONS_MAX)
			hint = ref_hint(text, &refs[i], defs);
		diag_add(b->rd.diags, DIAG_ERROR, &refs[i].loc, id[refs[i].kind], hint,
			 "there is no %s named \"%s\"", d->what, refs[i].name);
	}
}

int names_check(struct set_builder *b)
{
	struct definitions defs[REF_KINDS] = { { "service" }, { "group" } };
	int r = collect(&defs[REF_SERVICE], &b->services, service_name);

	if (r >= 0)
		r = collect(&defs[REF_GROUP], &b->groups, group_name);
	for (unsigned k = 0; r >= 0 && k < REF_KINDS; k++)
		check_duplicates(b, (enum ref_kind)k, &defs[k]);
	if (r >= 0 && !b->incomplete)
		check_refs(b, defs);
	for (unsigned k = 0; k < REF_KINDS; k++) {
		free(defs[k].sorted);
		free(defs[k].words);
	}
	return r;
}
