/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_FLOW_SIGNALS_H
#define BULKHEAD_FLOW_SIGNALS_H

#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/signal.h>

/*
 * Records in, signals out: docs/signals.md. Pure: no I/O, no clock; the time is that of the records.
 * What is remembered is bounded for each endpoint and in all (BH_SIGNAL_* in base/limits.h), so that a
 * flood at one endpoint takes nothing from another; so is how much is told. What a bound keeps back
 * is counted.
 */

struct signals;

struct signals_options {
	/*
	 * Random, and kept with the known pairs: their digests mean nothing without it, and nobody who
	 * does not have it can make two pairs look the same.
	 */
	uint8_t key[BH_SIGNAL_KEY_BYTES];
	/* The known pairs are kept from run to run; else "first" is said of this run. */
	bool kept;
	/*
	 * Gets each signal, which it only borrows. A negative return is handed to whoever called
	 * signals_record(). It must not call the signals itself.
	 */
	int (*emit)(const struct flow_signal *s, void *arg);
	void *arg;
};

int signals_new(const struct signals_options *o, struct signals **ret, struct bh_err *err);
void signals_free(struct signals *s); /* takes NULL */

/*
 * An explained record (flow_explain()): any, in the order in which they come; what is allowed gives no
 * signal. Several signals may come of one record. 0, or what emit returned. Memory that runs out
 * costs signals, which are counted (signals_stats.no_memory), and is no error.
 */
int signals_record(struct signals *s, const struct flow_record *rec);

/*
 * The pairs that are known to have been denied, for whoever keeps them between runs: opaque numbers
 * of 8 bytes, one row a pair.
 */
struct signals_known {
	uint64_t pair;  /* the row's key */
	uint64_t owner; /* whose memory it takes */
	int64_t seen;   /* microseconds since the epoch; a day older than true at most */
};

/* Put one in, as at the start. Over a bound, the ones of the same owner that were seen first go. */
int signals_known_add(struct signals *s, const struct signals_known *k); /* 0 or -ENOMEM */

/*
 * Those that were learnt, or whose `seen` moved, after mark *MARK (0: all), FN for each; *MARK
 * becomes the present one when FN failed for none. So, kept as "insert or replace":
 *     r = signals_known_each(s, &mark, save_one, db);
 * A negative return of FN ends it and is returned. What is forgotten here, to make room, is not told:
 * keep no more than BH_SIGNAL_PAIRS_MAX rows, those with the newest `seen`. Costs a walk over all that
 * are known (a millisecond), and nothing when there is nothing new.
 */
int signals_known_each(struct signals *s, uint64_t *mark,
		       int (*fn)(const struct signals_known *k, void *arg), void *arg);

struct signals_stats {
	uint64_t told[SIGNAL_KINDS];
	uint64_t kept_back[SIGNAL_KINDS]; /* by the bounds of how much is told; first-denied ones
					     are told when they come again later */
	size_t pairs;                     /* known now */
	uint64_t pairs_forgotten;         /* to make room: they may be "first" again */
	uint64_t sources_forgotten; /* sources and endpoints no longer watched, to make room */
	uint64_t no_memory;         /* things not remembered as there was no memory */
};
void signals_stats(const struct signals *s, struct signals_stats *ret);

#endif
