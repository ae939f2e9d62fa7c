/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/policy/format.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

#include "format.h"
#include "parse.h"

/* --- reading ----------------------------------------------------------------------------------- */

static size_t count_nodes(const struct node *n)
{
	size_t count = 1 + (n->key != NULL);

	for (const struct node *c = n->first; c; c = c->next)
		count += count_nodes(c);
	return count;
}

/* YAML wants a key and its colon on one line, within 1,024 characters. */
static bool key_can_be_kept(const struct node *key)
{
	size_t len = strlen(key->text);

	if (key->literal || (key->plain && (!len || strchr(key->text, '\n'))))
		return false;
	return len <= (key->plain ? BH_FORMAT_KEY_MAX : BH_FORMAT_KEY_MAX / 4);
}

/* In [...] these are texts; on a line of its own each is something else. */
static bool is_indicator(const struct node *n)
{
	return n->kind == NODE_TEXT && n->plain && *n->text && strchr("-?:", *n->text) &&
	       (!n->text[1] || n->text[1] == ' ');
}

static void check_texts(struct formatted *f, const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next) {
		if (c->key && !key_can_be_kept(c->key))
			format_refuse(f, c->key->loc.line, c->key->loc.column,
				      "write a short text on one line",
				      "a key like this cannot be kept as it is");
		if (c->kind == NODE_TEXT && c->plain && strchr(c->text, '\n'))
			format_refuse(f, c->loc.line, c->loc.column,
				      "put it in quotes, or behind |",
				      "a text with an empty line in it cannot be kept as it is");
		if (is_indicator(c) || (c->key && is_indicator(c->key)))
			format_refuse(f, c->loc.line, c->loc.column, "put it in quotes",
				      "a text that begins like this cannot be kept as it is");
		check_texts(f, c);
	}
}

static int keep_document(struct formatted *f, const struct node *root, size_t *nodes)
{
	struct node **slot = bh_vec_push(&f->docs);

	if (!slot)
		return -ENOMEM;
	*slot = (struct node *)root; /* of our own arena */
	*nodes += count_nodes(root);
	check_texts(f, root);
	if (root->kind == NODE_MAP && root->n && *nodes <= BH_YAML_NODES_MAX)
		return 0;
	if (root->kind == NODE_MAP && root->n)
		format_refuse(f, root->loc.line, root->loc.column, "split it into several files",
			      "this file has more than %u values", BH_YAML_NODES_MAX);
	else if (root->kind != NODE_BAD)
		format_refuse(f, root->loc.line, root->loc.column, "begin with service: NAME",
			      "this document is no mapping");
	return -EINVAL;
}

static int read_documents(struct formatted *f)
{
	struct doc_reader d;
	size_t nodes = 0;
	int r = doc_open(&d, f->file, f->data, f->len, f->diags);

	if (r < 0)
		return r;
	do {
		const struct node *root = NULL;

		r = doc_next(&d, f->arena, &root);
		if (r > 0 && root) {
			int q = keep_document(f, root, &nodes);

			r = q < 0 ? q : r;
		}
	} while (r > 0);
	doc_close(&d);
	return r;
}

static int too_many_lines(struct formatted *f)
{
	size_t lines = 0;

	for (const char *p = f->data; p < f->data + f->len; p++)
		lines += *p == '\n';
	if (lines <= BH_FORMAT_LINES_MAX)
		return 0;
	format_refuse(f, 0, 0, "split it into several files", "this file has more than %u lines",
		      BH_FORMAT_LINES_MAX);
	return -EINVAL;
}

static int formatted_open(struct formatted *f, const char *file, const char *data, size_t len,
			  struct diag_list *diags)
{
	bool mark = len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0;

	*f = (struct formatted) {
		.file = file,
		.data = data + (mark ? 3 : 0),
		.len = len - (mark ? 3 : 0),
		.arena = bh_arena_new(),
		.diags = diags,
	};
	bh_vec_init(&f->docs, sizeof(struct node *), BH_FORMAT_LINES_MAX);
	bh_vec_init(&f->comments, sizeof(struct comment), BH_FORMAT_LINES_MAX + 1);
	bh_vec_init(&f->parts, sizeof(unsigned), BH_FORMAT_LINES_MAX + 1);
	bh_vec_init(&f->lines, sizeof(size_t), BH_FORMAT_LINES_MAX + 3);
	return f->arena ? 0 : -ENOMEM;
}

static void formatted_close(struct formatted *f)
{
	bh_arena_free(f->arena);
	bh_vec_done(&f->docs);
	bh_vec_done(&f->comments);
	bh_vec_done(&f->parts);
	bh_vec_done(&f->lines);
}

/* -EINVAL: reported. */
static int format_text(struct formatted *f, struct bh_buf *out)
{
	size_t errors = f->diags->errors;
	int r = too_many_lines(f);

	if (r >= 0)
		r = read_documents(f);
	if (r >= 0 && f->diags->errors == errors)
		r = format_scan(f);
	if (r >= 0 && f->diags->errors == errors)
		r = format_attach(f);
	if (r >= 0 && f->diags->errors == errors)
		format_print(f, out);
	if (r >= 0)
		r = bh_buf_error(out);
	return r >= 0 && f->diags->errors > errors ? -EINVAL : r;
}

/* --- is it the same? --------------------------------------------------------------------------- */

static int comment_cmp(const void *a, const void *b)
{
	const struct comment *x = a, *y = b;
	int r = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return r ? r : (x->len > y->len) - (x->len < y->len);
}

/* Sorts them: nothing is printed of A and B any more. */
static bool same_comments(struct formatted *a, struct formatted *b)
{
	struct comment *x = a->comments.data, *y = b->comments.data;

	if (a->comments.n != b->comments.n)
		return false;
	if (a->comments.n) {
		qsort(x, a->comments.n, sizeof(*x), comment_cmp);
		qsort(y, b->comments.n, sizeof(*y), comment_cmp);
	}
	for (size_t i = 0; i < a->comments.n; i++)
		if (comment_cmp(&x[i], &y[i]) != 0)
			return false;
	return true;
}

/* 1 the same, 0 not, -ENOMEM. */
static int same_meaning(const struct formatted *a, const struct formatted *b)
{
	struct node **x = a->docs.data, **y = b->docs.data;
	struct meaning mx, my;
	int r = a->docs.n == b->docs.n;

	for (size_t i = 0; r > 0 && i < a->docs.n; i++) {
		r = meaning_of(x[i], document_schema(x[i]), &mx);
		if (r >= 0)
			r = meaning_of(y[i], document_schema(y[i]), &my);
		if (r >= 0)
			r = document_schema(x[i]) == document_schema(y[i]) &&
			    strcmp(x[i]->first->key->text, y[i]->first->key->text) == 0 &&
			    strcmp(mx.digest, my.digest) == 0;
	}
	return r;
}

/* Read what was written, and write it again. 1 nothing is lost, 0 something is, -ENOMEM. */
static int is_faithful(struct formatted *f, const struct bh_buf *out)
{
	struct diag_list diags;
	struct formatted again;
	struct bh_buf twice;
	int r;

	diag_list_init(&diags);
	bh_buf_init(&twice, out->max);
	r = formatted_open(&again, f->file, bh_buf_str(out), out->len, &diags);
	if (r >= 0)
		r = format_text(&again, &twice);
	if (r >= 0)
		r = twice.len == out->len &&
		    memcmp(bh_buf_str(&twice), bh_buf_str(out), out->len) == 0;
	if (r > 0)
		r = same_meaning(f, &again);
	if (r > 0)
		r = same_comments(f, &again);
	formatted_close(&again);
	bh_buf_done(&twice);
	diag_list_done(&diags);
	return r == -ENOMEM ? r : r > 0;
}

static int format_checked(struct formatted *f, struct bh_buf *out)
{
	int r = format_text(f, out);

	if (r < 0)
		return r;
	r = is_faithful(f, out);
	if (r == 0) {
		format_refuse(f, 0, 0, "please report it, with the file",
			      "this file cannot be formatted without losing something of it");
		return -EINVAL;
	}
	return r < 0 ? r : 0;
}

int policy_format(const struct policy_source *src, struct bh_buf *out, struct diag_list *diags,
		  struct bh_err *err)
{
	struct formatted f;
	int r;

	if (src->len > BH_POLICY_FILE_BYTES_MAX) {
		source_too_big(diags, src->name);
		return bh_err_set(err, -EINVAL, "%s cannot be formatted", src->name);
	}
	r = formatted_open(&f, src->name, src->data, src->len, diags);
	if (r >= 0)
		r = format_checked(&f, out);
	formatted_close(&f);
	if (r == -ENOMEM)
		return bh_err_oom(err);
	return r < 0 ? bh_err_set(err, r, "%s cannot be formatted", src->name) : 0;
}
