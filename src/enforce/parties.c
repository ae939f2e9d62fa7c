/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parties.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>

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

static int add_endpoint(struct parties *p, size_t i)
{
	const struct endpoint *e = &p->site->endpoints->endpoints[i];
	int r = note_scopes(p, i);

	parties_reset(p, i);
	for (size_t k = 0; k < e->n_addrs && r >= 0; k++)
		r = addr_index_add(&p->index, &e->addrs[k], i, e->netns_ino);
	return r;
}

int parties_init(struct parties *p, const struct site *site, struct bh_err *err)
{
	size_t n = site->endpoints->n;
	int r = 0;

	*p = (struct parties) { .site = site };
	p->ruleset_of = calloc(n + 1, sizeof(struct ruleset *));
	p->scopes_of = calloc(n + 1, sizeof(char *));
	if (!p->ruleset_of || !p->scopes_of)
		r = -ENOMEM;
	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_endpoint(p, i);
	addr_index_finish(&p->index);
	if (r >= 0)
		return 0;
	parties_done(p);
	return bh_err_oom(err);
}

void parties_done(struct parties *p)
{
	addr_index_done(&p->index);
	free(p->ruleset_of);
	for (size_t i = 0; p->scopes_of && i < p->site->endpoints->n; i++)
		free(p->scopes_of[i]);
	free(p->scopes_of);
	*p = (struct parties) { 0 };
}

bool parties_find(const struct bh_addr *a, struct flow_party *ret, void *arg)
{
	const struct parties *p = arg;
	const struct addr_owner *hit = addr_index_find(&p->index, a);
	const struct endpoint *e;

	if (!hit)
		return false;
	e = &p->site->endpoints->endpoints[hit->owner];
	*ret = (struct flow_party) {
		.endpoint = e->id,
		.name = e->name,
		.ruleset = p->ruleset_of[hit->owner],
		.scope = p->scopes_of[hit->owner],
	};
	if (ret->ruleset)
		ret->service = ret->ruleset->services;
	return true;
}
