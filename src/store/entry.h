/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_ENTRY_H
#define STORE_ENTRY_H

#include <bulkhead/base/buf.h>
#include <bulkhead/store/audit.h>

/* One entry to one line and back. No I/O, no clock. */

/* What every reader of JSON can hold. */
#define AUDIT_SEQ_MAX (INT64_C(1) << 53)

/* What stands before the first entry. */
#define ZERO_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

/* What an entry of the trail's own action "prune" says. */
struct audit_pruned {
	int64_t first, last;
	const char *sum; /* SHA-256 of the line of LAST */
};

/*
 * The line of E with its newline into LINE, which is emptied first; RET_HASH gets its hash. EXTRA (may
 * be NULL) is merged into it. -EINVAL for an action or a digest that is none; -ENOMEM.
 */
int entry_write(const struct audit_entry *e, uint64_t seq, const char *prev, json_t *extra,
		struct bh_buf *line, char ret_hash[DIGEST_HEX], struct bh_err *err);

/* A line that was read. Strings are borrowed from JSON. */
struct entry_line {
	json_t *json;
	int64_t seq;
	const char *prev, *hash, *action, *detail;
	bool intact; /* its hash is that of its bytes, and they are in the form that we write */
};

/* -EBADMSG when it is no entry at all. The caller json_decref()s ret->json. */
int entry_read(const char *data, size_t len, struct entry_line *ret);

/* False when it says nothing of the kind. */
bool entry_pruned(const struct entry_line *line, struct audit_pruned *ret);

/* bh_tame() into an array of SIZE bytes, cut where it does not fit; NULL is "". Returns OUT. */
const char *store_tame(char *out, size_t size, const char *s);

/* SHA-256 in lower-case hex? */
bool is_digest(const char *s);

#endif
