/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "graph.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

static const struct graph_format formats[] = {
	{ "mermaid", graph_mermaid },
	{ "dot", graph_dot },
	{ "svg", graph_svg },
	{ "json", graph_json },
};

const struct graph_format *graph_format_find(const char *name)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

static void add_tame(struct bh_buf *out, const char *s)
{
	bh_tame(out, s, strlen(s));
}

void graph_scope_title(const struct scope *s, struct bh_buf *out)
{
	bh_buf_init(out, 1 << 20);
	add_tame(out, s->name);
	if (s->title) {
		bh_buf_addstr(out, ": ");
		add_tame(out, s->title);
	}
}

bool graph_in_scope(const struct flow_node *n, const char *scope)
{
	const char *own = n->service ? n->service->scope : NULL;

	return scope ? own && strcmp(own, scope) == 0 : !own;
}

void graph_node_title(const struct flow_node *n, struct bh_buf *out)
{
	bh_buf_init(out, 1 << 20);
	if (n->kind != FLOW_NODE_SERVICE)
		bh_buf_addf(out, "%s ", flow_node_word(n->kind));
	add_tame(out, n->name);
	if (n->service && n->service->mode != MODE_ENFORCE)
		bh_buf_addf(out, " (mode %s)", mode_name(n->service->mode));
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *tame_json(const char *s)
{
	struct bh_buf b;
	json_t *o;

	bh_buf_init(&b, 1 << 20);
	add_tame(&b, s);
	o = json_string(bh_buf_str(&b));
	bh_buf_done(&b);
	return o;
}

static json_t *node_json(const struct flow_node *n, size_t id)
{
	json_t *o = json_pack("{s:i, s:s, s:o}", "id", (int)id, "kind", flow_node_word(n->kind),
			      "name", tame_json(n->name));
	char where[600], file[512];

	if (!o || !n->service)
		return o;
	snprintf(where, sizeof(where), "%s:%u",
		 bh_escape_str(file, sizeof(file), n->service->loc.file), n->service->loc.line);
	json_object_set_new(o, "service", json_string(n->service->name));
	json_object_set_new(o, "mode", json_string(mode_name(n->service->mode)));
	json_object_set_new(o, "where", json_string(where));
	if (n->service->scope)
		json_object_set_new(o, "scope", json_string(n->service->scope));
	if (n->service->owner)
		json_object_set_new(o, "owner", tame_json(n->service->owner));
	return o;
}

static json_t *edge_json(const struct flow_edge *e)
{
	json_t *rules = json_array();
	json_t *o = json_pack("{s:i, s:i, s:s, s:s, s:o}", "from", (int)e->from, "to", (int)e->to,
			      "state", flow_edge_word(e->state), "ports", e->ports, "rules", rules);

	for (size_t i = 0; o && i < e->n_rules; i++)
		json_array_append_new(
			rules, json_pack("{s:s, s:s*, s:s*}", "ports", e->rules[i].ports, "source",
					 e->rules[i].places[DIRECTION_EGRESS], "destination",
					 e->rules[i].places[DIRECTION_INGRESS]));
	return o;
}

static json_t *scope_json(const struct scope *s)
{
	json_t *o = json_pack("{s:s}", "name", s->name);

	if (o && s->title)
		json_object_set_new(o, "title", tame_json(s->title));
	return o;
}

void graph_json(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out)
{
	json_t *nodes = json_array(), *edges = json_array(), *scopes = json_array();
	json_t *o = json_pack("{s:s, s:o, s:o, s:o}", "schema", "bulkhead.graph/1", "scopes",
			      scopes, "nodes", nodes, "edges", edges);
	char *text;

	for (size_t i = 0; i < policies->n_scopes; i++)
		json_array_append_new(scopes, scope_json(&policies->scopes[i]));
	for (size_t i = 0; i < g->n_nodes; i++)
		json_array_append_new(nodes, node_json(&g->nodes[i], i));
	for (size_t i = 0; i < g->n_edges; i++)
		json_array_append_new(edges, edge_json(&g->edges[i]));
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	if (text)
		bh_buf_addf(out, "%s\n", text);
	else
		out->error = -ENOMEM;
	free(text);
	json_decref(o);
}

/* --- all formats ------------------------------------------------------------------------------ */

static int write_graph(const struct graph_format *format, const struct site *s)
{
	struct bh_err err = BH_ERR_INIT;
	struct flow_graph *g;
	struct bh_buf out;
	int code;

	if (flow_graph_new(s->policies, &s->host, s->now, &g, &err) < 0)
		return cli_fail(CLI_FAILED, "export: %s", err.msg);
	if (g->labels_left_out)
		cli_fail(0, "export: %zu sets of labels that peers name were not looked at",
			 g->labels_left_out);
	bh_buf_init(&out, BH_GRAPH_BYTES_MAX);
	format->write(g, s->policies, &out);
	code = cli_flush(&out);
	bh_buf_done(&out);
	flow_graph_free(g);
	return code;
}

int graph_export(const struct graph_format *format, const struct cli_options *o)
{
	struct site s;
	int code;

	if (o->endpoint || o->inventory)
		return cli_fail(CLI_USAGE,
				"export: --format %s is of policies: it takes no "
				"endpoints",
				format->name);
	code = cli_load(&s, o, NEED_POLICIES);
	if (code == CLI_YES)
		code = write_graph(format, &s);
	site_done(&s);
	return code;
}
