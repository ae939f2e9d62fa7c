/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/netns.h>
#include <bulkhead/sys/workers.h>

#include "handle.h"
#include "kernel.h"
#include "want.h"

/* Others may change nf_tables between our reading and our writing; then it is begun again. */
#define WRITE_TRIES 16

const char *apply_outcome_name(enum apply_outcome o)
{
	static const char *const names[] = {
		[APPLY_CREATED] = "created",     [APPLY_UPDATED] = "updated",
		[APPLY_UNCHANGED] = "unchanged", [APPLY_REMOVED] = "removed",
		[APPLY_FAILED] = "failed",
	};

	return names[o];
}

bool differs(const struct nft_want *want, const struct nft_state *have, char *why, size_t cap)
{
	why[0] = '\0';
	if (!have->intact) {
		snprintf(why, cap, "%s", have->drift);
		return true;
	}
	if (want->own && !have->owned) {
		snprintf(why, cap, "nobody owns the tables");
		return true;
	}
	return !ruleset_equal(want->ruleset, have->ruleset, why, cap) ||
	       !nft_frames_equal(want->frames, have->frames, why, cap);
}

void want_of(const struct ruleset *ruleset, struct nft_frames *frames, bool own,
	     struct nft_want *ret)
{
	if (kernel_has(NFT_HAS_LATE_DEVICES))
		nft_frames_add_late(frames);
	*ret = (struct nft_want) {
		.ruleset = ruleset,
		.frames = kernel_has(NFT_HAS_FRAMES) ? frames : NULL,
		.own = own && kernel_has(NFT_HAS_OWNER),
	};
}

/*
 * A refusal that a missing kernel feature may explain: ask which, and say so. -ERESTART: it can be
 * done without.
 */
static int explain_refusal(int r, struct bh_err *err)
{
	static const int suspects[] = { -EOPNOTSUPP, -EPROTONOSUPPORT, -ENOENT, -EINVAL, -EPROTO };
	bool suspect = false, knew = kernel_is_known();
	char missing[256];

	bh_err_prefix(err, r, "writing the table");
	for (size_t i = 0; i < BH_ARRAY_SIZE(suspects); i++)
		suspect |= r == suspects[i];
	if (!suspect || kernel_learn(NULL) < 0)
		return r;
	if (!nft_kernel_suffices(kernel_features(), missing, sizeof(missing)))
		return bh_err_set(err, r, "this kernel's nf_tables lacks: %s", missing);
	return knew ? r : -ERESTART;
}

/* One namespace to work on. */
struct task {
	struct nlsock *sock;
	const struct ruleset *ruleset; /* that is brought about; NULL = no table */
	struct nft_frames frames;
	bool own;
	struct apply_result *res;
};

/* Somebody else may own what is there: then it is he who can change it. */
static int explain_owner(const struct task *t, const struct nft_state *have, int r,
			 struct bh_err *err)
{
	if (r == -EPERM && have->owned && have->owner != t->sock->portid)
		return bh_err_set(
			err, r,
			"its tables belong to a running bulkheadd, which alone can change "
			"them");
	return r;
}

/* Read, and write if it differs. -ERESTART: somebody else wrote in between, nothing was done. */
static int write_one(struct task *t, uint32_t *ret_commit, struct bh_err *err)
{
	struct nft_state have = { 0 };
	struct nft_want want;
	char why[256];
	int r;

	want_of(t->ruleset, &t->frames, t->own, &want);
	r = nft_readback(t->sock, &have, err);
	if (r < 0)
		return bh_err_prefix(err, r, "reading the table");
	*ret_commit = have.commit_id;
	t->res->outcome = have.present ? APPLY_UPDATED : APPLY_CREATED;
	if (have.present && !differs(&want, &have, why, sizeof(why))) {
		t->res->outcome = APPLY_UNCHANGED;
	} else {
		if (have.present && !have.intact)
			snprintf(t->res->why, sizeof(t->res->why), "%s", have.drift);
		r = nft_apply(t->sock, &want, &have, err);
	}
	if (r < 0 && r != -ERESTART)
		r = explain_owner(t, &have, explain_refusal(r, err), err);
	nft_state_done(&have);
	return r;
}

/* The kernel's word for what was written when its nf_tables were at COMMIT. */
static int verify_one(struct task *t, uint32_t commit, struct bh_err *err)
{
	struct nft_state have = { 0 };
	struct nft_want want;
	char why[256] = "the table is not there";
	int r;

	r = nft_readback(t->sock, &have, err);
	if (r < 0)
		return bh_err_prefix(err, r, "verifying the table");
	want_of(t->ruleset, &t->frames, t->own, &want);
	if (!have.present || differs(&want, &have, why, sizeof(why))) {
		if (have.commit_id != commit + 1)
			r = bh_err_set(err, -EAGAIN,
				       "somebody else changed the table right after: %s; "
				       "run the command again",
				       why);
		else
			r = bh_err_set(err, -EIO, "the kernel does not hold what was written: %s",
				       why);
	}
	nft_state_done(&have);
	return r;
}

static int apply_one(struct task *t, struct bh_err *err)
{
	uint32_t commit = 0;
	int r = -ERESTART;

	for (int i = 0; i < WRITE_TRIES && r == -ERESTART; i++)
		r = write_one(t, &commit, err);
	if (r == -ERESTART)
		return bh_err_set(err, r,
				  "somebody else keeps changing nf_tables there; "
				  "run the command again");
	if (r < 0 || t->res->outcome == APPLY_UNCHANGED)
		return r;
	return verify_one(t, commit, err);
}

static int remove_one(struct task *t, struct bh_err *err)
{
	bool was_there = false;
	int r = nft_remove(t->sock, &was_there, err);

	if (r == -ENOENT) { /* somebody else took it away meanwhile: two endpoints may share one */
		was_there = false;
		r = 0;
	}
	t->res->outcome = was_there ? APPLY_REMOVED : APPLY_UNCHANGED;
	if (r == -EPERM && was_there)
		bh_err_prefix(err, r, "its tables may belong to a running bulkheadd");
	return r;
}

bool has_own_namespace(const struct endpoint *e, uint64_t host_ino)
{
	return e->netns && e->obstacle != ENDPOINT_HOST_NETWORK &&
	       (!e->netns_ino || e->netns_ino != host_ino);
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

/* For a daemon: what it keeps open owns the tables, and keeps AF_XDP out. */
static int open_hold(struct holds *holds, const struct endpoint *e, struct task *t,
		     struct hold **ret, struct bh_err *err)
{
	int r = holds_open(holds, e, ret, err);

	if (r < 0)
		return r;
	t->sock = hold_socket(*ret);
	t->own = true;
	return frames_of(hold_netns(*ret), &t->frames, err);
}

static int work_held(struct holds *holds, const struct endpoint *e, struct task *t,
		     struct bh_err *err)
{
	struct hold *hold = NULL;
	int r = open_hold(holds, e, t, &hold, err);

	if (r >= 0 && t->ruleset)
		r = apply_one(t, err);
	else if (r >= 0)
		r = remove_one(t, err);
	if (r >= 0 && t->ruleset)
		hold_take_queues(hold, NULL); /* who cannot is weak, and said to be */
	else if (r >= 0)
		holds_release(holds, hold_ino(hold));
	return r;
}

static int work_once(struct handles *handles, const struct endpoint *e, struct task *t,
		     struct bh_err *err)
{
	int r = handles_open(handles, e, &t->sock, &t->frames, err);

	if (r < 0)
		return r;
	return t->ruleset ? apply_one(t, err) : remove_one(t, err);
}

static void work_on(void *state, size_t i, void *arg)
{
	const struct jobs *jobs = arg;
	const struct job *job = &jobs->job[i];
	const struct endpoint *e = &jobs->site->endpoints->endpoints[job->endpoint];
	struct apply_result res = { .endpoint = job->endpoint };
	struct task t = { .ruleset = job->want, .res = &res };
	struct bh_err err = BH_ERR_INIT;
	int r = jobs->site->holds ? work_held(jobs->site->holds, e, &t, &err)
				  : work_once(state, e, &t, &err);

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

static void work_all(const struct workers *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->work(NULL, i, w->arg);
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
	else if (s->holds) /* what is opened must stay in this process */
		work_all(&w, jobs.n);
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
