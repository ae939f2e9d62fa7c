/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "namespace_labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/arena.h>

/* What labels the namespaces of Kubernetes have here. */

static int order(const void *a, const void *b)
{
	const struct namespace_label *x = a, *y = b;
	int r = strcmp(x->namespace, y->namespace);

	return r ? r : strcmp(x->key, y->key);
}

const char *endpoint_set_namespace_label(const struct endpoint_set *s, const char *name,
					 const char *key)
{
	const struct namespace_label wanted = { name, key, NULL }, *l;

	if (strcmp(key, NAMESPACE_NAME_LABEL) == 0)
		return name;
	if (!s->n_namespace_labels)
		return NULL;
	l = bsearch(&wanted, s->namespace_labels, s->n_namespace_labels, sizeof(*l), order);
	return l ? l->value : NULL;
}

bool endpoint_set_same_namespace_labels(const struct endpoint_set *a, const struct endpoint_set *b)
{
	if (a == b)
		return true;
	if (a->n_namespace_labels != b->n_namespace_labels)
		return false;
	for (size_t i = 0; i < a->n_namespace_labels; i++)
		if (order(&a->namespace_labels[i], &b->namespace_labels[i]) != 0 ||
		    strcmp(a->namespace_labels[i].value, b->namespace_labels[i].value) != 0)
			return false;
	return true;
}

/* Stable: the ones that were added first stay first. */
static int order_added(const void *a, const void *b)
{
	const struct namespace_label *const *x = a, *const *y = b;
	int r = order(*x, *y);

	return r ? r : (*x > *y) - (*x < *y);
}

int namespace_labels_take(struct bh_arena *arena, const struct bh_vec *v, struct endpoint_set *s)
{
	const struct namespace_label *added = v->data, **sorted = calloc(v->n + 1, sizeof(*sorted));
	struct namespace_label *out = bh_arena_array(arena, v->n + 1, sizeof(*out));
	size_t n = 0;

	if (!sorted || !out) {
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < v->n; i++)
		sorted[i] = &added[i];
	if (v->n)
		qsort(sorted, v->n, sizeof(*sorted), order_added);
	for (size_t i = 0; i < v->n; i++)
		if (!n || order(&out[n - 1], sorted[i]) != 0)
			out[n++] = *sorted[i];
	free(sorted);
	s->namespace_labels = out;
	s->n_namespace_labels = n;
	return 0;
}
