/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_schema.h"
#include "flows_writer.h"

/* How the writer comes to a database, and what it does when it loses it. */

#define PAGE_BYTES   4096
#define STEP_MIN     256
#define STEP_MAX     65536
#define RECORD_BYTES 128 /* what one takes with its part of the rest, about */
#define STEPS        16  /* of what there is room for: what is used no more goes within one */

void flows_writer_notice(const struct flows *f, const char *fmt, ...)
{
	char text[BH_ERR_MAX + 128];
	va_list ap;

	if (!f->o.notice)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->o.notice(text, f->o.arg);
}

/* --- opening ---------------------------------------------------------------------------------- */

/* One writer: a lock that ends with its process. */
static int lock(struct flows *f, struct bh_err *err)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	bh_autoclose int fd = -1;

	if (f->lock >= 0)
		return 0;
	fd = openat(f->dir, FLOWS_LOCK,
		    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
	if (fd < 0)
		return bh_err_errno(err, -errno, "%s", FLOWS_LOCK);
	if (fcntl(fd, F_OFD_SETLK, &l) < 0)
		return errno == EAGAIN || errno == EACCES
			       ? bh_err_set(err, -EBUSY, "%s: another logger writes it", FLOWS_FILE)
			       : bh_err_errno(err, -errno, "%s", FLOWS_LOCK);
	f->lock = BH_STEAL_FD(fd);
	return 0;
}

/* What counts from the first page on must be said before there is one. */
static int set_up(struct flows *f, struct bh_err *err)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size = %d; PRAGMA auto_vacuum = incremental; "
		 "PRAGMA journal_mode = wal; PRAGMA synchronous = normal; "
		 "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %" PRId64,
		 PAGE_BYTES, f->wal_max);
	return flows_db_run(f->db, sql, err);
}

int flows_set_size(struct flows *f, struct bh_err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA max_page_count = %" PRId64, f->pages_max);
	return flows_db_run(f->db, sql, err);
}

static int check(struct flows *f, struct bh_err *err)
{
	int r = flows_schema_check(f->db, flows_steps, FLOWS_VERSION, err);

	if (r >= 0)
		r = set_up(f, err);
	if (r >= 0)
		r = flows_schema_migrate(f->db, flows_steps, FLOWS_VERSION, err);
	return r;
}

static const char *const texts[FLOWS_STATEMENTS] = {
	[PUT_ACCOUNT] = "INSERT OR REPLACE INTO account(endpoint, netns, direction, name, service, "
			"denied, recorded, not_recorded, counter, time) "
			"VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[DROP_ACCOUNT] = "DELETE FROM account WHERE endpoint = ? AND netns = ? AND direction = ?",
	[PUT_RULE] =
		"INSERT OR REPLACE INTO rule(id, name, packets, bytes, since, first_hit, "
		"last_hit, read, watched, idle_from, seen, probe_packets, probe_bytes, last_probe) "
		"VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[DROP_RULE] = "DELETE FROM rule WHERE id = ?",
	[PUT_READING] =
		"INSERT OR REPLACE INTO reading(netns, cookie, rule, packets, bytes, seen, probes) "
		"VALUES(?, ?, ?, ?, ?, ?, ?)",
	[DROP_READING] = "DELETE FROM reading WHERE netns = ? AND cookie = ? AND rule = ?",
	[DROP_READINGS] = "DELETE FROM reading WHERE netns = ? AND cookie = ?",
	[DROP_ENDED] = "DELETE FROM reading WHERE rule = 0 AND seen < ?",
	[PUT_NUMBER] = flows_numbers_sql,
	[AGE_RECORDS] = "DELETE FROM record WHERE id IN (SELECT id FROM record "
			"WHERE first < ?1 AND first + span < ?1 ORDER BY first LIMIT ?2) "
			"RETURNING packets",
	[TRIM_RECORDS] = "DELETE FROM record WHERE id IN (SELECT id FROM record ORDER BY id "
			 "LIMIT ?1) RETURNING packets",
	[AGE_SIGNALS] = "DELETE FROM signal WHERE id IN (SELECT id FROM signal WHERE time < ?1 "
			"ORDER BY time LIMIT ?2)",
	[TRIM_SIGNALS] = "DELETE FROM signal WHERE id IN (SELECT id FROM signal ORDER BY id "
			 "LIMIT ?2) AND behind < ?1",
	[NEXT_FLOWS] =
		"SELECT max(id) FROM (SELECT id FROM flow WHERE id >= ?1 ORDER BY id LIMIT ?2)",
	[NEXT_TEXTS] =
		"SELECT max(id) FROM (SELECT id FROM text WHERE id >= ?1 ORDER BY id LIMIT ?2)",
	[SWEEP_FLOWS] = "DELETE FROM flow WHERE id BETWEEN ?1 AND ?2 AND used < ?3",
	[SWEEP_TEXTS] = "DELETE FROM text WHERE id BETWEEN ?1 AND ?2 AND used < ?3",
	[OLDEST_RECORD] = "SELECT min(id) FROM record",
	[PAGES] = "PRAGMA page_count",
	[FREE_PAGES] = "PRAGMA freelist_count",
};

static int prepare_insert(struct flows *f, enum flows_statement i, const char *head, int columns,
			  struct bh_err *err)
{
	struct bh_buf sql;
	int r;

	bh_buf_init(&sql, 4096);
	bh_buf_addf(&sql, "INSERT INTO %s, ", head);
	flows_sql_record_columns(&sql, "");
	bh_buf_addstr(&sql, ") VALUES(?");
	for (int n = 1; n < columns + FLOWS_RECORD_COLUMNS; n++)
		bh_buf_addstr(&sql, ", ?");
	bh_buf_addstr(&sql, ")");
	r = bh_buf_error(&sql) < 0
		    ? bh_err_oom(err)
		    : flows_db_prepare(f->db, bh_buf_str(&sql), &f->statements[i], err);
	bh_buf_done(&sql);
	return r;
}

static int prepare(struct flows *f, struct bh_err *err)
{
	int r = prepare_insert(f, ADD_RECORD, "record(id", 1, err);

	if (r >= 0)
		r = prepare_insert(f, ADD_SIGNAL,
				   "signal(id, time, kind, behind, window, ports, peers, reason, "
				   "stands_for, into_scope",
				   10, err);
	for (size_t i = 0; r >= 0 && i < FLOWS_STATEMENTS; i++)
		if (texts[i])
			r = flows_db_prepare(f->db, texts[i], &f->statements[i], err);
	return r < 0 ? r : flows_intern_init(&f->intern, f->db, err);
}

/* --- what was there before -------------------------------------------------------------------- */

static int make_step_smaller(struct flows *f, int64_t step, struct bh_err *err)
{
	char sql[96];
	int r = flows_db_run(f->db, "BEGIN IMMEDIATE", err);

	snprintf(sql, sizeof(sql),
		 "UPDATE state SET value = %" PRId64 " WHERE name = 'step'; COMMIT", step);
	if (r >= 0)
		r = flows_recount(f, err);
	return r < 0 ? r : flows_db_run(f->db, sql, err);
}

/* How exactly it is known when a row was used last depends on how much there is room for. */
static int set_step(struct flows *f, struct bh_err *err)
{
	int64_t step = f->pages_max * PAGE_BYTES / RECORD_BYTES / STEPS;
	int r = 0;

	step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
	if (f->numbers[FLOWS_STEP] > step)
		r = make_step_smaller(f, step, err);
	if (r >= 0)
		f->numbers[FLOWS_STEP] = f->intern.step = step;
	return r;
}

static void at_least(int64_t *n, int64_t least)
{
	if (*n < least)
		*n = least;
}

static int next_of(struct flows *f, enum flows_number i, const char *sql, struct bh_err *err)
{
	int64_t n;
	int r = flows_db_number(f->db, sql, &n, err);

	if (r >= 0 && n == INT64_MAX)
		r = bh_err_set(err, -EBADMSG, "%s: its numbers are none of ours", FLOWS_FILE);
	if (r >= 0)
		at_least(&f->numbers[i], n + 1);
	return r;
}

static int read_numbers(struct flows *f, int64_t now, struct bh_err *err)
{
	int r = flows_numbers_load(f->db, f->numbers, err);

	memcpy(f->saved, f->numbers, sizeof(f->saved));
	if (r >= 0)
		r = next_of(f, FLOWS_NEXT_RECORD, "SELECT max(id) FROM record", err);
	if (r >= 0)
		r = next_of(f, FLOWS_NEXT_FLOW, "SELECT max(id) FROM flow", err);
	if (r >= 0)
		r = next_of(f, FLOWS_NEXT_TEXT, "SELECT max(id) FROM text", err);
	if (r >= 0)
		r = next_of(f, FLOWS_NEXT_SIGNAL, "SELECT max(id) FROM signal", err);
	if (r < 0)
		return r;
	if (!f->numbers[FLOWS_BEGUN]) {
		f->numbers[FLOWS_BEGUN] = now;
		flows_accounts_mark(f); /* it knows none of them */
		flows_rules_mark(f);
	}
	f->intern.next_flow = f->numbers[FLOWS_NEXT_FLOW];
	f->intern.next_text = f->numbers[FLOWS_NEXT_TEXT];
	return set_step(f, err);
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int frames)
{
	((struct flows *)arg)->wal_frames = frames;
	return SQLITE_OK;
}

static int open_it(struct flows *f, int64_t now, struct bh_err *err)
{
	int r = lock(f, err);

	if (r >= 0)
		r = flows_db_open(f->dir, FLOWS_WRITE, &f->db, err);
	if (r >= 0)
		r = check(f, err);
	if (r >= 0)
		r = prepare(f, err);
	if (r >= 0)
		r = read_numbers(f, now, err);
	if (r >= 0)
		r = flows_accounts_load(f, err);
	if (r >= 0)
		r = flows_rules_load(f, err);
	if (r >= 0)
		r = flows_set_size(f, err);
	if (r >= 0)
		sqlite3_wal_hook(f->db, on_wal, f);
	return r;
}

/* KEEP_LOG: the files stay as they are. */
void flows_writer_shut(struct flows *f, bool keep_log)
{
	for (size_t i = 0; i < FLOWS_STATEMENTS; i++)
		sqlite3_finalize(f->statements[i]);
	memset(f->statements, 0, sizeof(f->statements));
	flows_intern_done(&f->intern);
	if (f->db && keep_log)
		sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	flows_db_close(f->db);
	f->db = NULL;
	f->wal_frames = 0;
	f->flows = f->texts = (struct flows_sweep) { 0 };
}

/* --- trouble ---------------------------------------------------------------------------------- */

static void begin_trouble(struct flows *f, int64_t now, const struct bh_err *err)
{
	struct flows_trouble *t = &f->trouble;

	if (!t->text[0]) {
		t->before = f->loss;
		t->pause_ms = BH_FLOWS_RETRY_MIN_MS;
		flows_writer_notice(f,
				    "the history of flows cannot be written: %s; up to %d records "
				    "are kept in memory, and it is tried again",
				    err->msg, BH_FLOWS_HELD_MAX);
	}
	snprintf(t->text, sizeof(t->text), "%s", err->msg[0] ? err->msg : "out of memory");
	t->calm_since = 0;
	t->tried_at = now;
	t->retry_at = now + (int64_t)t->pause_ms * 1000;
	t->pause_ms =
		t->pause_ms < BH_FLOWS_RETRY_MAX_MS / 2 ? 2 * t->pause_ms : BH_FLOWS_RETRY_MAX_MS;
}

void flows_writer_works(struct flows *f, int64_t now)
{
	struct flows_trouble *t = &f->trouble;
	const struct flows_loss *b = &t->before;

	if (!t->text[0])
		return;
	/* A disk that is nearly full takes a little now and then. */
	if (!t->calm_since || now < t->calm_since)
		t->calm_since = now;
	if (now - t->calm_since < INT64_C(1000) * BH_FLOWS_STEADY_MS)
		return;
	flows_writer_notice(f,
			    "the history of flows is written again; %" PRIu64 " records of %" PRIu64
			    " packets and %" PRIu64 " signals were lost meanwhile",
			    f->loss.records - b->records, f->loss.packets - b->packets,
			    f->loss.signals - b->signals);
	*t = (struct flows_trouble) { 0 };
}

/* Once in a while only: a disk that damages what is written would be filled with what is set aside. */
static bool may_set_aside(const struct flows *f, int64_t now)
{
	return !f->set_aside_at || now < f->set_aside_at ||
	       now - f->set_aside_at >= INT64_C(1000) * BH_FLOWS_RETRY_MAX_MS;
}

static int set_aside(struct flows *f, int64_t now, struct bh_err *err)
{
	char name[FLOWS_ASIDE_NAME];
	struct bh_err why = *err;
	int r = flows_aside(f->dir, now, name, err);

	f->set_aside_at = now;
	if (r < 0)
		return r;
	flows_writer_notice(f,
			    "the history of flows is damaged (%s): it is set aside as %s, and a "
			    "new one begun",
			    why.msg, name);
	return 0;
}

int flows_writer_failed(struct flows *f, int64_t now, int r, struct bh_err *err)
{
	if (f->db && !sqlite3_get_autocommit(f->db))
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
	flows_writer_shut(f, r == -EBADMSG || r == -EPROTO);
	if (r == -EBADMSG && may_set_aside(f, now) && set_aside(f, now, err) >= 0) {
		*err = (struct bh_err)BH_ERR_INIT;
		return 0;
	}
	begin_trouble(f, now, err);
	return -EAGAIN;
}

int flows_writer_ready(struct flows *f, int64_t now)
{
	const struct flows_trouble *t = &f->trouble;
	struct bh_err err = BH_ERR_INIT;
	int r;

	if (f->db)
		return 0;
	if (t->text[0] && now >= t->tried_at && now < t->retry_at)
		return -EAGAIN;
	r = open_it(f, now, &err);
	if (r >= 0)
		return 0;
	r = flows_writer_failed(f, now, r, &err);
	if (r < 0)
		return r;
	r = open_it(f, now, &err);
	return r < 0 ? flows_writer_failed(f, now, r, &err) : 0;
}
