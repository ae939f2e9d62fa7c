/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_SCHEMA_H
#define BULKHEAD_POLICY_SCHEMA_H

#include <bulkhead/base/buf.h>

/*
 * JSON Schemas (2020-12) for editors, made of the tables that policy_parse() and host_config_parse()
 * read by, as one line of JSON. A document that these take is valid by its schema; of what they refuse
 * a schema cannot know all: docs/schema.md. 0; -ENOMEM or -EFBIG as the buffer says.
 */
int policy_json_schema(struct bh_buf *out); /* of each document of a policy file */
int host_json_schema(struct bh_buf *out);

#endif
