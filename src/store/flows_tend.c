/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_writer.h"

/* Retention: by age, by size, and of what is referred to no more. Always a piece at a time. */

#define PAGE_BYTES   4096
#define USEC_PER_DAY (INT64_C(86400) * 1000000)
#define BATCH_BYTES  1024 /* that a record takes at most, but for the rarest */

/*
 * The first number of its first row; without one NONE. What fails must be known: SQLite takes back the whole
 * transaction when memory runs out, and what came then would be written outside of it.
 */
static int number_of(sqlite3_stmt *s, int64_t none, int64_t *ret, struct bh_err *err)
{
	int r = flows_db_next(s, err);

	*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	if (!*ret)
		*ret = none;
	sqlite3_reset(s);
	return r < 0 ? r : 0;
}

static int number(struct flows *f, enum flows_statement i, int64_t *ret, struct bh_err *err)
{
	return number_of(f->statements[i], 0, ret, err);
}

static int oldest_record(struct flows *f, int64_t *ret, struct bh_err *err)
{
	return number_of(f->statements[OLDEST_RECORD], f->numbers[FLOWS_NEXT_RECORD], ret, err);
}

/* --- rows that are removed -------------------------------------------------------------------- */

/* Count what a DELETE ... RETURNING packets gives. How many there were. */
static int count_aged(struct flows *f, sqlite3_stmt *s, struct bh_err *err)
{
	int64_t *n = f->numbers;
	int r, rows = 0;

	while ((r = flows_db_next(s, err)) > 0) {
		n[FLOWS_AGED_RECORDS]++;
		n[FLOWS_AGED_PACKETS] += sqlite3_column_int64(s, 0);
		rows++;
	}
	sqlite3_reset(s);
	return r < 0 ? r : rows;
}

static int trim_records(struct flows *f, size_t n, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[TRIM_RECORDS];

	sqlite3_bind_int64(s, 1, (int64_t)n);
	return count_aged(f, s, err);
}

static int age_records(struct flows *f, int64_t limit, size_t n, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[AGE_RECORDS];

	sqlite3_bind_int64(s, 1, limit);
	sqlite3_bind_int64(s, 2, (int64_t)n);
	return count_aged(f, s, err);
}

static int drop_signals(struct flows *f, enum flows_statement i, int64_t limit, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[i];
	int r;

	sqlite3_bind_int64(s, 1, limit);
	sqlite3_bind_int64(s, 2, BH_FLOWS_TEND_MAX);
	r = flows_db_step(s, err);
	return r < 0 ? r : sqlite3_changes(f->db);
}

/* The last of the next N rows from AT on; 0: there are none. */
static int end_of_next(sqlite3_stmt *s, int64_t at, size_t n, int64_t *ret, struct bh_err *err)
{
	sqlite3_bind_int64(s, 1, at);
	sqlite3_bind_int64(s, 2, (int64_t)n);
	return number_of(s, 0, ret, err);
}

/*
 * The next N rows of a table, by their numbers; those that no record that is there can have used go.
 * A round begins when records have gone since the last one. 1: it is not at its end.
 */
static int sweep(struct flows *f, struct flows_sweep *at, enum flows_statement next,
		 enum flows_statement remove, size_t n, struct bh_err *err)
{
	int64_t oldest, end;
	sqlite3_stmt *s = f->statements[remove];
	int r = oldest_record(f, &oldest, err);

	if (r < 0)
		return r;
	if (!at->at) {
		if (oldest - at->oldest < f->numbers[FLOWS_STEP] / 4)
			return 0;
		*at = (struct flows_sweep) { 1, oldest };
	}
	r = end_of_next(f->statements[next], at->at, n, &end, err);
	if (r < 0)
		return r;
	if (end < at->at) {
		at->at = 0;
		return 0;
	}
	sqlite3_bind_int64(s, 1, at->at);
	sqlite3_bind_int64(s, 2, end);
	sqlite3_bind_int64(s, 3, oldest - f->numbers[FLOWS_STEP]);
	r = flows_db_step(s, err);
	at->at = end + 1;
	return r < 0 ? r : 1;
}

static int sweep_both(struct flows *f, size_t n, struct bh_err *err)
{
	int64_t oldest;
	int r = oldest_record(f, &oldest, err), q = 0;

	if (r >= 0)
		r = drop_signals(f, TRIM_SIGNALS, oldest, err);
	if (r >= 0)
		r = sweep(f, &f->flows, NEXT_FLOWS, SWEEP_FLOWS, n, err);
	if (r >= 0)
		q = sweep(f, &f->texts, NEXT_TEXTS, SWEEP_TEXTS, n, err);
	return r < 0 ? r : q < 0 ? q : r | q;
}

/* --- room ------------------------------------------------------------------------------------- */

/* 1: there is no room for N more. */
static int is_full(struct flows *f, size_t n, struct bh_err *err)
{
	int64_t pages, spare;
	int r = number(f, PAGES, &pages, err);

	if (r >= 0)
		r = number(f, FREE_PAGES, &spare, err);
	if (r < 0)
		return r;
	return pages - spare + (int64_t)n * BATCH_BYTES / PAGE_BYTES + 16 > f->pages_max;
}

/* 1: there is no room, and no record either: nothing refers to anything. */
static int is_full_of_nothing(struct flows *f, size_t n, struct bh_err *err)
{
	int64_t oldest;
	int r = is_full(f, n, err);

	if (r > 0)
		r = oldest_record(f, &oldest, err);
	else
		return r;
	return r < 0 ? r : oldest == f->numbers[FLOWS_NEXT_RECORD];
}

/*
 * What goes for each record that comes is more than it brings, so that a batch is as quick as it is
 * bounded. Not everything has gone when N rows have: they share pages, and what they refer to goes later.
 */
int flows_make_room(struct flows *f, size_t n, struct bh_err *err)
{
	int r = 0;

	for (int i = 0; r >= 0 && n && i < 8; i++) {
		r = is_full(f, n, err);
		if (r <= 0)
			break;
		r = trim_records(f, 2 * n + 64, err);
		if (r >= 0)
			r = sweep_both(f, 4 * n + 256, err);
	}
	if (r >= 0 && n)
		r = is_full_of_nothing(f, n, err);
	if (r > 0) {
		r = flows_db_run(f->db, "DELETE FROM signal; DELETE FROM flow; DELETE FROM text",
				 err);
		flows_intern_forget(&f->intern);
	}
	return r < 0 ? r : 0;
}

int flows_checkpoint(struct flows *f, struct bh_err *err)
{
	int r;

	if ((int64_t)f->wal_frames * PAGE_BYTES < f->wal_max / 2)
		return 0;
	if (sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
	    SQLITE_OK)
		return 0;
	r = flows_db_error(f->db, err);
	return r == -EBUSY ? 0 : r;
}

/* Pages that the next batches will not need. */
static int give_back(struct flows *f, size_t n, struct bh_err *err)
{
	char sql[64];
	int64_t spare = f->pages_max / 8, free;
	int r = number(f, FREE_PAGES, &free, err);

	if (r < 0 || free <= spare)
		return r;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", BH_FLOWS_VACUUM_PAGES);
	r = flows_db_run(f->db, sql, err);
	if (r >= 0)
		r = flows_set_size(f, err);
	return r < 0 ? r : free - spare > BH_FLOWS_VACUUM_PAGES;
}

/* --- one piece -------------------------------------------------------------------------------- */

static int age(struct flows *f, int64_t now, size_t n, struct bh_err *err)
{
	int64_t limit = now - (int64_t)f->o.days * USEC_PER_DAY;
	int r = age_records(f, limit, n, err), q;

	if (r < 0)
		return r;
	q = drop_signals(f, AGE_SIGNALS, limit, err);
	if (q >= 0)
		q = flows_accounts_age(f, limit, err);
	if (q >= 0)
		q = flows_rules_age(f, err);
	return q < 0 ? q : (size_t)r == n;
}

/* A limit that was made narrower: otherwise flows_make_room() has seen to it. */
static int shrink(struct flows *f, size_t n, struct bh_err *err)
{
	int r = is_full(f, 0, err);

	if (r > 0)
		r = trim_records(f, n, err);
	return r < 0 ? r : r > 0;
}

static int piece(struct flows *f, int64_t now, struct bh_err *err)
{
	size_t n = 2 * f->came > BH_FLOWS_TEND_MAX ? 2 * f->came : BH_FLOWS_TEND_MAX;
	int r = flows_db_run(f->db, "BEGIN IMMEDIATE", err), more = 0;
	int (*const steps[])(struct flows *, size_t, struct bh_err *) = { shrink, sweep_both,
									  give_back };

	if (r >= 0)
		r = age(f, now, n, err);
	for (size_t i = 0; r >= 0 && i < BH_ARRAY_SIZE(steps); i++) {
		more |= r;
		r = steps[i](f, n, err);
	}
	more |= r;
	if (r >= 0)
		r = flows_numbers_save(f->statements[PUT_NUMBER], f->numbers, f->saved, err);
	if (r >= 0)
		r = flows_db_run(f->db, "COMMIT", err);
	return r < 0 ? r : more;
}

int flows_tend(struct flows *f, int64_t now)
{
	struct bh_err err = BH_ERR_INIT;
	int r, more = 0;

	if (flows_writer_ready(f, now) < 0)
		return 0;
	r = piece(f, now, &err);
	if (r >= 0) {
		f->came = 0;
		memcpy(f->saved, f->numbers, sizeof(f->saved));
		more = r;
		r = flows_checkpoint(f, &err);
	}
	if (r < 0)
		flows_writer_failed(f, now, r, &err);
	return r < 0 ? 0 : more;
}
