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

#define KEY_MAX    32            /* of ours: none is longer */
#define KEY_ROOM   (KEY_MAX + 4) /* with its comma, quotes and colon */
#define ESCAPE_MAX 6             /* \u001F */

/* A comma, but for the first. Without a key: an object in a list, or all of a line. */
static char *put_key(const struct bh_buf *b, char *p, const char *key)
{
	char before = b->len ? b->data[b->len - 1] : '{';

	if (key ? before != '{' : before == '}')
		*p++ = ',';
	if (!key)
		return p;
	*p++ = '"';
	for (int i = 0; key[i] && i < KEY_MAX; i++)
		*p++ = key[i];
	*p++ = '"';
	*p++ = ':';
	return p;
}

/* As jansson escapes: the letter behind a backslash, 'u' for those that have none, 0 for the others. */
static const char escapes[256] = {
	[0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',      ['\n'] = 'n', [11] = 'u',
	['\f'] = 'f',    ['\r'] = 'r', [14 ... 31] = 'u', ['"'] = '"',  ['\\'] = '\\',
};

static char *put_escape(char *p, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";

	*p++ = '\\';
	*p++ = escapes[c];
	if (escapes[c] != 'u')
		return p;
	p = mempcpy(p, "00", 2);
	*p++ = hex[c >> 4];
	*p++ = hex[c & 15];
	return p;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * May one of these eight bytes be something else than simply itself: a control character, a quote, a
 * backslash, no ASCII? Subtracting sets the highest bit of a byte that was less.
 */
static bool may_be_special(uint64_t w)
{
	uint64_t quote = w ^ EACH('"'), backslash = w ^ EACH('\\');

	return (w | (w - EACH(' ')) | (quote - EACH(1)) | (backslash - EACH(1))) & EACH(0x80);
}

/* Bytes of S until one that is not simply itself: it is to be escaped, no ASCII, or the end. */
static size_t plain_length(const char *s, size_t len)
{
	size_t n = 0;
	uint64_t w;

	for (; n + sizeof(w) <= len; n += sizeof(w)) {
		memcpy(&w, s + n, sizeof(w));
		if (may_be_special(w))
			break;
	}
	while (n < len && !escapes[(unsigned char)s[n]] && (unsigned char)s[n] < 0x80)
		n++;
	return n;
}

static char *put_string(char *p, const char *s)
{
	for (; *s; s++)
		if (escapes[(unsigned char)*s])
			p = put_escape(p, (unsigned char)*s);
		else
			*p++ = *s;
	return p;
}

/* The first PLAIN bytes of S are themselves, OTHER come after them. */
static void add_string(struct bh_buf *b, const char *key, const char *s, size_t plain, size_t other)
{
	char *start = bh_buf_room(b, KEY_ROOM + plain + ESCAPE_MAX * other + 2), *p;

	if (!start)
		return;
	p = put_key(b, start, key);
	*p++ = '"';
	p = mempcpy(p, s, plain);
	p = put_string(p, s + plain);
	*p++ = '"';
	bh_buf_took(b, (size_t)(p - start));
}

void json_add_text(struct bh_buf *b, const char *key, const char *s)
{
	char safe[4 * HOSTILE_MAX];
	size_t len, plain;

	if (!s || !s[0])
		return;
	len = strlen(s);
	plain = plain_length(s, len);
	if (plain < len && !bh_is_utf8(s + plain)) {
		s = bh_escape_str(safe, sizeof(safe), s);
		len = strlen(s);
		plain = 0;
	}
	add_string(b, key, s, plain, len - plain);
}

/* What needs no escape and no quotes. */
static void add_bare(struct bh_buf *b, const char *key, const char *s, size_t len)
{
	char *start = bh_buf_room(b, KEY_ROOM + len);

	if (start)
		bh_buf_took(b, (size_t)((char *)mempcpy(put_key(b, start, key), s, len) - start));
}

void json_add_number(struct bh_buf *b, const char *key, uint64_t v)
{
	char out[20], *p = out + sizeof(out);
	bool negative = v > INT64_MAX; /* as json_put_number() has it */

	if (negative)
		v = -v;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (negative)
		*--p = '-';
	add_bare(b, key, p, (size_t)(out + sizeof(out) - p));
}

void json_add_time(struct bh_buf *b, const char *key, int64_t usec)
{
	char s[BH_TIME_STR];

	json_add_text(b, key, bh_format_time(s, usec));
}

void json_add_true(struct bh_buf *b, const char *key)
{
	add_bare(b, key, "true", 4);
}

void json_add_object(struct bh_buf *b, const char *key)
{
	add_bare(b, key, "{", 1);
}

void json_add_array(struct bh_buf *b, const char *key)
{
	add_bare(b, key, "[", 1);
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
