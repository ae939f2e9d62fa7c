/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#define LINK_STR 64 /* longer ones are paths */
#define NAME_STR 48

bool proc_link_inode(const char *link, size_t len, const char *kind, uint64_t *ret)
{
	size_t k = strlen(kind);
	char number[24];

	if (len < k + 4 || memcmp(link, kind, k) != 0 || link[k] != ':' || link[k + 1] != '[' ||
	    link[len - 1] != ']')
		return false;
	len -= k + 3;
	if (len >= sizeof(number) || memchr(link + k + 2, '\0', len))
		return false;
	memcpy(number, link + k + 2, len);
	number[len] = '\0';
	return bh_parse_u64(number, 1, UINT64_MAX, ret) == 0;
}

static bool link_is(int dir, const char *name, const char *kind, uint64_t inode)
{
	char link[LINK_STR];
	ssize_t n = readlinkat(dir, name, link, sizeof(link));
	uint64_t v;

	return n > 0 && proc_link_inode(link, (size_t)n, kind, &v) && v == inode;
}

/* --- one process ---------------------------------------------------------------------------- */

/*
 * Everything of one process is asked through its directory: that stays with the process, though its
 * number be given to another (proc_pid_make_inode(), fs/proc/base.c).
 */
static int open_process(const struct proc_search *s, uint32_t pid)
{
	char name[NAME_STR];

	snprintf(name, sizeof(name), "%u", pid);
	return openat(s->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

bool proc_holds(const struct proc_search *s, const struct proc_place *at)
{
	bh_autoclose int dir = open_process(s, at->pid);
	char name[NAME_STR];

	snprintf(name, sizeof(name), "fd/%d", at->fd);
	return dir >= 0 && link_is(dir, "ns/net", "net", s->netns) &&
	       link_is(dir, name, "socket", s->socket);
}

static void read_comm(int dir, struct record_process *ret)
{
	char comm[sizeof(ret->comm) + 1];
	bh_autoclose int fd = openat(dir, "comm", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, comm, sizeof(comm));

	if (n > 0 && comm[n - 1] == '\n')
		n--;
	if (n > (ssize_t)sizeof(ret->comm) - 1)
		n = sizeof(ret->comm) - 1;
	if (n > 0)
		memcpy(ret->comm, comm, (size_t)n);
}

static void read_exe(int dir, struct record_process *ret)
{
	ssize_t n = readlinkat(dir, "exe", ret->exe, sizeof(ret->exe) - 1);

	ret->exe[n > 0 ? n : 0] = '\0';
}

static int describe(int dir, uint32_t pid, struct record_process *ret)
{
	*ret = (struct record_process) { .pid = pid };
	read_comm(dir, ret);
	read_exe(dir, ret);
	return 0;
}

/* Which of its descriptors is it? -ENOENT none, -EMFILE the bound was reached. */
static int find_fd(struct proc_search *s, int dir, int *ret_fd)
{
	int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = -ENOENT;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint64_t number;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == -ENOENT && (e = readdir(d)) != NULL) {
		if (bh_parse_u64(e->d_name, 0, INT32_MAX, &number) < 0)
			continue;
		if (s->fds++ >= BH_PROCESS_FDS_MAX)
			r = -EMFILE;
		else if (link_is(dirfd(d), e->d_name, "socket", s->socket))
			r = 0;
	}
	closedir(d);
	*ret_fd = r == 0 ? (int)number : -1;
	return r;
}

static int look_at(struct proc_search *s, uint32_t pid, struct proc_place *ret_place,
		   struct record_process *ret)
{
	bh_autoclose int dir = open_process(s, pid);
	int fd, r;

	if (dir < 0 || !link_is(dir, "ns/net", "net", s->netns))
		return -ENOENT;
	r = find_fd(s, dir, &fd);
	if (r < 0)
		return r;
	*ret_place = (struct proc_place) { pid, fd };
	return describe(dir, pid, ret);
}

/* --- all of them ---------------------------------------------------------------------------- */

/* Only those of the namespace are opened. */
static bool is_inside(const struct proc_search *s, uint32_t pid)
{
	char name[NAME_STR];

	snprintf(name, sizeof(name), "%u/ns/net", pid);
	return link_is(s->proc_fd, name, "net", s->netns);
}

static int look_at_entry(struct proc_search *s, const char *name, struct proc_place *ret_place,
			 struct record_process *ret)
{
	uint64_t pid;

	if (bh_parse_u64(name, 1, INT32_MAX, &pid) < 0)
		return -ENOENT;
	if (s->pids++ >= BH_PROCESS_PIDS_MAX)
		return -E2BIG;
	if (!is_inside(s, (uint32_t)pid))
		return -ENOENT;
	return look_at(s, (uint32_t)pid, ret_place, ret);
}

int proc_find(struct proc_search *s, uint32_t first, struct proc_place *ret_place,
	      struct record_process *ret)
{
	int fd, r = first ? look_at(s, first, ret_place, ret) : -ENOENT;
	struct dirent *e;
	DIR *d;

	if (r != -ENOENT)
		return r;
	fd = openat(s->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == -ENOENT && (e = readdir(d)) != NULL)
		r = look_at_entry(s, e->d_name, ret_place, ret);
	closedir(d);
	return r;
}
