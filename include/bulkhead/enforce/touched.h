/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_TOUCHED_H
#define BULKHEAD_ENFORCE_TOUCHED_H

#include <bulkhead/base/limits.h>
#include <bulkhead/enforce/site.h>

/* What a change of policies touches, as the audit trail names it. */
struct touched {
	char text[BH_AUDIT_OBJECTS_MAX][BH_AUDIT_WORD_MAX];
	const char *list[BH_AUDIT_OBJECTS_MAX]; /* into TEXT */
	size_t n; /* all of them; the first BH_AUDIT_OBJECTS_MAX are there */
};

/*
 * "owner/NAME", "host-file", "service/NAME", "guardrail/NAME", ...: owners first, there are few of them.
 * Owners as they were written: hostile. None when one of the two has no policies: all would be new, or
 * it is not known what is.
 */
void site_touched(const struct site *before, const struct site *after, struct touched *ret);

#endif
