/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_MATCH_H
#define STORE_FLOWS_MATCH_H

#include <sqlite3.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/store/flows.h>

#include "flows_texts.h"

/* What of a flow is looked at by a filter or a grouping: only the columns that are needed are read. */
enum flows_column {
	COL_VERDICT,
	COL_DIRECTION,
	COL_PROTOCOL,
	COL_HAS_PORT,
	COL_PORT,
	COL_HAS_ICMP,
	COL_ICMP_TYPE,
	COL_AGGREGATED,
	COL_RULE_KIND,
	COL_HAS_UID,
	COL_UID,
	/* numbers of texts from here on */
	COL_SERVICE,
	COL_ENDPOINT_ID,
	COL_ENDPOINT_NAME,
	COL_SOURCE_ENDPOINT,
	COL_SOURCE_SERVICE,
	COL_SOURCE_NAME,
	COL_DESTINATION_ENDPOINT,
	COL_DESTINATION_SERVICE,
	COL_DESTINATION_NAME,
	COL_RULE_NAME,
	COL_IMAGE,
	COL_OWNER,
	COL_SCOPE,
	COL_REASON,
	COL_COMM,
	COL_EXE,
	COL_UNKNOWN,
	/* addresses */
	COL_SOURCE,
	COL_DESTINATION,
};
#define FLOWS_COLUMNS   30
#define FLOWS_COL(name) (UINT64_C(1) << COL_##name)
#define FLOWS_COLS_PEER                                                                            \
	(FLOWS_COL(DIRECTION) | FLOWS_COL(SOURCE_ENDPOINT) | FLOWS_COL(SOURCE_SERVICE) |           \
	 FLOWS_COL(SOURCE_NAME) | FLOWS_COL(DESTINATION_ENDPOINT) |                                \
	 FLOWS_COL(DESTINATION_SERVICE) | FLOWS_COL(DESTINATION_NAME) | FLOWS_COL(SOURCE) |        \
	 FLOWS_COL(DESTINATION))

struct flows_row {
	int64_t id;
	int64_t v[FLOWS_COLUMNS]; /* 0 for those that were not asked for */
	struct bh_addr source, destination;
};

/* The other end, by the direction. */
struct flows_far_end {
	int64_t service, name, endpoint; /* numbers of texts */
	const struct bh_addr *addr;
};
void flows_far_end(const struct flows_row *row, struct flows_far_end *ret);

/* "SELECT id, ... FROM flow", and a row of it. */
void flows_sql_select_rows(struct bh_buf *sql, uint64_t columns);
void flows_row_read(sqlite3_stmt *s, uint64_t columns, struct flows_row *ret);

/* The columns that F looks at; 0: all flows match. */
uint64_t flows_match_columns(const struct flows_filter *f);
/* But for the times, which are the records'. */
bool flows_match(const struct flows_filter *f, struct flows_texts *texts,
		 const struct flows_row *row);
/* The same of the times. */
bool flows_match_time(const struct flows_filter *f, int64_t first, int64_t span);

#endif
