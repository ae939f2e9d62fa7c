/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_REPLACE_H
#define BULKHEAD_SYS_REPLACE_H

#include <stddef.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Put LEN bytes of DATA where PATH is, all at once: readers see the old file or the new one, never a
 * part. It is written beside, as ".NAME.new", with exactly the mode MODE, then renamed. A symlink at
 * PATH is replaced, not followed, so that a directory may belong to somebody else. Not synced: after
 * a crash of the machine the file may be old or empty. Errors name the path; nothing is left beside.
 */
int replace_file(const char *path, mode_t mode, const void *data, size_t len, struct bh_err *err);

#endif
