/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_FLOW_FLOOD_H
#define BULKHEAD_FLOW_FLOOD_H

#include <bulkhead/base/err.h>
#include <bulkhead/model/record.h>

/*
 * So many records a second of one namespace, and what is beyond that in aggregated records: so that one
 * container neither fills the disk nor pushes the records of others out of it. Pure; one for each
 * namespace. Every packet is in the record that was let pass or in an aggregated one.
 */

struct flood_options {
	uint32_t per_second; /* and as many at once after a quiet second; at least 1 */
	/*
	 * Gets each aggregated record: direction, verdict, rule kind, counts, times, flows and samples
	 * are set. What it returns below 0 is passed over: the packets were handed out.
	 */
	int (*emit)(struct flow_record *rec, void *arg);
	void *arg;
};

struct flood;
int flood_new(const struct flood_options *o, struct flood **ret, struct bh_err *err);
void flood_free(struct flood *f); /* takes NULL; what is not handed out is lost */

/*
 * True: REC is one too many, and is part of an aggregated record now. Aggregated records never are.
 * NOW: microseconds since the epoch.
 */
bool flood_takes(struct flood *f, const struct flow_record *rec, int64_t now);
/*
 * Hand out what has been quiet for FLOOD_QUIET_USEC, or has gone on for FLOOD_UPDATE_USEC; ALL: everything.
 * About once a second.
 */
#define FLOOD_QUIET_USEC  2000000
#define FLOOD_UPDATE_USEC 10000000
void flood_tick(struct flood *f, int64_t now, bool all);

#endif
