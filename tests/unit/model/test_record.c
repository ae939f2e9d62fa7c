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
#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/record.h>

/* 2026-11-23T09:00:01.204Z */
#define SEEN INT64_C(1795424401204000)

static const struct flow_record sample = {
	.first_seen = SEEN,
	.last_seen = SEEN,
	.verdict = RECORD_DENY,
	.direction = DIRECTION_EGRESS,
	.packets = 1,
	.bytes = 60,
	.proto = IPPROTO_TCP,
	.source = { { AF_INET, { 10, 77, 1, 4 } }, true, 49142, "shop/payments", "payments" },
	.destination = { { AF_INET, { 10, 77, 1, 7 } }, true, 6379, "shop/ledger", "ledger" },
	.has_tcp_flags = true,
	.tcp_flags = 2,
	.interface = "eth0",
	.endpoint_id = "shop/payments",
	.endpoint_name = "payments",
	.runtime = "netns",
	.netns = "/run/netns/payments",
	.service = "payments",
	.owner = "team-payments",
	.has_uid = true,
	.has_gid = true,
	.uid = 1000,
	.gid = 1000,
	.rule_kind = RECORD_DEFAULT_DENY,
	.rule_name = "default-deny",
	.rule_file = "policies/payments.yaml",
	.rule_line = 14,
	.reason = "payments may reach ledger on 5432/tcp, not 6379/tcp: policies/payments.yaml:16",
	.near_miss = "payments.out.ledger allows 5432/tcp to ledger (policies/payments.yaml:16)",
	.other_side = "ledger denies it too (policies/ledger.yaml:3)",
	.host = "node-1",
	.generation = "3f0c9a12b4d5e6f7",
};

static char *text_of(const struct flow_record *r, bool colour)
{
	struct bh_buf b;
	char *s;

	bh_buf_init(&b, 65536);
	assert_int_equal(flow_record_text(r, &b, colour), 0);
	s = bh_buf_steal(&b);
	assert_non_null(s);
	bh_buf_done(&b);
	return s;
}

static char *json_of(const struct flow_record *r)
{
	struct bh_buf b;
	char *s;

	bh_buf_init(&b, 65536);
	assert_int_equal(flow_record_json(r, &b), 0);
	s = bh_buf_steal(&b);
	assert_non_null(s);
	bh_buf_done(&b);
	return s;
}

static void assert_text(const struct flow_record *r, const char *expect)
{
	bh_autofree char *s = text_of(r, false);

	assert_string_equal(s, expect);
}

static void assert_json(const struct flow_record *r, const char *expect)
{
	bh_autofree char *s = json_of(r);

	assert_string_equal(s, expect);
}

/* --- JSON ------------------------------------------------------------------------------------- */

/* The example of docs/record.md, key by key in its order. */
static void test_json(void **state)
{
	assert_json(
		&sample,
		"{\"schema\":\"bulkhead.flow/1\",\"first_seen\":\"2026-11-23T09:00:01.204Z\","
		"\"last_seen\":\"2026-11-23T09:00:01.204Z\",\"verdict\":\"deny\","
		"\"direction\":\"egress\",\"packets\":1,\"bytes\":60,\"protocol\":\"tcp\","
		"\"source\":{\"address\":\"10.77.1.4\",\"port\":49142,"
		"\"endpoint\":\"shop/payments\",\"service\":\"payments\"},"
		"\"destination\":{\"address\":\"10.77.1.7\",\"port\":6379,"
		"\"endpoint\":\"shop/ledger\",\"service\":\"ledger\"},"
		"\"tcp_flags\":2,\"interface\":\"eth0\",\"endpoint\":{\"id\":\"shop/payments\","
		"\"name\":\"payments\",\"runtime\":\"netns\",\"netns\":\"/run/netns/payments\"},"
		"\"service\":\"payments\",\"owner\":\"team-payments\",\"uid\":1000,\"gid\":1000,"
		"\"rule\":{\"kind\":\"default-deny\",\"name\":\"default-deny\","
		"\"file\":\"policies/payments.yaml\",\"line\":14},"
		"\"reason\":\"payments may reach ledger on 5432/tcp, not 6379/tcp: "
		"policies/payments.yaml:16\","
		"\"near_miss\":\"payments.out.ledger allows 5432/tcp to ledger "
		"(policies/payments.yaml:16)\","
		"\"other_side\":\"ledger denies it too (policies/ledger.yaml:3)\","
		"\"host\":\"node-1\",\"generation\":\"3f0c9a12b4d5e6f7\"}\n");
}

/* What is always there is there, what has nothing to say is not. */
static void test_json_of_little(void **state)
{
	struct flow_record r = { .verdict = RECORD_AUDIT,
				 .direction = DIRECTION_INGRESS,
				 .proto = 47,
				 .rule_kind = RECORD_RAW_SOCKET };

	assert_json(&r, "{\"schema\":\"bulkhead.flow/1\","
			"\"first_seen\":\"1970-01-01T00:00:00.000Z\","
			"\"last_seen\":\"1970-01-01T00:00:00.000Z\",\"verdict\":\"audit\","
			"\"direction\":\"ingress\",\"packets\":0,\"bytes\":0,\"protocol\":\"47\","
			"\"source\":{},\"destination\":{},\"endpoint\":{},"
			"\"rule\":{\"kind\":\"raw-socket\"}}\n");
}

static void test_json_of_icmp(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *s = NULL;
	json_t *o, *icmp;

	r.proto = IPPROTO_ICMPV6;
	r.has_icmp = true;
	r.icmp_type = 255;
	r.icmp_code = 7;
	r.has_tcp_flags = r.source.has_port = r.destination.has_port = false;
	r.has_uid = r.has_gid = false;
	s = json_of(&r);
	o = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	icmp = json_object_get(o, "icmp");
	assert_int_equal(json_integer_value(json_object_get(icmp, "type")), 255);
	assert_int_equal(json_integer_value(json_object_get(icmp, "code")), 7);
	assert_string_equal(json_string_value(json_object_get(o, "protocol")), "icmpv6");
	assert_null(json_object_get(json_object_get(o, "source"), "port"));
	assert_null(json_object_get(json_object_get(o, "destination"), "port"));
	assert_null(json_object_get(o, "tcp_flags"));
	assert_null(json_object_get(o, "uid"));
	assert_null(json_object_get(o, "gid"));
	json_decref(o);
}

static void test_json_aggregated(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *s = NULL;
	json_t *o;

	r.aggregated = true;
	r.packets = INT64_MAX;
	r.uid = r.gid = 0; /* root is somebody */
	s = json_of(&r);
	o = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	assert_true(json_is_true(json_object_get(o, "aggregated")));
	assert_null(json_object_get(o, "protocol"));
	assert_int_equal(json_integer_value(json_object_get(o, "packets")), INT64_MAX);
	assert_true(json_is_integer(json_object_get(o, "uid")));
	assert_true(json_is_integer(json_object_get(o, "gid")));
	json_decref(o);
}

/* A frame with an IP packet in it: its header beside all that the packet says. */
static struct flow_record frame_record(void)
{
	struct flow_record r = sample;

	r.rule_kind = RECORD_RAW_SOCKET;
	strcpy(r.rule_name, "raw-socket");
	r.rule_file[0] = r.reason[0] = r.near_miss[0] = r.other_side[0] = '\0';
	r.has_frame = true;
	memcpy(r.frame_source, "\x02\x42\xac\x11\x00\x02", 6);
	memcpy(r.frame_destination, "\xff\xff\xff\xff\xff\xff", 6);
	r.frame_type = 0x0800;
	return r;
}

/* One with none: neither protocol nor addresses. */
static struct flow_record bare_frame(void)
{
	struct flow_record r = frame_record();

	r.frame_type = 0x0806;
	r.proto = 0;
	r.bytes = 0;
	r.source = r.destination = (struct record_end) { 0 };
	r.has_tcp_flags = false;
	return r;
}

static void test_json_of_frames(void **state)
{
	static const char frame[] = "\"frame\":{\"source\":\"02:42:ac:11:00:02\","
				    "\"destination\":\"ff:ff:ff:ff:ff:ff\",\"type\":\"0x0800\"},"
				    "\"interface\":\"eth0\"";
	struct flow_record r = frame_record();
	bh_autofree char *s = json_of(&r), *bare = NULL, *none = NULL;

	assert_non_null(strstr(s, frame));
	assert_non_null(strstr(s, "\"protocol\":\"tcp\""));
	assert_non_null(strstr(s, "\"address\":\"10.77.1.7\""));
	assert_non_null(strstr(s, "\"rule\":{\"kind\":\"raw-socket\",\"name\":\"raw-socket\""));
	r = bare_frame();
	bare = json_of(&r);
	assert_non_null(strstr(bare, "\"bytes\":0,\"source\":{},\"destination\":{},\"frame\":{"));
	assert_non_null(strstr(bare, "\"type\":\"0x0806\""));
	assert_null(strstr(bare, "\"protocol\""));
	r = sample;
	none = json_of(&r);
	assert_null(strstr(none, "\"frame\""));
}

static void test_words(void **state)
{
	static const char *const verdicts[] = { "deny", "audit", "allow" };
	static const char *const kinds[] = { "default-deny", "guardrail", "raw-socket",
					     "invalid",      "baseline",  "revoked" };

	for (size_t v = 0; v < BH_ARRAY_SIZE(verdicts); v++)
		for (size_t k = 0; k < BH_ARRAY_SIZE(kinds); k++) {
			struct flow_record r = { .verdict = (enum record_verdict)v,
						 .rule_kind = (enum record_rule_kind)k };
			bh_autofree char *s = json_of(&r);
			json_t *o = json_loads(s, 0, NULL);
			json_t *kind = json_object_get(json_object_get(o, "rule"), "kind");

			assert_string_equal(json_string_value(json_object_get(o, "verdict")),
					    verdicts[v]);
			assert_string_equal(json_string_value(kind), kinds[k]);
			json_decref(o);
		}
}

/* --- text ------------------------------------------------------------------------------------- */

static void test_text(void **state)
{
	struct flow_record r = sample;

	assert_text(&r, "09:00:01.204 DENY  egress  payments (shop/payments) 10.77.1.4 -> "
			"ledger (shop/ledger) 10.77.1.7:6379/tcp  uid 1000  1 packet  "
			"default-deny policies/payments.yaml:14  payments may reach ledger on "
			"5432/tcp, not 6379/tcp: policies/payments.yaml:16\n");
	r.verdict = RECORD_AUDIT;
	r.direction = DIRECTION_INGRESS;
	r.packets = 17;
	r.has_uid = false;
	r.source.service[0] = '\0';
	r.destination.service[0] = r.destination.endpoint[0] = '\0';
	r.destination.addr = (struct bh_addr) { AF_INET6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	r.reason[0] = '\0';
	assert_text(&r, "09:00:01.204 AUDIT ingress shop/payments 10.77.1.4 -> "
			"[2001:db8::1]:6379/tcp  17 packets  default-deny "
			"policies/payments.yaml:14\n");
	r.verdict = RECORD_ALLOW;
	r.rule_kind = RECORD_ALLOWED;
	r.rule_line = 0; /* the file as a whole */
	assert_text(&r, "09:00:01.204 ALLOW ingress shop/payments 10.77.1.4 -> "
			"[2001:db8::1]:6379/tcp  17 packets  allow "
			"policies/payments.yaml\n");
	r.rule_file[0] = '\0';
	assert_text(&r, "09:00:01.204 ALLOW ingress shop/payments 10.77.1.4 -> "
			"[2001:db8::1]:6379/tcp  17 packets  allow\n");
}

/* The id of a container says nothing to a person; JSON has both. */
static void test_containers_by_name(void **state)
{
	static const char id[] = "46595034ab726a221c23da037cde1dbce23d1def4895f89af4d4439464376b3d";
	struct flow_record r = sample;
	bh_autofree char *text = NULL, *json = NULL;

	strcpy(r.source.endpoint, id);
	strcpy(r.source.name, "shop-payments-1");
	strcpy(r.destination.endpoint, id); /* its name is not known */
	text = text_of(&r, false);
	assert_non_null(strstr(text, "payments (shop-payments-1) 10.77.1.4 -> ledger (46595034ab"));
	json = json_of(&r);
	assert_non_null(strstr(json, "\"endpoint\":\"46595034ab726a"));
	assert_non_null(strstr(json, "\"name\":\"shop-payments-1\""));
}

static void test_text_without_ports(void **state)
{
	struct flow_record r = sample;

	r.source.has_port = r.destination.has_port = r.has_uid = false;
	r.rule_file[0] = r.reason[0] = '\0';
	r.proto = IPPROTO_ICMP;
	r.has_icmp = true;
	r.icmp_type = 8;
	strcpy(r.source.endpoint, "payments"); /* called as its service is: once is enough */
	assert_text(&r, "09:00:01.204 DENY  egress  payments 10.77.1.4 -> ledger (shop/ledger) "
			"10.77.1.7 icmp/echo-request  1 packet  default-deny\n");
	r.icmp_type = 77;
	assert_text(&r, "09:00:01.204 DENY  egress  payments 10.77.1.4 -> ledger (shop/ledger) "
			"10.77.1.7 icmp/77  1 packet  default-deny\n");
	r.has_icmp = false;
	r.proto = 47;
	assert_text(&r, "09:00:01.204 DENY  egress  payments 10.77.1.4 -> ledger (shop/ledger) "
			"10.77.1.7 protocol 47  1 packet  default-deny\n");
	r.aggregated = true;
	r.packets = 5;
	r.rule_kind = RECORD_REVOKED;
	assert_text(&r, "09:00:01.204 DENY  egress  payments: several flows  5 packets  "
			"revoked\n");
}

static void test_text_of_frames(void **state)
{
	struct flow_record r = frame_record();

	assert_text(&r, "09:00:01.204 DENY  egress  payments (shop/payments) 10.77.1.4 -> "
			"ledger (shop/ledger) 10.77.1.7:6379/tcp  uid 1000  1 packet  "
			"raw-socket\n");
	r = bare_frame();
	assert_text(&r, "09:00:01.204 DENY  egress  payments 02:42:ac:11:00:02 -> "
			"ff:ff:ff:ff:ff:ff frame 0x0806  uid 1000  1 packet  raw-socket\n");
	r.frame_type = 0x0026;
	r.service[0] = '\0';
	r.has_uid = false;
	strcpy(r.endpoint_name, "\033[31mweb");
	assert_text(&r, "09:00:01.204 DENY  egress  \\x1b[31mweb 02:42:ac:11:00:02 -> "
			"ff:ff:ff:ff:ff:ff frame 0x0026  1 packet  raw-socket\n");
	r.aggregated = true;
	r.has_frame = false;
	r.packets = 15;
	assert_text(&r, "09:00:01.204 DENY  egress  \\x1b[31mweb: several flows  15 packets  "
			"raw-socket\n");
}

static void test_text_in_colour(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *plain = text_of(&r, false), *s = text_of(&r, true);
	size_t n = 0;

	for (char *p = s; *p;) { /* take away the colours, and nothing else is different */
		if (*p == '\033')
			p = strchr(p, 'm') + 1;
		else
			s[n++] = *p++;
	}
	s[n] = '\0';
	assert_string_equal(s, plain);
}

static void test_other_ids_stay(void **state)
{
	static const char *const ids[] = {
		"shop/payments",
		"cafe", /* a name of nothing but hex digits */
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", /* 63 */
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(ids); i++) {
		struct flow_record r = sample;
		bh_autofree char *s = NULL;
		char expect[RECORD_STR];

		strcpy(r.source.endpoint, ids[i]);
		strcpy(r.source.name, "another");
		s = text_of(&r, false);
		snprintf(expect, sizeof(expect), " payments (%s) 10.77.1.4 ", ids[i]);
		assert_non_null(strstr(s, expect));
	}
}

/* --- hostile ---------------------------------------------------------------------------------- */

static const char hostile[] = "\033[2J\"\\\n\r\t\xff\xe2\x80\xae</script>%s%n\x7f\xc2\x9b";
#define HOSTILE_ESCAPED                                                                            \
	"\\x1b[2J\"\\\\\\x0a\\x0d\\x09\\xff\\xe2\\x80\\xae</script>%s%n\\x7f\\xc2\\x9b"

/* All that comes from containers and images, made as hostile as can be. */
static struct flow_record hostile_record(void)
{
	struct flow_record r = sample;

	strcpy(r.source.endpoint, hostile), strcpy(r.source.service, hostile);
	strcpy(r.destination.endpoint, hostile), strcpy(r.destination.service, "db");
	strcpy(r.endpoint_id, hostile), strcpy(r.endpoint_name, hostile);
	strcpy(r.image, hostile), strcpy(r.netns, hostile), strcpy(r.owner, hostile);
	strcpy(r.service, hostile), strcpy(r.scope, hostile), strcpy(r.host, hostile);
	strcpy(r.rule_name, hostile);
	strcpy(r.interface, "\033[2J\xff\n");
	return r;
}

static void test_hostile_json(void **state)
{
	struct flow_record r = hostile_record();
	bh_autofree char *s = json_of(&r);
	size_t len = strlen(s);
	json_error_t why;
	json_t *o;

	for (size_t i = 0; i < len; i++)
		assert_true((unsigned char)s[i] >= ' ' || (s[i] == '\n' && i == len - 1));
	o = json_loads(s, JSON_REJECT_DUPLICATES, &why);
	if (!o)
		fail_msg("%s", why.text);
	assert_string_equal(json_string_value(json_object_get(o, "owner")), HOSTILE_ESCAPED);
	assert_string_equal(json_string_value(json_object_get(o, "interface")),
			    "\\x1b[2J\\xff\\x0a");
	json_decref(o);
}

/* What is well-formed UTF-8 stands in JSON as it is, though a terminal must not see it. */
static void test_json_keeps_text(void **state)
{
	struct flow_record r = sample;
	const char *name = "\033[2J \\ \xc3\xa4 \xf0\x9f\x90\xb3 \xe2\x80\xae";
	bh_autofree char *s = NULL;
	json_t *o;

	strcpy(r.owner, name);
	s = json_of(&r);
	o = json_loads(s, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "owner")), name);
	json_decref(o);
}

static void test_hostile_text(void **state)
{
	struct flow_record r = hostile_record();
	bh_autofree char *s = text_of(&r, false);

	assert_text(&r,
		    "09:00:01.204 DENY  egress  " HOSTILE_ESCAPED " 10.77.1.4 -> db "
		    "(" HOSTILE_ESCAPED ") 10.77.1.7:6379/tcp  uid 1000  1 packet  default-deny "
		    "policies/payments.yaml:14  payments may reach ledger on 5432/tcp, not "
		    "6379/tcp: policies/payments.yaml:16\n");
	memset(r.source.endpoint, 'a', 64), r.source.endpoint[64] = '\0';
	strcpy(r.source.name, hostile);
	strcpy(r.source.service, "web");
	free(s);
	s = text_of(&r, false);
	assert_non_null(strstr(s, "  web (" HOSTILE_ESCAPED ") 10.77.1.4 -> "));
	r.aggregated = true;
	free(s);
	s = text_of(&r, false);
	assert_non_null(strstr(s, " egress  " HOSTILE_ESCAPED ": several flows  "));
}

/* Reason and place come escaped: a second time would show other names than there are. */
static void test_escaped_once(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *s = NULL;

	strcpy(r.reason, "we\\x1bb may not reach c:\\\\d");
	strcpy(r.rule_file, "policies/\\x0a.yaml");
	s = text_of(&r, false);
	assert_non_null(strstr(s, "  default-deny policies/\\x0a.yaml:14  we\\x1bb may not reach "
				  "c:\\\\d\n"));
}

/* And yet, if anything got by, a terminal is not its to command; so a name that was cut in two. */
static void test_what_got_by(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *s = NULL;

	strcpy(r.reason, "a\033[2J\\\n\xe2\x80");
	strcpy(r.rule_file, "\033c");
	s = text_of(&r, false);
	assert_non_null(strstr(s, " \\x1bc:14  a\\x1b[2J\\\\x0a\\xe2\\x80\n"));
}

/* Every field full to the brim with the worst. */
static void test_longest(void **state)
{
	struct flow_record r = sample;
	bh_autofree char *s = NULL;
	json_t *o;

#define FILL(field) memset(r.field, 0xff, sizeof(r.field) - 1), r.field[sizeof(r.field) - 1] = '\0'
	FILL(source.name), FILL(destination.name);
	FILL(source.endpoint), FILL(source.service), FILL(destination.endpoint);
	FILL(destination.service), FILL(interface), FILL(endpoint_id), FILL(endpoint_name);
	FILL(runtime), FILL(image), FILL(netns), FILL(service), FILL(owner), FILL(scope);
	FILL(rule_name), FILL(rule_file), FILL(reason), FILL(near_miss), FILL(other_side);
	FILL(host), FILL(generation);
	s = json_of(&r);
	o = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(o);
	/* to the last byte: nothing is cut */
	assert_int_equal(json_string_length(json_object_get(o, "owner")), 4 * (RECORD_STR - 1));
	assert_int_equal(json_string_length(json_object_get(o, "reason")),
			 4 * (sizeof(r.reason) - 1));
	json_decref(o);
	free(s);
	s = text_of(&r, false);
	for (char *p = s; *p; p++)
		assert_true((*p >= ' ' && *p < 0x7f) || (*p == '\n' && p[1] == '\0'));
}

/* --- a buffer that is full -------------------------------------------------------------------- */

static void test_full_buffer(void **state)
{
	struct bh_buf b;

	bh_buf_init(&b, 100);
	assert_int_equal(flow_record_json(&sample, &b), -EFBIG);
	assert_int_equal(bh_buf_error(&b), -EFBIG);
	bh_buf_reset(&b);
	assert_int_equal(flow_record_text(&sample, &b, true), -EFBIG);
	assert_true(b.len <= 100);
	bh_buf_done(&b);
}

/* Several go into one buffer, a line each. */
static void test_lines(void **state)
{
	struct bh_buf b;
	size_t lines = 0;

	bh_buf_init(&b, 65536);
	for (int i = 0; i < 3; i++)
		assert_int_equal(flow_record_json(&sample, &b), 0);
	assert_int_equal(flow_record_text(&sample, &b, false), 0);
	for (const char *p = bh_buf_str(&b); (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 4);
	bh_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_little),
		cmocka_unit_test(test_json_of_icmp),
		cmocka_unit_test(test_json_aggregated),
		cmocka_unit_test(test_json_of_frames),
		cmocka_unit_test(test_text_of_frames),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_containers_by_name),
		cmocka_unit_test(test_other_ids_stay),
		cmocka_unit_test(test_text_without_ports),
		cmocka_unit_test(test_text_in_colour),
		cmocka_unit_test(test_hostile_json),
		cmocka_unit_test(test_json_keeps_text),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_escaped_once),
		cmocka_unit_test(test_what_got_by),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
