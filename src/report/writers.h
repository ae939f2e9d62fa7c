/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_WRITERS_H
#define REPORT_WRITERS_H

#include <bulkhead/base/buf.h>

#include "facts.h"

/* The formats for people. DIGEST: of the object, as it stands in JSON. */
void html_write(const json_t *report, const char *digest, struct bh_buf *out);
void markdown_write(const json_t *report, const char *digest, struct bh_buf *out);

/* Text that is no markup, in HTML, SVG and in values in double quotes there. */
void html_add(struct bh_buf *b, const char *s);

/* "met", "finding", "not-assessed" for people. */
const char *verdict_word(const char *verdict);
/* The same of N of them: "findings". */
const char *verdict_count(const char *verdict, json_int_t n);

/* --- lists and tables: the same in every format, but for what stands around ------------------ */

struct style {
	void (*text)(struct bh_buf *b, const char *s); /* that is no markup */
	const char *list, *items, *item, *item_end, *list_end;
	const char *row, *cell, *cell_end, *row_end;
};
/* Of texts; nothing when there are none. */
void style_list(struct bh_buf *b, const struct style *s, const char *title, const json_t *list);
struct table;
void style_row(struct bh_buf *b, const struct style *s, const struct table *t, const json_t *row);
/* How many there are that T does not list; "" when it has all. */
#define TABLE_MORE 64
const char *table_more(const struct table *t, const json_t *report, char ret[TABLE_MORE]);
/* What stands at the top, each with its word, and with more or "". */
void style_head(struct bh_buf *b,
		void (*add)(struct bh_buf *b, const char *term, const char *s, const char *more),
		const json_t *report, const char *digest);
/* What is another than in an earlier report, below its heading. */
void style_compared(struct bh_buf *b, const struct style *s, const json_t *report);

/* --- tables: the same in every format -------------------------------------------------------- */

/* A column: its title, and the path of what stands in it. */
struct column {
	const char *title, *path;
};
#define COLUMNS_MAX 10

struct table {
	const char *id, *title;
	const char *rows;  /* path of the list */
	const char *about; /* a sentence above it, or NULL */
	const char *none;  /* said when it is empty; NULL: the table is left out */
	struct column columns[COLUMNS_MAX];
	const char *more; /* path of how many there are besides, or NULL */
};
extern const struct table report_tables[]; /* ends with one without an id */

#endif
