/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_PARTIES_H
#define ENFORCE_PARTIES_H

#include <bulkhead/enforce/site.h>
#include <bulkhead/flow/flow.h>
#include <bulkhead/model/addrindex.h>

/* Who is behind an address: every endpoint's addresses. Borrows the site. */
struct parties {
	struct addr_index index; /* owner: index into the site's endpoints */
	const struct site *site;
	/* [endpoint]; NULL = not known. At first what the policies say, where they were read. */
	const struct ruleset **ruleset_of;
	char **scopes_of; /* [endpoint]; NULL = none */
};

int parties_init(struct parties *p, const struct site *site, struct bh_err *err);
void parties_done(struct parties *p);
/*
 * The endpoint's ruleset is what the policies say: at first, and when what stands in its kernel is
 * known no longer.
 */
void parties_reset(struct parties *p, size_t endpoint);
/* A flow_context.party_of; ARG is a struct parties. */
bool parties_find(const struct bh_addr *a, struct flow_party *ret, void *arg);

#endif
