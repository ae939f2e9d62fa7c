/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* --- select: ------------------------------------------------------------------------------ */

static int read_all(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;

	if (n->plain && strcmp(n->text, "true") == 0)
		g->all = true;
	else
		mistake(rd, n, "bad-value",
			"write all: true, or select by labels:, scope: or services:",
			"\"all\" takes true, not \"%s\"", SHOWN(n->text));
	return 0;
}

static int read_labels(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;

	return labels_read(rd, n, "write all: true to select every container", &g->labels,
			   &g->n_labels);
}

static int read_scope(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;

	return ref_read(rd, NAME_SCOPE, n, &g->scope);
}

static int read_services(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;
	const char **names;
	size_t count = 0;

	if (!n->n)
		mistake(rd, n, "empty-select", "name a service, or write all: true",
			"services: [] selects no container");
	if (!node_fits(rd, n, BH_SERVICES_MAX, "services"))
		return 0;
	names = bh_arena_array(rd->arena, n->n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next) {
		int r = 0;

		if (node_takes(rd, c, TAKES_TEXT, "an entry of \"services\"", "web"))
			r = ref_read(rd, NAME_SERVICE, c, &names[count]);
		if (r < 0)
			return r;
		count += names[count] != NULL;
	}
	g->services = names;
	g->n_services = count;
	return 0;
}

static const struct field select_fields[] = {
	{ .key = "all",
	  .about = "Every container with a network namespace of its own; goes alone",
	  .shape = "\"const\":true",
	  .takes = TAKES_TEXT,
	  .read = read_all,
	  .example = "all: true" },
	{ .key = "labels",
	  .about = "Containers with all these labels",
	  .shape = SHAPE_LABELS,
	  .takes = TAKES_MAP,
	  .read = read_labels,
	  .example = "labels: {app: web}" },
	{ .key = "scope",
	  .about = "The containers of the services in that scope",
	  .shape = SHAPE_NAME,
	  .takes = TAKES_TEXT,
	  .read = read_scope,
	  .example = "scope: NAME" },
	{ .key = "services",
	  .about = "The containers of these services",
	  .shape = SHAPE_NAME,
	  .min = 1,
	  .max = BH_SERVICES_MAX,
	  .takes = TAKES_LIST,
	  .read = read_services,
	  .example = "services: [web, db]" },
};

static const struct schema select_schema =
	SCHEMA("a guardrail's select", select_fields, "select: {all: true}",
	       .shape = SHAPE_NOT_EMPTY ",\"dependentSchemas\":{\"all\":{\"maxProperties\":1}}");

static int read_select(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;
	int r;

	g->select_loc = n->loc;
	if (!n->n)
		mistake(rd, n, "empty-select",
			"write select: {all: true}, or add labels:, scope: or services:",
			"select: {} selects no container");
	r = schema_read(rd, &select_schema, n, g);
	if (r >= 0 && g->all && n->n > 1)
		mistake(rd, n, "bad-select", "remove all: true or the rest",
			"all: true already selects every container");
	return r;
}

/* --- deny: -------------------------------------------------------------------------------- */

static int read_to(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	enum direction d = strcmp(f->key, "to") == 0 ? DIRECTION_EGRESS : DIRECTION_INGRESS;
	struct deny *deny = out;

	if (deny->has_peers) {
		mistake(rd, n->key, "deny-conflict", "make it two entries of deny:",
			"one entry of deny: has to: or from:, not both");
		return 0;
	}
	deny->has_peers = true;
	deny->direction = d;
	return rule_read_peers(rd, n, true, &deny->rule);
}

static int read_ports(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct deny *deny = out;

	return ports_read(rd, n, &deny->rule.ports, &deny->rule.n_ports);
}

static int read_unless(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct deny *deny = out;
	struct exception *e;
	size_t i = 0;

	if (!node_fits(rd, n, BH_DENY_UNLESS_MAX, "exceptions"))
		return 0;
	e = bh_arena_array(rd->arena, n->n + 1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next) {
		int r = exception_read(rd, c, &e[i++]);

		if (r < 0)
			return r;
	}
	deny->unless = e;
	deny->n_unless = n->n;
	return 0;
}

static const struct field deny_fields[] = {
	{ .key = "name",
	  .about = "Shown in logs, counters and reports; unique in its direction",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct deny, rule.name),
	  .example = "name: metadata" },
	{ .key = "to",
	  .about = "The selected containers may not open connections to these",
	  .of = &guardrail_peer_schema,
	  .max = BH_PEERS_PER_RULE_MAX,
	  .takes = TAKES_LIST,
	  .read = read_to,
	  .example = "to: [{cidr: 169.254.0.0/16}]" },
	{ .key = "from",
	  .about = "The selected containers may not be reached by these",
	  .of = &guardrail_peer_schema,
	  .max = BH_PEERS_PER_RULE_MAX,
	  .takes = TAKES_LIST,
	  .read = read_to,
	  .example = "from: [{not-scope: cde}]" },
	{ .key = "ports",
	  .about = "Any of these; any port without",
	  .shape = SHAPE_PORT,
	  .min = 1,
	  .max = BH_PORTS_PER_RULE_MAX,
	  .canon = port_canon,
	  .takes = TAKES_LIST,
	  .read = read_ports,
	  .example = "ports: [443/tcp]" },
	{ .key = "unless",
	  .about = "Exceptions: peers, with ports beside them",
	  .of = &exception_schema,
	  .max = BH_DENY_UNLESS_MAX,
	  .takes = TAKES_LIST,
	  .read = read_unless,
	  .example = "unless: [{service: web, ports: [8443/tcp]}]" },
	{ .key = "reason",
	  .about = "Why this is so, for whoever reviews it",
	  .takes = TAKES_TEXT,
	  .read = schema_read_string,
	  .offset = offsetof(struct deny, rule.reason),
	  .example = "reason: why this is denied" },
	{ .key = "ticket",
	  .about = "The change that brought it",
	  .takes = TAKES_TEXT,
	  .read = schema_read_string,
	  .offset = offsetof(struct deny, rule.ticket),
	  .example = "ticket: CHG-1042" },
	{ .key = "reviewed",
	  .about = "When somebody last looked at it",
	  .takes = TAKES_TEXT,
	  .read = schema_read_date,
	  .offset = offsetof(struct deny, rule.reviewed),
	  .example = "reviewed: 2026-09-01" },
	ACCEPT_FIELD(offsetof(struct deny, rule.accepts)),
	{ .key = "expires",
	  .refused = "does not belong to a guardrail",
	  .way_out = "a guardrail ends when it is removed" },
};

static const struct schema deny_schema =
	SCHEMA("an entry of deny:", deny_fields, "- to: [{cidr: 169.254.0.0/16}]",
	       .shape = "\"oneOf\":[{\"required\":[\"to\"]},{\"required\":[\"from\"]}]");

/* Counters and records are kept under the name of an entry, so it is unique in its direction. */
static void check_names(struct reader *rd, const struct deny *deny, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			if (!deny[i].rule.name || !deny[k].rule.name ||
			    deny[i].direction != deny[k].direction ||
			    strcmp(deny[i].rule.name, deny[k].rule.name) != 0)
				continue;
			diag_add(rd->diags, DIAG_ERROR, &deny[i].rule.loc, "duplicate-rule",
				 "give each entry a name of its own",
				 "a second entry of deny: named \"%s\", after line %u",
				 deny[i].rule.name, deny[k].rule.loc.line);
			break;
		}
}

/* Is to: or from: there, well or badly spelt? What is wrong with it is told elsewhere. */
static bool names_peers(const struct node *map)
{
	static const char *const words[] = { "to", "from" };

	for (const struct node *c = map->first; c; c = c->next)
		if (bh_nearest(c->key->text, words, BH_ARRAY_SIZE(words)))
			return true;
	return false;
}

static int read_deny(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct guardrail *g = out;
	struct deny *deny;
	size_t i = 0;

	if (!n->n)
		mistake(rd, n, "empty-deny",
			"say what it denies, as in - to: [{cidr: 169.254.0.0/16}]",
			"deny: [] denies nothing");
	if (!node_fits(rd, n, BH_GUARDRAIL_DENIES_MAX, "entries of deny:"))
		return 0;
	deny = bh_arena_array(rd->arena, n->n + 1, sizeof(*deny));
	if (!deny)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next) {
		struct deny *d = &deny[i++];
		int r;

		d->rule.loc = c->loc;
		d->rule.ports = &rule_any_port;
		d->rule.n_ports = 1;
		r = schema_read(rd, &deny_schema, c, d);
		if (r < 0)
			return r;
		if (c->kind == NODE_MAP && !names_peers(c))
			mistake(rd, c, "missing-key", "for example to: [{cidr: 169.254.0.0/16}]",
				"an entry of deny: needs \"to\" or \"from\"");
	}
	g->deny = deny;
	g->n_deny = n->n;
	check_names(rd, deny, n->n);
	return 0;
}

/* --- the guardrail ------------------------------------------------------------------------ */

static const struct field fields[] = {
	{ .key = "guardrail",
	  .about = "Name of the guardrail, unique in all files; the first key",
	  .takes = TAKES_TEXT,
	  .read = schema_read_name,
	  .offset = offsetof(struct guardrail, name),
	  .example = "guardrail: NAME" },
	{ .key = "select",
	  .about = "Whom it holds for; all that is there must match",
	  .of = &select_schema,
	  .takes = TAKES_MAP,
	  .required = true,
	  .read = read_select,
	  .example = "select: {all: true}" },
	{ .key = "deny",
	  .about = "What is denied, whatever services allow",
	  .of = &deny_schema,
	  .min = 1,
	  .max = BH_GUARDRAIL_DENIES_MAX,
	  .takes = TAKES_LIST,
	  .required = true,
	  .read = read_deny,
	  .example = "deny: [{to: [{cidr: 169.254.0.0/16}]}]" },
	ACCEPT_FIELD(offsetof(struct guardrail, accepts)),
	{ .key = "mode",
	  .refused = "does not belong to a guardrail",
	  .way_out = "a guardrail always holds; try it first as service rules with mode: audit" },
};

const struct schema guardrail_schema = SCHEMA("a guardrail", fields, NULL);

int guardrail_read(struct set_builder *b, const struct node *root)
{
	int r;
	struct guardrail *g = set_define(b, NAME_GUARDRAIL, root, &r);

	if (!g)
		return r;
	g->loc = root->first->loc;
	g->select_loc = g->loc;
	r = meaning_of(root, &guardrail_schema, &g->meaning);
	if (r < 0)
		return r;
	r = schema_read(&b->rd, &guardrail_schema, root, g);
	if (!g->name)
		b->incomplete = true;
	return r;
}
