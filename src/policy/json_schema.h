/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_POLICY_JSON_SCHEMA_PRIVATE_H
#define BULKHEAD_POLICY_JSON_SCHEMA_PRIVATE_H

/*
 * What a table of fields says to those who complete and check while one types: a JSON Schema is made
 * of the tables that read. What their readers take follows from the table where the reader is one of
 * schema.h; where it is not, a shape says it. A shape may take more than its reader, never less.
 */

#define SHAPE_REF(name) "\"$ref\":\"#/$defs/" name "\""

/* Each is an entry of the table in json_schema.c. */
#define SHAPE_NAME           SHAPE_REF("name")
#define SHAPE_TEXT           SHAPE_REF("text")
#define SHAPE_REMARK         SHAPE_REF("remark")
#define SHAPE_LABELS         SHAPE_REF("labels")
#define SHAPE_DATE           SHAPE_REF("date")
#define SHAPE_TIME           SHAPE_REF("time")
#define SHAPE_PORT           SHAPE_REF("port")
#define SHAPE_PREFIX         SHAPE_REF("prefix")
#define SHAPE_COMPOSE        SHAPE_REF("compose")
#define SHAPE_IMAGE          SHAPE_REF("image")
#define SHAPE_REQUIRED       SHAPE_REF("required")
#define SHAPE_DAYS           SHAPE_REF("days")
#define SHAPE_PATH           SHAPE_REF("path")
#define SHAPE_PATH_OR_FALSE  SHAPE_REF("path-or-false")
#define SHAPE_SWITCH_OR_PATH SHAPE_REF("switch-or-path")
#define SHAPE_ACCOUNT        SHAPE_REF("account")
#define SHAPE_LISTEN         SHAPE_REF("listen")
#define SHAPE_DURATION       SHAPE_REF("duration")
#define SHAPE_LINT           SHAPE_REF("lint")
#define SHAPE_NAMESPACES     SHAPE_REF("namespaces")

#define SHAPE_NOT_EMPTY "\"minProperties\":1"

#endif
