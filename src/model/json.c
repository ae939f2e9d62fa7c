/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/json.h>

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define HOSTILE_MAX 512 /* the longest text of a record or a signal */

json_t *json_hostile(const char *s)
{
	char safe[4 * HOSTILE_MAX];
	json_t *v;

	if (!s || !s[0])
		return NULL;
	v = json_string(s);
	return v ? v : json_string(bh_escape_str(safe, sizeof(safe), s));
}

void json_put_text(json_t *o, const char *key, const char *s)
{
	json_t *v = json_hostile(s);

	if (v)
		json_object_set_new(o, key, v);
}

void json_put_number(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

void json_put_time(json_t *o, const char *key, int64_t usec)
{
	char s[BH_TIME_STR];

	json_put_text(o, key, bh_format_time(s, usec));
}

int json_take_line(json_t *o, struct bh_buf *out)
{
	bh_autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return -ENOMEM;
	bh_buf_addstr(out, text);
	return bh_buf_addstr(out, "\n");
}
