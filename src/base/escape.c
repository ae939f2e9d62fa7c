/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/text.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/buf.h>

/* Length of the well-formed UTF-8 sequence at S (RFC 3629), 0 when it is none. */
static size_t utf8_decode(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80   ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;
	uint32_t c = n == 1 ? s[0] : n ? s[0] & (0xffu >> (n + 1)) : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n > 1 && (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)))
		return 0;
	*ret = c;
	return n;
}

bool bh_is_utf8(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t left, n;
	uint32_t c;

	while (*p && *p < 0x80)
		p++;
	for (left = strlen((const char *)p); left; p += n, left -= n) {
		n = utf8_decode(p, left, &c);
		if (n == 0)
			return false;
	}
	return true;
}

/* Characters that move, hide or reorder what a person sees, and those that are nobody's. */
static bool is_harmful(uint32_t c)
{
	static const struct {
		uint32_t lo, hi;
	} ranges[] = {
		{ 0x00, 0x1f },       { 0x7f, 0x9f },        { 0xad, 0xad },
		{ 0x34f, 0x34f },     { 0x61c, 0x61c },      { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },    { 0x200b, 0x200f },
		{ 0x2028, 0x202e },   { 0x2060, 0x206f },    { 0x3164, 0x3164 },
		{ 0xd800, 0xf8ff },   { 0xfe00, 0xfe0f },    { 0xfeff, 0xfeff },
		{ 0xffa0, 0xffa0 },   { 0xfff0, 0xffff },    { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i].lo && c <= ranges[i].hi)
			return true;
	return false;
}

/* Escape the character at S into OUT (at least 17 bytes); returns the bytes of S it took. */
static size_t escape_one(const unsigned char *s, size_t len, char *out)
{
	uint32_t c;
	size_t n = utf8_decode(s, len, &c);

	if (n == 1 && c == '\\') {
		strcpy(out, "\\\\");
		return 1;
	}
	if (n && !is_harmful(c)) {
		memcpy(out, s, n);
		out[n] = '\0';
		return n;
	}
	if (n == 0)
		n = 1;
	for (size_t i = 0; i < n; i++)
		sprintf(out + 4 * i, "\\x%02x", s[i]);
	return n;
}

void bh_escape(struct bh_buf *b, const char *s, size_t len)
{
	char one[20];

	for (size_t i = 0; i < len;) {
		i += escape_one((const unsigned char *)s + i, len - i, one);
		bh_buf_addstr(b, one);
	}
}

void bh_tame(struct bh_buf *b, const char *s, size_t len)
{
	while (len) {
		const char *slash = memchr(s, '\\', len);
		size_t n = slash ? (size_t)(slash - s) : len;

		bh_escape(b, s, n);
		if (slash)
			bh_buf_add(b, "\\", 1);
		n += slash != NULL;
		s += n;
		len -= n;
	}
}

const char *bh_escape_str(char *out, size_t size, const char *s)
{
	size_t len = strlen(s), used = 0, room_for_dots = 0;
	char one[20];

	for (size_t i = 0; i < len;) {
		size_t n;

		i += escape_one((const unsigned char *)s + i, len - i, one);
		n = strlen(one);
		if (used + n >= size) {
			snprintf(out + room_for_dots, size - room_for_dots, "...");
			return out;
		}
		memcpy(out + used, one, n);
		used += n;
		if (used + 4 <= size)
			room_for_dots = used;
	}
	out[used] = '\0';
	return out;
}
