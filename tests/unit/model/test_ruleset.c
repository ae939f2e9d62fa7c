/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/ruleset.h>

#define ADDR(d)                                                                                    \
	{                                                                                          \
		.family = AF_INET, .b = { 10, 77, 1, d }                                           \
	}
#define HOST(d)                                                                                    \
	{                                                                                          \
		ADDR(d), ADDR(d)                                                                   \
	}
#define LAST 1800000000 /* when the second entry ends */

/* --- two that are equal ----------------------------------------------------------------------- */

/* One ruleset of everything there is; each call makes one of its own. */
struct specimen {
	struct ruleset_rule rules[3];
	struct entry exact[2], world[1];
	struct bh_range known[2];
	struct ruleset r;
};

static struct specimen *specimen(void)
{
	struct specimen *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*s = (struct specimen) {
		.rules = { { "web.in.all", "web.yaml:3", DIRECTION_INGRESS },
			   { "web.out.db", "web.yaml:9", DIRECTION_EGRESS },
			   { "web.out.idle", "web.yaml:11", DIRECTION_EGRESS } },
		.exact = { { HOST(1), IPPROTO_TCP, IPPROTO_TCP, 80, 80, 1, 0 },
			   { HOST(2), IPPROTO_TCP, IPPROTO_TCP, 443, 443, 1, LAST } },
		.world = { { { ADDR(0), ADDR(255) }, IPPROTO_UDP, IPPROTO_UDP, 53, 53, 0, 0 } },
		.known = { HOST(1), HOST(7) },
		.r = { .endpoint = "shop/web",
		       .services = "web",
		       .generation = "0123456789abcdef",
		       .deny_where = { "web.yaml:8", "web.yaml:2" },
		       .mode = MODE_ENFORCE,
		       .on_deny = ON_DENY_DROP,
		       .log_denied = true,
		       .n_rules = 3,
		       .n_known = 2 },
	};
	s->r.rules = s->rules;
	s->r.known = s->known;
	s->r.entries[DIRECTION_EGRESS][ENTRY_EXACT] = (struct entry_list) { s->exact, 2 };
	s->r.entries[DIRECTION_INGRESS][ENTRY_WORLD] = (struct entry_list) { s->world, 1 };
	return s;
}

/* Whoever is asked, and whether or not the difference is wanted. */
static void assert_differ(const struct specimen *a, const struct specimen *b, const char *word)
{
	char what[100] = "", cut[8];

	assert_false(ruleset_equal(&a->r, &b->r, what, sizeof(what)));
	if (!strstr(what, word))
		fail_msg("'%s' says nothing of '%s'", what, word);
	assert_false(ruleset_equal(&b->r, &a->r, what, sizeof(what)));
	assert_non_null(strstr(what, word));
	assert_false(ruleset_equal(&a->r, &b->r, NULL, 0));
	memset(cut, 'x', sizeof(cut));
	assert_false(ruleset_equal(&a->r, &b->r, cut, 4));
	assert_int_equal(strlen(cut), 3);
	assert_int_equal(cut[4], 'x');
}

static void assert_equal_both_ways(const struct specimen *a, const struct specimen *b)
{
	char what[100] = "";

	if (!ruleset_equal(&a->r, &b->r, what, sizeof(what)))
		fail_msg("%s", what);
	assert_true(ruleset_equal(&b->r, &a->r, NULL, 0));
}

static void test_equal(void **state)
{
	struct specimen *a = specimen(), *b = specimen();

	assert_equal_both_ways(a, b);
	assert_equal_both_ways(a, a);
	free(a);
	free(b);
}

/* One difference at a time; NAME is what the answer must speak of. */
#define DIFFERENCE(name, ...)                                                                      \
	do {                                                                                       \
		struct specimen *a = specimen(), *b = specimen();                                  \
                                                                                                   \
		__VA_ARGS__;                                                                       \
		assert_differ(a, b, name);                                                         \
		free(a);                                                                           \
		free(b);                                                                           \
	} while (0)

static void test_head_differs(void **state)
{
	DIFFERENCE("endpoint", b->r.endpoint = "shop/db");
	DIFFERENCE("endpoint", b->r.endpoint = NULL);
	DIFFERENCE("services", b->r.services = "web,x");
	DIFFERENCE("version of the policies", b->r.generation = "0123456789abcdee");
	DIFFERENCE("mode", b->r.mode = MODE_AUDIT);
	DIFFERENCE("denied packets", b->r.on_deny = ON_DENY_REJECT);
	DIFFERENCE("denied packets", b->r.log_denied = false);
	DIFFERENCE("allowed is logged", b->r.log_allowed = true);
	DIFFERENCE("default deny", b->r.deny_where[0] = "web.yaml:7");
	DIFFERENCE("default deny", b->r.deny_where[1] = NULL);
}

static void test_rules_differ(void **state)
{
	DIFFERENCE("policy rules", b->rules[2].name = "web.out.useless");
	DIFFERENCE("policy rules", b->rules[1].where = "web.yaml:10");
	DIFFERENCE("policy rules", b->rules[0].direction = DIRECTION_EGRESS);
	/* where flows are counted for it, that comes first */
	DIFFERENCE("egress", b->rules[1].name = "web.out.other");
	DIFFERENCE("ingress", b->rules[0].name = "web.in.other");
}

/* What is left of rules that have expired is no difference; what is wanted and missing is. */
static void test_leftovers(void **state)
{
	struct specimen *want = specimen(), *have = specimen();
	struct entry_list none = { 0 };
	char what[100];

	want->r.n_rules = 2; /* no entry is of the third */
	assert_true(ruleset_equal(&want->r, &have->r, what, sizeof(what)));
	assert_false(ruleset_equal(&have->r, &want->r, what, sizeof(what)));
	assert_non_null(strstr(what, "policy rules"));

	want->r.entries[DIRECTION_INGRESS][ENTRY_WORLD] = none;
	have->r.entries[DIRECTION_INGRESS][ENTRY_WORLD] = none;
	want->r.n_known = 0; /* what is outside of a world that nobody may reach */
	assert_true(ruleset_equal(&want->r, &have->r, what, sizeof(what)));

	want->r.n_rules = 1; /* an entry of the second stands in both: then it must be the same */
	assert_false(ruleset_equal(&want->r, &have->r, what, sizeof(what)));
	free(want);
	free(have);
}

static void test_flows_differ(void **state)
{
	struct entry_list none = { 0 };

	DIFFERENCE("egress", b->exact[0].port_lo = b->exact[0].port_hi = 81);
	DIFFERENCE("egress", b->exact[1].addr.hi.b[3] = 3);
	DIFFERENCE("egress", b->exact[1].proto_hi = IPPROTO_UDP);
	DIFFERENCE("egress", b->exact[1].rule = 0);
	DIFFERENCE("egress", b->r.entries[DIRECTION_EGRESS][ENTRY_EXACT].n = 1);
	DIFFERENCE("egress", b->r.entries[DIRECTION_EGRESS][ENTRY_HOST] =
				     (struct entry_list) { b->exact, 1 });
	DIFFERENCE("ingress", b->r.entries[DIRECTION_INGRESS][ENTRY_WORLD] = none);
	DIFFERENCE("ingress", b->world[0].port_hi = 54);
	DIFFERENCE("guardrails",
		   b->r.guards[DIRECTION_EGRESS][GUARD_NET] = (struct entry_list) { b->exact, 1 });
	DIFFERENCE("nothing denies", b->r.open = true);
	DIFFERENCE("world", b->known[1].hi.b[3] = 8);
	DIFFERENCE("world", b->known[0].lo.b[3] = 0);
	DIFFERENCE("world", b->r.n_known = 1);
}

/* Kernel and clock may be apart by two seconds, but never is not a time. */
static void test_expiry(void **state)
{
	static const struct {
		int64_t expires;
		bool equal;
	} cases[] = {
		{ LAST, true },      { LAST + 2, true }, { LAST - 2, true }, { LAST + 3, false },
		{ LAST - 3, false }, { 0, false },       { 1, false },       { INT64_MAX, false },
	};
	struct specimen *a = specimen(), *b = specimen();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		b->exact[1].expires = cases[i].expires;
		if (cases[i].equal)
			assert_equal_both_ways(a, b);
		else
			assert_differ(a, b, "egress");
	}
	a->exact[1].expires = 0;
	b->exact[1].expires = 1; /* long over, and yet not never */
	assert_differ(a, b, "egress");
	free(a);
	free(b);
}

/* No place and an empty one are the same: the kernel's table cannot tell them apart. */
static void test_no_place(void **state)
{
	struct specimen *a = specimen(), *b = specimen();

	a->r.deny_where[0] = NULL;
	b->r.deny_where[0] = "";
	assert_equal_both_ways(a, b);
	free(a);
	free(b);
}

/* --- order of entries --------------------------------------------------------------------------- */

static void assert_order(const struct entry *sorted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int r = entry_cmp(&sorted[i], &sorted[j]);

			assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
		}
}

static void test_entry_cmp(void **state)
{
	static const struct bh_addr v6 = { .family = AF_INET6 };
	static const struct entry sorted[] = {
		{ { ADDR(1), ADDR(1) }, 6, 6, 80, 80, 9, 9 },
		{ { ADDR(1), ADDR(1) }, 6, 6, 80, 81, 8, 8 },
		{ { ADDR(1), ADDR(1) }, 6, 6, 81, 81, 7, 7 },
		{ { ADDR(1), ADDR(1) }, 6, 7, 0, 0, 6, 6 },
		{ { ADDR(1), ADDR(1) }, 17, 17, 0, 65535, 5, 5 },
		{ { ADDR(1), ADDR(1) }, 255, 255, 65535, 65535, 5, 5 },
		{ { ADDR(1), ADDR(2) }, 6, 6, 80, 80, 4, 4 },
		{ { ADDR(2), ADDR(2) }, 0, 0, 0, 0, 3, 3 },
		{ { ADDR(200), ADDR(200) }, 0, 0, 0, 0, 3, 3 },
		{ { v6, v6 }, 0, 0, 0, 0, 2, 2 },
	};
	struct entry other = sorted[0];

	assert_order(sorted, BH_ARRAY_SIZE(sorted));
	other.rule = 1; /* the key is what is compared, not what it leads to */
	other.expires = 1;
	assert_int_equal(entry_cmp(&sorted[0], &other), 0);
}

/* --- lists --------------------------------------------------------------------------------------- */

/* Endpoints 1 and 4 share a namespace, 3 gets no table. */
static void test_list_find(void **state)
{
	static const uint32_t home_of[] = { 0, 1, 2, 3, 1, 5 };
	struct ruleset_item items[] = { { NULL, 0 }, { NULL, 1 }, { NULL, 2 }, { NULL, 5 } };
	struct ruleset_list l = { .items = items, .n = BH_ARRAY_SIZE(items), .home_of = home_of };

	assert_ptr_equal(ruleset_list_find(&l, 0), &items[0]);
	assert_ptr_equal(ruleset_list_find(&l, 1), &items[1]);
	assert_ptr_equal(ruleset_list_find(&l, 2), &items[2]);
	assert_null(ruleset_list_find(&l, 3));
	assert_ptr_equal(ruleset_list_find(&l, 4), &items[1]);
	assert_ptr_equal(ruleset_list_find(&l, 5), &items[3]);
	l.n = 0;
	assert_null(ruleset_list_find(&l, 0));
}

/* --- freeing ------------------------------------------------------------------------------------ */

static void test_freeing(void **state)
{
	struct bh_arena *a = bh_arena_new();
	struct ruleset *r = bh_arena_alloc(a, sizeof(*r));
	struct ruleset_list *l;

	r->arena = a;
	ruleset_free(r);
	ruleset_free(NULL);
	a = bh_arena_new();
	l = bh_arena_alloc(a, sizeof(*l));
	l->arena = a;
	ruleset_list_free(l);
	ruleset_list_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),        cmocka_unit_test(test_head_differs),
		cmocka_unit_test(test_rules_differ), cmocka_unit_test(test_flows_differ),
		cmocka_unit_test(test_leftovers),    cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_no_place),     cmocka_unit_test(test_list_find),
		cmocka_unit_test(test_entry_cmp),    cmocka_unit_test(test_freeing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
