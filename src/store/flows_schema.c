/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "flows_db.h"

/*
 * Version 1. A record is small: what recurs is in `flow`, and texts that recur are in `text` (0 is the
 * empty one). Neither has an index for finding an equal one: the writer remembers what it wrote, and
 * writes some of it again when it forgets. `used` is the number of a record that used it, at most one
 * step (see `state`) behind the last one.
 */
static const char version_1[] =
	"PRAGMA application_id = 1112950886;" /* "BVtf": for file(1) */
	"CREATE TABLE state(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE text(id INTEGER PRIMARY KEY, used INTEGER NOT NULL, text TEXT NOT NULL) "
	"STRICT;"
	"CREATE TABLE flow(id INTEGER PRIMARY KEY, used INTEGER NOT NULL, "
	"verdict INTEGER NOT NULL, direction INTEGER NOT NULL, protocol INTEGER NOT NULL, "
	"has_port INTEGER NOT NULL, port INTEGER NOT NULL, has_icmp INTEGER NOT NULL, "
	"icmp_type INTEGER NOT NULL, icmp_code INTEGER NOT NULL, aggregated INTEGER NOT NULL, "
	"rule_kind INTEGER NOT NULL, rule_line INTEGER NOT NULL, logged INTEGER NOT NULL, "
	"has_uid INTEGER NOT NULL, uid INTEGER NOT NULL, has_gid INTEGER NOT NULL, "
	"gid INTEGER NOT NULL, has_frame INTEGER NOT NULL, frame_type INTEGER NOT NULL, "
	"source BLOB, destination BLOB, frame BLOB, "
	"service INTEGER NOT NULL, endpoint_id INTEGER NOT NULL, endpoint_name INTEGER NOT NULL, "
	"source_endpoint INTEGER NOT NULL, source_service INTEGER NOT NULL, "
	"source_name INTEGER NOT NULL, source_scope INTEGER NOT NULL, "
	"destination_endpoint INTEGER NOT NULL, destination_service INTEGER NOT NULL, "
	"destination_name INTEGER NOT NULL, destination_scope INTEGER NOT NULL, "
	"interface INTEGER NOT NULL, runtime INTEGER NOT NULL, image INTEGER NOT NULL, "
	"netns INTEGER NOT NULL, owner INTEGER NOT NULL, scope INTEGER NOT NULL, "
	"comm INTEGER NOT NULL, exe INTEGER NOT NULL, unknown INTEGER NOT NULL, "
	"rule_name INTEGER NOT NULL, rule_file INTEGER NOT NULL, reason INTEGER NOT NULL, "
	"near_miss INTEGER NOT NULL, other_side INTEGER NOT NULL, host INTEGER NOT NULL, "
	"generation INTEGER NOT NULL) STRICT;"
	"CREATE TABLE record(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, flow INTEGER NOT "
	"NULL, "
	"packets INTEGER NOT NULL, span INTEGER NOT NULL, bytes INTEGER NOT NULL, "
	"has_source_port INTEGER NOT NULL, source_port INTEGER NOT NULL, "
	"has_tcp_flags INTEGER NOT NULL, tcp_flags INTEGER NOT NULL, pid INTEGER NOT NULL, "
	"flows INTEGER NOT NULL, samples BLOB, packet BLOB) STRICT;"
	"CREATE INDEX record_time ON record(first, flow, packets, span);"
	"CREATE TABLE signal(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind INTEGER NOT NULL, "
	"behind INTEGER NOT NULL, window INTEGER NOT NULL, ports INTEGER NOT NULL, "
	"peers INTEGER NOT NULL, reason INTEGER NOT NULL, "
	"first INTEGER NOT NULL, flow INTEGER NOT NULL, "
	"packets INTEGER NOT NULL, span INTEGER NOT NULL, bytes INTEGER NOT NULL, "
	"has_source_port INTEGER NOT NULL, source_port INTEGER NOT NULL, "
	"has_tcp_flags INTEGER NOT NULL, tcp_flags INTEGER NOT NULL, pid INTEGER NOT NULL, "
	"flows INTEGER NOT NULL, samples BLOB, packet BLOB) STRICT;"
	"CREATE INDEX signal_time ON signal(time, flow);"
	"CREATE TABLE account(endpoint TEXT NOT NULL, netns INTEGER NOT NULL, "
	"direction INTEGER NOT NULL, name TEXT NOT NULL, service TEXT NOT NULL, "
	"denied INTEGER NOT NULL, recorded INTEGER NOT NULL, not_recorded INTEGER NOT NULL, "
	"counter INTEGER NOT NULL, time INTEGER NOT NULL, "
	"PRIMARY KEY(endpoint, netns, direction)) STRICT, WITHOUT ROWID;";

/* Of a signal also how many packets it stands for (0: not known), and which scope it is about. */
static const char version_2[] =
	"ALTER TABLE signal ADD COLUMN stands_for INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE signal ADD COLUMN into_scope INTEGER NOT NULL DEFAULT 0;";

/*
 * What policy rules let pass, and what was read last of each counter. `watched`, `idle_from` and `seen` are
 * microseconds of the number `watched` of `state` (include/bulkhead/store/rules.h).
 */
static const char version_3[] =
	"CREATE TABLE rule(id INTEGER PRIMARY KEY, name TEXT NOT NULL, packets INTEGER NOT NULL, "
	"bytes INTEGER NOT NULL, since INTEGER NOT NULL, first_hit INTEGER NOT NULL, "
	"last_hit INTEGER NOT NULL, read INTEGER NOT NULL, watched INTEGER NOT NULL, "
	"idle_from INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;"
	"CREATE TABLE reading(netns INTEGER NOT NULL, cookie INTEGER NOT NULL, "
	"rule INTEGER NOT NULL, packets INTEGER NOT NULL, bytes INTEGER NOT NULL, "
	"seen INTEGER NOT NULL, PRIMARY KEY(netns, cookie, rule)) STRICT, WITHOUT ROWID;";

/*
 * What segmentation tests have sent, apart, and since when it is told apart. Of a reading: the tests that
 * its counter may have in it, as flows_probes_mark() has them.
 */
static const char version_4[] =
	"ALTER TABLE rule ADD COLUMN probe_packets INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rule ADD COLUMN probe_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rule ADD COLUMN last_probe INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE reading ADD COLUMN probes INTEGER NOT NULL DEFAULT 0;"
	"UPDATE reading SET probes = 1;" /* one may have run since, that left no number */
	"INSERT OR REPLACE INTO state(name, value) "
	"VALUES('apart', CAST(strftime('%s', 'now') AS INTEGER) * 1000000);";

const struct flows_step flows_steps[FLOWS_VERSION] = {
	{ version_1 },
	{ version_2 },
	{ version_3 },
	{ version_4 },
};

/* --- migration ------------------------------------------------------------------------------- */

static int version_of(sqlite3 *db, int *ret, struct bh_err *err)
{
	int64_t version;
	int r = flows_db_number(db, "PRAGMA user_version", &version, err);

	if (r < 0)
		return r;
	*ret = version >= 0 && version <= INT32_MAX ? (int)version : INT32_MAX;
	return 0;
}

static int too_new(int version, int n, struct bh_err *err)
{
	return bh_err_set(err, -EPROTO,
			  "%s has version %d, and this program knows those up to %d: it is of a "
			  "newer Bulkhead",
			  FLOWS_FILE, version, n);
}

static int climb(sqlite3 *db, const struct flows_step *steps, int from, int n, struct bh_err *err)
{
	char pragma[64];
	int r = 0;

	for (int i = from; r >= 0 && i < n; i++)
		r = flows_db_run(db, steps[i].sql, err);
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", n);
	return r < 0 ? r : flows_db_run(db, pragma, err);
}

int flows_schema_migrate(sqlite3 *db, const struct flows_step *steps, int n, struct bh_err *err)
{
	int version, r = version_of(db, &version, err);

	if (r < 0)
		return r;
	if (version > n)
		return too_new(version, n, err);
	if (version == n)
		return 0;
	r = flows_db_run(db, "BEGIN IMMEDIATE", err);
	if (r >= 0)
		r = climb(db, steps, version, n, err);
	if (r >= 0)
		r = flows_db_run(db, "COMMIT", err);
	if (r < 0)
		flows_db_run(db, "ROLLBACK", NULL);
	return r;
}

/* --- is it ours? ------------------------------------------------------------------------------ */

static const char objects[] = "SELECT type, name, tbl_name, sql FROM sqlite_schema "
			      "WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

/* 1: the same; 0: others; memory may also run out over a text. */
static int same_text(sqlite3_stmt *a, sqlite3_stmt *b, int i, struct bh_err *err)
{
	const char *s = (const char *)sqlite3_column_text(a, i);
	const char *t = (const char *)sqlite3_column_text(b, i);

	if (s && t)
		return strcmp(s, t) == 0;
	return sqlite3_errcode(sqlite3_db_handle(s ? b : a)) == SQLITE_NOMEM ? bh_err_oom(err) : 0;
}

static int same_objects(sqlite3_stmt *a, sqlite3_stmt *b, struct bh_err *err)
{
	int more_a, more_b, same = 1;

	do {
		more_a = flows_db_next(a, err);
		more_b = more_a < 0 ? more_a : flows_db_next(b, err);
		if (more_b < 0)
			return more_b;
		for (int i = 0; i < 4 && more_a && more_b && same > 0; i++)
			same = same_text(a, b, i, err);
		if (more_a != more_b)
			same = 0;
	} while (more_a && same > 0);
	return same;
}

/* What ours would be, made in memory. */
static int compare(sqlite3 *db, const struct flows_step *steps, int version, struct bh_err *err)
{
	sqlite3_stmt *a = NULL, *b = NULL;
	sqlite3 *own = NULL;
	int r = 0;

	if (sqlite3_open(":memory:", &own) != SQLITE_OK)
		r = bh_err_oom(err);
	if (r >= 0)
		r = flows_schema_migrate(own, steps, version, err);
	if (r >= 0)
		r = flows_db_prepare(own, objects, &a, err);
	if (r >= 0)
		r = flows_db_prepare(db, objects, &b, err);
	if (r >= 0)
		r = same_objects(a, b, err);
	if (r == 0)
		r = bh_err_set(err, -EBADMSG, "%s is damaged, or no history of flows", FLOWS_FILE);
	sqlite3_finalize(a);
	sqlite3_finalize(b);
	sqlite3_close(own);
	return r < 0 ? r : 0;
}

int flows_schema_check(sqlite3 *db, const struct flows_step *steps, int n, struct bh_err *err)
{
	int version, r = version_of(db, &version, err);

	if (r < 0)
		return r;
	if (version > n)
		return too_new(version, n, err);
	return compare(db, steps, version, err);
}
