/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

/* Namespaces, the services that meet in each, and which of them say the same. */

bool compiler_is_subject(const struct compiler *c, uint32_t i, bool all)
{
	const struct endpoint *e = compiler_endpoint(c, i);

	return e->obstacle != ENDPOINT_HOST_NETWORK && (all || e->netns);
}

static int u32_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The services of all endpoints in one namespace, ascending, each once. */
static int union_services(struct compiler *c, const uint32_t *members, size_t n,
			  struct selection_list *ret)
{
	const struct selection_list *of = c->resolver.selection->services_of;
	size_t total = 0, out = 0;
	uint32_t *v;

	*ret = of[members[0]];
	if (n == 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		total += of[members[i]].n;
	v = bh_arena_array(c->resolver.arena, total + 1, sizeof(*v));
	if (!v)
		return bh_err_oom(c->err);
	total = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < of[members[i]].n; k++)
			v[total++] = of[members[i]].i[k];
	}
	qsort(v, total, sizeof(*v), u32_cmp);
	for (size_t i = 0; i < total; i++) {
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	}
	*ret = (struct selection_list) { v, out };
	return 0;
}

static int union_resolvers(struct compiler *c, const uint32_t *members, size_t n,
			   struct addr_list *ret)
{
	struct bh_addr *a;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += compiler_endpoint(c, members[i])->n_resolvers;
	a = bh_arena_array(c->resolver.arena, total + 1, sizeof(*a));
	if (!a)
		return bh_err_oom(c->err);
	total = 0;
	for (size_t i = 0; i < n; i++) {
		const struct endpoint *e = compiler_endpoint(c, members[i]);

		for (size_t k = 0; k < e->n_resolvers; k++)
			a[total++] = e->resolvers[k];
	}
	*ret = resolver_tidy(&c->resolver, a, total, false);
	return 0;
}

/* Which guardrails select one of them, ascending. */
static int union_guards(struct compiler *c, const uint32_t *members, size_t n,
			struct selection_list *ret)
{
	const struct guards *g = &c->guards;
	uint32_t *v;
	size_t count = 0;

	*ret = (struct selection_list) { 0 };
	if (!g->n)
		return 0;
	v = bh_arena_array(c->resolver.arena, g->n, sizeof(*v));
	if (!v)
		return bh_err_oom(c->err);
	for (uint32_t k = 0; k < g->n; k++)
		for (size_t i = 0; i < n; i++)
			if (g->g[k].selects[members[i]]) {
				v[count++] = k;
				break;
			}
	*ret = (struct selection_list) { v, count };
	return 0;
}

static bool is_unknown(const struct compiler *c, const uint32_t *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (compiler_endpoint(c, members[i])->runtime == ENDPOINT_UNKNOWN)
			return true;
	return false;
}

/*
 * No service at all: quarantine if the host file says so, or nobody knows yet whose it is. Only
 * `mode: off`: nobody speaks.
 */
static enum speaker find_speaker(const struct compiler *c, const uint32_t *members, size_t n,
				 const struct selection_list *services)
{
	const struct host_config *host = c->resolver.in->host;

	for (size_t i = 0; i < services->n; i++) {
		if (compiler_service(c, services->i[i])->mode != MODE_OFF)
			return SPEAKER_SERVICES;
	}
	if (!services->n &&
	    ((host && host->unmanaged == UNMANAGED_QUARANTINE) || is_unknown(c, members, n)))
		return SPEAKER_QUARANTINE;
	return SPEAKER_NOBODY;
}

int compiler_make_subject(struct compiler *c, const uint32_t *members, size_t n,
			  struct subject *ret, bool *ret_any)
{
	struct subject s = { .home = members[0] };
	bool dns = false, named = false;
	int r = union_services(c, members, n, &s.services);

	if (r >= 0)
		r = union_guards(c, members, n, &s.guards);
	if (r < 0)
		return r;
	s.speaker = find_speaker(c, members, n, &s.services);
	*ret_any = s.speaker != SPEAKER_NOBODY || s.guards.n;
	for (size_t i = 0; i < s.services.n; i++) {
		dns |= compiler_service(c, s.services.i[i])->dns;
		named |= c->live[s.services.i[i]].named_ingress;
	}
	if (*ret_any && dns)
		r = union_resolvers(c, members, n, &s.resolvers);
	if (r >= 0 && *ret_any && named)
		r = named_of_members(c, members, n, &s);
	*ret = s;
	return r;
}

static int add_subject(struct compiler *c, const uint32_t *members, size_t n)
{
	bool any;
	int r = compiler_make_subject(c, members, n, &c->subjects[c->n_subjects], &any);

	if (r >= 0 && any)
		c->n_subjects++;
	return r;
}

struct member {
	uint32_t home, endpoint;
};

static int member_cmp(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int r = u32_cmp(&x->home, &y->home);

	return r ? r : u32_cmp(&x->endpoint, &y->endpoint);
}

static int list_subjects(struct compiler *c, bool all)
{
	size_t n = c->resolver.in->endpoints->n, count = 0, size;
	bh_autofree struct member *m = calloc(n + 1, sizeof(*m));
	bh_autofree uint32_t *members = calloc(n + 1, sizeof(*members));
	int r = 0;

	c->subjects = bh_arena_array(c->resolver.arena, n + 1, sizeof(*c->subjects));
	if (!m || !members || !c->subjects)
		return bh_err_oom(c->err);
	for (uint32_t i = 0; i < n; i++) {
		if (compiler_is_subject(c, i, all))
			m[count++] = (struct member) { c->resolver.claims.namespace_of[i], i };
	}
	qsort(m, count, sizeof(*m), member_cmp);
	for (size_t i = 0; r >= 0 && i < count; i += size) {
		for (size = 0; i + size < count && m[i + size].home == m[i].home; size++)
			members[size] = m[i + size].endpoint;
		r = add_subject(c, members, size);
	}
	return r;
}

bool compiler_follows(const struct compiler *c, const struct selection_list *services)
{
	for (size_t i = 0; i < services->n; i++) {
		if (compiler_service(c, services->i[i])->egress_follow)
			return true;
	}
	return false;
}

static void hand_out_hits(struct compiler *c)
{
	const struct follow_hit *h = c->hits.data;
	size_t at = 0;

	/* both are sorted by namespace */
	for (size_t i = 0; i < c->n_subjects; i++) {
		struct subject *s = &c->subjects[i];
		uint32_t home = c->resolver.claims.namespace_of[s->home];

		while (at < c->hits.n && h[at].home < home)
			at++;
		s->hits = h ? h + at : NULL;
		while (at < c->hits.n && h[at].home == home) {
			s->n_hits++;
			at++;
		}
	}
}

static int find_hits(struct compiler *c)
{
	bool *wanted = calloc(c->resolver.in->endpoints->n + 1, sizeof(*wanted));
	bool any = false;
	int r = 0;

	if (!wanted)
		return bh_err_oom(c->err);
	for (size_t i = 0; i < c->n_subjects; i++) {
		if (compiler_follows(c, &c->subjects[i].services))
			any = wanted[c->resolver.claims.namespace_of[c->subjects[i].home]] = true;
	}
	if (any)
		r = follow_find(&c->resolver, c->live, wanted, &c->hits);
	free(wanted);
	if (r < 0)
		return bh_err_oom(c->err);
	hand_out_hits(c);
	return 0;
}

static int list_cmp(const struct selection_list *x, const struct selection_list *y)
{
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->n ? memcmp(x->i, y->i, x->n * sizeof(*x->i)) : 0;
}

static int resolvers_cmp(const struct subject *x, const struct subject *y)
{
	int r = 0;

	if (x->resolvers.n != y->resolvers.n)
		return x->resolvers.n < y->resolvers.n ? -1 : 1;
	for (size_t i = 0; !r && i < x->resolvers.n; i++)
		r = bh_addr_cmp(&x->resolvers.a[i], &y->resolvers.a[i]);
	return r;
}

static int hits_cmp(const struct subject *x, const struct subject *y)
{
	int r = 0;

	if (x->n_hits != y->n_hits)
		return x->n_hits < y->n_hits ? -1 : 1;
	for (size_t i = 0; !r && i < x->n_hits; i++) {
		const struct follow_hit *a = &x->hits[i], *b = &y->hits[i];

		r = u32_cmp(&a->service, &b->service);
		r = r ? r : u32_cmp(&a->rule, &b->rule);
		r = r ? r : (int)a->families - (int)b->families;
	}
	return r;
}

static int ports_cmp(const struct subject *x, const struct subject *y)
{
	if (x->n_ports != y->n_ports)
		return x->n_ports < y->n_ports ? -1 : 1;
	return x->n_ports ? memcmp(x->ports, y->ports, x->n_ports * sizeof(*x->ports)) : 0;
}

int subject_cmp_content(const struct subject *x, const struct subject *y)
{
	int r = (int)x->speaker - (int)y->speaker;

	r = r ? r : list_cmp(&x->services, &y->services);
	r = r ? r : list_cmp(&x->guards, &y->guards);
	r = r ? r : resolvers_cmp(x, y);
	r = r ? r : ports_cmp(x, y);
	return r ? r : hits_cmp(x, y);
}

static int subject_cmp(const void *a, const void *b)
{
	const struct subject *x = a, *y = b;
	int r = subject_cmp_content(x, y);

	return r ? r : u32_cmp(&x->home, &y->home);
}

int compiler_make_subjects(struct compiler *c, bool all)
{
	int r = list_subjects(c, all);

	if (r >= 0)
		r = find_hits(c);
	if (r >= 0)
		qsort(c->subjects, c->n_subjects, sizeof(*c->subjects), subject_cmp);
	return r;
}
