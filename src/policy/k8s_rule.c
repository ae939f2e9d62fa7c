/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "k8s.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

/* Rules of a NetworkPolicy: peers are OR, what stands in one of them is AND; ports are OR. */

/* --- ipBlock ---------------------------------------------------------------------------------- */

/* Kubernetes wants the length written down. */
static bool read_prefix(struct reader *rd, const struct node *n, struct bh_prefix *ret)
{
	char hint[HINT_MAX], text[BH_PREFIX_STR];

	if (!prefix_read(rd, n, ret))
		return false;
	if (strchr(n->text, '/'))
		return true;
	snprintf(hint, sizeof(hint), "write %s", bh_prefix_format(text, ret));
	mistake(rd, n, "bad-cidr", hint, "\"%s\" has no prefix length", SHOWN(n->text));
	return false;
}

static int read_cidr(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	p->has_cidr = read_prefix(rd, n, &p->cidr);
	return 0;
}

static int read_except(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;
	struct bh_prefix *v;

	if (!node_fits(rd, n, BH_PEERS_PER_RULE_MAX, "prefixes in except:"))
		return 0;
	v = bh_arena_array(rd->arena, n->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct node *c = n->first; c; c = c->next)
		if (read_prefix(rd, c, &v[p->n_except]))
			p->n_except++;
	p->except = v;
	return 0;
}

static const struct field block_fields[] = {
	{ .key = "cidr",
	  .takes = TAKES_TEXT,
	  .required = true,
	  .read = read_cidr,
	  .example = "cidr: 203.0.113.0/24" },
	{ .key = "except",
	  .takes = TAKES_LIST,
	  .read = read_except,
	  .example = "except: [203.0.113.128/25]" },
};

static const struct schema block_schema =
	SCHEMA("an ipBlock", block_fields, "{cidr: 203.0.113.0/24}");

/* All of cidr: excepted would be a peer that names nobody: Kubernetes refuses it, too. */
static void check_except(struct reader *rd, const struct node *n, const struct peer *p)
{
	const struct node *except = n->kind == NODE_MAP ? node_find(n, "except") : NULL;
	char inner[BH_PREFIX_STR], outer[BH_PREFIX_STR];

	for (const struct node *c = except ? except->first : NULL; p->has_cidr && c; c = c->next) {
		struct bh_prefix e;

		if (c->kind != NODE_TEXT || bh_prefix_parse(c->text, &e) < 0 ||
		    (e.addr.family == p->cidr.addr.family && e.len > p->cidr.len &&
		     bh_prefix_contains(&p->cidr, &e.addr)))
			continue;
		mistake(rd, c, "except-outside",
			"except: names parts of cidr:", "%s is no part of %s",
			bh_prefix_format(inner, &e), bh_prefix_format(outer, &p->cidr));
	}
}

/* --- peers ------------------------------------------------------------------------------------ */

struct reading_peer {
	struct peer *peer;
	struct pods pods;
	const struct node *pod, *ns, *block; /* the keys' values */
};

static int read_pod_selector(struct reader *rd, const struct field *f, const struct node *n,
			     void *out)
{
	struct reading_peer *x = out;

	x->pod = n;
	return k8s_read_selector(rd, n, "a podSelector", &x->pods.labels);
}

static int read_namespace_selector(struct reader *rd, const struct field *f, const struct node *n,
				   void *out)
{
	struct reading_peer *x = out;

	x->ns = n;
	return k8s_read_selector(rd, n, "a namespaceSelector", &x->pods.namespaces);
}

static int read_block(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct reading_peer *x = out;
	int r = schema_read(rd, &block_schema, n, x->peer);

	x->block = n;
	check_except(rd, n, x->peer);
	return r;
}

static const struct field peer_fields[] = {
	{ .key = "podSelector",
	  .takes = TAKES_MAP,
	  .read = read_pod_selector,
	  .example = "podSelector: {matchLabels: {app: web}}" },
	{ .key = "namespaceSelector",
	  .takes = TAKES_MAP,
	  .read = read_namespace_selector,
	  .example = "namespaceSelector: {matchLabels: {team: shop}}" },
	{ .key = "ipBlock",
	  .takes = TAKES_MAP,
	  .read = read_block,
	  .example = "ipBlock: {cidr: 203.0.113.0/24}" },
	{ .key = "ports",
	  .refused = "does not belong to a peer",
	  .way_out = "write ports: beside from: or to:, for all peers of the rule" },
};

static const struct schema peer_schema =
	SCHEMA("a peer", peer_fields, "{podSelector: {matchLabels: {app: web}}}");

static void check_peer(struct reader *rd, const struct node *n, const struct reading_peer *x)
{
	if (!n->n)
		mistake(rd, n, "empty-peer",
			"write podSelector:, namespaceSelector: or ipBlock: in it; leave from: or "
			"to: out to mean everybody",
			"this peer is empty");
	if (x->block && (x->pod || x->ns))
		mistake(rd, x->block->key, "peer-conflict", "make it two entries of the list",
			"\"ipBlock\" stands alone in a peer, not beside \"%s\"",
			x->pod ? "podSelector" : "namespaceSelector");
}

/* Without namespaceSelector: those of the policy's own namespace. */
static int keep_pods(struct reader *rd, struct reading_peer *x, const char *namespace)
{
	struct pods *p = bh_arena_alloc(rd->arena, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = x->pods;
	p->namespace = x->ns ? NULL : namespace;
	x->peer->pods = p;
	return k8s_find_exact(rd, p);
}

static int read_peer(struct reader *rd, const struct node *n, const char *namespace,
		     struct peer *ret)
{
	struct reading_peer x = { .peer = ret };
	int r;

	ret->loc = n->loc;
	r = schema_read(rd, &peer_schema, n, &x);
	if (r < 0 || n->kind != NODE_MAP)
		return r;
	check_peer(rd, n, &x);
	return x.pod || x.ns ? keep_pods(rd, &x, namespace) : 0;
}

/* --- ports ------------------------------------------------------------------------------------ */

struct reading_port {
	int proto; /* index into protos */
	const struct node *port, *end;
	uint32_t lo, hi;
	const char *name;
};

static const char *const proto_words[] = { "TCP", "UDP", "SCTP", NULL };
static const uint16_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

static bool is_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int read_number(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	static const struct field range = { .key = "port", .min = 1, .max = 65535 };
	static const struct field range_end = { .key = "endPort", .min = 1, .max = 65535 };

	return schema_read_u32(rd, strcmp(f->key, "port") == 0 ? &range : &range_end, n, out);
}

static int read_port(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	const char *why = k8s_port_name_wrong(n->text);
	struct reading_port *x = out;

	x->port = n;
	if (is_digits(n->text))
		return read_number(rd, f, n, &x->lo);
	if (why) {
		mistake(rd, n, "bad-port", why,
			"bad port \"%s\": it takes a number from 1 to 65535 or the name of a port",
			SHOWN(n->text));
		return 0;
	}
	x->name = bh_arena_strdup(rd->arena, n->text);
	return x->name ? 0 : -ENOMEM;
}

static int read_end(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct reading_port *x = out;

	x->end = n;
	return read_number(rd, f, n, &x->hi);
}

static const struct field port_fields[] = {
	{ .key = "protocol",
	  .takes = TAKES_TEXT,
	  .read = schema_read_word,
	  .offset = offsetof(struct reading_port, proto),
	  .words = proto_words,
	  .example = "protocol: TCP" },
	{ .key = "port", .takes = TAKES_TEXT, .read = read_port, .example = "port: 443" },
	{ .key = "endPort", .takes = TAKES_TEXT, .read = read_end, .example = "endPort: 32768" },
};

static const struct schema port_schema =
	SCHEMA("an entry of ports", port_fields, "{protocol: TCP, port: 443}");

static void check_end(struct reader *rd, const struct reading_port *x)
{
	if (!x->end)
		return;
	if (!x->port)
		mistake(rd, x->end->key, "end-without-port", "add port:, where the range begins",
			"\"endPort\" stands without \"port\"");
	else if (!is_digits(x->port->text))
		mistake(rd, x->end->key, "end-without-port",
			"write the port's number, or remove endPort:",
			"\"endPort\" goes with the number of a port, not with a name (\"%s\")",
			SHOWN(x->port->text));
	else if (x->lo && x->hi && x->hi < x->lo)
		mistake(rd, x->end, "bad-port",
			"write the lower port in port:", "the range of ports is reversed: %u to %u",
			x->lo, x->hi);
}

/* To the numbers, or to the names. */
static int read_port_entry(struct reader *rd, const struct node *n, struct port_spec *specs,
			   struct port_name *names, struct rule *rule)
{
	struct reading_port x = { 0 };
	int r = schema_read(rd, &port_schema, n, &x);

	if (r < 0)
		return r;
	check_end(rd, &x);
	if (x.name) {
		names[rule->n_named++] =
			(struct port_name) { x.port->loc, x.name, protos[x.proto] };
		return 0;
	}
	specs[rule->n_ports++] = (struct port_spec) {
		.proto = protos[x.proto],
		.lo = (uint16_t)x.lo,
		.hi = (uint16_t)(x.end    ? x.hi
				 : x.port ? x.lo
					  : UINT16_MAX),
	};
	return 0;
}

static int read_ports(struct reader *rd, const struct node *list, struct rule *rule)
{
	struct port_spec *specs = bh_arena_array(rd->arena, list->n + 1, sizeof(*specs));
	struct port_name *names = bh_arena_array(rd->arena, list->n + 1, sizeof(*names));
	int r = 0;

	if (!specs || !names)
		return -ENOMEM;
	rule->ports = specs;
	rule->named = names;
	rule->n_ports = 0;
	for (const struct node *c = list->first; r >= 0 && c; c = c->next)
		r = read_port_entry(rd, c, specs, names, rule);
	return r;
}

/* --- rules ------------------------------------------------------------------------------------ */

struct reading_rule {
	struct rule *rule;
	const char *namespace;
	const struct node *peers;
};

static int read_rule_peers(struct reader *rd, const struct field *f, const struct node *n,
			   void *out)
{
	struct reading_rule *x = out;
	struct peer *peers;
	int r = 0;

	x->peers = n;
	if (!node_fits(rd, n, BH_PEERS_PER_RULE_MAX, "peers"))
		return 0;
	peers = bh_arena_array(rd->arena, n->n + 1, sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	x->rule->peers = peers;
	for (const struct node *c = n->first; r >= 0 && c; c = c->next)
		r = read_peer(rd, c, x->namespace, &peers[x->rule->n_peers++]);
	return r;
}

/* An empty list is as if it were not there: every port. */
static int read_rule_ports(struct reader *rd, const struct field *f, const struct node *n,
			   void *out)
{
	struct reading_rule *x = out;

	if (!n->n || !node_fits(rd, n, BH_PORTS_PER_RULE_MAX, "ports"))
		return 0;
	return read_ports(rd, n, x->rule);
}

#define PORTS_FIELD                                                                                \
	{                                                                                          \
		.key = "ports", .takes = TAKES_LIST, .read = read_rule_ports,                      \
		.example = "ports: [{protocol: TCP, port: 443}]"                                   \
	}

static const struct field ingress_fields[] = {
	{ .key = "from",
	  .takes = TAKES_LIST,
	  .read = read_rule_peers,
	  .example = "from: [{podSelector: {matchLabels: {app: web}}}]" },
	{ .key = "to",
	  .refused = "does not belong in an ingress rule",
	  .way_out = "ingress says from:, egress says to:" },
	PORTS_FIELD,
};

static const struct field egress_fields[] = {
	{ .key = "to",
	  .takes = TAKES_LIST,
	  .read = read_rule_peers,
	  .example = "to: [{podSelector: {matchLabels: {app: web}}}]" },
	{ .key = "from",
	  .refused = "does not belong in an egress rule",
	  .way_out = "ingress says from:, egress says to:" },
	PORTS_FIELD,
};

static const struct schema schemas[DIRECTIONS] = {
	[DIRECTION_INGRESS] =
		SCHEMA("an ingress rule", ingress_fields, "{} to let in everybody, or from: [...]"),
	[DIRECTION_EGRESS] =
		SCHEMA("an egress rule", egress_fields, "{} to let out everything, or to: [...]"),
};

static int read_rule(struct reader *rd, const struct node *n, enum direction d,
		     const char *namespace, struct rule *ret)
{
	struct reading_rule x = { ret, namespace, NULL };
	int r;

	ret->loc = n->loc;
	ret->ports = &rule_any_port;
	ret->n_ports = 1;
	r = schema_read(rd, &schemas[d], n, &x);
	if (r >= 0 && (!x.peers || !x.peers->n)) {
		struct peer *all = bh_arena_alloc(rd->arena, sizeof(*all));

		if (!all)
			return -ENOMEM;
		*all = (struct peer) { .loc = n->loc, .entity = ENTITY_ALL };
		ret->peers = all;
		ret->n_peers = 1;
	}
	return r;
}

int k8s_read_rules(struct reader *rd, const struct node *list, enum direction d,
		   const char *namespace, struct service *svc)
{
	struct rule *rules;
	size_t i = 0;
	int r = 0;

	if (!node_fits(rd, list, BH_RULES_PER_SERVICE_MAX, "rules"))
		return 0;
	rules = bh_arena_array(rd->arena, list->n + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (const struct node *c = list->first; r >= 0 && c; c = c->next)
		r = read_rule(rd, c, d, namespace, &rules[i++]);
	svc->rules[d] = rules;
	svc->n_rules[d] = list->n;
	return r;
}
