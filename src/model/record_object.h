/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_MODEL_RECORD_OBJECT_H
#define BULKHEAD_SRC_MODEL_RECORD_OBJECT_H

#include <jansson.h>

#include <bulkhead/model/record.h>

/* What flow_record_json() prints, for an object around it; NULL when out of memory. */
json_t *record_object(const struct flow_record *r);

#endif
