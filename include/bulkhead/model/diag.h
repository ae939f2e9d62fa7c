/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_DIAG_H
#define BULKHEAD_MODEL_DIAG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Where something was written. line and column count from 1; line 0 = the file as a whole. */
struct src_loc {
	const char *file; /* borrowed; as the user named it; NULL = no place */
	unsigned line, column;
};

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

struct diag {
	enum diag_severity severity;
	char *file; /* owned; NULL = no place; may be hostile, printing escapes it */
	unsigned line, column;
	char *id;       /* stable kebab-case identifier, e.g. "unknown-key" */
	char *text;     /* one sentence that names the offending text; already escaped */
	char *hint;     /* the way out, or NULL: "did you mean from:?" */
	char *accepted; /* why a person has silenced it, as written; NULL: nobody has */
};

/* All mistakes of one run. The first BH_DIAGS_MAX are kept, the others only counted. */
struct diag_list {
	struct diag *d;
	size_t n, cap;
	size_t errors, warnings; /* all of them, kept or not */
	struct diag_list
		*accepted; /* borrowed: warnings that were silenced go there; NULL: nowhere */
};

void diag_list_init(struct diag_list *l);
void diag_list_done(struct diag_list *l);
/* HINT may be NULL. Copies everything. Never fails: an error is always counted. */
void diag_add(struct diag_list *l, enum diag_severity severity, const struct src_loc *loc,
	      const char *id, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* A warning that a person has silenced with REASON: kept in l->accepted, if there is one. */
void diag_add_accepted(struct diag_list *l, const char *reason, const struct src_loc *loc,
		       const char *id, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Either, as REASON is NULL or not. */
void diag_vadd(struct diag_list *l, enum diag_severity severity, const char *reason,
	       const struct src_loc *loc, const char *id, const char *hint, const char *fmt,
	       va_list ap) __attribute__((format(printf, 7, 0)));
/* Stable order: file, line, column. */
void diag_list_sort(struct diag_list *l);
/* "FILE:LINE:COLUMN: error: TEXT (HINT) [ID]", one a line, and a line on those not kept. */
void diag_list_print(const struct diag_list *l, FILE *out, bool colour);

#endif
