/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_account.h"
#include "flows_writer.h"
#include "flows_hash.h"

/* The sums of each endpoint: all of them in memory, for a file may have to be begun anew. */

struct account_key {
	uint64_t netns, direction;
	char endpoint[RECORD_STR]; /* zeros behind its end: hashed as a whole */
};

struct account_entry {
	UT_hash_handle hh;
	struct account_key key;
	struct flows_account a;
	bool dirty;
};

/* --- in memory -------------------------------------------------------------------------------- */

static void make_key(struct account_key *key, const struct flows_account *a)
{
	memset(key, 0, sizeof(*key));
	key->netns = a->netns;
	key->direction = a->direction;
	snprintf(key->endpoint, sizeof(key->endpoint), "%s", a->endpoint);
}

static struct account_entry *find(const struct flows *f, const struct account_key *key)
{
	struct account_entry *e;

	HASH_FIND(hh, f->accounts, key, sizeof(*key), e);
	return e;
}

static struct account_entry *add(struct flows *f, const struct account_key *key)
{
	struct account_entry *e;

	if (HASH_COUNT(f->accounts) >= BH_FLOWS_ACCOUNTS_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *key;
	HASH_ADD(hh, f->accounts, key, sizeof(e->key), e);
	if (e->hh.tbl)
		return e;
	free(e);
	return NULL;
}

static void drop(struct flows *f, struct account_entry *e)
{
	f->n_dirty -= e->dirty;
	HASH_DEL(f->accounts, e);
	free(e);
}

void flows_accounts_free(struct flows *f)
{
	struct account_entry *e, *next;

	HASH_ITER (hh, f->accounts, e, next)
		drop(f, e);
}

static void mark(struct flows *f, struct account_entry *e)
{
	f->n_dirty += !e->dirty;
	e->dirty = true;
}

void flows_accounts_mark(struct flows *f)
{
	struct account_entry *e, *next;

	HASH_ITER (hh, f->accounts, e, next)
		mark(f, e);
}

void flows_accounts_written(struct flows *f)
{
	struct account_entry *e, *next;

	if (f->n_dirty)
		HASH_ITER (hh, f->accounts, e, next)
			e->dirty = false;
	f->n_dirty = 0;
}

int flows_put_account(struct flows *f, const struct flows_account *a)
{
	struct account_entry *e;
	struct account_key key;

	make_key(&key, a);
	e = find(f, &key);
	if (!e)
		e = add(f, &key);
	if (!e) {
		if (!f->sums_left_out++)
			flows_writer_notice(f, "the sums of a container are left out of the "
					       "history: there is no room in memory");
		return -ENOBUFS;
	}
	e->a = *a;
	mark(f, e);
	return 0;
}

int flows_accounts(struct flows *f, int (*fn)(const struct flows_account *a, void *arg), void *arg,
		   struct bh_err *err)
{
	struct account_entry *e, *next;
	int r = 0;

	if (!f->db) /* those that are there may not be all */
		return bh_err_set(err, -EIO, "%s", f->trouble.text);
	HASH_ITER (hh, f->accounts, e, next) {
		r = fn(&e->a, arg);
		if (r < 0)
			break;
	}
	return r < 0 ? r : 0;
}

/* --- in the file ------------------------------------------------------------------------------ */

static int write_one(sqlite3_stmt *s, const struct flows_account *a, struct bh_err *err)
{
	sqlite3_bind_text(s, 1, a->endpoint, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)a->netns);
	sqlite3_bind_int64(s, 3, a->direction);
	sqlite3_bind_text(s, 4, a->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 5, a->service, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, (int64_t)a->denied);
	sqlite3_bind_int64(s, 7, (int64_t)a->recorded);
	sqlite3_bind_int64(s, 8, (int64_t)a->not_recorded);
	sqlite3_bind_int64(s, 9, (int64_t)a->counter);
	sqlite3_bind_int64(s, 10, a->when);
	return flows_db_step(s, err);
}

static int remove_one(struct flows *f, struct account_entry *e, struct bh_err *err)
{
	sqlite3_stmt *s = f->statements[DROP_ACCOUNT];
	int r;

	sqlite3_bind_text(s, 1, e->a.endpoint, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s, 2, (int64_t)e->a.netns);
	sqlite3_bind_int64(s, 3, e->a.direction);
	r = flows_db_step(s, err);
	if (r >= 0)
		drop(f, e);
	return r;
}

static int longest_ago(const void *a, const void *b)
{
	const struct account_entry *x = *(struct account_entry *const *)a,
				   *y = *(struct account_entry *const *)b;

	return x->a.when < y->a.when ? -1 : x->a.when > y->a.when;
}

/* Over what there is room for, those go that were read longest ago, and some more: not one by one. */
static int make_room(struct flows *f, struct bh_err *err)
{
	size_t n = HASH_COUNT(f->accounts), left = f->accounts_max - f->accounts_max / 16;
	bh_autofree struct account_entry **all = NULL;
	struct account_entry *e;
	int r = 0;

	if (n <= f->accounts_max)
		return 0;
	all = malloc(n * sizeof(*all));
	if (!all)
		return bh_err_oom(err);
	for (n = 0, e = f->accounts; e; e = e->hh.next)
		all[n++] = e;
	qsort(all, n, sizeof(*all), longest_ago);
	for (size_t i = 0; r >= 0 && i < n - left; i++)
		r = remove_one(f, all[i], err);
	if (r >= 0)
		flows_writer_notice(f,
				    "there is room for %zu sums of containers in the history: the "
				    "%zu that were read longest ago are given up",
				    f->accounts_max, n - left);
	return r;
}

int flows_accounts_write(struct flows *f, struct bh_err *err)
{
	struct account_entry *e, *next;
	int r;

	if (!f->n_dirty)
		return 0;
	r = make_room(f, err);
	if (r < 0)
		return r;
	HASH_ITER (hh, f->accounts, e, next) {
		if (e->dirty)
			r = write_one(f->statements[PUT_ACCOUNT], &e->a, err);
		if (r < 0)
			break;
	}
	return r;
}

static void copy_text(sqlite3_stmt *s, int i, char out[RECORD_STR])
{
	const char *text = (const char *)sqlite3_column_text(s, i);

	snprintf(out, RECORD_STR, "%s", text ? text : "");
}

void flows_account_read(sqlite3_stmt *s, struct flows_account *ret)
{
	memset(ret, 0, sizeof(*ret));
	copy_text(s, 0, ret->endpoint);
	ret->netns = (uint64_t)sqlite3_column_int64(s, 1);
	ret->direction = sqlite3_column_int64(s, 2) == DIRECTION_INGRESS ? DIRECTION_INGRESS
									 : DIRECTION_EGRESS;
	copy_text(s, 3, ret->name);
	copy_text(s, 4, ret->service);
	ret->denied = (uint64_t)sqlite3_column_int64(s, 5);
	ret->recorded = (uint64_t)sqlite3_column_int64(s, 6);
	ret->not_recorded = (uint64_t)sqlite3_column_int64(s, 7);
	ret->counter = (uint64_t)sqlite3_column_int64(s, 8);
	ret->when = sqlite3_column_int64(s, 9);
}

/* Without them the sums would begin anew: what there is no memory for is trouble, and tried again. */
static int take(struct flows *f, sqlite3_stmt *s, struct bh_err *err)
{
	struct account_entry *e;
	struct flows_account a;
	struct account_key key;

	flows_account_read(s, &a);
	if (sqlite3_errcode(f->db) == SQLITE_NOMEM)
		return bh_err_oom(err);
	make_key(&key, &a);
	if (find(f, &key) || HASH_COUNT(f->accounts) >= BH_FLOWS_ACCOUNTS_MAX)
		return 0; /* what was put meanwhile is newer */
	e = add(f, &key);
	if (!e)
		return bh_err_oom(err);
	e->a = a;
	return 0;
}

int flows_accounts_load(struct flows *f, struct bh_err *err)
{
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(f->db, "SELECT " FLOWS_ACCOUNT_COLUMNS " FROM account", &s, err);

	while (r >= 0 && (r = flows_db_next(s, err)) > 0)
		r = take(f, s, err);
	sqlite3_finalize(s);
	return r;
}

int flows_accounts_age(struct flows *f, int64_t limit, struct bh_err *err)
{
	struct account_entry *e, *next;
	int r = 0;

	HASH_ITER (hh, f->accounts, e, next) {
		if (e->dirty || e->a.when >= limit)
			continue;
		r = remove_one(f, e, err);
		if (r < 0)
			break;
	}
	return r;
}
