/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_TEST_H
#define CLI_TEST_H

#include <bulkhead/base/buf.h>
#include <bulkhead/compile/compile.h>

/* What came of one expectation. */
struct test_result {
	const struct policy_test *test;
	const struct expectation *e;
	bool passed;
	size_t pairs;
	const char *source, *destination; /* FILE:LINE that decides at that end, or NULL */
	char sentence[sizeof(((struct explanation *)NULL)->sentence)];
};

struct test_results {
	struct test_result *r; /* in the order of the policies */
	size_t n, failed;
};

/* "web -> payments 8443/tcp", escaped. Returns OUT. */
#define TEST_FLOW_STR 400
const char *test_flow(char out[TEST_FLOW_STR], const struct expectation *e);
const char *test_verdict(bool allow); /* "allow", "deny" */

/* All of it as JUnit XML. */
void test_junit(const struct policy_set *set, const struct test_results *results,
		struct bh_buf *out);

#endif
