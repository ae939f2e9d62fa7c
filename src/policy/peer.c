/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "set.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>

#include "cover.h"

static int read_service_ref(struct reader *rd, const struct field *f, const struct node *n,
			    void *out)
{
	struct peer *p = out;

	return ref_read(rd, NAME_SERVICE, n, &p->service);
}

static int read_group_ref(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	return ref_read(rd, NAME_GROUP, n, &p->group);
}

static int read_scope_ref(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	return ref_read(rd, NAME_SCOPE, n,
			strcmp(f->key, "scope") == 0 ? &p->scope : &p->not_scope);
}

static int read_labels(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	return labels_read(rd, n, "write entity: managed to mean every managed endpoint",
			   &p->labels, &p->n_labels);
}

static int read_cidr(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	p->has_cidr = prefix_read(rd, n, &p->cidr);
	return 0;
}

static int read_except(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct peer *p = out;

	return prefixes_read(rd, n, BH_PEERS_PER_RULE_MAX, "prefixes in except:", &p->except,
			     &p->n_except);
}

static const char *const entity_words[] = { "host", "world", "managed", NULL };

static int read_entity(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	static const enum entity entities[] = { ENTITY_HOST, ENTITY_WORLD, ENTITY_MANAGED };
	struct peer *p = out;
	int word = -1;
	int r = schema_read_word(rd, f, n, &word);

	if (word >= 0)
		p->entity = entities[word];
	return r;
}

#define PEER_FIELDS                                                                                \
	{ .key = "service",                                                                        \
	  .about = "The containers of that service, now and later",                                \
	  .shape = SHAPE_NAME,                                                                     \
	  .takes = TAKES_TEXT,                                                                     \
	  .read = read_service_ref,                                                                \
	  .example = "service: NAME" },                                                            \
		{ .key = "labels",                                                                 \
		  .about = "Every managed container with all these labels",                        \
		  .shape = SHAPE_LABELS,                                                           \
		  .takes = TAKES_MAP,                                                              \
		  .read = read_labels,                                                             \
		  .example = "labels: {app: web}" },                                               \
		{ .key = "group",                                                                  \
		  .about = "The addresses of a group",                                             \
		  .shape = SHAPE_NAME,                                                             \
		  .takes = TAKES_TEXT,                                                             \
		  .read = read_group_ref,                                                          \
		  .example = "group: NAME" },                                                      \
		{ .key = "cidr",                                                                   \
		  .about = "These addresses, IPv4 or IPv6, whoever has them",                      \
		  .shape = SHAPE_PREFIX,                                                           \
		  .canon = prefix_canon,                                                           \
		  .takes = TAKES_TEXT,                                                             \
		  .read = read_cidr,                                                               \
		  .example = "cidr: 203.0.113.0/24" },                                             \
		{ .key = "except",                                                                 \
		  .about = "Without these, which lie inside cidr",                                 \
		  .shape = SHAPE_PREFIX,                                                           \
		  .max = BH_PEERS_PER_RULE_MAX,                                                    \
		  .canon = prefix_canon,                                                           \
		  .takes = TAKES_LIST,                                                             \
		  .read = read_except,                                                             \
		  .example = "except: [203.0.113.128/25]" },                                       \
		{ .key = "entity",                                                                 \
		  .about = "host: the addresses of this host; world: any that is of no managed "   \
			   "container, host, link or metadata service; managed: every container "  \
			   "that some service selects",                                            \
		  .takes = TAKES_TEXT,                                                             \
		  .read = read_entity,                                                             \
		  .words = entity_words,                                                           \
		  .example = "entity: world" },                                                    \
	{                                                                                          \
		.key = "dns", .refused = "as a peer is not supported by this version",             \
		.way_out = "remove it or write the addresses as cidr: or group:"                   \
	}

#define SCOPE_FIELDS_OF_PEER                                                                       \
	{ .key = "scope",                                                                          \
	  .about = "The addresses of the members of that scope",                                   \
	  .shape = SHAPE_NAME,                                                                     \
	  .takes = TAKES_TEXT,                                                                     \
	  .read = read_scope_ref,                                                                  \
	  .example = "scope: NAME" },                                                              \
	{                                                                                          \
		.key = "not-scope", .about = "Every address that no member of that scope has",     \
		.shape = SHAPE_NAME, .takes = TAKES_TEXT, .read = read_scope_ref,                  \
		.example = "not-scope: NAME"                                                       \
	}

#define PORTS_OUTSIDE                                                                              \
	{                                                                                          \
		.key = "ports", .refused = "does not belong to a peer", .instead = "ports",        \
		.way_out = "write ports: beside from: or to:, for all peers of the rule"           \
	}

static const struct field fields[] = {
	PEER_FIELDS,
	{ .key = "scope",
	  .refused = "as a peer belongs to a guardrail",
	  .way_out = "name the services, as in {service: NAME}" },
	{ .key = "not-scope",
	  .refused = "as a peer belongs to a guardrail",
	  .way_out = "a rule allows: name who may, as in {service: NAME}" },
	PORTS_OUTSIDE,
};

static const struct field guardrail_fields[] = { PEER_FIELDS, SCOPE_FIELDS_OF_PEER, PORTS_OUTSIDE };

static int read_ports(struct reader *rd, const struct field *f, const struct node *n, void *out)
{
	struct exception *e = out;

	return ports_read(rd, n, &e->ports, &e->n_ports);
}

static const struct field exception_fields[] = {
	PEER_FIELDS,
	SCOPE_FIELDS_OF_PEER,
	{ .key = "ports",
	  .about = "Only these are excepted; any port without",
	  .shape = SHAPE_PORT,
	  .min = 1,
	  .max = BH_PORTS_PER_RULE_MAX,
	  .canon = port_canon,
	  .takes = TAKES_LIST,
	  .read = read_ports,
	  .example = "ports: [443/tcp]" },
};

/* What check_except() and check_keys() say. */
#define PEER_SHAPE                                                                                 \
	"\"dependentRequired\":{\"except\":[\"cidr\"]},\"dependentSchemas\":{\"entity\":"          \
	"{\"properties\":{\"service\":false,\"labels\":false,\"group\":false,\"scope\":false,"     \
	"\"not-scope\":false}}}"

const struct schema rule_peer_schema =
	SCHEMA("a peer", fields, "{service: NAME}", .shape = SHAPE_NOT_EMPTY "," PEER_SHAPE);
const struct schema guardrail_peer_schema =
	SCHEMA("a peer of a guardrail", guardrail_fields, "{service: NAME}",
	       .shape = SHAPE_NOT_EMPTY "," PEER_SHAPE);
const struct schema exception_schema =
	SCHEMA("an entry of unless:", exception_fields, "{service: NAME, ports: [443/tcp]}",
	       .shape = SHAPE_NOT_EMPTY
	       "," PEER_SHAPE ",\"if\":{\"required\":[\"ports\"]},\"then\":{\"minProperties\":2}");

static const struct node *value_of(const struct node *map, const char *key)
{
	for (const struct node *c = map->first; c; c = c->next)
		if (strcmp(c->key->text, key) == 0)
			return c;
	return NULL;
}

static void check_except(struct reader *rd, const struct node *n, const struct peer *p)
{
	const struct node *except = value_of(n, "except");
	char inner[BH_PREFIX_STR], outer[BH_PREFIX_STR];

	if (!except)
		return;
	if (!value_of(n, "cidr"))
		mistake(rd, except->key, "except-without-cidr", "add cidr:, which except: narrows",
			"\"except\" stands without \"cidr\"");
	for (const struct node *c = except->first; p->has_cidr && c; c = c->next) {
		struct bh_prefix e;

		/* One that cannot be parsed is reported already. */
		if (c->kind != NODE_TEXT || bh_prefix_parse(c->text, &e) < 0 ||
		    prefix_inside(&e, &p->cidr))
			continue;
		mistake(rd, c, "except-outside",
			"except: names parts of cidr:, and what lies outside is not matched anyway",
			"%s does not lie inside %s", bh_prefix_format(inner, &e),
			bh_prefix_format(outer, &p->cidr));
	}
}

/* Keys of one peer are AND, so a peer without any would be anything: never. */
static void check_keys(struct reader *rd, const struct node *n, const struct peer *p)
{
	if (!n->n)
		mistake(rd, n, "empty-peer",
			"name a service:, labels:, group:, cidr: or entity: in it",
			"this peer is empty");
	if (p->entity != ENTITY_NONE &&
	    (p->service || p->n_labels || p->group || p->scope || p->not_scope))
		mistake(rd, n, "peer-conflict",
			"make it two entries of the list, or remove one of the two",
			"\"entity\" in one peer goes with \"cidr\" only");
}

/* Not a mapping: the text is most likely the service or the addresses that are meant. */
static void report_bare(struct reader *rd, const struct node *n)
{
	char hint[HINT_MAX];
	struct bh_prefix p;
	int r = bh_prefix_parse(n->text, &p);

	snprintf(hint, sizeof(hint), "write {%s: %s}",
		 r >= 0 || r == -EDOM || r == -ERANGE ? "cidr" : "service", SHOWN(n->text));
	mistake(rd, n, "wrong-type", hint, "a peer takes a mapping, not text (\"%s\")",
		SHOWN(n->text));
}

static int read_by(struct reader *rd, const struct schema *s, const struct node *n,
		   struct peer *ret)
{
	int r;

	ret->loc = n->loc;
	if (n->kind == NODE_TEXT && !node_is_null(n)) {
		report_bare(rd, n);
		return 0;
	}
	r = schema_read(rd, s, n, ret);
	if (r < 0 || n->kind != NODE_MAP)
		return r;
	check_except(rd, n, ret);
	check_keys(rd, n, ret);
	return 0;
}

int peer_read(struct reader *rd, const struct node *n, bool guardrail, struct peer *ret)
{
	return read_by(rd, guardrail ? &guardrail_peer_schema : &rule_peer_schema, n, ret);
}

int exception_read(struct reader *rd, const struct node *n, struct exception *ret)
{
	_Static_assert(offsetof(struct exception, peer) == 0, "readers of peers are used");
	ret->ports = &rule_any_port;
	ret->n_ports = 1;
	if (n->kind == NODE_MAP && n->n == 1 && value_of(n, "ports"))
		mistake(rd, n, "empty-peer", "say who is excepted: a service:, group:, cidr: ...",
			"this exception names only ports");
	return read_by(rd, &exception_schema, n, &ret->peer);
}
