/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_account.h"
#include "flows_hash.h"
#include "flows_row.h"
#include "flows_schema.h"

/* --- opening ---------------------------------------------------------------------------------- */

static const char *const tables[FLOWS_KINDS] = { "record", "signal" };

static int prepare_get(struct flows_reader *r, enum flows_kind kind, struct bh_err *err)
{
	struct bh_buf sql;
	int q;

	bh_buf_init(&sql, 8192);
	bh_buf_addstr(&sql, "SELECT ");
	flows_sql_record_columns(&sql, "r.");
	bh_buf_addstr(&sql, ", ");
	flows_sql_flow_columns(&sql, "f.");
	if (kind == OF_SIGNALS)
		bh_buf_addstr(&sql, ", r.time, r.kind, r.window, r.ports, r.peers, r.reason, "
				    "r.stands_for, r.into_scope");
	bh_buf_addf(&sql, " FROM %s r JOIN flow f ON f.id = r.flow WHERE r.id = ?", tables[kind]);
	q = bh_buf_error(&sql) < 0 ? bh_err_oom(err)
				   : flows_db_prepare(r->db, bh_buf_str(&sql), &r->get[kind], err);
	bh_buf_done(&sql);
	return q;
}

int flows_reader_prepare(struct flows_reader *r, struct bh_err *err)
{
	int64_t version;
	int q;

	flows_hash_begin();
	q = flows_schema_check(r->db, flows_steps, FLOWS_VERSION, err);

	if (q >= 0)
		q = flows_db_number(r->db, "PRAGMA user_version", &version, err);
	if (q >= 0 && version == 0)
		q = bh_err_set(err, -ENOENT, "nothing was written to the history yet");
	else if (q >= 0 && version < FLOWS_VERSION)
		q = bh_err_set(err, -EPROTO,
			       "%s is of an older Bulkhead: its logger brings it up to date",
			       FLOWS_FILE);
	if (q >= 0)
		q = flows_texts_init(&r->texts, r->db, err);
	for (int i = 0; q >= 0 && i < FLOWS_KINDS; i++)
		q = prepare_get(r, i, err);
	return q < 0 ? q : flows_follow_begin(r, err);
}

static int try_open(struct flows_reader *r, enum flows_access access, struct bh_err *err)
{
	int q = flows_db_open(r->dir, access, &r->db, err);

	return q < 0 ? q : flows_reader_prepare(r, err);
}

static void shut(struct flows_reader *r)
{
	flows_texts_done(&r->texts);
	sqlite3_finalize(r->version);
	sqlite3_finalize(r->row);
	sqlite3_finalize(r->sender);
	flows_map_done(&r->known);
	for (int i = 0; i < FLOWS_KINDS; i++) {
		sqlite3_finalize(r->get[i]);
		sqlite3_finalize(r->news[i]);
		r->get[i] = r->news[i] = NULL;
	}
	r->version = r->row = r->sender = NULL;
	flows_db_close(r->db);
	r->db = NULL;
}

/* Nothing waits in a log: then the file alone is all of it. */
static bool has_log(int dir)
{
	struct stat st;

	return fstatat(dir, FLOWS_WAL, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

/* What belongs to somebody else is read as that user: who has the file may have made anything of it. */
static int check_file(struct flows_reader *r, struct bh_err *err)
{
	struct stat st;

	if (fstatat(r->dir, FLOWS_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? bh_err_set(err, -ENOENT, "there is no history")
				       : bh_err_errno(err, -errno, "%s", FLOWS_FILE);
	if (!S_ISREG(st.st_mode))
		return bh_err_set(err, -EBADMSG, "%s is no file", FLOWS_FILE);
	if (geteuid() == 0 && st.st_uid != 0)
		return bh_err_set(err, -EPERM, "%s is user %u's, and root does not read it",
				  FLOWS_FILE, st.st_uid);
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return 0;
}

int flows_reader_open(int dir, struct flows_reader **ret, struct bh_err *err)
{
	struct flows_reader *r = calloc(1, sizeof(*r));
	int q;

	if (!r)
		return bh_err_oom(err);
	r->dir = dir;
	q = check_file(r, err);
	if (q >= 0)
		q = try_open(r, FLOWS_READ, err);
	if ((q == -EACCES || q == -EROFS) && !has_log(dir)) {
		shut(r);
		q = try_open(r, FLOWS_READ_ONLY_DISK, err);
	}
	if (q < 0) {
		flows_reader_close(r);
		return q;
	}
	*ret = r;
	return 0;
}

void flows_reader_close(struct flows_reader *r)
{
	if (!r)
		return;
	shut(r);
	free(r);
}

bool flows_is_kept(int dir)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	bh_autoclose int fd =
		openat(dir, FLOWS_LOCK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* --- snapshots -------------------------------------------------------------------------------- */

int flows_reader_begin(struct flows_reader *r, struct bh_err *err)
{
	return flows_db_run(r->db, "BEGIN", err);
}

void flows_reader_end(struct flows_reader *r)
{
	sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

int flows_reader_error(struct flows_reader *r, struct bh_err *err)
{
	int q = r->texts.error;

	if (q < 0 && err)
		*err = r->texts.err;
	r->texts.error = 0;
	return q;
}

int flows_count_row(int64_t *seen, struct bh_err *err)
{
	if (++*seen <= BH_FLOWS_READ_MAX)
		return 0;
	return bh_err_set(err, -E2BIG, "the history has more than a reader looks at");
}

/* --- what all questions share ----------------------------------------------------------------- */

static int map_failed(int q, struct bh_err *err)
{
	return q == -E2BIG ? bh_err_set(err, q, "the history has more flows than a reader looks at")
			   : bh_err_oom(err);
}

int flows_scan(struct flows_reader *r, const struct flows_filter *f, uint64_t columns,
	       int (*fn)(const struct flows_row *row, uint32_t *ret_value, void *arg), void *arg,
	       struct flows_map *ret, struct bh_err *err)
{
	sqlite3_stmt *s = NULL;
	struct flows_row row;
	struct bh_buf sql;
	int64_t seen = 0;
	int q;

	columns |= flows_match_columns(f);
	flows_texts_forget_memos(&r->texts);
	bh_buf_init(&sql, 2048);
	flows_sql_select_rows(&sql, columns);
	q = flows_db_prepare(r->db, bh_buf_str(&sql), &s, err);
	bh_buf_done(&sql);
	while (q >= 0 && (q = flows_db_next(s, err)) > 0) {
		uint32_t value = 0;

		q = flows_count_row(&seen, err);
		flows_row_read(s, columns, &row);
		if (q < 0 || row.id <= 0 || !flows_match(f, &r->texts, &row))
			continue;
		q = fn ? fn(&row, &value, arg) : 0;
		if (q >= 0 && (q = flows_map_put(ret, row.id, value)) < 0)
			map_failed(q, err);
	}
	sqlite3_finalize(s);
	flows_texts_forget_memos(&r->texts);
	return q < 0 ? q : flows_reader_error(r, err);
}

int flows_time_bounds(struct flows_reader *r, const struct flows_filter *f, int64_t *ret_from,
		      int64_t *ret_to, struct bh_err *err)
{
	int64_t numbers[FLOWS_STATE_NUMBERS];
	int q = flows_numbers_load(r->db, numbers, err);

	if (q < 0)
		return q;
	*ret_from = INT64_MIN;
	if (f->since && numbers[FLOWS_LONGEST] < f->since)
		*ret_from = f->since - numbers[FLOWS_LONGEST];
	*ret_to = f->until ? f->until - 1 : INT64_MAX;
	return 0;
}

/* --- what the history says of itself ---------------------------------------------------------- */

static uint64_t left(int64_t all, int64_t gone)
{
	return all > gone ? (uint64_t)(all - gone) : 0;
}

int flows_summary(struct flows_reader *r, struct flows_state *ret, struct bh_err *err)
{
	int64_t n[FLOWS_STATE_NUMBERS];
	int q = flows_numbers_load(r->db, n, err);

	if (q < 0)
		return q;
	*ret = (struct flows_state) {
		.records = left(n[FLOWS_RECORDS], n[FLOWS_AGED_RECORDS]),
		.packets = left(n[FLOWS_PACKETS], n[FLOWS_AGED_PACKETS]),
		.aged_records = (uint64_t)n[FLOWS_AGED_RECORDS],
		.aged_packets = (uint64_t)n[FLOWS_AGED_PACKETS],
		.lost_records = (uint64_t)n[FLOWS_LOST_RECORDS],
		.lost_packets = (uint64_t)n[FLOWS_LOST_PACKETS],
		.lost_signals = (uint64_t)n[FLOWS_LOST_SIGNALS],
		.begun = n[FLOWS_BEGUN],
	};
	return 0;
}

/* All of them first: no snapshot while FN runs. */
static int read_accounts(sqlite3_stmt *s, struct bh_vec *ret, struct bh_err *err)
{
	int q;

	while ((q = flows_db_next(s, err)) > 0) {
		struct flows_account *a = bh_vec_push(ret);

		if (!a)
			return ret->n == ret->max ? 0 : bh_err_oom(err);
		flows_account_read(s, a);
	}
	return q;
}

int flows_sums(struct flows_reader *r, int (*fn)(const struct flows_account *a, void *arg),
	       void *arg, struct bh_err *err)
{
	static const char sql[] = "SELECT " FLOWS_ACCOUNT_COLUMNS
				  " FROM account ORDER BY service, endpoint, netns, direction";
	sqlite3_stmt *s = NULL;
	struct bh_vec all;
	int q = flows_db_prepare(r->db, sql, &s, err);

	bh_vec_init(&all, sizeof(struct flows_account), BH_FLOWS_ACCOUNTS_MAX);
	if (q >= 0)
		q = read_accounts(s, &all, err);
	sqlite3_finalize(s);
	for (size_t i = 0; q >= 0 && i < all.n; i++)
		q = fn((const struct flows_account *)all.data + i, arg);
	bh_vec_done(&all);
	return q < 0 ? q : 0;
}
