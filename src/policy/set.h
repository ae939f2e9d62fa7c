/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_SET_PRIVATE_H
#define BULKHEAD_POLICY_SET_PRIVATE_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/policy.h>

#include "schema.h"

/* A policy set while it is being read. */

/* What has a name of its own. */
enum name_kind { NAME_SERVICE, NAME_GROUP, NAME_SCOPE, NAME_GUARDRAIL, NAME_TEST };
#define NAME_KINDS 5

/* A name that was used; whether it exists is known when all files are read. */
struct ref {
	enum name_kind kind;
	const char *name;
	struct src_loc loc;
};

struct set_builder {
	struct reader rd;
	struct bh_vec defs[NAME_KINDS]; /* struct service, group, scope, guardrail, policy_test */
	struct bh_vec refs;             /* struct ref */
	size_t n_accepts;
	bool incomplete; /* something was not read: names may be missing that do exist */
};

/* The root of a non-empty document: recognised by its first key and read. 0 or -ENOMEM. */
int document_read(struct set_builder *b, const struct node *root);

/* S: of such documents, or NULL. 0 or -ENOMEM. */
int meaning_of(const struct node *root, const struct schema *s, struct meaning *ret);

/* The I-th kind of document, beginning with KEY; false: there are not so many. */
struct document_kind {
	const char *key;
	const struct schema *schema; /* NULL: read by no table */
};
bool document_kind(size_t i, struct document_kind *ret);
/* By its first key; NULL: no such kind, or read by no table. */
const struct schema *document_schema(const struct node *root);

extern const struct schema service_schema, group_schema, scope_schema, guardrail_schema,
	test_schema;
extern const struct schema rule_schemas[DIRECTIONS];
extern const struct schema rule_peer_schema, guardrail_peer_schema, exception_schema;

/* For tables. */
const char *port_canon(char out[CANON_MAX], const char *text);
const char *prefix_canon(char out[CANON_MAX], const char *text);

int service_read(struct set_builder *b, const struct node *root);
int group_read(struct set_builder *b, const struct node *root);
int scope_read(struct set_builder *b, const struct node *root);
int guardrail_read(struct set_builder *b, const struct node *root);
int test_read(struct set_builder *b, const struct node *root);

/*
 * A new definition of that kind, zeroed. NULL: *ret_error is -ENOMEM, or 0 when there are too many
 * (reported).
 */
void *set_define(struct set_builder *b, enum name_kind kind, const struct node *root,
		 int *ret_error);
/* N names something of KIND: copied into *ret, and looked for when all is read. 0 or -ENOMEM. */
int ref_read(struct reader *rd, enum name_kind kind, const struct node *n, const char **ret);

/* Lists of ingress: and egress: into svc->rules[DIR]. */
int rules_read(struct reader *rd, const struct node *list, enum direction dir, struct service *svc);
/* Readers for tables of rules; out is a struct rule. */
int rule_read_peers(struct reader *rd, const struct node *n, bool guardrail, struct rule *rule);
extern const struct port_spec rule_any_port;
/* ports: of anything; an empty list is a mistake. */
int ports_read(struct reader *rd, const struct node *n, const struct port_spec **ret,
	       size_t *ret_n);
/* An entry of from:/to:. GUARDRAIL: scopes may be named. */
int peer_read(struct reader *rd, const struct node *n, bool guardrail, struct peer *ret);
/* An entry of unless:. */
int exception_read(struct reader *rd, const struct node *n, struct exception *ret);

/* A mapping of labels; an empty one is a mistake with HINT. */
int labels_read(struct reader *rd, const struct node *n, const char *hint, const struct label **ret,
		size_t *ret_n);
/* Text of an address or prefix; false = reported. */
bool prefix_read(struct reader *rd, const struct node *n, struct bh_prefix *ret);
/* A list of them, MAX at most. 0 (also when some were wrong) or -ENOMEM. */
int prefixes_read(struct reader *rd, const struct node *list, size_t max, const char *what,
		  const struct bh_prefix **ret, size_t *ret_n);

/* accept: of a rule or document, for tables: OFFSET is of a struct accepts. */
int accepts_read(struct reader *rd, const struct field *f, const struct node *n, void *out);
extern const struct schema accept_schema;
#define ACCEPT_FIELD(at)                                                                           \
	{                                                                                          \
		.key = "accept",                                                                   \
		.about = "What check warns of here that is right as it is, and why",               \
		.of = &accept_schema, .max = BH_ACCEPTS_MAX, .takes = TAKES_LIST,                  \
		.read = accepts_read, .offset = (at),                                              \
		.example = "accept: [{lint: one-sided, reason: why it is right so}]"               \
	}

/* Duplicate definitions and names that do not exist. 0 or -ENOMEM. */
int names_check(struct set_builder *b);

/* Names to indexes, sorted. */
struct name_entry {
	const char *name;
	size_t index;
};
void names_sort(struct name_entry *e, size_t n); /* by name, then index */
const struct name_entry *names_find(const struct name_entry *e, size_t n, const char *name);

#endif
