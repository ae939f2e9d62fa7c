/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "compiler.h"

#include <netinet/in.h>

#include <bulkhead/base/cleanup.h>

#include "names.h"

static int make_live_rule(struct compiler *c, const struct service *s, enum direction d,
			  const struct rule *rule, const char *slug, struct live_rule *ret)
{
	struct bh_arena *arena = c->out->arena;
	int r;

	*ret = (struct live_rule) {
		.slug = slug,
		.piece = {
			.name = names_full(arena, s, d, slug),
			.where = names_where(arena, &rule->loc),
			.direction = d,
			.expires = rule->expires,
			.ports = rule->ports,
			.n_ports = rule->n_ports,
		},
	};
	if (!ret->piece.name || !ret->piece.where)
		return bh_err_oom(c->err);
	r = resolver_rule(&c->resolver, rule, &ret->piece.target, c->err);
	return r < 0 ? bh_err_prefix(c->err, r, "%s", ret->piece.where) : 0;
}

static int make_live_direction(struct compiler *c, const struct service *s, enum direction d,
			       struct live_service *ret)
{
	struct bh_arena *scratch = c->resolver.arena;
	const char **slugs = bh_arena_array(scratch, s->n_rules[d] + 1, sizeof(*slugs));
	size_t n = 0;
	int r = 0;

	ret->rules[d] = bh_arena_array(scratch, s->n_rules[d] + 1, sizeof(*ret->rules[d]));
	if (!slugs || !ret->rules[d] || names_of_rules(scratch, s, d, slugs) < 0)
		return bh_err_oom(c->err);
	for (size_t i = 0; r >= 0 && i < s->n_rules[d]; i++) {
		const struct rule *rule = &s->rules[d][i];

		if (rule->expires && rule->expires <= c->resolver.in->now)
			continue;
		r = make_live_rule(c, s, d, rule, slugs[i], &ret->rules[d][n++]);
	}
	ret->n[d] = n;
	return r;
}

static int make_live_service(struct compiler *c, const struct service *s, struct live_service *ret)
{
	static const struct port_spec dns[] = { { IPPROTO_TCP, 53, 53 }, { IPPROTO_UDP, 53, 53 } };
	int r = 0;

	for (int d = 0; r >= 0 && d < DIRECTIONS; d++)
		r = make_live_direction(c, s, (enum direction)d, ret);
	if (r < 0 || !s->dns)
		return r;
	ret->dns = (struct piece) {
		.name = names_full(c->out->arena, s, DIRECTION_EGRESS, "dns"),
		.where = names_where(c->out->arena, &s->dns_loc),
		.direction = DIRECTION_EGRESS,
		.ports = dns,
		.n_ports = BH_ARRAY_SIZE(dns),
	};
	return ret->dns.name && ret->dns.where ? 0 : bh_err_oom(c->err);
}

int compiler_make_live(struct compiler *c)
{
	const struct policy_set *p = c->resolver.in->policies;
	int r = 0;

	c->live = bh_arena_array(c->resolver.arena, p->n_services + 1, sizeof(*c->live));
	if (!c->live)
		return bh_err_oom(c->err);
	for (size_t k = 0; r >= 0 && k < p->n_services; k++)
		r = make_live_service(c, &p->services[k], &c->live[k]);
	return r;
}
