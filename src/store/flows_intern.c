/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_intern.h"

#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "flows_db.h"
#include "flows_hash.h"

struct text_entry {
	UT_hash_handle hh;
	int64_t id, used;
	char text[];
};

struct flow_entry {
	UT_hash_handle hh;
	int64_t id, used;
	struct flow_key key;
};

int flows_intern_init(struct flows_intern *c, sqlite3 *db, struct bh_err *err)
{
	struct bh_buf sql;
	int r;

	bh_buf_init(&sql, 8192);
	flows_sql_insert_flow(&sql);
	r = bh_buf_error(&sql) < 0 ? bh_err_oom(err)
				   : flows_db_prepare(db, bh_buf_str(&sql), &c->add_flow, err);
	bh_buf_done(&sql);
	if (r >= 0)
		r = flows_db_prepare(db, "UPDATE flow SET used = ?2 WHERE id = ?1", &c->use_flow,
				     err);
	if (r >= 0)
		r = flows_db_prepare(db, "INSERT INTO text(id, used, text) VALUES(?, ?, ?)",
				     &c->add_text, err);
	if (r >= 0)
		r = flows_db_prepare(db, "UPDATE text SET used = ?2 WHERE id = ?1", &c->use_text,
				     err);
	return r;
}

void flows_intern_forget(struct flows_intern *c)
{
	struct text_entry *t, *t_next;
	struct flow_entry *f, *f_next;

	HASH_ITER (hh, c->texts, t, t_next) {
		HASH_DEL(c->texts, t);
		free(t);
	}
	HASH_ITER (hh, c->flows, f, f_next) {
		HASH_DEL(c->flows, f);
		free(f);
	}
	memset(c->last, 0, sizeof(c->last));
}

void flows_intern_done(struct flows_intern *c)
{
	flows_intern_forget(c);
	sqlite3_finalize(c->add_text);
	sqlite3_finalize(c->use_text);
	sqlite3_finalize(c->add_flow);
	sqlite3_finalize(c->use_flow);
	*c = (struct flows_intern) { 0 };
}

/* 1: it is there no more. Retention takes what no record of the last step used. */
static int set_used(sqlite3_stmt *s, int64_t id, int64_t record, struct bh_err *err)
{
	int r;

	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, record);
	r = flows_db_step(s, err);
	return r < 0 ? r : sqlite3_changes(sqlite3_db_handle(s)) == 0;
}

/* --- texts ------------------------------------------------------------------------------------ */

static int write_text(struct flows_intern *c, const struct text_entry *e, struct bh_err *err)
{
	sqlite3_bind_int64(c->add_text, 1, e->id);
	sqlite3_bind_int64(c->add_text, 2, e->used);
	sqlite3_bind_text(c->add_text, 3, e->text, -1, SQLITE_STATIC);
	return flows_db_step(c->add_text, err);
}

static int add_text(struct flows_intern *c, const char *text, size_t len, int64_t record,
		    struct text_entry **ret, struct bh_err *err)
{
	struct text_entry *e = malloc(sizeof(*e) + len + 1);
	int r;

	if (!e)
		return bh_err_oom(err);
	memset(e, 0, sizeof(*e));
	e->id = c->next_text;
	e->used = record;
	memcpy(e->text, text, len + 1);
	r = write_text(c, e, err);
	if (r >= 0) {
		HASH_ADD_KEYPTR(hh, c->texts, e->text, len, e);
		if (!e->hh.tbl)
			r = bh_err_oom(err);
	}
	if (r < 0) {
		free(e);
		return r;
	}
	c->next_text++;
	*ret = e;
	return 0;
}

static int use_text(struct flows_intern *c, struct text_entry *e, int64_t record,
		    struct bh_err *err)
{
	int r;

	if (record - e->used < c->step)
		return 0;
	r = set_used(c->use_text, e->id, record, err);
	if (r < 0)
		return r;
	e->used = record;
	return r > 0 ? write_text(c, e, err) : 0;
}

static int find_text(struct flows_intern *c, const char *text, int64_t record,
		     struct text_entry **ret, struct bh_err *err)
{
	size_t len = strlen(text);
	struct text_entry *e;

	HASH_FIND(hh, c->texts, text, len, e);
	if (!e)
		return add_text(c, text, len, record, ret, err);
	*ret = e;
	return use_text(c, e, record, err);
}

int flows_intern_text(struct flows_intern *c, const char *text, int64_t record, int64_t *ret,
		      struct bh_err *err)
{
	struct text_entry *e;
	int r;

	*ret = 0;
	if (!text[0])
		return 0;
	r = find_text(c, text, record, &e, err);
	if (r >= 0)
		*ret = e->id;
	return r;
}

/* --- flows ------------------------------------------------------------------------------------ */

static int key_text(struct flows_intern *c, struct flow_key *key, size_t i, const char *text,
		    int64_t record, struct bh_err *err)
{
	struct text_entry *e = c->last[i];
	int r;

	key->texts[i] = 0;
	if (!text[0])
		return 0;
	if (e && strcmp(e->text, text) == 0)
		r = use_text(c, e, record, err);
	else
		r = find_text(c, text, record, &e, err);
	if (r < 0)
		return r;
	c->last[i] = e;
	key->texts[i] = e->id;
	return 0;
}

static int write_flow(struct flows_intern *c, const struct flow_entry *e, struct bh_err *err)
{
	sqlite3_bind_int64(c->add_flow, 1, e->id);
	sqlite3_bind_int64(c->add_flow, 2, e->used);
	flow_key_bind(c->add_flow, 3, &e->key);
	return flows_db_step(c->add_flow, err);
}

static int add_flow(struct flows_intern *c, const struct flow_key *key, int64_t record,
		    struct flow_entry **ret, struct bh_err *err)
{
	struct flow_entry *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return bh_err_oom(err);
	e->id = c->next_flow;
	e->used = record;
	memcpy(&e->key, key, sizeof(*key));
	r = write_flow(c, e, err);
	if (r >= 0) {
		HASH_ADD(hh, c->flows, key, sizeof(e->key), e);
		if (!e->hh.tbl)
			r = bh_err_oom(err);
	}
	if (r < 0) {
		free(e);
		return r;
	}
	c->next_flow++;
	*ret = e;
	return 0;
}

static int use_flow(struct flows_intern *c, struct flow_entry *e, int64_t record,
		    struct bh_err *err)
{
	int r;

	if (record - e->used < c->step)
		return 0;
	r = set_used(c->use_flow, e->id, record, err);
	if (r < 0)
		return r;
	e->used = record;
	return r > 0 ? write_flow(c, e, err) : 0;
}

static void make_room(struct flows_intern *c)
{
	if (HASH_COUNT(c->texts) + FLOWS_TEXTS > BH_FLOWS_CACHE_MAX ||
	    HASH_COUNT(c->flows) >= BH_FLOWS_CACHE_MAX)
		flows_intern_forget(c);
}

int flows_intern_flow(struct flows_intern *c, const struct flow_record *r, int64_t record,
		      int64_t *ret, struct bh_err *err)
{
	struct flow_entry *e = NULL;
	struct flow_key key;
	int q = 0;

	make_room(c);
	memset(&key, 0, sizeof(key));
	flow_key_fill(&key, r);
	for (size_t i = 0; q >= 0 && i < FLOWS_TEXTS; i++)
		q = key_text(c, &key, i, flows_text_of(r, i), record, err);
	if (q < 0)
		return q;
	HASH_FIND(hh, c->flows, &key, sizeof(key), e);
	q = e ? use_flow(c, e, record, err) : add_flow(c, &key, record, &e, err);
	if (q >= 0)
		*ret = e->id;
	return q;
}
