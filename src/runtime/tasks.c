/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/runtime/runtime.h>

struct walk {
	bool (*fn)(const char *path, uint64_t ino, void *arg);
	void *arg;
};

/* 1: that is enough. */
static int look(const struct walk *w, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return w->fn(path, st.st_ino, w->arg) ? 0 : 1;
}

/* One that has ended has none. */
static bool is_missed(int r)
{
	return r < 0 && r != -ENOENT && r != -ESRCH;
}

static int look_at_all(const struct walk *w, int pid, DIR *d)
{
	const struct dirent *ent;
	int missed = 0, n = 0, r;
	char path[64];

	while ((ent = readdir(d))) {
		if (!isdigit((unsigned char)ent->d_name[0]))
			continue;
		if (n++ == BH_TASKS_MAX)
			return -E2BIG;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/net", pid, atoi(ent->d_name));
		r = look(w, path);
		if (r > 0)
			return r;
		missed = is_missed(r) ? r : missed;
	}
	return missed;
}

static int look_at_others(const struct walk *w, int pid)
{
	char path[64];
	DIR *d;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return -errno;
	r = look_at_all(w, pid, d);
	closedir(d);
	return r;
}

/* Most are. It has a link for each thread beside the two of a directory. */
static bool is_alone(int pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) == 0 && st.st_nlink == 3;
}

int tasks_each(int pid, bool (*fn)(const char *path, uint64_t ino, void *arg), void *arg)
{
	const struct walk w = { fn, arg };
	char path[64];
	int first, r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	first = look(&w, path);
	if (first > 0 || (first == 0 && is_alone(pid)))
		return first;
	r = look_at_others(&w, pid);
	return r > 0 || is_missed(r) ? r : first;
}

struct wanted {
	uint64_t ino;
	char *path;
};

static bool is_elsewhere(const char *path, uint64_t ino, void *arg)
{
	const struct wanted *w = arg;

	if (ino == w->ino)
		snprintf(w->path, RUNTIME_TASK_PATH_SIZE, "%s", path);
	return ino != w->ino;
}

int runtime_process_in(int pid, uint64_t netns_ino, char ret_path[RUNTIME_TASK_PATH_SIZE])
{
	struct wanted w = { netns_ino, ret_path };

	return tasks_each(pid, is_elsewhere, &w);
}
