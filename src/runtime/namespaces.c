/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/runtime/runtime.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/sys/netns.h>

#include "tasks.h"

/* All network namespaces of the host, whoever made them. */

#define MOUNTS "/proc/self/mountinfo"

struct seen {
	uint64_t ino;
	UT_hash_handle hh;
};

struct search {
	struct seen *all;
	int (*fn)(const struct runtime_namespace *n, void *arg);
	void *arg;
	struct bh_err *err;
	int missed; /* a process not all of whose threads were looked at; 0: there is none */
};

static void forget(struct search *s)
{
	struct seen *e, *next;

	HASH_ITER (hh, s->all, e, next) {
		HASH_DEL(s->all, e);
		free(e);
	}
}

/* 1: it is new. */
static int note(struct search *s, uint64_t ino)
{
	struct seen *e;

	HASH_FIND(hh, s->all, &ino, sizeof(ino), e);
	if (e)
		return 0;
	if (HASH_COUNT(s->all) >= BH_VERIFY_UNLISTED_MAX)
		return bh_err_set(s->err, -E2BIG, "the host has more than %d network namespaces",
				  BH_VERIFY_UNLISTED_MAX);
	e = calloc(1, sizeof(*e));
	if (!e)
		return bh_err_oom(s->err);
	e->ino = ino;
	HASH_ADD(hh, s->all, ino, sizeof(e->ino), e);
	return 1;
}

static int hand_out(struct search *s, struct runtime_namespace *n)
{
	int r = note(s, n->ino);

	return r > 0 ? s->fn(n, s->arg) : r;
}

/* --- of processes ------------------------------------------------------------------------------ */

static void read_comm(int pid, char out[16])
{
	char path[64];
	bh_autoclose int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, out, 15);
	out[len > 0 ? len : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

struct process {
	struct search *search;
	struct runtime_namespace ns;
	int r;
};

static bool on_task(const char *path, uint64_t ino, void *arg)
{
	struct process *p = arg;

	snprintf(p->ns.path, sizeof(p->ns.path), "%s", path);
	p->ns.ino = ino;
	if (!p->ns.comm[0])
		read_comm(p->ns.pid, p->ns.comm);
	p->r = hand_out(p->search, &p->ns);
	return p->r >= 0;
}

/* One that has gone meanwhile has none any more, and what may not be looked at is not ours. */
static int of_process(struct search *s, int pid)
{
	struct process p = { .search = s, .ns = { .pid = pid } };
	int r = tasks_each(pid, on_task, &p);

	if (r < 0 && r != -ENOENT && r != -ESRCH && r != -EACCES && !s->missed)
		s->missed = pid;
	return p.r;
}

static int of_processes(struct search *s)
{
	DIR *d = opendir("/proc");
	struct dirent *ent;
	int r = d ? 0 : bh_err_errno(s->err, -errno, "/proc");

	while (r >= 0 && d && (ent = readdir(d)) != NULL)
		if (isdigit((unsigned char)ent->d_name[0]))
			r = of_process(s, atoi(ent->d_name));
	if (d)
		closedir(d);
	return r;
}

/* --- of mounts --------------------------------------------------------------------------------- */

/* "\040" and such of a path in mountinfo. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
		    isdigit((unsigned char)s[3])) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* ID PARENT MAJOR:MINOR net:[INODE] PATH ... */
static int of_mount(struct search *s, char *line)
{
	struct runtime_namespace n = { 0 };
	char root[64], path[sizeof(n.path)];

	if (sscanf(line, "%*s %*s %*s %63s %4095s", root, path) != 2 ||
	    strncmp(root, "net:[", 5) != 0)
		return 0;
	unescape(path);
	n.ino = strtoull(root + 5, NULL, 10);
	memcpy(n.path, path, sizeof(n.path));
	return n.ino ? hand_out(s, &n) : 0;
}

static int of_mounts(struct search *s)
{
	FILE *f = fopen(MOUNTS, "re");
	bh_autofree char *line = NULL;
	size_t cap = 0;
	int r = f ? 0 : bh_err_errno(s->err, -errno, MOUNTS);

	while (r >= 0 && f && getline(&line, &cap, f) >= 0)
		r = of_mount(s, line);
	if (f)
		fclose(f);
	return r;
}

static int tell_missed(const struct search *s)
{
	bh_err_set(s->err, -E2BIG,
		   "the network namespaces of all threads of process %d could not be looked at, or "
		   "it has "
		   "more than %d",
		   s->missed, BH_TASKS_MAX);
	return 1;
}

int runtime_namespaces(int (*fn)(const struct runtime_namespace *n, void *arg), void *arg,
		       struct bh_err *err)
{
	struct search s = { .fn = fn, .arg = arg, .err = err };
	int r = note(&s, netns_own_ino());

	if (r >= 0)
		r = of_processes(&s);
	if (r >= 0)
		r = of_mounts(&s);
	forget(&s);
	return r < 0 ? r : s.missed ? tell_missed(&s) : 0;
}
