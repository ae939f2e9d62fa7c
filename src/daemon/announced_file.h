/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_ANNOUNCED_FILE_H
#define DAEMON_ANNOUNCED_FILE_H

#include <jansson.h>

#include <bulkhead/base/err.h>

/* announced.json in the store: what starters said of containers that live, for the next daemon. */

/* LIST: an array of arguments of `protect`. STORE NULL: the default place. */
int announced_file_write(const char *store, json_t *list, struct bh_err *err);
/*
 * What was written since the host was booted; NULL: nothing. The caller's. -EBADMSG: it is no such file;
 * its content is not judged.
 */
int announced_file_read(const char *store, json_t **ret_list, struct bh_err *err);

#endif
