/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_FLOWS_TEXTS_H
#define STORE_FLOWS_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include <bulkhead/base/err.h>

/* The table `text` for a reader: each one read once, when it is asked for. */

#define FLOWS_MEMOS 5
struct flows_text {
	int64_t id;
	int64_t same; /* the first number that had this text: two of them may have the same */
	uint8_t memo[FLOWS_MEMOS]; /* what a filter found: 0 nothing yet, 1 no, 2 yes */
	const char *text;
};

struct flows_texts {
	sqlite3_stmt *get; /* owned */
	struct texts_entry *by_id, *by_text;
	size_t bytes;
	int error; /* sticks: -ENOMEM, -E2BIG, or of the database, with ERR */
	struct bh_err err;
};

int flows_texts_init(struct flows_texts *t, sqlite3 *db, struct bh_err *err);
void flows_texts_done(struct flows_texts *t);
/* Forget all, or only what filters found. */
void flows_texts_clear(struct flows_texts *t);
void flows_texts_forget_memos(struct flows_texts *t);

/* Never NULL; "" for 0, for what is not there and after an error. Stays until flows_texts_clear(). */
struct flows_text *flows_texts_get(struct flows_texts *t, int64_t id);

#endif
