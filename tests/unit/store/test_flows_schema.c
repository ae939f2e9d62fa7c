/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fixture.h"

#include "../../../src/store/flows_schema.h"

/* From version to version: the way that a later one will go, gone here with steps of a test's own. */

static const struct flows_step steps[] = {
	{ "CREATE TABLE a(x INTEGER NOT NULL) STRICT; INSERT INTO a VALUES(5)" },
	{ "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7; CREATE INDEX b ON a(y)" },
	{ "CREATE TABLE c(z) STRICT" }, /* it has no type: that fails */
	{ "CREATE TABLE d(z TEXT) STRICT" },
};

static sqlite3 *open_memory(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return db;
}

static int64_t number(sqlite3 *db, const char *sql)
{
	struct bh_err err = BH_ERR_INIT;
	int64_t n;

	if (flows_db_number(db, sql, &n, &err) < 0)
		fail_msg("%s: %s", sql, err.msg);
	return n;
}

static void step_by_step(void **state)
{
	sqlite3 *db = open_memory();

	assert_int_equal(flows_schema_migrate(db, steps, 1, NULL), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(flows_schema_check(db, steps, 2, NULL), 0); /* older, and ours */
	assert_int_equal(flows_schema_migrate(db, steps, 2, NULL), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	assert_int_equal(number(db, "SELECT 10 * x + y FROM a"), 57); /* what was there is there */
	assert_int_equal(flows_schema_check(db, steps, 2, NULL), 0);
	assert_int_equal(flows_schema_migrate(db, steps, 2, NULL), 0); /* nothing to do */
	sqlite3_close(db);
}

static void all_or_nothing(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	sqlite3 *db = open_memory();

	assert_int_equal(flows_schema_migrate(db, steps, 1, NULL), 0);
	assert_true(flows_schema_migrate(db, steps, 4, &err) < 0);
	assert_true(err.msg[0]);
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(number(db, "SELECT x FROM a"), 5);
	assert_int_equal(sqlite3_get_autocommit(db), 1);
	sqlite3_close(db);
}

static void newer_than_known(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	sqlite3 *db = open_memory();

	assert_int_equal(flows_schema_migrate(db, steps, 2, NULL), 0);
	assert_int_equal(flows_schema_migrate(db, steps, 1, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "version 2"));
	assert_int_equal(flows_schema_check(db, steps, 1, NULL), -EPROTO);
	assert_int_equal(number(db, "PRAGMA user_version"), 2);
	sqlite3_close(db);
}

/* A writer of this version takes over what stands, though it is of the version before any. */
static void the_real_one(void **state)
{
	sqlite3 *db = open_memory();

	for (int version = 0; version <= FLOWS_VERSION; version++)
		assert_int_equal(flows_schema_migrate(db, flows_steps, version, NULL), 0);
	assert_int_equal(flows_schema_check(db, flows_steps, FLOWS_VERSION, NULL), 0);
	assert_int_equal(flows_db_run(db, "DROP INDEX signal_time", NULL), 0);
	assert_int_equal(flows_schema_check(db, flows_steps, FLOWS_VERSION, NULL), -EBADMSG);
	sqlite3_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(step_by_step),
		cmocka_unit_test(all_or_nothing),
		cmocka_unit_test(newer_than_known),
		cmocka_unit_test(the_real_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
