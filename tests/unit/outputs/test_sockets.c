/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <endian.h>
#include <sys/un.h>

/* syslog and journald: what they are sent, and what becomes of it when they do not listen. */

static int server = -1;
static char path[128];
static char datagram[64 << 10];

static void listen_there(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "%s", in_place("socket"));
	strcpy(addr.sun_path, path);
	server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(server >= 0);
	assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void leave(void)
{
	assert_int_equal(close(server), 0);
	server = -1;
	assert_int_equal(unlink(path), 0);
}

static int sockets_close(void **state)
{
	if (server >= 0)
		close(server);
	server = -1;
	return place_close(state);
}

static void open_syslog(uint32_t facility)
{
	const struct host_output out = { .kind = OUTPUT_SYSLOG,
					 .path = path,
					 .facility = facility };

	open_outputs(&out, 1);
}

static void open_journal(void)
{
	const struct host_output out = { .kind = OUTPUT_JOURNAL, .path = path };

	open_outputs(&out, 1);
}

/* The next datagram, NUL-terminated, or -1: there is none. */
static ssize_t receive(void)
{
	ssize_t n = recv(server, datagram, sizeof(datagram) - 1, 0);

	if (n >= 0)
		datagram[n] = '\0';
	return n;
}

/* --- syslog ------------------------------------------------------------------------------------ */

static void test_syslog(void **state)
{
	struct flow_signal sig = signal_sample();
	char expect[256];

	listen_there();
	open_syslog(19);
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
	snprintf(expect, sizeof(expect),
		 "<157>1 2026-11-23T09:00:02.704000Z node-1 bulkhead %d deny [bulkhead@32473 "
		 "verdict=\"deny\" direction=\"egress\" first_seen=",
		 (int)getpid());
	assert_int_equal(strncmp(datagram, expect, strlen(expect)), 0);
	assert_non_null(strstr(datagram, " source=\"10.77.1.4\" source_port=\"49142\" "));
	assert_non_null(strstr(datagram, " uid=\"1000\" gid=\"1001\" pid=\"4242\" "));
	assert_non_null(strstr(datagram, " rule_place=\"policies/payments.yaml:14\" "));
	assert_non_null(strstr(datagram, "payments.yaml:16\"] 09:00:01.204 DENY  egress  payments "
					 "(shop/payments) 10.77.1.4 -> ledger"));
	assert_null(strchr(datagram, '\n'));
	assert_null(strchr(datagram, '\xef')); /* it is all ASCII */

	outputs_signal(place.o, &sig);
	assert_true(receive() > 0);
	snprintf(expect, sizeof(expect),
		 "<156>1 2026-11-23T09:00:03.204000Z node-1 bulkhead %d port-scan "
		 "[bulkhead@32473 signal=\"port-scan\" ",
		 (int)getpid());
	assert_int_equal(strncmp(datagram, expect, strlen(expect)), 0);
	assert_non_null(strstr(datagram, " window_seconds=\"60\" ports=\"120\" peers=\"2\" "));
	assert_int_equal(receive(), -1);
}

static void test_syslog_priorities(void **state)
{
	struct flow_record r = sample;

	listen_there();
	open_syslog(0);
	r.verdict = RECORD_AUDIT;
	outputs_record(place.o, &r);
	assert_true(receive() > 0);
	assert_int_equal(strncmp(datagram, "<6>1 ", 5), 0);
	assert_non_null(strstr(datagram, " audit ["));
}

/* 6.3.3 of RFC 5424, and nothing in it that could end the line or steer a terminal. */
static void test_syslog_escapes(void **state)
{
	struct flow_record r = sample;

	listen_there();
	open_syslog(3);
	snprintf(r.process.comm, sizeof(r.process.comm), "a\"b]c\\d\ne");
	snprintf(r.process.exe, sizeof(r.process.exe), "\033[1m\xff\xc3\xbc");
	snprintf(r.host, sizeof(r.host), "two words");
	outputs_record(place.o, &r);
	assert_true(receive() > 0);
	assert_non_null(strstr(datagram, " comm=\"a\\\"b\\]c\\\\d\\\\x0ae\" "));
	assert_non_null(strstr(datagram, " exe=\"\\\\x1b[1m\\\\xff\xc3\xbc\" "));
	assert_non_null(strstr(datagram, "Z - bulkhead ")); /* no host name has a space */
	assert_null(strchr(datagram, '\n'));
	assert_null(strchr(datagram, '\033'));
}

/* A sentence with more than ASCII is announced as UTF-8. */
static void test_syslog_utf8(void **state)
{
	struct flow_record r = sample;

	listen_there();
	open_syslog(3);
	snprintf(r.reason, sizeof(r.reason), "f\xc3\xbcr niemanden");
	outputs_record(place.o, &r);
	assert_true(receive() > 0);
	assert_non_null(strstr(datagram, "] \xef\xbb\xbf"
					 "09:00:01.204 DENY"));
	assert_non_null(strstr(datagram, "f\xc3\xbcr niemanden"));
}

static void fill(char *text, size_t size, const char *character)
{
	size_t len = strlen(character), at = 0;

	for (; at + len < size; at += len)
		memcpy(text + at, character, len);
	text[at] = '\0';
}

static void assert_well_cut(ssize_t n)
{
	json_t *v;

	assert_in_range(n, 1, BH_OUTPUT_SYSLOG_MAX);
	v = json_stringn(datagram, (size_t)n); /* it is UTF-8 to its end */
	assert_non_null(v);
	json_decref(v);
}

/* Whatever is in it: 8 KiB at most, whole parameters, whole characters. */
static void test_syslog_cap(void **state)
{
	static const char *const characters[] = { "\xc3\xbc", "\xe2\x82\xac", "\xff", "\"", "x" };
	struct flow_signal sig = signal_sample();
	struct flow_record *r = &sig.record;
	char *const texts[] = { r->endpoint_id,
				r->endpoint_name,
				r->image,
				r->service,
				r->owner,
				r->scope,
				r->source.endpoint,
				r->source.name,
				r->destination.endpoint,
				r->source.service,
				r->source.scope,
				r->destination.name,
				r->rule_name,
				r->near_miss,
				r->other_side,
				r->process.exe,
				r->destination.service,
				r->destination.scope };

	listen_there();
	open_syslog(3);
	for (size_t i = 0; i < BH_ARRAY_SIZE(characters); i++) {
		for (size_t k = 0; k < BH_ARRAY_SIZE(texts); k++)
			fill(texts[k], RECORD_STR, characters[i]);
		fill(sig.reason, sizeof(sig.reason), characters[i]);
		fill(r->reason, sizeof(r->reason), characters[i]);
		outputs_signal(place.o, &sig);
		assert_well_cut(receive());
		outputs_record(place.o, r);
		assert_well_cut(receive());
		if (characters[i][0] == '\xff' || characters[i][0] == '"') /* they grow */
			assert_non_null(strstr(datagram, " left_out=\"true\"] "));
		else
			assert_null(strstr(datagram, "left_out"));
	}
}

/* The sentence, which comes last, is cut between characters. */
static void test_syslog_cut(void **state)
{
	struct flow_record r = sample;
	char *const quotes[] = { r.source.name,
				 r.destination.name,
				 r.endpoint_id,
				 r.endpoint_name,
				 r.process.exe,
				 r.image,
				 r.owner,
				 r.scope,
				 r.rule_name,
				 r.near_miss,
				 r.other_side,
				 r.source.scope,
				 r.destination.scope };
	char *const euros[] = { r.destination.endpoint, r.rule_file };

	listen_there();
	open_syslog(3);
	for (size_t i = 0; i < BH_ARRAY_SIZE(quotes); i++)
		fill(quotes[i], RECORD_STR, "\"");
	for (size_t i = 0; i < BH_ARRAY_SIZE(euros); i++)
		fill(euros[i], RECORD_STR, "\xe2\x82\xac");
	fill(r.reason, sizeof(r.reason), "\xe2\x82\xac");
	fill(r.source.service, RECORD_STR, "\xff"); /* four characters each, for a person */
	fill(r.source.endpoint, RECORD_STR, "\xff");
	memset(r.destination.endpoint, 0xff, 99);
	for (size_t shift = 0; shift < 3; shift++) {
		memset(r.destination.service, 'x', shift);
		fill(r.destination.service + shift, RECORD_STR - shift, "\xe2\x82\xac");
		outputs_record(place.o, &r);
		assert_well_cut(receive());
		assert_in_range(strlen(datagram), BH_OUTPUT_SYSLOG_MAX - 2, BH_OUTPUT_SYSLOG_MAX);
	}
}

/* --- journald ------------------------------------------------------------------------------------ */

static void test_journal(void **state)
{
	struct flow_signal sig = signal_sample();

	listen_there();
	open_journal();
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
	assert_int_equal(strncmp(datagram, "MESSAGE=09:00:01.204 DENY  egress  payments", 43), 0);
	assert_non_null(strstr(datagram, "\nMESSAGE_ID=3b6e8c5a0f5d4e5c9a0e6f1b7f2c4d81\n"
					 "PRIORITY=5\nSYSLOG_IDENTIFIER=bulkhead\n"));
	assert_non_null(strstr(datagram, "\nBULKHEAD_DESTINATION=10.77.1.7\n"
					 "BULKHEAD_DESTINATION_PORT=6379\n"));
	assert_non_null(strstr(datagram, "\nBULKHEAD_REASON=payments may reach ledger on 5432/tcp, "
					 "not 6379/tcp: policies/payments.yaml:16\n"));
	assert_null(strstr(datagram, "\n\n"));
	outputs_signal(place.o, &sig);
	assert_true(receive() > 0);
	assert_non_null(strstr(datagram, "\nMESSAGE_ID=c1d94a7e52b84e1f8f7a0b3d9e6c2a57\n"
					 "PRIORITY=4\n"));
	assert_non_null(strstr(datagram, "\nBULKHEAD_SIGNAL=port-scan\n"));
}

/* A value with a newline in it must not make fields of its own: it goes with its length. */
static void test_journal_newline(void **state)
{
	static const char evil[] = "x\nBULKHEAD_UID=0";
	struct flow_record r = sample;
	uint64_t len = htole64(strlen(evil));
	char expect[128];
	const char *field;
	ssize_t n;

	snprintf(r.endpoint_name, sizeof(r.endpoint_name), "%s", evil);
	listen_there();
	open_journal();
	outputs_record(place.o, &r);
	n = receive();
	assert_true(n > 0);
	field = memmem(datagram, (size_t)n, "\nBULKHEAD_NAME\n", 15);
	assert_non_null(field);
	memcpy(expect, &len, sizeof(len));
	memcpy(expect + sizeof(len), evil, sizeof(evil));
	assert_memory_equal(field + 15, expect, sizeof(len) + strlen(evil));
	assert_int_equal(field[15 + sizeof(len) + strlen(evil)], '\n');
}

/* --- nobody there, or nobody who reads --------------------------------------------------------------- */

static void test_nobody(void **state)
{
	snprintf(path, sizeof(path), "%s", in_place("socket"));
	open_syslog(3);
	assert_int_equal(place.n_told, 1);
	assert_non_null(strstr(place.told[0], "socket fails: No such file or directory"));
	for (int i = 0; i < 50; i++)
		outputs_record(place.o, &sample);
	assert_int_equal(outputs_lost(place.o), 50);
	listen_there();
	wait_ms(BH_OUTPUT_RETRY_MAX_MS);
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
	wait_ms(BH_OUTPUT_STEADY_MS);
	outputs_record(place.o, &sample);
	assert_int_equal(place.n_told, 2);
	assert_non_null(strstr(place.told[1], "50 lines were not written"));
	assert_int_equal(outputs_lost(place.o), 50);
}

/* It is started anew: the first line that it could have had, it gets. */
static void test_restarted(void **state)
{
	listen_there();
	open_journal();
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
	leave();
	listen_there();
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
	assert_int_equal(outputs_lost(place.o), 0);
	assert_int_equal(place.n_told, 0);
}

/*
 * One that hangs holds nobody up: this test would hang with it. What does not fit into its queue is
 * counted, and when it reads again it goes on.
 */
static void test_hangs(void **state)
{
	uint64_t got = 0;

	listen_there();
	open_journal();
	for (int i = 0; i < 5000; i++)
		outputs_record(place.o, &sample);
	assert_true(state_of(0).failing);
	assert_string_equal(state_of(0).why, strerror(EAGAIN));
	assert_int_equal(place.n_told, 1);
	while (receive() > 0)
		got++;
	assert_int_equal(got, state_of(0).written);
	assert_int_equal(got + state_of(0).lost, 5000);
	wait_ms(BH_OUTPUT_RETRY_MIN_MS);
	outputs_record(place.o, &sample);
	assert_true(receive() > 0);
}

/* Something else stands there. */
static void test_stream(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "%s", in_place("socket"));
	strcpy(addr.sun_path, path);
	server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 1), 0);
	open_syslog(3);
	outputs_record(place.o, &sample);
	assert_int_equal(outputs_lost(place.o), 1);
	assert_string_equal(state_of(0).why, strerror(EPROTOTYPE));
}

/* One output that fails takes nothing from the others. */
static void test_others(void **state)
{
	char file[128];
	const struct host_output list[] = {
		{ .kind = OUTPUT_SYSLOG, .path = "/nowhere/log" },
		{ .kind = OUTPUT_FILE, .path = file },
	};
	struct output_state st;

	snprintf(file, sizeof(file), "%s", in_place("denied.json"));
	open_outputs(list, 2);
	outputs_record(place.o, &sample);
	st = state_of(0);
	assert_string_equal(st.name, "syslog /nowhere/log");
	assert_true(st.failing && st.lost == 1 && st.written == 0);
	st = state_of(1);
	assert_true(!st.failing && st.lost == 0 && st.written == 1);
	assert_int_equal(lines_in(file), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_open, sockets_close)
	const struct CMUnitTest tests[] = {
		TEST(test_syslog),         TEST(test_syslog_priorities),
		TEST(test_syslog_escapes), TEST(test_syslog_utf8),
		TEST(test_syslog_cap),     TEST(test_syslog_cut),
		TEST(test_journal),        TEST(test_journal_newline),
		TEST(test_nobody),         TEST(test_restarted),
		TEST(test_hangs),          TEST(test_stream),
		TEST(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
