/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/policy/policy.h>

/*
 * Policy files to a set, and lint over it. Beyond not crashing: what is accepted never has a
 * selector, a peer or a rule that would mean "any" by leaving something out, and every name that
 * is used exists.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

static void check_peer(const struct policy_set *set, const struct peer *p)
{
	must(p->service || p->n_labels || p->group || p->has_cidr || p->entity != ENTITY_NONE ||
	     p->scope || p->not_scope || p->pods);
	must(!p->scope || policy_set_scope(set, p->scope) != NULL);
	must(!p->not_scope || policy_set_scope(set, p->not_scope));
	must(!p->service || policy_set_service(set, p->service));
	must(!p->group || policy_set_group(set, p->group));
	must(!p->n_except || p->has_cidr);
	for (size_t i = 0; i < p->n_except; i++)
		must(p->except[i].addr.family == p->cidr.addr.family &&
		     p->except[i].len >= p->cidr.len &&
		     bh_prefix_contains(&p->cidr, &p->except[i].addr));
	must(p->entity == ENTITY_NONE ||
	     (!p->service && !p->n_labels && !p->group && !p->scope && !p->not_scope));
}

static void check_service(const struct policy_set *set, const struct service *s)
{
	must(s->name && s->loc.file && s->loc.line);
	must(s->select.n_labels || s->select.compose || s->select.name || s->select.image ||
	     s->select.runtime || s->select.pods);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (size_t i = 0; i < s->n_rules[d]; i++) {
			const struct rule *r = &s->rules[d][i];

			must(r->n_ports + r->n_named > 0 && r->loc.line);
			for (size_t k = 0; k < r->n_ports; k++)
				must(r->ports[k].lo <= r->ports[k].hi);
			for (size_t k = 0; k < r->n_peers; k++) {
				check_peer(set, &r->peers[k]);
				must(!r->peers[k].scope && !r->peers[k].not_scope);
			}
		}
	must(!s->scope || policy_set_scope(set, s->scope));
	must(!s->egress_follow || !s->n_rules[DIRECTION_EGRESS]);
}

static void check_test(const struct policy_test *t)
{
	must(t->name && t->loc.line && t->n_expect);
	for (size_t i = 0; i < t->n_expect; i++) {
		const struct expectation *e = &t->expect[i];

		must(e->from && e->from[0] && e->to && e->to[0] && e->loc.line);
		must(e->from_loc.line && e->to_loc.line);
		must(e->port.proto != PROTO_ANY && e->port.lo <= e->port.hi);
	}
}

static void check_ports(const struct port_spec *ports, size_t n)
{
	must(n > 0);
	for (size_t i = 0; i < n; i++)
		must(ports[i].lo <= ports[i].hi);
}

static void check_guardrail(const struct policy_set *set, const struct guardrail *g)
{
	must(g->name && g->loc.file && g->loc.line && g->n_deny > 0);
	must(g->all != (g->n_labels || g->scope || g->n_services));
	must(!g->scope || policy_set_scope(set, g->scope));
	for (size_t i = 0; i < g->n_services; i++)
		must(policy_set_service(set, g->services[i]) != NULL);
	for (size_t i = 0; i < g->n_deny; i++) {
		const struct deny *d = &g->deny[i];

		must(d->has_peers && d->rule.loc.line && !d->rule.expires);
		check_ports(d->rule.ports, d->rule.n_ports);
		for (size_t k = 0; k < d->rule.n_peers; k++)
			check_peer(set, &d->rule.peers[k]);
		for (size_t k = 0; k < d->n_unless; k++) {
			check_peer(set, &d->unless[k].peer);
			check_ports(d->unless[k].ports, d->unless[k].n_ports);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A NUL byte is no policy text: it parts two files. */
	const uint8_t *cut = size ? memchr(data, '\0', size) : NULL;
	size_t first = cut ? (size_t)(cut - data) : size;
	struct policy_source src[2] = {
		{ "a.yaml", (const char *)data, first },
		{ "b.yaml", cut ? (const char *)cut + 1 : "", cut ? size - first - 1 : 0 },
	};
	struct bh_err err = BH_ERR_INIT;
	struct policy_set *set = NULL;
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = policy_parse(src, 2, &set, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (set != NULL) && (r == 0) == (diags.errors == 0));
	if (set) {
		for (size_t i = 0; i < set->n_services; i++)
			check_service(set, &set->services[i]);
		for (size_t i = 0; i < set->n_guardrails; i++)
			check_guardrail(set, &set->guardrails[i]);
		for (size_t i = 0; i < set->n_tests; i++)
			check_test(&set->tests[i]);
		policy_lint(set, 1790000000, &diags);
		must(diags.errors == 0);
		policy_set_free(set);
	}
	diag_list_done(&diags);
	return 0;
}
