/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "flows_reader.h"

/* What comes while somebody watches: numbers above the last one that was seen. */

#define ROUND     4096    /* looked at in one snapshot */
#define KNOWN_MAX 1000000 /* flows of which it is remembered whether they match */

static const char *const news[FLOWS_KINDS] = {
	"SELECT id, flow FROM record WHERE id > ?1 ORDER BY id LIMIT ?2",
	"SELECT id, flow FROM signal WHERE id > ?1 ORDER BY id LIMIT ?2",
};

static const char *const newest[FLOWS_KINDS] = {
	"SELECT max(id) FROM record",
	"SELECT max(id) FROM signal",
};

int flows_follow_begin(struct flows_reader *r, struct bh_err *err)
{
	int q = flows_db_prepare(r->db, "PRAGMA data_version", &r->version, err);

	for (int i = 0; q >= 0 && i < FLOWS_KINDS; i++) {
		q = flows_db_prepare(r->db, news[i], &r->news[i], err);
		if (q >= 0)
			q = flows_db_number(r->db, newest[i], &r->seen[i], err);
	}
	return q;
}

int flows_follow_since(struct flows_reader *r, int64_t since, struct bh_err *err)
{
	struct flows_state state;
	int q = flows_summary(r, &state, err);

	if (q >= 0 && state.begun >= since)
		memset(r->seen, 0, sizeof(r->seen));
	return q;
}

/* --- is there anything ------------------------------------------------------------------------ */

static int check_file(struct flows_reader *r, struct bh_err *err)
{
	struct stat st;

	if (fstatat(r->dir, FLOWS_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == r->dev &&
	    st.st_ino == r->ino)
		return 0;
	return bh_err_set(err, -ESTALE, "%s was replaced by another", FLOWS_FILE);
}

/* 1: somebody has written since the last time. */
static int has_changed(struct flows_reader *r, struct bh_err *err)
{
	int64_t version = 0;
	int q = flows_db_next(r->version, err);

	if (q > 0)
		version = sqlite3_column_int64(r->version, 0);
	sqlite3_reset(r->version);
	if (q < 0)
		return q;
	if (version == r->seen_version)
		return check_file(r, err);
	r->seen_version = version;
	return 1;
}

/* --- what matches ----------------------------------------------------------------------------- */

static int read_flow(struct flows_reader *r, const struct flows_filter *f, int64_t flow,
		     uint32_t *ret, struct bh_err *err)
{
	struct flows_row row;
	int q;

	sqlite3_bind_int64(r->row, 1, flow);
	q = flows_db_next(r->row, err);
	if (q > 0) {
		flows_row_read(r->row, r->columns, &row);
		*ret = flows_match(f, &r->texts, &row);
	}
	sqlite3_reset(r->row);
	return q;
}

static int matches(struct flows_reader *r, const struct flows_filter *f, int64_t flow,
		   struct bh_err *err)
{
	uint32_t yes = 0;
	int q;

	if (!r->columns)
		return 1;
	if (flows_map_get(&r->known, flow, &yes))
		return (int)yes;
	if (r->known.n >= KNOWN_MAX)
		flows_map_done(&r->known);
	q = read_flow(r, f, flow, &yes, err);
	if (q >= 0 && flow > 0 && flows_map_put(&r->known, flow, yes) < 0)
		q = bh_err_oom(err);
	return q < 0 ? q : (int)yes;
}

static int prepare_row(struct flows_reader *r, const struct flows_filter *f, struct bh_err *err)
{
	struct bh_buf sql;
	int q;

	if (r->row)
		return 0;
	r->columns = flows_match_columns(f);
	bh_buf_init(&sql, 2048);
	flows_sql_select_rows(&sql, r->columns);
	bh_buf_addstr(&sql, " WHERE id = ?");
	q = flows_db_prepare(r->db, bh_buf_str(&sql), &r->row, err);
	bh_buf_done(&sql);
	return q;
}

/* --- a round ---------------------------------------------------------------------------------- */

/* How many were looked at; those that match in HITS. */
static int look(struct flows_reader *r, enum flows_kind kind, const struct flows_filter *f,
		struct flows_hit *hits, size_t *ret_n, struct bh_err *err)
{
	sqlite3_stmt *s = r->news[kind];
	int q, n = 0, yes;

	*ret_n = 0;
	sqlite3_bind_int64(s, 1, r->seen[kind]);
	sqlite3_bind_int64(s, 2, ROUND);
	while ((q = flows_db_next(s, err)) > 0) {
		int64_t id = sqlite3_column_int64(s, 0);

		yes = matches(r, f, sqlite3_column_int64(s, 1), err);
		if (yes < 0) {
			q = yes;
			break;
		}
		if (yes)
			hits[(*ret_n)++] = (struct flows_hit) { id, id };
		r->seen[kind] = id;
		n++;
	}
	sqlite3_reset(s);
	return q < 0 ? q : n;
}

static int hand_out_news(struct flows_reader *r, enum flows_kind kind, const struct flows_filter *f,
			 const struct flows_handing *h, struct bh_err *err)
{
	bh_autofree struct flows_hit *hits = calloc(ROUND, sizeof(*hits));
	size_t n;
	int q, seen;

	if (!hits)
		return bh_err_oom(err);
	do {
		q = flows_reader_begin(r, err);
		if (q < 0)
			return q;
		seen = look(r, kind, f, hits, &n, err);
		flows_reader_end(r);
		q = seen < 0 ? seen : flows_hand_out(r, kind, hits, n, h, err);
	} while (q >= 0 && seen == ROUND);
	return q;
}

int flows_follow(struct flows_reader *r, const struct flows_filter *f,
		 int (*fn)(const struct flow_record *rec, void *arg),
		 int (*signals)(const struct flow_signal *s, void *arg), void *arg,
		 struct bh_err *err)
{
	const struct flows_handing h = { fn, signals, arg };
	int q = prepare_row(r, f, err);

	if (q >= 0)
		q = has_changed(r, err);
	if (q <= 0)
		return q;
	q = hand_out_news(r, OF_RECORDS, f, &h, err);
	if (q >= 0 && signals)
		q = hand_out_news(r, OF_SIGNALS, f, &h, err);
	return q < 0 ? q : flows_reader_error(r, err);
}
