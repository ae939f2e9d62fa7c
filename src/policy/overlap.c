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

/* A reference says nothing of a digest, and an image may have several names and digests. */
static bool images_disjoint(const char *a, const char *b)
{
	return !strchr(a, '@') && !strchr(b, '@') && globs_disjoint(a, b);
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
	       (a->image && b->image && images_disjoint(a->image, b->image));
}

/*
 * Most selectors name a label, a Compose service or a container name. Services are sorted by what they
 * say of one of these: of the same label key, or of Compose, only those with an equal value can be one
 * endpoint, and of names only those of which one begins as the other does. So few are compared.
 */
enum said { SAID_NOTHING, SAID_NAME, SAID_COMPOSE, SAID_LABEL };

struct fact {
	enum said said;
	const char *key;   /* of the label; "" */
	const char *value; /* names: what stands before a wildcard counts */
	size_t len;        /* of the value */
	uint32_t service;
};

static struct fact fact_of(const struct selector *s, uint32_t service)
{
	struct fact f = { SAID_NOTHING, "", "", 0, service };

	for (size_t i = 0; i < s->n_labels; i++) {
		if (f.said == SAID_LABEL && strcmp(s->labels[i].key, f.key) > 0)
			continue;
		f.said = SAID_LABEL;
		f.key = s->labels[i].key;
		f.value = s->labels[i].value;
	}
	if (f.said == SAID_NOTHING && s->compose) {
		f.said = SAID_COMPOSE;
		f.value = s->compose;
	} else if (f.said == SAID_NOTHING && s->name) {
		f.said = SAID_NAME;
		f.value = s->name;
	}
	f.len = f.said == SAID_NAME ? strcspn(f.value, "*?") : strlen(f.value);
	return f;
}

static int class_cmp(const struct fact *x, const struct fact *y)
{
	if (x->said != y->said)
		return x->said < y->said ? -1 : 1;
	return strcmp(x->key, y->key);
}

static int value_cmp(const struct fact *x, const struct fact *y)
{
	int r = memcmp(x->value, y->value, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static int fact_cmp(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;
	int r = class_cmp(x, y);

	if (r == 0)
		r = value_cmp(x, y);
	return r ? r : (x->service > y->service) - (x->service < y->service);
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
		o->facts[i] = fact_of(&set->services[i].select, (uint32_t)i);
	qsort(o->facts, set->n_services, sizeof(*o->facts), fact_cmp);
	return 0;
}

void overlaps_done(struct overlaps *o)
{
	for (size_t i = 0; o->of && i < o->set->n_services; i++)
		free(o->of[i].i);
	free(o->of);
	free(o->facts);
}

/* The first that is not before F, of the same class or of all. */
static size_t first_of(const struct overlaps *o, const struct fact *f,
		       int (*cmp)(const struct fact *, const struct fact *))
{
	size_t lo = 0, hi = o->set->n_services;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp(&o->facts[mid], f) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int class_value_cmp(const struct fact *x, const struct fact *y)
{
	int r = class_cmp(x, y);

	return r ? r : value_cmp(x, y);
}

static bool begins_with(const struct fact *f, const struct fact *with)
{
	return f->len >= with->len && memcmp(f->value, with->value, with->len) == 0;
}

/* Those of F from I on that may be one endpoint with SERVICE, while they are of F's kind. */
static int take(const struct overlaps *o, size_t service, size_t from, size_t to, struct bh_vec *v)
{
	const struct selector *s = &o->set->services[service].select;

	for (size_t i = from; i < to; i++) {
		uint32_t other = o->facts[i].service, *at;

		if (other != service && selectors_disjoint(s, &o->set->services[other].select))
			continue;
		at = bh_vec_push(v);
		if (!at)
			return -ENOMEM;
		*at = other;
	}
	return 0;
}

/* The same class and an equal value; of names those that begin as F does, and with which F begins. */
static int take_like(const struct overlaps *o, size_t service, const struct fact *f,
		     struct bh_vec *v)
{
	size_t from = first_of(o, f, class_value_cmp), to = from, n = o->set->n_services;
	int r;

	while (to < n && class_cmp(&o->facts[to], f) == 0 &&
	       (f->said == SAID_NAME ? begins_with(&o->facts[to], f)
				     : value_cmp(&o->facts[to], f) == 0))
		to++;
	r = take(o, service, from, to, v);
	for (size_t len = 0; r >= 0 && f->said == SAID_NAME && len < f->len; len++) {
		struct fact shorter = *f;

		shorter.len = len;
		from = to = first_of(o, &shorter, class_value_cmp);
		while (to < n && class_value_cmp(&o->facts[to], &shorter) == 0)
			to++;
		r = take(o, service, from, to, v);
	}
	return r;
}

static int number_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int find_all(const struct overlaps *o, size_t service, struct bh_vec *v)
{
	struct fact f = fact_of(&o->set->services[service].select, (uint32_t)service);
	size_t n = o->set->n_services, from = first_of(o, &f, class_cmp), to = from;
	int r = take(o, service, 0, from, v);

	if (f.said != SAID_NOTHING) {
		if (r >= 0)
			r = take_like(o, service, &f, v);
		/* beyond its class */
		for (size_t hi = n; to < hi;) {
			size_t mid = to + (hi - to) / 2;

			if (class_cmp(&o->facts[mid], &f) <= 0)
				to = mid + 1;
			else
				hi = mid;
		}
	}
	if (r >= 0)
		r = take(o, service, to, n, v);
	if (r >= 0 && v->n)
		qsort(v->data, v->n, sizeof(uint32_t), number_cmp);
	return r;
}

int overlaps_get(struct overlaps *o, size_t service, const struct overlap **ret)
{
	struct overlap *out = &o->of[service];
	struct bh_vec v;

	*ret = out;
	if (out->n)
		return 0;
	bh_vec_init(&v, sizeof(uint32_t), o->set->n_services);
	if (find_all(o, service, &v) < 0) {
		bh_vec_done(&v);
		return -ENOMEM;
	}
	*out = (struct overlap) { v.data, v.n };
	return 0;
}
