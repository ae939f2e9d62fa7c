/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "yaml.h"

#include <stdint.h>

/* One code point of well-formed UTF-8: its length, or 0. */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} form[] = { { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t i = 0; i < 3; i++) {
		uint32_t c = s[0] & (unsigned char)~form[i].mask;
		size_t n = i + 2;

		if ((s[0] & form[i].mask) != form[i].lead)
			continue;
		if (len < n)
			return 0;
		for (size_t k = 1; k < n; k++) {
			if ((s[k] & 0xc0) != 0x80)
				return 0;
			c = c << 6 | (s[k] & 0x3f);
		}
		if (c < form[i].min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return 0;
		*ret = c;
		return n;
	}
	return 0;
}

static const char *bad_code_point(uint32_t c)
{
	/* To YAML these end a line (and a comment); no editor shows them so. */
	if (c == 0x85 || c == 0x2028 || c == 0x2029)
		return "a line break that most editors do not show";
	if (c < 0xa0 || c == 0xfffe || c == 0xffff)
		return "a control character";
	if (c == 0xfeff)
		return "a byte order mark inside the text";
	return NULL;
}

static const char *bad_ascii(const unsigned char *s, size_t len)
{
	if (s[0] == '\r')
		return len > 1 && s[1] == '\n' ? NULL : "a carriage return without a line feed";
	if (s[0] == '\0')
		return "a NUL byte";
	if ((s[0] < 0x20 && s[0] != '\t' && s[0] != '\n') || s[0] == 0x7f)
		return "a control character";
	return NULL;
}

struct text_fault text_find_fault(const char *data, size_t len)
{
	const unsigned char *s = (const unsigned char *)data, *end = s + len;
	struct text_fault f = { NULL, 1, 1, 0 };

	while (s < end) {
		size_t n = 1, left = (size_t)(end - s);
		uint32_t c = *s;

		if (*s < 0x80) {
			f.what = bad_ascii(s, left);
		} else {
			n = decode(s, left, &c);
			f.what = n ? bad_code_point(c) : "a byte that is not UTF-8";
		}
		if (f.what) {
			f.code = c;
			break;
		}
		f.column++;
		if (*s == '\n') {
			f.line++;
			f.column = 1;
		}
		s += n;
	}
	return f;
}
