/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_TRAIL_H
#define STORE_TRAIL_H

#include "chain.h"

/* The files of the trail in their directory. */

#define TRAIL_CURRENT  "audit.jsonl"
#define TRAIL_HEAD     "audit.head"
#define TRAIL_LOCK     "audit.lock"
#define TRAIL_NAME_MAX 64

/* Numbers of the older files, audit.N.jsonl, sorted. The vec holds uint64_t. -E2BIG, or -errno. */
int trail_list(int dir, struct bh_vec *ret);
const char *trail_name(char out[TRAIL_NAME_MAX], uint64_t n);

/* ret->seq is 0 when there is none. 0 or -errno. */
int trail_read_head(int dir, struct audit_head *ret);
int trail_write_head(int dir, const struct audit_head *head);
/*
 * A daemon ran on what is here, and so wrote more than one entry with its head: of a single one without a head a
 * crash is no explanation.
 */
bool trail_knows_run(int dir);

/* A file of the trail, for reading: a regular one, never a link. The descriptor, or -errno. */
int trail_open_file(int dir, const char *name);

/* Where the last line before END begins (behind a newline, or 0). 0 or -errno. */
int trail_line_start(int fd, uint64_t end, uint64_t *ret);

/*
 * Lines of FD: FN gets each, without its newline; of one that is longer than BH_AUDIT_LINE_MAX its first
 * BH_AUDIT_LINE_MAX + 1 bytes. Stops when FN returns something else than 0, and returns that.
 * *RET_TORN: bytes behind the last newline.
 */
int trail_lines(int fd, int (*fn)(const char *data, size_t len, void *arg), void *arg,
		uint64_t *ret_torn);

#endif
