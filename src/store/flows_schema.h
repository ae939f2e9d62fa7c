/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_SCHEMA_H
#define STORE_FLOWS_SCHEMA_H

#include <sqlite3.h>

#include <bulkhead/base/err.h>

/* What the tables are, in all versions there were. */

#define FLOWS_VERSION 4

/* What a version adds to the one before. */
struct flows_step {
	const char *sql; /* several statements */
};
extern const struct flows_step flows_steps[FLOWS_VERSION];

/*
 * From the version that DB has to version N, step by step, in one transaction: all or nothing.
 * -EPROTO when DB is newer than that; else as flows_db_error().
 */
int flows_schema_migrate(sqlite3 *db, const struct flows_step *steps, int n, struct bh_err *err);

/*
 * Is every table and index what N steps make, and nothing else? -EBADMSG when it is not: what SQLite
 * keeps as the text of a table would be run. A version below N is compared as such.
 */
int flows_schema_check(sqlite3 *db, const struct flows_step *steps, int n, struct bh_err *err);

#endif
