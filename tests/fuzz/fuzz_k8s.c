/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/compile/compile.h>
#include <bulkhead/policy/policy.h>

/*
 * NetworkPolicies, read and compiled for a few pods. Whatever is accepted is complete, and what is
 * answered of it is what its words say when each question is answered by going through them all.
 */

static void must(int true_for_all_input)
{
	if (!true_for_all_input)
		abort();
}

/* --- pods ------------------------------------------------------------------------------------- */

static const struct label web[] = { { "app", "web" }, { "tier", "front" } };
static const struct label db[] = { { "app", "db" } };
static const struct endpoint_port ports[] = { { "http", 8080, IPPROTO_TCP },
					      { "dns", 53, IPPROTO_UDP },
					      { "http", 53, IPPROTO_UDP } };
static const struct bh_addr addrs[] = { { AF_INET, { 10, 0, 0, 1 } },
					{ AF_INET, { 10, 0, 0, 2 } },
					{ AF_INET, { 10, 0, 1, 1 } },
					{ AF_INET6, { 0xfd, [15] = 4 } } };
static const struct bh_addr outside = { AF_INET, { 203, 0, 113, 9 } };
static const struct namespace_label namespaces[] = { { "ops", "team", "ops" },
						     { "shop", "team", "retail" } };

#define POD(i, ns, l, ...)                                                                         \
	{                                                                                          \
		.id = #i, .name = #i, .namespace = ns, .labels = (l),                              \
		.n_labels = BH_ARRAY_SIZE(l), .addrs = &addrs[i], .n_addrs = 1, __VA_ARGS__        \
	}
static const struct endpoint pods[] = {
	POD(0, "default", web, .ports = ports, .n_ports = 1),
	POD(1, "shop", web, .ports = ports + 1, .n_ports = 2),
	POD(2, "ops", db, .ports = ports, .n_ports = 3),
	POD(3, "shop", db),
};
#define PODS 4
static const uint32_t by_name[] = { 0, 1, 2, 3 };
static const struct endpoint_set set_of_pods = {
	.endpoints = pods,
	.n = PODS,
	.namespace_labels = namespaces,
	.n_namespace_labels = BH_ARRAY_SIZE(namespaces),
	.by_name = by_name,
};

/* --- what the words say ------------------------------------------------------------------------ */

static bool line_holds(const struct label_match *m, const char *value)
{
	bool listed = false;

	if (m->op == LABEL_EXISTS || m->op == LABEL_DOES_NOT_EXIST)
		return (value != NULL) == (m->op == LABEL_EXISTS);
	for (size_t i = 0; value && i < m->n_values; i++)
		listed |= strcmp(value, m->values[i]) == 0;
	return listed == (m->op == LABEL_IN);
}

static const char *namespace_has(const char *namespace, const char *key)
{
	if (strcmp(key, "kubernetes.io/metadata.name") == 0)
		return namespace;
	for (size_t i = 0; i < BH_ARRAY_SIZE(namespaces); i++)
		if (strcmp(namespaces[i].namespace, namespace) == 0 &&
		    strcmp(namespaces[i].key, key) == 0)
			return namespaces[i].value;
	return NULL;
}

static bool is_one(const struct pods *p, const struct endpoint *e)
{
	bool yes = !p->namespace || strcmp(p->namespace, e->namespace) == 0;

	for (size_t i = 0; i < p->namespaces.n; i++)
		yes &= line_holds(&p->namespaces.match[i],
				  namespace_has(e->namespace, p->namespaces.match[i].key));
	for (size_t i = 0; i < p->labels.n; i++) {
		const char *value = NULL;

		for (size_t k = 0; k < e->n_labels; k++)
			if (strcmp(e->labels[k].key, p->labels.match[i].key) == 0)
				value = e->labels[k].value;
		yes &= line_holds(&p->labels.match[i], value);
	}
	return yes;
}

/* POD NULL: an address outside. */
struct end {
	const struct endpoint *pod;
	struct bh_addr addr;
};

static bool peer_holds(const struct peer *p, const struct end *far)
{
	if (p->entity == ENTITY_ALL)
		return true;
	if (p->pods)
		return far->pod && is_one(p->pods, far->pod);
	for (size_t i = 0; i < p->n_except; i++)
		if (bh_prefix_contains(&p->except[i], &far->addr))
			return false;
	return bh_prefix_contains(&p->cidr, &far->addr);
}

static bool ports_hold(const struct rule *r, const struct end *to, const struct port_spec *q)
{
	for (size_t i = 0; i < r->n_ports; i++)
		if (port_spec_contains(&r->ports[i], q->proto, q->lo))
			return true;
	for (size_t i = 0; i < r->n_named; i++)
		for (size_t k = 0; to->pod && k < to->pod->n_ports; k++)
			if (strcmp(to->pod->ports[k].name, r->named[i].name) == 0 &&
			    to->pod->ports[k].proto == q->proto && r->named[i].proto == q->proto &&
			    to->pod->ports[k].port == q->lo)
				return true;
	return false;
}

static bool rule_holds(const struct rule *r, const struct end *far, const struct end *to,
		       const struct port_spec *q)
{
	bool any = false;

	for (size_t i = 0; i < r->n_peers; i++)
		any |= peer_holds(&r->peers[i], far);
	return any && ports_hold(r, to, q);
}

static bool end_allows(const struct policy_set *set, enum direction d, const struct end *self,
		       const struct end *far, const struct port_spec *q)
{
	const struct end *to = d == DIRECTION_EGRESS ? far : self;
	bool isolated = false;

	for (size_t k = 0; self->pod && k < set->n_services; k++) {
		const struct service *s = &set->services[k];

		if (!is_one(s->select.pods, self->pod))
			continue;
		isolated |= !s->leaves_open[d];
		for (size_t i = 0; i < s->n_rules[d]; i++)
			if (rule_holds(&s->rules[d][i], far, to, q))
				return true;
	}
	return !isolated;
}

static struct end end_of(size_t i)
{
	return i < PODS ? (struct end) { &pods[i], addrs[i] } : (struct end) { NULL, outside };
}

static struct explain_party party_of(size_t i)
{
	return (struct explain_party) { i < PODS, i < PODS ? i : 0, outside };
}

static void ask(const struct policy_set *set, const struct explainer *x, size_t i, size_t k,
		const struct port_spec *q)
{
	struct end from = end_of(i), to = end_of(k);
	struct explain_party a = party_of(i), b = party_of(k);
	bool allowed = from.addr.family == to.addr.family &&
		       end_allows(set, DIRECTION_EGRESS, &from, &to, q) &&
		       end_allows(set, DIRECTION_INGRESS, &to, &from, q);

	must((explain_verdict(x, &a, &b, q) == EXPLAIN_ALLOW) == (allowed || i == k));
}

static void ask_all(const struct policy_set *set, const struct explainer *x)
{
	static const struct port_spec questions[] = {
		{ IPPROTO_TCP, 8080, 8080 }, { IPPROTO_TCP, 80, 80 },
		{ IPPROTO_UDP, 53, 53 },     { IPPROTO_SCTP, 7777, 7777 },
		{ IPPROTO_TCP, 1, 1 },       { IPPROTO_TCP, 65535, 65535 },
	};

	for (size_t i = 0; i <= PODS; i++)
		for (size_t k = 0; k <= PODS; k++)
			for (size_t q = 0; q < BH_ARRAY_SIZE(questions); q++)
				ask(set, x, i, k, &questions[q]);
}

/* --- what is accepted -------------------------------------------------------------------------- */

static void check_query(const struct label_query *q)
{
	for (size_t i = 0; i < q->n; i++) {
		bool listed = q->match[i].op == LABEL_IN || q->match[i].op == LABEL_NOT_IN;

		must(*q->match[i].key != '\0' && (q->match[i].n_values > 0) == listed);
	}
}

static void check_peer(const struct peer *p)
{
	must(!p->service && !p->n_labels && !p->group && !p->scope && !p->not_scope);
	must(p->has_cidr + (p->pods != NULL) + (p->entity == ENTITY_ALL) == 1);
	must(p->has_cidr || !p->n_except);
	for (size_t i = 0; i < p->n_except; i++)
		must(p->except[i].len > p->cidr.len &&
		     bh_prefix_contains(&p->cidr, &p->except[i].addr));
	if (p->pods) {
		check_query(&p->pods->labels);
		check_query(&p->pods->namespaces);
		must(!p->pods->namespace || !p->pods->namespaces.n);
	}
}

static void check_rule(const struct rule *r)
{
	must(r->loc.line && r->n_peers > 0 && r->n_ports + r->n_named > 0);
	for (size_t i = 0; i < r->n_ports; i++)
		must(r->ports[i].lo <= r->ports[i].hi);
	for (size_t i = 0; i < r->n_named; i++)
		must(*r->named[i].name && r->named[i].loc.line);
	for (size_t i = 0; i < r->n_peers; i++)
		check_peer(&r->peers[i]);
}

static void check_policy(const struct service *s)
{
	must(strncmp(s->name, K8S_NAME_PREFIX, strlen(K8S_NAME_PREFIX)) == 0 && s->loc.line);
	must(s->select.pods && s->select.pods->namespace && s->mode == MODE_ENFORCE);
	must(!s->leaves_open[0] || !s->leaves_open[1]);
	check_query(&s->select.pods->labels);
	for (int d = 0; d < DIRECTIONS; d++) {
		must(!s->leaves_open[d] || !s->n_rules[d]);
		for (size_t i = 0; i < s->n_rules[d]; i++)
			check_rule(&s->rules[d][i]);
	}
}

/* False: there is something else in it, too. */
static bool check_all(const struct policy_set *set)
{
	bool alone = !set->n_guardrails;

	for (size_t i = 0; i < set->n_services; i++) {
		alone &= set->services[i].is_k8s;
		if (set->services[i].is_k8s)
			check_policy(&set->services[i]);
	}
	return alone;
}

static void compile(const struct policy_set *set, struct diag_list *diags)
{
	struct compile_input in = { .policies = set, .endpoints = &set_of_pods, .now = 1 };
	struct ruleset_list *l = NULL;
	struct explainer *x = NULL;
	bool alone = check_all(set);
	int r = compile_rulesets(&in, true, &l, diags, NULL);

	must(r == 0 || r == -E2BIG);
	if (r < 0)
		return;
	must(explainer_new(&in, l, &x, NULL) == 0);
	if (alone)
		ask_all(set, x);
	explainer_free(x);
	ruleset_list_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_source src = { "k.yaml", (const char *)data, size };
	struct bh_err err = BH_ERR_INIT;
	struct policy_set *set = NULL;
	struct diag_list diags;
	int r;

	diag_list_init(&diags);
	r = policy_parse(&src, 1, &set, &diags, &err);
	must(r == 0 || r == -EINVAL);
	must((r == 0) == (set != NULL) && (r == 0) == (diags.errors == 0));
	if (set) {
		compile(set, &diags);
		policy_set_free(set);
	}
	diag_list_done(&diags);
	return 0;
}
