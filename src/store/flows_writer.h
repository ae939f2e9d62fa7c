/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_WRITER_H
#define STORE_FLOWS_WRITER_H

#include "flows_db.h"
#include "flows_intern.h"
#include "flows_numbers.h"

/* The parts of the writer. */

enum flows_statement {
	ADD_RECORD,
	ADD_SIGNAL,
	PUT_ACCOUNT,
	DROP_ACCOUNT,
	PUT_RULE,
	DROP_RULE,
	PUT_READING,
	DROP_READING,
	DROP_READINGS, /* of one namespace */
	DROP_ENDED,
	PUT_NUMBER,
	AGE_RECORDS,  /* the oldest before a time */
	TRIM_RECORDS, /* the oldest */
	AGE_SIGNALS,
	TRIM_SIGNALS, /* those that came with records that are gone */
	NEXT_FLOWS,   /* where the next so many end */
	NEXT_TEXTS,
	SWEEP_FLOWS,
	SWEEP_TEXTS,
	OLDEST_RECORD,
	PAGES,
	FREE_PAGES,
	FLOWS_STATEMENTS
};

/* Something has failed, and is tried again. */
struct flows_trouble {
	char text[BH_ERR_MAX]; /* "": all is well */
	int64_t tried_at, retry_at;
	int64_t calm_since; /* since when it works; 0: it does not */
	uint32_t pause_ms;
	struct flows_loss before; /* what was lost when it began */
};

struct flows_sweep {
	int64_t at;     /* the next row to look at */
	int64_t oldest; /* the oldest record when this round began */
};

struct flows {
	int dir, lock;
	struct flows_options o;
	int64_t pages_max; /* of the database */
	int64_t wal_max;   /* bytes */
	size_t chunk;      /* records in one transaction, at most */
	size_t accounts_max;
	sqlite3 *db; /* NULL: it is not open */
	sqlite3_stmt *statements[FLOWS_STATEMENTS];
	struct flows_intern intern;
	int64_t numbers[FLOWS_STATE_NUMBERS], saved[FLOWS_STATE_NUMBERS];
	int wal_frames;
	/* What waits. */
	struct flow_record *held;
	struct flow_signal *signals;
	size_t n_held, n_signals;
	struct account_entry *accounts; /* all of them */
	size_t n_dirty;
	struct rule_book *rules;
	uint64_t sums_left_out;            /* often: it is told once */
	struct flows_loss loss, told_loss; /* the second is in the file */
	struct flows_trouble trouble;
	int64_t set_aside_at; /* 0: never */
	struct flows_sweep flows, texts;
	size_t came; /* records since the last flows_tend() */
};

/* --- flows_open.c ------------------------------------------------------------------------------ */

/* Open it unless it is, or it is too early to try again. 0 or -EAGAIN, and then there is trouble. */
int flows_writer_ready(struct flows *f, int64_t now);
/*
 * A step failed as ERR says, with R: what was begun is taken back. 0: it was damaged, a new one stands
 * in its place, and the step may be tried again, once; else -EAGAIN, and there is trouble.
 */
int flows_writer_failed(struct flows *f, int64_t now, int r, struct bh_err *err);
/* A step went well: trouble is over, when that lasts. */
void flows_writer_works(struct flows *f, int64_t now);
/* The size that the file may have, or that it has already. */
int flows_set_size(struct flows *f, struct bh_err *err);
void flows_writer_shut(struct flows *f, bool keep_log);
void flows_writer_notice(const struct flows *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* --- flows_recount.c --------------------------------------------------------------------------- */

/* Within a transaction. */
int flows_recount(struct flows *f, struct bh_err *err);

/* --- flows_aside.c ----------------------------------------------------------------------------- */

/* Rename what is there, under a name with the time NOW; RET_NAME gets it. */
#define FLOWS_ASIDE_NAME 64
int flows_aside(int dir, int64_t now, char ret_name[FLOWS_ASIDE_NAME], struct bh_err *err);

/* --- flows_account.c --------------------------------------------------------------------------- */

/* Those of the file that are not known yet; all of them must be written if the file is new. */
int flows_accounts_load(struct flows *f, struct bh_err *err);
void flows_accounts_mark(struct flows *f);
int flows_accounts_write(struct flows *f, struct bh_err *err);
void flows_accounts_written(struct flows *f);
/* Forget those whose last reading was before LIMIT; within a transaction. */
int flows_accounts_age(struct flows *f, int64_t limit, struct bh_err *err);
void flows_accounts_free(struct flows *f);

/* --- flows_rules.c ----------------------------------------------------------------------------- */

/* As those of the accounts. */
int flows_rules_open(struct flows *f); /* -ENOMEM */
int flows_rules_load(struct flows *f, struct bh_err *err);
void flows_rules_mark(struct flows *f);
bool flows_rules_wait(const struct flows *f); /* is there something to write? */
int flows_rules_write(struct flows *f, struct bh_err *err);
void flows_rules_written(struct flows *f);
int flows_rules_age(struct flows *f, struct bh_err *err);
void flows_rules_free(struct flows *f);

/* --- flows_tend.c ------------------------------------------------------------------------------ */

/* Is there room for N records more? Else the oldest go; within a transaction. */
int flows_make_room(struct flows *f, size_t n, struct bh_err *err);
/* Take the log over into the database when it is long. */
int flows_checkpoint(struct flows *f, struct bh_err *err);

#endif
