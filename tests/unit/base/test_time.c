/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/text.h>

#define DAY INT64_C(86400)

static int64_t parsed(const char *s)
{
	int64_t t = -1;

	if (bh_parse_time(s, &t) < 0)
		fail_msg("not a time: %s", s);
	return t;
}

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t t;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-01T00:00:01Z", 1 },
		{ "2000-01-01T00:00:00Z", 946684800 },
		{ "2027-01-31T00:00:00Z", 1801353600 },
		{ "2001-09-09T01:46:40Z", 1000000000 },
		{ "2038-01-19T03:14:08Z", INT64_C(1) << 31 },
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799) },
		/* small letters, fractions: RFC 3339 has them */
		{ "2001-09-09t01:46:40z", 1000000000 },
		{ "2001-09-09T01:46:40.0Z", 1000000000 },
		{ "2001-09-09T01:46:40.999999999999999999999999Z", 1000000000 },
		/* the same moment elsewhere */
		{ "2001-09-09T03:46:40+02:00", 1000000000 },
		{ "2001-09-08T20:16:40-05:30", 1000000000 },
		{ "2001-09-09T01:46:40+00:00", 1000000000 },
		{ "2001-09-09T01:46:40-00:00", 1000000000 },
		{ "2001-09-10T01:45:40.5+23:59", 1000000000 },
		/* leap days */
		{ "2000-02-29T00:00:00Z", 951782400 },
		{ "2024-02-29T23:59:59Z", 1709251199 },
		{ "2024-03-01T00:00:00Z", 1709251200 },
		{ "2400-02-29T00:00:00Z", INT64_C(13574563200) },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		if (parsed(cases[i].text) != cases[i].t)
			fail_msg("%s is %lld", cases[i].text, (long long)parsed(cases[i].text));
}

static void test_time_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"2027-01-31",
		"2027-01-31T00:00:00",
		"2027-01-31 00:00:00Z",
		"2027-01-31T00:00Z",
		"2027-01-31T0:00:00Z",
		"2027-1-31T00:00:00Z",
		"27-01-31T00:00:00Z",
		"02027-01-31T00:00:00Z",
		"+2027-01-31T00:00:00Z",
		"2027-01-31T00:00:00ZZ",
		"2027-01-31T00:00:00Z ",
		" 2027-01-31T00:00:00Z",
		"2027-01-31T00:00:00.Z",
		"2027-01-31T00:00:00,5Z",
		"2027-01-31T00:00:00.5",
		"2027-01-31T24:00:00Z",
		"2027-01-31T23:60:00Z",
		"2027-01-31T23:59:60Z",
		"2016-12-31T23:59:60Z",
		"2027-01-31T00:00:00+2:00",
		"2027-01-31T00:00:00+02",
		"2027-01-31T00:00:00+0200",
		"2027-01-31T00:00:00+24:00",
		"2027-01-31T00:00:00+02:60",
		"2027-01-31T00:00:00 +02:00",
		"2027-00-31T00:00:00Z",
		"2027-13-31T00:00:00Z",
		"2027-01-00T00:00:00Z",
		"2027-01-32T00:00:00Z",
		"2027-04-31T00:00:00Z",
		"2027-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2027-01-31T-1:00:00Z",
		"2027/01/31T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"0000-01-01T00:00:00Z",
	};
	int64_t t = 77;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		if (bh_parse_time(bad[i], &t) != -EINVAL)
			fail_msg("taken for a time: '%s'", bad[i]);
	assert_int_equal(t, 77);
}

/* Whatever clock it was written by: what is earlier compares so, what is the same is equal. */
static void test_order_of_expiries(void **state)
{
	assert_true(parsed("2027-01-31T00:00:00Z") < parsed("2027-01-31T00:00:01Z"));
	assert_true(parsed("2027-01-31T00:00:00+02:00") < parsed("2027-01-31T00:00:00Z"));
	assert_true(parsed("2027-01-31T00:00:00Z") < parsed("2027-01-31T00:00:00-02:00"));
	assert_true(parsed("2027-12-31T23:30:00-01:00") > parsed("2028-01-01T00:00:00Z"));
	assert_int_equal(parsed("2027-12-31T23:00:00-01:00"), parsed("2028-01-01T00:00:00Z"));
}

/* Every day of 500 years, in order: the calendar repeats after 400. */
static void test_every_day(void **state)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t expect = 0, t;
	char text[64];

	for (int y = 1970; y < 2470; y++)
		for (int m = 1; m <= 12; m++) {
			bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
			int n = lengths[m - 1] + (m == 2 && leap);

			for (int d = 1; d <= 31; d++) {
				snprintf(text, sizeof(text), "%04d-%02d-%02d", y, m, d);
				assert_int_equal(bh_parse_date(text, &t), d <= n ? 0 : -EINVAL);
				if (d > n)
					continue;
				assert_int_equal(t, expect);
				expect += DAY;
			}
		}
}

static void test_date_refuses(void **state)
{
	static const char *const bad[] = {
		"",           "2027",        "2027-01",     "2027-1-1",
		"27-01-01",   "2027-01-01 ", "2027-01-01T", "2027-01-01Z",
		"01-01-2027", "2027-0a-01",  "20270101",    "-2027-01-01",
		"2027-01-1",
	};
	int64_t t = 77;

	for (size_t i = 0; i < BH_ARRAY_SIZE(bad); i++)
		if (bh_parse_date(bad[i], &t) != -EINVAL)
			fail_msg("taken for a date: '%s'", bad[i]);
	assert_int_equal(t, 77);
}

/* --- writing ------------------------------------------------------------------------------ */

static void test_format(void **state)
{
	static const struct {
		int64_t usec;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00.000Z" },
		{ 1000, "1970-01-01T00:00:00.001Z" },
		{ 999999, "1970-01-01T00:00:00.999Z" },
		{ INT64_C(1769817600000000), "2026-01-31T00:00:00.000Z" },
		{ INT64_C(1709251199999999), "2024-02-29T23:59:59.999Z" },
		{ INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z" },
		/* a clock before the epoch: down, never towards zero */
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.999Z" },
		{ -1001, "1969-12-31T23:59:59.998Z" },
		{ -1000000, "1969-12-31T23:59:59.000Z" },
	};
	char out[BH_TIME_STR];

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		assert_ptr_equal(bh_format_time(out, cases[i].usec), out);
		assert_string_equal(out, cases[i].text);
	}
}

static void test_format_usec(void **state)
{
	char out[BH_TIME_STR];

	assert_string_equal(bh_format_time_usec(out, INT64_C(1800000000000042)),
			    "2027-01-15T08:00:00.000042Z");
	assert_string_equal(bh_format_time_usec(out, -1), "1969-12-31T23:59:59.999999Z");
}

/* No clock, however wrong, writes outside the array. */
static void test_format_extremes(void **state)
{
	static const int64_t extremes[] = { INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1 };
	char out[BH_TIME_STR + 8];

	for (size_t i = 0; i < BH_ARRAY_SIZE(extremes); i++) {
		memset(out, 0x55, sizeof(out));
		bh_format_time(out, extremes[i]);
		assert_true(strnlen(out, sizeof(out)) < BH_TIME_STR);
		for (size_t j = BH_TIME_STR; j < sizeof(out); j++)
			assert_int_equal(out[j], 0x55);
	}
}

static void test_round_trip(void **state)
{
	char out[BH_TIME_STR];

	srandom(3339);
	for (unsigned i = 0; i < 20000; i++) {
		int64_t t = ((int64_t)random() << 31 | random()) % INT64_C(253402300800);

		bh_format_time(out, t * 1000000 + random() % 1000000);
		assert_int_equal(parsed(out), t);
	}
}

/* It is UTC whatever the user's zone is. */
static void test_zone_of_the_user(void **state)
{
	char out[BH_TIME_STR];

	setenv("TZ", "America/New_York", 1);
	tzset();
	assert_int_equal(parsed("2026-07-01T00:00:00Z"), 1782864000);
	assert_string_equal(bh_format_time(out, INT64_C(1782864000000000)),
			    "2026-07-01T00:00:00.000Z");
	setenv("TZ", "XYZ-5:45", 1);
	tzset();
	assert_int_equal(parsed("2026-07-01T00:00:00Z"), 1782864000);
	assert_string_equal(bh_format_time(out, INT64_C(1782864000000000)),
			    "2026-07-01T00:00:00.000Z");
	unsetenv("TZ");
	tzset();
}

static void test_duration(void **state)
{
	static const char *const bad[] = {
		"",    "s",   "60",   "60 s", " 60s", "60S",  "1d",
		"-1s", "+1s", "1.5s", "1s ",  "60ss", "0x1s", "99999999999999999999s"
	};
	static const char *const outside[] = { "0s", "3601s", "61m", "2h", "999999999999h" };
	uint64_t s = 77;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(bh_parse_duration(bad[i], 1, 3600, &s), -EINVAL);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		assert_int_equal(bh_parse_duration(outside[i], 1, 3600, &s), -ERANGE);
	assert_int_equal(s, 77);
	assert_int_equal(bh_parse_duration("1s", 1, 3600, &s), 0);
	assert_int_equal(s, 1);
	assert_int_equal(bh_parse_duration("060s", 1, 3600, &s), 0);
	assert_int_equal(s, 60);
	assert_int_equal(bh_parse_duration("60m", 1, 3600, &s), 0);
	assert_int_equal(s, 3600);
	assert_int_equal(bh_parse_duration("1h", 1, 3600, &s), 0);
	assert_int_equal(s, 3600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_refuses),
		cmocka_unit_test(test_order_of_expiries),
		cmocka_unit_test(test_every_day),
		cmocka_unit_test(test_date_refuses),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_usec),
		cmocka_unit_test(test_format_extremes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_zone_of_the_user),
		cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
