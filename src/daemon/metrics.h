/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/enforce/enforce.h>
#include <bulkhead/model/flowspec.h>

/*
 * What the daemon counts and measures, and its text in Prometheus' exposition format 0.0.4
 * (docs/metrics.md). Pure: no I/O, no clock. The number of series is bounded: nothing is ever
 * counted by flow, address or endpoint.
 */
struct metrics;

struct metrics *metrics_new(void);    /* all zero; NULL when out of memory */
void metrics_free(struct metrics *m); /* takes NULL */

/* --- how it stands --- */

void metrics_set_endpoints(struct metrics *m, enum endpoint_state state, uint64_t n);
/* Which policies are in force: a short text, copied, cut to 80 bytes. NULL or "": none are. */
void metrics_set_generation(struct metrics *m, const char *generation);
/* Do the policy files hold what was refused? Older policies are in force then. */
void metrics_set_refused(struct metrics *m, bool refused);
void metrics_set_namespaces_held(struct metrics *m, uint64_t n);

/* --- how long it took --- */

/* From the plan to the tables in the kernel, read back. */
void metrics_observe_apply(struct metrics *m, uint64_t usec);
/* A whole comparison of what is wanted with what there is, applies included. */
void metrics_observe_reconcile(struct metrics *m, uint64_t usec);

/* --- what happened: N more of them --- */

enum metrics_reload {
	METRICS_RELOAD_APPLIED, /* the new policies are in force */
	METRICS_RELOAD_REFUSED, /* invalid, or strict: nothing was changed */
	METRICS_RELOAD_FAILED,  /* could not be read or carried out */
};
#define METRICS_RELOADS (METRICS_RELOAD_FAILED + 1)

void metrics_add_repairs(struct metrics *m, uint64_t n);
void metrics_add_failed_applies(struct metrics *m, uint64_t n);
/* How the logger does; counters since the start of the daemon. */
struct metrics_logger {
	bool up;
	uint64_t restarts, records, records_lost, messages_lost, signals;
};
void metrics_set_logger(struct metrics *m, const struct metrics_logger *l);
void metrics_add_reload(struct metrics *m, enum metrics_reload outcome);
/*
 * SERVICE: whose packets were denied; NULL or "" when no service speaks for them, counted as
 * "_none". Beyond BH_METRICS_SERVICES_MAX names, those that are new are counted as "_other". No
 * service can have either of these names.
 */
void metrics_add_denied(struct metrics *m, const char *service, enum direction d, uint64_t n);

/* --- the text --- */

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Add all of it to OUT, made for BH_METRICS_BYTES_MAX. 0 or the error that sticks in OUT. */
int metrics_write(const struct metrics *m, struct bh_buf *out);

#endif
