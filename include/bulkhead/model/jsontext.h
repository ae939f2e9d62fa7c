/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_JSONTEXT_H
#define BULKHEAD_MODEL_JSONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>

/*
 * Files of others that are JSON, edited in place: what is not meant stays as it is, byte for byte, numbers
 * that no integer of ours holds included. The text is one object, found valid by jsontext_parse().
 *
 * PATH names a value by the keys that lead to it, NULL at the end; none is the whole object. Whoever
 * reads these files in Go takes "Hooks" for "hooks": where two keys on the way differ in nothing but
 * their case, or are the same, it is not known which of them counts: -EEXIST.
 */

/* A part of the text. */
struct json_span {
	size_t at, len;
};

/*
 * The text as an object, which is the caller's; numbers in it are reals. -EINVAL when it is none, or has
 * a key twice, or comments: "LINE:COLUMN: what". LEN is bounded by the caller; -ENOMEM.
 */
int jsontext_parse(const char *text, size_t len, json_t **ret, struct bh_err *err);

/* 1: there it is; 0: there is nothing. -EEXIST as above. The text begins with "{". */
int jsontext_find(const char *text, size_t len, const char *const *path, struct json_span *ret);

/*
 * The next element of the array IN; *E is the one before, { 0 } to begin with. False behind the last.
 */
bool jsontext_next(const char *text, struct json_span in, struct json_span *e);

/*
 * KEY of the object at PATH becomes VALUE, which is JSON: in its place, or as its last, laid out as its
 * neighbours are. -ENOENT: there is no such object, -EEXIST as above; or as the buffer fails, whose
 * text is of no use then.
 */
int jsontext_set(struct bh_buf *text, const char *const *path, const char *key, const char *value);
/* VALUE becomes the last of the array at PATH. Fails in the same way. */
int jsontext_append(struct bh_buf *text, const char *const *path, const char *value);
/* Take KEY out of the object at PATH. 0 also when it is not there. */
int jsontext_remove(struct bh_buf *text, const char *const *path, const char *key);

#endif
