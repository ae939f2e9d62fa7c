/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_fields.h"
#include "flows_reader.h"
#include "flows_hash.h"

/*
 * Sums over many records. Which group a flow is of is found once for each flow; a record is then no more
 * than a lookup and an addition.
 */

struct group {
	UT_hash_handle hh;
	uint64_t packets, records;
	int64_t first, last;
	size_t number;
	struct flows_token tokens[];
};

struct grouping {
	struct flows_reader *r;
	const enum flows_field *by;
	size_t n_by;
	struct group *table;
	struct group **groups;
	size_t n, cap;
	struct flows_map flows;
	bool all; /* one group, of all flows */
	struct flows_timeline *timeline;
	struct bh_err *err;
};

static void grouping_done(struct grouping *g)
{
	HASH_CLEAR(hh, g->table);
	for (size_t i = 0; i < g->n; i++)
		free(g->groups[i]);
	free(g->groups);
	flows_map_done(&g->flows);
}

/* --- which group ------------------------------------------------------------------------------ */

static size_t key_size(const struct grouping *g)
{
	return g->n_by * sizeof(struct flows_token);
}

static int make_room(struct grouping *g)
{
	struct group **more;
	size_t cap;

	if (g->n < g->cap)
		return 0;
	if (g->n == BH_FLOWS_GROUPS_MAX) {
		bh_err_set(g->err, -E2BIG, "there are more than %d groups: ask for less",
			   BH_FLOWS_GROUPS_MAX);
		return -E2BIG;
	}
	cap = g->cap ? 2 * g->cap : 64;
	more = realloc(g->groups, cap * sizeof(*more));
	if (!more) {
		bh_err_oom(g->err);
		return -ENOMEM;
	}
	g->groups = more;
	g->cap = cap;
	return 0;
}

static int add_group(struct grouping *g, const struct flows_token *tokens, struct group **ret)
{
	struct group *new;
	int q = make_room(g);

	if (q < 0)
		return q;
	new = calloc(1, sizeof(*new) + key_size(g));
	if (!new)
		return bh_err_oom(g->err);
	memcpy(new->tokens, tokens, key_size(g));
	new->number = g->n;
	new->first = INT64_MAX;
	new->last = INT64_MIN;
	if (g->n_by) {
		HASH_ADD_KEYPTR(hh, g->table, new->tokens, key_size(g), new);
		if (!new->hh.tbl) {
			free(new);
			return bh_err_oom(g->err);
		}
	}
	g->groups[g->n++] = *ret = new;
	return 0;
}

static int on_flow(const struct flows_row *row, uint32_t *ret_value, void *arg)
{
	struct flows_token tokens[BH_FLOWS_BY_MAX];
	struct grouping *g = arg;
	struct group *found = NULL;
	int q;

	for (size_t i = 0; i < g->n_by; i++)
		flows_field_token(g->by[i], row, &g->r->texts, &tokens[i]);
	if (g->n_by)
		HASH_FIND(hh, g->table, tokens, key_size(g), found);
	else
		found = g->groups[0];
	if (!found && (q = add_group(g, tokens, &found)) < 0)
		return q;
	*ret_value = (uint32_t)found->number;
	return 0;
}

static int find_groups(struct grouping *g, const struct flows_filter *f)
{
	const struct flows_token none = { 0 };
	struct group *only;
	uint64_t columns = 0;
	int q = 0;

	for (size_t i = 0; i < g->n_by; i++)
		columns |= flows_field_columns(g->by[i]);
	if (!g->n_by)
		q = add_group(g, &none, &only);
	g->all = !g->n_by && !flows_match_columns(f);
	if (q < 0 || g->all)
		return q;
	return flows_scan(g->r, f, columns, on_flow, g, &g->flows, g->err);
}

/* --- sums ------------------------------------------------------------------------------------- */

static void add_time(struct flows_timeline *t, int64_t first, uint64_t packets)
{
	/* In floating point: N and the times are such that no product of theirs fits. */
	double part = (double)(first - t->from) / ((double)(t->to - t->from) + 1);
	size_t i = part > 0 ? (size_t)(part * (double)t->n) : 0;

	t->packets[i < t->n ? i : t->n - 1] += packets;
}

static void add_record(struct grouping *g, struct group *to, sqlite3_stmt *row)
{
	int64_t first = sqlite3_column_int64(row, 0), last;
	uint64_t packets = (uint64_t)sqlite3_column_int64(row, 2);

	if (__builtin_add_overflow(first, sqlite3_column_int64(row, 3), &last))
		last = first;
	to->records++;
	to->packets += packets;
	if (first < to->first)
		to->first = first;
	if (last > to->last)
		to->last = last;
	if (!g->timeline)
		return;
	if (!g->timeline->from) /* they come in the order of time */
		g->timeline->from = first;
	add_time(g->timeline, first, packets);
}

static int look_at(struct grouping *g, const struct flows_filter *f, sqlite3_stmt *row)
{
	const struct flows_brief rec = { sqlite3_column_int64(row, 4), sqlite3_column_int64(row, 0),
					 sqlite3_column_int64(row, 2),
					 sqlite3_column_int64(row, 3) };
	uint32_t number = 0;
	int q;

	if (!g->all && !flows_map_get(&g->flows, sqlite3_column_int64(row, 1), &number))
		return 0;
	if (!flows_match_time(f, rec.first, rec.span))
		return 0;
	q = flows_is_whose(g->r, f, &rec, g->err);
	if (q > 0)
		add_record(g, g->groups[number], row);
	return q < 0 ? q : 0;
}

static int set_end(struct grouping *g, int64_t from, int64_t to)
{
	sqlite3_stmt *s = NULL;
	int q;

	if (!g->timeline || g->timeline->to)
		return 0;
	q = flows_db_prepare(g->r->db,
			     "SELECT max(first) FROM record WHERE first BETWEEN ?1 AND ?2", &s,
			     g->err);
	if (q >= 0) {
		sqlite3_bind_int64(s, 1, from);
		sqlite3_bind_int64(s, 2, to);
		q = flows_db_next(s, g->err);
	}
	if (q > 0)
		g->timeline->to = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return q;
}

static int add_up(struct grouping *g, const struct flows_filter *f)
{
	static const char sql[] = "SELECT first, flow, packets, span, id FROM record "
				  "INDEXED BY record_time WHERE first BETWEEN ?1 AND ?2 "
				  "ORDER BY first";
	sqlite3_stmt *s = NULL;
	int64_t from, to, seen = 0;
	int q = flows_time_bounds(g->r, f, &from, &to, g->err);

	if (q >= 0)
		q = set_end(g, from, to);
	if (q >= 0)
		q = flows_db_prepare(g->r->db, sql, &s, g->err);
	if (q < 0)
		return q;
	sqlite3_bind_int64(s, 1, from);
	sqlite3_bind_int64(s, 2, to);
	while (q >= 0 && (q = flows_db_next(s, g->err)) > 0) {
		q = flows_count_row(&seen, g->err);
		if (q >= 0)
			q = look_at(g, f, s);
	}
	sqlite3_finalize(s);
	return q;
}

static int sum_up(struct grouping *g, const struct flows_filter *f)
{
	int q = flows_reader_begin(g->r, g->err);

	if (q < 0)
		return q;
	q = find_groups(g, f);
	if (q >= 0)
		q = add_up(g, f);
	flows_reader_end(g->r);
	return q;
}

/* --- handing out ------------------------------------------------------------------------------ */

static int number_cmp(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The earliest, or those with most, first; what is equal in the order in which it was first seen. */
static int group_cmp(const void *a, const void *b, void *arg)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
	const struct flows_order *o = arg;
	int time = x->first < y->first ? -1 : x->first > y->first;
	int r = o->sort == FLOWS_BY_PACKETS   ? number_cmp(y->packets, x->packets)
		: o->sort == FLOWS_BY_RECORDS ? number_cmp(y->records, x->records)
					      : time;

	if (o->reverse)
		r = -r;
	if (!r)
		r = time;
	return r ? r : number_cmp(x->number, y->number);
}

/* A group of which no record is within the time is none. */
static void drop_empty(struct grouping *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (g->groups[i]->records) {
			g->groups[n++] = g->groups[i];
			continue;
		}
		if (g->n_by)
			HASH_DEL(g->table, g->groups[i]);
		free(g->groups[i]);
	}
	g->n = n;
}

static int hand_out(struct grouping *g, const struct group *from,
		    int (*fn)(const struct flows_group *g, void *arg), void *arg)
{
	char texts[BH_FLOWS_BY_MAX][FLOWS_VALUE_STR];
	struct flows_group out = {
		.packets = from->packets,
		.records = from->records,
		.first = from->first,
		.last = from->last,
	};

	for (size_t i = 0; i < g->n_by; i++)
		out.values[i] = flows_token_text(texts[i], &from->tokens[i], &g->r->texts);
	return fn(&out, arg);
}

static void total(const struct grouping *g, struct flows_totals *ret)
{
	*ret = (struct flows_totals) { .groups = g->n };
	for (size_t i = 0; i < g->n; i++) {
		const struct group *x = g->groups[i];

		ret->records += x->records;
		ret->packets += x->packets;
		if (!i || x->first < ret->first)
			ret->first = x->first;
		if (!i || x->last > ret->last)
			ret->last = x->last;
	}
}

static int hand_out_all(struct grouping *g, const struct flows_order *o,
			int (*fn)(const struct flows_group *g, void *arg), void *arg)
{
	size_t end = g->n;
	int q = 0;

	if (o->limit && o->skip < end && end - o->skip > o->limit)
		end = o->skip + o->limit;
	for (size_t i = o->skip; fn && q >= 0 && i < end; i++)
		q = hand_out(g, g->groups[i], fn, arg);
	return q < 0 ? q : 0;
}

int flows_group(struct flows_reader *r, const struct flows_filter *f, const enum flows_field *by,
		size_t n, const struct flows_order *o,
		int (*fn)(const struct flows_group *g, void *arg), void *arg,
		struct flows_timeline *timeline, struct flows_totals *ret, struct bh_err *err)
{
	struct grouping g = { .r = r, .by = by, .n_by = n, .timeline = timeline, .err = err };
	struct flows_order order = *o;
	int q = n > BH_FLOWS_BY_MAX ? bh_err_set(err, -E2BIG, "more than %d fields to group by",
						 BH_FLOWS_BY_MAX)
				    : sum_up(&g, f);

	if (q >= 0) {
		drop_empty(&g);
		if (g.n)
			qsort_r(g.groups, g.n, sizeof(*g.groups), group_cmp, &order);
		q = hand_out_all(&g, o, fn, arg);
	}
	if (q >= 0 && ret)
		total(&g, ret);
	if (q >= 0)
		q = flows_reader_error(r, err);
	grouping_done(&g);
	return q;
}
