/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOW_ACCOUNTING_H
#define FLOW_ACCOUNTING_H

#include <bulkhead/flow/account.h>

#include "refused.h"
#include "table.h"

/*
 * What is denied in one namespace, to the packet. account.c keeps it, account_events.c takes what was
 * logged, account_counts.c what the kernel counted, account_records.c makes records of both.
 */

/* Packets of no single flow, since the baseline. */
struct tally {
	uint64_t delta;   /* as of this snapshot */
	uint64_t settled; /* those that may be recorded now */
	uint64_t done;    /* in records, or never to be recorded */
	int64_t since;
};

/*
 * REST: those that neither a known flow nor the kernel's counter of revoked packets counts. RAW:
 * frames made by hand, which belong to no flow.
 */
enum tally_kind { TALLY_REST, TALLY_REVOKED, TALLY_RAW };
#define TALLIES 3

struct flow_account {
	struct flow_account_options o;
	struct flow *flows;
	size_t n_flows;
	bool in_baseline;
	bool raw_passes;        /* as the last of them was logged */
	struct refused refused; /* counted in the rest for good, or part of the baseline */
	unsigned waived;        /* snapshots to come whose tallies are not recorded */
	unsigned doubt;         /* snapshots that settle nothing: a dump lacked a known flow */
	unsigned snapshot;
	int64_t now, before; /* of this snapshot and the one before it */
	struct flow_totals last;
	uint64_t denied[DIRECTIONS], recorded[DIRECTIONS];
	uint64_t allowed[DIRECTIONS], allowed_recorded[DIRECTIONS];
	uint64_t claimed[DIRECTIONS]; /* denied since the baseline, and counted by known flows */
	struct tally tallies[TALLIES][DIRECTIONS];
};

static inline uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- account.c --------------------------------------------------------------------------------- */

/*
 * *ret is NULL when the budget is used up. A flow that was refused stays refused though there be
 * room: what it counts may be in a record of the rest, or of the baseline.
 */
int account_add(struct flow_account *a, const struct flow_id *id, struct flow **ret);
void account_drop(struct flow_account *a, struct flow *f);
struct flow_id account_id(uint32_t oif, const struct bh_addr *source,
			  const struct bh_addr *destination, uint8_t proto, uint16_t port);
void account_count(const struct flow *f, struct flow_count *ret);

/* --- account_records.c ------------------------------------------------------------------------- */

/* REC is counted as recorded and handed out, unless its like is not logged. */
int account_emit(struct flow_account *a, struct flow_record *rec);
/* What an event says of its packet. */
void account_put_event(struct flow_record *rec, const struct flow_log_event *ev);
/* The pending packets of a flow. The source port is not part of a flow. */
int account_emit_pending(struct flow_account *a, struct flow *f);
/* Packets of a tally that no event showed, as one record. */
int account_emit_tally(struct flow_account *a, enum tally_kind kind, enum direction d,
		       uint64_t upto, int64_t now);

#endif
