/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

int rule_read_peers(struct reader *rd, const struct node *n, bool guardrail, struct rule *rule)
{
	struct peer *peers;
	size_t i = 0;

	if (!node_fits(rd, n, BH_PEERS_PER_RULE_MAX, "peers"))
		return 0;
	peers = bh_arena_array(rd->arena, n->n + 1, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next) {
		int r = peer_read(rd, c, guardrail, &peers[i++]);

		if (r < 0)
			return r;
	}
	rule->peers = peers;
	rule->n_peers = n->n;
	return 0;
}

static int read_peers(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	return rule_read_peers(rd, n, false, out);
}

static void read_port(struct reader *rd, const struct node *n, struct port_spec *ret)
{
	const char *why = NULL;

	if (n->kind != NODE_TEXT || node_is_null(n)) {
		node_takes(rd, n, TAKES_TEXT, "a port", "443/tcp");
		return;
	}
	if (port_spec_parse(n->text, ret, &why) < 0)
		mistake(rd, n, "bad-port",
			"write it like 443/tcp, 8000-8080/tcp, 53/udp, icmp/echo-request, tcp or "
			"any",
			"bad port \"%s\": %s", SHOWN(n->text), why ? why : "not understood");
}

const char *port_canon(char out[CANON_MAX], const char *text)
{
	struct port_spec p;
	const char *why;

	_Static_assert(PORT_SPEC_STR <= CANON_MAX, "a port fits");
	return port_spec_parse(text, &p, &why) < 0 ? NULL : port_spec_format(out, &p);
}

int ports_read(struct reader *rd, const struct node *n, const struct port_spec **ret, size_t *ret_n)
{
	struct port_spec *ports;
	size_t i = 0;

	if (!n->n)
		mistake(rd, n, "empty-ports", "remove ports: to mean any port, or name the ports",
			"ports: [] names no port");
	if (!node_fits(rd, n, BH_PORTS_PER_RULE_MAX, "ports"))
		return 0;
	ports = bh_arena_array(rd->arena, n->n + 1, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next)
		read_port(rd, c, &ports[i++]);
	*ret = ports;
	*ret_n = n->n;
	return 0;
}

static int read_ports(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct rule *rule = out;

	return ports_read(rd, n, &rule->ports, &rule->n_ports);
}

#define RULE_NAME                                                                                  \
	{                                                                                          \
		.key = "name",                                                                     \
		.about = "Shown in logs, counters and reports; unique in its direction",           \
		.takes = TAKES_TEXT, .read = schema_read_name,                                     \
		.offset = offsetof(struct rule, name), .example = "name: checkout"                 \
	}

#define RULE_FIELDS                                                                                \
	{ .key = "ports",                                                                          \
	  .about = "Any of these; any port without",                                               \
	  .shape = SHAPE_PORT,                                                                     \
	  .min = 1,                                                                                \
	  .max = BH_PORTS_PER_RULE_MAX,                                                            \
	  .canon = port_canon,                                                                     \
	  .takes = TAKES_LIST,                                                                     \
	  .read = read_ports,                                                                      \
	  .example = "ports: [443/tcp]" },                                                         \
		{ .key = "expires",                                                                \
		  .about = "Afterwards the rule allows nothing",                                   \
		  .takes = TAKES_TEXT,                                                             \
		  .read = schema_read_time,                                                        \
		  .offset = offsetof(struct rule, expires),                                        \
		  .example = "expires: 2027-01-31T00:00:00Z" },                                    \
		{ .key = "reason",                                                                 \
		  .about = "Why this is so, for whoever reviews it",                               \
		  .takes = TAKES_TEXT,                                                             \
		  .read = schema_read_remark,                                                      \
		  .offset = offsetof(struct rule, reason),                                         \
		  .example = "reason: why this flow is needed" },                                  \
		{ .key = "ticket",                                                                 \
		  .about = "The change that brought it",                                           \
		  .takes = TAKES_TEXT,                                                             \
		  .read = schema_read_remark,                                                      \
		  .offset = offsetof(struct rule, ticket),                                         \
		  .example = "ticket: CHG-1042" },                                                 \
		{ .key = "reviewed",                                                               \
		  .about = "When somebody last looked at it",                                      \
		  .takes = TAKES_TEXT,                                                             \
		  .read = schema_read_date,                                                        \
		  .offset = offsetof(struct rule, reviewed),                                       \
		  .example = "reviewed: 2026-09-01" },                                             \
		ACCEPT_FIELD(offsetof(struct rule, accepts))

static const struct field ingress_fields[] = {
	RULE_NAME,
	{ .key = "from",
	  .about = "Who may come in: any of these peers",
	  .of = &rule_peer_schema,
	  .max = BH_PEERS_PER_RULE_MAX,
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_peers,
	  .example = "from: [{service: web}]" },
	{ .key = "to",
	  .refused = "does not belong in an ingress rule",
	  .way_out = "ingress says from:, egress says to:",
	  .instead = "from" },
	RULE_FIELDS,
};

static const struct field egress_fields[] = {
	RULE_NAME,
	{ .key = "to",
	  .about = "Where it may go: any of these peers",
	  .of = &rule_peer_schema,
	  .max = BH_PEERS_PER_RULE_MAX,
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_peers,
	  .example = "to: [{service: web}]" },
	{ .key = "from",
	  .refused = "does not belong in an egress rule",
	  .way_out = "ingress says from:, egress says to:",
	  .instead = "to" },
	RULE_FIELDS,
};

const struct schema rule_schemas[DIRECTIONS] = {
	[DIRECTION_INGRESS] = SCHEMA("an ingress rule", ingress_fields, "- from: [{service: web}]"),
	[DIRECTION_EGRESS] = SCHEMA("an egress rule", egress_fields, "- to: [{service: web}]"),
};

const struct port_spec rule_any_port = { .proto = PROTO_ANY, .lo = 0, .hi = 65535 };

/* Counters and records are kept under the name of a rule, so it is unique in its direction. */
static int check_names(struct reader *rd, const struct rule *rules, size_t n, enum direction dir)
{
	bh_autofree struct name_entry *names = calloc(n + 1, sizeof(*names));
	size_t count = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (rules[i].name)
			names[count++] = (struct name_entry) { rules[i].name, i };
	names_sort(names, count);
	for (size_t i = 1; i < count; i++) {
		if (strcmp(names[i - 1].name, names[i].name) != 0)
			continue;
		diag_add(rd->diags, DIAG_ERROR, &rules[names[i].index].loc, "duplicate-rule",
			 "give each rule a name of its own",
			 "a second %s rule named \"%s\", after line %u", direction_name(dir),
			 names[i].name, rules[names[i - 1].index].loc.line);
	}
	return 0;
}

int rules_read(struct reader *rd, const struct node *list, enum direction dir, struct service *svc)
{
	struct rule *rules;
	size_t i = 0;

	if (!node_fits(rd, list, BH_RULES_PER_SERVICE_MAX, "rules"))
		return 0;
	rules = bh_arena_array(rd->arena, list->n + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (const struct node *c = list->first; c; c = c->next) {
		struct rule *rule = &rules[i++];
		int r;

		rule->loc = c->loc;
		rule->ports = &rule_any_port;
		rule->n_ports = 1;
		r = schema_read(rd, &rule_schemas[dir], c, rule);
		if (r < 0)
			return r;
	}
	svc->rules[dir] = rules;
	svc->n_rules[dir] = list->n;
	return check_names(rd, rules, list->n, dir);
}
