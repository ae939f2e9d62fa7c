/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>

#include "names.h"

static const struct port_spec any_port = { .proto = PROTO_ANY, .lo = 0, .hi = UINT16_MAX };

static bool has_expired(const struct compiler *c, const struct rule *rule)
{
	return rule->expires && rule->expires <= c->resolver.in->now;
}

static int name_live_rule(struct compiler *c, const struct service *s, enum direction d,
			  const struct rule *rule, const char *slug, struct live_rule *ret)
{
	struct bh_arena *arena = c->names;

	*ret = (struct live_rule) {
		.slug = slug,
		.expired = has_expired(c, rule),
		.piece = {
			.name = names_full(arena, s, d, slug),
			.where = names_where(arena, &rule->loc),
			.direction = d,
			.expires = rule->expires,
			.ports = rule->ports,
			.n_ports = rule->n_ports,
		},
	};
	return ret->piece.name && ret->piece.where ? 0 : bh_err_oom(c->err);
}

static int name_live_direction(struct compiler *c, const struct service *s, enum direction d,
			       struct live_service *ret)
{
	const char **slugs = bh_arena_array(c->plans, s->n_rules[d] + 1, sizeof(*slugs));
	int r = 0;

	ret->rules[d] = bh_arena_array(c->plans, s->n_rules[d] + 1, sizeof(*ret->rules[d]));
	if (!slugs || !ret->rules[d] || names_of_rules(c->plans, s, d, slugs) < 0)
		return bh_err_oom(c->err);
	for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++)
		r = name_live_rule(c, s, d, &s->rules[d][i], slugs[i], &ret->rules[d][i]);
	ret->n[d] = s->n_rules[d];
	return r;
}

/* It has no say in a direction: who is isolated by nobody there may do all. */
static int name_open(struct compiler *c, const struct service *s, enum direction d,
		     struct piece *ret)
{
	if (!s->leaves_open[d])
		return 0;
	*ret = (struct piece) {
		.name = names_full(c->names, s, d, "not-isolated"),
		.where = names_where(c->names, &s->loc),
		.direction = d,
		.target = { .ranges = resolver_everything,
			    .n_ranges = BH_ARRAY_SIZE(resolver_everything) },
		.ports = &any_port,
		.n_ports = 1,
	};
	return ret->name && ret->where ? 0 : bh_err_oom(c->err);
}

static bool names_ports(const struct service *s)
{
	for (size_t i = 0; i < s->n_rules[DIRECTION_INGRESS]; i++)
		if (s->rules[DIRECTION_INGRESS][i].n_named)
			return true;
	return false;
}

static int name_live_service(struct compiler *c, const struct service *s, struct live_service *ret)
{
	static const struct port_spec dns[] = { { IPPROTO_TCP, 53, 53 }, { IPPROTO_UDP, 53, 53 } };
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++) {
		r = name_live_direction(c, s, (enum direction)d, ret);
		if (r >= 0)
			r = name_open(c, s, (enum direction)d, &ret->open[d]);
	}
	ret->named_ingress = names_ports(s);
	if (r < 0 || !s->dns)
		return r;
	ret->dns = (struct piece) {
		.name = names_full(c->names, s, DIRECTION_EGRESS, "dns"),
		.where = names_where(c->names, &s->dns_loc),
		.direction = DIRECTION_EGRESS,
		.ports = dns,
		.n_ports = BH_ARRAY_SIZE(dns),
	};
	return ret->dns.name && ret->dns.where ? 0 : bh_err_oom(c->err);
}

int compiler_name_live(struct compiler *c)
{
	const struct policy_set *p = c->resolver.in->policies;
	int r = 0;

	c->live = bh_arena_array(c->plans, p->n_services + 1, sizeof(*c->live));
	if (!c->live)
		return bh_err_oom(c->err);
	for (size_t k = 0; r >= 0 && k < p->n_services; k++)
		r = name_live_service(c, &p->services[k], &c->live[k]);
	return r;
}

int compiler_resolve_rule(struct compiler *c, size_t service, enum direction d, size_t i,
			  struct target *ret, struct named_list *ret_named)
{
	const struct rule *rule = &c->resolver.in->policies->services[service].rules[d][i];
	const struct target own = { .singles = c->resolver.services[service] };
	int r;

	*ret = (struct target) { 0 };
	*ret_named = (struct named_list) { 0 };
	if (has_expired(c, rule))
		return 0;
	r = resolver_rule(&c->resolver, rule, ret, c->err);
	if (r >= 0 &&
	    named_resolve(&c->resolver, rule, d == DIRECTION_EGRESS ? ret : &own, ret_named) < 0)
		return bh_err_oom(c->err);
	return r < 0 ? bh_err_prefix(c->err, r, "%s", c->live[service].rules[d][i].piece.where) : 0;
}

int compiler_make_live(struct compiler *c)
{
	size_t n = c->resolver.in->policies->n_services;
	int r = compiler_name_live(c);

	for (size_t k = 0; r >= 0 && k < n; k++)
		for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
			for (size_t i = 0; r >= 0 && i < c->live[k].n[d]; i++)
				r = compiler_resolve_rule(c, k, (enum direction)d, i,
							  &c->live[k].rules[d][i].piece.target,
							  &c->live[k].rules[d][i].named);
	return r;
}
