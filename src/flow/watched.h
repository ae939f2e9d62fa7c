/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_FLOW_WATCHED_H
#define BULKHEAD_SRC_FLOW_WATCHED_H

#include <bulkhead/flow/signals.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "attempt.h"
#include "distinct.h"

/*
 * What is remembered of each endpoint, and of sources from afar. A source from afar takes the room of
 * the endpoint at which it was first seen: a flood there pushes out its own, those that tried least
 * first.
 */

/* Who may be scanning: an endpoint of this host, or an address. */
struct source {
	uint64_t id;
	struct distinct ports, peers;
	uint32_t last;    /* seconds: when it tried something */
	uint64_t packets; /* since it was told last */
	int64_t told;     /* when; 0 = never */
	uint32_t told_ports, told_peers;
	/* from afar: */
	struct watched *host;
	struct source *prev, *next; /* of the same host */
	UT_hash_handle hh;
};

/* So many within BH_SIGNAL_TOLD_S, and how many more there were. */
struct allowance {
	int64_t since;
	unsigned told;
	uint64_t kept_back;
};

/* Something that is told now and again. */
struct repeated {
	uint64_t id;
	int64_t told; /* 0 = never */
	uint64_t packets;
};

#define ANSWERS 64

struct watched {
	uint64_t id;
	struct source own; /* what it tries itself */
	struct source *guests;
	size_t n_guests;
	struct allowance told[SIGNAL_KINDS][WAYS];
	struct repeated raw;
	struct repeated *into; /* of (source, scope) */
	size_t n_into, cap_into;
	uint64_t answers[ANSWERS];   /* pairs of which the first packet was an answer */
	struct watched *prev, *next; /* the longest unused first */
	UT_hash_handle hh;
};

struct watchlist {
	struct watched *table, *by_use;
	struct source *afar;
	size_t n, n_afar;
	uint64_t forgotten;
};

/* NULL: out of memory. What is got stays until the next of the same call. */
struct watched *watchlist_get(struct watchlist *l, uint64_t id);
struct source *watchlist_source(struct watchlist *l, struct watched *at, uint64_t id, uint32_t now);
/*
 * The one with this ID at W; when there is no room a new one takes the place of one told before BEFORE.
 * NULL: *RET_FULL, or out of memory.
 */
struct repeated *watched_into(struct watched *w, uint64_t id, int64_t before, bool *ret_full);
void watchlist_done(struct watchlist *l);

#endif
