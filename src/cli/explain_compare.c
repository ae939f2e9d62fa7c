/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include <stdio.h>

/* explain --compare: other policies, the same endpoints. */

static int compile(struct comparison *c, const struct site *s)
{
	struct bh_err err = BH_ERR_INIT;
	struct diag_list diags;
	int r;

	c->in = (struct compile_input) { c->site.policies, s->endpoints, &c->site.host, s->now };
	diag_list_init(&diags);
	r = compile_rulesets(&c->in, true, &c->rulesets, &diags, &err);
	diag_list_done(&diags);
	if (r >= 0)
		r = explainer_new(&c->in, c->rulesets, &c->explainer, &err);
	return r < 0 ? cli_fail(CLI_FAILED, "explain: %s", err.msg) : CLI_YES;
}

int comparison_load(struct comparison *c, const struct site *s, const struct cli_options *o)
{
	struct cli_options other = *o;
	int code;

	other.policies[0] = o->compare;
	other.n_policies = 1;
	code = cli_load(&c->site, &other, NEED_POLICIES);
	return code == CLI_YES ? compile(c, s) : code;
}

void comparison_done(struct comparison *c)
{
	explainer_free(c->explainer);
	ruleset_list_free(c->rulesets);
	site_done(&c->site);
}
