/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_LINT_PRIVATE_H
#define BULKHEAD_POLICY_LINT_PRIVATE_H

#include <bulkhead/model/policy.h>

struct lint {
	const struct policy_set *set;
	int64_t now;
	struct diag_list *diags;
};

static inline bool rule_is_over(const struct rule *r, int64_t now)
{
	return r->expires && r->expires <= now;
}

/* Flows between services that one end allows and the other certainly refuses. 0 or -ENOMEM. */
int lint_one_sided(const struct lint *l);

/* Flows that cross a scope without what it requires. 0 or -ENOMEM. */
int lint_scopes(const struct lint *l);

#endif
