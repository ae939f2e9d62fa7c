/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <stdio.h>

#include "differential.h"

/*
 * compile_update() beside compile_rulesets(): random sites whose endpoints come, go and change. After
 * each step both must say the same of every namespace, and the list of changes must be true.
 */

#define SITES 60
#define STEPS 40

static void test_random_steps(void **state)
{
	for (unsigned seed = 1; seed <= SITES; seed++) {
		struct pop_random random = { .state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1 };
		struct differential d;

		differential_init(&d, &random);
		for (unsigned step = 0; step < STEPS; step++)
			if (!differential_step(&d)) {
				fprintf(stderr, "seed %u, step %u: %s\n", seed, step, d.why);
				fail();
			}
		differential_done(&d);
	}
}

/* --- what is told, one thing at a time -------------------------------------------------------- */

struct shop {
	struct fx f;
	struct compile_state *state;
	struct ruleset_list *list[2]; /* before, now */
	struct compile_changes changes;
};

/* db lets web in, web follows, out may go out into the world, other has nothing to do with them. */
static void shop_init(struct shop *s)
{
	struct service *db, *web, *out;

	*s = (struct shop) { .state = compile_state_new() };
	assert_non_null(s->state);
	fx_init(&s->f);
	db = fx_service(&s->f, "db");
	fx_peer_service(fx_rule(&s->f, db, DIRECTION_INGRESS, "web", "5432/tcp"), "web");
	web = fx_service(&s->f, "web");
	web->egress_follow = true;
	out = fx_service(&s->f, "out");
	fx_peer_entity(fx_rule(&s->f, out, DIRECTION_EGRESS, "out", "443/tcp"), ENTITY_WORLD);
	fx_service(&s->f, "other");
	fx_endpoint(&s->f, "db-1", "app=db", "10.0.0.1");
	fx_endpoint(&s->f, "other-1", "app=other", "10.0.0.2");
	fx_endpoint(&s->f, "out-1", "app=out", "10.0.0.3");
	fx_endpoint(&s->f, "web-1", "app=web", "10.0.0.4");
}

static void shop_done(struct shop *s)
{
	ruleset_list_free(s->list[0]);
	ruleset_list_free(s->list[1]);
	compile_state_free(s->state);
	fx_done(&s->f);
}

/* Goes on with a copy, so that the state can compare with what was. The names of what changed. */
static const char *shop_update(struct shop *s)
{
	struct endpoint *e = fx_alloc(&s->f, FX_ENDPOINTS, sizeof(*e));
	struct endpoint_set *now = fx_alloc(&s->f, 1, sizeof(*now));
	const struct endpoint_set *before = s->f.in.endpoints;
	static const char *const sign[] = { "+", "~", "-" };
	const char *text = "";

	memcpy(e, s->f.endpoints.endpoints, s->f.endpoints.n * sizeof(*e));
	*now = s->f.endpoints;
	now->endpoints = e;
	s->f.in.endpoints = now;
	ruleset_list_free(s->list[0]);
	s->list[0] = s->list[1];
	assert_int_equal(compile_update(s->state, &s->f.in, &s->list[1], &s->changes, &s->f.diags,
					&s->f.err),
			 0);
	for (size_t i = 0; i < s->changes.n; i++) {
		const struct compile_change *c = &s->changes.c[i];
		bool gone = c->kind == COMPILE_VANISHED;
		const struct endpoint_set *set = gone ? before : now;

		text = bh_arena_printf(s->f.arena, "%s%s%s%s", text, i ? " " : "", sign[c->kind],
				       set->endpoints[gone ? c->before : c->after].id);
	}
	return text;
}

static struct endpoint *shop_endpoint(struct shop *s, const char *id)
{
	for (size_t i = 0; i < s->f.endpoints.n; i++)
		if (strcmp(s->f.endpoints.endpoints[i].id, id) == 0)
			return (struct endpoint *)&s->f.endpoints.endpoints[i];
	fail_msg("no endpoint %s", id);
	return NULL;
}

static const struct ruleset *shop_ruleset(struct shop *s, int which, const char *endpoint)
{
	for (size_t i = 0; i < s->list[which]->n; i++)
		if (strcmp(s->list[which]->items[i].ruleset->endpoint, endpoint) == 0)
			return s->list[which]->items[i].ruleset;
	fail_msg("no ruleset of %s", endpoint);
	return NULL;
}

static void test_only_who_names_it(void **state)
{
	struct shop s;

	shop_init(&s);
	assert_string_equal(shop_update(&s), "+db-1 +other-1 +out-1 +web-1");
	assert_true(s.changes.all);
	assert_string_equal(shop_update(&s), "");
	assert_false(s.changes.all);
	fx_endpoint(&s.f, "web-2", "app=web", "10.0.0.5");
	/* out: the world has become smaller by one address */
	assert_string_equal(shop_update(&s), "~db-1 ~out-1 +web-2");
	assert_ptr_equal(shop_ruleset(&s, 0, "other-1"), shop_ruleset(&s, 1, "other-1"));
	assert_ptr_equal(shop_ruleset(&s, 0, "web-1"), shop_ruleset(&s, 1, "web-1"));
	assert_ptr_not_equal(shop_ruleset(&s, 0, "db-1"), shop_ruleset(&s, 1, "db-1"));
	/* what did not change of a ruleset is shared, too */
	assert_ptr_equal(shop_ruleset(&s, 0, "out-1")->entries[DIRECTION_EGRESS][ENTRY_WORLD].e,
			 shop_ruleset(&s, 1, "out-1")->entries[DIRECTION_EGRESS][ENTRY_WORLD].e);
	s.f.endpoints.n--;
	assert_string_equal(shop_update(&s), "~db-1 ~out-1 -web-2");
	shop_done(&s);
}

static void test_what_no_policy_sees(void **state)
{
	struct shop s;

	shop_init(&s);
	shop_update(&s);
	shop_endpoint(&s, "db-1")->pid = 77;
	shop_endpoint(&s, "db-1")->labels =
		fx_labels(&s.f, "app=db", &shop_endpoint(&s, "db-1")->n_labels);
	assert_string_equal(shop_update(&s), "");
	shop_done(&s);
}

static void test_address_of_two(void **state)
{
	struct shop s;

	shop_init(&s);
	shop_update(&s);
	fx_endpoint(&s.f, "web-9", "", "10.0.0.4"); /* nobody's, with the address of web-1 */
	assert_string_equal(shop_update(&s), "~db-1 ~web-1");
	assert_int_equal(shop_ruleset(&s, 1, "db-1")->entries[DIRECTION_INGRESS][ENTRY_EXACT].n, 0);
	assert_int_equal(s.f.diags.warnings, 1);
	s.f.endpoints.n--;
	assert_string_equal(shop_update(&s), "~db-1 ~web-1");
	assert_int_equal(shop_ruleset(&s, 1, "db-1")->entries[DIRECTION_INGRESS][ENTRY_EXACT].n, 1);
	shop_done(&s);
}

static void test_time_passes(void **state)
{
	struct shop s;

	shop_init(&s);
	((struct rule *)s.f.policies.services[0].rules[DIRECTION_INGRESS])->expires = FX_NOW + 10;
	shop_update(&s);
	s.f.in.now = FX_NOW + 9;
	assert_string_equal(shop_update(&s), "");
	s.f.in.now = FX_NOW + 10;
	assert_string_equal(shop_update(&s), "~db-1 ~web-1");
	assert_int_equal(shop_ruleset(&s, 1, "db-1")->n_rules, 0);
	s.f.in.now = FX_NOW; /* the clock was set back */
	assert_string_equal(shop_update(&s), "~db-1 ~web-1");
	shop_done(&s);
}

static void test_shared_namespace(void **state)
{
	struct shop s;
	struct endpoint *e;

	shop_init(&s);
	e = fx_endpoint(&s.f, "web-2", "app=other", "10.0.0.5");
	e->netns_ino = shop_endpoint(&s, "web-1")->netns_ino;
	shop_update(&s);
	/* its first endpoint leaves: the namespace stays, under another name */
	*shop_endpoint(&s, "web-1") = *shop_endpoint(&s, "web-2");
	s.f.endpoints.n--;
	assert_string_equal(shop_update(&s), "~db-1 ~out-1 ~web-2");
	assert_int_equal(s.changes.c[2].before, 3);
	assert_int_equal(s.changes.c[2].after, 3);
	/* the same endpoint in another namespace is another one */
	shop_endpoint(&s, "web-2")->netns_ino = 4711;
	assert_string_equal(shop_update(&s), "+web-2 -web-2");
	shop_done(&s);
}

static void test_rulesets_outlive_all(void **state)
{
	struct shop s;

	shop_init(&s);
	shop_update(&s);
	fx_endpoint(&s.f, "web-2", "app=web", "10.0.0.5");
	shop_update(&s);
	compile_state_free(s.state);
	s.state = NULL;
	assert_string_equal(shop_ruleset(&s, 1, "db-1")->rules[0].name, "db.in.web");
	ruleset_list_free(s.list[0]);
	s.list[0] = NULL;
	assert_string_equal(shop_ruleset(&s, 1, "web-1")->rules[0].name, "web.out.follow-db.web");
	assert_true(shop_ruleset(&s, 1, "out-1")->n_known > 0);
	shop_done(&s);
}

static void test_other_policies(void **state)
{
	struct shop s;

	shop_init(&s);
	shop_update(&s);
	memset(s.f.policies.digest, 'e', 64);
	assert_string_equal(shop_update(&s), "+db-1 +other-1 +out-1 +web-1");
	assert_true(s.changes.all);
	s.f.host.unmanaged = UNMANAGED_QUARANTINE;
	fx_endpoint(&s.f, "x-1", "", "10.0.0.9");
	assert_string_equal(shop_update(&s), "+db-1 +other-1 +out-1 +web-1 +x-1");
	compile_state_reset(s.state);
	shop_update(&s);
	assert_true(s.changes.all);
	shop_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_who_names_it),
		cmocka_unit_test(test_what_no_policy_sees),
		cmocka_unit_test(test_address_of_two),
		cmocka_unit_test(test_time_passes),
		cmocka_unit_test(test_shared_namespace),
		cmocka_unit_test(test_rulesets_outlive_all),
		cmocka_unit_test(test_other_policies),
		cmocka_unit_test(test_random_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
