/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../../src/daemon/health.h"

static struct policy_identity id(const char *policies, const char *host, const char *unread)
{
	struct policy_identity i = { 0 };

	strcpy(i.policies, policies);
	strcpy(i.host, host);
	strcpy(i.unread, unread);
	return i;
}

static void read_mistakes(struct health *s, unsigned n)
{
	struct src_loc loc = { "a\033.yaml", 3, 5 };
	struct diag_list diags;

	diag_list_init(&diags);
	diag_add(&diags, DIAG_WARNING, &loc, "w", NULL, "a warning");
	for (unsigned i = 0; i < n; i++)
		diag_add(&diags, DIAG_ERROR, &loc, "e", "hint", "mistake %u", i);
	health_read(s, &diags);
	diag_list_done(&diags);
}

static void assert_format(const struct health *s, bool openly, const char *want)
{
	char out[2 * BH_ERR_MAX];

	assert_string_equal(mistakes_format(out, sizeof(out), &s->refused.mistakes, openly), want);
}

static void test_since_when(void **state)
{
	struct health s = { 0 };

	health_accept(&s, "p1", "", 10);
	assert_int_equal(s.since, 10);
	health_accept(&s, "p1", "", 20); /* read anew, and the same */
	assert_int_equal(s.since, 10);
	health_accept(&s, "p1", "h1", 30);
	assert_int_equal(s.since, 30);
	health_accept(&s, "p2", "h1", 40);
	assert_int_equal(s.since, 40);
}

static void test_what_is_news(void **state)
{
	struct policy_identity good = id("p1", "h1", ""), bad = id("p2", "h1", ""),
			       gone = id("", "", "cannot read x"), other = id("p1", "h2", "");
	struct bh_err err = BH_ERR_INIT;
	struct health s = { 0 };

	assert_int_equal(health_compare(&s, &good), HEALTH_NEW);
	health_accept(&s, "p1", "h1", 1);
	assert_int_equal(health_compare(&s, &good), HEALTH_IN_FORCE);
	assert_int_equal(health_compare(&s, &other), HEALTH_NEW);
	assert_int_equal(health_compare(&s, &bad), HEALTH_NEW);
	read_mistakes(&s, 1);
	health_refuse(&s, &bad, &err, 2);
	assert_int_equal(health_compare(&s, &bad), HEALTH_REFUSED);
	assert_int_equal(health_compare(&s, &good), HEALTH_IN_FORCE);
	assert_int_equal(health_compare(&s, &gone), HEALTH_NEW);
	health_refuse(&s, &gone, &err, 3);
	assert_int_equal(health_compare(&s, &gone), HEALTH_REFUSED);
	assert_int_equal(health_compare(&s, &bad), HEALTH_NEW); /* only the last is known */
	health_forget_refusal(&s);
	assert_int_equal(health_compare(&s, &gone), HEALTH_NEW);
	health_refuse(&s, &bad, &err, 4);
	health_accept(&s, "p2", "h1", 5); /* the same bytes, later: strict had been the reason */
	assert_false(s.refused.there);
	assert_int_equal(health_compare(&s, &bad), HEALTH_IN_FORCE);
	assert_int_equal(health_compare(&s, &good), HEALTH_NEW);
}

static void test_refusals_in_a_row(void **state)
{
	struct policy_identity bad = id("p2", "", ""), worse = id("p3", "", "");
	struct bh_err err = BH_ERR_INIT;
	struct health s = { 0 };

	health_accept(&s, "p1", "", 1);
	read_mistakes(&s, 1);
	health_refuse(&s, &bad, &err, 2);
	assert_format(&s, true, "a\\x1b.yaml:3:5: mistake 0");
	read_mistakes(&s, 3);
	health_refuse(&s, &worse, &err, 3);
	assert_format(&s, true, "a\\x1b.yaml:3:5: mistake 0, and 2 more");
	assert_format(&s, false, "a\\x1b.yaml:3:5, and 2 more");
	assert_int_equal(s.refused.since, 2);
	assert_int_equal(s.since, 1);
	health_forget_refusal(&s);
	health_refuse(&s, &bad, &err, 4);
	assert_int_equal(s.refused.since, 4);
}

/* Mistakes of an earlier reading are no mistakes of this one. */
static void test_a_reason_that_is_no_mistake(void **state)
{
	struct policy_identity bad = id("p2", "", "");
	struct bh_err err = { "strict: 1 finding" };
	struct health s = { 0 };

	read_mistakes(&s, 2);
	read_mistakes(&s, 0);
	health_refuse(&s, &bad, &err, 1);
	assert_format(&s, true, "strict: 1 finding");
	assert_format(&s, false, "they cannot be taken");
	err.msg[0] = '\0';
	health_refuse(&s, &bad, &err, 1);
	assert_format(&s, true, "they are not valid");
}

/* Of a file as a whole, and of none; cut rather than overrun. */
static void test_places(void **state)
{
	struct src_loc whole = { "big.yaml", 0, 0 };
	struct policy_identity bad = id("p2", "", "");
	struct bh_err err = BH_ERR_INIT;
	struct health s = { 0 };
	struct diag_list diags;
	char out[12];

	diag_list_init(&diags);
	diag_add(&diags, DIAG_ERROR, &whole, "e", NULL, "too big");
	health_read(&s, &diags);
	health_refuse(&s, &bad, &err, 1);
	assert_format(&s, true, "big.yaml: too big");
	mistakes_format(out, sizeof(out), &s.refused.mistakes, true);
	assert_string_equal(out, "big.yaml: t");
	diag_list_done(&diags);

	diag_list_init(&diags);
	diag_add(&diags, DIAG_ERROR, NULL, "e", NULL, "nowhere");
	health_read(&s, &diags);
	health_refuse(&s, &bad, &err, 1);
	assert_format(&s, true, "nowhere");
	assert_format(&s, false, "they cannot be taken");
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since_when),
		cmocka_unit_test(test_what_is_news),
		cmocka_unit_test(test_refusals_in_a_row),
		cmocka_unit_test(test_a_reason_that_is_no_mistake),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
