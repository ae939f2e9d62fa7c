/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/base/text.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/cleanup.h>

/* Exactly N decimal digits at *P, which moves behind them. -1 when they are not there. */
static int digits(const char **p, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + (**p - '0');
	}
	return v;
}

static bool literal(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static int parse_date(const char **p, int64_t *ret)
{
	struct tm tm = { 0 };
	int year = digits(p, 4), month, day;

	month = year >= 1970 && literal(p, '-') ? digits(p, 2) : -1;
	day = month >= 1 && month <= 12 && literal(p, '-') ? digits(p, 2) : -1;
	if (day < 1 || day > days_in_month(year, month))
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*ret = timegm(&tm);
	return 0;
}

/* "Z" or "+HH:MM": seconds to subtract. */
static int parse_offset(const char **p, int64_t *ret)
{
	int sign, hours, minutes;

	*ret = 0;
	if (literal(p, 'Z') || literal(p, 'z'))
		return 0;
	sign = literal(p, '+') ? 1 : literal(p, '-') ? -1 : 0;
	hours = sign ? digits(p, 2) : -1;
	minutes = hours >= 0 && hours < 24 && literal(p, ':') ? digits(p, 2) : -1;
	if (minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret = sign * (hours * 3600 + minutes * 60);
	return 0;
}

int bh_parse_time(const char *s, int64_t *ret)
{
	int64_t day, offset;
	int hour, minute, second;

	if (parse_date(&s, &day) < 0 || (!literal(&s, 'T') && !literal(&s, 't')))
		return -EINVAL;
	hour = digits(&s, 2);
	minute = hour >= 0 && hour < 24 && literal(&s, ':') ? digits(&s, 2) : -1;
	second = minute >= 0 && minute < 60 && literal(&s, ':') ? digits(&s, 2) : -1;
	if (second < 0 || second > 59)
		return -EINVAL;
	if (literal(&s, '.')) {
		if (digits(&s, 1) < 0)
			return -EINVAL;
		s += strspn(s, "0123456789");
	}
	if (parse_offset(&s, &offset) < 0 || *s)
		return -EINVAL;
	*ret = day + hour * 3600 + minute * 60 + second - offset;
	return 0;
}

int bh_parse_date(const char *s, int64_t *ret)
{
	int64_t day;

	if (parse_date(&s, &day) < 0 || *s)
		return -EINVAL;
	*ret = day;
	return 0;
}

int bh_parse_duration(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	size_t len = strspn(s, "0123456789");
	char digits_of[16];
	uint64_t n;

	if (len == 0 || len >= sizeof(digits_of) || !s[len] || s[len + 1])
		return -EINVAL;
	memcpy(digits_of, s, len);
	digits_of[len] = '\0';
	for (size_t i = 0; i < BH_ARRAY_SIZE(units); i++) {
		if (units[i].unit != s[len])
			continue;
		if (bh_parse_u64(digits_of, 0, UINT64_MAX / 3600, &n) < 0)
			return -EINVAL;
		if (n * units[i].seconds < min || n * units[i].seconds > max)
			return -ERANGE;
		*ret = n * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}

#define DAY_S   86400
#define DAY_STR 16 /* "-290308-12-21" is the longest */

/* "2026-01-31": of the day that was asked for last, as records come by the thousand. */
static const char *day_text(int64_t days)
{
	static _Thread_local struct {
		int64_t days;
		char text[DAY_STR];
	} last = { 0, "1970-01-01" };
	time_t t = (time_t)(days * DAY_S);
	struct tm tm;

	if (days == last.days)
		return last.text;
	gmtime_r(&t, &tm);
	strftime(last.text, sizeof(last.text), "%Y-%m-%d", &tm);
	last.days = days;
	return last.text;
}

/* V in N digits, with C before them. Returns what is behind. */
static char *put_digits(char *p, char c, int64_t v, int n)
{
	*p++ = c;
	for (int i = n; i-- > 0; v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

/* Down, before the epoch too; what is left is not negative. */
static int64_t divide(int64_t v, int64_t by, int64_t *ret_rest)
{
	*ret_rest = v % by;
	if (*ret_rest < 0)
		*ret_rest += by;
	return v / by - (v % by < 0);
}

static const char *format(char out[BH_TIME_STR], int64_t usec, int digits, int unit)
{
	int64_t fraction, second, days = divide(divide(usec, 1000000, &fraction), DAY_S, &second);
	char *p = stpcpy(out, day_text(days));

	p = put_digits(p, 'T', second / 3600, 2);
	p = put_digits(p, ':', second / 60 % 60, 2);
	p = put_digits(p, ':', second % 60, 2);
	p = put_digits(p, '.', fraction / unit, digits);
	memcpy(p, "Z", sizeof("Z"));
	return out;
}

const char *bh_format_time(char out[BH_TIME_STR], int64_t usec)
{
	return format(out, usec, 3, 1000);
}

const char *bh_format_time_usec(char out[BH_TIME_STR], int64_t usec)
{
	return format(out, usec, 6, 1);
}
