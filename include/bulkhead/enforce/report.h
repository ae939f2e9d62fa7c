/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_REPORT_H
#define BULKHEAD_ENFORCE_REPORT_H

#include <jansson.h>

#include <bulkhead/enforce/enforce.h>

/*
 * What status and apply say, as the objects that --json prints (docs/endpoints.md), so that a daemon
 * can say it to a command line somewhere else. Hostile text in them is escaped. Each is the caller's;
 * NULL: out of memory.
 */

/* "endpoint", "name", "services", "state", "finding", ... */
json_t *report_endpoint(const struct site *s, const struct endpoint_status *st);
/* "kernel", "state", "finding", "why", "lacks" */
json_t *report_kernel(const struct kernel_status *k);
/*
 * "endpoint", "name", "services", "outcome", "why", "changes" (lines of ruleset_change_format(), at
 * most BH_PLAN_LINES_MAX), "n_changes"
 */
json_t *report_planned(const struct site *s, const struct plan_item *item);
/* "endpoint", "name", "services", "outcome", "why" */
json_t *report_applied(const struct site *s, const struct apply_result *res);

/* What a daemon says of itself has "daemon" in place of "endpoint"; this is its name. */
#define REPORT_DAEMON "bulkheadd"
/* How the kernel's own line is called. */
#define REPORT_KERNEL      "nf_tables"
#define REPORT_UNSUPPORTED "unsupported"

#endif
