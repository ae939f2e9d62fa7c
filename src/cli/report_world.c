/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/report/breadth.h>

#include "report.h"

/* Whether a flow is for everybody outside: by addresses, not by how they are written. */

static bool is_entity_world(const struct flow_node *n)
{
	return n->kind == FLOW_NODE_ENTITY && strcmp(n->name, "world") == 0;
}

/* The addresses of a node of such, added to RET. Of the world in a network, the network. */
static int add_addresses(const struct policy_set *policies, const struct flow_node *n,
			 struct bh_rangeset *ret)
{
	const struct peer *p = n->peer;
	const struct group *g = p->group ? policy_set_group(policies, p->group) : NULL;
	struct bh_rangeset mine;
	int r;

	bh_rangeset_init(&mine);
	r = bh_rangeset_universe(&mine);
	if (r >= 0 && p->has_cidr)
		r = bh_rangeset_keep_prefixes(&mine, &p->cidr, 1, p->except, p->n_except);
	if (r >= 0 && g)
		r = bh_rangeset_keep_prefixes(&mine, g->cidrs, g->n_cidrs, NULL, 0);
	if (r >= 0)
		r = bh_rangeset_add_all(ret, &mine);
	bh_rangeset_done(&mine);
	return r;
}

static bool is_world_alone(const struct policy_set *policies, const struct flow_node *n)
{
	struct bh_rangeset s;
	bool world;

	bh_rangeset_init(&s);
	world = is_entity_world(n) ||
		(n->peer && (add_addresses(policies, n, &s) < 0 || report_is_world(&s)));
	bh_rangeset_done(&s);
	return world;
}

static bool has_port_of(const struct flow_edge *e, const char *ports)
{
	for (size_t i = 0; i < e->n_rules; i++)
		if (report_ports_meet(e->rules[i].ports, ports))
			return true;
	return false;
}

/* Those that are the world alone say it of themselves, and of no other. */
static bool is_part(const struct policy_set *policies, const struct flow_graph *graph,
		    const struct flow_edge *e, size_t from, const char *ports)
{
	const struct flow_node *n = &graph->nodes[e->to];

	return e->from == from && e->state == FLOW_EDGE_BOTH && n->peer && has_port_of(e, ports) &&
	       !is_world_alone(policies, n);
}

bool flow_is_to_world(const struct policy_set *policies, const struct flow_graph *graph,
		      const struct flow_edge *edge, const struct flow_edge_rule *rule,
		      const struct flow_node *other)
{
	struct bh_rangeset s;
	int r = 0;
	bool world;

	if (is_world_alone(policies, other))
		return true;
	if (other != &graph->nodes[edge->to] || !other->peer)
		return false;
	bh_rangeset_init(&s);
	for (size_t i = 0; i < graph->n_edges && r >= 0; i++)
		if (is_part(policies, graph, &graph->edges[i], edge->from, rule->ports))
			r = add_addresses(policies, &graph->nodes[graph->edges[i].to], &s);
	world = r < 0 || report_is_world(&s);
	bh_rangeset_done(&s);
	return world;
}
