/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_YAML_PRIVATE_H
#define BULKHEAD_POLICY_YAML_PRIVATE_H

#include <stdbool.h>
#include <yaml.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/model/diag.h>

/*
 * Hostile bytes to a bounded tree with places. What YAML offers beyond text, lists and mappings
 * (anchors, aliases, tags) and duplicate keys are mistakes that are reported while reading.
 */

enum node_kind {
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
	NODE_BAD, /* a mistake that is already reported: skip it */
};

struct note;

struct node {
	enum node_kind kind;
	bool plain;    /* text without quotes */
	bool literal;  /* text in lines of its own, behind | or > */
	bool flow;     /* [...] or {...} */
	unsigned hash; /* of the text */
	struct src_loc loc;
	unsigned end_line, end_column; /* behind its last byte; of text and of [...] and {...} */
	const char *text;              /* NUL-terminated UTF-8 without NUL inside */
	const struct node *key;        /* for a value of a mapping */
	struct node *first, *next;     /* children: entries of a list, values of a mapping */
	size_t n;
	struct note *note; /* of policy_format() */
};

struct doc_reader {
	yaml_parser_t parser;
	const char *file; /* borrowed; all places point to it */
	const char *data;
	size_t len;
	struct diag_list *diags;
	struct bh_arena *arena; /* of the document being read */
	size_t n_nodes;
};

/* FILE and DATA stay with the caller. 0; -EINVAL reported, nothing to close; -ENOMEM. */
int doc_open(struct doc_reader *d, const char *file, const char *data, size_t len,
	     struct diag_list *diags);
void doc_close(struct doc_reader *d);

/*
 * The next document into ARENA. 1 and *ret_root (NULL for an empty document); 0 at the end of the
 * file; -EINVAL when the rest of the file cannot be read (reported); -ENOMEM.
 */
int doc_next(struct doc_reader *d, struct bh_arena *arena, const struct node **ret_root);

/* No value at all: nothing written, ~ or null, without quotes. */
bool node_is_null(const struct node *n);

/* A place that is not text a person sees. */
struct text_fault {
	const char *what; /* static; NULL = all is well */
	unsigned line, column;
	unsigned code; /* the code point, or the byte */
};

/* The first of them: broken UTF-8, control characters, line breaks that only YAML takes for one. */
struct text_fault text_find_fault(const char *data, size_t len);

#endif
