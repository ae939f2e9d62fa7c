/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <stdio.h>

#include "junit.h"

static void add_case(struct bh_buf *out, const struct test_result *r)
{
	char flow[TEST_FLOW_STR], name[TEST_FLOW_STR + 16];

	snprintf(name, sizeof(name), "%s %s", test_flow(flow, r->e), test_verdict(r->e->allow));
	bh_buf_addstr(out, "    <testcase");
	junit_attribute(out, "classname", r->test->name);
	junit_attribute(out, "name", name);
	junit_attribute(out, "file", r->e->loc.file);
	bh_buf_addf(out, " line=\"%u\"", r->e->loc.line);
	if (r->passed) {
		bh_buf_addstr(out, "/>\n");
		return;
	}
	bh_buf_addstr(out, ">\n      <failure type=\"verdict\"");
	junit_attribute(out, "message", r->sentence);
	bh_buf_addstr(out, "/>\n    </testcase>\n");
}

static size_t count_failed(const struct test_result *r, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++)
		failed += !r[i].passed;
	return failed;
}

void test_junit(const struct policy_set *set, const struct test_results *results,
		struct bh_buf *out)
{
	const struct test_result *r = results->r;

	bh_buf_addf(out,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		    "<testsuites name=\"bulkhead\" tests=\"%zu\" failures=\"%zu\">\n",
		    results->n, results->failed);
	for (size_t i = 0; i < set->n_tests; i++) {
		const struct policy_test *t = &set->tests[i];

		bh_buf_addstr(out, "  <testsuite");
		junit_attribute(out, "name", t->name);
		junit_attribute(out, "file", t->loc.file);
		bh_buf_addf(out, " tests=\"%zu\" failures=\"%zu\">\n", t->n_expect,
			    count_failed(r, t->n_expect));
		for (size_t k = 0; k < t->n_expect; k++)
			add_case(out, r++);
		bh_buf_addstr(out, "  </testsuite>\n");
	}
	bh_buf_addstr(out, "</testsuites>\n");
}
