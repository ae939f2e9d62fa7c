/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select.h"

#include <string.h>

/* Pods as NetworkPolicies name them: by labels of their own, and of the namespaces they are in. */

static bool is_among(const struct label_match *m, const char *value)
{
	for (size_t i = 0; i < m->n_values; i++)
		if (strcmp(m->values[i], value) == 0)
			return true;
	return false;
}

/* VALUE NULL: there is no such label, which is in no list. */
static bool line_holds(const struct label_match *m, const char *value)
{
	switch (m->op) {
	case LABEL_IN:
		return value && is_among(m, value);
	case LABEL_NOT_IN:
		return !value || !is_among(m, value);
	case LABEL_EXISTS:
		return value;
	case LABEL_DOES_NOT_EXIST:
		return !value;
	}
	return false;
}

static bool namespace_matches(const struct pods *p, const struct endpoint_set *set,
			      const char *namespace)
{
	const struct label_query *q = &p->namespaces;

	if (p->namespace)
		return strcmp(p->namespace, namespace) == 0;
	for (size_t i = 0; i < q->n; i++)
		if (!line_holds(&q->match[i],
				endpoint_set_namespace_label(set, namespace, q->match[i].key)))
			return false;
	return true;
}

/* In the host's namespace nobody is a pod, nor is one of whom nothing is known. */
static bool is_pod(const struct endpoint *e)
{
	return e->runtime != ENDPOINT_UNKNOWN && e->obstacle != ENDPOINT_HOST_NETWORK;
}

bool pods_match(const struct pods *p, const struct endpoint_set *set, const struct endpoint *e,
		bool image_labels)
{
	const struct label_query *q = &p->labels;

	if (!is_pod(e) || !namespace_matches(p, set, e->namespace))
		return false;
	for (size_t i = 0; i < q->n; i++)
		if (!line_holds(&q->match[i], endpoint_label(e, q->match[i].key, image_labels)))
			return false;
	return true;
}

const struct term *pods_candidates(const struct pods *p, const struct term_index *x, size_t *ret_n)
{
	const struct term *by_label = NULL, *by_namespace;
	size_t n_labels = 0, n;

	if (p->n_exact)
		by_label = term_index_labels(x, p->exact, p->n_exact, &n_labels);
	if (!p->namespace) {
		if (by_label)
			*ret_n = n_labels;
		return by_label;
	}
	by_namespace = term_index_find(x, TERM_NAMESPACE, "", p->namespace, &n);
	*ret_n = by_label && n_labels < n ? n_labels : n;
	return by_label && n_labels < n ? by_label : by_namespace;
}

/* --- the same for several policies ------------------------------------------------------------ */

static int match_cmp(const struct label_match *x, const struct label_match *y)
{
	int r = strcmp(x->key, y->key);

	r = r ? r : (int)x->op - (int)y->op;
	if (!r && x->n_values != y->n_values)
		r = x->n_values < y->n_values ? -1 : 1;
	for (size_t i = 0; !r && i < x->n_values; i++)
		r = strcmp(x->values[i], y->values[i]);
	return r;
}

static int query_cmp(const struct label_query *x, const struct label_query *y)
{
	int r = 0;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (size_t i = 0; !r && i < x->n; i++)
		r = match_cmp(&x->match[i], &y->match[i]);
	return r;
}

int pods_cmp(const struct pods *a, const struct pods *b)
{
	int r;

	if (!a->namespace != !b->namespace)
		return a->namespace ? 1 : -1;
	r = a->namespace ? strcmp(a->namespace, b->namespace) : 0;
	r = r ? r : query_cmp(&a->namespaces, &b->namespaces);
	return r ? r : query_cmp(&a->labels, &b->labels);
}

bool pods_port_is(const struct endpoint_port *p, const struct port_name *name)
{
	return p->proto == name->proto && p->name && strcmp(p->name, name->name) == 0;
}

bool pods_have_port(const struct endpoint *e, const struct port_name *name)
{
	for (size_t i = 0; is_pod(e) && i < e->n_ports; i++)
		if (pods_port_is(&e->ports[i], name))
			return true;
	return false;
}
