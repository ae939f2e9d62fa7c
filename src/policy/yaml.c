/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "schema.h"

static struct src_loc loc_of(const struct doc_reader *d, yaml_mark_t mark)
{
	return (struct src_loc) { d->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

/* --- syntax errors of libyaml, in words that say the way out ------------------------------ */

/* The byte at MARK; its column counts characters, not bytes. '\0' at the end. */
static char byte_at(const struct doc_reader *d, yaml_mark_t mark)
{
	const char *s = d->data, *end = d->data + d->len;

	for (size_t line = 0; line < mark.line && s < end; line++) {
		s = memchr(s, '\n', (size_t)(end - s));
		if (!s)
			return '\0';
		s++;
	}
	for (size_t column = 0; column < mark.column && s < end; column++) {
		s++;
		while (s < end && (*s & 0xc0) == 0x80)
			s++;
	}
	return s < end ? *s : '\0';
}

static const struct {
	const char *problem, *hint;
} syntax_hints[] = {
	{ "mapping values are not allowed", "write KEY: VALUE with a space, quote text that has "
					    "a colon in it, look at the indentation" },
	{ "did not find expected key", "look at the indentation of this line and the one above" },
	{ "did not find expected '-'", "look at the indentation of this line and the one above" },
	{ "did not find expected ',' or", "a [ or { is not closed, or a comma is missing" },
	{ "could not find expected ':'", "write KEY: VALUE, with a space after the colon" },
	{ "found unexpected end of stream", "a quote is not closed" },
	{ "found unexpected document indicator", "a quote is not closed" },
	{ "block sequence entries are not allowed", "look at the indentation of this line" },
	{ "exceeded maximum nesting", "such depth has no meaning in a policy" },
};

static const char *syntax_hint(const struct doc_reader *d)
{
	const char *problem = d->parser.problem;

	if (!problem)
		return NULL;
	if (strstr(problem, "cannot start any token"))
		return byte_at(d, d->parser.problem_mark) == '\t'
			       ? "a tab cannot indent; use spaces"
			       : "quote text that begins with a special character";
	for (size_t i = 0; i < BH_ARRAY_SIZE(syntax_hints); i++)
		if (strstr(problem, syntax_hints[i].problem))
			return syntax_hints[i].hint;
	return NULL;
}

static int syntax_error(struct doc_reader *d)
{
	const yaml_parser_t *p = &d->parser;
	struct src_loc loc = loc_of(d, p->problem_mark);
	char context[128] = "";

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->context && p->context_mark.line != p->problem_mark.line)
		snprintf(context, sizeof(context), " %s that begins on line %zu", p->context,
			 p->context_mark.line + 1);
	else if (p->context && !strstr(p->context, "for the next token"))
		snprintf(context, sizeof(context), " %s", p->context);
	diag_add(d->diags, DIAG_ERROR, &loc, "yaml-syntax", syntax_hint(d),
		 "not YAML: %s%s; the rest of this file was not read",
		 p->problem ? p->problem : "the text cannot be read", context);
	return -EINVAL;
}

static int next_event(struct doc_reader *d, yaml_event_t *ev)
{
	return yaml_parser_parse(&d->parser, ev) ? 0 : syntax_error(d);
}

/* --- the tree ----------------------------------------------------------------------------- */

static unsigned text_hash(const char *s)
{
	unsigned h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return h;
}

static bool is_flow(const yaml_event_t *ev)
{
	if (ev->type == YAML_SEQUENCE_START_EVENT)
		return ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	return ev->type == YAML_MAPPING_START_EVENT &&
	       ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
}

static void end_at(struct node *n, const yaml_event_t *ev)
{
	n->end_line = (unsigned)ev->end_mark.line + 1;
	n->end_column = (unsigned)ev->end_mark.column + 1;
}

static int new_node(struct doc_reader *d, const yaml_event_t *ev, enum node_kind kind,
		    struct node **ret)
{
	struct src_loc loc = loc_of(d, ev->start_mark);
	struct node *n;

	if (++d->n_nodes > BH_YAML_NODES_MAX) {
		diag_add(d->diags, DIAG_ERROR, &loc, "yaml-size",
			 "split the document into several files",
			 "this document has more than %u values; the rest of this file was not "
			 "read",
			 BH_YAML_NODES_MAX);
		return -EINVAL;
	}
	n = bh_arena_alloc(d->arena, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->loc = loc;
	n->flow = is_flow(ev);
	end_at(n, ev);
	*ret = n;
	return 0;
}

/* Anchors and tags are reported where they stand; the value behind them is read all the same. */
static void refuse_properties(struct doc_reader *d, const yaml_event_t *ev,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	static const char prefix[] = "tag:yaml.org,2002:"; /* what !! stands for */
	size_t core = tag && strncmp((const char *)tag, prefix, sizeof(prefix) - 1) == 0
			      ? sizeof(prefix) - 1
			      : 0;
	struct src_loc loc = loc_of(d, ev->start_mark);

	if (anchor)
		diag_add(d->diags, DIAG_ERROR, &loc, "yaml-anchor",
			 "remove it; quote text that begins with &",
			 "YAML anchor \"&%s\" is not allowed in a policy",
			 SHOWN((const char *)anchor));
	if (tag)
		diag_add(d->diags, DIAG_ERROR, &loc, "yaml-tag",
			 "remove it; quote text that begins with !",
			 "YAML tag \"%s%s\" is not allowed in a policy", core ? "!!" : "",
			 SHOWN((const char *)tag + core));
}

static int read_text(struct doc_reader *d, const yaml_event_t *ev, struct node **ret)
{
	const char *s = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	struct node *n;
	int r = new_node(d, ev, NODE_TEXT, &n);

	if (r < 0)
		return r;
	refuse_properties(d, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (len > BH_YAML_SCALAR_MAX) {
		diag_add(d->diags, DIAG_ERROR, &n->loc, "yaml-size", NULL,
			 "this text has %zu bytes; %u is the most", len, BH_YAML_SCALAR_MAX);
		n->kind = NODE_BAD;
	} else if (memchr(s, '\0', len)) {
		diag_add(d->diags, DIAG_ERROR, &n->loc, "not-text", "remove the \\0",
			 "this text holds a NUL byte");
		n->kind = NODE_BAD;
	} else {
		n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n->literal = ev->data.scalar.style == YAML_LITERAL_SCALAR_STYLE ||
			     ev->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
		n->text = bh_arena_strndup(d->arena, s, len);
		if (!n->text)
			return -ENOMEM;
		n->hash = text_hash(n->text);
	}
	*ret = n;
	return 0;
}

static int read_alias(struct doc_reader *d, const yaml_event_t *ev, struct node **ret)
{
	int r = new_node(d, ev, NODE_BAD, ret);

	if (r >= 0)
		diag_add(d->diags, DIAG_ERROR, &(*ret)->loc, "yaml-alias",
			 "write the value out; quote a pattern that begins with *",
			 "YAML alias \"*%s\" is not allowed in a policy",
			 SHOWN((const char *)ev->data.alias.anchor));
	return r;
}

static int too_deep(struct doc_reader *d, const yaml_event_t *ev)
{
	struct src_loc loc = loc_of(d, ev->start_mark);

	diag_add(d->diags, DIAG_ERROR, &loc, "yaml-depth", NULL,
		 "nested more than %u deep; the rest of this file was not read", BH_YAML_DEPTH_MAX);
	return -EINVAL;
}

static int read_node(struct doc_reader *d, const yaml_event_t *ev, unsigned depth,
		     struct node **ret);

static void append(struct node *parent, struct node **last, struct node *child)
{
	if (*last)
		(*last)->next = child;
	else
		parent->first = child;
	*last = child;
	parent->n++;
}

static int read_list(struct doc_reader *d, const yaml_event_t *ev, unsigned depth,
		     struct node **ret)
{
	struct node *list, *last = NULL, *child;
	int r = new_node(d, ev, NODE_LIST, &list);

	if (r < 0)
		return r;
	refuse_properties(d, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	for (;;) {
		yaml_event_t item;
		bool end;

		r = next_event(d, &item);
		if (r < 0)
			return r;
		end = item.type == YAML_SEQUENCE_END_EVENT;
		if (end)
			end_at(list, &item);
		r = end ? 0 : read_node(d, &item, depth + 1, &child);
		yaml_event_delete(&item);
		if (r < 0)
			return r;
		if (end)
			break;
		append(list, &last, child);
	}
	*ret = list;
	return 0;
}

static bool key_is_usable(struct doc_reader *d, const struct node *map, const struct node *key)
{
	if (key->kind == NODE_BAD)
		return false;
	if (key->kind != NODE_TEXT) {
		diag_add(d->diags, DIAG_ERROR, &key->loc, "bad-key",
			 "quote text that begins with [ or {", "a key must be text");
		return false;
	}
	for (const struct node *c = map->first; c; c = c->next) {
		if (c->key->hash != key->hash || strcmp(c->key->text, key->text) != 0)
			continue;
		diag_add(d->diags, DIAG_ERROR, &key->loc, "duplicate-key",
			 "remove one of the two, or join them",
			 "duplicate key \"%s\", first on line %u", SHOWN(key->text),
			 c->key->loc.line);
		return false;
	}
	if (map->n < BH_YAML_KEYS_MAX)
		return true;
	/* Only once: a mapping that is told to be too large holds no further keys. */
	if (map->kind == NODE_MAP)
		diag_add(d->diags, DIAG_ERROR, &key->loc, "yaml-size", NULL,
			 "more than %u keys in one mapping", BH_YAML_KEYS_MAX);
	return false;
}

static int read_pair(struct doc_reader *d, const yaml_event_t *key_event, unsigned depth,
		     struct node *map, struct node **last)
{
	struct node *key, *value;
	yaml_event_t ev;
	int r = read_node(d, key_event, depth + 1, &key);

	if (r < 0)
		return r;
	r = next_event(d, &ev);
	if (r < 0)
		return r;
	r = read_node(d, &ev, depth + 1, &value);
	yaml_event_delete(&ev);
	if (r < 0)
		return r;
	if (key_is_usable(d, map, key)) {
		value->key = key;
		append(map, last, value);
	} else if (map->n >= BH_YAML_KEYS_MAX) {
		map->kind = NODE_BAD;
	}
	return 0;
}

static int read_map(struct doc_reader *d, const yaml_event_t *ev, unsigned depth, struct node **ret)
{
	struct node *map, *last = NULL;
	int r = new_node(d, ev, NODE_MAP, &map);

	if (r < 0)
		return r;
	refuse_properties(d, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	for (;;) {
		yaml_event_t key;
		bool end;

		r = next_event(d, &key);
		if (r < 0)
			return r;
		end = key.type == YAML_MAPPING_END_EVENT;
		if (end)
			end_at(map, &key);
		r = end ? 0 : read_pair(d, &key, depth, map, &last);
		yaml_event_delete(&key);
		if (r < 0)
			return r;
		if (end)
			break;
	}
	*ret = map;
	return 0;
}

static int read_node(struct doc_reader *d, const yaml_event_t *ev, unsigned depth,
		     struct node **ret)
{
	if (depth > BH_YAML_DEPTH_MAX)
		return too_deep(d, ev);
	if (ev->type == YAML_SCALAR_EVENT)
		return read_text(d, ev, ret);
	if (ev->type == YAML_SEQUENCE_START_EVENT)
		return read_list(d, ev, depth, ret);
	if (ev->type == YAML_MAPPING_START_EVENT)
		return read_map(d, ev, depth, ret);
	return read_alias(d, ev, ret);
}

/* --- documents ---------------------------------------------------------------------------- */

int doc_open(struct doc_reader *d, const char *file, const char *data, size_t len,
	     struct diag_list *diags)
{
	struct text_fault fault;
	struct src_loc loc;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	fault = text_find_fault(data, len);
	if (fault.what) {
		loc = (struct src_loc) { file, fault.line, fault.column };
		diag_add(diags, DIAG_ERROR, &loc, "not-text",
			 "a policy file is UTF-8 text with ordinary line ends",
			 "%s (0x%02x); this file was not read", fault.what, fault.code);
		return -EINVAL;
	}
	*d = (struct doc_reader) { .file = file, .data = data, .len = len, .diags = diags };
	if (!yaml_parser_initialize(&d->parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&d->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&d->parser, (const unsigned char *)data, len);
	return 0;
}

void doc_close(struct doc_reader *d)
{
	yaml_parser_delete(&d->parser);
}

static void refuse_tag_directives(struct doc_reader *d, const yaml_event_t *ev)
{
	struct src_loc loc = loc_of(d, ev->start_mark);

	if (ev->data.document_start.tag_directives.start !=
	    ev->data.document_start.tag_directives.end)
		diag_add(d->diags, DIAG_ERROR, &loc, "yaml-tag", "remove it",
			 "the directive %%TAG is not allowed in a policy");
}

int doc_next(struct doc_reader *d, struct bh_arena *arena, const struct node **ret_root)
{
	struct node *root = NULL;
	bool started = false;

	d->arena = arena;
	d->n_nodes = 0;
	for (;;) {
		yaml_event_t ev;
		yaml_event_type_t type;
		int r = next_event(d, &ev);

		if (r < 0)
			return r;
		type = ev.type;
		if (type == YAML_DOCUMENT_START_EVENT) {
			refuse_tag_directives(d, &ev);
			started = true;
		} else if (started && type != YAML_DOCUMENT_END_EVENT) {
			r = read_node(d, &ev, 1, &root);
		}
		yaml_event_delete(&ev);
		if (r < 0)
			return r;
		if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
			return 0;
		if (type == YAML_DOCUMENT_END_EVENT)
			break;
	}
	*ret_root = root && node_is_null(root) ? NULL : root;
	return 1;
}

bool node_is_null(const struct node *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };

	for (size_t i = 0; n->kind == NODE_TEXT && n->plain && i < BH_ARRAY_SIZE(words); i++)
		if (strcmp(n->text, words[i]) == 0)
			return true;
	return false;
}
