/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_MODEL_RECORD_JSON_H
#define BULKHEAD_SRC_MODEL_RECORD_JSON_H

#include <bulkhead/model/record.h>

/* What flow_record_json() prints, without the newline: the value of KEY, or of nothing (NULL). */
void record_add_json(struct bh_buf *b, const char *key, const struct flow_record *r);

#endif
