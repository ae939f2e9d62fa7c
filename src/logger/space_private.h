/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOGGER_SPACE_PRIVATE_H
#define LOGGER_SPACE_PRIVATE_H

#define HASH_NONFATAL_OOM 1 /* what was not added shows in its handle */
#include <uthash.h>

#include <bulkhead/flow/flood.h>
#include <bulkhead/flow/flow.h>
#include <bulkhead/nft/counts.h>

#include "logger.h"

/* What a namespace is made of, for the files that keep it: space, look, identity, past, writing. */

#define SPACE_UPDATE_USEC  10000000 /* a flow that goes on is recorded again */
#define SPACE_REMAINS_USEC 2000000  /* the kernel hands a log over within one second */
#define SPACE_TURNS        10       /* where nothing is new is looked at in one second of so many */
#define SPACE_KEEP_USEC    INT64_C(3600000000) /* else its sums would seem to be forgotten */
#define SPACE_DRAIN_ROUNDS 64

enum look_step {
	LOOK_NONE,
	LOOK_BEFORE, /* the totals */
	LOOK_FLOWS4,
	LOOK_FLOWS6,
	LOOK_AFTER,  /* the totals again */
	LOOK_RULES,  /* what policy rules let pass */
	LOOK_RETIRE, /* final counts */
};

/* Its counters are waited for, for a segmentation test (probing.h). */
enum space_probing { PROBING_NO, PROBING_WANTED, PROBING_ASKED };

/* Whom it belongs to, kept also when nobody knows the container any more. */
struct identity {
	bool known;   /* to the roster, ever */
	bool unknown; /* a namespace of which it is not known yet whose it is */
	char id[RECORD_STR], name[RECORD_STR], image[RECORD_STR], netns[RECORD_STR];
	char services[RECORD_STR], owner[RECORD_STR], scope[RECORD_STR];
	enum endpoint_runtime runtime;
};

/* Packets of one direction, over all runs. */
struct space_sums {
	uint64_t denied, recorded;
	uint64_t counter; /* of the kernel, as of the last look */
	/* of connections that are allowed, of this run: in neither of the above */
	uint64_t allowed_recorded;
};

struct space {
	struct logger *l;
	uint64_t ino;
	uint64_t cookie; /* the kernel's for this namespace, and for no later one; 0: it has none */
	struct identity who;
	int64_t left; /* since when only its name is there, by logger_clock(); 0: it is not so */
	struct flow_log *log;
	bool log_failed;
	int counts_fd;
	sd_event_source *log_io, *counts_io;
	struct flow_account *account;
	struct flood *flood;
	bool audit, logged; /* as the account was told */
	bool active; /* something was logged since the last look, or it was not looked at yet */
	bool ending;
	unsigned last_looks; /* that were done since */

	/* the look that is going on: */
	enum look_step step;
	bool baseline;  /* what was counted before is not ours to record */
	bool looked;    /* once, at least */
	unsigned dumps; /* of the flows, still to be read */
	unsigned tries;
	uint32_t seq;
	int64_t asked; /* logger_clock() */
	struct nft_counts *counts;
	struct nft_totals before;

	struct space_sums sums[DIRECTIONS];
	uint64_t allowed_counter[DIRECTIONS]; /* as of the last look */
	bool unkept;                          /* they are others than those that are kept */
	int64_t kept;                         /* when they were, by logger_clock() */
	int64_t hits_at; /* the last look at policy rules, by logger_clock(); 0: none yet */
	bool hits_failed, hits_left_out;
	enum space_probing probing;
	uint64_t probes_asked,
		probes; /* when rules were asked for last; and as they were read last */
	bool probes_read;
	bool counted_out; /* ending, and all but those was read */
	UT_hash_handle hh;
};

struct space *space_find(const struct logger *l, uint64_t ino);
void space_notice(const struct space *s, const char *what);
/* One bounded round; > 0 when there may be more. */
int space_read_log(struct space *s);
void space_flush_flood(struct space *s, bool all);
/* What is counted and waits is recorded now, as whoever's it is. */
void space_record_all(struct space *s);
void space_end(struct space *s);

#endif
