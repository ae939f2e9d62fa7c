/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/compile/flows.h>

#include <string.h>

#include "fixture.h"

#include <bulkhead/base/buf.h>

/* "web -> 10.3.0.0/16 444/tcp: a, -" for each rule of each edge: its reasons at both ends. */
static void assert_reasons(struct fx *f, const char *expected)
{
	struct flow_graph *g = NULL;
	struct bh_buf text;

	if (flow_graph_new(&f->policies, &f->host, FX_NOW, &g, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	bh_buf_init(&text, 1 << 16);
	for (size_t i = 0; i < g->n_edges; i++)
		for (size_t k = 0; k < g->edges[i].n_rules; k++) {
			const struct flow_edge *e = &g->edges[i];
			const struct flow_edge_rule *r = &e->rules[k];

			bh_buf_addf(&text, "%s -> %s %s: %s, %s\n", g->nodes[e->from].name,
				    g->nodes[e->to].name, r->ports,
				    r->rules[0] ? r->rules[0]->reason : "-",
				    r->rules[1] ? r->rules[1]->reason : "-");
		}
	assert_string_equal(bh_buf_str(&text), expected);
	bh_buf_done(&text);
	flow_graph_free(g);
}

/* A rule on the same line as all others, further to the right than the one before. */
static struct rule *beside(struct fx *f, struct service *s, enum direction d, const char *reason,
			   const char *ports)
{
	struct rule *r = fx_rule(f, s, d, NULL, ports);

	r->loc.line = 3;
	r->loc.column = (unsigned)(10 + 40 * s->n_rules[d]);
	r->reason = reason;
	return r;
}

static void test_outside(void **state)
{
	struct service *web;
	struct fx f;

	fx_init(&f);
	web = fx_service(&f, "web");
	fx_peer_cidr(&f, beside(&f, web, DIRECTION_EGRESS, "a", "444/tcp"), "10.3.0.0/16", NULL);
	fx_peer_cidr(&f, beside(&f, web, DIRECTION_EGRESS, "b", "445/tcp"), "9.9.0.0/16", NULL);
	fx_peer_cidr(&f, beside(&f, web, DIRECTION_EGRESS, "c", "446/tcp"), "9.9.0.0/16", NULL);
	assert_reasons(&f, "web -> 10.3.0.0/16 444/tcp: a, -\n"
			   "web -> 9.9.0.0/16 445/tcp: b, -\n"
			   "web -> 9.9.0.0/16 446/tcp: c, -\n");
	fx_done(&f);
}

static void test_services(void **state)
{
	struct service *web, *pay;
	struct fx f;

	fx_init(&f);
	web = fx_service(&f, "web");
	pay = fx_service(&f, "pay");
	fx_peer_service(beside(&f, web, DIRECTION_EGRESS, "a", "80/tcp"), "pay");
	fx_peer_service(beside(&f, web, DIRECTION_EGRESS, "b", "81/tcp"), "pay");
	fx_peer_service(beside(&f, web, DIRECTION_EGRESS, "half", "82/tcp"), "pay");
	fx_peer_service(beside(&f, pay, DIRECTION_INGRESS, "c", "80/tcp"), "web");
	fx_peer_service(beside(&f, pay, DIRECTION_INGRESS, "d", "81/tcp"), "web");
	assert_reasons(&f, "web -> pay 80/tcp: a, c\nweb -> pay 81/tcp: b, d\n"
			   "web -> pay 82/tcp: half, -\n");
	fx_done(&f);
}

/* What is followed has the name of the other's rule; name resolution is of no rule. */
static void test_follow_and_dns(void **state)
{
	struct service *web, *pay;
	struct fx f;

	fx_init(&f);
	web = fx_service(&f, "web");
	pay = fx_service(&f, "pay");
	web->egress_follow = true;
	web->dns = true;
	web->dns_loc = (struct src_loc) { web->loc.file, 3, 4 };
	fx_peer_cidr(&f, beside(&f, web, DIRECTION_EGRESS, "no dns", "444/tcp"), "10.3.0.0/16",
		     NULL);
	fx_peer_service(beside(&f, pay, DIRECTION_INGRESS, "c", "80/tcp"), "web");
	fx_peer_service(beside(&f, pay, DIRECTION_INGRESS, "d", "81/tcp"), "web");
	assert_reasons(&f, "web -> pay 80/tcp: c, c\nweb -> pay 81/tcp: d, d\n"
			   "web -> resolver 53/tcp, 53/udp: -, -\n"
			   "web -> 10.3.0.0/16 444/tcp: no dns, -\n");
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_follow_and_dns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
