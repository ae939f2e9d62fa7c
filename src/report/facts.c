/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "facts.h"

#include <string.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/report/report.h>

#define KEY_MAX 64

const json_t *fact(const json_t *o, const char *path)
{
	char key[KEY_MAX];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		o = json_object_get(o, key);
		path += n + (path[n] == '.');
	}
	return o;
}

const char *fact_text(const json_t *o, const char *path)
{
	const char *s = json_string_value(fact(o, path));

	return s ? s : "";
}

json_int_t fact_number(const json_t *o, const char *path)
{
	return json_integer_value(fact(o, path));
}

bool fact_is(const json_t *o, const char *path)
{
	return json_is_true(fact(o, path));
}

bool fact_equals(const json_t *o, const char *path, const char *text)
{
	return strcmp(fact_text(o, path), text) == 0;
}

int64_t fact_time(const json_t *o, const char *path)
{
	const char *s = fact_text(o, path);
	int64_t t;

	return bh_parse_time(s, &t) >= 0 || bh_parse_date(s, &t) >= 0 ? t : 0;
}

/* --- taming ----------------------------------------------------------------------------------- */

static void tame_text(json_t *v)
{
	struct bh_buf b;

	bh_buf_init(&b, 4 * BH_REPORT_TEXT_MAX + 64);
	bh_tame(&b, json_string_value(v), json_string_length(v));
	json_string_set(v, bh_buf_error(&b) ? "(a text that is too long)" : bh_buf_str(&b));
	bh_buf_done(&b);
}

/* Of ours and of those whose output we take: letters, digits, - and _. */
static bool is_plain(const char *key)
{
	return key[strspn(key,
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
	       '\0';
}

void report_tame(json_t *v)
{
	const char *key;
	json_t *item;
	void *next;
	size_t i;

	if (json_is_string(v))
		tame_text(v);
	json_array_foreach (v, i, item)
		report_tame(item);
	json_object_foreach_safe (v, next, key, item) {
		if (is_plain(key))
			report_tame(item);
		else
			json_object_del(v, key);
	}
}
