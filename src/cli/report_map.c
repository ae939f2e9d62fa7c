/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "graph.h"
#include "report.h"

/* The graph of the policies as the map that is drawn, and what was denied on it. */

#define STRANGERS_MAX 12 /* who is denied and no service: the others are one node */
#define STRANGERS     "other addresses"
#define PORTS_MAX     200 /* bytes of the ports of one edge */

static bool touches(const struct flow_graph *g, size_t node, const char *scope)
{
	for (size_t i = 0; i < g->n_edges; i++)
		if ((g->edges[i].from == node &&
		     graph_in_scope(&g->nodes[g->edges[i].to], scope)) ||
		    (g->edges[i].to == node && graph_in_scope(&g->nodes[g->edges[i].from], scope)))
			return true;
	return false;
}

static void add_node(json_t *nodes, const struct flow_node *n, const char *scope)
{
	json_t *o = json_pack("{s:s, s:b}", "kind", flow_node_word(n->kind), "inside",
			      scope && graph_in_scope(n, scope));

	gather_text(o, "name", n->name);
	if (n->service && n->service->scope)
		gather_text(o, "box", n->service->scope);
	if (n->service && n->service->mode != MODE_ENFORCE)
		gather_text(o, "mode", mode_name(n->service->mode));
	json_array_append_new(nodes, o);
}

static int count_ports(const char *ports)
{
	int n = 1;

	for (; *ports; ports++)
		n += *ports == ',';
	return n;
}

/*
 * Numbers of nodes in the map, + 1; 0: not there. Who is outside has two, as one who opens and as one
 * who is called, so that not everything is one circle.
 */
struct numbers {
	size_t *of[DIRECTIONS]; /* [EGRESS]: as a source */
};

static void add_edges(json_t *edges, const struct flow_graph *g, const struct numbers *n)
{
	for (size_t i = 0; i < g->n_edges; i++) {
		const struct flow_edge *e = &g->edges[i];
		size_t from = n->of[DIRECTION_EGRESS][e->from],
		       to = n->of[DIRECTION_INGRESS][e->to];

		if (from && to)
			json_array_append_new(
				edges,
				json_pack("{s:I, s:I, s:s, s:s, s:i}", "from", (json_int_t)from - 1,
					  "to", (json_int_t)to - 1, "state",
					  e->state == FLOW_EDGE_BOTH ? "allowed" : "one-sided",
					  "ports", e->ports, "n_ports", count_ports(e->ports)));
	}
}

static json_t *boxes_of(const struct policy_set *policies)
{
	json_t *boxes = json_array();

	for (size_t i = 0; i < policies->n_scopes; i++) {
		struct bh_buf title;

		graph_scope_title(&policies->scopes[i], &title);
		json_array_append_new(boxes,
				      json_pack("{s:s, s:s}", "name", policies->scopes[i].name,
						"title", bh_buf_str(&title)));
		bh_buf_done(&title);
	}
	return boxes;
}

static bool is_end(const struct flow_graph *g, size_t node, enum direction d)
{
	for (size_t i = 0; i < g->n_edges; i++)
		if ((d == DIRECTION_EGRESS ? g->edges[i].from : g->edges[i].to) == node)
			return true;
	return false;
}

static void number_node(const struct flow_graph *g, size_t node, const char *scope, json_t *nodes,
			struct numbers *n)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		if (g->nodes[node].service && d) {
			n->of[d][node] = n->of[0][node];
		} else if (g->nodes[node].service || is_end(g, node, (enum direction)d)) {
			add_node(nodes, &g->nodes[node], scope);
			n->of[d][node] = json_array_size(nodes);
		}
	}
}

json_t *map_of_graph(const struct flow_graph *g, const struct policy_set *policies,
		     const char *scope)
{
	bh_autofree size_t *index = calloc(2 * g->n_nodes + 1, sizeof(*index));
	json_t *nodes = json_array(), *edges = json_array();
	bool all = !scope || g->n_nodes <= BH_REPORT_MAP_MAX;
	struct numbers n = { { index, index ? index + g->n_nodes : NULL } };

	for (size_t i = 0; index && i < g->n_nodes; i++)
		if (all || (json_array_size(nodes) < BH_REPORT_MAP_MAX &&
			    (graph_in_scope(&g->nodes[i], scope) || touches(g, i, scope))))
			number_node(g, i, scope, nodes, &n);
	if (index)
		add_edges(edges, g, &n);
	return json_pack("{s:o, s:o, s:o, s:s*}", "boxes", boxes_of(policies), "nodes", nodes,
			 "edges", edges, "why",
			 all ? NULL
			     : "There are too many services for one picture: only those that "
			       "the scope has to do with are drawn.");
}

/* --- denied ----------------------------------------------------------------------------------- */

static size_t node_named(json_t *nodes, const char *name)
{
	json_t *n;
	size_t i;

	json_array_foreach (nodes, i, n)
		if (strcmp(cli_text(n, "name"), name) == 0)
			return i;
	return i;
}

/* The node of a peer: one that is there, a new one, or the one for all others. */
static size_t node_of(json_t *nodes, const char *name, size_t *strangers)
{
	size_t at = node_named(nodes, name[0] ? name : STRANGERS);

	if (at < json_array_size(nodes))
		return at;
	if (*strangers >= STRANGERS_MAX)
		name = STRANGERS;
	at = node_named(nodes, name[0] ? name : STRANGERS);
	if (at < json_array_size(nodes))
		return at;
	(*strangers)++;
	json_array_append_new(nodes, json_pack("{s:s, s:s}", "kind", "denied", "name",
					       name[0] ? name : STRANGERS));
	return at;
}

static json_t *edge_between(json_t *edges, size_t from, size_t to)
{
	json_t *e;
	size_t i;

	json_array_foreach (edges, i, e)
		if (strcmp(cli_text(e, "state"), "denied") == 0 &&
		    (size_t)json_integer_value(json_object_get(e, "from")) == from &&
		    (size_t)json_integer_value(json_object_get(e, "to")) == to)
			return e;
	e = json_pack("{s:I, s:I, s:s, s:i}", "from", (json_int_t)from, "to", (json_int_t)to,
		      "state", "denied", "packets", 0);
	json_array_append_new(edges, e);
	return e;
}

static void join_ports(json_t *edge, const char *port)
{
	const char *before = cli_text(edge, "ports");
	json_t *joined;

	if (gather_is_joined(before, port) || strlen(before) > PORTS_MAX)
		return;
	joined = json_sprintf("%s%s%s", before, before[0] ? ", " : "", port);
	json_object_set_new(edge, "ports", joined);
}

void map_add_denied(json_t *map, const json_t *groups)
{
	json_t *nodes = json_object_get(map, "nodes"), *edges = json_object_get(map, "edges"), *g;
	size_t strangers = 0, i;

	json_array_foreach (groups, i, g) {
		bool out = strcmp(cli_text(g, "direction"), "egress") == 0;
		size_t self = node_named(nodes, cli_text(g, "service")), other;
		json_t *edge;

		if (self >= json_array_size(nodes))
			continue; /* of several services at once, or of one that is no more */
		other = node_of(nodes, cli_text(g, "peer"), &strangers);
		edge = edge_between(edges, out ? self : other, out ? other : self);
		json_object_set_new(
			edge, "packets",
			json_integer(json_integer_value(json_object_get(edge, "packets")) +
				     json_integer_value(json_object_get(g, "packets"))));
		join_ports(edge, cli_text(g, "port"));
	}
}
