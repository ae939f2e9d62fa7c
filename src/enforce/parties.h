/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_PARTIES_H
#define ENFORCE_PARTIES_H

#include <bulkhead/enforce/site.h>
#include <bulkhead/flow/flow.h>

/* Who is behind an address: every endpoint's addresses, sorted. Borrows the site. */
struct parties {
	struct party_entry {
		struct bh_addr addr;
		size_t endpoint;
		bool twice; /* claimed by two namespaces: it stands for nobody */
	} * e;
	size_t n;
	const struct endpoint_set *endpoints;
	const struct ruleset **ruleset_of; /* [endpoint]; NULL = not known; set by the owner */
};

int parties_init(struct parties *p, const struct endpoint_set *endpoints, struct bh_err *err);
void parties_done(struct parties *p);
/* A flow_context.party_of; ARG is a struct parties. */
bool parties_find(const struct bh_addr *a, struct flow_party *ret, void *arg);

#endif
