/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_GRAPH_H
#define CLI_GRAPH_H

#include <bulkhead/base/buf.h>
#include <bulkhead/compile/flows.h>

#include "cli.h"

/* export --format mermaid, dot, json: what policies allow, as a picture or as data. */

/* A format writes what it makes of the graph; POLICIES has the scopes. */
struct graph_format {
	const char *name;
	void (*write)(const struct flow_graph *g, const struct policy_set *policies,
		      struct bh_buf *out);
};
const struct graph_format *graph_format_find(const char *name); /* NULL: there is none */

void graph_mermaid(const struct flow_graph *g, const struct policy_set *policies,
		   struct bh_buf *out);
void graph_dot(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out);
void graph_json(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out);
void graph_svg(const struct flow_graph *g, const struct policy_set *policies, struct bh_buf *out);

/* Write the graph of the policies that O names. An exit code. */
int graph_export(const struct graph_format *format, const struct cli_options *o);

/* "cde: Cardholder data environment". The caller ends *OUT. */
void graph_scope_title(const struct scope *s, struct bh_buf *out);
/* Is node N a service of this scope (NULL: of none)? */
bool graph_in_scope(const struct flow_node *n, const char *scope);
/* "web" and, of a service that is not enforced, its mode. */
void graph_node_title(const struct flow_node *n, struct bh_buf *out);

#endif
