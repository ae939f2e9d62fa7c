/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "cli.h"
#include "junit.h"

const char *test_verdict(bool allow)
{
	return allow ? "allow" : "deny";
}

const char *test_flow(char out[TEST_FLOW_STR], const struct expectation *e)
{
	char from[160], to[160], port[PORT_SPEC_STR];

	snprintf(out, TEST_FLOW_STR, "%s -> %s %s", bh_escape_str(from, sizeof(from), e->from),
		 bh_escape_str(to, sizeof(to), e->to), port_spec_format(port, &e->port));
	return out;
}

/* --- running ---------------------------------------------------------------------------------- */

static int ask(const struct trial *t, const struct policy_test *test, const struct expectation *e,
	       struct test_result *ret, struct diag_list *diags, struct bh_err *err)
{
	struct trial_answer a;
	int r = trial_ask(t, e, &a, diags, err);

	*ret = (struct test_result) {
		.test = test,
		.e = e,
		.passed = a.passed,
		.pairs = a.pairs,
		.source = a.x.source.where,
		.destination = a.x.destination.where,
	};
	snprintf(ret->sentence, sizeof(ret->sentence), "%s", a.x.sentence);
	return r;
}

/* Every expectation is asked, so that all names that are wrong are told in one run. */
static int ask_all(const struct policy_set *set, const struct trial *t, struct test_results *ret,
		   struct diag_list *diags, struct bh_err *err)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < set->n_tests; i++)
		n += set->tests[i].n_expect;
	ret->r = calloc(n + 1, sizeof(*ret->r));
	if (!ret->r)
		return bh_err_oom(err);
	for (size_t i = 0; i < set->n_tests; i++)
		for (size_t k = 0; k < set->tests[i].n_expect; k++) {
			struct test_result *one = &ret->r[ret->n];
			int q = ask(t, &set->tests[i], &set->tests[i].expect[k], one, diags, err);

			r = q < 0 ? q : r;
			ret->failed += !one->passed;
			ret->n++;
		}
	return r;
}

/* --- saying ----------------------------------------------------------------------------------- */

static void place(const struct src_loc *loc, char *out, size_t cap)
{
	char file[256];

	snprintf(out, cap, "%s:%u", bh_escape_str(file, sizeof(file), loc->file), loc->line);
}

static void print_one(const struct test_result *r)
{
	char at[300], name[300], flow[TEST_FLOW_STR];

	place(&r->e->loc, at, sizeof(at));
	bh_escape_str(name, sizeof(name), r->test->name);
	printf("%s %s: %s: %s: %s%s\n", r->passed ? "ok  " : "FAIL", at, name,
	       test_flow(flow, r->e), r->passed ? "" : "expected ", test_verdict(r->e->allow));
	printf("     %s\n", r->sentence);
}

static void print_json(const struct test_result *r)
{
	char port[PORT_SPEC_STR];
	json_t *o = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s*, s:s*, s:s}",
			      "test", r->test->name, "file", r->e->loc.file, "line",
			      (int)r->e->loc.line, "from", r->e->from, "to", r->e->to, "port",
			      port_spec_format(port, &r->e->port), "expected",
			      test_verdict(r->e->allow), "verdict",
			      test_verdict(r->e->allow == r->passed), "passed", r->passed, "source",
			      r->source, "destination", r->destination, "sentence", r->sentence);

	if (!o) /* a file's name that is no UTF-8 */
		o = json_pack("{s:s, s:i, s:b, s:s}", "test", r->test->name, "line",
			      (int)r->e->loc.line, "passed", r->passed, "sentence", r->sentence);
	cli_print_object(o);
	json_decref(o);
}

static void print_results(const struct policy_set *set, const struct test_results *results,
			  const struct cli_options *o)
{
	for (size_t i = 0; i < results->n; i++)
		if (o->json)
			print_json(&results->r[i]);
		else if (o->verbose || !results->r[i].passed)
			print_one(&results->r[i]);
	if (!o->json)
		printf("%zu passed, %zu failed: %zu expectations of %zu %s\n",
		       results->n - results->failed, results->failed, results->n, set->n_tests,
		       set->n_tests == 1 ? "test" : "tests");
}

static int write_junit(const struct policy_set *set, const struct test_results *results,
		       const char *path)
{
	struct bh_buf out;
	int code;

	bh_buf_init(&out, BH_SUGGEST_TEXT_MAX);
	test_junit(set, results, &out);
	code = junit_write(&out, path, "test");
	bh_buf_done(&out);
	return code;
}

static int say(const struct policy_set *set, const struct test_results *results,
	       const struct cli_options *o)
{
	int code = o->junit ? write_junit(set, results, o->junit) : CLI_YES;

	if (!o->junit || strcmp(o->junit, "-") != 0)
		print_results(set, results, o);
	return code != CLI_YES ? code : results->failed ? CLI_NO : CLI_YES;
}

/* --- the verb --------------------------------------------------------------------------------- */

static int run(const struct site *s, const struct cli_options *o)
{
	struct bh_err err = BH_ERR_INIT;
	struct test_results results = { 0 };
	struct trial *t = NULL;
	struct diag_list diags;
	int r, code = CLI_FAILED;

	diag_list_init(&diags);
	r = trial_new(s->policies, s->endpoints, &s->host, s->now, &t, &diags, &err);
	if (r >= 0)
		r = ask_all(s->policies, t, &results, &diags, &err);
	diag_list_sort(&diags);
	diag_list_print(&diags, stderr, cli_colour(stderr));
	if (r >= 0)
		code = say(s->policies, &results, o);
	else if (r == -ENOENT)
		code = err.msg[0] ? cli_fail(CLI_USAGE, "test: %s", err.msg) : CLI_USAGE;
	else
		cli_fail(CLI_FAILED, "test: %s", err.msg);
	free(results.r);
	diag_list_done(&diags);
	trial_free(t);
	return code;
}

/* What runs on this host says nothing of the policies: without an inventory, nobody does. */
int cmd_test(struct cli_options *o)
{
	struct site s;
	int code;

	code = cli_load(&s, o, NEED_POLICIES | (o->inventory ? NEED_ENDPOINTS : 0));
	if (code == CLI_YES && !s.policies->n_tests)
		code = cli_fail(CLI_USAGE, "test: no document begins with test:, so nothing was "
					   "tested");
	if (code == CLI_YES)
		code = run(&s, o);
	site_done(&s);
	return code;
}
