/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/sys/workers.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bulkhead/base/limits.h>

/* Fewer jobs a worker than this are not worth a process. */
#define JOBS_EACH_MIN 16

void *workers_results(size_t n, size_t size)
{
	void *p = mmap(NULL, n ? n * size : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void workers_results_free(void *results, size_t n, size_t size)
{
	if (results)
		munmap(results, n ? n * size : 1);
}

static size_t workers_wanted(size_t n)
{
	size_t most = n / JOBS_EACH_MIN;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	if (most > (size_t)CPU_COUNT(&cpus))
		most = (size_t)CPU_COUNT(&cpus);
	if (most > BH_WORKERS_MAX)
		most = BH_WORKERS_MAX;
	return most ? most : 1;
}

static void take_jobs(const struct workers *w, size_t n, atomic_size_t *next)
{
	void *state = w->init(w->arg);
	size_t job;

	if (!state)
		return;
	while ((job = atomic_fetch_add(next, 1)) < n)
		w->work(state, job, w->arg);
	w->done(state);
}

/* Nobody waits for a worker whose parent is gone; what it has committed is whole all the same. */
static pid_t start_one(const struct workers *w, size_t n, atomic_size_t *next)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
		take_jobs(w, n, next);
	_exit(0);
}

void workers_run(const struct workers *w, size_t n)
{
	size_t more = workers_wanted(n) - 1, started = 0;
	atomic_size_t *next = workers_results(1, sizeof(*next));
	atomic_size_t alone = 0;
	pid_t pids[BH_WORKERS_MAX];

	while (next && started < more) {
		pids[started] = start_one(w, n, next);
		if (pids[started] < 0)
			break; /* the ones that there are do it all */
		started++;
	}
	take_jobs(w, n, next ? next : &alone);
	for (size_t i = 0; i < started; i++)
		while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
	workers_results_free(next, 1, sizeof(*next));
}
