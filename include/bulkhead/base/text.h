/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_TEXT_H
#define BULKHEAD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bh_buf;

/*
 * The one range-checked integer parser: decimal digits only (no sign, space, or prefix), whole
 * string. 0 on success; -EINVAL not a number; -ERANGE outside min..max. *ret untouched on failure.
 */
int bh_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/*
 * Append hostile text so that a terminal, a log line or an nft comment cannot be harmed:
 * printable ASCII and well-formed UTF-8 without control, bidi or zero-width characters stay;
 * everything else becomes \xNN (bytes); backslash becomes \\. len bytes are read, NUL included.
 */
void bh_escape(struct bh_buf *b, const char *s, size_t len);

/*
 * The same for text that may have been escaped before, by somebody else: a backslash stays as it is,
 * so that taming what is tame changes nothing.
 */
void bh_tame(struct bh_buf *b, const char *s, size_t len);

/* Same as bh_escape() for a NUL-terminated string into a fixed array; always terminated, "..." when cut. */
const char *bh_escape_str(char *out, size_t size, const char *s);

/* What a word ends with behind a number: "%zu packet%s", n, bh_s(n). */
static inline const char *bh_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Is all of it well-formed UTF-8 (RFC 3629)? */
bool bh_is_utf8(const char *s);

/*
 * Shell-style glob with * and ? only; no escapes, no brackets. Linear time (no backtracking
 * bomb).
 */
bool bh_glob_match(const char *pattern, const char *s);

/* The nearest of N candidates by edit distance for "did you mean", or NULL when none is near. */
const char *bh_nearest(const char *word, const char *const *candidates, size_t n);

/* 1-63 of [a-z0-9-], beginning and ending with a letter or digit. */
bool bh_name_is_valid(const char *s);

/*
 * RFC 3339 date-time in UTC ("2027-01-31T00:00:00Z", optional fraction ignored) or an offset
 * ("+02:00"); seconds since the epoch. -EINVAL if it is not one (a leap second :60 is not), or of
 * a year before 1970. *ret untouched on failure.
 */
int bh_parse_time(const char *s, int64_t *ret);
/* "YYYY-MM-DD": midnight UTC. Refuses what bh_parse_time() refuses. */
int bh_parse_date(const char *s, int64_t *ret);
/* "90s", "5m", "1h" in seconds; -EINVAL not one, -ERANGE outside min..max. *ret untouched on failure. */
int bh_parse_duration(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
/* RFC 3339, UTC, milliseconds: "2026-01-31T00:00:00.000Z". Returns OUT. */
#define BH_TIME_STR 32
const char *bh_format_time(char out[BH_TIME_STR], int64_t usec_since_epoch);
/* The same with microseconds. */
const char *bh_format_time_usec(char out[BH_TIME_STR], int64_t usec_since_epoch);

/*
 * Read a whole file of at most MAX bytes; opened with O_NONBLOCK|O_CLOEXEC and refused unless it
 * is a regular file. Caller frees *ret (NUL-terminated, the NUL not counted). -EFBIG over MAX.
 */
int bh_read_file(const char *path, size_t max, char **ret, size_t *ret_len);
/* The same for a file that is open, from where it stands to its end; FD stays the caller's. */
int bh_read_fd(int fd, size_t max, char **ret, size_t *ret_len);
/* The same of a pipe, or of whatever can be read; waits as long as its end does not come. */
int bh_read_stream(int fd, size_t max, char **ret, size_t *ret_len);

#endif
