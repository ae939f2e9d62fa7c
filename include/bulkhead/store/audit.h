/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_AUDIT_H
#define BULKHEAD_STORE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include <bulkhead/base/err.h>
#include <bulkhead/model/policy.h>

/*
 * The audit trail: who changed what, when, and how it ended. A directory with an append-only file of
 * JSON lines, audit.jsonl, older ones beside it (audit.1.jsonl, ...), and audit.head. Each entry
 * carries the SHA-256 of the line before it and one of itself (docs/audit.md).
 *
 * One writer, any number of readers at any time. The files are hostile input: somebody with access
 * to the disk may have altered them.
 */

/* --- writing ---------------------------------------------------------------------------------- */

enum audit_outcome { AUDIT_DONE, AUDIT_REFUSED, AUDIT_FAILED };

/* "done", "refused", "failed" */
const char *audit_outcome_name(enum audit_outcome outcome);

/*
 * Texts may be hostile: what could harm a terminal is escaped, what is longer than its limit
 * (BH_AUDIT_*) is cut and ends with "...". NULL is "".
 */
struct audit_entry {
	int64_t when; /* microseconds since the epoch; 0: now */
	struct {
		uid_t uid;
		gid_t gid;
		pid_t pid;
		const char *name, *role;
	} who;
	const char *action;         /* apply, reload, rollback, ...: a name (bh_name_is_valid()) */
	const char *const *objects; /* names of the owners and services that it touches */
	size_t n_objects;
	const char *diff; /* DIFF_LEN bytes; the entry says how much was cut and its SHA-256 */
	size_t diff_len;
	const char *before, *after; /* digests of the policy sets, hex, or NULL */
	enum audit_outcome outcome;
	const char *detail; /* one sentence */
};

/*
 * The details of the two entries `probe` of a segmentation test, by whomever they are written: before its
 * first packet, and when it is done. Return OUT.
 */
#define AUDIT_PROBE_STR 256
const char *audit_probe_begins(char out[AUDIT_PROBE_STR], uint16_t port, uint64_t packets);
const char *audit_probe_ended(char out[AUDIT_PROBE_STR], uint16_t port, uint64_t packets,
			      uint64_t findings, uint64_t not_probed);

/* All of it may be 0 or NULL: then the named limit counts. */
struct audit_options {
	const char *dir; /* NULL: BH_STORE_DIR; made (0700) when missing */
	size_t file_bytes;
	unsigned files;
	unsigned retention_days;
	/* Hears one escaped sentence on what a person should know: for the log. */
	void (*notice)(const char *text, void *arg);
	void *arg;
};

struct audit;

/*
 * Open the trail for writing; the strings of O must outlive it. What a crash or a stranger left (a torn
 * line, entries that are not there any more, a wrong head) is told by NOTICE and by an entry of its
 * own; the bytes of a torn line are kept in audit.torn-N, N being the sequence number of that entry.
 * -EBUSY when another process writes to it; -EPERM when others may write to the directory; -ENOSPC.
 */
int audit_open(const struct audit_options *o, struct audit **ret, struct bh_err *err);
void audit_close(struct audit *a); /* takes NULL */

/*
 * Append E. When this returns 0 the entry is on the disk; on any failure nothing of it is in the trail,
 * and the next call tries again. The actions damage, prune and torn are the trail's own: -EINVAL.
 * -ENOSPC when the disk is full, or the trail: the greatest number of files is reached and the oldest
 * is too young to be removed.
 */
int audit_append(struct audit *a, const struct audit_entry *e, struct bh_err *err);
/* Is there a place for an entry, as far as can be known before it is written? Errors as above. */
int audit_ready(struct audit *a, struct bh_err *err);

/* Of the last entry; 0 and zeros when there is none. */
uint64_t audit_last(const struct audit *a, char ret_hash[DIGEST_HEX]);

/* --- reading ---------------------------------------------------------------------------------- */

/* One line of the trail. */
struct audit_item {
	const char *file;    /* its name in the directory */
	uint64_t line;       /* in FILE, from 1 */
	const json_t *entry; /* NULL: the line is no entry. Texts may be hostile: bh_tame() them */
	int64_t seq;         /* 0: no entry */
	bool intact;         /* its own hash is right; what is around it was not looked at */
};

/*
 * Hand every line to FN in their order until FN returns something else than 0, which is returned. A
 * last line without its end is left out. DIR NULL: BH_STORE_DIR. -ENOENT when there is no trail.
 */
int audit_read(const char *dir, int (*fn)(const struct audit_item *item, void *arg), void *arg,
	       struct bh_err *err);

enum audit_fault {
	AUDIT_CHANGED,    /* not what was written, or exchanged as a whole */
	AUDIT_MISSING,    /* entries FIRST to LAST are not there */
	AUDIT_UNEXPECTED, /* moved, or put in */
	AUDIT_TORN,       /* a last line without its end, which no writer has set aside yet */
	AUDIT_CUT_OFF,    /* entries FIRST to LAST are missing at the end */
	AUDIT_HEAD,       /* the head file is missing, or is not the one of this trail */
	AUDIT_SAID, /* the writer found a damage when it opened the trail: the entry says so */
};

/* "changed", "missing", ... */
const char *audit_fault_name(enum audit_fault fault);

struct audit_finding {
	enum audit_fault fault;
	int64_t first, last; /* the entries that are meant; 0: none */
	const char *file;    /* where it was seen, or NULL */
	uint64_t line;
	const char *text; /* one escaped sentence */
};

struct audit_verdict {
	size_t files, findings;
	uint64_t entries;    /* all lines that are entries */
	int64_t first, last; /* sequence numbers; 0: there is none */
	char last_hash
		[DIGEST_HEX]; /* hash of the last entry, to be compared with a copy elsewhere */
};

/*
 * Look for changed, missing, inserted, reordered and cut-off entries; FN hears each. 0 also when there
 * are findings. -ENOENT when there is no trail.
 */
int audit_verify(const char *dir, void (*fn)(const struct audit_finding *finding, void *arg),
		 void *arg, struct audit_verdict *ret, struct bh_err *err);

#endif
