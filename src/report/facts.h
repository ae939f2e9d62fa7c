/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_FACTS_H
#define REPORT_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/* Reading a report. PATH is "key.key"; what is not there is "", 0, false or an empty list. */

const json_t *fact(const json_t *o, const char *path); /* NULL when it is not there */
const char *fact_text(const json_t *o, const char *path);
json_int_t fact_number(const json_t *o, const char *path);
bool fact_is(const json_t *o, const char *path); /* true, and nothing else */
bool fact_equals(const json_t *o, const char *path, const char *text);
/* "2026-11-26..." as a time in seconds; 0 when it is none. */
int64_t fact_time(const json_t *o, const char *path);

#define fact_each(o, path, i, v) json_array_foreach (fact(o, path), i, v)

#endif
