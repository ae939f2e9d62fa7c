/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include <bulkhead/model/signal.h>

/* 2026-11-23T09:00:01.204Z */
#define SEEN INT64_C(1795424401204000)

static const struct flow_signal sample = {
	.kind = SIGNAL_PORT_SCAN,
	.when = SEEN,
	.record = {
		.first_seen = SEEN,
		.last_seen = SEEN,
		.packets = 1,
		.proto = IPPROTO_TCP,
		.source = { .addr = { AF_INET, { 10, 77, 1, 4 } } },
		.destination = { .addr = { AF_INET, { 10, 77, 1, 7 } } },
		.endpoint_id = "shop/payments",
		.host = "node-1",
	},
	.window_s = 300,
	.ports = 15,
	.peers = 2,
	.packets = 40,
	.reason = "payments tried \\x1b 15 ports",
};

static char *printed(int (*print)(const struct flow_signal *, struct bh_buf *),
		     const struct flow_signal *s)
{
	struct bh_buf b;
	char *text;

	bh_buf_init(&b, 65536);
	assert_int_equal(print(s, &b), 0);
	text = bh_buf_steal(&b);
	assert_non_null(text);
	bh_buf_done(&b);
	return text;
}

static int plain(const struct flow_signal *s, struct bh_buf *b)
{
	return flow_signal_text(s, b, false);
}

static int coloured(const struct flow_signal *s, struct bh_buf *b)
{
	return flow_signal_text(s, b, true);
}

static void json_is_one_line_with_the_record_in_it(void **state)
{
	struct flow_signal s = sample;
	char *text = printed(flow_signal_json, &s);

	assert_string_equal(
		text, "{\"schema\":\"bulkhead.signal/1\",\"time\":\"2026-11-23T09:00:01.204Z\","
		      "\"signal\":\"port-scan\",\"reason\":\"payments tried \\\\x1b 15 ports\","
		      "\"packets\":40,\"window_seconds\":300,\"ports\":15,\"peers\":2,\"record\":"
		      "{\"schema\":\"bulkhead.flow/1\",\"first_seen\":\"2026-11-23T09:00:01.204Z\","
		      "\"last_seen\":\"2026-11-23T09:00:01.204Z\",\"verdict\":\"deny\","
		      "\"direction\":\"egress\",\"packets\":1,\"bytes\":0,\"protocol\":\"tcp\","
		      "\"source\":{\"address\":\"10.77.1.4\"},\"destination\":{\"address\":"
		      "\"10.77.1.7\"},\"endpoint\":{\"id\":\"shop/payments\"},\"rule\":{\"kind\":"
		      "\"default-deny\"},\"host\":\"node-1\"}}\n");
	free(text);
}

static void json_of_the_other_kinds(void **state)
{
	struct flow_signal s = sample;
	char *text;
	json_t *o;

	for (int k = 0; k < SIGNAL_KINDS; k++) {
		s.kind = (enum signal_kind)k;
		strcpy(s.scope, "c\xff");
		text = printed(flow_signal_json, &s);
		o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(o);
		assert_string_equal(json_string_value(json_object_get(o, "signal")),
				    signal_kind_name(s.kind));
		assert_int_equal(!!json_object_get(o, "ports"), k == SIGNAL_PORT_SCAN);
		assert_int_equal(!!json_object_get(o, "into_scope"), k == SIGNAL_INTO_SCOPE);
		if (k == SIGNAL_INTO_SCOPE)
			assert_string_equal(json_string_value(json_object_get(o, "into_scope")),
					    "c\\xff");
		json_decref(o);
		free(text);
	}
}

static void text_is_one_line_and_harmless(void **state)
{
	struct flow_signal s = sample;
	char *text = printed(plain, &s);

	assert_string_equal(text,
			    "09:00:01.204 SIGNAL port-scan    payments tried \\x1b 15 ports\n");
	free(text);
	strcpy(s.reason, "\033[2J\n"); /* though it should have been escaped */
	text = printed(plain, &s);
	assert_string_equal(text, "09:00:01.204 SIGNAL port-scan    \\x1b[2J\\x0a\n");
	free(text);
	text = printed(coloured, &sample);
	assert_non_null(strstr(text, "\033[1;35mSIGNAL\033[0m port-scan"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_one_line_with_the_record_in_it),
		cmocka_unit_test(json_of_the_other_kinds),
		cmocka_unit_test(text_is_one_line_and_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
