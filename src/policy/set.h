/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_SET_PRIVATE_H
#define BULKHEAD_POLICY_SET_PRIVATE_H

#include <bulkhead/base/buf.h>
#include <bulkhead/model/policy.h>

#include "schema.h"

/* A policy set while it is being read. */

enum ref_kind { REF_SERVICE, REF_GROUP };
#define REF_KINDS 2

/* A name that a peer used; whether it exists is known when all files are read. */
struct ref {
	enum ref_kind kind;
	const char *name;
	struct src_loc loc;
};

struct set_builder {
	struct reader rd;
	struct bh_vec services; /* struct service */
	struct bh_vec groups;   /* struct group */
	struct bh_vec refs;     /* struct ref */
	bool incomplete;        /* something was not read: names may be missing that do exist */
};

/* The root of a non-empty document: recognised by its first key and read. 0 or -ENOMEM. */
int document_read(struct set_builder *b, const struct node *root);

int service_read(struct set_builder *b, const struct node *root);
int group_read(struct set_builder *b, const struct node *root);

/* Lists of ingress: and egress: into svc->rules[DIR]. */
int rules_read(struct reader *rd, const struct node *list, enum direction dir, struct service *svc);
/* An entry of from:/to:. */
int peer_read(struct reader *rd, const struct node *n, struct peer *ret);

/* A mapping of labels; an empty one is a mistake with HINT. */
int labels_read(struct reader *rd, const struct node *n, const char *hint, const struct label **ret,
		size_t *ret_n);
/* Text of an address or prefix; false = reported. */
bool prefix_read(struct reader *rd, const struct node *n, struct bh_prefix *ret);
/* A list of them, MAX at most. 0 (also when some were wrong) or -ENOMEM. */
int prefixes_read(struct reader *rd, const struct node *list, size_t max, const char *what,
		  const struct bh_prefix **ret, size_t *ret_n);

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
