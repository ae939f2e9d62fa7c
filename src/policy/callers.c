/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "callers.h"

#include <errno.h>
#include <stdlib.h>

#include "cover.h"

int callers_init(struct callers *c, struct lint *l)
{
	*c = (struct callers) { .l = l };
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		c->of[d] = calloc(l->set->n_services + 1, sizeof(*c->of[d]));
		if (!c->of[d])
			return -ENOMEM;
	}
	return 0;
}

void callers_done(struct callers *c)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (size_t i = 0; c->of[d] && i < c->l->set->n_services; i++)
			free(c->of[d][i].c);
		free(c->of[d]);
	}
}

static int caller_cmp(const void *a, const void *b)
{
	const struct caller *x = a, *y = b;

	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	if (x->rule != y->rule)
		return x->rule < y->rule ? -1 : 1;
	return (x->peer > y->peer) - (x->peer < y->peer);
}

static size_t count_peers(const struct service *svc, enum direction dir)
{
	size_t n = 0;

	for (size_t k = 0; k < svc->n_rules[dir]; k++)
		n += svc->rules[dir][k].n_peers;
	return n;
}

static uint32_t number_of(const struct lint *l, const struct peer *p)
{
	const struct service *s = p->service ? lint_service(l, p->service) : NULL;

	return s ? (uint32_t)lint_service_index(l, s) : UINT32_MAX;
}

static struct port_spec span_of(const struct rule *r)
{
	struct port_spec span =
		r->n_ports ? r->ports[0] : (struct port_spec) { PROTO_ANY, 0, 65535 };

	for (size_t i = 1; i < r->n_ports; i++) {
		const struct port_spec *p = &r->ports[i];

		if (p->proto != span.proto)
			span.proto = PROTO_ANY;
		span.lo = p->lo < span.lo ? p->lo : span.lo;
		span.hi = p->hi > span.hi ? p->hi : span.hi;
	}
	return span;
}

static int make(const struct callers *c, size_t service, enum direction dir)
{
	const struct service *svc = &c->l->set->services[service];
	struct caller_list *list = &c->of[dir][service];

	list->c = calloc(count_peers(svc, dir) + 1, sizeof(*list->c));
	if (!list->c)
		return -ENOMEM;
	list->made = true;
	for (size_t k = 0; k < svc->n_rules[dir]; k++) {
		const struct rule *r = &svc->rules[dir][k];
		struct port_spec span = span_of(r);

		for (size_t i = 0; !rule_is_over(r, c->l->now) && i < r->n_peers; i++) {
			uint32_t number = number_of(c->l, &r->peers[i]);

			list->named += number != UINT32_MAX;
			list->c[list->n++] =
				(struct caller) { number, (uint32_t)k, (uint32_t)i, span };
		}
	}
	qsort(list->c, list->n, sizeof(*list->c), caller_cmp);
	return 0;
}

/* Could an endpoint of the service be what this peer names, but for the name? */
static bool peer_could_be(const struct peer *p, const struct service *svc)
{
	if (p->entity == ENTITY_WORLD) /* the host it may be: with the host's network */
		return false;
	return !labels_disjoint(p->labels, p->n_labels, svc->select.labels, svc->select.n_labels);
}

static size_t first_of(const struct caller_list *list, uint32_t service)
{
	size_t lo = 0, hi = list->named;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->c[mid].service < service)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct asked {
	struct lint *l;
	const struct service *far, *near;
	enum direction dir;
	const struct rule *only;
	bool (*fn)(const struct rule *r, void *arg);
	void *arg;
};

static bool may_have_port(const struct rule *r, const struct port_spec *span)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (ports_meet(&r->ports[i], span))
			return true;
	return false;
}

/* May it have a port that is asked for? False, too, when too much was compared. */
static bool is_wanted(const struct asked *a, const struct caller *c)
{
	if (!a->only)
		return lint_step(a->l, 1);
	return lint_step(a->l, a->only->n_ports) && may_have_port(a->only, &c->span);
}

/* False: FN wants no more. */
static bool give(const struct asked *a, const struct caller *c)
{
	const struct rule *rule = &a->far->rules[a->dir][c->rule];

	return !peer_could_be(&rule->peers[c->peer], a->near) || a->fn(rule, a->arg);
}

static bool is_one_of(const struct overlap *same, uint32_t service)
{
	size_t lo = 0, hi = same->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (same->i[mid] < service)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < same->n && same->i[lo] == service;
}

/* Of the two lists, both ascending, the shorter one is gone through. */
static bool give_named(const struct caller_list *list, const struct overlap *same,
		       const struct asked *a)
{
	const struct caller *c = list->c;

	for (size_t i = 0; same->n > list->named && i < list->named; i++)
		if (is_wanted(a, &c[i]) && is_one_of(same, c[i].service) && !give(a, &c[i]))
			return false;
	for (size_t s = 0; same->n <= list->named && s < same->n; s++)
		for (size_t i = first_of(list, same->i[s]);
		     i < list->named && c[i].service == same->i[s]; i++)
			if (is_wanted(a, &c[i]) && !give(a, &c[i]))
				return false;
	return true;
}

int callers_each(struct callers *c, size_t far, enum direction dir, size_t near,
		 const struct overlap *same, const struct rule *only,
		 bool (*fn)(const struct rule *r, void *arg), void *arg)
{
	const struct service *services = c->l->set->services;
	const struct asked a = { c->l, &services[far], &services[near], dir, only, fn, arg };
	const struct caller_list *list = &c->of[dir][far];
	int r = list->made ? 0 : make(c, far, dir);

	if (r < 0 || !give_named(list, same, &a))
		return r;
	for (size_t i = list->named; i < list->n; i++)
		if (is_wanted(&a, &list->c[i]) && !give(&a, &list->c[i]))
			return 0;
	return 0;
}
