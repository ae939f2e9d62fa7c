/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/workers.h>

#include "handle.h"
#include "task.h"
#include "want.h"

const char *apply_outcome_name(enum apply_outcome o)
{
	static const char *const names[] = {
		[APPLY_CREATED] = "created",     [APPLY_UPDATED] = "updated",
		[APPLY_UNCHANGED] = "unchanged", [APPLY_REMOVED] = "removed",
		[APPLY_FAILED] = "failed",
	};

	return names[o];
}

/* One namespace to work on: WANT is brought about in it; NULL = no table. */
struct job {
	size_t endpoint;
	const struct ruleset *want;
};

struct jobs {
	const struct site *site;
	struct job *job;
	size_t n;
	struct apply_result *results; /* [n], shared with the workers */
};

static int work_once(struct handles *handles, const struct endpoint *e, struct task *t,
		     struct bh_err *err)
{
	int r = handles_open(handles, e, &t->sock, &t->frames, err);

	if (r < 0)
		return r;
	return t->ruleset ? task_bring_about(t, err) : task_remove(t, err);
}

static void work_on(void *state, size_t i, void *arg)
{
	const struct jobs *jobs = arg;
	const struct job *job = &jobs->job[i];
	const struct endpoint *e = &jobs->site->endpoints->endpoints[job->endpoint];
	struct apply_result res = { .endpoint = job->endpoint };
	struct task t = { .ruleset = job->want, .res = &res };
	struct bh_err err = BH_ERR_INIT;
	int r = work_once(state, e, &t, &err);

	if (r < 0) {
		res.outcome = APPLY_FAILED;
		res.error = r;
		snprintf(res.why, sizeof(res.why), "%s", err.msg);
	}
	jobs->results[i] = res;
}

static void *new_handles(void *arg)
{
	struct handles *h = calloc(1, sizeof(*h));

	if (h)
		handles_init(h);
	return h;
}

static void free_handles(void *state)
{
	handles_done(state);
	free(state);
}

/* What stands if nobody lives to say otherwise. */
static void expect_failure(struct apply_result *res, size_t endpoint)
{
	*res = (struct apply_result) { endpoint, APPLY_FAILED, -EIO, "" };
	snprintf(res->why, sizeof(res->why), "the process that worked on it ended early");
}

static int list_jobs(struct site *s, bool clean, struct jobs *jobs)
{
	uint64_t host_ino = netns_own_ino();

	jobs->job = calloc(s->endpoints->n + 1, sizeof(*jobs->job));
	if (!jobs->job)
		return -ENOMEM;
	for (size_t i = 0; i < s->endpoints->n; i++) {
		const struct ruleset_item *item = clean ? NULL : site_item_of(s, i);

		if (!has_own_namespace(&s->endpoints->endpoints[i], host_ino))
			continue;
		if (item && item->endpoint != i)
			continue; /* another endpoint of this namespace stands for it */
		jobs->job[jobs->n++] = (struct job) { i, item ? item->ruleset : NULL };
	}
	jobs->results = workers_results(jobs->n, sizeof(*jobs->results));
	if (!jobs->results)
		return -ENOMEM;
	for (size_t i = 0; i < jobs->n; i++)
		expect_failure(&jobs->results[i], jobs->job[i].endpoint);
	return 0;
}

static int for_each_namespace(struct site *s, bool clean,
			      int (*fn)(const struct apply_result *, void *), void *arg,
			      struct bh_err *err)
{
	struct jobs jobs = { .site = s };
	const struct workers w = { new_handles, work_on, free_handles, &jobs };
	int r = list_jobs(s, clean, &jobs);

	if (r < 0)
		bh_err_oom(err);
	else
		workers_run(&w, jobs.n);
	for (size_t i = 0; i < jobs.n && r >= 0; i++)
		/* nothing was to be there, and nothing was: no news */
		if (jobs.job[i].want || jobs.results[i].outcome != APPLY_UNCHANGED)
			r = fn(&jobs.results[i], arg);
	workers_results_free(jobs.results, jobs.n, sizeof(*jobs.results));
	free(jobs.job);
	return r;
}

int enforce_apply(struct site *s, int (*fn)(const struct apply_result *, void *), void *arg,
		  struct bh_err *err)
{
	return for_each_namespace(s, false, fn, arg, err);
}

int enforce_clean(struct site *s, int (*fn)(const struct apply_result *, void *), void *arg,
		  struct bh_err *err)
{
	return for_each_namespace(s, true, fn, arg, err);
}
