/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_READER_H
#define STORE_FLOWS_READER_H

#include <sys/types.h>

#include "flows_db.h"
#include "flows_map.h"
#include "flows_match.h"
#include "flows_numbers.h"
#include "flows_texts.h"

/* The parts of a reader. */

enum flows_kind { OF_RECORDS, OF_SIGNALS };
#define FLOWS_KINDS 2

struct flows_reader {
	int dir;
	sqlite3 *db;
	dev_t dev; /* of the file that is open */
	ino_t ino;
	struct flows_texts texts;
	sqlite3_stmt *get[FLOWS_KINDS]; /* one row by its number, with its flow */
	sqlite3_stmt *sender;           /* who sent it, by its number; NULL: nobody asked yet */
	/* For flows_follow(). */
	sqlite3_stmt *version, *news[FLOWS_KINDS];
	int64_t seen_version, seen[FLOWS_KINDS];
	sqlite3_stmt *row; /* of a flow, with COLUMNS: those that the filter looks at */
	uint64_t columns;
	struct flows_map known; /* 1: it matches */
};

/* For those that have a database by other means; R has db, and owns what it is given then. */
int flows_reader_prepare(struct flows_reader *r, struct bh_err *err);

/* What is there already is no news. */
int flows_follow_begin(struct flows_reader *r, struct bh_err *err);

/* A snapshot: what is read between them belongs together, and the writer's log cannot end. */
int flows_reader_begin(struct flows_reader *r, struct bh_err *err);
void flows_reader_end(struct flows_reader *r);
/* An error that one of the lookups has kept. */
int flows_reader_error(struct flows_reader *r, struct bh_err *err);

/* A damaged database may be one that has no end: -E2BIG over BH_FLOWS_READ_MAX. */
int flows_count_row(int64_t *seen, struct bh_err *err);

/*
 * The flows that match, in RET (with the value of FN, or 0 without one): FN gets each and may return an
 * error. Within a snapshot.
 */
int flows_scan(struct flows_reader *r, const struct flows_filter *f, uint64_t columns,
	       int (*fn)(const struct flows_row *row, uint32_t *ret_value, void *arg), void *arg,
	       struct flows_map *ret, struct bh_err *err);

/* The bounds within which `first` of all records is that may be of the times of F. */
int flows_time_bounds(struct flows_reader *r, const struct flows_filter *f, int64_t *ret_from,
		      int64_t *ret_to, struct bh_err *err);

/* A record, as far as it is known without looking it up. */
struct flows_brief {
	int64_t id, first, packets, span;
};
/* 1: F's `whose` is of that one, or does not ask; 0: it is another's. */
int flows_is_whose(struct flows_reader *r, const struct flows_filter *f,
		   const struct flows_brief *rec, struct bh_err *err);

/* One that was found: what it is sorted by, and its number. */
struct flows_hit {
	int64_t value, id;
};

/* Hand out records or signals by their numbers, in that order; FN gets either. */
struct flows_handing {
	int (*record)(const struct flow_record *rec, void *arg);
	int (*signal)(const struct flow_signal *s, void *arg);
	void *arg;
};
int flows_hand_out(struct flows_reader *r, enum flows_kind kind, const struct flows_hit *hits,
		   size_t n, const struct flows_handing *h, struct bh_err *err);

#endif
