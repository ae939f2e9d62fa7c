/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "graph.h"

#include <string.h>

#include <bulkhead/base/cleanup.h>

/* Pictures: Mermaid, and DOT for Graphviz. Nodes are called by number, so that names are text only. */

struct pen {
	const struct flow_graph *g;
	struct bh_buf *out;
	/* text that cannot end the quotes it stands in */
	void (*quote)(const char *s, struct bh_buf *out);
	void (*node)(const struct pen *p, size_t i, const char *indent, const char *title);
	void (*begin_box)(const struct pen *p, size_t i, const char *title);
	void (*end_box)(const struct pen *p);
	void (*edge)(const struct pen *p, const struct flow_edge *e);
};

static void draw_node(const struct pen *p, size_t i, const char *indent)
{
	struct bh_buf title;

	graph_node_title(&p->g->nodes[i], &title);
	p->node(p, i, indent, bh_buf_str(&title));
	bh_buf_done(&title);
}

static void draw_nodes(const struct pen *p, const char *scope, const char *indent)
{
	for (size_t i = 0; i < p->g->n_nodes; i++)
		if (graph_in_scope(&p->g->nodes[i], scope))
			draw_node(p, i, indent);
}

static void draw(const struct pen *p, const struct policy_set *policies)
{
	struct bh_buf title;

	for (size_t i = 0; i < policies->n_scopes; i++) {
		graph_scope_title(&policies->scopes[i], &title);
		p->begin_box(p, i, bh_buf_str(&title));
		draw_nodes(p, policies->scopes[i].name, "    ");
		p->end_box(p);
		bh_buf_done(&title);
	}
	draw_nodes(p, NULL, "  ");
	for (size_t i = 0; i < p->g->n_edges; i++)
		p->edge(p, &p->g->edges[i]);
}

/* What an edge says that is allowed at one end only. */
static const char *only(const struct flow_edge *e)
{
	static const char *const texts[] = {
		[FLOW_EDGE_BOTH] = "",
		[FLOW_EDGE_SOURCE_ONLY] = ", source only",
		[FLOW_EDGE_DESTINATION_ONLY] = ", destination only",
	};

	return texts[e->state];
}

/* --- Mermaid ---------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c & 0x80) || strchr(" ._-/,:=", c);
}

/* It knows entities, by number and between # and ;. */
static void mermaid_quote(const char *s, struct bh_buf *out)
{
	for (; *s; s++)
		if (is_plain(*s))
			bh_buf_add(out, s, 1);
		else
			bh_buf_addf(out, "#%d;", *s);
}

static void mermaid_node(const struct pen *p, size_t i, const char *indent, const char *title)
{
	static const char *const shapes[][2] = {
		[FLOW_NODE_SERVICE] = { "[", "]" },  [FLOW_NODE_ENTITY] = { "([", "])" },
		[FLOW_NODE_LABELS] = { "[/", "/]" }, [FLOW_NODE_GROUP] = { "[[", "]]" },
		[FLOW_NODE_CIDR] = { "{{", "}}" },
	};
	const char *const *shape = shapes[p->g->nodes[i].kind];

	bh_buf_addf(p->out, "%sn%zu%s\"", indent, i, shape[0]);
	p->quote(title, p->out);
	bh_buf_addf(p->out, "\"%s\n", shape[1]);
}

static void mermaid_begin_box(const struct pen *p, size_t i, const char *title)
{
	bh_buf_addf(p->out, "  subgraph scope%zu[\"", i);
	p->quote(title, p->out);
	bh_buf_addstr(p->out, "\"]\n");
}

static void mermaid_end_box(const struct pen *p)
{
	bh_buf_addstr(p->out, "  end\n");
}

static void mermaid_edge(const struct pen *p, const struct flow_edge *e)
{
	bh_buf_addf(p->out, "  n%zu %s|\"", e->from, e->state == FLOW_EDGE_BOTH ? "-->" : "-.->");
	p->quote(e->ports, p->out);
	bh_buf_addf(p->out, "%s\"| n%zu\n", only(e), e->to);
}

void graph_mermaid(const struct flow_graph *g, const struct policy_set *policies,
		   struct bh_buf *out)
{
	const struct pen p = {
		g,           out, mermaid_quote, mermaid_node, mermaid_begin_box, mermaid_end_box,
		mermaid_edge
	};

	bh_buf_addstr(out, "flowchart LR\n");
	draw(&p, policies);
}

/* --- DOT -------------------------------------------------------------------------------------- */

static void dot_quote(const char *s, struct bh_buf *out)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			bh_buf_addstr(out, "\\");
		bh_buf_add(out, s, 1);
	}
}

static void dot_node(const struct pen *p, size_t i, const char *indent, const char *title)
{
	static const char *const shapes[] = {
		[FLOW_NODE_SERVICE] = "box",          [FLOW_NODE_ENTITY] = "ellipse",
		[FLOW_NODE_LABELS] = "parallelogram", [FLOW_NODE_GROUP] = "folder",
		[FLOW_NODE_CIDR] = "hexagon",
	};

	bh_buf_addf(p->out, "%sn%zu [shape=%s, label=\"", indent, i, shapes[p->g->nodes[i].kind]);
	p->quote(title, p->out);
	bh_buf_addstr(p->out, "\"];\n");
}

static void dot_begin_box(const struct pen *p, size_t i, const char *title)
{
	bh_buf_addf(p->out, "  subgraph cluster_%zu {\n    label=\"", i);
	p->quote(title, p->out);
	bh_buf_addstr(p->out, "\";\n");
}

static void dot_end_box(const struct pen *p)
{
	bh_buf_addstr(p->out, "  }\n");
}

static void dot_edge(const struct pen *p, const struct flow_edge *e)
{
	bh_buf_addf(p->out, "  n%zu -> n%zu [label=\"", e->from, e->to);
	p->quote(e->ports, p->out);
	bh_buf_addf(p->out, "%s\"%s];\n", only(e),
		    e->state == FLOW_EDGE_BOTH ? "" : ", style=dashed");
}

void graph_dot(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out)
{
	const struct pen p = { g, out, dot_quote, dot_node, dot_begin_box, dot_end_box, dot_edge };

	bh_buf_addstr(out, "digraph bulkhead {\n  rankdir=LR;\n");
	draw(&p, policies);
	bh_buf_addstr(out, "}\n");
}
