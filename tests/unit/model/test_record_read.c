/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/record.h>

static const struct flow_record sample = {
	.first_seen = INT64_C(1795424401204000),
	.last_seen = INT64_C(1795424402001000),
	.verdict = RECORD_AUDIT,
	.direction = DIRECTION_INGRESS,
	.packets = 7,
	.bytes = 420,
	.proto = IPPROTO_TCP,
	.source = { { AF_INET, { 10, 3, 0, 4 } }, true, 49142, "shop/api", "api", "p", "cde" },
	.destination = { { AF_INET, { 10, 3, 0, 7 } }, true, 5672, "shop/queue", "queue" },
	.has_tcp_flags = true,
	.tcp_flags = 2,
	.interface = "net1",
	.endpoint_id = "shop/api",
	.endpoint_name = "api",
	.runtime = "docker",
	.image = "registry.example/api:1",
	.netns = "/run/netns/api",
	.service = "api",
	.owner = "team-api",
	.scope = "cde",
	.has_uid = true,
	.has_gid = true,
	.uid = 33,
	.gid = UINT32_MAX,
	.process = { .pid = 77, .comm = "psql", .exe = "/usr/bin/psql" },
	.rule_kind = RECORD_GUARDRAIL,
	.logged = true,
	.rule_name = "cde-boundary",
	.rule_file = "policies/guardrails.yaml",
	.rule_line = 14,
	.reason = "one sentence",
	.near_miss = "api.out.queue",
	.other_side = "queue denies it too",
	.host = "node-1",
	.generation = "3f0c9a12b4d5e6f7",
};

static void read_back(const struct flow_record *r, struct flow_record *ret)
{
	struct bh_err err = BH_ERR_INIT;
	struct bh_buf b;

	bh_buf_init(&b, 1 << 20);
	assert_int_equal(flow_record_json(r, &b), 0);
	assert_int_equal(flow_record_read(b.data, b.len, ret, &err), 0);
	bh_buf_done(&b);
}

static void assert_round_trip(const struct flow_record *r)
{
	struct flow_record got = { 0 };

	read_back(r, &got);
	assert_memory_equal(&got, r, sizeof(got));
}

static void test_round_trip(void **state)
{
	assert_round_trip(&sample);
}

static void test_round_trip_of_icmp(void **state)
{
	static const uint16_t protos[] = { IPPROTO_ICMP, IPPROTO_ICMPV6 };
	struct flow_record r = sample;

	r.source.has_port = r.destination.has_port = r.has_tcp_flags = false;
	r.source.port = r.destination.port = r.tcp_flags = 0;
	r.has_icmp = true;
	r.icmp_type = 8;
	r.icmp_code = 3;
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++) {
		r.proto = protos[i];
		assert_round_trip(&r);
	}
	r.has_icmp = false;
	r.icmp_type = r.icmp_code = 0;
	r.proto = 47;
	assert_round_trip(&r);
}

static void test_round_trip_of_frames(void **state)
{
	struct flow_record r = sample;

	r.rule_kind = RECORD_RAW_SOCKET;
	r.has_frame = true;
	memcpy(r.frame_source, "\x02\x42\xac\x11\x00\x02", 6);
	memcpy(r.frame_destination, "\xff\xff\xff\xff\xff\xff", 6);
	r.frame_type = 0x0806;
	assert_round_trip(&r);
	r.source = r.destination = (struct record_end) { 0 };
	r.proto = 0;
	assert_round_trip(&r);
}

static void test_round_trip_of_aggregated(void **state)
{
	struct flow_record r = sample;

	r.aggregated = true;
	r.proto = 0;
	r.source = r.destination = (struct record_end) { 0 };
	assert_round_trip(&r);
	r.flows = 9;
	r.n_samples = 2;
	r.samples[0] = (struct record_sample) { { AF_INET, { 10, 0, 0, 1 } }, IPPROTO_UDP, 53 };
	r.samples[1] = (struct record_sample) { { AF_INET6, { 0xfd, 1 } }, IPPROTO_ICMPV6, 0 };
	assert_round_trip(&r);
}

/* Of why a process is not known only that it is not. */
static void test_process_unknown(void **state)
{
	struct flow_record r = sample, got = { 0 };

	r.process = (struct record_process) { .unknown = "it had ended" };
	read_back(&r, &got);
	assert_non_null(got.process.unknown);
	assert_int_equal(got.process.pid, 0);
}

/* Whatever bytes a container chose: its records are read, as one that can be written and read again. */
static void test_hostile_texts(void **state)
{
	static const char *const texts[] = { "\xff", "\xe2\x82\xac", "\x1b", "\xe2\x80\xae",
					     "a\xc3\xa9" };
	struct flow_record r, got, again;

	for (size_t i = 0; i < BH_ARRAY_SIZE(texts); i++) {
		const char *t = texts[i];

		r = sample;
		for (size_t k = 0; k + strlen(t) < RECORD_STR; k += strlen(t)) {
			memcpy(r.process.exe + k, t, strlen(t) + 1);
			memcpy(r.endpoint_id + k, t, strlen(t) + 1);
			memcpy(r.source.name + k, t, strlen(t) + 1);
		}
		for (size_t k = 0; k + strlen(t) < sizeof(r.process.comm); k += strlen(t))
			memcpy(r.process.comm + k, t, strlen(t) + 1);
		read_back(&r, &got);
		read_back(&got, &again);
		assert_memory_equal(&got, &again, sizeof(got));
	}
}

/* The line of SAMPLE with one piece of it exchanged. */
static int read_with(const char *piece, const char *instead, struct bh_err *err)
{
	struct flow_record got = { .packets = 12345 };
	struct bh_buf b, out;
	const char *at;
	int r;

	bh_buf_init(&b, 1 << 20);
	bh_buf_init(&out, 1 << 20);
	assert_int_equal(flow_record_json(&sample, &b), 0);
	at = strstr(b.data, piece);
	assert_non_null(at);
	bh_buf_add(&out, b.data, (size_t)(at - b.data));
	bh_buf_addstr(&out, instead);
	bh_buf_addstr(&out, at + strlen(piece));
	r = flow_record_read(out.data, out.len, &got, err);
	if (r < 0)
		assert_int_equal(got.packets, 12345);
	bh_buf_done(&b);
	bh_buf_done(&out);
	return r;
}

static void test_refused(void **state)
{
	static const struct {
		const char *piece, *instead, *says;
	} cases[] = {
		{ "\"packets\":7", "\"packets\":-7", "\"packets\" is out of range" },
		{ "\"packets\":7", "\"packets\":7.5", "\"packets\" is no whole number" },
		{ "\"packets\":7", "\"packets\":\"7\"", "\"packets\" is no whole number" },
		{ "\"packets\":7,", "", "\"packets\" is missing" },
		{ "\"packets\":7", "\"packets\":7,\"packets\":8", "it is no JSON object" },
		{ "\"verdict\":\"audit\"", "\"verdict\":\"Audit\"", "\"verdict\" is missing" },
		{ "\"direction\":\"ingress\"", "\"direction\":1", "\"direction\" is missing" },
		{ "\"protocol\":\"tcp\"", "\"protocol\":\"256\"", "\"protocol\" is neither" },
		{ "\"protocol\":\"tcp\"", "\"protocol\":6", "\"protocol\" is missing" },
		{ "\"address\":\"10.3.0.4\"", "\"address\":\"10.3.0\"", "\"address\" is no IPv4" },
		{ "\"port\":49142", "\"port\":65536", "\"port\" is out of range" },
		{ "\"tcp_flags\":2", "\"tcp_flags\":256", "\"tcp_flags\" is out of range" },
		{ "\"tcp_flags\":2", "\"icmp\":{\"type\":8,\"code\":0}", "\"icmp\" goes with" },
		{ "\"uid\":33", "\"uid\":4294967296", "\"uid\" is out of range" },
		{ "\"interface\":\"net1\"",
		  "\"interface\":\"0123456789012345678901234567890123456789012345678901234567890\"",
		  "\"interface\" is too long" },
		{ "\"interface\":\"net1\"", "\"interface\":[]", "\"interface\" is no text" },
		{ "\"interface\":\"net1\"", "\"interface\":\"e\\u0000\"", "it is no JSON object" },
		{ "\"kind\":\"guardrail\"", "\"kind\":\"guard\"", "\"kind\" is missing" },
		{ "2026-11-23T", "2026-13-23T", "\"first_seen\" is no time" },
		{ ".204Z", ".2x4Z", "\"first_seen\" is no time" },
		{ ".204Z", "Z", "\"first_seen\" is no time" },
		{ "{\"schema\"", "[{\"schema\"", "it is no JSON object" },
		{ "bulkhead.flow/1\"", "bulkhead.flow/1\",\"aggregated\":1",
		  "\"aggregated\" is neither" },
		{ "bulkhead.flow/1\"", "bulkhead.flow/1\",\"frame\":{}", "\"frame\" is no" },
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct bh_err err = BH_ERR_INIT;

		assert_int_equal(read_with(cases[i].piece, cases[i].instead, &err), -EINVAL);
		if (strncmp(err.msg, cases[i].says, strlen(cases[i].says)) != 0)
			fail_msg("%s: %s", cases[i].instead, err.msg);
	}
}

static void test_other_schemas(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(read_with("bulkhead.flow/1", "bulkhead.signal/1", &err), -ENOMSG);
	assert_int_equal(read_with("bulkhead.flow/1", "bulkhead.flow/2", &err), -ENOMSG);
	assert_int_equal(read_with("\"schema\":\"bulkhead.flow/1\",", "", &err), -EINVAL);
}

static void test_unknown_keys(void **state)
{
	struct bh_err err = BH_ERR_INIT;

	assert_int_equal(read_with("\"packets\":7", "\"packets\":7,\"later\":{\"x\":[1]}", &err),
			 0);
}

/* Nothing is read beyond LEN, and no more than a line may have. */
static void test_bounds(void **state)
{
	struct bh_err err = BH_ERR_INIT;
	struct flow_record got;
	char *big = calloc(1, BH_RECORD_LINE_MAX + 1);

	assert_non_null(big);
	memset(big, ' ', BH_RECORD_LINE_MAX + 1);
	assert_int_equal(flow_record_read("", 0, &got, &err), -EINVAL);
	assert_int_equal(flow_record_read("{}x", 2, &got, &err), -EINVAL);
	assert_int_equal(flow_record_read("null", 4, &got, &err), -EINVAL);
	assert_int_equal(flow_record_read(big, BH_RECORD_LINE_MAX + 1, &got, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "longer than"));
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_of_icmp),
		cmocka_unit_test(test_round_trip_of_frames),
		cmocka_unit_test(test_round_trip_of_aggregated),
		cmocka_unit_test(test_process_unknown),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_other_schemas),
		cmocka_unit_test(test_unknown_keys),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
