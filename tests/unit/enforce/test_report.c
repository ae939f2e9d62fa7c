/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The objects that --json prints and that the daemon sends: their keys, and that hostile text is
 * escaped in them. */
#include "../compile/fixture.h"

#include <errno.h>

#include <bulkhead/enforce/report.h>

struct rx {
	struct fx f;
	struct site site;
};

/* One that is held by the services web and, with b, metrics; a guarded rest is nobody's. */
static void rx_init(struct rx *x)
{
	*x = (struct rx) { 0 };
	fx_init(&x->f);
	fx_endpoint(&x->f, "a", "app=web", "10.0.0.1");
	fx_endpoint(&x->f, "b\033[2J", "app=metrics", "10.0.0.2")->name = "b";
	fx_endpoint(&x->f, "c", "app=none", "10.0.0.3");
	fx_service(&x->f, "web");
	fx_service(&x->f, "metrics")->mode = MODE_AUDIT;
	fx_compile(&x->f);
	x->site = (struct site) { .host = x->f.host,
				  .policies = &x->f.policies,
				  .endpoints = &x->f.endpoints,
				  .rulesets = x->f.list };
	assert_int_equal(
		selection_new(&x->f.policies, &x->f.endpoints, false, &x->site.selection, NULL), 0);
}

static void rx_done(struct rx *x)
{
	selection_free(x->site.selection);
	fx_done(&x->f);
}

static void is(json_t *got, const char *want)
{
	json_t *w = json_loads(want, 0, NULL);
	char *text = json_dumps(got, JSON_SORT_KEYS);

	assert_non_null(w);
	if (!json_equal(got, w))
		fail_msg("got %s\nwant %s", text, want);
	free(text);
	json_decref(w);
	json_decref(got);
}

/* What ruleset it has changes with the compiler: looked at apart. */
static json_t *without_generation(json_t *o)
{
	assert_int_equal(json_string_length(json_object_get(o, "generation")), 16);
	json_object_del(o, "generation");
	return o;
}

static void test_a_protected_endpoint(void **state)
{
	struct endpoint_status st = {
		.state = STATE_PROTECTED,
		.counted = true,
		.totals = { .denied = { 3, 4 }, .raw = 5, .forwarded = 6 },
		.generation = "0123",
		.n_members = 1,
	};
	struct rx x;

	rx_init(&x);
	is(without_generation(report_endpoint(&x.site, &st)),
	   "{\"endpoint\": \"a\", \"name\": \"a\", \"services\": \"web\", "
	   "\"netns\": \"/run/netns/a\", \"netns_ino\": 1001, "
	   "\"state\": \"protected\", \"finding\": false, \"mode\": \"enforce\", "
	   "\"table_generation\": \"0123\", \"denied_packets\": 12, \"raw_packets\": 5, "
	   "\"forwarded_packets\": 6}");
	rx_done(&x);
}

static void test_one_that_nobody_selects(void **state)
{
	struct endpoint_status st = { .endpoint = 2, .state = STATE_UNMANAGED, .why = "so" };
	struct rx x;

	rx_init(&x);
	is(report_endpoint(&x.site, &st),
	   "{\"endpoint\": \"c\", \"name\": \"c\", \"services\": \"\", \"state\": \"unmanaged\", "
	   "\"netns\": \"/run/netns/c\", \"netns_ino\": 1003, "
	   "\"finding\": false, \"why\": \"so\"}");
	rx_done(&x);
}

static void test_an_obstacle_and_whose_it_is(void **state)
{
	static const uint32_t members[] = { 0, 1, 2 };
	struct endpoint_status st = {
		.state = STATE_WEAK,
		.why = "of b",
		.obstacle = ENDPOINT_XDP_SOCKETS,
		.obstacle_of = 1,
		.members = members,
		.n_members = 3,
	};
	struct rx x;

	rx_init(&x);
	is(without_generation(report_endpoint(&x.site, &st)),
	   "{\"endpoint\": \"a\", \"name\": \"a\", \"services\": \"web\", "
	   "\"netns\": \"/run/netns/a\", \"netns_ino\": 1001, "
	   "\"state\": \"weak\", \"finding\": true, \"why\": \"of b\", \"mode\": \"enforce\", "
	   "\"obstacle\": \"xdp-sockets\", \"obstacle_of\": \"b\\\\x1b[2J\", "
	   "\"shares_with\": [\"b\\\\x1b[2J\", \"c\"], \"sharers\": 2}");
	st.obstacle_of = 0; /* its own goes without saying */
	st.n_members = 1;
	is(without_generation(report_endpoint(&x.site, &st)),
	   "{\"endpoint\": \"a\", \"name\": \"a\", \"services\": \"web\", "
	   "\"netns\": \"/run/netns/a\", \"netns_ino\": 1001, "
	   "\"state\": \"weak\", \"finding\": true, \"why\": \"of b\", \"mode\": \"enforce\", "
	   "\"obstacle\": \"xdp-sockets\"}");
	rx_done(&x);
}

static void test_many_sharers_are_cut_short(void **state)
{
	uint32_t members[BH_STATUS_MEMBERS_LISTED_MAX + 9] = { 0 };
	struct endpoint_status st = { .state = STATE_SHARED,
				      .members = members,
				      .n_members = BH_ARRAY_SIZE(members) };
	struct rx x;
	json_t *o;

	for (size_t i = 1; i < BH_ARRAY_SIZE(members); i++)
		members[i] = 1;
	rx_init(&x);
	o = report_endpoint(&x.site, &st);
	assert_int_equal(json_array_size(json_object_get(o, "shares_with")),
			 BH_STATUS_MEMBERS_LISTED_MAX);
	assert_int_equal(json_integer_value(json_object_get(o, "sharers")),
			 BH_ARRAY_SIZE(members) - 1);
	json_decref(o);
	rx_done(&x);
}

static void test_the_kernel(void **state)
{
	struct kernel_status k = { 0 };

	is(report_kernel(&k),
	   "{\"kernel\": \"nf_tables\", \"state\": \"supported\", \"finding\": false}");
	snprintf(k.lacks, sizeof(k.lacks), "no x");
	is(report_kernel(&k), "{\"kernel\": \"nf_tables\", \"state\": \"limited\", "
			      "\"finding\": false, \"lacks\": \"no x\"}");
	k.finding = true;
	snprintf(k.why, sizeof(k.why), "y");
	is(report_kernel(&k), "{\"kernel\": \"nf_tables\", \"state\": \"unsupported\", "
			      "\"finding\": true, \"why\": \"y\", \"lacks\": \"no x\"}");
}

static void test_what_was_applied(void **state)
{
	struct apply_result res = { .endpoint = 0, .outcome = APPLY_UNCHANGED };
	struct rx x;

	rx_init(&x);
	is(report_applied(&x.site, &res), "{\"endpoint\": \"a\", \"name\": \"a\", "
					  "\"services\": \"web\", \"outcome\": \"unchanged\"}");
	res = (struct apply_result) { 1, APPLY_FAILED, -EPERM, "not ours" };
	is(report_applied(&x.site, &res),
	   "{\"endpoint\": \"b\\\\x1b[2J\", \"name\": \"b (b\\\\x1b[2J)\", "
	   "\"services\": \"metrics\", \"outcome\": \"failed\", \"why\": \"not ours\"}");
	rx_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_protected_endpoint),
		cmocka_unit_test(test_one_that_nobody_selects),
		cmocka_unit_test(test_an_obstacle_and_whose_it_is),
		cmocka_unit_test(test_many_sharers_are_cut_short),
		cmocka_unit_test(test_the_kernel),
		cmocka_unit_test(test_what_was_applied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
