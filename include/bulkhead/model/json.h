/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_JSON_H
#define BULKHEAD_MODEL_JSON_H

#include <stdint.h>

#include <jansson.h>

#include <bulkhead/base/buf.h>

/*
 * Putting values into objects of jansson. Memory that runs out shows when the object is written: jansson
 * takes NULL for a value everywhere and leaves it out.
 */

/* Hostile text, escaped unless it is well-formed UTF-8; NULL or "" is NULL. At most 512 bytes of it. */
json_t *json_hostile(const char *s);
/* The same as a value of O; "" leaves the key out. */
void json_put_text(json_t *o, const char *key, const char *s);
void json_put_number(json_t *o, const char *key, uint64_t v);
/* RFC 3339, UTC, milliseconds. */
void json_put_time(json_t *o, const char *key, int64_t usec);

struct flow_record;
/* The far ends that an aggregated record shows: a list of objects, as in its own format. */
json_t *json_samples(const struct flow_record *r);

/* O, which is taken over (NULL: memory ran out), as one compact line; newline included. */
int json_take_line(json_t *o, struct bh_buf *out);

/*
 * The same straight into a buffer, byte for byte what an object of jansson would give as a compact line,
 * at a fraction of the cost. Commas come by themselves; KEY (ours, at most 32 bytes, nothing in it to be
 * escaped) is NULL for what stands alone and for an object in a list. Errors stick to the buffer.
 */
void json_add_object(struct bh_buf *b, const char *key);
void json_add_array(struct bh_buf *b, const char *key);
void json_add_end(struct bh_buf *b, char bracket);                    /* '}' or ']' */
void json_add_text(struct bh_buf *b, const char *key, const char *s); /* hostile; "" is left out */
void json_add_number(struct bh_buf *b, const char *key, uint64_t v);
void json_add_true(struct bh_buf *b, const char *key);
void json_add_time(struct bh_buf *b, const char *key, int64_t usec);
/* The newline; of a line that begins at START and did not fit or found no memory nothing stays. */
int json_end_line(struct bh_buf *b, size_t start);

#endif
