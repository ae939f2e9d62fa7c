/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_COMPILE_FLOWS_H
#define BULKHEAD_COMPILE_FLOWS_H

#include <bulkhead/base/arena.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/host.h>
#include <bulkhead/model/policy.h>

/*
 * Flows as policies have them, without endpoints: between services, and between a service and the
 * addresses outside. What is compared is what may pass and not how it is written: a rule that moved,
 * was worded otherwise or split in two is no difference, and ranges of ports and addresses are taken
 * from each other exactly. Pure, as all of compile is.
 */

enum flow_change_kind {
	FLOW_OPENS,  /* passes after, and not before */
	FLOW_CLOSES, /* the other way round */
	FLOW_ENDS,   /* passes both times, but until another time */
	/* one end allows it, or does no longer, while the other one refuses it all the time */
	FLOW_HALF_OPENS,
	FLOW_HALF_CLOSES,
};
const char *flow_change_word(enum flow_change_kind kind); /* "opens", ..., "one end opens" */

/* Places are FILE:LINE, escaped; [direction]: of the rule at the source, at the destination. */
struct flow_change {
	enum flow_change_kind kind;
	const char *source, *destination; /* "web", "web {team=shop}", "the world", "10.0.0.0/8" */
	const char *ports;                /* "8081/tcp, 53/udp" */
	const char *before[2], *after[2]; /* NULL: nothing allows it there, or it is outside */
	const char *refused; /* what refuses it when it does not pass; NULL: an end is not there */
	int64_t ends_before, ends_after; /* seconds since the epoch; 0 = never */
};

/* What is said by name: of a service, a guardrail or a scope. */
struct named_change {
	const char *kind, *name;      /* "service", "payments" */
	const char *what;             /* "is new", "mode: enforce, then audit" */
	struct src_loc before, after; /* .file NULL: it is not there */
};

struct policy_diff {
	struct bh_arena *arena; /* everything lives in it */
	const struct flow_change *flows;
	size_t n_flows;
	const struct named_change *named;
	size_t n_named;
	size_t labels_left_out; /* sets of labels, named by peers, that were not looked at */
};

/*
 * From BEFORE to AFTER, both of policy_parse(); rules that expired before NOW allow nothing. The
 * caller frees *RET with policy_diff_free(). -ENOMEM, -E2BIG.
 */
int policy_diff(const struct policy_set *before, const struct policy_set *after,
		const struct host_config *host, int64_t now, struct policy_diff **ret,
		struct bh_err *err);
void policy_diff_free(struct policy_diff *d); /* takes NULL */

/* --- the graph ------------------------------------------------------------------------------- */

enum flow_node_kind {
	FLOW_NODE_SERVICE,
	FLOW_NODE_ENTITY,
	FLOW_NODE_LABELS,
	FLOW_NODE_GROUP,
	FLOW_NODE_CIDR
};
const char *flow_node_word(enum flow_node_kind kind); /* "service", "entity", ... */

struct flow_node {
	enum flow_node_kind kind;
	const char *name; /* "web", "web {team=shop}", "host", "world", "acquirers", "10.0.0.0/8" */
	const struct service *service; /* of a service; else NULL */
	/* of addresses outside: a peer in the policies that has them; else NULL */
	const struct peer *peer;
};

enum flow_edge_state { FLOW_EDGE_BOTH, FLOW_EDGE_SOURCE_ONLY, FLOW_EDGE_DESTINATION_ONLY };
const char *flow_edge_word(enum flow_edge_state state); /* "allowed", "source-only", ... */

struct flow_edge_rule {
	const char *ports;
	const char *places[2]; /* [direction]: FILE:LINE, or NULL */
	const struct rule
		*rules[2]; /* the same in the policies; NULL: not of a rule (dns: allow) */
};

struct flow_edge {
	size_t from, to; /* nodes */
	enum flow_edge_state state;
	const char *ports;
	const struct flow_edge_rule *rules; /* the same, by the rules that allow it */
	size_t n_rules;
};

/* What policies allow: services by name, then who else they name; edges by their ends. */
struct flow_graph {
	struct bh_arena *arena; /* everything lives in it */
	const struct flow_node *nodes;
	size_t n_nodes;
	const struct flow_edge *edges;
	size_t n_edges;
	size_t labels_left_out; /* as in struct policy_diff */
};

/*
 * Borrows from POLICIES. What guardrails deny is left out; where one end allows what the other one
 * refuses, the state says which. Errors as policy_diff().
 */
int flow_graph_new(const struct policy_set *policies, const struct host_config *host, int64_t now,
		   struct flow_graph **ret, struct bh_err *err);
void flow_graph_free(struct flow_graph *g); /* takes NULL */

#endif
