/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#define WIDTH  100 /* what stands in [...] or {...} and is longer gets lines of its own */
#define INDENT 2

struct printer {
	struct formatted *f;
	struct bh_buf *out;
	bool first; /* nothing stands in this block yet: no empty line here */
};

/* A value with what its texts are: F of it or its entries, S of its mapping or those in it. */
struct value {
	const struct node *n;
	const struct field *f;
	const struct schema *s;
};

static struct value value_in(const struct value *map, const struct node *n)
{
	const struct field *f = schema_field(map->s, n->key->text);

	return (struct value) { n, f, f ? f->of : NULL };
}

/* --- texts ------------------------------------------------------------------------------------- */

static bool is_plain_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

/* Everything that is not ASCII as it came, but for what only YAML takes for a line break or a mark. */
static void put_escaped(struct bh_buf *b, const char *s)
{
	static const char letters[] = "\a\b\t\n\v\f\r\033\"\\", names[] = "abtnvfre\"\\";

	for (; *s; s++) {
		const unsigned char *u = (const unsigned char *)s;
		const char *letter = strchr(letters, *s);

		if (letter)
			bh_buf_addf(b, "\\%c", names[letter - letters]);
		else if (*u < 0x20 || *u == 0x7f)
			bh_buf_addf(b, "\\x%02x", *u);
		else if (*u == 0xc2 && u[1] < 0xa0) /* C1 */
			bh_buf_addf(b, "\\x%02x", *(const unsigned char *)++s);
		else if (*u == 0xe2 && u[1] == 0x80 && (u[2] == 0xa8 || u[2] == 0xa9))
			bh_buf_addf(b, u[2] == 0xa8 ? "\\L" : "\\P"), s += 2;
		else if (*u == 0xef && (u[1] == 0xbb || (u[1] == 0xbf && u[2] >= 0xbe)))
			bh_buf_addf(b, "\\u%04x", 0xf000u | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu)),
				s += 2;
		else
			bh_buf_add(b, s, 1);
	}
}

static void put_quoted(struct bh_buf *b, const char *s)
{
	if (strpbrk(s, "\"\\") && is_plain_ascii(s)) {
		bh_buf_addstr(b, "'");
		for (; *s; s++)
			bh_buf_addf(b, *s == '\'' ? "''" : "%c", *s);
		bh_buf_addstr(b, "'");
		return;
	}
	bh_buf_addstr(b, "\"");
	put_escaped(b, s);
	bh_buf_addstr(b, "\"");
}

/* YAML takes a colon at an end for something else. */
static bool needs_quotes(const struct node *n, const char *canon)
{
	size_t len = strlen(canon);

	return strchr(canon, ':') && (!n->plain || canon[0] == ':' || canon[len - 1] == ':');
}

static void put_text(struct bh_buf *b, const struct value *v)
{
	char out[CANON_MAX];
	const char *canon = v->f && v->f->canon ? v->f->canon(out, v->n->text) : NULL;

	if (canon ? needs_quotes(v->n, canon) : !v->n->plain)
		put_quoted(b, canon ? canon : v->n->text);
	else
		bh_buf_addstr(b, canon ? canon : v->n->text);
}

static void put_key(struct bh_buf *b, const struct node *n)
{
	put_text(b, &(struct value) { n->key, NULL, NULL });
	bh_buf_addstr(b, ":");
}

/* --- order ------------------------------------------------------------------------------------- */

struct place {
	const struct node *n;
	size_t rank, at;
};

static int place_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* The entries of a collection, those of a mapping as its table has them; free() it. */
static struct place *in_order(const struct value *v)
{
	struct place *p = calloc(v->n->n + 1, sizeof(*p));
	size_t i = 0;

	for (const struct node *c = v->n->first; p && c; c = c->next, i++) {
		const struct field *f = c->key ? schema_field(v->s, c->key->text) : NULL;

		p[i] = (struct place) { c, f ? (size_t)(f - v->s->fields) : SIZE_MAX, i };
	}
	if (p && v->n->kind == NODE_MAP)
		qsort(p, i, sizeof(*p), place_cmp);
	return p;
}

/* --- [...] and {...} --------------------------------------------------------------------------- */

static bool has_comments(const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next)
		if (c->note->head.first || c->note->tail || has_comments(c))
			return true;
	return n->note->foot.first;
}

/* Ends early when it is too long. */
static void put_flow(struct bh_buf *b, const struct value *v, size_t end)
{
	bh_autofree struct place *p = NULL;
	bool map = v->n->kind == NODE_MAP;

	if (v->n->kind == NODE_TEXT) {
		put_text(b, v);
		return;
	}
	p = in_order(v);
	if (!p)
		b->error = -ENOMEM;
	bh_buf_addstr(b, map ? "{" : "[");
	for (size_t i = 0; p && i < v->n->n && b->len <= end && !b->error; i++) {
		struct value entry = { p[i].n, v->f, v->s };

		bh_buf_addstr(b, i ? ", " : "");
		if (map) {
			entry = value_in(v, p[i].n);
			put_key(b, p[i].n);
			bh_buf_addstr(b, " ");
		}
		put_flow(b, &entry, end);
	}
	bh_buf_addstr(b, map ? "}" : "]");
}

static size_t characters(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += (s[i] & 0xc0) != 0x80;
	return n;
}

/* The column behind what is printed, from 1. */
static size_t column(const struct bh_buf *b)
{
	size_t at = b->len;

	while (at && b->data[at - 1] != '\n')
		at--;
	return 1 + characters(b->data + at, b->len - at);
}

/* V on this line, if that is how it was written and there is room. */
static bool try_flow(struct printer *p, const struct value *v)
{
	size_t start = p->out->len;

	if (v->n->kind == NODE_TEXT) {
		put_text(p->out, v);
		return true;
	}
	if (v->n->n && (!v->n->flow || has_comments(v->n)))
		return false;
	if (v->n->note->foot.first && !v->n->n)
		format_refuse(p->f, v->n->note->foot.first->line, v->n->note->foot.first->column,
			      "put it above the line",
			      "a comment in an empty %s cannot be kept where it is",
			      v->n->kind == NODE_LIST ? "list" : "mapping");
	/* A character has four bytes at most. */
	put_flow(p->out, v, start + 4 * WIDTH);
	if (!v->n->n || column(p->out) <= WIDTH + 1 || p->out->error)
		return true;
	p->out->len = start;
	p->out->data[start] = '\0';
	return false;
}

/* --- lines ------------------------------------------------------------------------------------- */

static void put_indent(struct printer *p, unsigned indent)
{
	bh_buf_addf(p->out, "%*s", (int)indent, "");
}

static void put_blank(struct printer *p, bool wanted)
{
	bh_buf_addstr(p->out, wanted && !p->first ? "\n" : "");
	p->first = false;
}

static void put_comments(struct printer *p, const struct comments *list, unsigned indent)
{
	for (const struct comment *c = list->first; c; c = c->next) {
		put_blank(p, c->blank);
		put_indent(p, indent);
		bh_buf_add(p->out, c->text, c->len);
		bh_buf_addstr(p->out, "\n");
	}
}

/* Where it stood if there is room, so that those of several lines stay below each other. */
static void end_line(struct printer *p, const struct node *n)
{
	const struct comment *c = n->note->tail;
	size_t at = c ? column(p->out) : 0;

	if (c) {
		bh_buf_addf(p->out, "%*s", c->column > at + 2 ? (int)(c->column - at) : 2, "");
		bh_buf_add(p->out, c->text, c->len);
	}
	bh_buf_addstr(p->out, "\n");
}

static void refuse_literal(struct printer *p, const struct node *n, const char *why)
{
	format_refuse(p->f, n->loc.line, n->loc.column, "write | or >, with - behind it or nothing",
		      "a text behind %s cannot be kept as it is", why);
}

/* The last line of a file may have no end, and is given one. */
static bool ends_open(const struct node *n)
{
	size_t len = strlen(n->text);

	return len && n->text[len - 1] != '\n';
}

/* "|" or ">", with or without "-": its lines stay, with another indentation. */
static void put_literal(struct printer *p, const struct node *n, unsigned indent)
{
	struct bh_span head = format_line(p->f, n->loc.line);
	const char *mark = head.s + head.len;
	unsigned line = n->loc.line + 1, end = n->end_line - (n->end_column == 1);
	size_t strip = 0;
	bool dash;

	while (mark > head.s && strchr(" \t", mark[-1]))
		mark--;
	dash = mark > head.s && mark[-1] == '-';
	mark -= dash ? 2 : 1;
	if (mark < head.s || !strchr("|>", *mark)) {
		refuse_literal(p, n, "| or > with a number, a + or a comment");
		return;
	}
	bh_buf_addf(p->out, "%c%s", *mark, dash || ends_open(n) ? "-" : "");
	for (unsigned i = line; i <= end && !strip; i++)
		if (!format_is_blank(p->f, i))
			strip = strspn(format_line(p->f, i).s, " ");
	for (; end >= line && format_is_blank(p->f, end); end--)
		if (strip && format_line(p->f, end).len > strip)
			format_refuse(p->f, end, 1, "take the spaces away",
				      "a line of spaces at the end of a text is text, too, and "
				      "cannot be kept");
	for (; line <= end; line++) {
		struct bh_span l = format_line(p->f, line);

		bh_buf_addstr(p->out, "\n");
		if (l.len <= strip)
			continue;
		put_indent(p, indent);
		bh_buf_add(p->out, l.s + strip, l.len - strip);
	}
}

static void put_block(struct printer *p, const struct value *v, unsigned indent, bool inlined);

/* What stands behind "key:" or "-", to the end of the lines. INDENT: of what is in it. */
static void put_value(struct printer *p, const struct value *v, unsigned indent)
{
	bool dash = !v->n->key;

	if (v->n->literal) {
		bh_buf_addstr(p->out, " ");
		put_literal(p, v->n, indent);
		end_line(p, v->n);
		return;
	}
	if (v->n->kind != NODE_TEXT || v->n->text[0] || !v->n->plain)
		bh_buf_addstr(p->out, " ");
	if (try_flow(p, v)) {
		end_line(p, v->n);
		return;
	}
	if (!dash) {
		p->out->len--; /* the space */
		p->out->data[p->out->len] = '\0';
		end_line(p, v->n);
	}
	put_block(p, v, indent, dash);
}

/* INLINED: its first line has been begun, by a dash; what belongs above that was printed. */
static void put_entry(struct printer *p, const struct value *v, unsigned indent, bool inlined)
{
	const struct note *note = v->n->note;

	if (!inlined) {
		put_comments(p, &note->head, indent);
		put_blank(p, note->blank);
		put_indent(p, indent);
	}
	p->first = true;
	if (v->n->key)
		put_key(p->out, v->n);
	else
		bh_buf_addstr(p->out, "-");
	put_value(p, v, indent + INDENT);
	p->first = false;
}

static bool fits(struct printer *p, const struct value *v, unsigned indent)
{
	size_t start = p->out->len;
	bool flow;

	put_indent(p, indent);
	flow = try_flow(p, v);
	if (!p->out->error) {
		p->out->len = start;
		p->out->data[start] = '\0';
	}
	return flow;
}

/* What stood behind {...} and will stand behind nothing when each entry has its own line: above the dash. */
static void lift_tail(struct printer *p, const struct value *v, unsigned indent)
{
	struct note *note = v->n->note;

	if (!note->tail || v->n->kind == NODE_TEXT || fits(p, v, indent + INDENT))
		return;
	put_blank(p, note->blank);
	put_indent(p, indent);
	bh_buf_add(p->out, note->tail->text, note->tail->len);
	bh_buf_addstr(p->out, "\n");
	note->tail = NULL;
	note->blank = false;
}

/* The heads of what shares the line of a dash stand above the dash. */
static void put_heads(struct printer *p, const struct value *v, unsigned indent);

static void put_block(struct printer *p, const struct value *v, unsigned indent, bool inlined)
{
	bh_autofree struct place *in = in_order(v);

	if (!in)
		p->out->error = -ENOMEM;
	for (size_t i = 0; in && i < v->n->n; i++) {
		struct value entry = { in[i].n, v->f, v->s };

		if (v->n->kind == NODE_MAP)
			entry = value_in(v, in[i].n);
		if (!entry.n->key && !(inlined && i == 0)) {
			put_comments(p, &entry.n->note->head, indent);
			lift_tail(p, &entry, indent);
			put_heads(p, &entry, indent);
			put_blank(p, entry.n->note->blank);
			put_indent(p, indent);
		}
		put_entry(p, &entry, indent, !entry.n->key || (inlined && i == 0));
	}
	put_comments(p, &v->n->note->foot, indent);
	if (inlined && v->n->note->tail) /* of a list in a list */
		put_comments(p, &(struct comments) { v->n->note->tail, NULL }, indent);
}

static void put_heads(struct printer *p, const struct value *v, unsigned indent)
{
	bh_autofree struct place *in = NULL;
	struct value first = { NULL, v->f, v->s };

	if (!v->n->n || (v->n->flow && !has_comments(v->n)))
		return;
	in = in_order(v);
	if (!in)
		return;
	first.n = in[0].n;
	if (v->n->kind == NODE_MAP)
		first = value_in(v, in[0].n);
	put_comments(p, &first.n->note->head, indent);
	if (!first.n->key)
		put_heads(p, &first, indent);
}

void format_print(struct formatted *f, struct bh_buf *out)
{
	struct printer p = { f, out, true };
	struct node **roots = f->docs.data;
	const struct comment *all = f->comments.data;

	for (size_t i = 0; i < f->docs.n; i++) {
		const struct value root = { roots[i], NULL, document_schema(roots[i]) };

		bh_buf_addstr(out, i ? "---\n" : "");
		p.first = true;
		put_block(&p, &root, 0, false);
	}
	for (size_t i = 0; f->docs.n == 0 && i < f->comments.n; i++)
		put_comments(&p, &(struct comments) { (struct comment *)&all[i], NULL }, 0);
}
