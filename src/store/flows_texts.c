/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "flows_db.h"
#include "flows_hash.h"

struct texts_entry {
	struct flows_text text;
	UT_hash_handle hh, of_text;
	char bytes[];
};

int flows_texts_init(struct flows_texts *t, sqlite3 *db, struct bh_err *err)
{
	*t = (struct flows_texts) { 0 };
	return flows_db_prepare(db, "SELECT text FROM text WHERE id = ?", &t->get, err);
}

void flows_texts_clear(struct flows_texts *t)
{
	struct texts_entry *e, *next;

	HASH_CLEAR(of_text, t->by_text);
	HASH_ITER (hh, t->by_id, e, next) {
		HASH_DEL(t->by_id, e);
		free(e);
	}
	t->bytes = 0;
}

void flows_texts_done(struct flows_texts *t)
{
	flows_texts_clear(t);
	sqlite3_finalize(t->get);
	*t = (struct flows_texts) { 0 };
}

void flows_texts_forget_memos(struct flows_texts *t)
{
	struct texts_entry *e, *next;

	HASH_ITER (hh, t->by_id, e, next)
		memset(e->text.memo, 0, sizeof(e->text.memo));
}

static int failed(struct flows_texts *t, int r, const char *why)
{
	if (!t->error) {
		t->error = r;
		if (why)
			bh_err_set(&t->err, r, "%s", why);
	}
	return r;
}

static struct texts_entry *make(struct flows_texts *t, int64_t id, const char *text)
{
	size_t len = strnlen(text, 1024); /* the longest of a record is shorter */
	struct texts_entry *e = NULL;

	if (t->bytes + sizeof(*e) + len > BH_FLOWS_TEXTS_MAX) {
		failed(t, -E2BIG, "the history has more text than fits into memory: ask for less");
		return NULL;
	}
	e = calloc(1, sizeof(*e) + len + 1);
	if (!e) {
		failed(t, -ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(e->bytes, text, len);
	e->text.text = e->bytes;
	e->text.id = e->text.same = id;
	t->bytes += sizeof(*e) + len;
	return e;
}

static struct texts_entry *add(struct flows_texts *t, int64_t id, const char *text)
{
	struct texts_entry *e = make(t, id, text), *first;

	if (!e)
		return NULL;
	HASH_ADD(hh, t->by_id, text.id, sizeof(e->text.id), e);
	if (!e->hh.tbl) {
		free(e);
		failed(t, -ENOMEM, "out of memory");
		return NULL;
	}
	HASH_FIND(of_text, t->by_text, e->bytes, strlen(e->bytes), first);
	if (first) {
		e->text.same = first->text.same;
		return e;
	}
	HASH_ADD_KEYPTR(of_text, t->by_text, e->bytes, strlen(e->bytes), e);
	if (!e->of_text.tbl)
		failed(t, -ENOMEM, "out of memory");
	return e;
}

static struct texts_entry *load(struct flows_texts *t, int64_t id)
{
	const char *text = NULL;
	struct texts_entry *e;
	int r;

	sqlite3_bind_int64(t->get, 1, id);
	r = flows_db_next(t->get, &t->err);
	if (r < 0) {
		failed(t, r, NULL);
	} else if (r > 0) {
		text = (const char *)sqlite3_column_text(t->get, 0);
	}
	e = t->error ? NULL : add(t, id, text ? text : "");
	sqlite3_reset(t->get);
	return e;
}

struct flows_text *flows_texts_get(struct flows_texts *t, int64_t id)
{
	static struct flows_text none = { .text = "" };
	struct texts_entry *e = NULL;

	if (!id)
		return &none;
	HASH_FIND(hh, t->by_id, &id, sizeof(id), e);
	if (!e && !t->error)
		e = load(t, id);
	if (e)
		return &e->text;
	memset(none.memo, 0, sizeof(none.memo));
	return &none;
}
