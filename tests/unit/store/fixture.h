/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* A directory of each test's own. */
static char top[64];

static inline int make_top(void **state)
{
	strcpy(top, "/tmp/bulkhead-store-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static inline int remove_top(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", top);
	return system(command);
}

#define IN_TOP_MAX 384
static inline const char *in_top(const char *name)
{
	static char path[8][IN_TOP_MAX];
	static unsigned turn;
	char *out = path[turn++ % 8];

	snprintf(out, IN_TOP_MAX, "%s/%s", top, name);
	return out;
}

static __attribute__((unused, noinline)) char *slurp(const char *path)
{
	char *data = NULL;
	size_t len;

	assert_int_equal(bh_read_file(path, 64u << 20, &data, &len), 0);
	return data;
}

static inline void spill(const char *path, const char *data, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void put(const char *path, const char *text)
{
	spill(path, text, strlen(text));
}

static inline bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* All notices of a test, one a line. */
static char notices[8192];

static inline void on_notice(const char *text, void *arg)
{
	size_t n = strlen(notices);

	snprintf(notices + n, sizeof(notices) - n, "%s\n", text);
}

static inline void assert_noticed(const char *part)
{
	if (!strstr(notices, part))
		fail_msg("no notice says \"%s\": \"%s\"", part, notices);
}

#define with_top(f) cmocka_unit_test_setup_teardown(f, make_top, remove_top)

#endif
