/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "format.h"

#include <errno.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* Where the scan is, in libyaml's terms: columns count characters. */
struct cursor {
	size_t at;
	unsigned line, column;
	bool fresh; /* nothing but spaces so far on this line */
};

static void step(const struct formatted *f, struct cursor *c)
{
	if (f->data[c->at] == '\n') {
		c->line++;
		c->column = 0;
		c->fresh = true;
	}
	c->at++;
	c->column++;
	while (c->at < f->len && (f->data[c->at] & 0xc0) == 0x80)
		c->at++;
}

static bool is_before(const struct cursor *c, unsigned line, unsigned column)
{
	return c->line < line || (c->line == line && c->column < column);
}

static bool word_here(const struct formatted *f, const struct cursor *c, const char *word)
{
	size_t n = strlen(word), behind = c->at + n;

	return c->column == 1 && f->len - c->at >= n && memcmp(f->data + c->at, word, n) == 0 &&
	       (behind == f->len || strchr(" \t\r\n", f->data[behind]));
}

static int take_comment(struct formatted *f, struct cursor *c)
{
	struct comment *comment = bh_vec_push(&f->comments);
	size_t end = c->at;

	if (!comment)
		return -ENOMEM;
	while (end < f->len && f->data[end] != '\n')
		end++;
	*comment = (struct comment) {
		.line = c->line,
		.column = c->column,
		.text = f->data + c->at,
		.own_line = c->fresh,
	};
	comment->len = end - c->at;
	while (comment->len && strchr(" \t\r", comment->text[comment->len - 1]))
		comment->len--;
	while (c->at < end)
		step(f, c);
	return 0;
}

static int take_part(struct formatted *f, struct cursor *c)
{
	unsigned *line = bh_vec_push(&f->parts);

	if (!line)
		return -ENOMEM;
	*line = c->line;
	for (int i = 0; i < 3; i++)
		step(f, c);
	return 0;
}

/* One thing between values. */
static int scan_one(struct formatted *f, struct cursor *c)
{
	if (f->data[c->at] == '#')
		return take_comment(f, c);
	if (word_here(f, c, "---"))
		return take_part(f, c);
	if (word_here(f, c, "...") || (c->column == 1 && f->data[c->at] == '%'))
		format_refuse(f, c->line, c->column, "remove it; --- parts documents",
			      "the marker %.3s is not kept", f->data + c->at);
	if (!strchr(" \t\r\n", f->data[c->at]))
		c->fresh = false;
	step(f, c);
	return 0;
}

static int scan_until(struct formatted *f, struct cursor *c, unsigned line, unsigned column)
{
	int r = 0;

	while (r >= 0 && c->at < f->len && is_before(c, line, column))
		r = scan_one(f, c);
	return r;
}

/* What is in a text is no comment. */
static int scan_text(struct formatted *f, struct cursor *c, const struct node *n)
{
	int r = scan_until(f, c, n->loc.line, n->loc.column);

	while (c->at < f->len && is_before(c, n->end_line, n->end_column)) {
		c->fresh = false;
		step(f, c);
	}
	return r;
}

static int scan_node(struct formatted *f, struct cursor *c, const struct node *n)
{
	int r = 0;

	if (n->kind == NODE_TEXT)
		return scan_text(f, c, n);
	for (const struct node *child = n->first; r >= 0 && child; child = child->next) {
		if (child->key)
			r = scan_text(f, c, child->key);
		if (r >= 0)
			r = scan_node(f, c, child);
	}
	return r;
}

static int find_lines(struct formatted *f)
{
	size_t *at = bh_vec_push(&f->lines);

	for (size_t i = 0; at && i < f->len; i++) {
		if (f->data[i] != '\n')
			continue;
		at = bh_vec_push(&f->lines);
		if (at)
			*at = i + 1;
	}
	if (at && (at = bh_vec_push(&f->lines)) != NULL)
		*at = f->len;
	return at ? 0 : -ENOMEM;
}

struct bh_span format_line(const struct formatted *f, unsigned line)
{
	const size_t *at = f->lines.data;
	struct bh_span l = { "", 0 };

	if (line < 1 || line >= f->lines.n)
		return l;
	l.s = f->data + at[line - 1];
	l.len = at[line] - at[line - 1];
	while (l.len && strchr("\r\n", l.s[l.len - 1]))
		l.len--;
	return l;
}

bool format_is_blank(const struct formatted *f, unsigned line)
{
	struct bh_span l = format_line(f, line);

	while (l.len && strchr(" \t", l.s[l.len - 1]))
		l.len--;
	return l.len == 0;
}

int format_scan(struct formatted *f)
{
	struct cursor c = { 0, 1, 1, true };
	struct node **roots = f->docs.data;
	struct comment *comments;
	int r = find_lines(f);

	for (size_t i = 0; r >= 0 && i < f->docs.n; i++)
		r = scan_node(f, &c, roots[i]);
	if (r >= 0)
		r = scan_until(f, &c, UINT32_MAX, 1);
	comments = f->comments.data;
	for (size_t i = 0; r >= 0 && i < f->comments.n; i++)
		comments[i].blank = comments[i].own_line && comments[i].line > 1 &&
				    format_is_blank(f, comments[i].line - 1);
	return r;
}
