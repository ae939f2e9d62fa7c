/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "task.h"

#include <errno.h>
#include <stdio.h>

#include <bulkhead/base/cleanup.h>

#include "kernel.h"
#include "want.h"

/* Others may change nf_tables between our reading and our writing; then it is begun again. */
#define WRITE_TRIES 16

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

/*
 * What was read is what is wanted, so what is wanted stands. Unless there is more of it: what a rule
 * left that has expired since.
 */
static void note_standing(struct task *t, const struct nft_state *have)
{
	t->stands = !have->idle_maps && have->ruleset->n_rules == t->ruleset->n_rules;
	t->commit_id = have->commit_id;
	t->alternates = have->alternates;
}

/*
 * Read, and write if it differs. -ERESTART: somebody else wrote in between, perhaps when half was
 * done. *RET_COMMIT: which was the last.
 */
static int write_one(struct task *t, uint32_t *ret_commit, struct bh_err *err)
{
	struct nft_written written = { 0 };
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
		note_standing(t, &have);
	} else {
		if (have.present && !have.intact)
			snprintf(t->res->why, sizeof(t->res->why), "%s", have.drift);
		r = nft_apply(t->sock, &want, &have, &written, err);
		*ret_commit = written.commit_id;
	}
	if (r < 0 && r != -ERESTART)
		r = explain_owner(t, &have, explain_refusal(r, err), err);
	nft_state_done(&have);
	return r;
}

/* The kernel's word for what was written, the last of it by COMMIT. */
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
		if (have.commit_id != commit)
			r = bh_err_set(err, -EAGAIN,
				       "somebody else changed the table right after: %s; "
				       "run the command again",
				       why);
		else
			r = bh_err_set(err, -EIO, "the kernel does not hold what was written: %s",
				       why);
	}
	if (r >= 0)
		note_standing(t, &have);
	nft_state_done(&have);
	return r;
}

int task_bring_about(struct task *t, struct bh_err *err)
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

int task_remove(struct task *t, struct bh_err *err)
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
