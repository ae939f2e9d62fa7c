/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <bulkhead/sys/workers.h>

#define JOBS 200

/* What a job leaves: who did it, and how often it was done. */
struct trace {
	pid_t pid;
	unsigned times;
};

struct plan {
	struct trace *trace;
	pid_t parent;
	size_t dies_at; /* a worker that is not the parent dies of this job and those after it */
	int no_state;
};

static void *make_state(void *arg)
{
	const struct plan *p = arg;

	return p->no_state ? NULL : malloc(1);
}

static void leave_trace(void *state, size_t job, void *arg)
{
	struct plan *p = arg;

	if (job >= p->dies_at && getpid() != p->parent)
		_exit(1);
	p->trace[job].pid = getpid();
	p->trace[job].times++;
	usleep(100); /* so that the others get their turn */
}

static void run(struct plan *p)
{
	const struct workers w = { make_state, leave_trace, free, p };

	p->parent = getpid();
	p->trace = workers_results(JOBS, sizeof(*p->trace));
	assert_non_null(p->trace);
	workers_run(&w, JOBS);
}

static void each_job_is_done_once(void **state)
{
	struct plan p = { .dies_at = JOBS };
	size_t by_others = 0;

	run(&p);
	for (size_t i = 0; i < JOBS; i++) {
		assert_int_equal(p.trace[i].times, 1);
		by_others += p.trace[i].pid != getpid();
	}
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		assert_true(by_others > 0);
	assert_true(by_others < JOBS);
	workers_results_free(p.trace, JOBS, sizeof(*p.trace));
}

static void a_dead_worker_takes_only_its_own_job_with_it(void **state)
{
	struct plan p = { .dies_at = 20 };
	size_t undone = 0;

	run(&p);
	for (size_t i = 0; i < JOBS; i++)
		undone += p.trace[i].times == 0;
	assert_true(undone <= 7); /* one for each worker beside the parent */
	workers_results_free(p.trace, JOBS, sizeof(*p.trace));
}

static void without_a_state_nothing_is_done(void **state)
{
	struct plan p = { .dies_at = JOBS, .no_state = 1 };

	run(&p);
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(p.trace[i].times, 0);
	workers_results_free(p.trace, JOBS, sizeof(*p.trace));
}

static void no_jobs_are_no_work(void **state)
{
	struct plan p = { .dies_at = 0 };
	const struct workers w = { make_state, leave_trace, free, &p };

	workers_run(&w, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_is_done_once),
		cmocka_unit_test(a_dead_worker_takes_only_its_own_job_with_it),
		cmocka_unit_test(without_a_state_nothing_is_done),
		cmocka_unit_test(no_jobs_are_no_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
