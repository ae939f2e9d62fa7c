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

#endif
