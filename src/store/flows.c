/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/store/flows.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_hash.h"
#include "flows_writer.h"

/* The writer: what waits, and the transaction that writes it. */

#define PAGE_BYTES   4096
#define RECORD_BYTES 2048 /* much for one, texts included; the longest have 8 KiB */
#define CHUNK_MIN    16
#define SUM_BYTES    512 /* of one, about; all have a quarter of the room */

/* --- life ------------------------------------------------------------------------------------- */

static void set_limits(struct flows *f)
{
	int64_t bytes = (int64_t)f->o.megabytes << 20;

	f->wal_max = bytes / 4 < BH_FLOWS_WAL_BYTES_MAX ? bytes / 4 : BH_FLOWS_WAL_BYTES_MAX;
	f->pages_max = (bytes - f->wal_max) / PAGE_BYTES;
	f->chunk = (size_t)(f->pages_max * PAGE_BYTES / 8 / RECORD_BYTES);
	if (f->chunk < CHUNK_MIN)
		f->chunk = CHUNK_MIN;
	/* what comes between two commits has room in memory, too */
	f->accounts_max = BH_FLOWS_ACCOUNTS_MAX - BH_FLOWS_ACCOUNTS_MAX / 16;
	if ((int64_t)f->accounts_max > f->pages_max * PAGE_BYTES / 4 / SUM_BYTES)
		f->accounts_max = (size_t)(f->pages_max * PAGE_BYTES / 4 / SUM_BYTES);
}

int flows_open(int dir, const struct flows_options *o, int64_t now, struct flows **ret,
	       struct bh_err *err)
{
	struct flows *f;

	if (fcntl(dir, F_GETFD) < 0)
		return bh_err_errno(err, -errno, "the directory of the history");
	flows_hash_begin();
	f = calloc(1, sizeof(*f));
	if (!f)
		return bh_err_oom(err);
	f->dir = dir;
	f->lock = -1;
	f->o = *o;
	if (!f->o.days)
		f->o.days = BH_DENIED_DAYS_DEFAULT;
	if (!f->o.megabytes)
		f->o.megabytes = BH_DENIED_MEGABYTES_DEFAULT;
	set_limits(f);
	f->held = malloc(BH_FLOWS_HELD_MAX * sizeof(*f->held));
	f->signals = malloc(BH_FLOWS_SIGNALS_MAX * sizeof(*f->signals));
	if (!f->held || !f->signals || flows_rules_open(f) < 0) {
		flows_close(f, now);
		return bh_err_oom(err);
	}
	flows_writer_ready(f, now);
	*ret = f;
	return 0;
}

static void lose(struct flows *f, const struct flow_record *r)
{
	f->loss.records++;
	f->loss.packets += r->packets;
	if (f->o.lost)
		f->o.lost(r, f->o.arg);
}

void flows_close(struct flows *f, int64_t now)
{
	if (!f)
		return;
	f->trouble.retry_at = 0; /* there is no later */
	flows_commit(f, now);
	for (size_t i = 0; i < f->n_held; i++)
		lose(f, &f->held[i]);
	flows_writer_shut(f, false);
	flows_accounts_free(f);
	flows_rules_free(f);
	if (f->lock >= 0)
		close(f->lock);
	free(f->held);
	free(f->signals);
	free(f);
}

/* --- what waits ------------------------------------------------------------------------------- */

int flows_add(struct flows *f, const struct flow_record *r)
{
	if (f->n_held == BH_FLOWS_HELD_MAX) {
		lose(f, r);
		return -ENOBUFS;
	}
	f->held[f->n_held++] = *r;
	return f->n_held >= BH_FLOWS_BATCH;
}

int flows_add_signal(struct flows *f, const struct flow_signal *s)
{
	if (f->n_signals == BH_FLOWS_SIGNALS_MAX) {
		f->loss.signals++;
		return -ENOBUFS;
	}
	f->signals[f->n_signals++] = *s;
	return f->n_signals >= BH_FLOWS_SIGNALS_MAX / 2;
}

/* That it has begun is written at once: until then nobody knows that nothing was denied. */
static bool is_empty(const struct flows *f)
{
	return f->numbers[FLOWS_BEGUN] == f->saved[FLOWS_BEGUN] && !f->n_held && !f->n_signals &&
	       !f->n_dirty && !flows_rules_wait(f) && f->loss.records == f->told_loss.records &&
	       f->loss.signals == f->told_loss.signals;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int64_t sum(int64_t a, uint64_t b)
{
	return (int64_t)((uint64_t)a + b);
}

static int write_record(struct flows *f, const struct flow_record *r, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[ADD_RECORD];
	int64_t id = f->numbers[FLOWS_NEXT_RECORD], flow;
	int q = flows_intern_flow(&f->intern, r, id, &flow, err);

	if (q < 0)
		return q;
	sqlite3_bind_int64(s, 1, id);
	flows_record_bind(s, 2, r, flow);
	q = flows_db_step(s, err);
	if (q < 0)
		return q;
	if (r->last_seen - r->first_seen > f->numbers[FLOWS_LONGEST])
		f->numbers[FLOWS_LONGEST] = r->last_seen - r->first_seen;
	f->numbers[FLOWS_NEXT_RECORD]++;
	f->numbers[FLOWS_RECORDS]++;
	f->numbers[FLOWS_PACKETS] = sum(f->numbers[FLOWS_PACKETS], r->packets);
	return 0;
}

static int write_signal(struct flows *f, const struct flow_signal *g, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[ADD_SIGNAL];
	int64_t behind = f->numbers[FLOWS_NEXT_RECORD], flow, reason, scope;
	int q = flows_intern_flow(&f->intern, &g->record, behind, &flow, err);

	if (q >= 0)
		q = flows_intern_text(&f->intern, g->reason, behind, &reason, err);
	if (q >= 0)
		q = flows_intern_text(&f->intern, g->scope, behind, &scope, err);
	if (q < 0)
		return q;
	sqlite3_bind_int64(s, 1, f->numbers[FLOWS_NEXT_SIGNAL]);
	sqlite3_bind_int64(s, 2, g->when);
	sqlite3_bind_int64(s, 3, g->kind);
	sqlite3_bind_int64(s, 4, behind);
	sqlite3_bind_int64(s, 5, g->window_s);
	sqlite3_bind_int64(s, 6, g->ports);
	sqlite3_bind_int64(s, 7, g->peers);
	sqlite3_bind_int64(s, 8, reason);
	sqlite3_bind_int64(s, 9, (int64_t)g->packets);
	sqlite3_bind_int64(s, 10, scope);
	flows_record_bind(s, 11, &g->record, flow);
	q = flows_db_step(s, err);
	f->numbers[FLOWS_NEXT_SIGNAL] += q >= 0;
	return q;
}

/* N of the records; with the last of them what goes with all. */
static int write_some(struct flows *f, size_t n, struct bh_err *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = write_record(f, &f->held[i], err);
	if (r < 0 || n < f->n_held)
		return r;
	for (size_t i = 0; r >= 0 && i < f->n_signals; i++)
		r = write_signal(f, &f->signals[i], err);
	if (r >= 0)
		r = flows_accounts_write(f, err);
	return r < 0 ? r : flows_rules_write(f, err);
}

static void count_loss(struct flows *f)
{
	const struct flows_loss *told = &f->told_loss;
	int64_t *n = f->numbers;

	n[FLOWS_LOST_RECORDS] = sum(n[FLOWS_LOST_RECORDS], f->loss.records - told->records);
	n[FLOWS_LOST_PACKETS] = sum(n[FLOWS_LOST_PACKETS], f->loss.packets - told->packets);
	n[FLOWS_LOST_SIGNALS] = sum(n[FLOWS_LOST_SIGNALS], f->loss.signals - told->signals);
}

static int write_chunk(struct flows *f, size_t n, struct bh_err *err)
{
	int r = flows_db_run(f->db, "BEGIN IMMEDIATE", err);

	if (r >= 0)
		r = flows_make_room(f, n, err);
	if (r >= 0)
		r = write_some(f, n, err);
	if (r < 0)
		return r;
	count_loss(f);
	f->numbers[FLOWS_NEXT_FLOW] = f->intern.next_flow;
	f->numbers[FLOWS_NEXT_TEXT] = f->intern.next_text;
	r = flows_numbers_save(f->statements[PUT_NUMBER], f->numbers, f->saved, err);
	return r < 0 ? r : flows_db_run(f->db, "COMMIT", err);
}

static void chunk_written(struct flows *f, size_t n)
{
	f->came += n;
	f->told_loss = f->loss;
	memcpy(f->saved, f->numbers, sizeof(f->saved));
	f->n_held -= n;
	memmove(f->held, f->held + n, f->n_held * sizeof(*f->held));
}

/* One transaction; several only where so much is not to be in one, for what there is room for. */
static int write_batch(struct flows *f, int64_t now, struct bh_err *err)
{
	size_t n;
	int r;

	do {
		n = f->n_held < f->chunk ? f->n_held : f->chunk;
		r = write_chunk(f, n, err);
		if (r < 0)
			break;
		chunk_written(f, n);
		flows_checkpoint(f, NULL); /* if it fails: flows_tend() tells */
	} while (f->n_held);
	if (r < 0)
		return r;
	f->n_signals = 0;
	flows_accounts_written(f);
	flows_rules_written(f);
	flows_writer_works(f, now);
	return 0;
}

int flows_commit(struct flows *f, int64_t now)
{
	struct bh_err err = BH_ERR_INIT;
	int r = 0;

	if (is_empty(f) && !f->trouble.text[0])
		return 0;
	/* Twice: what is damaged is set aside, and the batch goes into the new one. */
	for (int i = 0; i < 2; i++) {
		r = flows_writer_ready(f, now);
		if (r < 0)
			return r;
		r = write_batch(f, now, &err);
		if (r >= 0)
			return 0;
		r = flows_writer_failed(f, now, r, &err);
		if (r < 0)
			return r;
	}
	return -EAGAIN;
}

void flows_lost(const struct flows *f, struct flows_loss *ret)
{
	*ret = f->loss;
}

const char *flows_trouble(const struct flows *f)
{
	return f->trouble.text[0] ? f->trouble.text : NULL;
}
