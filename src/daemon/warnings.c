/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "warnings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#define LINE_MAX 512

struct warnings {
	char lines[BH_WARNINGS_MAX][LINE_MAX];
	bool seen[BH_WARNINGS_MAX]; /* by the look that goes on */
	size_t n;
};

struct warnings *warnings_new(void)
{
	return calloc(1, sizeof(struct warnings));
}

void warnings_free(struct warnings *w)
{
	free(w);
}

/*
 * Who asks for a change hears of selectors that select nobody: containers come and go. And a file in
 * a folder of namespaces is there before its namespace is.
 */
static bool is_of_account(const struct diag *d, bool whole)
{
	return d->severity == DIAG_WARNING && strcmp(d->id, "selects-nobody") != 0 &&
	       (whole || strcmp(d->id, "no-namespace") != 0);
}

static void format(const struct diag *d, char out[LINE_MAX])
{
	snprintf(out, LINE_MAX, "warning: %s%s%s%s [%s]", d->text, d->hint ? " (" : "",
		 d->hint ? d->hint : "", d->hint ? ")" : "", d->id);
}

static bool mark(struct warnings *w, const char *line)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->lines[i], line) == 0)
			return w->seen[i] = true;
	return false;
}

static void take_one(struct warnings *w, const char *line, void (*tell)(const char *, void *),
		     void *arg)
{
	if (mark(w, line))
		return;
	if (w->n == BH_WARNINGS_MAX) {
		w->seen[w->n - 1] = true; /* there still are more */
		return;
	}
	if (w->n == BH_WARNINGS_MAX - 1)
		line = "warning: there are more of them than are told [more-warnings]";
	memcpy(w->lines[w->n], line, strlen(line) + 1);
	w->seen[w->n++] = true;
	tell(line, arg);
}

static void forget_unseen(struct warnings *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++)
		if (w->seen[i])
			memmove(w->lines[kept++], w->lines[i], LINE_MAX);
	w->n = kept;
}

void warnings_take(struct warnings *w, const struct diag_list *diags, bool whole,
		   void (*tell)(const char *, void *), void *arg)
{
	char line[LINE_MAX];

	memset(w->seen, 0, sizeof(w->seen));
	for (size_t i = 0; i < diags->n; i++)
		if (is_of_account(&diags->d[i], whole)) {
			format(&diags->d[i], line);
			take_one(w, line, tell, arg);
		}
	if (whole)
		forget_unseen(w);
}

void warnings_each(const struct warnings *w, void (*fn)(const char *, void *), void *arg)
{
	for (size_t i = 0; i < w->n; i++)
		fn(w->lines[i], arg);
}
