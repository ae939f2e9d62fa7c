/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SRC_RUNTIME_PROC_H
#define BULKHEAD_SRC_RUNTIME_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bulkhead/model/record.h>

/*
 * Who holds a socket, by the links of procfs. They are read, never followed: a descriptor may lead to a
 * file system of the container's own, which need not answer.
 */

/* "socket:[123]" with KIND "socket": 123. False for everything else; LEN hostile bytes. */
bool proc_link_inode(const char *link, size_t len, const char *kind, uint64_t *ret);

/* Where one was found. */
struct proc_place {
	uint32_t pid;
	int fd;
};

struct proc_search {
	int proc_fd; /* of procfs; borrowed */
	uint64_t netns, socket;
	unsigned pids, fds; /* looked at so far */
};

/* Does the process of this place, of that namespace, still hold it? */
bool proc_holds(const struct proc_search *s, const struct proc_place *at);
/*
 * FIRST (may be 0) is looked at before the others. 0, and the process; -ENOENT: nobody in that
 * namespace holds it; -E2BIG: too many processes, -EMFILE: too many descriptors to look at all.
 */
int proc_find(struct proc_search *s, uint32_t first, struct proc_place *ret_place,
	      struct record_process *ret);

#endif
