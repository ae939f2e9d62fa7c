/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <regex.h>

#include "util.h"

/* Each requirement is met once, red for each thing that it looks at, and not assessed for what is missing. */

static void test_all_met(void **state)
{
	json_t *r = facts(), *q;
	size_t i;

	assert_int_equal(report_judge(r, NULL), 0);
	json_array_foreach (json_object_get(r, "requirements"), i, q) {
		if (strcmp(json_string_value(json_object_get(q, "verdict")), "met") != 0)
			fail_msg("%s: %s", json_string_value(json_object_get(q, "id")),
				 json_dumps(q, 0));
		assert_true(json_array_size(json_object_get(q, "evidence")) > 0);
	}
	assert_int_equal(i, 18);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(r, "sum"), "met")), 18);
	json_decref(r);
}

static const struct {
	const char *id, *path, *value; /* what is another */
	const char *verdict, *says;    /* a part of what is said */
} cases[] = {
	{ "1.2.1", "policies.guardrails", "[]", "finding", "no guardrail" },
	{ "1.2.1", "policies.warnings", "2", "finding", "warns of 2" },
	{ "1.2.1", "scope.framework", NULL, "finding", "no framework" },
	{ "1.2.2", "trail.changes.0.after", "\"cc\"", "finding", "led to policies cc" },
	{ "1.2.2", "trail.n_findings", "1", "finding", "not whole" },
	{ "1.2.2", "trail.changes", "[]", "not-assessed", "no change" },
	{ "1.2.2", "trail", "{\"state\": \"unreadable\", \"why\": \"gone\"}", "not-assessed",
	  "gone" },
	{ "1.2.2", "generations.policies", "\"cc\"", "finding", "not the policies in force" },
	{ "1.2.2", "generations.policies", NULL, "not-assessed", "not known which policies" },
	{ "1.2.2", "generations.waits", "true", "finding", "confirmed" },
	{ "1.2.2", "daemon.generation", "\"cc\"", "finding", "bulkheadd enforces" },
	{ "1.2.3", "endpoints.2.state", "\"unreachable\"", "finding", "cannot be looked at" },
	{ "1.2.3", "endpoints.0.state", "\"peer\"", "not-assessed", "not on this host" },
	{ "1.2.3", "endpoints", "[]", "not-assessed", "no endpoint" },
	{ "1.2.4", "flows", "[]", "not-assessed", "no flow" },
	{ "1.2.8", "policies.paths.0", "{\"path\": \"p\", \"safe\": false, \"why\": \"others\"}",
	  "finding", "p: others" },
	{ "1.2.8", "endpoints.0.state", "\"drift\"", "finding", "not protected but drift" },
	{ "1.2.8", "verify.findings",
	  "[{\"finding\": \"foreign-rewrites\", \"text\": \"a chain\"}]", "finding", "a chain" },
	{ "1.3.1", "verify.findings", "[{\"finding\": \"neighbour-unheld\", \"text\": \"web\"}]",
	  "finding", "verify: web" },
	{ "1.4.2", "verify.findings", "[{\"finding\": \"device-unhooked\", \"text\": \"eth1\"}]",
	  "finding", "verify: eth1" },
	{ "1.4.3", "verify.findings", "[{\"finding\": \"raw-sockets\", \"text\": \"pos\"}]",
	  "finding", "verify: pos" },
	{ "1.4.3", "verify.findings", "[{\"finding\": \"net-admin\", \"text\": \"pos\"}]",
	  "finding", "verify: pos" },
	{ "1.4.3", "verify.findings", "[{\"finding\": \"shared\", \"text\": \"pos\"}]", "met",
	  "false source" },
	{ "10.2", "verify.findings", "[{\"finding\": \"own-stack\", \"text\": \"pos\"}]", "finding",
	  "verify: pos" },
	{ "1.2.3", "verify.findings", "[{\"finding\": \"unlisted-namespace\", \"text\": \"one\"}]",
	  "finding", "verify: one" },
	/* of a newer version: it may be anything */
	{ "1.3.2", "verify.findings", "[{\"finding\": \"new\", \"text\": \"who knows\"}]",
	  "finding", "who knows" },
	{ "1.4.4", "verify.unknown", "[{\"finding\": \"vanished\", \"text\": \"it went\"}]",
	  "not-assessed", "verify: it went" },
	{ "1.3.1", "verify", NULL, "not-assessed", "bulkhead verify: not there" },
	{ "1.2.8", "verify", "{\"state\": \"unreadable\", \"why\": \"no\"}", "not-assessed",
	  "verify: no" },
	{ "1.2.8", "verify.unknown", "[{\"finding\": \"vanished\", \"text\": \"it went\"}]",
	  "not-assessed", "verify: it went" },
	{ "1.2.8", "verify", NULL, "not-assessed", "bulkhead verify: not there" },
	{ "1.2.5", "flows.0.reason", NULL, "finding", "no reason" },
	{ "1.2.5", "flows.0.owner", NULL, "finding", "no owner" },
	{ "1.2.5", "flows.2.ticket", NULL, "finding", "no ticket" },
	{ "1.2.5", "flows", "[]", "not-assessed", "no flow" },
	{ "1.2.6", "flows.1.note", NULL, "finding", "PostgreSQL without TLS" },
	{ "1.2.7", "flows.0.reviewed", NULL, "finding", "never reviewed" },
	{ "1.2.7", "flows.0.reviewed", "\"2026-03-01\"", "finding", "due since" },
	{ "1.2.7", "flows.0.reviewed", "\"2027-03-01\"", "finding", "in the future" },
	{ "1.2.7", "rules.unused",
	  "[{\"rule\": \"old\", \"service\": \"pos\", \"where\": \"p.yaml:40\"}]", "finding",
	  "nothing has hit the rule old of pos" },
	{ "1.2.7", "rules.unused",
	  "[{\"rule\": \"old\", \"service\": \"pos\", \"where\": \"p.yaml:40\", \"tests\": 4}]",
	  "finding", "nothing but segmentation tests has hit the rule old of pos" },
	{ "1.2.7", "rules.young", "2", "not-assessed", "2 rules" },
	{ "1.2.7", "rules", "{\"state\": \"absent\", \"why\": \"none\"}", "not-assessed", "none" },
	{ "1.2.7", "rules.tested", "2", "not-assessed", "2 rules were hit last while" },
	{ "1.2.7", "rules.n", "0", "not-assessed", "no rule whose hits" },
	{ "1.3.1", "flows.0.broad", "true", "finding", "names no ports" },
	{ "1.3.1", "services.0.mode", "\"audit\"", "finding", "mode audit" },
	{ "1.3.1", "endpoints.1.state", "\"weak\"", "finding", "weak" },
	{ "1.3.1", "services.0.endpoints", "0", "not-assessed", "no endpoint of ledger runs" },
	{ "1.3.2", "services.1.endpoints", "0", "not-assessed", "no endpoint of pos runs" },
	{ "1.3.1", "enforcement.compared", "\"2026-11-26T17:54:59.000Z\"", "not-assessed",
	  "at 2026-11-26T17:54:59.000Z, more than 300 s before" },
	{ "1.3.1", "enforcement.compared", "\"2026-11-26T17:55:00.000Z\"", "met",
	  "compared all endpoints with the policies at 2026-11-26T17:55:00.000Z" },
	{ "1.2.8", "enforcement.compared", "\"2026-11-26T18:02:00.000Z\"", "not-assessed",
	  "still to come" },
	{ "1.4.3", "enforcement.compared", NULL, "not-assessed", "is not known" },
	{ "10.7", "enforcement.compared", "\"2026-11-26T17:00:00.000Z\"", "finding",
	  "bulkheadd: all endpoints were last compared" },
	{ "1.3.1", "enforcement", "{\"state\": \"unreadable\", \"why\": \"no root\"}",
	  "not-assessed", "no root" },
	{ "1.3.1", "daemon.trouble", "\"docker is gone\"", "not-assessed", "docker is gone" },
	{ "1.2.3", "daemon.trouble", "\"docker is gone\"", "not-assessed", "docker is gone" },
	{ "1.3.1", "kernel", "{\"finding\": true, \"why\": \"no hooks\"}", "finding",
	  "this kernel: no hooks" },
	{ "1.3.2", "flows.2.broad", "true", "finding", "names no ports" },
	{ "1.3.2", "flows.2.everybody", "true", "finding", "everybody" },
	{ "1.4.2", "flows.0",
	  "{\"way\": \"inbound\", \"from\": \"world\", \"to\": \"pos\", \"ports\": \"any\", "
	  "\"untrusted\": true, \"broad\": true, \"reason\": \"x\"}",
	  "finding", "untrusted network and names no ports" },
	{ "1.4.2", "flows.0",
	  "{\"way\": \"inbound\", \"from\": \"world\", \"to\": \"pos\", \"ports\": \"443/tcp\", "
	  "\"untrusted\": true}",
	  "finding", "no reason says" },
	{ "1.4.3", "endpoints.0.state", "\"weak\"", "finding", "weak" },
	{ "1.4.4", "flows.1",
	  "{\"way\": \"inbound\", \"from\": \"world\", \"to\": \"ledger\", \"ports\": "
	  "\"5432/tcp\", "
	  "\"untrusted\": true, \"to_store\": true}",
	  "finding", "to a store" },
	{ "1.4.4", "endpoints.0.finding", "true", "finding", "ledger" },
	{ "10.2", "denied.adds_up", "false", "finding", "altered" },
	{ "10.2", "denied.kept.lost_records", "4", "finding", "4 records" },
	{ "10.2", "trail.entries", "0", "not-assessed", "no entry" },
	{ "10.3", "trail.entries", "0", "not-assessed", "no entry" },
	{ "10.2", "trail.n_findings", "2", "finding", "is not whole, 2 findings" },
	{ "10.7", "trail.n_findings", "2", "finding", "is not whole, 2 findings" },
	{ "10.2", "trail.runs.earlier", "\"2026-11-01T00:00:00.000Z\"", "finding",
	  "knows of a run that was seen last at 2026-11-01T00:00:00.000Z" },
	{ "10.3", "trail.runs.earlier", "\"2026-11-01T00:00:00.000Z\"", "finding",
	  "the trail before was removed" },
	{ "10.7", "trail.runs.earlier", "\"2026-11-01T00:00:00.000Z\"", "finding",
	  "the trail before was removed" },
	{ "10.3", "trail.runs.mark", "\"2026-08-31T23:59:57.000Z\"", "finding",
	  "ready at 2026-08" },
	{ "10.3", "trail.runs.mark", "\"2026-08-31T23:59:59.000Z\"", "met", "" },
	{ "10.2", "generations.oldest", "\"2026-08-31T23:00:00.000Z\"", "finding",
	  "a generation was kept at" },
	{ "10.3", "generations.oldest", "\"2026-08-31T23:56:00.000Z\"", "met", "" },
	{ "10.7", "denied.kept.begun", "\"2026-08-31T23:00:00.000Z\"", "finding",
	  "the history of denied flows has begun at 2026-08-31" },
	{ "10.2", "denied.kept.begun", "\"1970-01-01T00:00:00.000Z\"", "not-assessed",
	  "has not begun" },
	{ "10.2", "denied.kept.begun", NULL, "not-assessed", "has not begun" },
	{ "10.2", "denied.kept.begun", "\"2026-11-02T00:00:00.000Z\"", "finding",
	  "what was denied before was removed, or never recorded" },
	{ "10.2", "denied.kept.begun", "\"2026-11-01T00:04:00.000Z\"", "met", "" },
	{ "10.2", "denied.from_the_future", "true", "finding", "clock was set back" },
	{ "10.2", "denied", "{\"state\": \"unreadable\", \"why\": \"damaged\"}", "not-assessed",
	  "damaged" },
	{ "10.2", "services.0.log_denied", "false", "finding", "keeps no records" },
	{ "10.2", "trail.backwards", "[{\"seq\": 3, \"when\": \"a\", \"before\": \"b\"}]",
	  "finding", "clock was set back" },
	{ "10.2", "trail.backwards", "[{\"when\": \"now\", \"before\": \"b\"}]", "finding",
	  "the newest entry of the trail is of b, which is still to come" },
	{ "10.3", "trail.findings", "[\"changed: entry 2\"]", "finding", "changed: entry 2" },
	{ "10.3", "trail.safe", "false", "finding", "others than root" },
	{ "10.3", "trail", "{\"state\": \"unreadable\", \"why\": \"gone\"}", "not-assessed",
	  "gone" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:00:07.000Z\", \"seconds\": 7}]",
	  "met", "2026-11-20T10:00:00.000Z to 2026-11-20T10:00:07.000Z (7 s)" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:01:00.000Z\", \"seconds\": 60}]",
	  "met", "(1 min 0 s)" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T13:05:00.000Z\", \"seconds\": 11100}]",
	  "finding",
	  "bulkheadd was ended, and none ran from 2026-11-20T10:00:00.000Z to "
	  "2026-11-20T13:05:00.000Z (3 h 5 min)" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": "
	  "\"2026-11-20T10:00:00.000Z\"}]",
	  "finding", "to now (6 d 8 h)" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T09:00:00.000Z\", \"seconds\": -1}]",
	  "finding", "how long is not known" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"lost\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:00:01.000Z\", \"seconds\": 1}]",
	  "finding", "ended without a word" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"failed\", \"from\": "
	  "\"2026-11-20T10:00:00.000Z\", \"to\": \"2026-11-20T10:00:01.000Z\", \"seconds\": 1}]",
	  "finding", "by a failure" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"unknown\", \"from\": "
	  "\"2026-11-20T10:00:00.000Z\", \"to\": \"2026-11-20T11:00:00.000Z\", \"seconds\": 3600}]",
	  "not-assessed", "an older version wrote no stop" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"logger\", \"kind\": \"deaf\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:00:30.000Z\", \"seconds\": 30, \"why\": \"the logger does not "
	  "run\"}]",
	  "finding", "(30 s): the logger does not run" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:05:00.000Z\", \"seconds\": 300, \"booted\": "
	  "\"2026-11-20T10:04:30.000Z\"}]",
	  "met", "the machine was started anew at 2026-11-20T10:04:30.000Z" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T10:05:00.000Z\", \"seconds\": 300, \"booted\": "
	  "\"2026-11-20T10:02:00.000Z\"}]",
	  "finding", "(5 min 0 s); the machine was started anew" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"ended\", \"from\": \"2026-11-20T10:00:00.000Z\", "
	  "\"to\": \"2026-11-20T12:00:30.000Z\", \"seconds\": 7230, \"booted\": "
	  "\"2026-11-20T12:00:00.000Z\"}]",
	  "not-assessed", "how long the machine ran before that is not known" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"unmarked\", \"from\": "
	  "\"2026-11-20T10:00:00.000Z\", \"to\": \"2026-11-20T11:00:00.000Z\", \"seconds\": 3600}]",
	  "finding", "kept a mark, and that was removed" },
	{ "10.7", "trail.runs.gaps",
	  "[{\"what\": \"bulkheadd\", \"kind\": \"stalled\", \"from\": "
	  "\"2026-11-20T10:00:00.000Z\", \"to\": \"2026-11-20T10:01:30.000Z\", \"seconds\": 90}]",
	  "finding", "was there and stood still from 2026-11-20T10:00:00.000Z" },
	{ "10.7", "trail.runs.more", "3", "finding", "bulkheadd or its logger: 3" },
	{ "10.7", "trail.runs", "{\"gaps\": []}", "not-assessed", "has no start of it" },
	{ "10.7", "trail", "{\"state\": \"unreadable\", \"why\": \"gone\"}", "not-assessed",
	  "when bulkheadd ran: gone" },
	{ "10.7", "trail.last", "3", "met", "there was no time without bulkheadd" },
	{ "10.7", "daemon", "{\"state\": \"absent\"}", "finding", "no bulkheadd answers" },
	{ "10.7", "daemon", "{\"state\": \"not-asked\", \"why\": \"own\"}", "not-assessed", "own" },
	{ "10.7", "daemon.logger", "\"down\"", "finding", "logger does not run" },
	{ "10.7", "daemon.finding", "true", "finding", "bulkheadd:" },
	{ "11.4.5", "probe.findings", "[\"a to b\"]", "finding", "a to b" },
	{ "11.4.5", "probe.unknown", "[\"vanished\"]", "not-assessed", "vanished" },
	{ "11.4.5", "probe.when", "\"2025-11-01T00:00:00Z\"", "finding", "older than 365" },
	{ "11.4.5", "probe.when", "\"2026-12-01T00:00:00Z\"", "finding", "still to come" },
	{ "11.4.5", "probe.when", NULL, "not-assessed", "no date" },
	{ "11.4.5", "probe.policies", "\"cc\"", "finding", "other policies" },
	{ "11.4.5", "probe.policies", NULL, "not-assessed", "of which policies" },
	{ "11.4.5", "probe.questions", "0", "not-assessed", "nothing that touches" },
	{ "11.4.5", "probe", "{\"state\": \"absent\", \"why\": \"none given\"}", "not-assessed",
	  "none given" },
	{ "11.4.6", "probe.when", "\"2026-05-01T00:00:00Z\"", "finding", "older than 183" },
};

static void test_each_red(void **state)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		json_t *r = facts();
		bh_autofree char *text = NULL;

		put(r, cases[i].path, cases[i].value);
		assert_int_equal(report_judge(r, NULL), 0);
		text = json_dumps(requirement(r, cases[i].id), 0);
		if (strcmp(verdict(r, cases[i].id), cases[i].verdict) != 0 ||
		    !strstr(text, cases[i].says))
			fail_msg("%s with %s: %s", cases[i].id, cases[i].path, text);
		json_decref(r);
	}
}

/* Every requirement has been red once. */
static void test_all_can_be_red(void **state)
{
	json_t *r = facts(), *q;
	size_t i, k;

	assert_int_equal(report_judge(r, NULL), 0);
	json_array_foreach (json_object_get(r, "requirements"), i, q) {
		const char *id = json_string_value(json_object_get(q, "id"));

		for (k = 0; k < BH_ARRAY_SIZE(cases); k++)
			if (strcmp(cases[k].id, id) == 0)
				break;
		if (k == BH_ARRAY_SIZE(cases))
			fail_msg("no case of %s", id);
	}
	json_decref(r);
}

/* A scope without services, and a report of nothing at all: nothing is met. */
static void test_nothing(void **state)
{
	json_t *r = facts(), *q;
	size_t i;

	put(r, "services", "[]");
	assert_int_equal(report_judge(r, NULL), 0);
	json_array_foreach (json_object_get(r, "requirements"), i, q)
		assert_string_not_equal(json_string_value(json_object_get(q, "verdict")), "met");
	assert_non_null(strstr(json_string_value(json_array_get(
				       json_object_get(requirement(r, "1.3.1"), "unknown"), 0)),
			       "scope cde is empty"));
	json_decref(r);

	r = json_pack("{s:[]}", "services");
	assert_int_equal(report_judge(r, NULL), 0);
	json_array_foreach (json_object_get(r, "requirements"), i, q)
		assert_string_not_equal(json_string_value(json_object_get(q, "verdict")), "met");
	json_decref(r);
}

/* What is too much is counted, and a flow of name resolution cannot say when it was looked at. */
static void test_limits(void **state)
{
	json_t *r = facts(), *flow;
	bh_autofree char *text = NULL;

	put(r, "flows.0.reason", NULL);
	put(r, "flows.0.reviewed", NULL);
	put(r, "flows.0.dns", "true");
	flow = json_array_get(json_object_get(r, "flows"), 0);
	for (int i = 0; i < BH_REPORT_FINDINGS_MAX + 6; i++)
		json_array_append(json_object_get(r, "flows"), flow);
	assert_int_equal(report_judge(r, NULL), 0);
	assert_string_equal(verdict(r, "1.2.7"), "met");
	text = json_dumps(requirement(r, "1.2.5"), 0);
	assert_non_null(strstr(text, "and 7 more"));
	json_decref(r);
}

/* Many of one kind take no room of another's. */
static void test_limits_of_kinds(void **state)
{
	json_t *r = facts(), *found = json_array();
	bh_autofree char *text = NULL;

	for (int i = 0; i < 5 * BH_REPORT_FINDINGS_MAX; i++)
		json_array_append_new(
			found, json_pack("{s:s, s:s}", "finding", "unowned", "text", "a table"));
	json_array_append_new(
		found, json_pack("{s:s, s:s}", "finding", "privileged", "text", "pos may all"));
	json_object_set_new(json_object_get(r, "verify"), "findings", found);
	assert_int_equal(report_judge(r, NULL), 0);
	text = json_dumps(requirement(r, "1.2.8"), 0);
	assert_non_null(strstr(text, "verify: pos may all"));
	assert_non_null(strstr(text, "and 800 more"));
	assert_string_equal(verdict(r, "1.3.1"), "finding");
	json_decref(r);
}

/* Of everything there is one: no word behind it is of many. */
static void test_one(void **state)
{
	static const char *const ones[][2] = {
		{ "policies.warnings", "1" },
		{ "trail.n_findings", "1" },
		{ "trail.entries", "1" },
		{ "verify.checked", "1" },
		{ "rules.n", "1" },
		{ "rules.young", "1" },
		{ "rules.tested", "1" },
		{ "days", "1" },
		{ "scope.review_days", "1" },
		{ "denied.kept.lost_records", "1" },
		{ "denied.packets", "1" },
		{ "denied.left_out", "1" },
		{ "denied.unclear", "[{}]" },
		{ "daemon.namespaces", "1" },
		{ "daemon.repairs", "1" },
		{ "probe.total", "1" },
		{ "probe.questions", "1" },
		{ "trail.runs.more", "1" },
		{ "flows.0.reviewed", "\"2026-11-24\"" },
	};
	json_t *r = facts();
	bh_autofree char *text = NULL;
	struct bh_buf page;
	regmatch_t m;
	regex_t re;

	for (size_t i = 0; i < BH_ARRAY_SIZE(ones); i++)
		put(r, ones[i][0], ones[i][1]);
	json_array_remove(json_object_get(r, "endpoints"), 2);
	json_array_remove(json_object_get(r, "endpoints"), 1);
	json_array_remove(json_object_get(r, "services"), 1);
	json_array_remove(json_object_get(r, "flows"), 2);
	json_array_remove(json_object_get(r, "flows"), 1);
	assert_int_equal(report_judge(r, NULL), 0);
	put(r, "map",
	    "{\"boxes\": [], \"nodes\": [{\"kind\": \"service\", \"name\": \"pos\"}], "
	    "\"edges\": [{\"from\": 0, \"to\": 0, \"state\": \"allowed\", \"ports\": "
	    "\"1/tcp\", \"n_ports\": 1}]}");
	put(r, "denied.timeline", "[0, 1]");
	written(r, REPORT_HTML, NULL, &page);
	text = strdup(bh_buf_str(&page));
	bh_buf_done(&page);
	assert_non_null(text);
	assert_int_equal(
		regcomp(&re,
			"[^-0-9.:]1(</b>)? ?([a-z]+ )?(things|findings|endpoints|records|rules|"
			"days|namespaces|flows|services|packets|entries|connections|"
			"tables|policy files|lines|ends|parts)[^a-z]",
			REG_EXTENDED),
		0);
	if (regexec(&re, text, 1, &m, 0) == 0)
		fail_msg("%.60s", text + m.rm_so);
	assert_non_null(strstr(text, "of 1 rule of the scope"));
	regfree(&re);
	json_decref(r);
}

static json_t *judged(const char *path, const char *value)
{
	json_t *r = facts();

	if (path)
		put(r, path, value);
	assert_int_equal(report_judge(r, NULL), 0);
	return r;
}

static void test_compare(void **state)
{
	json_t *before = judged("flows.0.ports", "\"8080/tcp\""), *now = judged(NULL, NULL);
	json_t *third = judged("daemon.logger", "\"down\""), *other = judged("scope.name", "\"x\"");
	bh_autofree char *text = NULL, *red = NULL;

	assert_int_equal(report_compare(now, before, NULL), 0);
	text = json_dumps(json_object_get(now, "compared"), 0);
	assert_non_null(strstr(text, "web to pos on 8443/tcp (inbound)"));
	assert_non_null(strstr(text, "web to pos on 8080/tcp (inbound)"));
	assert_null(strstr(text, "Verdicts"));
	assert_int_equal(report_compare(third, before, NULL), 0);
	red = json_dumps(json_object_get(third, "compared"), 0);
	assert_non_null(strstr(red, "10.7: met, then finding"));
	assert_non_null(strstr(red, "Findings that are new"));
	assert_int_equal(report_compare(now, other, NULL), -EINVAL);
	json_decref(before);
	json_decref(now);
	json_decref(third);
	json_decref(other);
}

/* The same flow, and another reason, owner or ticket; still not assessed, and for another reason. */
static void test_compare_said(void **state)
{
	static const char *const lines[] = {
		"web to pos on 8443/tcp (inbound): reason: checkout, then sales",
		"web to pos on 8443/tcp (inbound): owner: pay, then none",
		"pos to ledger on 5432/tcp (inside): ticket: CHG-2, then CHG-2; CHG-9",
		"11.4.5: no segmentation test: none given",
		"11.4.5: no segmentation test: broken off",
	};
	json_t *before = judged("probe", "{\"state\": \"absent\", \"why\": \"none given\"}");
	json_t *now = facts(),
	       *again = judged("probe", "{\"state\": \"absent\", \"why\": \"none given\"}");
	json_t *flow;
	bh_autofree char *text = NULL, *same = NULL;

	put(now, "probe", "{\"state\": \"absent\", \"why\": \"broken off\"}");
	put(now, "flows.0.reason", "\"sales\"");
	put(now, "flows.0.owner", NULL);
	flow = json_deep_copy(json_array_get(json_object_get(now, "flows"), 1));
	json_object_set_new(flow, "ticket", json_string("CHG-9"));
	json_array_append_new(json_object_get(now, "flows"), flow);
	assert_int_equal(report_judge(now, NULL), 0);
	assert_int_equal(report_compare(now, before, NULL), 0);
	text = json_dumps(json_object_get(now, "compared"), 0);
	for (size_t i = 0; i < BH_ARRAY_SIZE(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("not told: %s in %s", lines[i], text);
	assert_null(strstr(text, "closed now"));
	assert_int_equal(report_compare(again, before, NULL), 0);
	same = json_dumps(json_object_get(again, "compared"), 0);
	assert_non_null(strstr(same, "\"parts\": []"));
	json_decref(before);
	json_decref(now);
	json_decref(again);
}

/* What nobody looked at again is not gone. */
static void test_compare_unknown(void **state)
{
	json_t *before = judged("probe.findings", "[\"web to pos came in\"]");
	json_t *now = judged("probe", "{\"state\": \"absent\", \"why\": \"none given\"}");
	json_t *blind = judged("denied", "{\"state\": \"unreadable\", \"why\": \"damaged\"}");
	bh_autofree char *text = NULL, *unread = NULL;

	assert_int_equal(report_compare(now, before, NULL), 0);
	text = json_dumps(json_object_get(now, "compared"), 0);
	assert_null(strstr(text, "Findings that are gone"));
	assert_non_null(strstr(text, "11.4.5: web to pos came in"));
	assert_non_null(strstr(text, "not looked at again"));
	assert_int_equal(report_compare(blind, before, NULL), 0);
	unread = json_dumps(json_object_get(blind, "compared"), 0);
	assert_null(strstr(unread, "there no more"));
	json_decref(before);
	json_decref(now);
	json_decref(blind);
}

static void test_compare_future(void **state)
{
	json_t *before = judged("generated", "\"2027-01-01T00:00:00Z\""), *now = judged(NULL, NULL);
	bh_autofree char *text = NULL;

	assert_int_equal(report_compare(now, before, NULL), 0);
	text = json_dumps(json_object_get(now, "compared"), 0);
	assert_non_null(strstr(text, "clock was set back"));
	json_decref(before);
	json_decref(now);
}

/* Everything that is wrong, a month and an hour later: the same matters, and none is new or gone. */
static json_t *late(const char *when, int line)
{
	json_t *r = facts(), *f;
	char where[32];
	size_t i;

	snprintf(where, sizeof(where), "p.yaml:%d", line);
	put(r, "flows.0.reviewed", "\"2026-03-01\"");
	put(r, "flows.1.note", NULL);
	put(r, "flows.2.ticket", NULL);
	put(r, "flows.2.broad", "true");
	put(r, "rules.unused", "[{\"rule\": \"old\", \"service\": \"pos\"}]");
	put(r, "days", line > 1 ? "90" : "30");
	put(r, "rules.young", line > 1 ? "2" : "1");
	put(r, "verify.findings",
	    line > 1 ? "[{\"finding\": \"drift\", \"name\": \"pos\", "
		       "\"text\": \"pos: 3 rules (drift)\"}]"
		     : "[{\"finding\": \"drift\", \"name\": \"pos\", "
		       "\"text\": \"pos: 1 rule (drift)\"}]");
	put(r, "trail.runs.gaps",
	    "[{\"what\": \"bulkheadd\", \"kind\": \"lost\", \"from\": "
	    "\"2026-11-20T10:00:00.000Z\"}]");
	put(r, "denied.unclear",
	    line > 1 ? "[{\"service\": \"ledger\", \"direction\": \"ingress\", "
		       "\"peer\": \"web\", \"port\": \"22/tcp\"}]"
		     : "[]");
	json_object_set_new(r, "generated", json_string(when));
	json_object_set_new(json_object_get(r, "enforcement"), "compared",
			    json_string("2026-11-01T00:00:00Z"));
	json_array_foreach (json_object_get(r, "flows"), i, f)
		json_object_set_new(f, "where", json_string(where));
	assert_int_equal(report_judge(r, NULL), 0);
	return r;
}

static const json_t *part(const json_t *r, const char *title)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(json_object_get(r, "compared"), "parts"), i, p)
		if (strcmp(json_string_value(json_object_get(p, "title")), title) == 0)
			return json_object_get(p, "lines");
	return NULL;
}

static void test_compare_changed(void **state)
{
	static const char *const none[] = {
		"Findings that are new",
		"Findings that are gone",
		"Findings that were not looked at again, or not in full",
		"Not assessed now, because",
		"Not assessed then, because",
		"Verdicts"
	};
	json_t *before = late("2026-11-26T18:00:00.000Z", 1),
	       *now = late("2026-12-26T19:00:00.000Z", 20), *q;
	bh_autofree char *text = NULL;
	size_t i;

	assert_int_equal(report_compare(now, before, NULL), 0);
	text = json_dumps(json_object_get(now, "compared"), 0);
	for (i = 0; i < BH_ARRAY_SIZE(none); i++)
		if (part(now, none[i]))
			fail_msg("%s: %s", none[i], text);
	assert_true(json_array_size(part(now, "Findings of which something else is said now")) > 6);
	assert_true(json_array_size(
			    part(now, "Not assessed as before, and something else is said")) > 0);
	assert_non_null(strstr(text, "1.2.8: verify: pos: 3 rules (drift); before: 1.2.8: verify: "
				     "pos: 1 rule (drift)"));
	assert_non_null(strstr(text, "the other report is of 30 days, and this one of 90"));
	assert_non_null(strstr(text, "ledger ingress web on 22/tcp"));
	/* a report of an earlier version has no keys: what it said word by word is still the same */
	json_array_foreach (json_object_get(before, "requirements"), i, q)
		json_object_del(q, "keys");
	json_decref(now);
	now = late("2026-11-26T18:00:00.000Z", 1);
	assert_int_equal(report_compare(now, before, NULL), 0);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(now, "compared"), "parts")), 0);
	json_decref(before);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_met),
		cmocka_unit_test(test_each_red),
		cmocka_unit_test(test_all_can_be_red),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_of_kinds),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_compare_future),
		cmocka_unit_test(test_compare_unknown),
		cmocka_unit_test(test_compare_said),
		cmocka_unit_test(test_compare_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
