/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_INTERN_H
#define STORE_FLOWS_INTERN_H

#include <sqlite3.h>

#include <bulkhead/base/err.h>

#include "flows_row.h"

/*
 * What the writer knows to be in the tables `flow` and `text`, so that what recurs is written once. When
 * it knows BH_FLOWS_CACHE_MAX of either, it forgets all.
 */
struct flows_intern {
	sqlite3_stmt *add_text, *use_text, *add_flow, *use_flow; /* owned */
	int64_t next_text, next_flow;
	int64_t step; /* `used` of a row is at most so many records behind its last use */
	struct text_entry *texts;
	struct flow_entry *flows;
	struct text_entry *last[FLOWS_TEXTS]; /* of the record before: mostly the same */
};

int flows_intern_init(struct flows_intern *c, sqlite3 *db, struct bh_err *err);
void flows_intern_done(struct flows_intern *c);
/* What was written is not there: a transaction was taken back. */
void flows_intern_forget(struct flows_intern *c);

/* The number of R's flow, which the record of number RECORD uses; written, within a transaction. */
int flows_intern_flow(struct flows_intern *c, const struct flow_record *r, int64_t record,
		      int64_t *ret, struct bh_err *err);
/* The same of one text that is no field of a record. */
int flows_intern_text(struct flows_intern *c, const char *text, int64_t record, int64_t *ret,
		      struct bh_err *err);

#endif
