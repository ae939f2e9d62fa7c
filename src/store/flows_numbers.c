/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_numbers.h"

#include <string.h>

#include "flows_db.h"

static const char *const names[FLOWS_STATE_NUMBERS] = {
	[FLOWS_NEXT_RECORD] = "next-record",
	[FLOWS_NEXT_FLOW] = "next-flow",
	[FLOWS_NEXT_TEXT] = "next-text",
	[FLOWS_NEXT_SIGNAL] = "next-signal",
	[FLOWS_STEP] = "step",
	[FLOWS_LONGEST] = "longest",
	[FLOWS_RECORDS] = "records",
	[FLOWS_PACKETS] = "packets",
	[FLOWS_AGED_RECORDS] = "aged-records",
	[FLOWS_AGED_PACKETS] = "aged-packets",
	[FLOWS_LOST_RECORDS] = "lost-records",
	[FLOWS_LOST_PACKETS] = "lost-packets",
	[FLOWS_LOST_SIGNALS] = "lost-signals",
	[FLOWS_BEGUN] = "begun",
	[FLOWS_WATCHED] = "watched",
	[FLOWS_BOOT] = "boot",
	[FLOWS_PROBES] = "probes",
	[FLOWS_APART] = "apart",
};

const char flows_numbers_sql[] = "INSERT INTO state(name, value) VALUES(?, ?) "
				 "ON CONFLICT(name) DO UPDATE SET value = excluded.value";

static void take(const char *name, int64_t value, int64_t ret[FLOWS_STATE_NUMBERS])
{
	for (size_t i = 0; name && i < FLOWS_STATE_NUMBERS; i++)
		if (strcmp(names[i], name) == 0)
			ret[i] = value > 0 ? value : 0;
}

int flows_numbers_load(sqlite3 *db, int64_t ret[FLOWS_STATE_NUMBERS], struct bh_err *err)
{
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(db, "SELECT name, value FROM state", &s, err);

	memset(ret, 0, FLOWS_STATE_NUMBERS * sizeof(*ret));
	while (r >= 0 && (r = flows_db_next(s, err)) > 0)
		take((const char *)sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1), ret);
	sqlite3_finalize(s);
	return r;
}

int flows_numbers_save(sqlite3_stmt *put, const int64_t now[FLOWS_STATE_NUMBERS],
		       const int64_t saved[FLOWS_STATE_NUMBERS], struct bh_err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < FLOWS_STATE_NUMBERS; i++) {
		if (now[i] == saved[i])
			continue;
		sqlite3_bind_text(put, 1, names[i], -1, SQLITE_STATIC);
		sqlite3_bind_int64(put, 2, now[i]);
		r = flows_db_step(put, err);
	}
	return r;
}
