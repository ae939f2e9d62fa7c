/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/model/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* --- straight into a buffer -------------------------------------------------------------------- */

#define KEY_MAX 32 /* of ours: none is longer */

/* A comma, but for the first. Without a key: an object in a list, or all of a line. */
static void add_key(struct bh_buf *b, const char *key)
{
	char before = b->len ? b->data[b->len - 1] : '{';
	char out[KEY_MAX + 4], *p = out;
	size_t len = key ? strnlen(key, KEY_MAX) : 0;

	if (key ? before != '{' : before == '}')
		*p++ = ',';
	if (key) {
		*p++ = '"';
		p = mempcpy(p, key, len);
		*p++ = '"';
		*p++ = ':';
	}
	bh_buf_add(b, out, (size_t)(p - out));
}

/* As jansson escapes: the letter behind a backslash, 'u' for those that have none, 0 for the others. */
static const char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',    ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f',    ['\r'] = 'r', [14 ... 31] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static void add_escape(struct bh_buf *b, unsigned char c)
{
	if (escapes[c] == 'u')
		bh_buf_addf(b, "\\u%04X", c);
	else
		bh_buf_add(b, (char[]) { '\\', escapes[c] }, 2);
}

static void add_string(struct bh_buf *b, const char *s)
{
	size_t n;

	bh_buf_add(b, "\"", 1);
	for (;; s += n + 1) {
		for (n = 0; s[n] && !escapes[(unsigned char)s[n]]; n++)
			;
		bh_buf_add(b, s, n);
		if (!s[n])
			break;
		add_escape(b, (unsigned char)s[n]);
	}
	bh_buf_add(b, "\"", 1);
}

void json_add_text(struct bh_buf *b, const char *key, const char *s)
{
	char safe[4 * HOSTILE_MAX];

	if (!s || !s[0])
		return;
	add_key(b, key);
	add_string(b, bh_is_utf8(s) ? s : bh_escape_str(safe, sizeof(safe), s));
}

void json_add_number(struct bh_buf *b, const char *key, uint64_t v)
{
	char out[20], *p = out + sizeof(out);
	bool negative = v > INT64_MAX; /* as json_put_number() has it */

	if (negative)
		v = -v;
	add_key(b, key);
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (negative)
		*--p = '-';
	bh_buf_add(b, p, (size_t)(out + sizeof(out) - p));
}

void json_add_time(struct bh_buf *b, const char *key, int64_t usec)
{
	char s[BH_TIME_STR];

	json_add_text(b, key, bh_format_time(s, usec));
}

void json_add_true(struct bh_buf *b, const char *key)
{
	add_key(b, key);
	bh_buf_addstr(b, "true");
}

void json_add_object(struct bh_buf *b, const char *key)
{
	add_key(b, key);
	bh_buf_add(b, "{", 1);
}

void json_add_array(struct bh_buf *b, const char *key)
{
	add_key(b, key);
	bh_buf_add(b, "[", 1);
}

void json_add_end(struct bh_buf *b, char bracket)
{
	bh_buf_add(b, &bracket, 1);
}

int json_end_line(struct bh_buf *b, size_t start)
{
	if (bh_buf_add(b, "\n", 1) < 0 && b->len > start) {
		b->len = start;
		b->data[start] = '\0';
	}
	return bh_buf_error(b);
}
