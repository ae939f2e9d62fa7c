/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_NUMBERS_H
#define STORE_FLOWS_NUMBERS_H

#include <stdint.h>

#include <sqlite3.h>

#include <bulkhead/base/err.h>

/* The table `state`: what the history knows of itself. A number that is not there is 0. */
enum flows_number {
	FLOWS_NEXT_RECORD,
	FLOWS_NEXT_FLOW,
	FLOWS_NEXT_TEXT,
	FLOWS_NEXT_SIGNAL,
	FLOWS_STEP,    /* see flows_intern.h */
	FLOWS_LONGEST, /* microseconds: no record is longer */
	FLOWS_RECORDS, /* that were ever written */
	FLOWS_PACKETS,
	FLOWS_AGED_RECORDS, /* of them, removed by retention */
	FLOWS_AGED_PACKETS,
	FLOWS_LOST_RECORDS,
	FLOWS_LOST_PACKETS,
	FLOWS_LOST_SIGNALS,
	FLOWS_BEGUN,
	FLOWS_WATCHED, /* microseconds that loggers have run: rules.h */
	FLOWS_BOOT,    /* of the machine, when the counters were read last */
	FLOWS_PROBES,  /* segmentation tests that the logger knew of: flows_probes_mark() */
	FLOWS_APART,   /* microseconds since the epoch: since when their hits are told apart */
};
#define FLOWS_STATE_NUMBERS 18

int flows_numbers_load(sqlite3 *db, int64_t ret[FLOWS_STATE_NUMBERS], struct bh_err *err);
/* Those that differ from SAVED, by PUT: flows_numbers_sql. */
extern const char flows_numbers_sql[];
int flows_numbers_save(sqlite3_stmt *put, const int64_t now[FLOWS_STATE_NUMBERS],
		       const int64_t saved[FLOWS_STATE_NUMBERS], struct bh_err *err);

#endif
