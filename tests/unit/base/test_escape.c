/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

static void assert_escaped(const char *bytes, size_t len, const char *expect)
{
	struct bh_buf b;

	bh_buf_init(&b, 4096);
	bh_escape(&b, bytes, len);
	assert_int_equal(bh_buf_error(&b), 0);
	assert_string_equal(bh_buf_str(&b), expect);
	assert_int_equal(b.len, strlen(expect));
	bh_buf_done(&b);
}

#define ASSERT_ESCAPED(literal, expect) assert_escaped(literal, sizeof(literal) - 1, expect)

/* The bytes of code point C, without asking whether it may be one. */
static size_t encode(uint32_t c, char out[5])
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = n; i-- > 1; c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(lead[n] | c);
	out[n] = '\0';
	return n;
}

/* --- what stays and what goes --------------------------------------------------------------- */

static void test_printable_stays(void **state)
{
	ASSERT_ESCAPED("", "");
	ASSERT_ESCAPED("shop/web-1_2.3:4@5 ~!\"#$%&'()*+,;<=>?[]^`{|}",
		       "shop/web-1_2.3:4@5 ~!\"#$%&'()*+,;<=>?[]^`{|}");
	ASSERT_ESCAPED("\xc3\xa4\xc3\xb6\xc3\xbc \xe2\x82\xac \xe6\xbc\xa2 \xf0\x9f\x90\xb3",
		       "\xc3\xa4\xc3\xb6\xc3\xbc \xe2\x82\xac \xe6\xbc\xa2 \xf0\x9f\x90\xb3");
	ASSERT_ESCAPED("\xc2\xa7\xe0\xa0\x80\xf0\x90\x80\x80",
		       "\xc2\xa7\xe0\xa0\x80\xf0\x90\x80\x80"); /* the first of their lengths */
	ASSERT_ESCAPED("\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c"); /* letters from right to left */
}

/* What was escaped before stays as it is; all else is escaped. */
static void test_tame(void **state)
{
	static const char text[] = "a\\x1b\x1b\\\n\0z";
	struct bh_buf once, twice;

	bh_buf_init(&once, 1000);
	bh_buf_init(&twice, 1000);
	bh_tame(&once, text, sizeof(text) - 1);
	assert_string_equal(bh_buf_str(&once), "a\\x1b\\x1b\\\\x0a\\x00z");
	bh_tame(&twice, once.data, once.len);
	assert_string_equal(bh_buf_str(&twice), once.data);
	bh_buf_done(&once);
	bh_buf_done(&twice);
}

static void test_control_characters(void **state)
{
	ASSERT_ESCAPED("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m");
	ASSERT_ESCAPED("\x1b]0;title\x07", "\\x1b]0;title\\x07");
	ASSERT_ESCAPED("a\nb\rc\td\be", "a\\x0ab\\x0dc\\x09d\\x08e");
	ASSERT_ESCAPED("\x7f", "\\x7f");
	ASSERT_ESCAPED("\xc2\x9b"
		       "31m",
		       "\\xc2\\x9b31m"); /* CSI as one character */
	ASSERT_ESCAPED("a\0b\0", "a\\x00b\\x00");
}

static void test_backslash(void **state)
{
	ASSERT_ESCAPED("\\", "\\\\");
	ASSERT_ESCAPED("a\\x1b", "a\\\\x1b"); /* so that it is not taken for an escape */
	ASSERT_ESCAPED("\x1b", "\\x1b");
}

static void test_broken_utf8(void **state)
{
	ASSERT_ESCAPED("\xff\xfe", "\\xff\\xfe");
	ASSERT_ESCAPED("\x80", "\\x80");
	ASSERT_ESCAPED("a\xc3", "a\\xc3");          /* cut */
	ASSERT_ESCAPED("\xc3(", "\\xc3(");          /* the next one is not eaten */
	ASSERT_ESCAPED("\xe2\x82z", "\\xe2\\x82z"); /* cut in the middle */
	ASSERT_ESCAPED("\xf0\x9f\x90", "\\xf0\\x9f\\x90");
	ASSERT_ESCAPED("\xc0\xaf", "\\xc0\\xaf"); /* overlong slash */
	ASSERT_ESCAPED("\xc1\x81", "\\xc1\\x81");
	ASSERT_ESCAPED("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	ASSERT_ESCAPED("\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf");
	ASSERT_ESCAPED("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* a surrogate */
	ASSERT_ESCAPED("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	ASSERT_ESCAPED("\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80");
	ASSERT_ESCAPED("\xc3\xc3\xa4", "\\xc3\xc3\xa4"); /* the good one behind it stays */
}

/* Length counts, not a NUL: what is behind it is not looked at. */
static void test_length(void **state)
{
	assert_escaped("\xe2\x82\xac", 2, "\\xe2\\x82");
	assert_escaped("abc", 1, "a");
	assert_escaped("abc", 0, "");
}

/* Characters that take no room or turn the order of others around: UAX #9 and the like. */
static void test_bidi_and_invisible(void **state)
{
	static const uint32_t harmful[] = {
		0x00ad,  0x034f,  0x061c,  0x115f,  0x1160,  0x17b4,   0x17b5,  0x180b,
		0x180e,  0x180f,  0x200b,  0x200c,  0x200d,  0x200e,   0x200f,  0x2028,
		0x2029,  0x202a,  0x202b,  0x202c,  0x202d,  0x202e,   0x2060,  0x2064,
		0x2066,  0x2067,  0x2068,  0x2069,  0x206f,  0x3164,   0xfe00,  0xfe0f,
		0xfeff,  0xffa0,  0xfff9,  0xfffb,  0xfffe,  0xffff,   0x1bca0, 0x1d173,
		0x1d17a, 0xe0001, 0xe0020, 0xe007f, 0xe0100, 0x10ffff,
	};
	char bytes[5], expect[20];

	for (size_t i = 0; i < BH_ARRAY_SIZE(harmful); i++) {
		size_t n = encode(harmful[i], bytes);

		for (size_t j = 0; j < n; j++)
			sprintf(expect + 4 * j, "\\x%02x", (unsigned char)bytes[j]);
		assert_escaped(bytes, n, expect);
	}
}

/* --- hostile by the million ----------------------------------------------------------------- */

/* Well-formed UTF-8 without a control character: what a terminal may be shown. */
static bool is_harmless(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p;) {
		size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
		uint32_t c = n == 1 ? *p : *p & (0xffu >> (n + 1));
		char again[5];

		if (*p < 0x20 || *p == 0x7f || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (p[i] & 0x3f);
		}
		if (encode(c, again) != n || (c >= 0x80 && c < 0xa0) || c > 0x10ffff ||
		    (c >= 0xd800 && c < 0xe000))
			return false;
		p += n;
	}
	return true;
}

/* What an escape means, byte for byte: nothing is lost. */
static size_t unescape(const char *s, char *out)
{
	size_t n = 0;
	unsigned byte;

	while (*s) {
		if (s[0] == '\\' && s[1] == '\\') {
			out[n++] = '\\';
			s += 2;
		} else if (s[0] == '\\') {
			assert_int_equal(sscanf(s, "\\x%2x", &byte), 1);
			out[n++] = (char)byte;
			s += 4;
		} else {
			out[n++] = *s++;
		}
	}
	return n;
}

/* Bytes that meet often: pieces of sequences, controls, plain text. */
static void random_bytes(char *out, size_t len)
{
	static const char nasty[] = "\xc2\xc3\xe2\x80\xae\xed\xa0\xf0\x9f\x90\xb3\xf4\x1b[\\xab \n";

	for (size_t i = 0; i < len; i++)
		out[i] = random() % 4 ? nasty[(size_t)random() % (sizeof(nasty) - 1)]
				      : (char)random();
}

static void test_random_bytes(void **state)
{
	char bytes[64], back[sizeof(bytes)];

	srandom(1951);
	for (unsigned i = 0; i < 50000; i++) {
		size_t len = (size_t)random() % sizeof(bytes);
		struct bh_buf b;

		random_bytes(bytes, len);
		bh_buf_init(&b, 4096);
		bh_escape(&b, bytes, len);
		assert_int_equal(bh_buf_error(&b), 0);
		assert_true(is_harmless(bh_buf_str(&b)));
		assert_int_equal(unescape(bh_buf_str(&b), back), len);
		assert_memory_equal(back, bytes, len);
		bh_buf_done(&b);
	}
}

/* Every code point: it stays as it is, or not one of its bytes does. */
static void test_every_code_point(void **state)
{
	char bytes[5];
	struct bh_buf b;

	bh_buf_init(&b, 4096);
	for (uint32_t c = 1; c < 0x110000; c++) {
		size_t n = encode(c, bytes);

		bh_buf_reset(&b);
		bh_escape(&b, bytes, n);
		if (strcmp(bh_buf_str(&b), bytes) != 0) {
			assert_int_equal(b.len, c == '\\' ? 2 : 4 * n);
			for (size_t i = 0; i < b.len; i++)
				assert_true((unsigned char)b.data[i] < 0x80);
		}
		assert_true(is_harmless(bh_buf_str(&b)));
	}
	bh_buf_done(&b);
}

/* What begins in a buffer that is full stays bounded, and the error is told. */
static void test_full_buffer(void **state)
{
	struct bh_buf b;

	bh_buf_init(&b, 10);
	bh_escape(&b, "\x1b\x1b\x1b", 3);
	assert_true(bh_buf_error(&b) < 0);
	assert_true(b.len <= 10);
	assert_true(is_harmless(bh_buf_str(&b)));
	bh_buf_done(&b);
}

/* --- into an array -------------------------------------------------------------------------- */

static void test_str(void **state)
{
	char out[8];

	assert_ptr_equal(bh_escape_str(out, sizeof(out), "web"), out);
	assert_string_equal(out, "web");
	assert_string_equal(bh_escape_str(out, sizeof(out), ""), "");
	assert_string_equal(bh_escape_str(out, sizeof(out), "1234567"), "1234567");
	assert_string_equal(bh_escape_str(out, sizeof(out), "12345678"), "1234...");
	assert_string_equal(bh_escape_str(out, sizeof(out), "123\x1b"), "123\\x1b");
	assert_string_equal(bh_escape_str(out, sizeof(out), "1234\x1b"), "1234...");
	assert_string_equal(bh_escape_str(out, sizeof(out), "12345\x1b"), "1234...");
	assert_string_equal(bh_escape_str(out, sizeof(out), "123\x1b\x1b"), "123...");
	assert_string_equal(bh_escape_str(out, sizeof(out),
					  "123\xe2\x82\xac"
					  "78"),
			    "123...");
	assert_string_equal(bh_escape_str(out, sizeof(out), "\\\\\\\\"), "\\\\\\\\...");
}

static void test_str_random(void **state)
{
	char bytes[48], out[64], whole[256];

	srandom(404);
	for (unsigned i = 0; i < 50000; i++) {
		size_t len = (size_t)random() % sizeof(bytes), size = 1 + (size_t)random() % 60;
		size_t n;

		random_bytes(bytes, len);
		for (size_t j = 0; j < len; j++)
			bytes[j] = bytes[j] ? bytes[j] : '0';
		bytes[len < sizeof(bytes) ? len : len - 1] = '\0';
		memset(out, 0x55, sizeof(out));
		bh_escape_str(out, size, bytes);
		n = strnlen(out, sizeof(out));
		assert_true(n < size);
		for (size_t j = size; j < sizeof(out); j++)
			assert_int_equal(out[j], 0x55);
		assert_true(is_harmless(out));
		bh_escape_str(whole, sizeof(whole), bytes);
		if (strlen(whole) < size) {
			assert_string_equal(out, whole);
		} else if (size >= 4) {
			assert_string_equal(out + n - 3, "...");
			assert_memory_equal(out, whole, n - 3);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_printable_stays),
		cmocka_unit_test(test_tame),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_backslash),
		cmocka_unit_test(test_broken_utf8),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_bidi_and_invisible),
		cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_str_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
