/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/addr.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>
#include <bulkhead/model/insecure.h>
#include <bulkhead/report/breadth.h>

#include "report.h"

/* What may be opened into the scope, out of it and within it, with what its rules say of it. */

#define NOTE "insecure-port" /* the lint whose accept: says what makes up for it */

/* --- whom it is from, whom to ------------------------------------------------------------------ */

static bool is_private_group(const struct gathering *g, const char *name)
{
	const struct group *group = policy_set_group(g->site->policies, name);

	for (size_t i = 0; group && i < group->n_cidrs; i++)
		if (!report_is_private(&group->cidrs[i]))
			return false;
	return group;
}

/* "10.0.0.0/8 but 10.1.0.0/16", "world in ..." */
static bool is_private_cidr(const char *name)
{
	struct bh_prefix p;
	char text[BH_PREFIX_STR] = "";

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(name, " "), name);
	return bh_prefix_parse(text, &p) >= 0 && report_is_private(&p);
}

/* Published ports come by the host, whoever sent it (docs/endpoints.md). */
static bool is_untrusted(const struct gathering *g, const struct flow_node *n)
{
	switch (n->kind) {
	case FLOW_NODE_SERVICE:
	case FLOW_NODE_LABELS:
		return false;
	case FLOW_NODE_ENTITY:
		return strcmp(n->name, "world") == 0 || strcmp(n->name, "host") == 0;
	case FLOW_NODE_GROUP:
		return !is_private_group(g, n->name);
	case FLOW_NODE_CIDR:
		return !is_private_cidr(n->name);
	}
	return true;
}

/* Nobody who is managed: a segmentation test sends nothing from there. */
static bool is_no_endpoint(const struct flow_node *n)
{
	if (n->kind == FLOW_NODE_ENTITY)
		return strcmp(n->name, "managed") != 0;
	return n->kind == FLOW_NODE_GROUP || n->kind == FLOW_NODE_CIDR;
}

/* --- ports ------------------------------------------------------------------------------------ */

struct ports {
	bool broad, store;
	unsigned n;
	json_t *insecure; /* {"port", "what"} */
};

static void look_at_port(const char *text, struct ports *ret)
{
	const struct insecure_port *known;
	struct port_spec spec;
	const char *why;

	ret->n++;
	if (port_spec_parse(text, &spec, &why) < 0 || spec.proto == PROTO_ANY)
		return;
	known = insecure_port_find(&spec);
	if (!known)
		return;
	ret->store = ret->store || known->store;
	json_array_append_new(ret->insecure,
			      json_pack("{s:s, s:s}", "port", text, "what", known->what));
}

static void look_at_ports(const char *ports, struct ports *ret)
{
	bh_autofree char *copy = strdup(ports);
	char *rest = copy, *one;

	*ret = (struct ports) { .insecure = json_array(), .broad = report_is_broad(ports) };
	while (copy && (one = strsep(&rest, ",")) != NULL)
		look_at_port(one + strspn(one, " "), ret);
}

/* --- what its rules say ----------------------------------------------------------------------- */

struct ends {
	const struct flow_graph *graph;
	const struct flow_edge *edge;
	const struct flow_node *nodes[DIRECTIONS]; /* [EGRESS]: the source */
	const struct flow_edge_rule *rule;
	enum direction own; /* the end in the scope; within it, the destination */
};

/* The scope's own end first, else the other one. */
static void put_said(json_t *o, const char *key, const struct ends *e,
		     const char *(*said)(const struct ends *, enum direction))
{
	const char *s = said(e, e->own);

	gather_text(o, key, s ? s : said(e, !e->own));
}

static const char *reason_of(const struct ends *e, enum direction d)
{
	if (!e->rule->rules[d] && e->rule->places[d] && d == DIRECTION_EGRESS)
		return "name resolution (dns: allow)";
	return e->rule->rules[d] ? e->rule->rules[d]->reason : NULL;
}

static const char *ticket_of(const struct ends *e, enum direction d)
{
	return e->rule->rules[d] ? e->rule->rules[d]->ticket : NULL;
}

static const char *reviewed_of(const struct ends *e, enum direction d)
{
	return e->rule->rules[d] ? e->rule->rules[d]->reviewed : NULL;
}

static const char *owner_of(const struct ends *e, enum direction d)
{
	return e->nodes[d]->service ? e->nodes[d]->service->owner : NULL;
}

static const char *place_of(const struct ends *e, enum direction d)
{
	return e->rule->places[d];
}

static const char *note_of(const struct ends *e, enum direction d)
{
	const struct service *s = e->nodes[d]->service;
	const struct accept *a =
		e->rule->rules[d] ? accepts_find(&e->rule->rules[d]->accepts, NOTE) : NULL;

	if (!a && s)
		a = accepts_find(&s->accepts, NOTE);
	return a ? a->reason : NULL;
}

static void put_remarks(json_t *o, const struct ports *p, bool untrusted)
{
	json_t *remarks = json_array(), *one;
	size_t i;

	if (p->broad)
		json_array_append_new(remarks, json_string("names no ports"));
	if (untrusted)
		json_array_append_new(remarks, json_string("untrusted network"));
	json_array_foreach (p->insecure, i, one)
		json_array_append(remarks, json_object_get(one, "what"));
	json_object_set_new(o, "remarks", remarks);
}

static json_t *flow_object(const struct gathering *g, const struct ends *e, const char *way)
{
	const struct flow_node *other = e->nodes[!e->own];
	bool untrusted = is_untrusted(g, other);
	json_t *o = json_object();
	struct ports ports;

	look_at_ports(e->rule->ports, &ports);
	gather_text(o, "from", e->nodes[DIRECTION_EGRESS]->name);
	gather_text(o, "to", e->nodes[DIRECTION_INGRESS]->name);
	gather_text(o, "ports", e->rule->ports);
	gather_text(o, "way", way);
	put_said(o, "reason", e, reason_of);
	put_said(o, "owner", e, owner_of);
	put_said(o, "ticket", e, ticket_of);
	put_said(o, "reviewed", e, reviewed_of);
	put_said(o, "where", e, place_of);
	put_said(o, "note", e, note_of);
	json_object_set_new(o, "dns", json_boolean(!e->rule->rules[0] && !e->rule->rules[1]));
	json_object_set_new(o, "broad", json_boolean(ports.broad));
	json_object_set_new(o, "untrusted", json_boolean(untrusted));
	json_object_set_new(o, "outside", json_boolean(is_no_endpoint(other)));
	json_object_set_new(o, "everybody",
			    json_boolean(untrusted && flow_is_to_world(g->site->policies, e->graph,
								       e->edge, e->rule, other)));
	json_object_set_new(o, "to_store", json_boolean(ports.store));
	put_remarks(o, &ports, untrusted);
	json_object_set_new(o, "insecure", ports.insecure);
	return o;
}

/* --- the lists -------------------------------------------------------------------------------- */

/* Which services of the scope keep data, as far as their ports tell. */
static void mark_store(const struct gathering *g, const char *name)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(g->report, "services"), i, s)
		if (strcmp(cli_text(s, "name"), name) == 0)
			json_object_set_new(s, "store", json_true());
}

static void add_insecure(json_t *list, const json_t *flow)
{
	json_t *one;
	size_t i;

	json_array_foreach (json_object_get(flow, "insecure"), i, one) {
		json_t *o =
			json_pack("{s:s, s:s, s:s, s:s, s:s}", "from", cli_text(flow, "from"), "to",
				  cli_text(flow, "to"), "ports", cli_text(one, "port"), "what",
				  cli_text(one, "what"), "where", cli_text(flow, "where"));

		json_object_set(o, "note", json_object_get(flow, "note"));
		json_array_append_new(list, o);
	}
}

static void add_flow(const struct gathering *g, const struct ends *e, const char *way,
		     json_t *flows, json_t *insecure)
{
	json_t *o = flow_object(g, e, way);

	if (json_is_true(json_object_get(o, "to_store")))
		mark_store(g, e->nodes[DIRECTION_INGRESS]->name);
	add_insecure(insecure, o);
	json_array_append_new(flows, o);
}

static void add_edge(const struct gathering *g, const struct flow_graph *graph,
		     const struct flow_edge *edge, json_t *flows, json_t *insecure)
{
	struct ends e = { .graph = graph,
			  .edge = edge,
			  .nodes = { &graph->nodes[edge->from], &graph->nodes[edge->to] } };
	bool from = gather_is_inside(g, e.nodes[0]->service);
	bool to = gather_is_inside(g, e.nodes[1]->service);

	if (edge->state != FLOW_EDGE_BOTH || (!from && !to))
		return;
	e.own = to ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	for (size_t i = 0; i < edge->n_rules; i++) {
		e.rule = &edge->rules[i];
		add_flow(g, &e,
			 from && to ? "inside"
			 : to       ? "inbound"
				    : "outbound",
			 flows, insecure);
	}
}

static void mark_no_stores(const struct gathering *g)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(g->report, "services"), i, s)
		json_object_set_new(s, "store", json_false());
}

int gather_flows(struct gathering *g)
{
	struct bh_err err = BH_ERR_INIT;
	json_t *flows = json_array(), *insecure = json_array();
	struct flow_graph *graph;

	json_object_set_new(g->report, "flows", flows);
	json_object_set_new(g->report, "insecure", insecure);
	if (flow_graph_new(g->site->policies, &g->site->host, g->site->now, &graph, &err) < 0)
		return cli_fail(CLI_FAILED, "report: %s", err.msg);
	mark_no_stores(g);
	for (size_t i = 0; i < graph->n_edges; i++)
		add_edge(g, graph, &graph->edges[i], flows, insecure);
	json_object_set_new(g->report, "map",
			    map_of_graph(graph, g->site->policies, g->scope->name));
	flow_graph_free(graph);
	return CLI_YES;
}
