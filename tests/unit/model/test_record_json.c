/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The line that is written straight into a buffer is that of an object of jansson, byte for byte. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <jansson.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/json.h>
#include <bulkhead/model/record.h>
#include <bulkhead/model/signal.h>

#define ROUNDS   20000
#define LINE_MAX 262144

/* --- the object ------------------------------------------------------------------------------ */

static json_t *end_json(const struct record_end *e)
{
	json_t *o = json_object();
	char s[BH_ADDR_STR];

	if (e->addr.family)
		json_put_text(o, "address", bh_addr_format(s, &e->addr));
	if (e->has_port)
		json_put_number(o, "port", e->port);
	json_put_text(o, "endpoint", e->endpoint);
	json_put_text(o, "name", e->name);
	json_put_text(o, "service", e->service);
	json_put_text(o, "scope", e->scope);
	return o;
}

static json_t *process_json(const struct record_process *p)
{
	json_t *o = json_object();

	if (p->pid) {
		json_put_number(o, "pid", p->pid);
		json_put_text(o, "comm", p->comm);
		json_put_text(o, "exe", p->exe);
	} else {
		json_put_text(o, "unknown", p->unknown);
	}
	return o;
}

static json_t *endpoint_json(const struct flow_record *r)
{
	json_t *o = json_object();

	json_put_text(o, "id", r->endpoint_id);
	json_put_text(o, "name", r->endpoint_name);
	json_put_text(o, "runtime", r->runtime);
	json_put_text(o, "image", r->image);
	json_put_text(o, "netns", r->netns);
	return o;
}

static json_t *rule_json(const struct flow_record *r)
{
	json_t *o = json_object();

	json_put_text(o, "kind", record_rule_kind_name(r->rule_kind));
	json_put_text(o, "name", r->rule_name);
	json_put_text(o, "file", r->rule_file);
	if (r->rule_line)
		json_put_number(o, "line", r->rule_line);
	return o;
}

#define MAC_STR 18

static const char *format_mac(char out[MAC_STR], const uint8_t mac[6])
{
	snprintf(out, MAC_STR, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return out;
}

static json_t *frame_json(const struct flow_record *r)
{
	char mac[MAC_STR], type[8];
	json_t *o = json_object();

	json_put_text(o, "source", format_mac(mac, r->frame_source));
	json_put_text(o, "destination", format_mac(mac, r->frame_destination));
	snprintf(type, sizeof(type), "0x%04x", r->frame_type);
	json_put_text(o, "type", type);
	return o;
}

static bool is_bare_frame(const struct flow_record *r)
{
	return r->has_frame && !r->source.addr.family;
}

static void put_flow(json_t *o, const struct flow_record *r)
{
	char proto[PROTO_STR];

	json_put_time(o, "first_seen", r->first_seen);
	json_put_time(o, "last_seen", r->last_seen);
	json_put_text(o, "verdict", record_verdict_name(r->verdict));
	json_put_text(o, "direction", direction_name(r->direction));
	json_put_number(o, "packets", r->packets);
	json_put_number(o, "bytes", r->bytes);
	if (r->aggregated)
		json_object_set_new(o, "aggregated", json_true());
	if (r->aggregated && r->flows)
		json_put_number(o, "flows", r->flows);
	if (r->aggregated && r->n_samples)
		json_object_set_new(o, "sample", json_samples(r));
	if (!r->aggregated && !is_bare_frame(r))
		json_put_text(o, "protocol", proto_name(proto, r->proto));
	json_object_set_new(o, "source", end_json(&r->source));
	json_object_set_new(o, "destination", end_json(&r->destination));
	if (r->has_icmp)
		json_object_set_new(
			o, "icmp",
			json_pack("{s:i, s:i}", "type", r->icmp_type, "code", r->icmp_code));
	if (r->has_tcp_flags)
		json_put_number(o, "tcp_flags", r->tcp_flags);
	if (r->has_frame)
		json_object_set_new(o, "frame", frame_json(r));
}

static void put_explanation(json_t *o, const struct flow_record *r)
{
	json_put_text(o, "interface", r->interface);
	json_object_set_new(o, "endpoint", endpoint_json(r));
	json_put_text(o, "service", r->service);
	json_put_text(o, "owner", r->owner);
	json_put_text(o, "scope", r->scope);
	if (r->has_uid)
		json_put_number(o, "uid", r->uid);
	if (r->has_gid)
		json_put_number(o, "gid", r->gid);
	if (r->process.pid || r->process.unknown)
		json_object_set_new(o, "process", process_json(&r->process));
	json_object_set_new(o, "rule", rule_json(r));
	json_put_text(o, "reason", r->reason);
	json_put_text(o, "near_miss", r->near_miss);
	json_put_text(o, "other_side", r->other_side);
	json_put_text(o, "host", r->host);
	json_put_text(o, "generation", r->generation);
}

static json_t *record_object(const struct flow_record *r)
{
	json_t *o = json_object();

	json_put_text(o, "schema", "bulkhead.flow/1");
	put_flow(o, r);
	put_explanation(o, r);
	return o;
}

static json_t *signal_object(const struct flow_signal *s)
{
	json_t *o = json_object();

	json_put_text(o, "schema", "bulkhead.signal/1");
	json_put_time(o, "time", s->when);
	json_put_text(o, "signal", signal_kind_name(s->kind));
	json_put_text(o, "reason", s->reason);
	json_put_number(o, "packets", s->packets);
	if (s->kind == SIGNAL_PORT_SCAN) {
		json_put_number(o, "window_seconds", s->window_s);
		json_put_number(o, "ports", s->ports);
		json_put_number(o, "peers", s->peers);
	}
	if (s->kind == SIGNAL_INTO_SCOPE)
		json_put_text(o, "into_scope", s->scope);
	json_object_set_new(o, "record", record_object(&s->record));
	return o;
}

/* --- records of anything --------------------------------------------------------------------- */

static uint64_t any(uint64_t below)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % below;
}

/* Small ones, and such as only just fit. */
static uint64_t any_number(void)
{
	return (any(2) ? UINT64_MAX : 0) + any(1000) - 500 * any(2);
}

static size_t put_char(char *out, unsigned kind)
{
	static const char *const whole[] = {
		"\"",
		"\\",
		"\n",
		"\x1f",
		"\x7f",
		"/",
		"\xc3\xa4",
		"\u202e",
		"\xe2\x80\xa8",
		"\xf0\x9f\x98\x80",
		"\xed\xa0\x80",
		"\xc0\x80",
		"\xf4\x90\x80\x80",
		"%s",
	};
	const char *s = whole[any(kind == 2 ? 10 : BH_ARRAY_SIZE(whole))];

	if (kind == 0 || any(3)) {
		*out = (char)(' ' + any(95));
		return 1;
	}
	if (kind == 1) {
		*out = (char)(1 + any(255));
		return 1;
	}
	memcpy(out, s, strlen(s));
	return strlen(s);
}

/* Nothing, plain text, any bytes, well-formed UTF-8, or nearly so; of any length, often the greatest. */
static void put_any_text(char *out, size_t size)
{
	unsigned kind = (unsigned)any(4);
	size_t len = any(4) ? any(size < 24 ? size : 24) : any(2) ? any(size) : size - 1, at = 0;
	char one[8];

	while (at < len) {
		size_t n = put_char(one, kind);

		if (at + n > len)
			break;
		memcpy(out + at, one, n);
		at += n;
	}
	out[at] = '\0';
}

#define PUT_ANY(array) put_any_text(array, sizeof(array))

static struct bh_addr any_addr(void)
{
	static const sa_family_t families[] = { 0, AF_INET, AF_INET6 };
	struct bh_addr a = { .family = families[any(3)] };

	for (size_t i = 0; i < (a.family == AF_INET ? 4 : a.family ? 16 : 0); i++)
		a.b[i] = (uint8_t)(any(2) ? any(256) : any(11));
	return a;
}

static void put_end(struct record_end *e)
{
	e->addr = any_addr();
	e->has_port = any(2);
	e->port = (uint16_t)any(65536);
	PUT_ANY(e->endpoint);
	PUT_ANY(e->service);
	PUT_ANY(e->name);
	PUT_ANY(e->scope);
}

static void put_numbers(struct flow_record *r)
{
	r->first_seen = (int64_t)any(INT64_C(1) << 61) - (INT64_C(1) << 60);
	r->last_seen = any(2) ? r->first_seen : (int64_t)any(1u << 31) * 1000000;
	r->verdict = (enum record_verdict)any(RECORD_ALLOW + 1);
	r->direction = (enum direction)any(DIRECTIONS);
	r->packets = any_number();
	r->bytes = any_number();
	r->proto = (uint16_t)(any(2) ? IPPROTO_TCP : any(256));
	r->has_icmp = any(2);
	r->icmp_type = (uint8_t)any(256);
	r->has_tcp_flags = any(2);
	r->tcp_flags = (uint8_t)any(256);
	r->has_uid = any(2);
	r->uid = (uint32_t)any(UINT64_C(1) << 32);
	r->has_gid = any(2);
	r->gid = (uint32_t)any(UINT64_C(1) << 32);
	r->rule_kind = (enum record_rule_kind)any(RECORD_REVOKED + 1);
	r->rule_line = (unsigned)any(3);
}

static void put_aggregate(struct flow_record *r)
{
	r->aggregated = any(3) == 0;
	r->flows = (uint32_t)any(3);
	r->n_samples = (unsigned)any(RECORD_SAMPLES + 1);
	for (unsigned i = 0; i < r->n_samples; i++)
		r->samples[i] =
			(struct record_sample) { any_addr(), (uint16_t)any(256), (uint16_t)any(3) };
	r->has_frame = any(4) == 0;
	for (size_t i = 0; i < 6; i++)
		r->frame_source[i] = r->frame_destination[5 - i] = (uint8_t)any(256);
	r->frame_type = (uint16_t)any(65536);
}

static void put_texts(struct flow_record *r)
{
	PUT_ANY(r->interface);
	PUT_ANY(r->endpoint_id);
	PUT_ANY(r->endpoint_name);
	PUT_ANY(r->runtime);
	PUT_ANY(r->image);
	PUT_ANY(r->netns);
	PUT_ANY(r->service);
	PUT_ANY(r->owner);
	PUT_ANY(r->scope);
	PUT_ANY(r->rule_name);
	PUT_ANY(r->rule_file);
	PUT_ANY(r->reason);
	PUT_ANY(r->near_miss);
	PUT_ANY(r->other_side);
	PUT_ANY(r->host);
	PUT_ANY(r->generation);
}

static void any_record(struct flow_record *r)
{
	*r = (struct flow_record) { 0 };
	put_numbers(r);
	put_end(&r->source);
	put_end(&r->destination);
	put_aggregate(r);
	put_texts(r);
	r->process.pid = (uint32_t)any(3);
	r->process.unknown = any(2) ? "its socket is closed" : NULL;
	PUT_ANY(r->process.comm);
	PUT_ANY(r->process.exe);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void assert_same(const struct bh_buf *line, json_t *o)
{
	bh_autofree char *text = json_dumps(o, JSON_COMPACT);

	json_decref(o);
	assert_non_null(text);
	assert_int_equal(line->len, strlen(text) + 1);
	assert_memory_equal(line->data, text, line->len - 1);
	assert_string_equal(line->data + line->len - 1, "\n");
}

static void test_records(void **state)
{
	static struct flow_record r;
	struct bh_buf line;

	srandom(20261126);
	bh_buf_init(&line, LINE_MAX);
	for (int i = 0; i < ROUNDS; i++) {
		any_record(&r);
		bh_buf_reset(&line);
		assert_int_equal(flow_record_json(&r, &line), 0);
		assert_same(&line, record_object(&r));
	}
	bh_buf_done(&line);
}

static void test_signals(void **state)
{
	static struct flow_signal s;
	struct bh_buf line;

	srandom(20261127);
	bh_buf_init(&line, LINE_MAX);
	for (int i = 0; i < ROUNDS / 10; i++) {
		any_record(&s.record);
		s.kind = (enum signal_kind)any(SIGNAL_KINDS);
		s.when = s.record.first_seen;
		s.packets = any_number();
		s.ports = s.peers = (uint32_t)any(100);
		PUT_ANY(s.reason);
		PUT_ANY(s.scope);
		bh_buf_reset(&line);
		assert_int_equal(flow_signal_json(&s, &line), 0);
		assert_same(&line, signal_object(&s));
	}
	bh_buf_done(&line);
}

/* Of a line that does not fit nothing is there, and what was there before stays. */
static void test_too_long(void **state)
{
	static struct flow_record r;
	struct bh_buf line;

	srandom(20261128);
	for (size_t max = 1; max < 2000; max++) {
		any_record(&r);
		PUT_ANY(r.reason);
		bh_buf_init(&line, max);
		bh_buf_addstr(&line, "x");
		if (flow_record_json(&r, &line) < 0) {
			assert_int_equal(bh_buf_error(&line), -EFBIG);
			assert_string_equal(bh_buf_str(&line), "x");
		}
		bh_buf_done(&line);
	}
}

/* Lines one behind the other, as a file has them. */
static void test_two_lines(void **state)
{
	static struct flow_record r;
	struct bh_buf line;
	size_t one;

	srandom(1);
	any_record(&r);
	bh_buf_init(&line, LINE_MAX);
	assert_int_equal(flow_record_json(&r, &line), 0);
	one = line.len;
	assert_int_equal(flow_record_json(&r, &line), 0);
	assert_int_equal(line.len, 2 * one);
	assert_memory_equal(line.data, line.data + one, one);
	bh_buf_done(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_two_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
