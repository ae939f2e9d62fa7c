/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/limits.h>

/* What depends on the policies alone: names, sets of labels, and what each rule looks at. */

/* --- sets of labels --------------------------------------------------------------------------- */

struct use {
	const void *of;
	struct label_set what; /* without members */
};

static int labels_cmp(const struct label_set *x, const struct label_set *y)
{
	int r = 0;

	if (x->n_labels != y->n_labels)
		return x->n_labels < y->n_labels ? -1 : 1;
	for (size_t i = 0; !r && i < x->n_labels; i++) {
		r = strcmp(x->labels[i].key, y->labels[i].key);
		r = r ? r : strcmp(x->labels[i].value, y->labels[i].value);
	}
	return r;
}

static int port_cmp(const struct port_name *x, const struct port_name *y)
{
	int r = (int)x->proto - (int)y->proto;

	return r ? r : strcmp(x->name, y->name);
}

static int use_cmp_content(const void *a, const void *b)
{
	const struct label_set *x = &((const struct use *)a)->what;
	const struct label_set *y = &((const struct use *)b)->what;

	if (!x->pods != !y->pods)
		return x->pods ? 1 : -1;
	if (!x->port != !y->port)
		return x->port ? 1 : -1;
	if (x->pods)
		return pods_cmp(x->pods, y->pods);
	return x->port ? port_cmp(x->port, y->port) : labels_cmp(x, y);
}

static int use_cmp_place(const void *a, const void *b)
{
	const struct label_use *x = a, *y = b;
	uintptr_t p = (uintptr_t)x->of, q = (uintptr_t)y->of;

	return (p > q) - (p < q);
}

static int list_use(struct bh_vec *v, const void *of, const struct label_set *what)
{
	struct use *u = bh_vec_push(v);

	if (u)
		*u = (struct use) { of, *what };
	return u ? 0 : -ENOMEM;
}

static int list_peer(struct bh_vec *v, const struct peer *p)
{
	if (p->pods)
		return list_use(v, p->pods, &(struct label_set) { .pods = p->pods });
	if (!p->n_labels)
		return 0;
	return list_use(v, p->labels,
			&(struct label_set) { .labels = p->labels, .n_labels = p->n_labels });
}

static int list_rule(struct bh_vec *v, const struct rule *rule)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < rule->n_peers; i++)
		r = list_peer(v, &rule->peers[i]);
	for (size_t i = 0; r >= 0 && i < rule->n_named; i++)
		r = list_use(v, &rule->named[i], &(struct label_set) { .port = &rule->named[i] });
	return r;
}

static int list_deny(struct bh_vec *v, const struct deny *d)
{
	int r = list_rule(v, &d->rule);

	for (size_t i = 0; r >= 0 && i < d->n_unless; i++)
		r = list_peer(v, &d->unless[i].peer);
	return r;
}

static int list_uses(const struct policy_set *p, struct bh_vec *v)
{
	int r = 0;

	for (size_t k = 0; k < p->n_services; k++)
		for (int d = 0; d < DIRECTIONS; d++)
			for (size_t i = 0; r >= 0 && i < p->services[k].n_rules[d]; i++)
				r = list_rule(v, &p->services[k].rules[d][i]);
	for (size_t k = 0; k < p->n_guardrails; k++)
		for (size_t i = 0; r >= 0 && i < p->guardrails[k].n_deny; i++)
			r = list_deny(v, &p->guardrails[k].deny[i]);
	return r;
}

static int make_label_sets(struct compile_state *st)
{
	struct label_sets *s = &st->label_sets;
	struct label_use *uses;
	struct bh_vec v;
	struct use *u;
	int r;

	bh_vec_init(&v, sizeof(struct use), SIZE_MAX);
	r = list_uses(st->in.policies, &v);
	s->sets = bh_arena_array(st->plans, v.n + 1, sizeof(*s->sets));
	uses = bh_arena_array(st->plans, v.n + 1, sizeof(*uses));
	if (r >= 0 && (!s->sets || !uses))
		r = -ENOMEM;
	u = v.data;
	if (r >= 0 && v.n)
		qsort(u, v.n, sizeof(*u), use_cmp_content);
	for (size_t i = 0; r >= 0 && i < v.n; i++) {
		if (!i || use_cmp_content(&u[i - 1], &u[i]) != 0)
			s->sets[s->n++] = u[i].what;
		uses[i] = (struct label_use) { u[i].of, (uint32_t)s->n - 1 };
	}
	if (r >= 0 && v.n)
		qsort(uses, v.n, sizeof(*uses), use_cmp_place);
	s->uses = uses;
	s->n_uses = v.n;
	bh_vec_done(&v);
	return r;
}

/* --- needs ------------------------------------------------------------------------------------ */

static int need(struct bh_vec *v, size_t list)
{
	uint32_t *slot = bh_vec_push(v);

	if (slot)
		*slot = (uint32_t)list;
	return slot ? 0 : -ENOMEM;
}

static int need_services(const struct compile_state *st, const char *name, const char *scope,
			 struct bh_vec *v)
{
	const struct policy_set *p = st->in.policies;
	int r = 0;

	for (size_t k = 0; r >= 0 && k < p->n_services; k++) {
		const struct service *s = &p->services[k];

		if ((name && strcmp(s->name, name) == 0) ||
		    (scope && s->scope && strcmp(s->scope, scope) == 0))
			r = need(v, k);
	}
	return r;
}

static int need_set(const struct compile_state *st, const void *of, struct bh_vec *v)
{
	const struct label_set *set = label_sets_find(&st->label_sets, of);

	return set ? need(v, state_list_of_set(st, (size_t)(set - st->label_sets.sets))) : -ENOENT;
}

static int need_peer(const struct compile_state *st, const struct peer *p, struct bh_vec *v,
		     struct needs *n)
{
	int r = 0;

	if (p->service)
		r = need_services(st, p->service, NULL, v);
	if (r >= 0 && p->scope)
		r = need_services(st, NULL, p->scope, v);
	if (r >= 0 && p->not_scope)
		r = need_services(st, NULL, p->not_scope, v);
	if (r >= 0 && p->n_labels)
		r = need_set(st, p->labels, v);
	if (r >= 0 && p->pods)
		r = need_set(st, p->pods, v);
	if (r >= 0 && p->entity == ENTITY_MANAGED)
		r = need(v, state_list_more(st, LIST_MANAGED));
	if (r >= 0 && p->entity == ENTITY_HOST)
		r = need(v, state_list_more(st, LIST_HOST));
	n->known |= p->entity == ENTITY_WORLD;
	n->contested |=
		p->has_cidr || p->group || p->entity == ENTITY_WORLD || p->entity == ENTITY_ALL;
	return r;
}

static int keep_list(struct compile_state *st, struct bh_vec *v, const uint32_t **ret,
		     size_t *ret_n)
{
	*ret = bh_arena_memdup(st->plans, v->data, v->n * sizeof(uint32_t));
	*ret_n = v->n;
	bh_vec_done(v);
	return *ret ? 0 : -ENOMEM;
}

static int keep_needs(struct compile_state *st, struct bh_vec *v, struct needs *n)
{
	return keep_list(st, v, &n->lists, &n->n_lists);
}

/* Those who have a port of that name, and what its number is. */
static int plan_named(struct compile_state *st, const struct rule *rule, struct needs *n)
{
	struct bh_vec v;
	int r = 0;

	bh_vec_init(&v, sizeof(uint32_t), SIZE_MAX);
	for (size_t i = 0; r >= 0 && i < rule->n_named; i++)
		r = need_set(st, &rule->named[i], &v);
	return keep_list(st, &v, &n->ports, &n->n_ports) < 0 ? -ENOMEM : r;
}

static int plan_rule(struct compile_state *st, size_t service, const struct rule *rule,
		     struct needs *n)
{
	struct bh_vec v;
	int r = 0;

	bh_vec_init(&v, sizeof(uint32_t), SIZE_MAX);
	for (size_t i = 0; r >= 0 && i < rule->n_peers; i++)
		r = need_peer(st, &rule->peers[i], &v, n);
	if (r >= 0 && rule->n_named)
		r = need(&v, service); /* whose ports they are, for whoever follows */
	if (r >= 0)
		r = plan_named(st, rule, n);
	return keep_needs(st, &v, n) < 0 ? -ENOMEM : r;
}

/* What is in doubt is denied, so a contested address is of concern to every entry. */
static int plan_deny(struct compile_state *st, const struct deny *d, struct needs *n)
{
	struct bh_vec v;
	int r = 0;

	bh_vec_init(&v, sizeof(uint32_t), SIZE_MAX);
	for (size_t i = 0; r >= 0 && i < d->rule.n_peers; i++)
		r = need_peer(st, &d->rule.peers[i], &v, n);
	for (size_t i = 0; r >= 0 && i < d->n_unless; i++)
		r = need_peer(st, &d->unless[i].peer, &v, n);
	n->contested = true;
	return keep_needs(st, &v, n) < 0 ? -ENOMEM : r;
}

static bool is_narrow(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (rule->ports[i].proto != PROTO_ANY && rule->ports[i].lo != rule->ports[i].hi)
			return true;
	return false;
}

static int plan_service(struct compile_state *st, size_t k)
{
	const struct service *s = &st->in.policies->services[k];
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++) {
		struct plan *p = bh_arena_array(st->plans, s->n_rules[d] + 1, sizeof(*p));

		st->rule_plans[d][k] = p;
		r = p ? 0 : -ENOMEM;
		for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++) {
			p[i].narrow = is_narrow(&s->rules[d][i]);
			r = plan_rule(st, k, &s->rules[d][i], &p[i].needs);
		}
	}
	return r;
}

static int plan_guardrail(struct compile_state *st, size_t k)
{
	const struct guardrail *g = &st->in.policies->guardrails[k];
	struct plan *p = bh_arena_array(st->plans, g->n_deny + 1, sizeof(*p));
	int r = p ? 0 : -ENOMEM;

	st->deny_plans[k] = p;
	for (size_t i = 0; r >= 0 && i < g->n_deny; i++)
		r = plan_deny(st, &g->deny[i], &p[i].needs);
	return r;
}

static int make_arrays(struct compile_state *st)
{
	const struct policy_set *p = st->in.policies;
	size_t n = p->n_services + 1, n_lists = p->n_services + st->label_sets.n + LISTS_MORE;
	struct bh_arena *a = st->plans;

	st->lists = bh_arena_array(a, n_lists, sizeof(*st->lists));
	st->touched = bh_arena_array(a, n_lists, sizeof(*st->touched));
	st->changed = bh_arena_array(a, n_lists, sizeof(*st->changed));
	st->service_changed = bh_arena_array(a, n, sizeof(*st->service_changed));
	st->guard_changed = bh_arena_array(a, p->n_guardrails + 1, sizeof(*st->guard_changed));
	st->deny_plans = bh_arena_array(a, p->n_guardrails + 1, sizeof(*st->deny_plans));
	st->moves = bh_arena_array(a, n_lists, sizeof(*st->moves));
	for (int d = 0; d < DIRECTIONS; d++)
		st->rule_plans[d] = bh_arena_array(a, n, sizeof(*st->rule_plans[d]));
	if (!st->lists || !st->touched || !st->changed || !st->service_changed ||
	    !st->guard_changed || !st->deny_plans || !st->moves || !st->rule_plans[0] ||
	    !st->rule_plans[1])
		return -ENOMEM;
	st->c.resolver.services = st->lists;
	st->label_sets.addrs = st->lists + p->n_services;
	st->c.resolver.label_sets = &st->label_sets;
	return 0;
}

static int name_all(struct compile_state *st, struct bh_err *err)
{
	struct compiler *c = &st->c;

	c->generation = bh_arena_strndup(c->names, st->in.policies->digest, 16);
	if (!c->generation || guards_name(&c->resolver, c->names, st->plans, &c->guards) < 0)
		return bh_err_oom(err);
	return compiler_name_live(c);
}

int plans_make(struct compile_state *st, struct bh_err *err)
{
	const struct policy_set *p = st->in.policies;
	int r = make_label_sets(st);

	if (r >= 0)
		r = make_arrays(st);
	for (size_t k = 0; r >= 0 && k < p->n_services; k++)
		r = plan_service(st, k);
	for (size_t k = 0; r >= 0 && k < p->n_guardrails; k++)
		r = plan_guardrail(st, k);
	/* While no address is contested: whoever uses a group takes those out himself. */
	st->c.resolver.arena = st->plans;
	if (r >= 0)
		r = resolver_build_groups(&st->c.resolver);
	if (r == -E2BIG)
		return bh_err_set(err, r, "a group has more than %d ranges", BH_RANGES_MAX);
	return r < 0 ? bh_err_oom(err) : name_all(st, err);
}
