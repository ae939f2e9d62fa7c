/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_CTL_FRAME_H
#define BULKHEAD_CTL_FRAME_H

#include <bulkhead/ctl/ctl.h>

/* The messages of the control socket, as bytes and as values. What is parsed is hostile. */

#define CTL_VERSION 1

struct ctl_request {
	json_t *args; /* an object: all but "v" and "do" */
	json_t *verb; /* a string */
};

/*
 * -EINVAL when it is not a request: more than one JSON object, a key twice, deeper than
 * BH_CTL_DEPTH_MAX, longer than BH_CTL_FRAME_MAX; -EPROTONOSUPPORT for another version of the
 * protocol; -ENOMEM. *RET untouched on failure.
 */
int ctl_request_parse(const char *data, size_t len, struct ctl_request *ret, struct bh_err *err);
void ctl_request_done(struct ctl_request *r);

/* -EINVAL when an argument is unknown, of the wrong type, or missing. ARGS may be NULL: none. */
int ctl_args_check(const json_t *values, const struct ctl_arg *args, struct bh_err *err);

/* 1 and a reference to the item, 0 and the end, or -EBADMSG; -ENOMEM. */
int ctl_answer_parse(const char *data, size_t len, json_t **ret_item, struct ctl_end *ret_end,
		     struct bh_err *err);

/*
 * Write a message into OUT, of BH_CTL_FRAME_MAX bytes; how many, -EMSGSIZE, or -ENOMEM. ITEM and
 * ARGS as references that are taken in any case.
 */
ssize_t ctl_item_write(char *out, json_t *item);
ssize_t ctl_end_write(char *out, int exit, const char *error);
ssize_t ctl_request_write(char *out, const char *verb, json_t *args);

/*
 * As bh_escape_str(), but backslashes stay as they are: sentences come from those who have escaped
 * the names in them, and this only makes sure.
 */
const char *ctl_tame(char out[BH_ERR_MAX], const char *s);

#endif
