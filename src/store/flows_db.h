/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_DB_H
#define STORE_FLOWS_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include <bulkhead/base/err.h>
#include <bulkhead/store/flows.h>

/* SQLite, as both the writer and its readers use it. */

#define FLOWS_WAL   FLOWS_FILE "-wal"
#define FLOWS_SHM   FLOWS_FILE "-shm"
#define FLOWS_LOCK  "flows.lock"
#define FLOWS_ASIDE "flows-damaged-"

enum flows_access {
	FLOWS_WRITE, /* made when it is missing */
	FLOWS_READ,
	FLOWS_READ_ONLY_DISK, /* nobody writes, and not even the files beside it can be made */
};

/* FLOWS_FILE of the directory, hardened against what it may hold. The caller flows_db_close()s it. */
int flows_db_open(int dir, enum flows_access access, sqlite3 **ret, struct bh_err *err);
/* The same limits for a database that was opened otherwise. */
int flows_db_harden(sqlite3 *db, bool read_only, struct bh_err *err);
void flows_db_close(sqlite3 *db); /* takes NULL */

/*
 * The last failure of DB in words: -ENOSPC, -EROFS, -EACCES, -EBADMSG (damaged), -EBUSY, -ENOMEM, -EIO.
 */
int flows_db_error(sqlite3 *db, struct bh_err *err);
int flows_db_run(sqlite3 *db, const char *sql, struct bh_err *err);
/* The one number that SQL gives. */
int flows_db_number(sqlite3 *db, const char *sql, int64_t *ret, struct bh_err *err);
int flows_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct bh_err *err);
/* A statement that gives nothing: run it, and make it ready for the next time. */
int flows_db_step(sqlite3_stmt *s, struct bh_err *err);
/* The next row: 1, 0 behind the last, or an error. */
int flows_db_next(sqlite3_stmt *s, struct bh_err *err);

#endif
