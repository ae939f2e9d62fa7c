/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_STORE_RUNS_H
#define BULKHEAD_STORE_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/store/inforce.h>

/*
 * When a daemon ran, and when none did. While one runs it keeps a mark beside the trail (RUNS_FILE), anew
 * each BH_RUN_MARK_S; the next one finds it, and its entry `start` says what became of the run before. So
 * whoever reads the trail alone knows each time in which no daemon ran. All times: microseconds since
 * the epoch.
 */

/* --- the mark ---------------------------------------------------------------------------------- */

#define RUNS_FILE "running"

struct run_mark {
	char boot[BOOT_ID_MAX]; /* of the machine; "" not known */
	int64_t booted;         /* when the machine was started, by its clock now */
	int64_t since;          /* when the daemon was ready */
	int64_t seen;           /* the last time that it is known to have run */
	bool ended;             /* it was told to end, at SEEN */
};

/* STORE NULL: the default. Not synced: a crash of the machine may leave an older one. Errors: replace_file() */
int run_mark_write(const char *store, const struct run_mark *m, struct bh_err *err);
/* -ENOENT: there is none; -EBADMSG: it is damaged. */
int run_mark_read(const char *store, struct run_mark *ret, struct bh_err *err);

/* --- what stands in the trail ------------------------------------------------------------------ */

enum run_before {
	RUN_NOT_KNOWN, /* there was no mark: the first run here, or an older version's */
	RUN_ENDED,     /* in order, at SEEN */
	RUN_LOST,      /* without a word: killed, crashed, or the machine was; seen last at SEEN */
};

/* What an entry `start` says in its detail. */
struct run_start {
	char boot[BOOT_ID_MAX];
	int64_t booted;
	enum run_before before;
	int64_t seen; /* 0 with RUN_NOT_KNOWN */
};

#define RUN_STR 256
const char *run_start_format(char out[RUN_STR], const struct run_start *s); /* returns OUT */
/* Of DETAIL, which may have more behind it; -EINVAL: it says nothing of it, as those of older versions. */
int run_start_parse(const char *detail, struct run_start *ret);

/*
 * What an entry `logger` says: since when denied packets are not recorded, and why; with WHY NULL since
 * when they are again.
 */
const char *run_logger_format(char out[RUN_STR], int64_t since, const char *why);
int run_logger_parse(const char *detail, int64_t *ret_since, bool *ret_again, const char **ret_why);

/* What an entry `stall` says: a daemon that was there did nothing from FROM to TO. */
const char *run_stall_format(char out[RUN_STR], int64_t from, int64_t to);
int run_stall_parse(const char *detail, int64_t *ret_from, int64_t *ret_to);

/* RFC 3339 with its fraction, as run_start_format() writes it; -EINVAL. */
int run_time_parse(const char *s, int64_t *ret);

#endif
