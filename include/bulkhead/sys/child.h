/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_CHILD_H
#define BULKHEAD_SYS_CHILD_H

#include <sys/types.h>

#include <bulkhead/base/err.h>

/*
 * Start the program PATH with ARGV (ends with NULL), the descriptor CHANNEL as its descriptor 3, its
 * standard input from and its standard output to /dev/null, standard error as ours, no other
 * descriptor, every signal at its default and none blocked, an empty environment, and a session of its own, without a terminal; an
 * ordinary task, whatever this one is (sched(7)).
 * *RET_PIDFD (the caller's) becomes readable when it ends (pidfd_open(2)).
 */
#define CHILD_CHANNEL_FD 3
int child_start(const char *path, char *const argv[], int channel, pid_t *ret_pid, int *ret_pidfd,
		struct bh_err *err);

/* It has ended: say how in a word or two ("exit code 1", "signal 11"). Returns OUT. */
#define CHILD_END_STR 48
const char *child_reap(pid_t pid, char out[CHILD_END_STR]);

/* The path of a program that lies beside the one that runs; -ENAMETOOLONG. */
int child_beside(const char *name, char *out, size_t cap);

#endif
