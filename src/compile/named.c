/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/*
 * Named ports. The name is looked up at the destination: for a rule of egress at whoever is sent to, so
 * that it comes to another number for each; for a rule of ingress in the namespace itself.
 */

/* --- at whoever is sent to -------------------------------------------------------------------- */

struct found {
	struct port_spec port;
	struct bh_addr addr;
};

static int found_cmp(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int r = (int)x->port.proto - (int)y->port.proto;

	r = r ? r : (int)x->port.lo - (int)y->port.lo;
	return r ? r : bh_addr_cmp(&x->addr, &y->addr);
}

static int find_at(const struct endpoint *e, const struct port_name *name,
		   const struct target *where, struct bh_vec *v)
{
	for (size_t i = 0; i < e->n_ports; i++) {
		const struct port_spec port = { name->proto, e->ports[i].port, e->ports[i].port };

		if (!pods_port_is(&e->ports[i], name))
			continue;
		for (size_t k = 0; k < e->n_addrs; k++) {
			struct found *f;

			if (!target_has(where, &e->addrs[k]))
				continue;
			f = bh_vec_push(v);
			if (!f)
				return v->n == v->max ? -E2BIG : -ENOMEM;
			*f = (struct found) { port, e->addrs[k] };
		}
	}
	return 0;
}

static int find_all(struct resolver *r, const struct rule *rule, const struct target *where,
		    struct bh_vec *v)
{
	int error = 0;

	for (size_t i = 0; error >= 0 && i < rule->n_named; i++) {
		const struct label_set what = { .port = &rule->named[i] };
		struct selection_list l;

		error = resolver_members(r, &what, &rule->named[i], &l);
		for (size_t k = 0; error >= 0 && k < l.n; k++)
			error = find_at(&r->in->endpoints->endpoints[l.i[k]], &rule->named[i],
					where, v);
	}
	return error;
}

/* One target for each number. */
static int group(struct resolver *r, struct bh_vec *v, struct named_list *ret)
{
	struct named_target *t = bh_arena_array(r->arena, v->n + 1, sizeof(*t));
	struct bh_addr *a = bh_arena_array(r->arena, v->n + 1, sizeof(*a));
	struct found *f = v->data;
	size_t n = 0, at = 0;

	if (!t || !a)
		return -ENOMEM;
	if (v->n)
		qsort(f, v->n, sizeof(*f), found_cmp);
	for (size_t i = 0; i < v->n; i++) {
		if (i && found_cmp(&f[i - 1], &f[i]) == 0)
			continue;
		if (!n || memcmp(&t[n - 1].port, &f[i].port, sizeof(f->port)) != 0)
			t[n++] = (struct named_target) { f[i].port, { a + at, 0 } };
		a[at++] = f[i].addr;
		t[n - 1].to.n++;
	}
	*ret = (struct named_list) { t, n };
	return 0;
}

int named_resolve(struct resolver *r, const struct rule *rule, const struct target *where,
		  struct named_list *ret)
{
	struct bh_vec v;
	int error;

	*ret = (struct named_list) { 0 };
	if (!rule->n_named)
		return 0;
	bh_vec_init(&v, sizeof(struct found), BH_RANGES_MAX);
	error = find_all(r, rule, where, &v);
	if (error >= 0)
		error = group(r, &v, ret);
	bh_vec_done(&v);
	return error;
}

bool named_list_equal(const struct named_list *x, const struct named_list *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (memcmp(&x->t[i].port, &y->t[i].port, sizeof(x->t->port)) != 0 ||
		    !addr_list_equal(&x->t[i].to, &y->t[i].to))
			return false;
	return true;
}

/* --- in the namespace itself ------------------------------------------------------------------ */

static int port_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b; /* four numbers each */

	for (int i = 0; i < 4; i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}
_Static_assert(sizeof(struct subject_port) == 4 * sizeof(uint32_t), "it is compared as numbers");

static int list_ports(const struct endpoint *e, const struct port_name *name,
		      const struct subject_port *at, struct bh_vec *v)
{
	for (size_t i = 0; i < e->n_ports; i++) {
		struct subject_port *slot;

		if (!pods_port_is(&e->ports[i], name))
			continue;
		slot = bh_vec_push(v);
		if (!slot)
			return -ENOMEM;
		*slot = *at;
		slot->port = e->ports[i].port;
	}
	return 0;
}

static int list_rule(struct compiler *c, const uint32_t *members, size_t n, uint32_t service,
		     uint32_t i, struct bh_vec *v)
{
	const struct rule *rule = &compiler_service(c, service)->rules[DIRECTION_INGRESS][i];
	int r = 0;

	for (uint32_t k = 0; k < rule->n_named; k++) {
		const struct subject_port at = { service, i, k, 0 };

		for (size_t m = 0; r >= 0 && m < n; m++)
			r = list_ports(compiler_endpoint(c, members[m]), &rule->named[k], &at, v);
	}
	return r;
}

int named_of_members(struct compiler *c, const uint32_t *members, size_t n, struct subject *s)
{
	struct subject_port *p;
	struct bh_vec v;
	size_t count = 0;
	int r = 0;

	bh_vec_init(&v, sizeof(struct subject_port), SIZE_MAX);
	for (size_t i = 0; i < s->services.n; i++) {
		uint32_t service = s->services.i[i];
		size_t n_rules = compiler_service(c, service)->n_rules[DIRECTION_INGRESS];

		for (uint32_t k = 0; c->live[service].named_ingress && r >= 0 && k < n_rules; k++)
			r = list_rule(c, members, n, service, k, &v);
	}
	p = v.data;
	if (v.n)
		qsort(p, v.n, sizeof(*p), port_cmp);
	for (size_t i = 0; i < v.n; i++)
		if (!count || port_cmp(&p[count - 1], &p[i]) != 0)
			p[count++] = p[i];
	s->ports = bh_arena_memdup(c->resolver.arena, p, count * sizeof(*p));
	s->n_ports = count;
	bh_vec_done(&v);
	return r < 0 || !s->ports ? bh_err_oom(c->err) : 0;
}

int named_ports(struct compiler *c, const struct subject *s, uint32_t service, uint32_t rule,
		struct piece *p)
{
	const struct rule *from = &compiler_service(c, service)->rules[DIRECTION_INGRESS][rule];
	struct port_spec *v;
	size_t n = p->n_ports;

	if (!from->n_named)
		return 0;
	v = bh_arena_array(c->resolver.arena, n + s->n_ports + 1, sizeof(*v));
	if (!v)
		return bh_err_oom(c->err);
	if (n)
		memcpy(v, p->ports, n * sizeof(*v));
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct subject_port *x = &s->ports[i];
		uint16_t port = (uint16_t)x->port;

		if (x->service == service && x->rule == rule)
			v[n++] = (struct port_spec) { from->named[x->name].proto, port, port };
	}
	p->ports = v;
	p->n_ports = n;
	return 0;
}

/* --- names that nobody has -------------------------------------------------------------------- */

/* Of an egress rule: anybody at all. */
static bool somebody_has(struct compiler *c, uint32_t service, enum direction d,
			 const struct port_name *name)
{
	const struct selection_list *l = &c->resolver.selection->endpoints_of[service];
	const struct label_set what = { .port = name };
	struct selection_list all;

	if (d == DIRECTION_EGRESS)
		return resolver_members(&c->resolver, &what, name, &all) < 0 || all.n;
	for (size_t i = 0; i < l->n; i++)
		if (pods_have_port(compiler_endpoint(c, l->i[i]), name))
			return true;
	return !l->n; /* that it selects nobody is said elsewhere */
}

static void warn_of_rule(struct compiler *c, uint32_t service, enum direction d,
			 const struct rule *rule, struct diag_list *diags)
{
	char proto[PROTO_STR];

	for (size_t i = 0; i < rule->n_named; i++) {
		const struct port_name *name = &rule->named[i];

		if (somebody_has(c, service, d, name))
			continue;
		diag_add(diags, DIAG_WARNING, &name->loc, "unknown-port-name",
			 "write the port's number, or give the containers port names",
			 "no endpoint%s has a port named %s/%s: it lets nothing through",
			 d == DIRECTION_EGRESS ? "" : " that this policy selects", name->name,
			 proto_name(proto, name->proto));
	}
}

void named_warn(struct compiler *c, struct diag_list *diags)
{
	const struct policy_set *p = c->resolver.in->policies;

	for (uint32_t k = 0; k < p->n_services; k++)
		for (int d = 0; p->services[k].is_k8s && d < DIRECTIONS; d++)
			for (size_t i = 0; i < p->services[k].n_rules[d]; i++)
				warn_of_rule(c, k, (enum direction)d, &p->services[k].rules[d][i],
					     diags);
}
