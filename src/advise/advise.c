/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/limits.h>

int adviser_new(const struct advise_input *in, struct adviser **ret, struct bh_err *err)
{
	struct adviser *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return bh_err_oom(err);
	a->in = in;
	bh_vec_init(&a->flows, sizeof(struct chosen), BH_SUGGEST_FLOWS_MAX);
	bh_vec_init(&a->refused, sizeof(struct advice_refusal), BH_SUGGEST_REFUSED_MAX);
	bh_vec_init(&a->notes, sizeof(const char *), 4 * BH_SUGGEST_FLOWS_MAX);
	bh_vec_init(&a->wants, sizeof(struct want), DIRECTIONS * BH_SUGGEST_FLOWS_MAX);
	bh_vec_init(&a->edits, sizeof(struct policy_edit *), 2 * DIRECTIONS * BH_SUGGEST_FLOWS_MAX);
	a->arena = bh_arena_new();
	r = a->arena ? owners_index(a, err) : bh_err_oom(err);
	if (r >= 0)
		r = view_build(&a->before, in->policies, in, err);
	if (r < 0) {
		adviser_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void adviser_free(struct adviser *a)
{
	if (!a)
		return;
	view_done(&a->before);
	addr_index_done(&a->owners);
	bh_vec_done(&a->flows);
	bh_vec_done(&a->refused);
	bh_vec_done(&a->notes);
	bh_vec_done(&a->wants);
	bh_vec_done(&a->edits);
	if (a->arena)
		bh_arena_free(a->arena);
	free(a);
}

/* Each round refuses a flow at least, or is the last. */
static int try_until_right(struct adviser *a, struct attempt *t, struct bh_err *err)
{
	for (;;) {
		int r = wants_find(a, err);

		if (r >= 0)
			r = wants_join(a, err);
		if (r < 0 || !a->edits.n)
			return r;
		r = attempt_edits(a, t, err);
		if (r)
			return r;
		attempt_done(t);
	}
}

int adviser_advise(struct adviser *a, struct advice *ret, struct bh_err *err)
{
	struct attempt t = { 0 };
	int r = try_until_right(a, &t, err);

	*ret = (struct advice) { 0 };
	if (r >= 0)
		r = attempt_texts(a, ret, err);
	if (r >= 0 && a->edits.n)
		r = also_find(a, &t, ret, err);
	if (r >= 0)
		r = remark_wants(a, err);
	attempt_done(&t);
	ret->refused = a->refused.data;
	ret->n_refused = a->refused.n;
	ret->refused_more = a->refused_more;
	ret->notes = a->notes.data;
	ret->n_notes = a->notes.n;
	return r < 0 ? r : 0;
}
