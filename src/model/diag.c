/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/diag.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define FILE_NAME_SHOWN_MAX (64u << 10)

void diag_list_init(struct diag_list *l)
{
	*l = (struct diag_list) { 0 };
}

static void diag_done(struct diag *d)
{
	free(d->file);
	free(d->id);
	free(d->text);
	free(d->hint);
}

void diag_list_done(struct diag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		diag_done(&l->d[i]);
	free(l->d);
	diag_list_init(l);
}

static bool grow(struct diag_list *l)
{
	size_t cap = l->cap ? l->cap * 2 : 16;
	struct diag *d;

	if (l->n < l->cap)
		return true;
	d = reallocarray(l->d, cap, sizeof(*d));
	if (!d)
		return false;
	l->d = d;
	l->cap = cap;
	return true;
}

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

void diag_add(struct diag_list *l, enum diag_severity severity, const struct src_loc *loc,
	      const char *id, const char *hint, const char *fmt, ...)
{
	struct diag *d;
	va_list ap;

	if (severity == DIAG_ERROR)
		l->errors++;
	else
		l->warnings++;
	if (l->n == BH_DIAGS_MAX || !grow(l))
		return;
	d = &l->d[l->n];
	*d = (struct diag) { .severity = severity, .id = copy(id), .hint = copy(hint) };
	if (loc) {
		d->file = copy(loc->file);
		d->line = loc->line;
		d->column = loc->column;
	}
	va_start(ap, fmt);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	va_end(ap);
	if (!d->text || !d->id) {
		diag_done(d);
		return;
	}
	l->n++;
}

static int order(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	int r = strcmp(x->file ? x->file : "", y->file ? y->file : "");

	if (r == 0)
		r = (x->line > y->line) - (x->line < y->line);
	if (r == 0)
		r = (x->column > y->column) - (x->column < y->column);
	if (r == 0)
		r = strcmp(x->id, y->id);
	return r ? r : strcmp(x->text, y->text);
}

void diag_list_sort(struct diag_list *l)
{
	if (l->n)
		qsort(l->d, l->n, sizeof(*l->d), order);
}

/* A file may have any name that its directory lets it have. */
static void print_file(const char *file, FILE *out)
{
	struct bh_buf name;

	bh_buf_init(&name, FILE_NAME_SHOWN_MAX);
	bh_escape(&name, file, strlen(file));
	fputs(bh_buf_str(&name), out);
	bh_buf_done(&name);
}

static void print_one(const struct diag *d, FILE *out, bool colour)
{
	static const struct {
		const char *word, *colour;
	} severities[] = {
		[DIAG_ERROR] = { "error", "\033[1;31m" },
		[DIAG_WARNING] = { "warning", "\033[1;33m" },
	};

	if (d->file)
		print_file(d->file, out);
	if (d->file && d->line)
		fprintf(out, ":%u:%u: ", d->line, d->column);
	else if (d->file)
		fputs(": ", out);
	fprintf(out, "%s%s:%s %s", colour ? severities[d->severity].colour : "",
		severities[d->severity].word, colour ? "\033[0m" : "", d->text);
	if (d->hint)
		fprintf(out, " (%s)", d->hint);
	fprintf(out, " [%s]\n", d->id);
}

void diag_list_print(const struct diag_list *l, FILE *out, bool colour)
{
	size_t total = l->errors + l->warnings;

	for (size_t i = 0; i < l->n; i++)
		print_one(&l->d[i], out, colour);
	if (total > l->n)
		fprintf(out, "... and %zu more that are not shown\n", total - l->n);
}
