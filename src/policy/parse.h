/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_PARSE_PRIVATE_H
#define BULKHEAD_POLICY_PARSE_PRIVATE_H

#include <bulkhead/policy/policy.h>

/* As policy_parse(). INCOMPLETE: a mistake was reported before, about a file that is not here. */
int sources_parse(const struct policy_source *sources, size_t n, bool incomplete,
		  struct policy_set **ret_set, struct diag_list *diags, struct bh_err *err);

void source_too_big(struct diag_list *diags, const char *file);

#endif
