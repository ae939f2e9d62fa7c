/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_TABLE_H
#define BULKHEAD_SRC_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

/* A failed insertion leaves the table as it was and shows in the handle. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/*
 * Of a flow that the kernel remembers, `seen` packets are counted there. `ahead` of them were
 * recorded when their event came, before a count told of them; `pending` wait to be recorded. What
 * is unclear is never recorded twice: it ends up as not recorded.
 */
struct flow {
	struct flow_id {
		uint8_t source[16], destination[16];
		uint32_t oif; /* 0 = ingress */
		uint16_t port;
		uint8_t family, proto;
	} id; /* hashed byte by byte: nothing between the fields */
	UT_hash_handle hh;
	uint64_t seen, seen_bytes; /* 0: the kernel's count is not known (yet) */
	uint64_t expires_ms;       /* with seen */
	uint64_t ahead, ahead_bytes;
	uint64_t pending, pending_bytes;
	int64_t since, last;           /* of what is pending */
	int64_t met_at;                /* usec: when the kernel was seen to have met it */
	unsigned born, present, grown; /* numbers of snapshots */
	uint8_t missing, idle;         /* snapshots in a row without it, without growth */
	bool logged;                   /* the event of what `seen` counts came */
	bool recorded;                 /* it has a record */
	bool due;                      /* an event came that the next growth is to show */
	bool owed;                     /* retired; events that still come of it are counted */
	bool audit, has_uid, has_gid;
	bool told;  /* an event said which kind of rule denies it, and the rules are the same */
	bool guard; /* with told: it is a guardrail */
	uint32_t uid, gid;
	char interface[16];
};

/* Flows by id. NULL is an empty table; the flows stay their owner's. */
struct flow *flow_table_find(struct flow *table, const struct flow_id *id);
int flow_table_add(struct flow **table, struct flow *f); /* -ENOMEM; the id is not in it yet */
void flow_table_remove(struct flow **table, struct flow *f);
struct flow *
flow_table_next(const struct flow *f); /* NULL behind the last; the table is the first */

#endif
