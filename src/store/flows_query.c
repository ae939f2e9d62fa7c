/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_reader.h"
#include "flows_row.h"

/*
 * Records one by one: first which they are (numbers, in their order, in one snapshot), then each handed
 * out in small pieces, so that a reader that is stopped at a full pipe holds nothing.
 */

#define PIECE 64

/* --- which ------------------------------------------------------------------------------------ */

struct search {
	struct flows_reader *r;
	const struct flows_filter *f;
	const struct flows_order *o;
	enum flows_kind kind;
	bool all; /* flows are not looked at */
	struct flows_map flows;
	struct flows_hit *hits;
	size_t n, cap;
	bool more;
};

static void search_done(struct search *s)
{
	flows_map_done(&s->flows);
	free(s->hits);
}

static int add_hit(struct search *s, int64_t value, int64_t id, struct bh_err *err)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 256;
		void *more = realloc(s->hits, cap * sizeof(*s->hits));

		if (!more)
			return bh_err_oom(err);
		s->hits = more;
		s->cap = cap;
	}
	s->hits[s->n++] = (struct flows_hit) { value, id };
	return 0;
}

/* <0: A comes before B. */
static int compare(bool reverse, int64_t a, int64_t a_id, int64_t b, int64_t b_id)
{
	int r = a != b ? (a < b ? -1 : 1) : a_id < b_id ? -1 : a_id > b_id;

	return reverse ? -r : r;
}

/* The most packets first, unless it is to be reversed. */
static bool descends(const struct flows_order *o)
{
	return o->sort == FLOWS_BY_TIME ? o->reverse : !o->reverse;
}

static bool is_behind(const struct flows_order *o, int64_t value, int64_t id)
{
	return !o->after.id || compare(descends(o), value, id, o->after.value, o->after.id) > 0;
}

static int look_at(struct search *s, sqlite3_stmt *row, struct bh_err *err)
{
	int64_t first = sqlite3_column_int64(row, 0), id = sqlite3_column_int64(row, 1);
	int64_t value = s->o->sort == FLOWS_BY_TIME ? first : sqlite3_column_int64(row, 3);
	const struct flows_brief rec = { id, first, sqlite3_column_int64(row, 3),
					 sqlite3_column_int64(row, 4) };
	uint32_t unused;
	int q;

	if (!s->all && !flows_map_get(&s->flows, sqlite3_column_int64(row, 2), &unused))
		return 0;
	if (!flows_match_time(s->f, first, rec.span) || !is_behind(s->o, value, id))
		return 0;
	q = s->kind == OF_RECORDS ? flows_is_whose(s->r, s->f, &rec, err) : 1;
	return q > 0 ? add_hit(s, value, id, err) : q;
}

static bool is_enough(const struct search *s)
{
	return s->o->limit && s->o->sort == FLOWS_BY_TIME && s->n > s->o->limit;
}

/* The index alone has all that is looked at. */
static const char *const by_time[FLOWS_KINDS] = {
	"SELECT first, id, flow, packets, span FROM record INDEXED BY record_time "
	"WHERE first BETWEEN ?1 AND ?2 ORDER BY first, id",
	"SELECT time, id, flow, 0, 0 FROM signal INDEXED BY signal_time "
	"WHERE time BETWEEN ?1 AND ?2 ORDER BY time, id",
};
static const char *const by_time_down[FLOWS_KINDS] = {
	"SELECT first, id, flow, packets, span FROM record INDEXED BY record_time "
	"WHERE first BETWEEN ?1 AND ?2 ORDER BY first DESC, id DESC",
	"SELECT time, id, flow, 0, 0 FROM signal INDEXED BY signal_time "
	"WHERE time BETWEEN ?1 AND ?2 ORDER BY time DESC, id DESC",
};

/* A page begins where the last one ended, and not at the beginning. */
static void begin_behind(const struct flows_order *o, int64_t *from, int64_t *to)
{
	if (!o->after.id || o->sort != FLOWS_BY_TIME)
		return;
	if (o->reverse && o->after.value < *to)
		*to = o->after.value;
	if (!o->reverse && o->after.value > *from)
		*from = o->after.value;
}

static int collect(struct search *s, struct bh_err *err)
{
	bool down = s->o->sort == FLOWS_BY_TIME && s->o->reverse;
	sqlite3_stmt *row = NULL;
	int64_t from, to, seen = 0;
	int q = flows_time_bounds(s->r, s->f, &from, &to, err);

	if (q >= 0)
		q = flows_db_prepare(s->r->db, (down ? by_time_down : by_time)[s->kind], &row, err);
	if (q < 0)
		return q;
	begin_behind(s->o, &from, &to);
	sqlite3_bind_int64(row, 1, from);
	sqlite3_bind_int64(row, 2, to);
	while (q >= 0 && !is_enough(s) && (q = flows_db_next(row, err)) > 0) {
		q = flows_count_row(&seen, err);
		if (q >= 0)
			q = look_at(s, row, err);
	}
	sqlite3_finalize(row);
	return q < 0 ? q : 0;
}

static int hit_cmp(const void *a, const void *b, void *arg)
{
	const struct flows_hit *x = a, *y = b;

	return compare(*(const bool *)arg, x->value, x->id, y->value, y->id);
}

static int find(struct search *s, struct bh_err *err)
{
	bool down = descends(s->o);
	int q = flows_reader_begin(s->r, err);

	if (q < 0)
		return q;
	s->all = flows_match_columns(s->f) == 0;
	if (!s->all)
		q = flows_scan(s->r, s->f, 0, NULL, NULL, &s->flows, err);
	if (q >= 0)
		q = collect(s, err);
	flows_reader_end(s->r);
	if (q < 0)
		return q;
	if (s->o->sort != FLOWS_BY_TIME && s->n)
		qsort_r(s->hits, s->n, sizeof(*s->hits), hit_cmp, &down);
	s->more = s->o->limit && s->n > s->o->limit;
	if (s->more)
		s->n = s->o->limit;
	return 0;
}

/* --- handing out ------------------------------------------------------------------------------ */

static const char *text_of(int64_t id, void *arg)
{
	return flows_texts_get(arg, id)->text;
}

static uint32_t bounded(sqlite3_stmt *s, int at, uint32_t max)
{
	int64_t v = sqlite3_column_int64(s, at);

	return v >= 0 && v <= max ? (uint32_t)v : 0;
}

static void read_signal(struct flows_reader *r, sqlite3_stmt *s, int at, struct flow_signal *ret)
{
	ret->when = sqlite3_column_int64(s, at);
	ret->kind = bounded(s, at + 1, SIGNAL_KINDS - 1);
	ret->window_s = bounded(s, at + 2, UINT32_MAX);
	ret->ports = bounded(s, at + 3, UINT32_MAX);
	ret->peers = bounded(s, at + 4, UINT32_MAX);
	flows_tame(ret->reason, sizeof(ret->reason),
		   flows_texts_get(&r->texts, sqlite3_column_int64(s, at + 5))->text);
	ret->packets = (uint64_t)sqlite3_column_int64(s, at + 6);
	if (!ret->packets) /* of a version that did not keep it */
		ret->packets = ret->record.packets;
	snprintf(ret->scope, sizeof(ret->scope), "%s",
		 flows_texts_get(&r->texts, sqlite3_column_int64(s, at + 7))->text);
}

/* 1, or 0 when retention was quicker. */
static int load(struct flows_reader *r, enum flows_kind kind, int64_t id, struct flow_signal *ret,
		struct bh_err *err)
{
	const struct flows_text_source texts = { text_of, &r->texts };
	sqlite3_stmt *s = r->get[kind];
	int q;

	sqlite3_bind_int64(s, 1, id);
	q = flows_db_next(s, err);
	if (q > 0)
		flows_record_read(s, 0, &texts, &ret->record);
	if (q > 0 && kind == OF_SIGNALS)
		read_signal(r, s, FLOWS_RECORD_COLUMNS + FLOWS_FLOW_COLUMNS, ret);
	sqlite3_reset(s);
	return q;
}

static int load_piece(struct flows_reader *r, enum flows_kind kind, const struct flows_hit *hits,
		      size_t n, struct flow_signal *out, size_t *ret_n, struct bh_err *err)
{
	int q = flows_reader_begin(r, err);

	*ret_n = 0;
	for (size_t i = 0; q >= 0 && i < n; i++) {
		q = load(r, kind, hits[i].id, &out[*ret_n], err);
		*ret_n += q > 0;
	}
	flows_reader_end(r);
	return q < 0 ? q : flows_reader_error(r, err);
}

static int hand_out_piece(const struct flow_signal *piece, size_t n, enum flows_kind kind,
			  const struct flows_handing *h)
{
	int q = 0;

	for (size_t i = 0; q >= 0 && i < n; i++)
		q = kind == OF_SIGNALS ? h->signal(&piece[i], h->arg)
				       : h->record(&piece[i].record, h->arg);
	return q;
}

int flows_hand_out(struct flows_reader *r, enum flows_kind kind, const struct flows_hit *hits,
		   size_t n, const struct flows_handing *h, struct bh_err *err)
{
	bh_autofree struct flow_signal *piece = malloc(PIECE * sizeof(*piece));
	int q = piece ? 0 : bh_err_oom(err);

	for (size_t at = 0; q >= 0 && at < n; at += PIECE) {
		size_t some = n - at < PIECE ? n - at : PIECE, got;

		/* Between pieces: a record that was handed out may point into them. */
		if (r->texts.bytes > BH_FLOWS_TEXTS_MAX / 4)
			flows_texts_clear(&r->texts);
		q = load_piece(r, kind, hits + at, some, piece, &got, err);
		if (q >= 0)
			q = hand_out_piece(piece, got, kind, h);
	}
	return q < 0 ? q : 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int ask(struct search *s, const struct flows_handing *h, struct flows_cursor *ret_end,
	       bool *ret_more, struct bh_err *err)
{
	int q = find(s, err);

	if (q >= 0)
		q = flows_hand_out(s->r, s->kind, s->hits, s->n, h, err);
	if (q >= 0 && ret_end && s->n)
		*ret_end = (struct flows_cursor) { s->hits[s->n - 1].value, s->hits[s->n - 1].id };
	if (q >= 0 && ret_more)
		*ret_more = s->more;
	search_done(s);
	return q;
}

int flows_query(struct flows_reader *r, const struct flows_filter *f, const struct flows_order *o,
		int (*fn)(const struct flow_record *rec, void *arg), void *arg,
		struct flows_cursor *ret_end, bool *ret_more, struct bh_err *err)
{
	struct search s = { .r = r, .f = f, .o = o, .kind = OF_RECORDS };
	const struct flows_handing h = { .record = fn, .arg = arg };

	return ask(&s, &h, ret_end, ret_more, err);
}

int flows_query_signals(struct flows_reader *r, const struct flows_filter *f,
			const struct flows_order *o,
			int (*fn)(const struct flow_signal *s, void *arg), void *arg,
			struct flows_cursor *ret_end, bool *ret_more, struct bh_err *err)
{
	struct search s = { .r = r, .f = f, .o = o, .kind = OF_SIGNALS };
	const struct flows_handing h = { .signal = fn, .arg = arg };

	return ask(&s, &h, ret_end, ret_more, err);
}
