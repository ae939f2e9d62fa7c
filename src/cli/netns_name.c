/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netns_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/store/inforce.h>
#include <bulkhead/sys/netns.h>

const char *netns_name(char out[NETNS_NAME_STR], uint64_t ino, uint64_t cookie)
{
	char boot[BOOT_ID_MAX];

	in_force_boot(boot);
	snprintf(out, NETNS_NAME_STR, "%s/%" PRIu64 "/%" PRIu64, boot, ino, cookie);
	return out;
}

const char *netns_name_at(char out[NETNS_NAME_STR], const char *path, uint64_t ino)
{
	bh_autoclose int fd = -1;
	uint64_t now, cookie = 0;

	if (netns_open(path, &fd, &now, NULL) >= 0 && now == ino &&
	    netns_cookie(fd, &cookie, NULL) < 0)
		cookie = 0;
	return netns_name(out, ino, cookie);
}

bool netns_name_is_same(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');

	if (!x || !y || x - a != y - b || memcmp(a, b, (size_t)(x - a)) != 0)
		return false;
	return strcmp(x, y) == 0 || strcmp(x, "/0") == 0 || strcmp(y, "/0") == 0;
}
