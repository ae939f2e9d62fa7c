/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- bytes ----------------------------------------------------------------------------------- */

int edit_tree_open(struct edit_tree *t, const char *text, size_t len)
{
	size_t n = 1;

	*t = (struct edit_tree) { .text = text, .len = len };
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	t->line_at = calloc(n + 1, sizeof(*t->line_at));
	if (!t->line_at)
		return -ENOMEM;
	t->n_lines = 1;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\n')
			t->line_at[t->n_lines++] = i + 1;
	t->line_at[t->n_lines] = len;
	return 0;
}

static void drop_doc(struct edit_tree *t)
{
	if (t->has_doc)
		yaml_document_delete(&t->doc);
	t->has_doc = false;
}

void edit_tree_close(struct edit_tree *t)
{
	drop_doc(t);
	free(t->line_at);
}

/* Columns count characters, not bytes. */
static size_t offset_of(const struct edit_tree *t, yaml_mark_t mark)
{
	size_t at = mark.line < t->n_lines ? t->line_at[mark.line] : t->len;

	for (size_t column = 0; column < mark.column && at < t->len; column++) {
		at++;
		while (at < t->len && (t->text[at] & 0xc0) == 0x80)
			at++;
	}
	return at;
}

static size_t line_of(const struct edit_tree *t, size_t at)
{
	size_t lo = 0, hi = t->n_lines;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->line_at[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

bool edit_tree_next_line(const struct edit_tree *t, size_t at, size_t *ret)
{
	const char *s = t->text + at, *end = t->text + t->line_at[line_of(t, at) + 1];

	*ret = (size_t)(end - t->text);
	if (at && t->text[at - 1] == '\n') { /* behind text in | or > style: its line is over */
		*ret = at;
		return true;
	}
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'))
		s++;
	return s == end || *s == '#';
}

bool edit_tree_is_first(const struct edit_tree *t, size_t at)
{
	for (size_t i = t->line_at[line_of(t, at)]; i < at; i++)
		if (t->text[i] != ' ')
			return false;
	return true;
}

const char *edit_tree_eol(const struct edit_tree *t)
{
	const char *newline = memchr(t->text, '\n', t->len);

	return newline && newline > t->text && newline[-1] == '\r' ? "\r\n" : "\n";
}

/* --- nodes ----------------------------------------------------------------------------------- */

yaml_node_t *edit_tree_root(struct edit_tree *t)
{
	return yaml_document_get_root_node(&t->doc);
}

yaml_node_t *edit_tree_node(struct edit_tree *t, int index)
{
	return yaml_document_get_node(&t->doc, index);
}

bool edit_node_at(const yaml_node_t *n, const struct src_loc *loc)
{
	return n->start_mark.line + 1 == loc->line && n->start_mark.column + 1 == loc->column;
}

yaml_node_t *edit_tree_value(struct edit_tree *t, const yaml_node_t *map, const char *key,
			     yaml_node_t **ret_key)
{
	const yaml_node_pair_t *p;

	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *k = edit_tree_node(t, p->key);

		if (!k || k->type != YAML_SCALAR_NODE ||
		    strcmp((const char *)k->data.scalar.value, key) != 0)
			continue;
		if (ret_key)
			*ret_key = k;
		return edit_tree_node(t, p->value);
	}
	return NULL;
}

yaml_node_t *edit_tree_last(struct edit_tree *t, const yaml_node_t *n)
{
	if (n->type == YAML_SEQUENCE_NODE &&
	    n->data.sequence.items.top > n->data.sequence.items.start)
		return edit_tree_node(t, n->data.sequence.items.top[-1]);
	if (n->type == YAML_MAPPING_NODE && n->data.mapping.pairs.top > n->data.mapping.pairs.start)
		return edit_tree_node(t, n->data.mapping.pairs.top[-1].value);
	return NULL;
}

bool edit_is_flow(const yaml_node_t *n)
{
	if (n->type == YAML_SEQUENCE_NODE)
		return n->data.sequence.style == YAML_FLOW_SEQUENCE_STYLE;
	return n->type == YAML_MAPPING_NODE && n->data.mapping.style == YAML_FLOW_MAPPING_STYLE;
}

size_t edit_tree_begin(const struct edit_tree *t, const yaml_node_t *n)
{
	return offset_of(t, n->start_mark);
}

/* libyaml ends a block where the next begins, comments between them included: its last part tells. */
size_t edit_tree_end(struct edit_tree *t, const yaml_node_t *n)
{
	const yaml_node_t *last = n;

	while (last) {
		n = last;
		last = edit_is_flow(n) ? NULL : edit_tree_last(t, n);
	}
	return offset_of(t, n->end_mark);
}

/* --- documents ------------------------------------------------------------------------------- */

static bool is_wanted(struct edit_tree *t, const struct src_loc *loc)
{
	yaml_node_t *root = edit_tree_root(t);
	const yaml_node_t *name = root ? edit_tree_value(t, root, "service", NULL) : NULL;

	return name && edit_node_at(name, loc);
}

/* 1 found, 0 at the end. */
static int next_doc(struct edit_tree *t, yaml_parser_t *p, const struct src_loc *loc)
{
	drop_doc(t);
	if (!yaml_parser_load(p, &t->doc))
		return p->error == YAML_MEMORY_ERROR ? -ENOMEM : -ENOENT;
	t->has_doc = true;
	if (!edit_tree_root(t))
		return -ENOENT;
	return is_wanted(t, loc);
}

int edit_tree_find(struct edit_tree *t, const struct src_loc *loc)
{
	yaml_parser_t p;
	int r;

	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)t->text, t->len);
	do
		r = next_doc(t, &p, loc);
	while (r == 0);
	yaml_parser_delete(&p);
	return r < 0 ? r : 0;
}
