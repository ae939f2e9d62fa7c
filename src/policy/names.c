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
	struct name_entry *sorted;
	const char **words; /* the same, for suggestions */
	size_t n;
};

static const struct {
	const char *what, *duplicate, *unknown;
} kinds[NAME_KINDS] = {
	[NAME_SERVICE] = { "service", "duplicate-service", "unknown-service" },
	[NAME_GROUP] = { "group", "duplicate-group", "unknown-group" },
	[NAME_SCOPE] = { "scope", "duplicate-scope", "unknown-scope" },
	[NAME_GUARDRAIL] = { "guardrail", "duplicate-guardrail", "unknown-guardrail" },
	[NAME_TEST] = { "test", "duplicate-test", "unknown-test" },
};

/* The name of the I-th definition of a kind, or NULL, and its place. */
static const char *def_of(const struct set_builder *b, enum name_kind kind, size_t i,
			  const struct src_loc **ret_loc)
{
	const void *data = b->defs[kind].data;

#define DEF(type)                                                                                  \
	(*ret_loc = &((const struct type *)data)[i].loc, ((const struct type *)data)[i].name)
	switch (kind) {
	case NAME_SERVICE:
		return DEF(service);
	case NAME_GROUP:
		return DEF(group);
	case NAME_SCOPE:
		return DEF(scope);
	case NAME_GUARDRAIL:
		return DEF(guardrail);
	case NAME_TEST:
		return DEF(policy_test);
	}
#undef DEF
	return NULL;
}

static const struct src_loc *loc_of(const struct set_builder *b, enum name_kind kind, size_t i)
{
	const struct src_loc *loc = NULL;

	def_of(b, kind, i, &loc);
	return loc;
}

static const char *what_of(const struct set_builder *b, enum name_kind kind, size_t i)
{
	const struct service *s = b->defs[NAME_SERVICE].data;

	return kind == NAME_SERVICE && s[i].is_k8s ? "NetworkPolicy" : kinds[kind].what;
}

/* "shop/web" of "k8s:shop/web" */
static const char *shown_name(const char *name)
{
	size_t n = strlen(K8S_NAME_PREFIX);

	return strncmp(name, K8S_NAME_PREFIX, n) == 0 ? name + n : name;
}

static int collect(const struct set_builder *b, enum name_kind kind, struct definitions *d)
{
	size_t n = b->defs[kind].n;

	d->sorted = calloc(n + 1, sizeof(*d->sorted));
	d->words = calloc(n + 1, sizeof(*d->words));
	if (!d->sorted || !d->words)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct src_loc *loc;
		const char *name = def_of(b, kind, i, &loc);

		if (name)
			d->sorted[d->n++] = (struct name_entry) { name, i };
	}
	names_sort(d->sorted, d->n);
	for (size_t i = 0; i < d->n; i++)
		d->words[i] = d->sorted[i].name;
	return 0;
}

static void check_duplicates(struct set_builder *b, enum name_kind kind,
			     const struct definitions *d)
{
	size_t first = 0;

	for (size_t i = 1; i < d->n; i++) {
		char place[PLACE_MAX];

		if (strcmp(d->sorted[first].name, d->sorted[i].name) != 0) {
			first = i;
			continue;
		}
		diag_add(b->rd.diags, DIAG_ERROR, loc_of(b, kind, d->sorted[i].index),
			 kinds[kind].duplicate, "join the two, or give one another name",
			 "a second %s named \"%s\", first at %s",
			 what_of(b, kind, d->sorted[i].index), SHOWN(shown_name(d->sorted[i].name)),
			 place_format(place, loc_of(b, kind, d->sorted[first].index)));
	}
}

int ref_read(struct reader *rd, enum name_kind kind, const struct node *n, const char **ret)
{
	struct set_builder *b = rd->user;
	struct ref *ref;
	int r = schema_read_name_text(rd, n, kinds[kind].what, ret);

	if (r < 0 || !*ret)
		return r;
	ref = bh_vec_push(&b->refs);
	if (!ref)
		return -ENOMEM;
	*ref = (struct ref) { kind, *ret, n->loc };
	return 0;
}

/* A peer may name services and groups: the other may be meant. */
static const char *ref_hint(char out[HINT_MAX], const struct ref *ref,
			    const struct definitions defs[NAME_KINDS])
{
	const struct definitions *d = &defs[ref->kind];

	for (unsigned k = 0; ref->kind < NAME_SCOPE && k < NAME_SCOPE; k++) {
		if (k == ref->kind || !names_find(defs[k].sorted, defs[k].n, ref->name))
			continue;
		snprintf(out, HINT_MAX, "there is a %s of that name: write %s: %s", kinds[k].what,
			 kinds[k].what, ref->name);
		return out;
	}
	return hint_nearest(out, ref->name, d->words, d->n, NULL);
}

static void check_refs(struct set_builder *b, const struct definitions defs[NAME_KINDS])
{
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
		diag_add(b->rd.diags, DIAG_ERROR, &refs[i].loc, kinds[refs[i].kind].unknown, hint,
			 "there is no %s named \"%s\"", kinds[refs[i].kind].what, refs[i].name);
	}
}

int names_check(struct set_builder *b)
{
	struct definitions defs[NAME_KINDS] = { 0 };
	int r = 0;

	for (unsigned k = 0; r >= 0 && k < NAME_KINDS; k++)
		r = collect(b, (enum name_kind)k, &defs[k]);
	for (unsigned k = 0; r >= 0 && k < NAME_KINDS; k++)
		check_duplicates(b, (enum name_kind)k, &defs[k]);
	if (r >= 0 && !b->incomplete)
		check_refs(b, defs);
	for (unsigned k = 0; k < NAME_KINDS; k++) {
		free(defs[k].sorted);
		free(defs[k].words);
	}
	return r;
}
