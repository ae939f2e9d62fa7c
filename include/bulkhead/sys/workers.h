/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_SYS_WORKERS_H
#define BULKHEAD_SYS_WORKERS_H

#include <stddef.h>

#include <bulkhead/base/err.h>

/*
 * Many namespaces on several CPUs: the kernel commits to each under a lock of its own. Processes,
 * not threads, because which namespace a socket is made in belongs to the caller alone.
 */

/* Memory of N zeroed results that workers share with their parent; NULL when there is none. */
void *workers_results(size_t n, size_t size);
void workers_results_free(void *results, size_t n, size_t size);

/*
 * Share the jobs 0 to N - 1 among this process and as many more as there are CPUs and it is worth;
 * each takes the next job when it is done with one. INIT makes a worker's own state (NULL ends that
 * worker: the others do its jobs), DONE frees it. Returns when all workers have ended. A worker
 * that dies takes its present job with it: whoever calls must be able to tell from the result.
 */
struct workers {
	void *(*init)(void *arg);
	void (*work)(void *state, size_t job, void *arg);
	void (*done)(void *state);
	void *arg;
};

void workers_run(const struct workers *w, size_t n);

/*
 * FN (FD, ARG) in a process of its own, which may give up its privileges, or die of what it reads; it
 * writes its answer to FD. *RET (the caller frees it, NUL-terminated) is all that it wrote, which is as
 * hostile as what it read. -EFBIG: more than MAX bytes; -EIO: it did not end well, and ERR says how.
 */
int workers_apart(int (*fn)(int fd, void *arg), void *arg, size_t max, char **ret, size_t *ret_len,
		  struct bh_err *err);

#endif
