/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/compile/compile.h>
#include <bulkhead/policy/policy.h>
#include <bulkhead/runtime/runtime.h>

/*
 * What NetworkPolicies mean, from the document to the verdict: the recipes of the Kubernetes
 * documentation and its fine print, against endpoints of three namespaces.
 */

static const char inventory[] =
	"{'namespaces': {'shop': {'team': 'retail'}, 'ops': {'team': 'ops', 'env': 'prod'}},"
	" 'host': {'addresses': ['10.0.0.254']},"
	" 'endpoints': ["
	"{'id': 'web', 'namespace': 'shop', 'labels': {'app': 'web', 'tier': 'front'},"
	" 'addresses': ['10.0.1.1', 'fd00::1:1'],"
	" 'ports': [{'name': 'http', 'port': 8080}, {'name': 'dns', 'port': 5353, 'protocol': "
	"'UDP'}]},"
	"{'id': 'api', 'namespace': 'shop', 'labels': {'app': 'api'},"
	" 'addresses': ['10.0.1.2', 'fd00::1:2'],"
	" 'ports': [{'name': 'http', 'port': 9090}, {'name': 'dns', 'port': 53}]},"
	"{'id': 'db', 'namespace': 'shop', 'labels': {'app': 'db', 'tier': 'back'},"
	" 'addresses': ['10.0.1.3', 'fd00::1:3']},"
	"{'id': 'mon', 'namespace': 'ops', 'labels': {'app': 'mon'}, 'addresses': ['10.0.2.1'],"
	" 'ports': [{'name': 'http', 'port': 8080}]},"
	"{'id': 'fake', 'namespace': 'ops', 'labels': {'app': 'web'}, 'addresses': ['10.0.2.2']},"
	"{'id': 'lone', 'addresses': ['10.0.3.1']},"
	"{'id': 'host', 'namespace': 'shop', 'labels': {'app': 'web'}, 'obstacle': "
	"'host-network', 'addresses': ['10.0.0.254']}"
	"]}";

#define HEAD                                                                                       \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {namespace: shop, " \
	"name: "
#define POLICY(name, spec)  HEAD name "}\nspec: {" spec "}\n"
#define OF(app, more)       "podSelector: {matchLabels: {app: " app "}}, " more
#define PODS(labels)        "{podSelector: {matchLabels: {" labels "}}}"
#define MATCH(key, op, ...) "{matchExpressions: [{key: " key ", operator: " op __VA_ARGS__ "}]}"
#define VALUES(v)           ", values: [" v "]"

static const struct {
	const char *name, *policies;
	const char *allow, *deny; /* "FROM TO PORT" */
} cases[] = {
	{ "default deny ingress", POLICY("p", "podSelector: {}, policyTypes: [Ingress]"),
	  "web mon 80/tcp;web 198.51.100.7 443/tcp;web web 80/tcp;mon lone 80/tcp;lone mon 1/udp",
	  "web db 5432/tcp;mon web 80/tcp;198.51.100.7 web 80/tcp;lone api 9/sctp;10.0.0.254 db "
	  "1/tcp;mon web icmp" },
	{ "allow all ingress",
	  POLICY("deny", "podSelector: {}") POLICY("allow", "podSelector: {}, ingress: [{}]"),
	  "web db 5432/tcp;mon web 80/udp;198.51.100.7 web 9/sctp;mon web icmp;10.0.0.254 db 1/tcp",
	  "" },
	{ "default deny egress", POLICY("p", "podSelector: {}, policyTypes: [Egress]"),
	  "mon web 80/tcp;198.51.100.7 db 1/tcp;web web 80/tcp",
	  "web mon 80/tcp;web db 80/tcp;web 198.51.100.7 443/tcp;web 10.0.0.254 53/udp" },
	{ "allow all egress", POLICY("p", "podSelector: {}, egress: [{}], policyTypes: [Egress]"),
	  "web mon 80/tcp;web 198.51.100.7 443/udp;mon web 80/tcp;web db icmp", "" },
	{ "default deny both", POLICY("p", "podSelector: {}, policyTypes: [Ingress, Egress]"),
	  "db db 1/tcp;mon lone 1/tcp",
	  "web mon 80/tcp;mon web 80/tcp;web api 1/tcp;web 198.51.100.7 1/tcp" },
	{ "no types, empty egress", POLICY("p", OF("web", "egress: []")),
	  "web db 1/tcp;web 198.51.100.7 1/tcp", "db web 1/tcp" },
	{ "no types, an egress rule",
	  POLICY("p", OF("web", "egress: [{to: [" PODS("app: db") "]}]")), "web db 1/tcp",
	  "db web 1/tcp;web api 1/tcp" },
	{ "empty types are no types", POLICY("p", OF("web", "policyTypes: []")), "web db 1/tcp",
	  "db web 1/tcp" },
	{ "rules without their type",
	  POLICY("p", OF("web", "policyTypes: [Ingress], egress: [{to: [" PODS("app: db") "]}]")),
	  "web api 1/tcp;web db 1/tcp", "db web 1/tcp" },
	{ "rules without their type add nothing",
	  POLICY("deny", OF("web", "policyTypes: [Egress]"))
		  POLICY("p", OF("web", "policyTypes: [Ingress], egress: [{}], ingress: [{}]")),
	  "db web 1/tcp", "web db 1/tcp" },
	{ "pods of the own namespace",
	  POLICY("p", OF("db", "ingress: [{from: [" PODS("app: web") "]}]")), "web db 1/tcp",
	  "fake db 1/tcp;api db 1/tcp;host db 1/tcp" },
	{ "empty pod selector", POLICY("p", OF("db", "ingress: [{from: [{podSelector: {}}]}]")),
	  "web db 1/tcp;api db 1/tcp", "mon db 1/tcp;lone db 1/tcp;198.51.100.7 db 1/tcp" },
	{ "namespaces by label",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: {matchLabels: {team: "
			       "ops}}}]}]")),
	  "mon db 1/tcp;fake db 1/tcp", "web db 1/tcp;lone db 1/tcp" },
	{ "empty namespace selector",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: {}}]}]")),
	  "mon db 1/tcp;web db 1/tcp;lone db 1/tcp", "198.51.100.7 db 1/tcp;10.0.0.254 db 1/tcp" },
	{ "namespace by name",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: {matchLabels: "
			       "{kubernetes.io/metadata.name: default}}}]}]")),
	  "lone db 1/tcp", "web db 1/tcp;mon db 1/tcp" },
	{ "both selectors in one peer",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}, "
			       "podSelector: {matchLabels: {app: web}}}]}]")),
	  "fake db 1/tcp", "web db 1/tcp;mon db 1/tcp" },
	{ "two peers",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: {matchLabels: {team: ops}}}, "
			       "{podSelector: {matchLabels: {app: web}}}]}]")),
	  "fake db 1/tcp;web db 1/tcp;mon db 1/tcp", "api db 1/tcp;lone db 1/tcp" },
	{ "NotIn matches a missing key",
	  POLICY("p", OF("db", "ingress: [{from: [{podSelector: " MATCH("tier", "NotIn",
									VALUES("front")) "}]}]")),
	  "api db 1/tcp", "web db 1/tcp;mon db 1/tcp" },
	{ "In",
	  POLICY("p", OF("db", "ingress: [{from: [{podSelector: " MATCH(
				       "app", "In", VALUES("api, mon")) "}]}]")),
	  "api db 1/tcp", "web db 1/tcp;mon db 1/tcp" },
	{ "Exists",
	  POLICY("p", OF("db", "ingress: [{from: [{podSelector: " MATCH("tier", "Exists") "}]}]")),
	  "web db 1/tcp", "api db 1/tcp" },
	{ "DoesNotExist",
	  POLICY("p",
		 OF("db", "ingress: [{from: [{podSelector: " MATCH("tier", "DoesNotExist") "}]}]")),
	  "api db 1/tcp", "web db 1/tcp" },
	{ "expressions of namespaces",
	  POLICY("p", OF("db", "ingress: [{from: [{namespaceSelector: " MATCH(
				       "team", "NotIn", VALUES("ops")) "}]}]")),
	  "web db 1/tcp;lone db 1/tcp", "mon db 1/tcp" },
	{ "selected by an expression",
	  POLICY("p", "podSelector: " MATCH("tier", "DoesNotExist") ", policyTypes: [Ingress]"),
	  "api web 1/tcp;web db 1/tcp", "web api 1/tcp" },
	{ "several policies are a union",
	  POLICY("a", OF("db", "ingress: [{from: [" PODS("app: web") "]}]"))
		  POLICY("b", OF("db", "ingress: [{from: [" PODS("app: api") "]}]")) POLICY(
			  "c", "podSelector: {}, policyTypes: [Egress], egress: [{to: [" PODS(
				       "app: db") "]}]"),
	  "web db 1/tcp;api db 1/tcp;mon web 1/tcp", "mon db 1/tcp;web api 1/tcp;web mon 1/tcp" },
	{ "both ends must allow",
	  POLICY("a", OF("db", "ingress: [{from: [" PODS("app: web") "]}]")) POLICY(
		  "b", OF("web", "policyTypes: [Egress], egress: [{to: [" PODS("app: api") "]}]")),
	  "web api 1/tcp", "web db 1/tcp" },
	{ "an empty list of sources is all",
	  POLICY("p", OF("db", "ingress: [{from: [], ports: []}]")),
	  "web db 1/tcp;198.51.100.7 db 1/udp;mon db icmp", "" },
	{ "all sources on a port", POLICY("p", OF("db", "ingress: [{ports: [{port: 5432}]}]")),
	  "web db 5432/tcp;198.51.100.7 db 5432/tcp;10.0.0.254 db 5432/tcp",
	  "web db 5432/udp;web db 5433/tcp;web db icmp" },
	{ "a protocol without a port",
	  POLICY("p", OF("db", "ingress: [{ports: [{protocol: UDP}]}]")),
	  "web db 1/udp;web db 65535/udp", "web db 1/tcp;web db 1/sctp" },
	{ "TCP is the default", POLICY("p", OF("db", "ingress: [{ports: [{}]}]")),
	  "web db 1/tcp;web db 65535/tcp", "web db 1/udp" },
	{ "SCTP", POLICY("p", OF("db", "ingress: [{ports: [{protocol: SCTP, port: 7777}]}]")),
	  "web db 7777/sctp", "web db 7777/tcp;web db 7778/sctp" },
	{ "endPort", POLICY("p", OF("db", "ingress: [{ports: [{port: 32000, endPort: 32768}]}]")),
	  "web db 32000/tcp;web db 32768/tcp;web db 32100/tcp",
	  "web db 31999/tcp;web db 32769/tcp;web db 32100/udp" },
	{ "one port as a range",
	  POLICY("p", OF("db", "ingress: [{ports: [{port: 80, endPort: 80}]}]")), "web db 80/tcp",
	  "web db 79/tcp;web db 81/tcp" },
	{ "blocks match pods, too",
	  POLICY("p", OF("db", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/16, except: "
			       "[10.0.2.0/24]}}]}]")),
	  "web db 1/tcp;lone db 1/tcp;10.0.9.9 db 1/tcp",
	  "mon db 1/tcp;fake db 1/tcp;10.0.2.77 db 1/tcp;10.1.0.1 db 1/tcp" },
	{ "blocks of IPv6",
	  POLICY("p", OF("db", "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "
			       "'fd00::/64', except: ['fd00::1:2/128']}}]}]")),
	  "db web 1/tcp;db fd00::9 1/tcp", "db api 1/tcp;db mon 1/tcp;db 10.0.1.1 1/tcp" },
	{ "what one block leaves out another lets in",
	  POLICY("p", OF("db", "ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: "
			       "[10.0.0.0/16]}}, {podSelector: {matchLabels: {app: web}}}]}]")),
	  "web db 1/tcp;198.51.100.7 db 1/tcp", "api db 1/tcp;mon db 1/tcp" },
	{ "named port, in", POLICY("p", "podSelector: {}, ingress: [{ports: [{port: http}]}]"),
	  "mon web 8080/tcp;mon api 9090/tcp;198.51.100.7 web 8080/tcp",
	  "mon web 9090/tcp;mon api 8080/tcp;mon db 8080/tcp;mon web 8080/udp" },
	{ "named port, its protocol",
	  POLICY("p", "podSelector: {}, ingress: [{ports: [{protocol: UDP, port: dns}]}]"),
	  "mon web 5353/udp", "mon web 5353/tcp;mon api 53/udp;mon api 53/tcp" },
	{ "named port, out",
	  POLICY("p", OF("db", "policyTypes: [Egress], egress: [{ports: [{port: http}]}]")),
	  "db web 8080/tcp;db api 9090/tcp;db mon 8080/tcp",
	  "db web 9090/tcp;db api 8080/tcp;db lone 8080/tcp;db 198.51.100.7 8080/tcp" },
	{ "named port, out to some",
	  POLICY("p", OF("db", "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "
			       "10.0.1.0/24}}], ports: [{port: http}, {port: 22}]}]")),
	  "db web 8080/tcp;db api 9090/tcp;db web 22/tcp;db 10.0.1.99 22/tcp",
	  "db mon 8080/tcp;db 10.0.1.99 8080/tcp;db mon 22/tcp" },
	{ "a service beside it",
	  "service: db\nselect: {labels: {app: db}}\negress: [{to: [{cidr: "
	  "10.0.1.1/32}]}]\n" POLICY("p", OF("db", "ingress: [{from: [" PODS("app: web") "]}]")),
	  "web db 1/tcp;db web 1/tcp", "db api 1/tcp;api db 1/tcp;db 198.51.100.7 1/tcp" },
	{ "a service that says nothing of a direction",
	  "service: db\nselect: {labels: {app: db}}\n" POLICY("p",
							      OF("db", "policyTypes: "
								       "[Egress], egress: [{}]")),
	  "db api 1/tcp", "api db 1/tcp" },
	{ "a service that is off",
	  "service: db\nselect: {labels: {app: db}}\nmode: off\n" POLICY(
		  "p", OF("db", "policyTypes: [Egress]")),
	  "api db 1/tcp", "db api 1/tcp" },
	{ "whom a policy selects is managed",
	  "service: db\nselect: {labels: {app: db}}\ningress: [{from: [{entity: "
	  "managed}]}]\n" POLICY("p", OF("web", "policyTypes: [Ingress]")),
	  "web db 1/tcp", "api db 1/tcp" },
	{ "a service follows what a policy lets in",
	  "service: api\nselect: {labels: {app: api}}\negress: follow\n" POLICY(
		  "p", "podSelector: {matchLabels: {tier: front}}, ingress: [{from: [" PODS(
			       "app: api") "], ports: [{port: http}]}]"),
	  "api web 8080/tcp", "api web 8081/tcp;api db 1/tcp" },
	{ "a guardrail stands above",
	  "guardrail: g\nselect: {all: true}\ndeny: [{to: [{cidr: 169.254.0.0/16}]}]\n" POLICY(
		  "p", OF("web", "egress: [{}]")),
	  "web 198.51.100.7 1/tcp", "web 169.254.169.254 80/tcp" },
	{ "a list",
	  "apiVersion: v1\nkind: List\nmetadata: {resourceVersion: ''}\nitems:\n"
	  "- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, "
	  "namespace: "
	  "shop, creationTimestamp: null, uid: x, generation: 1}, spec: {podSelector: {}}, status: "
	  "{}}\n"
	  "- {kind: NetworkPolicy, spec: {podSelector: {}, ingress: [{}]}, apiVersion: "
	  "networking.k8s.io/v1, metadata: {namespace: ops, name: a}}\n",
	  "web mon 1/tcp", "mon web 1/tcp" },
	{ "the default namespace",
	  "kind: NetworkPolicy\nspec: {podSelector: {}}\nmetadata: {name: p}\napiVersion: "
	  "networking.k8s.io/v1\n",
	  "lone web 1/tcp", "web lone 1/tcp" },
};

struct world {
	struct policy_set *policies;
	struct endpoint_set *endpoints;
	struct ruleset_list *rulesets;
	struct compile_input in;
	struct explainer *x;
};

static void load_endpoints(struct world *w, struct diag_list *diags)
{
	struct endpoint_builder *b = endpoint_builder_new();
	char json[sizeof(inventory)];
	struct bh_err err = BH_ERR_INIT;

	for (size_t i = 0; i < sizeof(json); i++)
		json[i] = (char)(inventory[i] == '\'' ? '"' : inventory[i]);
	assert_non_null(b);
	if (runtime_inventory_parse("i.json", json, strlen(json), b, diags, &err) < 0)
		fail_msg("%s", diags->n ? diags->d[0].text : err.msg);
	assert_int_equal(endpoint_builder_finish(b, &w->endpoints, &err), 0);
	endpoint_builder_free(b);
}

static void open_world(struct world *w, const char *policies, struct diag_list *diags)
{
	struct policy_source src = { "p.yaml", policies, strlen(policies) };
	struct bh_err err = BH_ERR_INIT;

	*w = (struct world) { 0 };
	load_endpoints(w, diags);
	if (policy_parse(&src, 1, &w->policies, diags, &err) < 0)
		fail_msg("%s: %s", policies, diags->n ? diags->d[0].text : err.msg);
	w->in = (struct compile_input) { .policies = w->policies,
					 .endpoints = w->endpoints,
					 .now = 1 };
	assert_int_equal(compile_rulesets(&w->in, true, &w->rulesets, diags, &err), 0);
	assert_int_equal(explainer_new(&w->in, w->rulesets, &w->x, &err), 0);
}

static void close_world(struct world *w)
{
	explainer_free(w->x);
	ruleset_list_free(w->rulesets);
	endpoint_set_free(w->endpoints);
	policy_set_free(w->policies);
}

static const char *ask(const struct world *w, const char *from, const char *to, const char *port)
{
	struct explain_party a, b;
	struct port_spec p;
	struct bh_err err = BH_ERR_INIT;
	const char *why;

	if (explain_party_parse(w->endpoints, from, &a, &err) < 0 ||
	    explain_party_parse(w->endpoints, to, &b, &err) < 0 ||
	    port_spec_parse(port, &p, &why) < 0)
		fail_msg("%s %s %s", from, to, port);
	return explain_verdict(w->x, &a, &b, &p) == EXPLAIN_ALLOW ? "allow" : "deny";
}

/* How many of the questions are not answered so. */
static unsigned ask_all(const struct world *w, const char *name, const char *questions,
			const char *verdict)
{
	char copy[512], from[64], to[64], port[32], *save;
	unsigned wrong = 0;

	snprintf(copy, sizeof(copy), "%s", questions);
	for (char *q = strtok_r(copy, ";", &save); q; q = strtok_r(NULL, ";", &save)) {
		assert_int_equal(sscanf(q, "%63s %63s %31s", from, to, port), 3);
		if (strcmp(ask(w, from, to, port), verdict) == 0)
			continue;
		print_error("%s: %s is not %s\n", name, q, verdict);
		wrong++;
	}
	return wrong;
}

static void test_meaning(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct diag_list diags;
		struct world w;

		diag_list_init(&diags);
		open_world(&w, cases[i].policies, &diags);
		wrong += ask_all(&w, cases[i].name, cases[i].allow, "allow");
		wrong += ask_all(&w, cases[i].name, cases[i].deny, "deny");
		close_world(&w);
		diag_list_done(&diags);
	}
	assert_int_equal(wrong, 0);
}

/* --- what is told ----------------------------------------------------------------------------- */

static const char *one_warning(const char *policies, char out[512])
{
	struct diag_list diags;
	struct world w;

	diag_list_init(&diags);
	open_world(&w, policies, &diags);
	assert_int_equal(diags.errors, 0);
	assert_int_equal(diags.n, 1);
	snprintf(out, 512, "%u:%u %s", diags.d[0].line, diags.d[0].column, diags.d[0].text);
	close_world(&w);
	diag_list_done(&diags);
	return out;
}

static void test_warnings(void **state)
{
	char out[512];

	assert_string_equal(
		one_warning(POLICY("p", OF("db", "ingress: [{ports: [{port: http}]}]")), out),
		"5:73 no endpoint that this policy selects has a port named http/tcp: it lets "
		"nothing "
		"through");
	assert_string_equal(
		one_warning(POLICY("p", OF("db", "policyTypes: [Egress], egress: [{ports: [{port: "
						 "nobody, protocol: SCTP}]}]")),
			    out),
		"5:95 no endpoint has a port named nobody/sctp: it lets nothing "
		"through");
	assert_string_equal(
		one_warning(POLICY("p", "podSelector: {}, policyTypes: [Egress], ingress: [{}]"),
			    out),
		"5:48 policyTypes: does not have Ingress, so these rules have no effect");
}

/* An endpoint that one policy alone isolates in one direction says so with its name. */
static void test_explained(void **state)
{
	struct diag_list diags;
	struct explain_party web, db;
	struct port_spec p = { 6, 80, 80 };
	struct explanation e;
	struct bh_err err = BH_ERR_INIT;
	struct world w;

	diag_list_init(&diags);
	open_world(&w, POLICY("web.policy", OF("web", "ingress: []")), &diags);
	assert_int_equal(explain_party_parse(w.endpoints, "web", &web, &err), 0);
	assert_int_equal(explain_party_parse(w.endpoints, "db", &db, &err), 0);
	assert_int_equal(explain(w.x, &web, &db, &p, &e, &err), 0);
	assert_string_equal(e.sentence, "allow: web -> db 80/tcp: web sends by p.yaml:4 "
					"(k8s_shop_web_policy.out.not-isolated), db is held by no "
					"policy");
	assert_string_equal(e.source.services, "k8s:shop/web.policy");
	assert_int_equal(explain(w.x, &db, &web, &p, &e, &err), 0);
	assert_string_equal(e.sentence, "deny at web (ingress, default-deny p.yaml:5): nothing "
					"lets web receive from db");
	close_world(&w);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meaning),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
