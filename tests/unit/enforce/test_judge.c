/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of an endpoint -> its state and the reason; nobody is called protected wrongly. */
#include "../compile/fixture.h"

#include <errno.h>

#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/xsk.h>

#include "../../../src/enforce/judge.h"

#define HOST_INO 4026531840u

struct jx {
	struct fx f;
	struct site site;
	struct members m;
};

static void jx_init(struct jx *x)
{
	*x = (struct jx) { 0 };
	fx_init(&x->f);
}

/* After the endpoints and services are written down. */
static void jx_compile(struct jx *x)
{
	fx_compile(&x->f);
	x->site = (struct site) { .host = x->f.host,
				  .policies = &x->f.policies,
				  .endpoints = &x->f.endpoints,
				  .rulesets = x->f.list };
	assert_int_equal(
		selection_new(&x->f.policies, &x->f.endpoints, false, &x->site.selection, NULL), 0);
	assert_int_equal(members_init(&x->m, &x->site, NULL), 0);
	x->m.host_ino = HOST_INO;
}

static void jx_done(struct jx *x)
{
	members_done(&x->m);
	selection_free(x->site.selection);
	fx_done(&x->f);
}

/* With what the kernel holds: the wanted table, unless HAVE is given. */
static struct endpoint_status judge_with(struct jx *x, size_t i, const struct nft_state *have)
{
	const struct ruleset_item *item = site_item_of(&x->site, i);
	struct endpoint_status st = { .endpoint = i };
	struct nft_state as_wanted = { .present = true, .intact = true };

	if (judge_endpoint(&x->m, &st))
		return st;
	assert_non_null(item);
	as_wanted.ruleset = (struct ruleset *)item->ruleset;
	judge_table(&x->m, &(struct nft_want) { .ruleset = item->ruleset },
		    have ? have : &as_wanted, &st);
	return st;
}

static void is_judged(struct jx *x, size_t i, enum endpoint_state want, const char *why)
{
	struct endpoint_status st = judge_with(x, i, NULL);

	assert_string_equal(endpoint_state_name(st.state), endpoint_state_name(want));
	assert_string_equal(st.why, why);
}

static const char *reason(enum endpoint_obstacle o)
{
	return endpoint_obstacle_text(o);
}

/* --- one container a namespace --------------------------------------------------------------- */

static void test_every_obstacle_has_its_state_and_reason(void **state)
{
	static const struct {
		enum endpoint_obstacle obstacle;
		enum endpoint_state state;
		bool netns;
	} cases[] = {
		{ ENDPOINT_HOST_NETWORK, STATE_HOST_NETWORK, false },
		{ ENDPOINT_PRIVILEGED, STATE_WEAK, true },
		{ ENDPOINT_NET_ADMIN, STATE_WEAK, true },
		{ ENDPOINT_OWN_STACK, STATE_WEAK, true },
		{ ENDPOINT_NO_NETNS, STATE_UNREACHABLE, false },
		{ ENDPOINT_UNREADABLE, STATE_UNREACHABLE, false },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct endpoint_status st;
		struct endpoint *e;
		struct jx x;

		jx_init(&x);
		e = fx_endpoint(&x.f, "a", "app=web", "10.0.0.1");
		e->obstacle = cases[i].obstacle;
		if (!cases[i].netns)
			e->netns = NULL;
		fx_service(&x.f, "web");
		jx_compile(&x);
		is_judged(&x, 0, cases[i].state, reason(cases[i].obstacle));
		assert_true(endpoint_state_is_finding(cases[i].state));
		st = judge_with(&x, 0, NULL);
		assert_int_equal(st.obstacle, cases[i].obstacle);
		assert_int_equal(st.obstacle_of, 0);
		jx_done(&x);
	}
}

static void test_host_by_inode(void **state)
{
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1")->netns_ino = HOST_INO;
	fx_service(&x.f, "web");
	jx_compile(&x);
	is_judged(&x, 0, STATE_HOST_NETWORK, reason(ENDPOINT_HOST_NETWORK));
	assert_int_equal(judge_with(&x, 0, NULL).obstacle, ENDPOINT_HOST_NETWORK);
	jx_done(&x);
}

static void test_what_nobody_asks_for(void **state)
{
	struct jx x;
	struct service *s;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=off", "10.0.0.1")->obstacle = ENDPOINT_PRIVILEGED;
	fx_endpoint(&x.f, "b", "app=stray", "10.0.0.2")->obstacle = ENDPOINT_PRIVILEGED;
	s = fx_service(&x.f, "off");
	s->mode = MODE_OFF;
	jx_compile(&x);
	is_judged(&x, 0, STATE_OFF, "its service has mode: off: nothing is enforced");
	is_judged(&x, 1, STATE_UNMANAGED,
		  "no service or guardrail selects it: nothing is enforced");
	jx_done(&x);
}

/* Quarantine promises something for those whom no service selects. */
static void test_quarantine_holds_or_says_so(void **state)
{
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=x", "10.0.0.1");
	fx_endpoint(&x.f, "b", "app=x", "10.0.0.2")->obstacle = ENDPOINT_NET_ADMIN;
	fx_endpoint(&x.f, "c", "app=x", "10.0.0.3")->obstacle = ENDPOINT_HOST_NETWORK;
	x.f.host.unmanaged = UNMANAGED_QUARANTINE;
	jx_compile(&x);
	is_judged(&x, 0, STATE_PROTECTED, "");
	is_judged(&x, 1, STATE_WEAK, reason(ENDPOINT_NET_ADMIN));
	is_judged(&x, 2, STATE_HOST_NETWORK, reason(ENDPOINT_HOST_NETWORK));
	jx_done(&x);
}

static void test_the_table_comes_first(void **state)
{
	struct nft_state absent = { 0 }, altered = { .present = true, .drift = "a rule is gone" };
	struct endpoint_status st;
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1")->obstacle = ENDPOINT_NET_ADMIN;
	fx_service(&x.f, "web");
	jx_compile(&x);
	st = judge_with(&x, 0, &absent);
	assert_int_equal(st.state, STATE_MISSING);
	assert_false(st.counted);
	assert_string_equal(st.generation, "");
	st = judge_with(&x, 0, &altered);
	assert_int_equal(st.state, STATE_DRIFT);
	assert_string_equal(st.why, "the table was altered: a rule is gone");
	assert_int_equal(st.obstacle, ENDPOINT_NET_ADMIN); /* told beside it all the same */
	assert_string_equal(st.generation, "");
	jx_done(&x);
}

/* What stands there says its generation itself, and may have been written by anybody. */
static void test_the_generation_that_stands_there(void **state)
{
	struct ruleset foreign = { .generation = "\033[2J" };
	struct nft_state have = { .present = true, .drift = "x", .ruleset = &foreign };
	struct endpoint_status st;
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1");
	fx_service(&x.f, "web");
	jx_compile(&x);
	st = judge_with(&x, 0, NULL);
	assert_string_equal(st.generation, site_item_of(&x.site, 0)->ruleset->generation);
	st = judge_with(&x, 0, &have);
	assert_string_equal(st.generation, "\\x1b[2J");
	jx_done(&x);
}

static void test_unreachable(void **state)
{
	struct endpoint_status st = { .endpoint = 0 };
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1");
	fx_service(&x.f, "web");
	jx_compile(&x);
	assert_false(judge_endpoint(&x.m, &st));
	judge_unreachable(&x.m, "it was replaced", &st);
	assert_int_equal(st.state, STATE_UNREACHABLE);
	assert_string_equal(st.why, "it was replaced");
	jx_done(&x);
}

/* --- several in one namespace ---------------------------------------------------------------- */

/* Two endpoints in one namespace, of the services that LABELS name, and one apart. */
static void jx_pair(struct jx *x, const char *labels_a, const char *labels_b)
{
	struct endpoint *a, *b;

	jx_init(x);
	a = fx_endpoint(&x->f, "a", labels_a, "10.0.0.1");
	b = fx_endpoint(&x->f, "b", labels_b, "10.0.0.1");
	b->netns_ino = a->netns_ino;
	fx_endpoint(&x->f, "c", "app=web", "10.0.0.2");
	fx_service(&x->f, "web");
	fx_service(&x->f, "metrics");
}

static void test_equal_services_are_a_remark(void **state)
{
	struct endpoint_status st;
	struct jx x;

	jx_pair(&x, "app=web", "app=web");
	jx_compile(&x);
	is_judged(&x, 0, STATE_PROTECTED, "its network namespace is shared with b");
	is_judged(&x, 1, STATE_PROTECTED, "its network namespace is shared with a");
	is_judged(&x, 2, STATE_PROTECTED, "");
	st = judge_with(&x, 1, NULL);
	assert_int_equal(st.n_members, 2);
	assert_int_equal(st.members[0], 0);
	assert_int_equal(st.members[1], 1);
	assert_int_equal(judge_with(&x, 2, NULL).n_members, 1);
	jx_done(&x);
}

static void test_differing_services_are_a_finding(void **state)
{
	struct jx x;

	jx_pair(&x, "app=web", "app=metrics");
	jx_compile(&x);
	is_judged(&x, 0, STATE_SHARED,
		  "its network namespace is shared with b, and their services differ: each of them "
		  "may do what any of web,metrics allows");
	is_judged(&x, 1, STATE_SHARED,
		  "its network namespace is shared with a, and their services differ: each of them "
		  "may do what any of web,metrics allows");
	assert_true(endpoint_state_is_finding(STATE_SHARED));
	is_judged(&x, 2, STATE_PROTECTED, "");
	jx_done(&x);
}

/* One that no policy speaks of gets what the other may: it has its addresses. */
static void test_a_stranger_is_a_finding(void **state)
{
	struct jx x;

	jx_pair(&x, "app=web", "app=stray");
	jx_compile(&x);
	is_judged(&x, 0, STATE_SHARED,
		  "its network namespace is shared with b, and their services differ: each of them "
		  "may do what any of web allows");
	assert_int_equal(judge_with(&x, 1, NULL).state, STATE_SHARED);
	jx_done(&x);
}

static void test_services_that_are_off_make_no_difference(void **state)
{
	struct jx x;

	jx_pair(&x, "app=web", "app=web,tier=front");
	fx_service(&x.f, "more");
	((struct service *)x.f.policies.services)[2].select.labels = fx_labels(
		&x.f, "tier=front", &((struct service *)x.f.policies.services)[2].select.n_labels);
	((struct service *)x.f.policies.services)[2].mode = MODE_OFF;
	jx_compile(&x);
	assert_int_equal(judge_with(&x, 0, NULL).state, STATE_PROTECTED);
	members_done(&x.m);
	selection_free(x.site.selection);
	((struct service *)x.f.policies.services)[2].mode = MODE_ENFORCE;
	jx_compile(&x);
	assert_int_equal(judge_with(&x, 0, NULL).state, STATE_SHARED);
	jx_done(&x);
}

static void test_one_weak_member_weakens_all(void **state)
{
	static const enum endpoint_obstacle all[] = { ENDPOINT_PRIVILEGED, ENDPOINT_NET_ADMIN,
						      ENDPOINT_OWN_STACK };
	struct endpoint_status st;
	char want[BH_ERR_MAX];
	struct jx x;

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++) {
		jx_pair(&x, "app=web", "app=web");
		((struct endpoint *)x.f.endpoints.endpoints)[1].obstacle = all[i];
		jx_compile(&x);
		snprintf(want, sizeof(want),
			 "b is in its network namespace and cannot be held (%s)", reason(all[i]));
		is_judged(&x, 0, STATE_WEAK, want);
		st = judge_with(&x, 0, NULL);
		assert_int_equal(st.obstacle, all[i]);
		assert_int_equal(st.obstacle_of, 1);
		snprintf(want, sizeof(want), "%s; its network namespace is shared with a",
			 reason(all[i]));
		is_judged(&x, 1, STATE_WEAK, want);
		is_judged(&x, 2, STATE_PROTECTED, "");
		jx_done(&x);
	}
}

/* Which of several others it is, and who else is there. */
static void test_a_weak_one_of_three(void **state)
{
	struct endpoint *e;
	char want[BH_ERR_MAX];
	struct jx x;

	jx_pair(&x, "app=web", "app=web");
	e = (struct endpoint *)x.f.endpoints.endpoints;
	e[2].netns_ino = e[0].netns_ino;
	e[2].obstacle = ENDPOINT_NET_ADMIN;
	jx_compile(&x);
	snprintf(want, sizeof(want),
		 "c is in its network namespace and cannot be held (%s); its network namespace is "
		 "shared with b, c",
		 reason(ENDPOINT_NET_ADMIN));
	is_judged(&x, 0, STATE_WEAK, want);
	jx_done(&x);
}

/* A member that no policy selects, or whose document cannot be read, counts as well. */
static void test_an_unselected_member_weakens(void **state)
{
	struct endpoint *b;
	struct jx x;

	jx_pair(&x, "app=web", "app=stray");
	((struct endpoint *)x.f.endpoints.endpoints)[1].obstacle = ENDPOINT_PRIVILEGED;
	jx_compile(&x);
	assert_int_equal(judge_with(&x, 0, NULL).state, STATE_WEAK);
	jx_done(&x);

	jx_pair(&x, "app=web", "app=stray");
	b = &((struct endpoint *)x.f.endpoints.endpoints)[1];
	b->obstacle = ENDPOINT_UNREADABLE;
	b->netns = NULL; /* what docker.c leaves of one */
	jx_compile(&x);
	assert_int_equal(judge_with(&x, 0, NULL).state, STATE_WEAK);
	assert_int_equal(judge_with(&x, 0, NULL).obstacle, ENDPOINT_UNREADABLE);
	jx_done(&x);
}

static void test_the_gravest_obstacle_is_told(void **state)
{
	struct endpoint_status st;
	struct endpoint *e;
	struct jx x;

	jx_pair(&x, "app=web", "app=web");
	e = (struct endpoint *)x.f.endpoints.endpoints;
	e[0].obstacle = ENDPOINT_RAW_SOCKETS;
	e[1].obstacle = ENDPOINT_PRIVILEGED;
	jx_compile(&x);
	for (size_t i = 0; i < 2; i++) {
		st = judge_with(&x, i, NULL);
		assert_int_equal(st.obstacle, ENDPOINT_PRIVILEGED);
		assert_int_equal(st.obstacle_of, 1);
	}
	e[0].obstacle = ENDPOINT_PRIVILEGED; /* both: its own reason */
	st = judge_with(&x, 0, NULL);
	assert_int_equal(st.obstacle_of, 0);
	jx_done(&x);
}

static void test_many_members_are_cut_short(void **state)
{
	char id[16];
	struct endpoint_status st;
	struct jx x;

	jx_init(&x);
	for (int i = 0; i < 9; i++) {
		snprintf(id, sizeof(id), "e%d", i);
		fx_endpoint(&x.f, id, "app=web", "10.0.0.1")->netns_ino = 77;
	}
	fx_service(&x.f, "web");
	jx_compile(&x);
	is_judged(&x, 1, STATE_PROTECTED,
		  "its network namespace is shared with e0, e2, e3 and 5 more");
	st = judge_with(&x, 8, NULL);
	assert_int_equal(st.n_members, 9);
	jx_done(&x);
}

static void test_hostile_names(void **state)
{
	struct endpoint_status st;
	struct jx x;

	jx_pair(&x, "app=web", "app=web");
	((struct endpoint *)x.f.endpoints.endpoints)[1].name = "\033[2Jb";
	jx_compile(&x);
	st = judge_with(&x, 0, NULL);
	assert_null(strchr(st.why, '\033'));
	assert_non_null(strstr(st.why, "[2Jb (b)"));
	jx_done(&x);
}

/* --- raw sockets ----------------------------------------------------------------------------- */

static struct endpoint_status judge_raw(struct jx *x, bool frames_held)
{
	struct endpoint_status st = { .endpoint = 0 };

	assert_false(judge_endpoint(&x->m, &st));
	if (!judge_hold(&x->m, frames_held, &st))
		st.state = STATE_PROTECTED;
	return st;
}

/* Where queues are held, and where they could not be: tests/system/xdp.bats. */
static void test_raw_sockets(void **state)
{
	enum endpoint_obstacle rest = xsk_supported() ? ENDPOINT_XDP_SOCKETS : ENDPOINT_HOLDABLE;
	struct endpoint_status st;
	struct jx x;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1")->obstacle = ENDPOINT_RAW_SOCKETS;
	fx_service(&x.f, "web");
	jx_compile(&x);
	st = judge_raw(&x, false); /* no table netdev: frames of packet sockets pass */
	assert_int_equal(st.state, STATE_WEAK);
	assert_int_equal(st.obstacle, ENDPOINT_RAW_SOCKETS);
	assert_string_equal(st.why, reason(ENDPOINT_RAW_SOCKETS));
	st = judge_raw(&x, true); /* with it, those of AF_XDP still do */
	assert_int_equal(st.state, rest ? STATE_WEAK : STATE_PROTECTED);
	assert_int_equal(st.obstacle, rest);
	assert_string_equal(st.why, reason(rest));
	x.site.holds = holds_new(); /* a daemon that does not hold this namespace */
	assert_non_null(x.site.holds);
	st = judge_raw(&x, true);
	assert_int_equal(st.obstacle, rest);
	assert_string_equal(st.why, reason(rest));
	holds_free(x.site.holds);
	jx_done(&x);
}

/* --- the kernel ------------------------------------------------------------------------------ */

static void test_a_kernel_that_lacks_something(void **state)
{
	struct kernel_status k;
	struct nft_kernel kernel;

	memset(&kernel, 1, sizeof(kernel));
	judge_kernel(0, &kernel, &(struct bh_err)BH_ERR_INIT, &k);
	assert_false(k.finding);
	assert_string_equal(k.why, "");
	assert_string_equal(k.lacks, "");
	kernel.has[NFT_HAS_LOG] = kernel.has[NFT_HAS_LIMIT] = false;
	judge_kernel(0, &kernel, &(struct bh_err)BH_ERR_INIT, &k);
	assert_true(k.finding);
	assert_string_equal(k.why, "its nf_tables lacks: NFLOG, limits");
	assert_string_equal(k.lacks, "");
}

static enum endpoint_state state_of_one_that_keeps(enum endpoint_state s, char why[BH_ERR_MAX])
{
	struct endpoint_status st = { .state = s, .raw_sockets = RAW_SOCKETS_KEPT, .why = "so" };

	judge_privileges(&st);
	memcpy(why, st.why, BH_ERR_MAX);
	return st.state;
}

/* What a service denies and its container has is never called protected, and a worse state stays. */
static void test_kept_privileges(void **state)
{
	static const enum raw_sockets others[] = { RAW_SOCKETS_NOT_ASKED, RAW_SOCKETS_DENIED,
						   RAW_SOCKETS_UNKNOWN };
	char why[BH_ERR_MAX];

	assert_int_equal(state_of_one_that_keeps(STATE_PROTECTED, why), STATE_WEAK);
	assert_ptr_equal(strstr(why, "so; its service denies raw sockets, and it has"), why);
	assert_int_equal(state_of_one_that_keeps(STATE_GUARDED, why), STATE_WEAK);
	assert_int_equal(state_of_one_that_keeps(STATE_MISSING, why), STATE_MISSING);
	assert_int_equal(state_of_one_that_keeps(STATE_DRIFT, why), STATE_DRIFT);
	for (size_t i = 0; i < 3; i++) {
		struct endpoint_status st = { .state = STATE_PROTECTED, .raw_sockets = others[i] };

		judge_privileges(&st);
		assert_int_equal(st.state, STATE_PROTECTED);
		assert_string_equal(st.why, "");
	}
}

/* Only what is enforced takes anything away; one of several services is enough. */
static void test_who_denies_raw_sockets(void **state)
{
	struct jx x;
	struct service *audited, *denier;

	jx_init(&x);
	fx_endpoint(&x.f, "a", "app=web", "10.0.0.1");
	fx_endpoint(&x.f, "b", "app=other", "10.0.0.2");
	fx_service(&x.f, "other");
	audited = fx_service(&x.f, "web");
	audited->denies_raw = true;
	audited->mode = MODE_AUDIT;
	jx_compile(&x);
	assert_false(privileges_deny_raw(&x.f.policies, x.site.selection, 0));
	assert_false(privileges_deny_raw(&x.f.policies, x.site.selection, 1));
	audited->mode = MODE_OFF;
	assert_false(privileges_deny_raw(&x.f.policies, x.site.selection, 0));
	denier = audited;
	denier->mode = MODE_ENFORCE;
	assert_true(privileges_deny_raw(&x.f.policies, x.site.selection, 0));
	assert_false(privileges_deny_raw(&x.f.policies, x.site.selection, 1));
	jx_done(&x);
}

/* It goes without, and that is said: what is lacking, and what it costs. */
static void test_a_kernel_that_lacks_what_it_can_do_without(void **state)
{
	struct kernel_status k;
	struct nft_kernel kernel;

	memset(&kernel, 1, sizeof(kernel));
	kernel.has[NFT_HAS_LATE_DEVICES] = kernel.has[NFT_HAS_OWNER] = false;
	judge_kernel(0, &kernel, &(struct bh_err)BH_ERR_INIT, &k);
	assert_false(k.finding);
	assert_string_equal(k.why, "");
	assert_non_null(
		strstr(k.lacks, "no hooks on devices that are not there yet: frames made by"));
	assert_non_null(
		strstr(k.lacks, "; no tables that are owned and persist: root with CAP_NET_"));
}

/* Who may not ask has no answer, and is told so by every namespace; anything else is a finding. */
static void test_a_kernel_that_cannot_be_asked(void **state)
{
	struct bh_err err = { "making a network namespace: No space left on device" };
	struct kernel_status k;

	judge_kernel(-EPERM, NULL, &err, &k);
	assert_false(k.finding);
	judge_kernel(-ENOSPC, NULL, &err, &k);
	assert_true(k.finding);
	assert_string_equal(k.why, "what it can do was not found out: making a network namespace: "
				   "No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_obstacle_has_its_state_and_reason),
		cmocka_unit_test(test_host_by_inode),
		cmocka_unit_test(test_what_nobody_asks_for),
		cmocka_unit_test(test_quarantine_holds_or_says_so),
		cmocka_unit_test(test_the_table_comes_first),
		cmocka_unit_test(test_the_generation_that_stands_there),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_equal_services_are_a_remark),
		cmocka_unit_test(test_differing_services_are_a_finding),
		cmocka_unit_test(test_a_stranger_is_a_finding),
		cmocka_unit_test(test_services_that_are_off_make_no_difference),
		cmocka_unit_test(test_one_weak_member_weakens_all),
		cmocka_unit_test(test_a_weak_one_of_three),
		cmocka_unit_test(test_an_unselected_member_weakens),
		cmocka_unit_test(test_the_gravest_obstacle_is_told),
		cmocka_unit_test(test_many_members_are_cut_short),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_raw_sockets),
		cmocka_unit_test(test_kept_privileges),
		cmocka_unit_test(test_who_denies_raw_sockets),
		cmocka_unit_test(test_a_kernel_that_lacks_something),
		cmocka_unit_test(test_a_kernel_that_lacks_what_it_can_do_without),
		cmocka_unit_test(test_a_kernel_that_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
