/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_SCHEMA_PRIVATE_H
#define BULKHEAD_POLICY_SCHEMA_PRIVATE_H

#include <stdint.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/diag.h>

#include "json_schema.h"
#include "yaml.h"

/*
 * What a mapping may hold, as a table, and the one walker that reads any mapping by its table:
 * unknown, missing and refused keys and wrong types are reported here, with the way out.
 */

/* Where reading a set puts things. Readers return 0 or -ENOMEM; mistakes go to diags. */
struct reader {
	struct bh_arena *arena; /* what outlives the document */
	struct diag_list *diags;
	void *user; /* of the document kinds */
};

/* ANYTHING: what stands there, if something does, is not looked at. */
enum { TAKES_TEXT = 1, TAKES_LIST = 2, TAKES_MAP = 4, TAKES_ANYTHING = 8 };

struct schema;
#define CANON_MAX 64

/* In the order in which policy_format() writes them. */
struct field {
	const char *key;
	unsigned takes;
	bool required;
	int (*read)(struct reader *rd, const struct field *f, const struct node *n, void *out);
	size_t offset; /* into out, for the readers below */
	const char *const
		*words;      /* schema_read_word: the enum's values in order, NULL at the end */
	uint32_t min, max;   /* schema_read_u32: both may be taken; of a list: its entries */
	const char *example; /* how it is written; shown when it is missing or of wrong type */
	const char *refused; /* a key people try that is not taken: the message after the key */
	const char *way_out; /* and its hint */
	const char *instead; /* the key it stands for, which is then not told to be missing */
	/* What the JSON Schema says beside what follows from the above; json_schema.h. */
	const char *about;       /* for people, without a full stop */
	const struct schema *of; /* of the mapping, or of each entry of the list */
	const char *shape;       /* of the text, or of each entry of the list: members, as JSON */
	/* The one spelling of a text that has several, into OUT; NULL: TEXT has none. */
	const char *(*canon)(char out[CANON_MAX], const char *text);
};

struct schema {
	const char *what; /* "an ingress rule" */
	const struct field *fields;
	size_t n;
	const char *example; /* of the whole mapping, for one that is none; or NULL */
	const char *shape;   /* what no field can say of it in the JSON Schema: members, or NULL */
};

/* Further members may stand behind EXAMPLE. */
#define SCHEMA(what, fields, example, ...)                                                         \
	{                                                                                          \
		what, fields, BH_ARRAY_SIZE(fields), example, ##__VA_ARGS__                        \
	}

/* The field of that key, or NULL; S may be NULL. */
const struct field *schema_field(const struct schema *s, const char *key);

/* Read MAP (of any kind: a non-mapping is reported) by its table into OUT. */
int schema_read(struct reader *rd, const struct schema *s, const struct node *map, void *out);

/* True when N has a value of a kind in TAKES; else reported as WHAT takes. BAD is silently false.
 */
bool node_takes(struct reader *rd, const struct node *n, unsigned takes, const char *what,
		const char *example);
/* False and reported when N has more than MAX entries. WHAT: "ports". */
bool node_fits(struct reader *rd, const struct node *n, size_t max, const char *what);

/* The value of KEY in a mapping, or NULL. */
const struct node *node_find(const struct node *map, const char *key);

/* Readers for tables. */
int schema_read_string(struct reader *rd, const struct field *f, const struct node *n, void *out);
/* The same for what people say of a rule: not what waits to be written (POLICY_PLACEHOLDER). */
int schema_read_remark(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_name(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_bool(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_u32(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_word(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_date(struct reader *rd, const struct field *f, const struct node *n, void *out);
int schema_read_time(struct reader *rd, const struct field *f, const struct node *n, void *out);

/* N plain text of a name: copied into *ret, or reported and *ret untouched. */
int schema_read_name_text(struct reader *rd, const struct node *n, const char *what,
			  const char **ret);

/* Report a mistake at node N. HINT may be NULL. */
#define mistake(rd, node, id, hint, ...)                                                           \
	diag_add((rd)->diags, DIAG_ERROR, &(node)->loc, id, hint, __VA_ARGS__)

/* Offending text, safe and short, for a message; lives until the end of the block. */
#define SHOWN(s) bh_escape_str((char[100]) { 0 }, 100, (s))

/* FILE:LINE for a message, safe. Returns OUT. */
#define PLACE_MAX 512
const char *place_format(char out[PLACE_MAX], const struct src_loc *loc);

/* "did you mean "x"?" into OUT, or FALLBACK (may be NULL) when no word is near. */
#define HINT_MAX 256
const char *hint_nearest(char out[HINT_MAX], const char *word, const char *const *words, size_t n,
			 const char *fallback);

#endif
