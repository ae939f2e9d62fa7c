/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/compile.h>

#include <errno.h>
#include <stdlib.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>

#include "names.h"

/* What is written in policies, and what counts it in the kernel. */

struct walk {
	struct bh_arena *arena; /* of one service or guardrail */
	int (*fn)(const struct compile_rule *r, void *arg);
	void *arg;
};

static int hand_out(const struct walk *w, struct compile_rule *r, const char *name)
{
	r->name = name;
	return name ? w->fn(r, w->arg) : -ENOMEM;
}

static int each_of_direction(const struct walk *w, const struct service *s, enum direction d)
{
	bh_autofree const char **slugs = calloc(s->n_rules[d] + 1, sizeof(*slugs));
	int r = slugs ? names_of_rules(w->arena, s, d, slugs) : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++) {
		struct compile_rule rule = { .service = s,
					     .direction = d,
					     .rule = &s->rules[d][i],
					     .loc = &s->rules[d][i].loc };

		r = hand_out(w, &rule, names_full(w->arena, s, d, slugs[i]));
	}
	return r;
}

static int each_of_service(const struct walk *w, const struct service *s)
{
	struct compile_rule dns = { .service = s,
				    .direction = DIRECTION_EGRESS,
				    .loc = &s->dns_loc };
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = each_of_direction(w, s, (enum direction)d);
	if (r < 0 || !s->dns)
		return r;
	return hand_out(w, &dns, names_full(w->arena, s, DIRECTION_EGRESS, "dns"));
}

static int each_deny(const struct walk *w, const struct guardrail *g, enum direction d)
{
	bh_autofree const struct rule **rules = calloc(g->n_deny + 1, sizeof(*rules));
	bh_autofree const char **slugs = calloc(g->n_deny + 1, sizeof(*slugs));
	size_t n = 0;
	int r;

	if (!rules || !slugs)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_deny; i++)
		if (g->deny[i].direction == d)
			rules[n++] = &g->deny[i].rule;
	r = names_of_list(w->arena, rules, n, d, NULL, slugs);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct compile_rule rule = {
			.guardrail = g, .direction = d, .rule = rules[i], .loc = &rules[i]->loc
		};

		r = hand_out(w, &rule, names_guard(w->arena, g, d, slugs[i]));
	}
	return r;
}

static int each_of_guardrail(const struct walk *w, const struct guardrail *g)
{
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = each_deny(w, g, (enum direction)d);
	return r;
}

int compile_each_rule(const struct policy_set *p,
		      int (*fn)(const struct compile_rule *r, void *arg), void *arg,
		      struct bh_err *err)
{
	struct walk w = { .fn = fn, .arg = arg };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->n_services + p->n_guardrails; i++) {
		w.arena = bh_arena_new();
		if (!w.arena)
			return bh_err_oom(err);
		r = i < p->n_services ? each_of_service(&w, &p->services[i])
				      : each_of_guardrail(&w, &p->guardrails[i - p->n_services]);
		bh_arena_free(w.arena);
	}
	return r == -ENOMEM ? bh_err_oom(err) : r;
}
