/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_RULEBOOK_H
#define STORE_FLOWS_RULEBOOK_H

#include "flows_rules.h"
#include "flows_writer.h"
#include "flows_hash.h"

/* The sums of policy rules in memory: all of them, for a file may have to be begun anew. */

struct rule_entry {
	UT_hash_handle hh;
	struct flows_rule_row row;
	int64_t written; /* `watched`, as the file has it */
	bool dirty;
};

struct space_key {
	uint64_t netns, cookie;
};

struct reading_key {
	struct space_key space;
	int64_t rule;
};

struct reading_entry {
	UT_hash_handle hh;
	struct reading_key key;
	uint64_t packets, bytes;
	uint64_t probes; /* flows_probes_mark(), when it was asked for */
	int64_t seen, written;
	bool dirty;
	struct reading_entry *next; /* of the same namespace */
};

struct space_entry {
	UT_hash_handle hh;
	struct space_key key;
	struct reading_entry *first;
};

/*
 * One that ended, or seemed to: if it is met again all the same, what its counters have is counted already.
 * In the file a reading of rule 0.
 */
struct ended_entry {
	UT_hash_handle hh;
	struct space_key key;
	int64_t seen;
	bool dirty; /* its readings are in the file, and this is not */
};

struct rule_book {
	struct rule_entry *rules;
	struct reading_entry *readings;
	struct space_entry *spaces;
	struct ended_entry *ended; /* the oldest first, as a hash hands out what was added */
	size_t rules_max, readings_max;
	int64_t watched, aged_at, next_id;
	uint64_t probes, born; /* flows_probes_mark(): now, and as the last logger had it */
	size_t waiting;        /* entries that are not as the file has them */
	bool known;            /* the file was read, or there was none */
	uint64_t left_out;
};

void book_drop_reading(struct rule_book *b, struct reading_entry *e);
void book_drop_space(struct rule_book *b, struct space_entry *s); /* and its readings */
void book_drop_ended(struct rule_book *b, struct ended_entry *e);
void book_drop_rule(struct rule_book *b, struct rule_entry *e);
void book_drop_all(struct rule_book *b);

/* It is not as the file has it. */
void book_mark_rule(struct rule_book *b, struct rule_entry *e);
void book_mark_reading(struct rule_book *b, struct reading_entry *e);
void book_mark_ended(struct rule_book *b, struct ended_entry *e);

/* Can a counter of ours be called so? */
bool book_is_name(const char *s);
/* NULL: there is none, or no room (or memory) for one. */
struct rule_entry *book_find_rule(const struct rule_book *b, const char *name);
struct rule_entry *book_add_rule(struct rule_book *b, const struct flows_rule_row *row);
struct reading_entry *book_add_reading(struct rule_book *b, const struct reading_key *key);
struct ended_entry *book_find_ended(const struct rule_book *b, const struct space_key *key);
struct ended_entry *book_add_ended(struct rule_book *b, const struct space_key *key, int64_t seen);

#endif
