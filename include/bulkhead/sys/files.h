/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_FILES_H
#define BULKHEAD_SYS_FILES_H

#include <stddef.h>
#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Files that are there whole or not at all, also after a power failure: written beside, synced,
 * renamed, the directory synced. The only rename(2). Names are those of entries of a directory that
 * is open; a symbolic link is never followed.
 */

/*
 * A directory of our own, opened. MODE != 0: made when missing (its parent must be there). -EPERM
 * when it belongs to somebody else or others may write to it, -ELOOP or -ENOTDIR when it is none.
 */
int files_open_dir(const char *path, mode_t mode, int *ret_fd, struct bh_err *err);

/* Who may read what is made. UID and GID (-1: as they come) are set where that is permitted. */
struct files_access {
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* A new file TEMP with these bytes, on the disk; one that was left there is replaced. 0 or -errno. */
int files_stage(int dir, const char *temp, const void *data, size_t len,
		const struct files_access *access);
/* TEMP becomes NAME, replacing what is there. On the disk only after files_sync(). */
int files_rename(int dir, const char *temp, const char *name);
/* Everything above, and the directory synced. TEMP is ".NAME.new". */
int files_write(int dir, const char *name, const void *data, size_t len, mode_t mode);
/* The same with an owner, too. -ENAMETOOLONG: NAME leaves no room for what TEMP adds to it. */
int files_write_as(int dir, const char *name, const void *data, size_t len,
		   const struct files_access *access);
/* The same for a name that is free: -EEXIST when anything has it by then, which stays. */
int files_write_new(int dir, const char *name, const void *data, size_t len,
		    const struct files_access *access);
int files_sync(int dir);

/* A regular file of at most MAX bytes; as bh_read_file(), -ELOOP for a symbolic link. */
int files_read(int dir, const char *name, size_t max, char **ret, size_t *ret_len);

/* All LEN bytes at the end of FD, or the error that kept them back: some may be there. */
int files_append(int fd, const void *data, size_t len);

#endif
