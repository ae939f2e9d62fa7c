/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_FORMAT_PRIVATE_H
#define BULKHEAD_POLICY_FORMAT_PRIVATE_H

#include <bulkhead/base/buf.h>

#include "set.h"

/* --- format_scan.c: what libyaml does not tell ------------------------------------------------- */

struct comment {
	unsigned line, column;
	const char *text; /* from the #, without spaces at its end */
	size_t len;
	bool own_line;        /* nothing but spaces stands before it */
	bool blank;           /* the line above it is empty */
	struct comment *next; /* of struct comments */
};

/* The text of a file, its documents as trees, and what stands between their values. */
struct formatted {
	const char *file, *data;
	size_t len;
	struct bh_arena *arena;
	struct diag_list *diags;
	struct bh_vec docs;     /* struct node *: roots, none of them empty */
	struct bh_vec comments; /* struct comment */
	struct bh_vec parts;    /* unsigned: the lines of --- */
	struct bh_vec lines;    /* size_t: where each begins, and the end */
	bool refused;           /* reported: there is something that would be lost */
};

/* Comments, lines and --- of a text whose documents are read. 0 or -ENOMEM. */
int format_scan(struct formatted *f);
/* Is line N (from 1) empty? True for lines that are not there. */
bool format_is_blank(const struct formatted *f, unsigned line);
/* Without its end; "" for lines that are not there. */
struct bh_span {
	const char *s;
	size_t len;
} format_line(const struct formatted *f, unsigned line);

#define format_refuse(f, line_, column_, hint, ...)                                                \
	do {                                                                                       \
		const struct src_loc loc_ = { (f)->file, (line_), (column_) };                     \
                                                                                                   \
		(f)->refused = true;                                                               \
		diag_add((f)->diags, DIAG_ERROR, &loc_, "not-formatted", hint, __VA_ARGS__);       \
	} while (0)

/* --- format_attach.c: which comment is about what ---------------------------------------------- */

/* In the order of the text. */
struct comments {
	struct comment *first, *last;
};

/* Of each entry of a list and each value of a mapping; of a root FOOT only. */
struct note {
	struct comments head; /* lines above it */
	struct comments foot; /* lines in it, behind its last entry */
	struct comment *tail; /* behind it on its line */
	bool blank;           /* the line above it, and below its head, is empty */
};

/* Gives every node its note and every comment its place. 0 or -ENOMEM. */
int format_attach(struct formatted *f);

/* --- format_print.c ---------------------------------------------------------------------------- */

/* Errors stick to OUT. */
void format_print(struct formatted *f, struct bh_buf *out);

#endif
