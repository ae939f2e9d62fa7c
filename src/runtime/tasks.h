/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_TASKS_H
#define RUNTIME_TASKS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The network namespaces of a process: each thread may have one of its own, and what is /proc/PID is its first
 * thread, of which nothing can be read when it has ended, though others go on.
 */

/*
 * FN (ARG) gets the first thread's, then that of each other; false from it ends it. 1: FN did; 0: all were
 * looked at; -ENOENT, ESRCH, -EACCES: not the first thread's; -E2BIG: more than BH_TASKS_MAX; -EMFILE, ...
 */
int tasks_each(int pid, bool (*fn)(const char *path, uint64_t ino, void *arg), void *arg);

#endif
