/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_POLICY_H
#define BULKHEAD_MODEL_POLICY_H

#include <bulkhead/base/addr.h>
#include <bulkhead/model/diag.h>
#include <bulkhead/model/digest.h>
#include <bulkhead/model/flowspec.h>
#include <bulkhead/model/source.h>

/*
 * A policy set as it was written and found valid: names are resolved to exist, nothing is
 * resolved to addresses. Everything lives in one arena and is immutable. Format:
 * docs/policy-format.md.
 */

/*
 * What a document says, as policy_parse() read it: the same for the same keys and values, whatever the
 * order of the keys, the layout, the comments, the file, and the spelling of ports and prefixes (443 and
 * 443/tcp). Other texts differ in it with and without quotes; two that mean something else never have the
 * same.
 */
struct meaning {
	char digest[DIGEST_HEX]; /* "" in sets that nobody parsed */
};

struct label {
	const char *key, *value;
};

/* What a NetworkPolicy says of labels: one line of it. A key that is not there is in no list. */
enum label_op { LABEL_IN, LABEL_NOT_IN, LABEL_EXISTS, LABEL_DOES_NOT_EXIST };

struct label_match {
	const char *key;
	enum label_op op;
	const char *const *values; /* sorted; at least one for IN and NOT_IN, else none */
	size_t n_values;
};

/* All lines hold. No line = everybody. */
struct label_query {
	const struct label_match *match; /* by key, op and values; each once */
	size_t n;
};

/* Pods of a NetworkPolicy: these labels, in this namespace or in those with such labels. */
struct pods {
	const char *namespace; /* NULL: `namespaces` says which */
	struct label_query namespaces;
	struct label_query labels;
	/* of LABELS the lines that name one value, to find whoever may match by an index */
	const struct label *exact;
	size_t n_exact;
};

/* ALL is everybody: only of rules of a NetworkPolicy that name no peer. */
enum entity { ENTITY_NONE, ENTITY_HOST, ENTITY_WORLD, ENTITY_MANAGED, ENTITY_ALL };

/* An entry of accept:, what lint is not to say of a rule or a document, and why. */
struct accept {
	struct src_loc loc;
	const char *lint;   /* an id of policy/lint.h */
	const char *reason; /* as written */
	size_t index;       /* below policy_set.n_accepts; each has its own */
};

struct accepts {
	const struct accept *a;
	size_t n;
};

/* The first that is about this lint, or NULL. */
const struct accept *accepts_find(const struct accepts *a, const char *lint);

/* An entry of from:/to:. Absent keys are NULL/0/NONE; present ones are AND. */
struct peer {
	struct src_loc loc;
	const char *service;
	const struct label *labels;
	size_t n_labels;
	const char *group;
	const char *scope;     /* what its members have; guardrails only */
	const char *not_scope; /* what no member of it has; guardrails only */
	bool has_cidr;
	struct bh_prefix cidr;
	const struct bh_prefix *except; /* each inside cidr */
	size_t n_except;
	enum entity entity;
	const struct pods *pods; /* alone; NetworkPolicies only */
};

/* A port by name and protocol: of each destination, the number that it has under that name. */
struct port_name {
	struct src_loc loc;
	const char *name;
	uint16_t proto; /* IPPROTO_TCP, UDP or SCTP */
};

/* An entry of ingress:/egress:. No peers = matches nothing. There is at least one port or name. */
struct rule {
	struct src_loc loc;
	const char *name;         /* as written, or NULL */
	const struct peer *peers; /* OR */
	size_t n_peers;
	const struct port_spec *ports; /* OR; a missing ports: is one PROTO_ANY */
	size_t n_ports;
	const struct port_name *named; /* OR with the ports; NetworkPolicies only */
	size_t n_named;
	int64_t expires;                        /* seconds since the epoch; 0 = never */
	const char *reason, *ticket, *reviewed; /* as written, or NULL */
	struct accepts accepts;
};

/* select: all present lines must match; at least one is present. Patterns are globs. */
struct selector {
	struct src_loc loc;
	const struct label *labels;
	size_t n_labels;
	const char *compose; /* "project/service" */
	const char *name;
	const char *image;
	const char *runtime;     /* "docker", "podman", "netns", "cni" */
	const struct pods *pods; /* alone; NetworkPolicies only */
};

/*
 * A service: document, or a NetworkPolicy as one. That has a name no service can have,
 * "k8s:NAMESPACE/NAME", and may leave a direction alone.
 */
#define K8S_NAME_PREFIX "k8s:"

struct service {
	struct src_loc loc; /* of the name */
	const char *name;
	const char *owner; /* or NULL */
	const char *scope; /* or NULL */
	struct selector select;
	enum mode mode;
	enum on_deny on_deny;
	const struct rule *rules[DIRECTIONS];
	size_t n_rules[DIRECTIONS];
	/* of the ingress:/egress: key, else of the service */
	struct src_loc direction_loc[DIRECTIONS];
	bool egress_follow; /* egress: follow */
	bool dns;           /* dns: allow */
	struct src_loc dns_loc;
	bool log_denied, log_allowed;
	bool denies_raw; /* privileges: {raw-sockets: deny} */
	bool is_k8s;
	/* it has no say in this direction: whom nobody else isolates in it may do all there */
	bool leaves_open[DIRECTIONS];
	struct accepts accepts;
	struct meaning meaning;
};

struct group {
	struct src_loc loc;
	const char *name;
	const struct bh_prefix *cidrs;
	size_t n_cidrs;
	const struct src_loc *cidr_locs; /* where each stands; NULL in sets that nobody parsed */
	struct accepts accepts;
	struct meaning meaning;
};

/* What flows that cross a scope must carry. */
enum scope_field { SCOPE_REASON, SCOPE_OWNER, SCOPE_REVIEWED, SCOPE_TICKET };
#define SCOPE_FIELDS 4
const char *scope_field_name(enum scope_field f);

/* A part of the site with a boundary: the services that name it. */
struct scope {
	struct src_loc loc; /* of the name */
	const char *name;
	const char *title, *framework; /* or NULL */
	bool require[SCOPE_FIELDS];
	unsigned review_days; /* 0 = no limit */
	struct accepts accepts;
	struct meaning meaning;
};

/* An entry of unless:. The peer comes first, n_ports is at least 1. */
struct exception {
	struct peer peer;
	const struct port_spec *ports;
	size_t n_ports;
};

/* An entry of deny:. The rule comes first; of it peers, ports, name and the reasons are used. */
struct deny {
	struct rule rule;
	bool has_peers;                 /* to: or from: is there */
	enum direction direction;       /* to: is egress, from: is ingress */
	const struct exception *unless; /* OR */
	size_t n_unless;
};

/* What is denied whatever services say. Absent keys of select are NULL/0; present ones are AND. */
struct guardrail {
	struct src_loc loc; /* of the name */
	const char *name;
	struct src_loc select_loc;
	bool all;
	const struct label *labels;
	size_t n_labels;
	const char *scope;
	const char *const *services; /* OR */
	size_t n_services;
	const struct deny *deny;
	size_t n_deny;
	struct accepts accepts;
	struct meaning meaning;
};

/* An entry of expect:, as it was written: what FROM and TO name is known when endpoints are. */
struct expectation {
	struct src_loc loc, from_loc, to_loc;
	const char *from, *to; /* a service, else an endpoint's id or name, else an address */
	struct port_spec port; /* one port or ICMP type, or `icmp` alone */
	bool allow;
};

/* What a policy set is to allow and to deny. It changes nothing: only `bulkhead test` looks at it. */
struct policy_test {
	struct src_loc loc; /* of the name */
	const char *name;   /* any text, unique */
	const struct expectation *expect;
	size_t n_expect; /* at least 1 */
};

struct bh_arena;

struct policy_set {
	struct bh_arena *arena;
	const struct service *services; /* in file order, files sorted by name */
	size_t n_services;
	const struct group *groups;
	size_t n_groups;
	const struct scope *scopes;
	size_t n_scopes;
	const struct guardrail *guardrails;
	size_t n_guardrails;
	const struct policy_test *tests;
	size_t n_tests;
	size_t n_accepts; /* all of services, groups, scopes, guardrails and their rules */
	size_t n_files;
	char digest[DIGEST_HEX]; /* digest_sources() of all files */
};

void policy_set_free(struct policy_set *p); /* takes NULL */
const struct service *policy_set_service(const struct policy_set *p, const char *name);
const struct group *policy_set_group(const struct policy_set *p, const char *name);
const struct scope *policy_set_scope(const struct policy_set *p, const char *name);

/* Is a file of this NAME in a policy directory a policy file? *.yaml and *.yml, no dot files. */
bool policy_is_file_name(const char *name);

/* The digest of a policy set: of names and bytes, in this order. */
void digest_sources(const struct policy_source *src, size_t n, char out[DIGEST_HEX]);

#endif
