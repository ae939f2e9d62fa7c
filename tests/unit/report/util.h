/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_REPORT_UTIL_H
#define TESTS_REPORT_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/report/report.h>

/* A report in which everything is met. */
static inline json_t *facts(void)
{
	json_t *o = json_load_file("tests/unit/report/facts.json", 0, NULL);

	assert_non_null(o);
	return o;
}

/* What stands at PATH ("flows.0.reason") becomes VALUE, JSON; NULL: it is not there. */
static inline void put(json_t *o, const char *path, const char *value)
{
	bh_autofree char *copy = strdup(path);
	char *rest = copy, *key = strsep(&rest, ".");
	json_t *v = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;

	assert_true(v || !value);
	for (; rest; key = strsep(&rest, ".")) {
		o = json_is_array(o) ? json_array_get(o, strtoul(key, NULL, 10))
				     : json_object_get(o, key);
		assert_non_null(o);
	}
	if (!v)
		json_object_del(o, key);
	else if (json_is_array(o))
		json_array_set_new(o, strtoul(key, NULL, 10), v);
	else
		json_object_set_new(o, key, v);
}

static inline const json_t *requirement(const json_t *report, const char *id)
{
	json_t *q;
	size_t i;

	json_array_foreach (json_object_get(report, "requirements"), i, q)
		if (strcmp(json_string_value(json_object_get(q, "id")), id) == 0)
			return q;
	fail_msg("no requirement %s", id);
	return NULL;
}

static inline const char *verdict(const json_t *report, const char *id)
{
	return json_string_value(json_object_get(requirement(report, id), "verdict"));
}

/* REPORT in FORMAT; the caller ends it. */
static inline void written(const json_t *report, enum report_format format,
			   const struct report_key *key, struct bh_buf *ret)
{
	bh_buf_init(ret, BH_REPORT_BYTES_MAX);
	assert_int_equal(report_write(report, format, key, ret, NULL), 0);
}

#endif
