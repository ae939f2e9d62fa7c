/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/image.h>

static int term_cmp_value(const struct term *a, const struct term *b)
{
	int r = (int)a->kind - (int)b->kind;

	if (!r)
		r = strcmp(a->key, b->key);
	return r ? r : strcmp(a->value, b->value);
}

static int term_cmp(const void *a, const void *b)
{
	const struct term *x = a, *y = b;
	int r = term_cmp_value(x, y);

	return r ? r : (x->endpoint > y->endpoint) - (x->endpoint < y->endpoint);
}

static size_t add_terms(struct term *out, const struct endpoint *e, uint32_t i, bool image_labels)
{
	size_t n = 0;

	if (e->name)
		out[n++] = (struct term) { TERM_NAME, "", e->name, i };
	if (e->namespace)
		out[n++] = (struct term) { TERM_NAMESPACE, "", e->namespace, i };
	if (e->compose_project && e->compose_service)
		out[n++] =
			(struct term) { TERM_COMPOSE, e->compose_project, e->compose_service, i };
	for (size_t k = 0; k < e->n_ports; k++)
		if (e->ports[k].name)
			out[n++] = (struct term) { TERM_PORT, "", e->ports[k].name, i };
	for (size_t k = 0; k < e->n_labels; k++)
		out[n++] = (struct term) { TERM_LABEL, e->labels[k].key, e->labels[k].value, i };
	for (size_t k = 0; image_labels && k < e->n_image_labels; k++)
		out[n++] = (struct term) { TERM_LABEL, e->image_labels[k].key,
					   e->image_labels[k].value, i };
	return n;
}

int term_index_build(struct bh_arena *arena, const struct endpoint_set *endpoints,
		     bool image_labels, struct term_index *ret)
{
	struct term *t;
	size_t n = 0;

	for (size_t i = 0; i < endpoints->n; i++)
		n += 3 + endpoints->endpoints[i].n_labels + endpoints->endpoints[i].n_image_labels +
		     endpoints->endpoints[i].n_ports;
	t = bh_arena_array(arena, n + 1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < endpoints->n; i++)
		n += add_terms(t + n, &endpoints->endpoints[i], (uint32_t)i, image_labels);
	qsort(t, n, sizeof(*t), term_cmp);
	*ret = (struct term_index) { t, n };
	return 0;
}

/* The first term that is not before KEY; with AFTER, the first behind those equal to it. */
static size_t bound(const struct term_index *x, const struct term *key, bool after)
{
	size_t lo = 0, hi = x->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = term_cmp_value(&x->t[mid], key);

		if (r < 0 || (after && r == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct term *term_index_find(const struct term_index *x, enum term_kind kind, const char *key,
				   const char *value, size_t *ret_n)
{
	struct term k = { kind, key, value, 0 };
	size_t first = bound(x, &k, false);

	*ret_n = bound(x, &k, true) - first;
	return x->t + first;
}

const struct term *term_index_labels(const struct term_index *x, const struct label *labels,
				     size_t n, size_t *ret_n)
{
	const struct term *best = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		size_t count;
		const struct term *t =
			term_index_find(x, TERM_LABEL, labels[i].key, labels[i].value, &count);

		if (!best || count < *ret_n) {
			best = t;
			*ret_n = count;
		}
	}
	return best;
}

bool select_labels_match(const struct endpoint *e, const struct label *labels, size_t n,
			 bool image_labels)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = endpoint_label(e, labels[i].key, image_labels);

		if (!value || strcmp(value, labels[i].value) != 0)
			return false;
	}
	return true;
}

/* "project/service" as a glob over both, without building the string for each endpoint. */
static bool compose_matches(const struct endpoint *e, const char *pattern)
{
	char both[BH_YAML_SCALAR_MAX];
	size_t project, service;

	if (!e->compose_project || !e->compose_service)
		return false;
	project = strlen(e->compose_project);
	service = strlen(e->compose_service);
	if (project + service + 2 > sizeof(both))
		return false;
	memcpy(both, e->compose_project, project);
	both[project] = '/';
	memcpy(both + project + 1, e->compose_service, service + 1);
	return bh_glob_match(pattern, both);
}

static bool selector_matches(const struct selector *s, const struct endpoint_set *set,
			     const struct endpoint *e, bool image_labels)
{
	if (s->pods)
		return pods_match(s->pods, set, e, image_labels);
	if (e->runtime == ENDPOINT_UNKNOWN)
		return false; /* what it is called, or not, says nothing */
	if (s->runtime && strcmp(s->runtime, endpoint_runtime_name(e->runtime)) != 0)
		return false;
	if (s->name && (!e->name || !bh_glob_match(s->name, e->name)))
		return false;
	if (s->image && !image_is(s->image, e))
		return false;
	if (s->compose && !compose_matches(e, s->compose))
		return false;
	return select_labels_match(e, s->labels, s->n_labels, image_labels);
}

static bool selector_is_empty(const struct selector *s)
{
	return !s->n_labels && !s->compose && !s->name && !s->image && !s->runtime && !s->pods;
}

bool select_matches(const struct selector *s, const struct endpoint_set *set,
		    const struct endpoint *e, bool image_labels)
{
	return !selector_is_empty(s) && selector_matches(s, set, e, image_labels);
}

static bool is_glob(const char *s)
{
	return strpbrk(s, "*?") != NULL;
}

/* The smallest list of endpoints that the index offers for S, or NULL: look at all of them. */
static const struct term *candidates(const struct selector *s, const struct term_index *x,
				     size_t *ret_n)
{
	const char *slash;
	char project[BH_YAML_SCALAR_MAX];

	if (s->pods)
		return pods_candidates(s->pods, x, ret_n);
	if (s->name && !is_glob(s->name))
		return term_index_find(x, TERM_NAME, "", s->name, ret_n);
	slash = s->compose ? strchr(s->compose, '/') : NULL;
	if (slash && !is_glob(s->compose) && (size_t)(slash - s->compose) < sizeof(project)) {
		memcpy(project, s->compose, (size_t)(slash - s->compose));
		project[slash - s->compose] = '\0';
		return term_index_find(x, TERM_COMPOSE, project, slash + 1, ret_n);
	}
	return s->n_labels ? term_index_labels(x, s->labels, s->n_labels, ret_n) : NULL;
}

/* Endpoints of one service, ascending. */
static int select_service(const struct selector *s, const struct endpoint_set *endpoints,
			  const struct term_index *x, bool image_labels, struct bh_arena *arena,
			  uint32_t *scratch, struct selection_list *ret)
{
	size_t n = 0, count = endpoints->n;
	const struct term *t = candidates(s, x, &count);
	uint32_t *copy;

	for (size_t k = 0; k < count && !selector_is_empty(s); k++) {
		uint32_t i = t ? t[k].endpoint : (uint32_t)k;

		if (n && scratch[n - 1] == i)
			continue;
		if (selector_matches(s, endpoints, &endpoints->endpoints[i], image_labels))
			scratch[n++] = i;
	}
	copy = bh_arena_array(arena, n + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, scratch, n * sizeof(*copy));
	*ret = (struct selection_list) { copy, n };
	return 0;
}

/* services_of from endpoints_of: count, hand out, fill. */
static int invert(struct selection *s, size_t n_services, size_t n_endpoints)
{
	size_t *count = calloc(n_endpoints + 1, sizeof(*count));
	int r = count ? 0 : -ENOMEM;

	for (size_t k = 0; r >= 0 && k < n_services; k++) {
		for (size_t j = 0; j < s->endpoints_of[k].n; j++)
			count[s->endpoints_of[k].i[j]]++;
	}
	for (size_t i = 0; r >= 0 && i < n_endpoints; i++) {
		s->services_of[i].i = bh_arena_array(s->arena, count[i] + 1, sizeof(uint32_t));
		r = s->services_of[i].i ? 0 : -ENOMEM;
	}
	for (size_t k = 0; r >= 0 && k < n_services; k++) {
		for (size_t j = 0; j < s->endpoints_of[k].n; j++) {
			struct selection_list *l = &s->services_of[s->endpoints_of[k].i[j]];

			((uint32_t *)l->i)[l->n++] = (uint32_t)k;
		}
	}
	free(count);
	return r;
}

static int select_all(struct selection *s, const struct policy_set *policies,
		      const struct endpoint_set *endpoints, bool image_labels)
{
	uint32_t *scratch = calloc(endpoints->n + 1, sizeof(*scratch));
	struct bh_arena *temp = bh_arena_new();
	struct term_index x;
	int r = scratch && temp ? 0 : -ENOMEM;

	if (r >= 0)
		r = term_index_build(temp, endpoints, image_labels, &x);
	for (size_t k = 0; r >= 0 && k < policies->n_services; k++)
		r = select_service(&policies->services[k].select, endpoints, &x, image_labels,
				   s->arena, scratch, &s->endpoints_of[k]);
	bh_arena_free(temp);
	free(scratch);
	return r < 0 ? r : invert(s, policies->n_services, endpoints->n);
}

int selection_new(const struct policy_set *policies, const struct endpoint_set *endpoints,
		  bool image_labels, struct selection **ret, struct bh_err *err)
{
	struct bh_arena *arena = bh_arena_new();
	struct selection *s = arena ? bh_arena_alloc(arena, sizeof(*s)) : NULL;

	if (s) {
		s->arena = arena;
		s->services_of = bh_arena_array(arena, endpoints->n + 1, sizeof(*s->services_of));
		s->endpoints_of =
			bh_arena_array(arena, policies->n_services + 1, sizeof(*s->endpoints_of));
	}
	if (!s || !s->services_of || !s->endpoints_of ||
	    select_all(s, policies, endpoints, image_labels) < 0) {
		bh_arena_free(arena);
		return bh_err_oom(err);
	}
	*ret = s;
	return 0;
}

void selection_free(struct selection *s)
{
	if (s)
		bh_arena_free(s->arena);
}
