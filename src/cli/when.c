/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include <bulkhead/base/text.h>

#include "cli.h"

#define USEC      INT64_C(1000000)
#define AGO_MAX_S (UINT64_C(3650) * 86400)

/* "3d" is none of the durations that are waited for. */
static int parse_ago(const char *s, uint64_t *ret)
{
	size_t len = strlen(s);
	char digits[16];
	int r;

	if (!len || s[len - 1] != 'd' || len > sizeof(digits))
		return bh_parse_duration(s, 0, AGO_MAX_S, ret);
	memcpy(digits, s, len - 1);
	digits[len - 1] = '\0';
	r = bh_parse_u64(digits, 0, AGO_MAX_S / 86400, ret);
	if (r >= 0)
		*ret *= 86400;
	return r;
}

int cli_when_parse(const char *s, int64_t now, int64_t *ret)
{
	uint64_t ago;
	int64_t seconds;

	if (parse_ago(s, &ago) >= 0) {
		*ret = now - (int64_t)ago * USEC;
		return 0;
	}
	if (bh_parse_time(s, &seconds) < 0 && bh_parse_date(s, &seconds) < 0)
		return -EINVAL;
	*ret = seconds * USEC;
	return 0;
}
