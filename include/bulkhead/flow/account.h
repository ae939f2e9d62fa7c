/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_FLOW_ACCOUNT_H
#define BULKHEAD_FLOW_ACCOUNT_H

#include <bulkhead/base/err.h>
#include <bulkhead/flow/flow.h>
#include <bulkhead/model/record.h>

/*
 * The accounting of one namespace: log events and the kernel's counts in, records out, so that the
 * packets of all records plus those not recorded are the packets denied. Pure: no I/O, no clock.
 *
 * The caller's order, which the sums depend on. "The counts" are read so: the totals, then the
 * denied flows, then the totals again; flow_account_end() gets `denied` and `allowed` from the first
 * totals, `revoked` and `raw` from the second.
 *   1. read the counts, the flows twice: flow_account_baseline(), _flow()..., _end();
 *   2. only then flow_log_open();
 *   3. again and again: read the log until it is drained and feed flow_account_event(); read the
 *      counts and feed flow_account_snapshot(), _flow()..., _end(); take
 *      flow_account_candidates(), retire them in the kernel, feed the final counts to
 *      flow_account_retired();
 *   4. at the end two more snapshots, or some more until flow_account_settled(), no event behind
 *      them; flow_account_finish().
 * Without 1, what the kernel has counted since the table was made is ours, and recorded.
 *
 * A denied flow is logged once while the kernel remembers it and its packets are counted in the
 * kernel; an event's packet is part of that count. So an event makes a record of one packet at
 * once, and what the count has above the packets already recorded is recorded later.
 *
 * Packets that are denied and that no known flow counts (the kernel's set was full, or its element
 * went before it was read, or there was no room in memory) become part of an aggregated record.
 * The kernel counts a packet in its flow or in `revoked` before it counts it in `denied`. So, in
 * that order of reading, denied less revoked less what the flows count is never more than those
 * packets are, but for a flow that one dump has missed: the smaller of two snapshots counts, and
 * none that does not show all flows in memory.
 */

enum flow_log_kind {
	FLOW_LOG_DENY,
	FLOW_LOG_AUDIT,
	FLOW_LOG_REVOKED,
	FLOW_LOG_GUARD, /* a guardrail denied it, in audit mode and where nothing is logged, too */
	FLOW_LOG_RAW,   /* a frame that the stack has not made, or of a source not its own */
	FLOW_LOG_RAW_AUDIT, /* the same, and it passed */
	FLOW_LOG_ALLOW, /* the first packet of a connection that a policy rule allows: not denied */
};

/* The direction of a packet that leaves by the interface OIF; 0 = it does not leave. */
static inline enum direction flow_direction(uint32_t oif)
{
	return oif ? DIRECTION_EGRESS : DIRECTION_INGRESS;
}

/* A denied flow as the kernel counts it. */
struct flow_count {
	uint32_t oif; /* see flow_direction() */
	struct bh_addr source, destination;
	uint8_t proto;
	uint16_t port; /* destination port; for ICMP and ICMPv6 type << 8 | code */
	uint64_t packets, bytes;
	uint64_t expires_ms; /* until the kernel forgets it; 0 in a final count */
};

/* Packets by the kernel's counters. A value below the one before = the table was made anew. */
struct flow_totals {
	uint64_t denied[DIRECTIONS], revoked[DIRECTIONS];
	uint64_t raw; /* frames made by hand: denied, all egress, and in none of the above */
	/* first packets of connections that are allowed, where that is logged: not denied */
	uint64_t allowed[DIRECTIONS];
};

/*
 * Flows in memory, shared between the accounts of all namespaces. However many flood: each account may
 * have OWN of them though all are used up, so that what is first denied elsewhere is told.
 */
struct flow_budget {
	size_t used, max; /* max: BH_FLOWS_MAX */
	size_t own;       /* BH_FLOWS_OWN */
};

/*
 * Gets each record; its tuple, verdict, direction, rule_kind, counts, times, interface and ids are
 * set, flow_explain() does the others. A negative return is handed to whoever called the account.
 */
typedef int flow_account_emit(struct flow_record *rec, void *arg);

struct flow_account_options {
	bool audit;          /* the namespace is in audit mode: verdict of flows without event */
	bool logged;         /* else nothing is recorded but what guardrails deny */
	int64_t update_usec; /* a flow that goes on is recorded again after this; 0 = at the end */
	struct flow_budget *budget; /* borrowed */
	flow_account_emit *emit;
	void *arg;
};

struct flow_account;
int flow_account_new(const struct flow_account_options *o, struct flow_account **ret,
		     struct bh_err *err);
void flow_account_free(struct flow_account *a); /* takes NULL */

/* The namespace's rules are others now: its mode, and what denies a flow that is known. */
void flow_account_set_mode(struct flow_account *a, bool audit, bool logged);

/* All times: microseconds since the epoch, never going back. */

/* A first packet. The event's own when is used. */
int flow_account_event(struct flow_account *a, enum flow_log_kind kind,
		       const struct flow_log_event *ev);

/* What the kernel held before we came: it is not ours to record. */
void flow_account_baseline(struct flow_account *a, int64_t now);
/* What it holds now. */
void flow_account_snapshot(struct flow_account *a, int64_t now);
/* Each flow of either; a flow may come twice (a dump during a resize), or be missed once. */
int flow_account_flow(struct flow_account *a, const struct flow_count *f);
/*
 * TOTALS are of two readings, see above. Records what is due. When the flows or totals could not be
 * read to the end this is left out, and the next snapshot begun.
 */
int flow_account_end(struct flow_account *a, const struct flow_totals *totals);

/*
 * The flows whose count should be closed: idle for two snapshots, or soon forgotten by the kernel
 * (which would take the last count with it). At most CAP; returns how many.
 */
size_t flow_account_candidates(struct flow_account *a, struct flow_count *out, size_t cap);
/* The final count of one: the kernel has just deleted it. Those that it no longer had: no call. */
int flow_account_retired(struct flow_account *a, const struct flow_count *final, int64_t now);

/* False: a dump has just missed a known flow; before the end, further snapshots are better. */
bool flow_account_settled(const struct flow_account *a);
/* Record all that is counted and not yet recorded. */
int flow_account_finish(struct flow_account *a, int64_t now);

/*
 * Nothing is known that more counts could change: as long as the kernel's totals stay as they are, a
 * snapshot would record nothing.
 */
bool flow_account_rests(const struct flow_account *a);

/* denied = recorded + not_recorded, always. */
struct flow_sums {
	uint64_t denied, recorded, not_recorded;
};
void flow_account_sums(const struct flow_account *a, enum direction d, struct flow_sums *ret);

/*
 * The same of connections that are allowed, where that is logged: allowed = recorded + not_recorded.
 * Not recorded are those beyond the kernel's limit (BH_ALLOW_LOG_PER_S), and those whose log message
 * was lost.
 */
struct flow_allowed {
	uint64_t allowed, recorded, not_recorded;
};
void flow_account_allowed(const struct flow_account *a, enum direction d, struct flow_allowed *ret);

#endif
