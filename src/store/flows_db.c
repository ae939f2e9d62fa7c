/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define BUSY_MS   200
#define VALUE_MAX (16u << 10) /* bytes of one value, or statement */
#define FILE_MODE 0640
#define VFS_NAME  "bulkhead"
#define CACHE_KIB "8192"

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
	int code, r;
	const char *words;
} codes[] = {
	{ SQLITE_FULL, -ENOSPC, "there is no room left" },
	{ SQLITE_READONLY, -EROFS, "it cannot be written to" },
	{ SQLITE_CANTOPEN, -EACCES, "it cannot be opened" },
	{ SQLITE_PERM, -EACCES, "it cannot be opened" },
	{ SQLITE_CORRUPT, -EBADMSG, "it is damaged" },
	{ SQLITE_NOTADB, -EBADMSG, "it is no database" },
	{ SQLITE_FORMAT, -EBADMSG, "it is damaged" },
	{ SQLITE_TOOBIG, -EBADMSG, "it is damaged" },
	{ SQLITE_MISMATCH, -EBADMSG, "it is damaged" },
	{ SQLITE_BUSY, -EBUSY, "another program holds it" },
	{ SQLITE_LOCKED, -EBUSY, "another program holds it" },
	{ SQLITE_PROTOCOL, -EBUSY, "its locks cannot be taken" },
	{ SQLITE_NOMEM, -ENOMEM, "out of memory" },
};

/* A write that the disk had no room for is an error of the disk to SQLite when it is in the log. */
static int by_errno(sqlite3 *db, struct bh_err *err)
{
	int e = sqlite3_system_errno(db);
	int r = e == ENOSPC || e == EDQUOT || e == EFBIG ? -ENOSPC : e == EROFS ? -EROFS : -EIO;

	return e ? bh_err_errno(err, r, "%s", FLOWS_FILE)
		 : bh_err_set(err, r, "%s: the disk failed", FLOWS_FILE);
}

/* About a schema that is not ours. What has any other cause is no reason to set a history aside. */
static bool is_foreign(int code)
{
	return code == SQLITE_ERROR || code == SQLITE_CONSTRAINT || code == SQLITE_SCHEMA;
}

int flows_db_error(sqlite3 *db, struct bh_err *err)
{
	int code = sqlite3_extended_errcode(db);
	char shown[256];

	/* An index that does not fit its table is said so by an error that has no other cause. */
	if (code == SQLITE_CORRUPT_INDEX || code == SQLITE_IOERR_CORRUPTFS)
		return bh_err_set(err, -EBADMSG, "%s: it is damaged", FLOWS_FILE);
	for (size_t i = 0; i < BH_ARRAY_SIZE(codes); i++)
		if (codes[i].code == (code & 0xff))
			return bh_err_set(err, codes[i].r, "%s: %s", FLOWS_FILE, codes[i].words);
	if ((code & 0xff) == SQLITE_IOERR)
		return by_errno(db, err);
	bh_escape_str(shown, sizeof(shown), sqlite3_errmsg(db));
	return bh_err_set(err, is_foreign(code & 0xff) ? -EBADMSG : -EIO, "%s: %s", FLOWS_FILE,
			  shown);
}

/* --- statements ------------------------------------------------------------------------------- */

int flows_db_run(sqlite3 *db, const char *sql, struct bh_err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : flows_db_error(db, err);
}

int flows_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret, struct bh_err *err)
{
	return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK
		       ? 0
		       : flows_db_error(db, err);
}

int flows_db_number(sqlite3 *db, const char *sql, int64_t *ret, struct bh_err *err)
{
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(db, sql, &s, err);

	if (r >= 0)
		r = flows_db_next(s, err);
	if (r >= 0)
		*ret = r > 0 ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return r < 0 ? r : 0;
}

int flows_db_next(sqlite3_stmt *s, struct bh_err *err)
{
	int code = sqlite3_step(s);

	if (code == SQLITE_ROW)
		return 1;
	return code == SQLITE_DONE ? 0 : flows_db_error(sqlite3_db_handle(s), err);
}

int flows_db_step(sqlite3_stmt *s, struct bh_err *err)
{
	int r;

	do {
		r = flows_db_next(s, err);
	} while (r > 0);
	sqlite3_reset(s);
	return r;
}

/* --- opening ---------------------------------------------------------------------------------- */

/*
 * SQLite resolves links in a path and then uses what they name, for which the logger has no right in
 * the directories above its own. A path of ours is used as it is.
 */
static int keep_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
	return snprintf(out, (size_t)size, "%s", path) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int register_vfs(struct bh_err *err)
{
	static sqlite3_vfs own;
	sqlite3_vfs *base;

	if (own.zName)
		return 0;
	base = sqlite3_vfs_find(NULL);
	if (!base)
		return bh_err_set(err, -ENOSYS, "SQLite has no access to files");
	own = *base;
	own.pNext = NULL;
	own.zName = VFS_NAME;
	own.xFullPathname = keep_path;
	if (sqlite3_vfs_register(&own, 0) == SQLITE_OK)
		return 0;
	own.zName = NULL;
	return bh_err_oom(err);
}

/* Who may read it is decided here, not by the umask that SQLite would follow. */
static int make_file(int dir, struct bh_err *err)
{
	bh_autoclose int fd =
		openat(dir, FLOWS_FILE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		       FILE_MODE);

	return fd < 0 ? bh_err_errno(err, -errno, "%s", FLOWS_FILE) : 0;
}

int flows_db_harden(sqlite3 *db, bool read_only, struct bh_err *err)
{
	static const struct {
		int op, on;
	} switches[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_DQS_DML, 0 },        { SQLITE_DBCONFIG_DQS_DDL, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 0 },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(switches); i++)
		sqlite3_db_config(db, switches[i].op, switches[i].on, (int *)NULL);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	return flows_db_run(db,
			    read_only ? "PRAGMA cell_size_check = 1; PRAGMA mmap_size = 0; "
					"PRAGMA temp_store = memory; PRAGMA query_only = 1"
				      : "PRAGMA cell_size_check = 1; PRAGMA mmap_size = 0; "
					"PRAGMA temp_store = memory; "
					"PRAGMA cache_size = -" CACHE_KIB,
			    err);
}

int flows_db_open(int dir, enum flows_access access, sqlite3 **ret, struct bh_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE |
		    SQLITE_OPEN_URI |
		    (access == FLOWS_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
	sqlite3 *db = NULL;
	char uri[96];
	int r = register_vfs(err);

	if (r >= 0 && access == FLOWS_WRITE)
		r = make_file(dir, err);
	if (r < 0)
		return r;
	snprintf(uri, sizeof(uri), "file:/proc/self/fd/%d/%s%s", dir, FLOWS_FILE,
		 access == FLOWS_READ_ONLY_DISK ? "?immutable=1" : "");
	if (sqlite3_open_v2(uri, &db, flags, VFS_NAME) != SQLITE_OK)
		r = db ? flows_db_error(db, err) : bh_err_oom(err);
	if (r >= 0)
		r = flows_db_harden(db, access != FLOWS_WRITE, err);
	if (r < 0)
		flows_db_close(db);
	else
		*ret = db;
	return r;
}

void flows_db_close(sqlite3 *db)
{
	sqlite3_close_v2(db);
}
