/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/compile.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

/* Policy tests: what a policy set is to allow and to deny, asked of the explainer. */

struct trial {
	struct compile_input in;
	struct endpoint_set *endpoints;
	struct selection *selection;
	struct ruleset_list *rulesets;
	struct explainer *explainer;
};

/* --- endpoints -------------------------------------------------------------------------------- */

enum { PER_SERVICE = 2 }; /* a service may speak to another container of its own */

static int add_standins(struct endpoint_builder *b, const struct standin_block *block,
			const struct service *s, uint32_t k, bool alone, struct bh_err *err)
{
	static const char *const marks[2][PER_SERVICE] = {
		{ " (stand-in)", " (stand-in 2)" },
		{ "", " (another)" },
	};
	char id[128];
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < PER_SERVICE; i++) {
		snprintf(id, sizeof(id), "%s%s", s->name, marks[alone][i]);
		r = standin_add(b, block, s, NULL, 0, PER_SERVICE * k + i, id, err);
	}
	return r;
}

static int add_inventory(struct endpoint_builder *b, const struct endpoint_set *inventory,
			 struct bh_err *err)
{
	return inventory ? endpoint_builder_add_set(b, inventory, NULL, NULL, err) : 0;
}

/* HAS: who of the services has endpoints, or NULL: none has. */
static int make_endpoints(struct trial *t, const struct endpoint_set *inventory,
			  const struct selection *has, struct bh_err *err)
{
	const struct policy_set *p = t->in.policies;
	struct endpoint_builder *b = endpoint_builder_new();
	struct standin_block block;
	int r = b ? add_inventory(b, inventory, err) : bh_err_oom(err);

	standin_block_choose(&p, 1, &block);
	for (uint32_t k = 0; r >= 0 && k < p->n_services; k++)
		if (!has || has->endpoints_of[k].n == 0)
			r = add_standins(b, &block, &p->services[k], k, !inventory, err);
	if (r >= 0)
		r = endpoint_builder_finish(b, &t->endpoints, err);
	endpoint_builder_free(b);
	t->in.endpoints = t->endpoints;
	return r;
}

static int populate(struct trial *t, const struct endpoint_set *inventory, struct bh_err *err)
{
	struct selection *has = NULL;
	int r = 0;

	if (inventory)
		r = selection_new(t->in.policies, inventory, t->in.host->image_labels, &has, err);
	if (r >= 0)
		r = make_endpoints(t, inventory, has, err);
	selection_free(has);
	return r;
}

int trial_new(const struct policy_set *policies, const struct endpoint_set *inventory,
	      const struct host_config *host, int64_t now, struct trial **ret,
	      struct diag_list *diags, struct bh_err *err)
{
	struct trial *t = calloc(1, sizeof(*t));
	int r = t ? 0 : bh_err_oom(err);

	if (t) {
		t->in = (struct compile_input) { policies, NULL, host, now };
		r = populate(t, inventory, err);
	}
	if (r >= 0)
		r = selection_new(policies, t->endpoints, host->image_labels, &t->selection, err);
	if (r >= 0)
		r = compile_rulesets(&t->in, true, &t->rulesets, diags, err);
	if (r >= 0)
		r = explainer_new(&t->in, t->rulesets, &t->explainer, err);
	if (r >= 0)
		*ret = t;
	else
		trial_free(t);
	return r;
}

void trial_free(struct trial *t)
{
	if (!t)
		return;
	explainer_free(t->explainer);
	ruleset_list_free(t->rulesets);
	selection_free(t->selection);
	endpoint_set_free(t->endpoints);
	free(t);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* What a name stands for: the endpoints of a service, or one party. */
struct side {
	const struct selection_list *service; /* or NULL */
	struct explain_party one;
};

static const char *nearest_service(const struct trial *t, const char *name)
{
	size_t n = t->in.policies->n_services;
	bh_autofree const char **words = calloc(n + 1, sizeof(*words));

	for (size_t i = 0; words && i < n; i++)
		words[i] = t->in.policies->services[i].name;
	return words ? bh_nearest(name, words, n) : NULL;
}

static int report(const struct trial *t, const struct src_loc *loc, const char *name,
		  const struct bh_err *why, struct diag_list *diags)
{
	const char *near = nearest_service(t, name);
	char shown[128], hint[160];

	if (near)
		snprintf(hint, sizeof(hint), "did you mean the service \"%s\"?", near);
	diag_add(diags, DIAG_ERROR, loc, "unknown-party",
		 near ? hint : "name a service, an endpoint of --inventory, or an address",
		 "no service is named \"%s\"; %s", bh_escape_str(shown, sizeof(shown), name),
		 why->msg);
	return -ENOENT;
}

static int find(const struct trial *t, const char *name, const struct src_loc *loc,
		struct side *ret, struct diag_list *diags)
{
	const struct service *s = policy_set_service(t->in.policies, name);
	struct bh_err why = BH_ERR_INIT;

	*ret = (struct side) { 0 };
	if (s) {
		ret->service = &t->selection->endpoints_of[s - t->in.policies->services];
		return 0;
	}
	if (explain_party_parse(t->endpoints, name, &ret->one, &why) < 0)
		return report(t, loc, name, &why, diags);
	return 0;
}

static size_t count(const struct side *s)
{
	return s->service ? s->service->n : 1;
}

static struct explain_party party(const struct side *s, size_t i)
{
	if (!s->service)
		return s->one;
	return (struct explain_party) { .is_endpoint = true, .endpoint = s->service->i[i] };
}

/* To itself everything passes, which says nothing of the service. */
static bool says_nothing(const struct side *from, const struct side *to,
			 const struct explain_party *a, const struct explain_party *b)
{
	return (count(from) > 1 || count(to) > 1) && a->is_endpoint && b->is_endpoint &&
	       a->endpoint == b->endpoint;
}

/* The first pair whose verdict is not the one expected, else the first of all. */
static size_t decide(const struct trial *t, const struct expectation *e, const struct side *from,
		     const struct side *to, struct explain_party ret[2], bool *ret_passed)
{
	enum explain_verdict expected = e->allow ? EXPLAIN_ALLOW : EXPLAIN_DENY;
	size_t pairs = 0;

	*ret_passed = true;
	for (size_t i = 0; i < count(from); i++) {
		for (size_t k = 0; k < count(to); k++) {
			struct explain_party a = party(from, i), b = party(to, k);

			if (says_nothing(from, to, &a, &b))
				continue;
			*ret_passed = explain_verdict(t->explainer, &a, &b, &e->port) == expected;
			if (!pairs++ || !*ret_passed) {
				ret[0] = a;
				ret[1] = b;
			}
			if (!*ret_passed)
				return pairs;
		}
	}
	return pairs;
}

int trial_ask(const struct trial *t, const struct expectation *e, struct trial_answer *ret,
	      struct diag_list *diags, struct bh_err *err)
{
	struct explain_party pair[2] = { 0 };
	struct side from, to;
	int r = find(t, e->from, &e->from_loc, &from, diags);
	int q = find(t, e->to, &e->to_loc, &to, diags);

	*ret = (struct trial_answer) { 0 };
	if (r < 0 || q < 0)
		return r < 0 ? r : q;
	ret->pairs = decide(t, e, &from, &to, pair, &ret->passed);
	if (!ret->pairs) {
		ret->passed = false;
		return bh_err_set(err, -ENOENT, "nobody to ask about");
	}
	return explain(t->explainer, &pair[0], &pair[1], &e->port, &ret->x, err);
}
