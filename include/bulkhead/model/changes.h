/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_CHANGES_H
#define BULKHEAD_MODEL_CHANGES_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/policy.h>

/* What makes one policy set another: for who has to judge whose that is, and for who writes it down. */

enum policy_kind { POLICY_SERVICE, POLICY_GROUP, POLICY_SCOPE, POLICY_GUARDRAIL };

/* "service", "group", "scope", "guardrail" */
const char *policy_kind_name(enum policy_kind kind);

/* One object that is new, gone, or means something else. Borrows from the two sets. */
struct policy_change {
	enum policy_kind kind;
	const char *name;
	bool before, after;       /* is it there? */
	const char *owner_before; /* of a service; NULL: it has none, or is not there */
	const char *owner_after;
	struct src_loc loc; /* of what is there, else of what was there */
	/*
	 * Of a service that is in a scope or that a guardrail names, before or after: it comes or goes,
	 * or changes its scope or its select. That moves containers across a boundary which guardrails
	 * keep.
	 */
	bool boundary;
};

/*
 * All changes from BEFORE (NULL: there was nothing) to AFTER, both of policy_parse(), by kind and name.
 * By struct meaning: what moved to another place or was laid out anew is none. The caller frees *RET.
 * 0 or -ENOMEM.
 */
int policy_changes(const struct policy_set *before, const struct policy_set *after,
		   struct policy_change **ret, size_t *ret_n, struct bh_err *err);

#endif
