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
 * -EINVAL: a device, FIFO or socket is there, or a symlink to one.
 */
int replace_file(const char *path, mode_t mode, const void *data, size_t len, struct bh_err *err);
/*
 * The same of a path that a person named for output, such as /dev/stdout: into a character device, a FIFO
 * (waiting for its reader) or what is standard output it is written as it is; a block device is -EINVAL.
 */
int put_file(const char *path, mode_t mode, const void *data, size_t len, struct bh_err *err);

#endif
