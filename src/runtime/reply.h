/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_REPLY_H
#define RUNTIME_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/arena.h>
#include <bulkhead/base/err.h>

/* Reading one JSON document of an engine: hostile, keys that are not known are passed over. */

/* The first mistake sticks, and then every value reads as absent. */
struct reply {
	struct bh_arena *arena; /* where strings go; not needed for those that are borrowed */
	struct bh_err *err;
	json_t *root; /* to be released with json_decref() */
	int r;        /* 0, -EBADMSG or -ENOMEM */
};

/* WHAT is what messages call it. -EBADMSG: it is no JSON, or its root is not of TYPE. */
int reply_open(struct reply *d, const char *json, size_t len, json_type type, const char *what);
void reply_oom(struct reply *d);
/* The value of KEY (escaped here) is unusable: "KEY TEXT". */
void reply_wrong(struct reply *d, const char *key, const char *text);

/* Values of the object O, which may be NULL. Absent and null are the same; of another type: wrong. */
json_t *reply_member(struct reply *d, const json_t *o, const char *key, json_type type);
bool reply_flag(struct reply *d, const json_t *o, const char *key);
/* A string, borrowed from the document; the empty one is NULL: engines write it for "none". */
const char *reply_borrow(struct reply *d, const json_t *o, const char *key);
const char *reply_text(struct reply *d, const json_t *o, const char *key); /* copied to the arena */
/* A path is taken only when it is absolute. */
const char *reply_path(struct reply *d, const json_t *o, const char *key);
int reply_number(struct reply *d, const json_t *o, const char *key, int max);

/* The address S (NULL: nothing) into OUT unless it is there; KEY is what messages call it. */
void reply_add_addr(struct reply *d, const char *s, const char *key, struct bh_addr *out,
		    size_t cap, size_t *n);
struct bh_addr *reply_addr_array(struct reply *d, size_t n);

#endif
