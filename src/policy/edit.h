/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_EDIT_PRIVATE_H
#define BULKHEAD_POLICY_EDIT_PRIVATE_H

#include <yaml.h>

#include <bulkhead/policy/edit.h>

/* --- edit_tree.c: where things stand in the bytes --------------------------------------------- */

/* A text with libyaml's tree of the document that is edited. */
struct edit_tree {
	const char *text;
	size_t len;
	size_t *line_at; /* offsets of the lines, and LEN behind the last */
	size_t n_lines;
	yaml_document_t doc;
	bool has_doc;
};

/* TEXT stays with the caller. 0, -ENOMEM. */
int edit_tree_open(struct edit_tree *t, const char *text, size_t len);
void edit_tree_close(struct edit_tree *t);
/* Make the document the one whose `service:` stands at LOC. 0; -ENOENT: there is none; -ENOMEM. */
int edit_tree_find(struct edit_tree *t, const struct src_loc *loc);

yaml_node_t *edit_tree_root(struct edit_tree *t);
yaml_node_t *edit_tree_node(struct edit_tree *t, int index);
bool edit_node_at(const yaml_node_t *n, const struct src_loc *loc);
/* The value of a key of a mapping, and the key; NULL: it has none. */
yaml_node_t *edit_tree_value(struct edit_tree *t, const yaml_node_t *map, const char *key,
			     yaml_node_t **ret_key);
/* The last item of a list, or the last value of a mapping; NULL: it is empty. */
yaml_node_t *edit_tree_last(struct edit_tree *t, const yaml_node_t *n);
bool edit_is_flow(const yaml_node_t *n); /* [...] or {...} */

size_t edit_tree_begin(const struct edit_tree *t, const yaml_node_t *n);
/* Behind its last byte. */
size_t edit_tree_end(struct edit_tree *t, const yaml_node_t *n);
/*
 * Where a line can be put behind the one that AT is on. False: between AT and its end is more than a
 * comment.
 */
bool edit_tree_next_line(const struct edit_tree *t, size_t at, size_t *ret);
/* Does nothing but spaces stand before AT on its line? */
bool edit_tree_is_first(const struct edit_tree *t, size_t at);
const char *edit_tree_eol(const struct edit_tree *t); /* as the text has it */

/* --- edit_text.c: what is put in -------------------------------------------------------------- */

struct edit_style {
	unsigned indent; /* of the dash, or of the key */
	unsigned dash;   /* from the dash to the first key */
	const char *eol;
	const char *fill; /* NULL: the placeholder */
};

void edit_put_port(struct bh_buf *out, const struct port_spec *p);
/* "- to: [{service: ledger}]" and the lines that go with it. */
void edit_put_rule(struct bh_buf *out, const struct policy_edit *e, const struct edit_style *s);
/* "{to: [{service: ledger}], ports: [6379/tcp]}" */
void edit_put_flow_rule(struct bh_buf *out, const struct policy_edit *e, const char *fill);

#endif
