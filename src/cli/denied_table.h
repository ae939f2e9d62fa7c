/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DENIED_TABLE_H
#define CLI_DENIED_TABLE_H

#include <errno.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>

#include "denied.h"

/* Groups on stdout: a table on a terminal, else lines with tabs between and no head. */
struct denied_table {
	const enum flows_field *by;
	size_t n_by;
	bool people;
	struct bh_buf line;
};

void denied_table_begin(struct denied_table *t, const struct denied_ask *a);
void denied_table_done(struct denied_table *t);
/* Into LINE, for the caller to print. */
int denied_table_head(struct denied_table *t);
int denied_table_row(struct denied_table *t, const struct flows_group *g);

/* A group as an object; the caller's. */
json_t *denied_group_json(const enum flows_field *by, size_t n, const struct flows_group *g);

/* Of each number a character: blocks where the terminal has them, else digits. "" for none. */
void denied_sparkline(struct bh_buf *b, const uint64_t *values, size_t n, bool blocks);

#endif
