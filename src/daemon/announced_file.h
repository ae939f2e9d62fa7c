/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_FILE_H
#define DAEMON_ANNOUNCED_FILE_H

#include <stdbool.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>

/* announced.json in the store: what starters said of containers that live, for the next daemon. */

/*
 * Written in pieces: first what is before the containers, then each as its arguments of `protect` are, in
 * JSON, then all of it is brought into the file. STORE NULL: the default place. OUT is made with
 * BH_ANNOUNCED_BYTES_MAX, and may be used again. LOST: there are namespaces that are held for nobody knows whom,
 * and not all of them are in it. -EMFILE, ...: it is not known which boot this is.
 */
int announced_file_begin(struct bh_buf *out, bool lost, struct bh_err *err);
void announced_file_add(struct bh_buf *out, const char *container);
int announced_file_end(const char *store, struct bh_buf *out, struct bh_err *err);

/*
 * What was written since the host was booted; NULL: nothing. The caller's. *RET_LOST as above. -EBADMSG, -EFBIG: it
 * is no such file; its content is not judged. Or it cannot be read, or it is not known which boot this is.
 */
int announced_file_read(const char *store, json_t **ret_list, bool *ret_lost, struct bh_err *err);
/* The file gets a second name, announced.json.damaged, for who wants to know what happened to it. */
int announced_file_keep(const char *store, struct bh_err *err);

#endif
