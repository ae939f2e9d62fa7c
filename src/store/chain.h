/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_CHAIN_H
#define STORE_CHAIN_H

#include "entry.h"

/* Walks along the trail, line by line, and says where it is not what was written. No I/O. */

/* The head file: the last entry, as it was when the file was written. */
struct audit_head {
	int64_t seq; /* 0: there is none */
	char hash[DIGEST_HEX];
	bool bad; /* it is there and is not one of ours */
};

struct chain {
	void (*fn)(const struct audit_finding *finding, void *arg);
	void *arg;
	struct audit_head head; /* read before the trail: all it knows must be there */
	bool ran;               /* a daemon did: a single entry has a head, too */
	struct audit_verdict verdict;
	int64_t next;         /* sequence number that belongs here; 0: nothing was read yet */
	int64_t strangers;    /* lines since the last entry that are none */
	char sum[DIGEST_HEX]; /* of the line before */
	bool excused;         /* the line before was reported: it need not fit */
	char first_prev[DIGEST_HEX]; /* of the first entry that is there */
	int64_t pruned;              /* the entries up to this one were removed, an entry says */
	char pruned_sum[DIGEST_HEX];
};

void chain_init(struct chain *c, void (*fn)(const struct audit_finding *, void *), void *arg);
/* One line without its newline; ITEM says where, and gets what it is: json_decref() its entry. */
void chain_line(struct chain *c, struct audit_item *item, const char *data, size_t len);
/* The bytes behind the last newline. */
void chain_torn(struct chain *c, const struct audit_item *item, uint64_t len);
/* AFTER: the head as it was after the trail had been read. */
void chain_end(struct chain *c, const struct audit_head *after);

#endif
