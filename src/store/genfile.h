/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STORE_GENFILE_H
#define STORE_GENFILE_H

#include <bulkhead/store/generations.h>

/*
 * The file of a generation: one line of JSON, then each policy file and the host file as
 * "NAME-BYTES DATA-BYTES\n", name, data, "\n". No I/O.
 */

/* FILES and HOST (may be NULL) under INFO, whose n_files, digest and id are filled in. */
int genfile_write(const struct policy_source *files, size_t n, const struct policy_source *host,
		  struct generation_info *info, struct bh_buf *out);

/* The first line (LEN bytes without the newline). ret->id and bytes stay empty. -EBADMSG. */
int genfile_read_head(const char *line, size_t len, struct generation_info *ret);

/* All of it. DATA is taken into *ret on success. -EBADMSG also when the digest is not that of the files. */
int genfile_read(char *data, size_t len, struct generation **ret);

/* "DIGEST-XXXXXXXXXXXXXXXX" and nothing else? */
bool genfile_is_id(const char *name);

/* The store's directory: files_open_dir() with the default's parent made as well. */
int genfile_open_dir(const char *dir, bool make, int *ret_fd, struct bh_err *err);

#endif
