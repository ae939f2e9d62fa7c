/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/text.h>

#include "cli.h"

static size_t count_rules(const struct policy_set *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_services; i++)
		n += p->services[i].n_rules[DIRECTION_EGRESS] +
		     p->services[i].n_rules[DIRECTION_INGRESS];
	return n;
}

static size_t count_k8s(const struct policy_set *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_services; i++)
		n += p->services[i].is_k8s;
	return n;
}

static void print_summary(const struct site *s, bool json)
{
	const struct policy_set *p = s->policies;
	size_t k8s = count_k8s(p);

	if (json) {
		printf("{\"files\": %zu, \"services\": %zu, \"network_policies\": %zu, "
		       "\"groups\": %zu, \"rules\": %zu, "
		       "\"guardrails\": %zu, \"scopes\": %zu, \"digest\": \"%s\"}\n",
		       p->n_files, p->n_services - k8s, k8s, p->n_groups, count_rules(p),
		       p->n_guardrails, p->n_scopes, p->digest);
		return;
	}
	printf("valid: %zu %s, %zu services, ", p->n_files, p->n_files == 1 ? "file" : "files",
	       p->n_services - k8s);
	if (k8s)
		printf("%zu NetworkPolicies, ", k8s);
	printf("%zu groups, %zu rules, %zu guardrails\n", p->n_groups, count_rules(p),
	       p->n_guardrails);
}

/* One line an endpoint: which services it is. An endpoint of two services gets their union. */
static void print_endpoint(const struct site *s, size_t i, bool json)
{
	size_t n = s->selection->services_of[i].n;
	char services[512], scopes[512], id[512];
	json_t *obj;

	site_services_of(s, i, services, sizeof(services));
	if (!json) {
		endpoint_format(id, sizeof(id), &s->endpoints->endpoints[i]);
		printf("  %-24s %s%s\n", id, n ? services : "unmanaged", n > 1 ? " (union)" : "");
		return;
	}
	bh_escape_str(id, sizeof(id), s->endpoints->endpoints[i].id);
	obj = json_pack("{s:s, s:s}", "endpoint", id, "services", services);
	if (site_scopes_of(s, i, scopes, sizeof(scopes))[0])
		json_object_set_new(obj, "scope", json_string(scopes));
	json_dumpf(obj, stdout, 0);
	putchar('\n');
	json_decref(obj);
}

int cmd_check(struct cli_options *o)
{
	unsigned need = NEED_POLICIES;
	struct site s;
	int code;

	if (o->strict && !o->endpoints && !o->inventory)
		return cli_fail(CLI_USAGE, "check: --strict looks at endpoints: "
					   "add --endpoints or --inventory FILE");
	if (o->endpoints || o->inventory)
		need |= NEED_ENDPOINTS | NEED_RULESETS | NEED_ALL_SUBJECTS;
	code = cli_load(&s, o, need);
	if (code == CLI_YES) {
		print_summary(&s, o->json);
		for (size_t i = 0; o->endpoints && i < s.endpoints->n; i++)
			print_endpoint(&s, i, o->json);
		if ((need & NEED_ENDPOINTS) && (o->strict || s.host.strict))
			code = cli_preflight(&s, o, "check", false);
	}
	site_done(&s);
	return code;
}
