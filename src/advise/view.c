/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adviser.h"

#include <errno.h>

int view_build(struct view *v, const struct policy_set *policies, const struct advise_input *in,
	       struct bh_err *err)
{
	struct diag_list diags;
	int r;

	*v = (struct view) { .in = { policies, in->endpoints, in->host, in->now } };
	diag_list_init(&diags);
	r = selection_new(policies, in->endpoints, in->host->image_labels, &v->selection, err);
	if (r >= 0)
		r = compile_rulesets(&v->in, true, &v->rulesets, &diags, err);
	if (r >= 0)
		r = explainer_new(&v->in, v->rulesets, &v->explainer, err);
	if (r < 0 && !err->msg[0] && diags.n)
		bh_err_set(err, r, "%s", diags.d[0].text);
	diag_list_done(&diags);
	return r;
}

void view_done(struct view *v)
{
	explainer_free(v->explainer);
	ruleset_list_free(v->rulesets);
	selection_free(v->selection);
	*v = (struct view) { 0 };
}

const struct explain_end *end_of(const struct explanation *x, enum direction d)
{
	return d == DIRECTION_EGRESS ? &x->source : &x->destination;
}

bool end_is_clean(const struct explain_end *e)
{
	return !e->enforced || (e->allowed && !e->audit);
}

int flow_judge(const struct view *v, const struct chosen *f, struct explanation *x, bool *ret_clean,
	       struct bh_err *err)
{
	int r = explain(v->explainer, &f->from.party, &f->to.party, &f->port, x, err);

	if (r < 0)
		return r;
	*ret_clean = true;
	for (int d = 0; d < DIRECTIONS; d++)
		*ret_clean &= !f->asked[d] || end_is_clean(end_of(x, (enum direction)d));
	/* Neither end holds it, and it is denied all the same: no addresses, or those of two. */
	if (x->verdict == EXPLAIN_DENY && !x->source.enforced && !x->destination.enforced)
		*ret_clean = false;
	return 0;
}
