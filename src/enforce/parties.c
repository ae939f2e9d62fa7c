/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

static int entry_order(const void *a, const void *b)
{
	const struct party_entry *x = a, *y = b;

	return bh_addr_cmp(&x->addr, &y->addr);
}

static bool same_namespace(const struct endpoint *a, const struct endpoint *b)
{
	return a == b || (a->netns_ino && a->netns_ino == b->netns_ino);
}

/* Keep one entry an address; one that two namespaces claim stands for nobody. */
static void merge_equal(struct parties *p)
{
	const struct endpoint *eps = p->site->endpoints->endpoints;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		if (n && bh_addr_cmp(&p->e[n - 1].addr, &p->e[i].addr) == 0)
			p->e[n - 1].twice |=
				!same_namespace(&eps[p->e[n - 1].endpoint], &eps[p->e[i].endpoint]);
		else
			p->e[n++] = p->e[i];
	}
	p->n = n;
}

void parties_reset(struct parties *p, size_t endpoint)
{
	const struct ruleset_item *item = site_item_of(p->site, endpoint);

	p->ruleset_of[endpoint] = item ? item->ruleset : NULL;
}

static int note_scopes(struct parties *p, size_t endpoint)
{
	char scopes[RECORD_STR];

	if (!site_scopes_of(p->site, endpoint, scopes, sizeof(scopes))[0])
		return 0;
	p->scopes_of[endpoint] = strdup(scopes);
	return p->scopes_of[endpoint] ? 0 : -ENOMEM;
}

int parties_init(struct parties *p, const struct site *site, struct bh_err *err)
{
	const struct endpoint_set *endpoints = site->endpoints;
	size_t total = 0;

	for (size_t i = 0; i < endpoints->n; i++)
		total += endpoints->endpoints[i].n_addrs;
	*p = (struct parties) { .site = site };
	p->e = calloc(total + 1, sizeof(*p->e));
	p->ruleset_of = calloc(endpoints->n + 1, sizeof(struct ruleset *));
	p->scopes_of = calloc(endpoints->n + 1, sizeof(char *));
	if (!p->e || !p->ruleset_of || !p->scopes_of) {
		parties_done(p);
		return bh_err_oom(err);
	}
	for (size_t i = 0; i < endpoints->n; i++) {
		parties_reset(p, i);
		if (note_scopes(p, i) < 0) {
			parties_done(p);
			return bh_err_oom(err);
		}
		for (size_t k = 0; k < endpoints->endpoints[i].n_addrs; k++)
			p->e[p->n++] =
				(struct party_entry) { .addr = endpoints->endpoints[i].addrs[k],
						       .endpoint = i };
	}
	qsort(p->e, p->n, sizeof(*p->e), entry_order);
	merge_equal(p);
	return 0;
}

void parties_done(struct parties *p)
{
	free(p->e);
	free(p->ruleset_of);
	for (size_t i = 0; p->scopes_of && i < p->site->endpoints->n; i++)
		free(p->scopes_of[i]);
	free(p->scopes_of);
	*p = (struct parties) { 0 };
}

bool parties_find(const struct bh_addr *a, struct flow_party *ret, void *arg)
{
	const struct parties *p = arg;
	const struct party_entry key = { .addr = *a };
	const struct party_entry *hit = bsearch(&key, p->e, p->n, sizeof(key), entry_order);
	const struct endpoint *e;

	if (!hit || hit->twice)
		return false;
	e = &p->site->endpoints->endpoints[hit->endpoint];
	*ret = (struct flow_party) {
		.endpoint = e->id,
		.name = e->name,
		.ruleset = p->ruleset_of[hit->endpoint],
		.scope = p->scopes_of[hit->endpoint],
	};
	if (ret->ruleset)
		ret->service = ret->ruleset->services;
	return true;
}
