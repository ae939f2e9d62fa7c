/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_COMPILE_BYNAME_H
#define BULKHEAD_SRC_COMPILE_BYNAME_H

#include <bulkhead/compile/flows.h>

#include "flowmap.h"

/*
 * What two policy sets say otherwise of a service, a guardrail or a scope and that is no flow.
 * Everything lives in ARENA, and borrows from the sets. -ENOMEM.
 */
int named_changes(const struct policy_set *before, const struct policy_set *after,
		  const struct flowmap maps[2], struct bh_arena *arena,
		  const struct named_change **ret, size_t *ret_n, struct bh_err *err);

#endif
