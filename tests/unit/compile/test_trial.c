/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>

#include "fixture.h"

/* Policy tests: web may reach pay, pay a network, with containers and without any. */
static void build(struct fx *f)
{
	struct service *web, *pay;

	fx_init(f);
	web = fx_service(f, "web");
	pay = fx_service(f, "pay");
	fx_peer_service(fx_rule(f, web, DIRECTION_EGRESS, "payments", "8443/tcp"), "pay");
	fx_peer_service(fx_rule(f, pay, DIRECTION_INGRESS, "checkout", "8443/tcp"), "web");
	fx_peer_cidr(f, fx_rule(f, pay, DIRECTION_EGRESS, "net", "443/tcp"), "192.0.2.0/24", NULL);
}

static struct trial *trial_of(struct fx *f, bool inventory)
{
	struct trial *t = NULL;

	assert_int_equal(trial_new(&f->policies, inventory ? &f->endpoints : NULL, &f->host, FX_NOW,
				   &t, &f->diags, &f->err),
			 0);
	return t;
}

static struct trial_answer ask(struct fx *f, const struct trial *t, const char *from,
			       const char *to, const char *port, bool allow)
{
	struct expectation e = { .from = from, .to = to, .allow = allow };
	struct trial_answer a;
	const char *why;

	e.loc = e.from_loc = e.to_loc = (struct src_loc) { "t.yaml", 3, 5 };
	assert_int_equal(port_spec_parse(port, &e.port, &why), 0);
	assert_int_equal(trial_ask(t, &e, &a, &f->diags, &f->err), 0);
	return a;
}

static void assert_both(struct fx *f, const struct trial *t, const char *from, const char *to,
			const char *port, bool allowed)
{
	assert_int_equal(ask(f, t, from, to, port, true).passed, allowed);
	assert_int_equal(ask(f, t, from, to, port, false).passed, !allowed);
}

static void test_without_endpoints(void **state)
{
	struct trial *t;
	struct fx f;

	build(&f);
	t = trial_of(&f, false);
	assert_both(&f, t, "web", "pay", "8443/tcp", true);
	assert_both(&f, t, "web", "pay", "443/tcp", false);
	assert_both(&f, t, "pay", "web", "8443/tcp", false);
	assert_both(&f, t, "pay", "192.0.2.7", "443/tcp", true);
	assert_both(&f, t, "pay", "192.0.3.7", "443/tcp", false);
	assert_both(&f, t, "192.0.2.7", "pay", "443/tcp", false);
	/* another container of the same service, and not the container itself */
	assert_both(&f, t, "web", "web", "8443/tcp", false);
	assert_string_equal(ask(&f, t, "web", "pay", "8443/tcp", true).x.source.where,
			    "policies/web.yaml:20");
	trial_free(t);
	fx_done(&f);
}

/* Two containers are web, of which one may be called; nobody is pay. */
static void test_with_inventory(void **state)
{
	struct trial_answer a;
	struct service *old;
	struct trial *t;
	struct fx f;

	build(&f);
	fx_endpoint(&f, "a", "app=web,gen=old", "10.0.0.1");
	fx_endpoint(&f, "b", "app=web", "10.0.0.2");
	fx_endpoint(&f, "c", "app=stray", "10.0.0.3");
	old = fx_service(&f, "old");
	old->select.labels = fx_labels(&f, "gen=old", &old->select.n_labels);
	fx_peer_cidr(&f, fx_rule(&f, old, DIRECTION_INGRESS, "call", "80/tcp"), "198.51.100.0/24",
		     NULL);
	t = trial_of(&f, true);
	assert_both(&f, t, "a", "pay", "8443/tcp", true);
	assert_both(&f, t, "web", "pay", "8443/tcp", true);
	assert_both(&f, t, "198.51.100.1", "a", "80/tcp", true);
	assert_both(&f, t, "198.51.100.1", "b", "80/tcp", false);
	assert_both(&f, t, "198.51.100.1", "c", "80/tcp", true); /* held by nobody */
	/* all of them, or it is not so: neither verdict holds for a service of two minds */
	assert_false(ask(&f, t, "198.51.100.1", "web", "80/tcp", true).passed);
	a = ask(&f, t, "198.51.100.1", "web", "80/tcp", false);
	assert_false(a.passed);
	assert_non_null(strstr(a.x.sentence, "-> a 80/tcp"));
	trial_free(t);
	fx_done(&f);
}

static void test_unknown_names(void **state)
{
	struct expectation e = { .from = "wbe", .to = "10.0.0.300" };
	struct trial_answer a;
	struct trial *t;
	struct fx f;

	build(&f);
	t = trial_of(&f, false);
	e.from_loc = (struct src_loc) { "t.yaml", 3, 11 };
	e.to_loc = (struct src_loc) { "t.yaml", 3, 20 };
	e.port = (struct port_spec) { IPPROTO_TCP, 80, 80 };
	assert_int_equal(trial_ask(t, &e, &a, &f.diags, &f.err), -ENOENT);
	assert_int_equal(f.diags.errors, 2);
	assert_string_equal(f.diags.d[0].id, "unknown-party");
	assert_string_equal(f.diags.d[0].hint, "did you mean the service \"web\"?");
	assert_int_equal(f.diags.d[1].column, 20);
	assert_false(a.passed);
	trial_free(t);
	fx_done(&f);
}

/* --- stand-ins -------------------------------------------------------------------------------- */

static const struct endpoint *stand_in(struct endpoint_builder *b, struct endpoint_set **set,
				       const struct service *s)
{
	const struct policy_set none = { 0 };
	const struct policy_set *sets[] = { &none };
	struct bh_err err = BH_ERR_INIT;
	struct standin_block block;

	standin_block_choose(sets, 1, &block);
	assert_int_equal(standin_add(b, &block, s, NULL, 0, 7, "it", &err), 1);
	assert_int_equal(endpoint_builder_finish(b, set, &err), 0);
	return &(*set)->endpoints[0];
}

static void test_selectors(void **state)
{
	static const struct selector selectors[] = {
		{ .name = "pay-*" },
		{ .name = "???" },
		{ .image = "registry.example/pay@sha256:*" },
		{ .compose = "shop/pay" },
		{ .runtime = "podman", .name = "*" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(selectors); i++) {
		struct service s = { .name = "pay", .select = selectors[i] };
		struct policy_set p = { .services = &s, .n_services = 1 };
		struct endpoint_builder *b = endpoint_builder_new();
		struct bh_err err = BH_ERR_INIT;
		struct endpoint_set *set;
		struct selection *selection;

		stand_in(b, &set, &s);
		assert_int_equal(selection_new(&p, set, false, &selection, &err), 0);
		assert_int_equal(selection->endpoints_of[0].n, 1);
		selection_free(selection);
		endpoint_set_free(set);
		endpoint_builder_free(b);
	}
}

static int add_labelled(const struct service *s, const char *key, const char *value)
{
	const struct policy_set none = { 0 };
	const struct policy_set *sets[] = { &none };
	struct endpoint_builder *b = endpoint_builder_new();
	const struct label l = { key, value };
	struct bh_err err = BH_ERR_INIT;
	struct standin_block block;
	int r;

	standin_block_choose(sets, 1, &block);
	r = standin_add(b, &block, s, &l, 1, 0, "it", &err);
	endpoint_builder_free(b);
	return r;
}

static void test_more_labels(void **state)
{
	static const struct label app = { "app", "web" };
	struct service s = { .name = "web", .select = { .labels = &app, .n_labels = 1 } };

	assert_int_equal(add_labelled(&s, "team", "shop"), 1);
	assert_int_equal(add_labelled(&s, "app", "web"), 1);
	assert_int_equal(add_labelled(&s, "app", "other"), 0);
}

/* They keep out of what policies speak of. */
static void test_blocks(void **state)
{
	const struct policy_set *sets[1];
	struct standin_block block;
	struct bh_addr a;
	struct fx f;

	build(&f);
	sets[0] = &f.policies;
	standin_block_choose(sets, 1, &block);
	a = standin_addr(&block, 0, AF_INET);
	assert_true(bh_addr_cmp(&a, &(struct bh_addr) { AF_INET, { 198, 18, 1, 0 } }) == 0);
	a = standin_addr(&block, STANDINS_MAX - 1, AF_INET);
	assert_true(bh_addr_cmp(&a, &(struct bh_addr) { AF_INET, { 198, 19, 0x87, 0x9f } }) == 0);
	fx_peer_cidr(&f,
		     fx_rule(&f, (struct service *)&f.policies.services[0], DIRECTION_EGRESS,
			     "bench", "1/tcp"),
		     "198.16.0.0/13", NULL);
	fx_peer_cidr(&f,
		     fx_rule(&f, (struct service *)&f.policies.services[0], DIRECTION_EGRESS, "all",
			     "1/tcp"),
		     "0.0.0.0/0", NULL);
	standin_block_choose(sets, 1, &block);
	assert_int_equal(block.first[0].b[0], 100);
	fx_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_endpoints), cmocka_unit_test(test_with_inventory),
		cmocka_unit_test(test_unknown_names),     cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_more_labels),       cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
