/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/files.h>

#include "flows_writer.h"

#define LISTED_MAX 256

/* --- those that are there --------------------------------------------------------------------- */

struct name {
	char text[FLOWS_ASIDE_NAME];
};

static bool is_aside(const char *name)
{
	size_t len = strlen(name);

	return strncmp(name, FLOWS_ASIDE, strlen(FLOWS_ASIDE)) == 0 && len < FLOWS_ASIDE_NAME &&
	       len > 3 && strcmp(name + len - 3, ".db") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list(int dir, struct bh_vec *ret)
{
	bh_autoclose int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d)
		return -errno;
	BH_STEAL_FD(fd);
	while ((e = readdir(d)) != NULL) {
		struct name *n = is_aside(e->d_name) ? bh_vec_push(ret) : NULL;

		if (n)
			memcpy(n->text, e->d_name, strlen(e->d_name) + 1);
	}
	closedir(d);
	if (ret->n)
		qsort(ret->data, ret->n, sizeof(struct name), by_name);
	return 0;
}

static void remove_one(int dir, const char *name)
{
	char log[FLOWS_ASIDE_NAME + 8];

	snprintf(log, sizeof(log), "%s-wal", name);
	unlinkat(dir, log, 0);
	unlinkat(dir, name, 0);
}

/* Names begin with the time: the first ones are the oldest. */
static void remove_oldest(int dir)
{
	struct bh_vec v;
	const struct name *names;

	bh_vec_init(&v, sizeof(struct name), LISTED_MAX);
	list(dir, &v);
	names = v.data;
	for (size_t i = 0; i + BH_FLOWS_ASIDE_MAX < v.n; i++)
		remove_one(dir, names[i].text);
	bh_vec_done(&v);
}

/* --- one more --------------------------------------------------------------------------------- */

static void name_it(char out[FLOWS_ASIDE_NAME], int64_t now)
{
	time_t t = (time_t)(now / 1000000);
	char when[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm);
	snprintf(out, FLOWS_ASIDE_NAME, FLOWS_ASIDE "%s.%06dZ.db", when, (int)(now % 1000000));
}

/* The log first: without its database it is nobody's, with another one it would be that one's. */
int flows_aside(int dir, int64_t now, char ret_name[FLOWS_ASIDE_NAME], struct bh_err *err)
{
	char log[FLOWS_ASIDE_NAME + 8];
	int r;

	name_it(ret_name, now);
	snprintf(log, sizeof(log), "%s-wal", ret_name);
	r = files_rename(dir, FLOWS_WAL, log);
	if (r >= 0 || r == -ENOENT)
		r = files_rename(dir, FLOWS_FILE, ret_name);
	if (r < 0)
		return bh_err_errno(err, r, "%s cannot be set aside", FLOWS_FILE);
	unlinkat(dir, FLOWS_SHM, 0);
	files_sync(dir);
	remove_oldest(dir);
	return 0;
}
