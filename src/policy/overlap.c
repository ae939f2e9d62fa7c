/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "overlap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
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

/* True only if no endpoint can match both. */
static bool selectors_disjoint(const struct selector *a, const struct selector *b)
{
	return labels_disjoint(a->labels, a->n_labels, b->labels, b->n_labels) ||
	       text_differs(a->compose, b->compose) || text_differs(a->runtime, b->runtime) ||
	       (a->name && b->name && globs_disjoint(a->name, b->name)) ||
	       (a->image && b->image && globs_disjoint(a->image, b->image));
}

/*
 * Most selectors name one label, a container name or a Compose service. Of these the values are
 * compared as hashes first, so that looking through thousands of services costs little.
 */
struct facts {
	const char *label_key; /* the first in order, or NULL */
	uint32_t label_value;  /* 0 = nothing said */
	uint32_t compose;
	const char *name;    /* or NULL */
	size_t name_literal; /* how much of it stands before a wildcard */
};

static uint32_t hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h | 1;
}

static struct facts facts_of(const struct selector *s)
{
	struct facts f = { .name = s->name };

	for (size_t i = 0; i < s->n_labels; i++) {
		if (f.label_key && strcmp(s->labels[i].key, f.label_key) > 0)
			continue;
		f.label_key = s->labels[i].key;
		f.label_value = hash(s->labels[i].value);
	}
	if (s->compose)
		f.compose = hash(s->compose);
	if (s->name)
		f.name_literal = strcspn(s->name, "*?");
	return f;
}

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool facts_disjoint(const struct facts *a, const struct facts *b)
{
	if (a->label_key && b->label_key && a->label_value != b->label_value &&
	    strcmp(a->label_key, b->label_key) == 0)
		return true;
	if (a->compose && b->compose && a->compose != b->compose)
		return true;
	return a->name && b->name &&
	       memcmp(a->name, b->name, min(a->name_literal, b->name_literal)) != 0;
}

int overlaps_init(struct overlaps *o, const struct policy_set *set)
{
	*o = (struct overlaps) {
		.set = set,
		.of = calloc(set->n_services + 1, sizeof(*o->of)),
		.facts = calloc(set->n_services + 1, sizeof(*o->facts)),
	};
	if (!o->of || !o->facts)
		return -ENOMEM;
	for (size_t i = 0; i < set->n_services; i++)
		o->facts[i] = facts_of(&set->services[i].select);
	return 0;
}

void overlaps_done(struct overlaps *o)
{
	for (size_t i = 0; o->of && i < o->set->n_services; i++)
		free(o->of[i].i);
	free(o->of);
	free(o->facts);
}

static bool services_disjoint(const struct overlaps *o, size_t a, size_t b)
{
	return a != b &&
	       (facts_disjoint(&o->facts[a], &o->facts[b]) ||
		selectors_disjoint(&o->set->services[a].select, &o->set->services[b].select));
}

int overlaps_get(struct overlaps *o, size_t service, const struct overlap **ret)
{
	struct overlap *out = &o->of[service];
	struct bh_vec v;

	*ret = out;
	if (out->n)
		return 0;
	bh_vec_init(&v, sizeof(uint32_t), o->set->n_services);
	for (size_t i = 0; i < o->set->n_services; i++) {
		uint32_t *at;

		if (services_disjoint(o, service, i))
			continue;
		at = bh_vec_push(&v);
		if (!at) {
			bh_vec_done(&v);
			return -ENOMEM;
		}
		*at = (uint32_t)i;
	}
	*out = (struct overlap) { v.data, v.n };
	return 0;
}
