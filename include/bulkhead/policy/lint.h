/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_LINT_H
#define BULKHEAD_POLICY_LINT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What lint can say, in one table: `check --lints` prints it, docs/lint.md has a section for each, and
 * accept: in policies names them. An id never changes its meaning.
 */
struct lint_info {
	const char *id;    /* kebab-case */
	const char *title; /* what was found: one sentence */
	const char *why;   /* what is bad about it: one sentence */
	const char *fix;   /* what to do: one sentence */
	bool endpoints;    /* only found where endpoints are known */
	bool always;       /* cannot be accepted */
};

#define LINTS_MAX 64
extern const struct lint_info lints[]; /* by id */
extern const size_t lints_n;           /* <= LINTS_MAX */

const struct lint_info *lint_find(const char *id); /* or NULL */

#endif
