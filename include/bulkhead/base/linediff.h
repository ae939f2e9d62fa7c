/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_BASE_LINEDIFF_H
#define BULKHEAD_BASE_LINEDIFF_H

#include <bulkhead/base/buf.h>

/*
 * The hunks of a unified diff between two texts (3 lines of context), appended to OUT; nothing when
 * they are the same. Shortest by E. W. Myers, "An O(ND) difference algorithm and its variations", 1986,
 * up to BH_DIFF_EDITS_MAX differing lines; over that everything between the first and the last
 * difference is exchanged, which is right, only longer. 0, -ENOMEM, or -EFBIG (OUT is full).
 */
int linediff(const char *old, size_t old_len, const char *new, size_t new_len, struct bh_buf *out);

#endif
