/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/policy/lint.h>

/*
 * What lint says of a rule or a document, silenced in place. It is a key and no comment: it is
 * checked, it is kept with every generation, and it goes where the rule goes.
 */

static void unknown_lint(struct reader *rd, const struct node *n)
{
	const char *words[LINTS_MAX];
	char hint[HINT_MAX];
	size_t count = 0;

	for (size_t i = 0; i < lints_n; i++)
		if (!lints[i].always)
			words[count++] = lints[i].id;
	mistake(rd, n, "unknown-lint",
		hint_nearest(hint, n->text, words, count, "bulkhead check --lints lists them"),
		"there is no lint \"%s\"", SHOWN(n->text));
}

static int read_lint(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	const struct lint_info *info = lint_find(n->text);
	struct accept *a = out;

	if (!info)
		unknown_lint(rd, n);
	else if (info->always)
		mistake(rd, n, "unknown-lint", "remove the entry", "\"%s\" cannot be accepted",
			info->id);
	else
		a->lint = info->id;
	return 0;
}

static int read_reason(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	if (*n->text && !n->text[strspn(n->text, " \t\r\n")]) {
		mistake(rd, n, "missing-value", "write why it is right as it is",
			"\"reason\" is blank");
		return 0;
	}
	return schema_read_remark(rd, f, n, out);
}

static const struct field fields[] = {
	{ .key = "lint",
	  .about = "The id of the warning",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_lint,
	  .example = "lint: one-sided" },
	{ .key = "reason",
	  .about = "Why it is right as it is",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_reason,
	  .offset = offsetof(struct accept, reason),
	  .example = "reason: the other end is not ours" },
};

const struct schema accept_schema =
	SCHEMA("an entry of \"accept\"", fields, "{lint: one-sided, reason: why it is right so}");

int accepts_read(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct accepts *ret = (struct accepts *)((char *)out + f->offset);
	struct set_builder *b = rd->user;
	struct accept *a;
	size_t i = 0;

	if (!node_fits(rd, n, BH_ACCEPTS_MAX, "entries of \"accept\""))
		return 0;
	a = bh_arena_array(rd->arena, n->n + 1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next, i++) {
		int r;

		a[i].loc = c->loc;
		a[i].index = b->n_accepts++;
		r = schema_read(rd, &accept_schema, c, &a[i]);
		if (r < 0)
			return r;
	}
	*ret = (struct accepts) { a, n->n };
	return 0;
}
