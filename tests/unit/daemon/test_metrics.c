/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "../../../src/daemon/metrics.h"

/* The text as it goes out; free() it. */
static char *text_of(const struct metrics *m)
{
	struct bh_buf out;

	bh_buf_init(&out, BH_METRICS_BYTES_MAX);
	assert_int_equal(metrics_write(m, &out), 0);
	return bh_buf_steal(&out);
}

static void assert_line(const char *text, const char *line)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (!strstr(text, whole))
		fail_msg("no line '%s' in:\n%s", line, text);
}

static size_t count_of(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *s = text; (s = strstr(s, what)); s += strlen(what))
		n++;
	return n;
}

static void fill(struct metrics *m)
{
	metrics_set_endpoints(m, STATE_PROTECTED, 500);
	metrics_set_endpoints(m, STATE_WEAK, 2);
	metrics_set_endpoints(m, STATE_PEER, 7);
	metrics_set_generation(m, "42-9f86d081");
	metrics_set_namespaces_held(m, 502);
	metrics_set_refused(m, true);
	metrics_observe_apply(m, 800);
	metrics_observe_apply(m, 7000);
	metrics_observe_apply(m, 90000000);
	metrics_observe_reconcile(m, 1234567);
	metrics_add_repairs(m, 3);
	metrics_add_failed_applies(m, 1);
	metrics_set_logger(m, &(struct metrics_logger) { true, 2, 90, 12, 3, 4 });
	metrics_add_reload(m, METRICS_RELOAD_APPLIED);
	metrics_add_reload(m, METRICS_RELOAD_APPLIED);
	metrics_add_reload(m, METRICS_RELOAD_REFUSED);
	metrics_add_denied(m, "web", DIRECTION_EGRESS, 5);
	metrics_add_denied(m, "ledger", DIRECTION_INGRESS, UINT64_C(1) << 40);
	metrics_add_denied(m, "web", DIRECTION_EGRESS, 2);
	metrics_add_denied(m, NULL, DIRECTION_INGRESS, 1);
}

/* Version apart: that is the build's. */
static void test_golden(void **state)
{
	struct metrics *m = metrics_new();
	char *expect, *text;
	size_t len;

	fill(m);
	text = text_of(m);
	assert_int_equal(bh_read_file("tests/golden/metrics.prom", 1 << 20, &expect, &len), 0);
	assert_non_null(strstr(text, "{version=\"" BULKHEAD_VERSION "\"}"));
	assert_string_equal(strstr(text, "# HELP bulkhead_generation_info"),
			    strstr(expect, "# HELP bulkhead_generation_info"));
	free(expect);
	free(text);
	metrics_free(m);
}

/* A new daemon: every series that is known before is there at zero. */
static void test_empty(void **state)
{
	struct metrics *m = metrics_new();
	char *text = text_of(m);

	assert_null(strstr(text, "generation_info"));
	assert_line(text, "bulkhead_endpoints{state=\"protected\"} 0");
	assert_line(text, "bulkhead_policies_refused 0");
	assert_line(text, "bulkhead_apply_seconds_sum 0.000000");
	assert_line(text, "bulkhead_reloads_total{outcome=\"failed\"} 0");
	assert_line(text,
		    "bulkhead_denied_packets_total{service=\"_none\",direction=\"egress\"} 0");
	assert_int_equal(count_of(text, "bulkhead_endpoints{"), ENDPOINT_STATES);
	free(text);
	metrics_free(m);
	metrics_free(NULL);
}

/* A bound belongs to its bucket, and buckets hold all that is smaller. */
static void test_histogram(void **state)
{
	struct metrics *m = metrics_new();
	char *text;

	metrics_observe_reconcile(m, 0);
	metrics_observe_reconcile(m, 1000);
	metrics_observe_reconcile(m, 1001);
	metrics_observe_reconcile(m, 30000000);
	metrics_observe_reconcile(m, 30000001);
	text = text_of(m);
	assert_line(text, "bulkhead_reconcile_seconds_bucket{le=\"0.001\"} 2");
	assert_line(text, "bulkhead_reconcile_seconds_bucket{le=\"0.0025\"} 3");
	assert_line(text, "bulkhead_reconcile_seconds_bucket{le=\"10\"} 3");
	assert_line(text, "bulkhead_reconcile_seconds_bucket{le=\"30\"} 4");
	assert_line(text, "bulkhead_reconcile_seconds_bucket{le=\"+Inf\"} 5");
	assert_line(text, "bulkhead_reconcile_seconds_sum 60.002002");
	assert_line(text, "bulkhead_reconcile_seconds_count 5");
	assert_line(text, "bulkhead_apply_seconds_count 0");
	free(text);
	metrics_free(m);
}

/* What a label holds can neither end it nor begin a line, and stays UTF-8. */
static void test_escapes(void **state)
{
	struct metrics *m = metrics_new();
	char *text;

	metrics_add_denied(m, "a\"b\\c\nd\xff", DIRECTION_EGRESS, 1);
	metrics_add_denied(m, "\"} 1\nevil 1\n#", DIRECTION_EGRESS, 1);
	metrics_add_denied(m, "gr\xc3\xbc\xc3\x9f", DIRECTION_EGRESS, 1);
	metrics_set_generation(m, "x\"\ny");
	text = text_of(m);
	assert_line(text,
		    "bulkhead_denied_packets_total{service=\"a\\\"b\\\\\\\\c\\\\x0ad\\\\xff\","
		    "direction=\"egress\"} 1");
	assert_line(text, "bulkhead_denied_packets_total{service=\"gr\xc3\xbc\xc3\x9f\","
			  "direction=\"egress\"} 1");
	assert_line(text, "bulkhead_generation_info{generation=\"x\\\"\\\\x0ay\"} 1");
	assert_null(strstr(text, "\nevil"));
	free(text);
	metrics_free(m);
}

/* However many services are named, the series are bounded, fit, and no packet is left out. */
static void test_cap(void **state)
{
	struct metrics *m = metrics_new();
	char name[64], *text;

	for (unsigned i = 0; i < BH_METRICS_SERVICES_MAX + 100; i++) {
		memset(name, 'x', sizeof(name) - 1);
		name[63] = '\0';
		snprintf(name, sizeof(name), "%08u", i);
		name[8] = 'x';
		metrics_add_denied(m, name, DIRECTION_INGRESS, UINT64_MAX);
	}
	metrics_add_denied(m, "late", DIRECTION_EGRESS, 7);
	metrics_add_denied(m, "late", DIRECTION_EGRESS, 7);
	text = text_of(m);
	assert_int_equal(count_of(text, "\nbulkhead_denied_packets_total{"),
			 2 * (BH_METRICS_SERVICES_MAX + 2));
	assert_line(text,
		    "bulkhead_denied_packets_total{service=\"_other\",direction=\"egress\"} 14");
	assert_null(strstr(text, "late"));
	free(text);
	metrics_free(m);
}

/* The writer's buffer is the caller's: what does not fit is an error and no half a text. */
static void test_too_small(void **state)
{
	struct metrics *m = metrics_new();
	struct bh_buf out;

	bh_buf_init(&out, 1000);
	assert_int_equal(metrics_write(m, &out), -EFBIG);
	assert_null(bh_buf_steal(&out));
	bh_buf_done(&out);
	metrics_free(m);
}

/* Each metric that goes out has its line in the table, and each line is of one that does. */
static void test_documented(void **state)
{
	struct metrics *m = metrics_new();
	char *doc, *text, row[128];
	size_t len, n = 0;

	metrics_set_generation(m, "1");
	text = text_of(m);
	assert_int_equal(bh_read_file("docs/metrics.md", 1 << 20, &doc, &len), 0);
	for (char *s = text; (s = strstr(s, "# TYPE ")); n++) {
		char name[64], type[16];

		assert_int_equal(sscanf(s += 7, "%63s %15s", name, type), 2);
		snprintf(row, sizeof(row), "\n| `%s", name);
		s = strchr(s, '\n');
		assert_non_null(strstr(doc, row));
		snprintf(row, sizeof(row), "` | %s | ", type);
		assert_non_null(strstr(strstr(doc, name), row));
	}
	assert_int_equal(count_of(doc, "\n| `bulkhead_"), n);
	free(doc);
	free(text);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),     cmocka_unit_test(test_empty),
		cmocka_unit_test(test_histogram),  cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cap),        cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
