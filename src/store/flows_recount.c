/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "flows_map.h"
#include "flows_writer.h"

/*
 * When each flow and text was used last, exactly, from the records that are there: for a step that is
 * smaller than the one by which it is known. Looks at everything; only after a limit was made narrower.
 */

struct recount {
	struct flows *f;
	int64_t base; /* before the oldest record; values are what is above it */
	struct flows_map flows, texts;
	struct bh_err *err;
};

static int put_later(struct recount *c, struct flows_map *m, int64_t id, uint32_t value)
{
	uint32_t known = 0;

	if (id <= 0 || (flows_map_get(m, id, &known) && known >= value))
		return 0;
	return flows_map_put(m, id, value) < 0 ? bh_err_oom(c->err) : 0;
}

static uint32_t above(const struct recount *c, int64_t record)
{
	int64_t n = record - c->base;

	return n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* --- what uses what --------------------------------------------------------------------------- */

/* Rows of (a flow or text that is used, by the record of that number). */
static int count_uses(struct recount *c, const char *sql, struct flows_map *m)
{
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(c->f->db, sql, &s, c->err);

	while (r >= 0 && (r = flows_db_next(s, c->err)) > 0)
		r = put_later(c, m, sqlite3_column_int64(s, 0),
			      above(c, sqlite3_column_int64(s, 1)));
	sqlite3_finalize(s);
	return r;
}

static int count_texts(struct recount *c)
{
	sqlite3_stmt *s = NULL;
	struct bh_buf sql;
	uint32_t used;
	int r;

	bh_buf_init(&sql, 2048);
	bh_buf_addstr(&sql, "SELECT id");
	for (size_t i = 0; i < FLOWS_TEXTS; i++)
		bh_buf_addf(&sql, ", %s", flows_text_fields[i].name);
	bh_buf_addstr(&sql, " FROM flow");
	r = flows_db_prepare(c->f->db, bh_buf_str(&sql), &s, c->err);
	bh_buf_done(&sql);
	while (r >= 0 && (r = flows_db_next(s, c->err)) > 0) {
		if (!flows_map_get(&c->flows, sqlite3_column_int64(s, 0), &used))
			continue;
		for (int i = 1; r >= 0 && i <= FLOWS_TEXTS; i++)
			r = put_later(c, &c->texts, sqlite3_column_int64(s, i), used);
	}
	sqlite3_finalize(s);
	return r;
}

/* --- writing it ------------------------------------------------------------------------------- */

static int write_used(struct recount *c, const struct flows_map *m, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int r = flows_db_prepare(c->f->db, sql, &s, c->err);

	for (size_t i = 0; r >= 0 && i < m->size; i++) {
		if (!m->keys[i])
			continue;
		sqlite3_bind_int64(s, 1, m->keys[i]);
		sqlite3_bind_int64(s, 2, c->base + m->values[i]);
		r = flows_db_step(s, c->err);
	}
	sqlite3_finalize(s);
	return r;
}

static int write_all(struct recount *c)
{
	int r = flows_db_run(c->f->db, "UPDATE flow SET used = 0; UPDATE text SET used = 0",
			     c->err);

	if (r >= 0)
		r = write_used(c, &c->flows, "UPDATE flow SET used = ?2 WHERE id = ?1");
	if (r >= 0)
		r = write_used(c, &c->texts, "UPDATE text SET used = ?2 WHERE id = ?1");
	return r < 0 ? r
		     : flows_db_run(
			       c->f->db,
			       "DELETE FROM flow WHERE used = 0; DELETE FROM text WHERE used = 0",
			       c->err);
}

static int count_all(struct recount *c)
{
	int r = flows_db_number(c->f->db, "SELECT min(id) FROM record", &c->base, c->err);

	c->base = c->base > 0 ? c->base - 1 : c->f->numbers[FLOWS_NEXT_RECORD] - 1;
	if (r >= 0)
		r = count_uses(c, "SELECT flow, id FROM record INDEXED BY record_time", &c->flows);
	if (r >= 0)
		r = count_uses(c, "SELECT flow, behind FROM signal", &c->flows);
	if (r >= 0)
		r = count_texts(c);
	if (r >= 0)
		r = count_uses(c, "SELECT reason, behind FROM signal", &c->texts);
	if (r >= 0)
		r = count_uses(c, "SELECT into_scope, behind FROM signal", &c->texts);
	return r < 0 ? r : write_all(c);
}

int flows_recount(struct flows *f, struct bh_err *err)
{
	struct recount c = { .f = f, .err = err };
	int r = count_all(&c);

	flows_map_done(&c.flows);
	flows_map_done(&c.texts);
	return r;
}
