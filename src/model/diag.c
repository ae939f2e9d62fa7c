/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/diag.h>

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
	free(d->accepted);
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

static void keep(struct diag_list *l, const struct diag *borrowed, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

static void keep(struct diag_list *l, const struct diag *borrowed, const char *fmt, va_list ap)
{
	struct diag *d;

	if (l->n == BH_DIAGS_MAX || !grow(l))
		return;
	d = &l->d[l->n];
	*d = *borrowed;
	d->file = copy(borrowed->file);
	d->id = copy(borrowed->id);
	d->hint = copy(borrowed->hint);
	d->accepted = copy(borrowed->accepted);
	if (vasprintf(&d->text, fmt, ap) < 0)
		d->text = NULL;
	if (d->text && d->id && (d->accepted || !borrowed->accepted))
		l->n++;
	else
		diag_done(d);
}

void diag_vadd(struct diag_list *l, enum diag_severity severity, const char *reason,
	       const struct src_loc *loc, const char *id, const char *hint, const char *fmt,
	       va_list ap)
{
	struct diag d = {
		.severity = severity,
		.file = loc ? (char *)loc->file : NULL,
		.line = loc ? loc->line : 0,
		.column = loc ? loc->column : 0,
		.id = (char *)id,
		.hint = (char *)hint,
		.accepted = (char *)reason,
	};

	if (reason)
		l = l->accepted;
	if (!l)
		return;
	if (severity == DIAG_ERROR)
		l->errors++;
	else
		l->warnings++;
	keep(l, &d, fmt, ap);
}

void diag_add(struct diag_list *l, enum diag_severity severity, const struct src_loc *loc,
	      const char *id, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(l, severity, NULL, loc, id, hint, fmt, ap);
	va_end(ap);
}

void diag_add_accepted(struct diag_list *l, const char *reason, const struct src_loc *loc,
		       const char *id, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(l, DIAG_WARNING, reason, loc, id, hint, fmt, ap);
	va_end(ap);
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
