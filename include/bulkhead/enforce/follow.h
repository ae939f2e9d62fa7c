/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_ENFORCE_FOLLOW_H
#define BULKHEAD_ENFORCE_FOLLOW_H

#include <bulkhead/enforce/site.h>
#include <bulkhead/model/record.h>

/*
 * Follow denied flows, and connections that are allowed where that is logged, of many namespaces at once: NFLOG for the first packet of each, the kernel's
 * denied sets and counters for all the others. One process may follow a namespace at a time.
 */

struct follow_sums {
	uint64_t denied;       /* packets that the kernel's counters say were denied meanwhile */
	uint64_t recorded;     /* packets in the records handed out */
	uint64_t not_recorded; /* denied - recorded */
	/* the same of connections that are allowed, where that is logged; in none of the above */
	uint64_t allowed, allowed_recorded, allowed_not_recorded;
	uint64_t log_lost; /* NFLOG messages lost; their packets are in the counts all the same */
	size_t cut_short;  /* namespaces that a failure ended; what came after it is in no count */
};

struct follow_callbacks {
	/* A record, explained. A negative return ends the following with it. */
	int (*record)(const struct flow_record *rec, void *arg);
	/* Some were handed out, and no more are there now. A negative return is like that of a record. */
	int (*drained)(void *arg);
	/* Once, when every namespace is listened to. */
	void (*ready)(size_t n_namespaces, void *arg);
	/* Something a person should know: a namespace that cannot be followed, or has gone. */
	void (*notice)(const char *sentence, void *arg);
	void *arg;
};

/*
 * Follow until SIGINT or SIGTERM. S needs endpoints; with rulesets as well, owners are known and
 * only what S manages is followed, otherwise every namespace that holds a table of ours.
 * -ENOENT when there is none; -EBUSY when all of them are being followed already.
 */
int follow_run(struct site *s, const struct follow_callbacks *cb, struct follow_sums *ret,
	       struct bh_err *err);

#endif
