/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fixture.h"

/* Questions to the history: what matches, in which order, in which groups. */

/* --- filters ---------------------------------------------------------------------------------- */

/* Eight records that differ in what is asked for; the number of each is its first second. */
static void make_eight(struct flows *f)
{
	struct flow_record r[8];

	for (int i = 0; i < 8; i++)
		r[i] = plain(T0 + i * SECOND);
	strcpy(r[1].service, "web,shop");
	strcpy(r[2].endpoint_id, "deadbeef");
	strcpy(r[2].endpoint_name, "pay-2");
	r[2].verdict = RECORD_AUDIT;
	r[3].direction = DIRECTION_INGRESS; /* the far end is the source: payments itself */
	strcpy(r[3].service, "ledger");
	r[3].has_uid = false;
	r[3].uid = 0;
	r[4].destination = (struct record_end) { .addr = { AF_INET6, { 0xfd, [15] = 1 } } };
	r[4].proto = 58;
	r[4].has_icmp = true;
	r[4].icmp_type = 128;
	r[5].proto = 17;
	r[5].destination.port = 53;
	r[5].uid = 0;
	strcpy(r[6].rule_name, "no-metadata");
	r[6].rule_kind = RECORD_GUARDRAIL;
	r[6].packets = 1000;
	r[7].aggregated = true;
	r[7].proto = 0;
	r[7].source = r[7].destination = (struct record_end) { 0 };
	r[7].last_seen += 30 * SECOND;
	for (int i = 0; i < 8; i++)
		add(f, &r[i]);
	commit(f, T0);
}

static struct flows_reader *eight(void)
{
	struct flows *f = begin(NULL, T0);

	make_eight(f);
	flows_close(f, T0);
	return read_it();
}

/* The numbers of those that match, as digits. */
static const char *which(struct flows_reader *r, const struct flows_filter *f)
{
	static char digits[64];
	size_t n = ask(r, f);

	assert_true(n < sizeof(digits));
	for (size_t i = 0; i < n; i++)
		digits[i] = (char)('0' + (got[i].first_seen - T0) / SECOND);
	digits[n] = '\0';
	return digits;
}

#define WORDS(...) ((const char *const[]) { __VA_ARGS__ })

static void by_words(void **state)
{
	static const struct {
		const char *words[2];
		const char *service, *endpoint, *rule, *peer;
	} cases[] = {
		{ { "payments" }, "024567", "", "", "3" },
		{ { "web" }, "1", "", "", "" },
		{ { "shop" }, "1", "", "", "" },
		{ { "we" }, "", "", "", "" },
		{ { "web,shop" }, "", "", "", "" },
		{ { "ledger", "web" }, "13", "", "", "012567" },
		{ { "books" }, "", "", "", "01256" },
		{ { "pay-1" }, "", "0134567", "", "3" },
		{ { "c0ff" }, "", "0134567", "", "" }, /* an id from its beginning */
		{ { "c0f" }, "", "", "", "" },         /* too little of it */
		{ { "c0ffee" }, "", "0134567", "", "3" },
		{ { "deadbeef", "pay-1" }, "", "01234567", "", "3" },
		{ { "default-deny" }, "", "", "0123457", "" },
		{ { "no-metadata" }, "", "", "6", "" },
		{ { "guardrail" }, "", "", "6", "" },
		{ { "1edge7" }, "", "", "", "01256" },
		{ { "" }, "", "", "", "" },
	};
	struct flows_reader *r = eight();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		const char *const *w = cases[i].words;
		size_t n = w[1] ? 2 : 1;
		const struct flows_peer peers[] = { { .word = w[0] }, { .word = w[1] } };
		struct flows_filter f = { .services = w, .n_services = n };

		assert_string_equal(which(r, &f), cases[i].service);
		f = (struct flows_filter) { .endpoints = w, .n_endpoints = n };
		assert_string_equal(which(r, &f), cases[i].endpoint);
		f = (struct flows_filter) { .rules = w, .n_rules = n };
		assert_string_equal(which(r, &f), cases[i].rule);
		f = (struct flows_filter) { .peers = peers, .n_peers = n };
		if (strcmp(w[0], "ledger") != 0) /* whose second word is no peer */
			assert_string_equal(which(r, &f), cases[i].peer);
	}
	flows_reader_close(r);
}

static void by_address(void **state)
{
	static const struct {
		struct flows_peer peer;
		const char *found;
	} cases[] = {
		{ { .prefix = { { AF_INET, { 10, 0, 0, 2 } }, 32 } }, "01256" },
		{ { .prefix = { { AF_INET, { 10 } }, 8 } }, "012356" },
		{ { .prefix = { { AF_INET, { 10, 0, 0, 1 } }, 32 } }, "3" },
		{ { .prefix = { { AF_INET6, { 0xfd } }, 8 } }, "4" },
		{ { .prefix = { { AF_INET, { 0 } }, 0 } }, "012356" },
	};
	struct flows_reader *r = eight();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		const struct flows_filter f = { .peers = &cases[i].peer, .n_peers = 1 };

		assert_string_equal(which(r, &f), cases[i].found);
	}
	flows_reader_close(r);
}

static void by_port(void **state)
{
	static const struct {
		const char *port, *found;
	} cases[] = {
		{ "6379/tcp", "01236" },
		{ "6000-7000/tcp", "01236" },
		{ "tcp", "01236" },
		{ "53/udp", "5" },
		{ "53/tcp", "" },
		{ "any", "0123456" },
		{ "icmpv6/echo-request", "4" },
		{ "icmpv6", "4" },
		{ "icmp", "" },
	};
	struct flows_reader *r = eight();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++) {
		struct port_spec p;
		const struct flows_filter f = { .ports = &p, .n_ports = 1 };
		const char *why;

		assert_int_equal(port_spec_parse(cases[i].port, &p, &why), 0);
		assert_string_equal(which(r, &f), cases[i].found);
	}
	flows_reader_close(r);
}

static void by_number(void **state)
{
	const uint32_t uids[] = { 0, 7 };
	const struct {
		struct flows_filter f;
		const char *found;
	} cases[] = {
		{ { 0 }, "01234567" },
		{ { .uids = uids, .n_uids = 2 }, "5" },
		{ { .verdicts = 1 << RECORD_AUDIT }, "2" },
		{ { .verdicts = 1 << RECORD_AUDIT | 1 << RECORD_DENY }, "01234567" },
		{ { .verdicts = 1 << RECORD_ALLOW }, "" },
		{ { .directions = 1 << DIRECTION_INGRESS }, "3" },
		{ { .since = T0 + 6 * SECOND }, "67" },
		{ { .since = T0 + 20 * SECOND }, "7" }, /* it lasted */
		{ { .since = T0 + 37 * SECOND }, "7" },
		{ { .since = T0 + 37 * SECOND + 1 }, "" },
		{ { .until = T0 + SECOND }, "0" },
		{ { .since = T0 + SECOND, .until = T0 + 3 * SECOND }, "12" },
		{ { .since = T0 + 2 * SECOND,
		    .verdicts = 1 << RECORD_DENY,
		    .directions = 1 << DIRECTION_EGRESS,
		    .uids = uids,
		    .n_uids = 2 },
		  "5" },
	};
	struct flows_reader *r = eight();

	for (size_t i = 0; i < BH_ARRAY_SIZE(cases); i++)
		assert_string_equal(which(r, &cases[i].f), cases[i].found);
	flows_reader_close(r);
}

/* --- order and pages -------------------------------------------------------------------------- */

/* All pages of N, their numbers joined. */
static const char *paged(struct flows_reader *r, struct flows_order o)
{
	const struct flows_filter all = { 0 };
	static char digits[64];
	struct flows_cursor end = { 0 };
	size_t n = 0;
	bool more = true;

	for (int page = 0; more; page++) {
		assert_true(page < 20);
		o.after = end;
		ask_ordered(r, &all, &o, &end, &more);
		assert_true(n_got <= o.limit);
		assert_int_equal(more, n + n_got < 8);
		for (size_t i = 0; i < n_got; i++)
			digits[n++] = (char)('0' + (got[i].first_seen - T0) / SECOND);
		digits[n++] = '|';
		n--;
	}
	digits[n] = '\0';
	return digits;
}

static void pages(void **state)
{
	struct flows_reader *r = eight();

	for (size_t limit = 1; limit < 10; limit++) {
		struct flows_order o = { .limit = limit };

		assert_string_equal(paged(r, o), "01234567");
		o.reverse = true;
		assert_string_equal(paged(r, o), "76543210");
		o.sort = FLOWS_BY_PACKETS;
		assert_string_equal(paged(r, o), "01234576");
		o.reverse = false;
		assert_string_equal(paged(r, o), "67543210");
	}
	flows_reader_close(r);
}

/* Many at the same moment: a page ends between them and loses none. */
static void pages_of_one_moment(void **state)
{
	const struct flows_filter all = { 0 };
	struct flows_order o = { .limit = 7 };
	struct flow_record rec = plain(T0);
	struct flows *f = begin(NULL, T0);
	struct flows_cursor end = { 0 };
	struct flows_reader *r;
	bool more = true;
	size_t n = 0;

	for (uint16_t i = 0; i < 100; i++) {
		rec.source.port = i;
		add(f, &rec);
	}
	flows_close(f, T0);
	r = read_it();
	while (more) {
		o.after = end;
		ask_ordered(r, &all, &o, &end, &more);
		for (size_t i = 0; i < n_got; i++)
			assert_int_equal(got[i].source.port, n++);
	}
	assert_int_equal(n, 100);
	flows_reader_close(r);
}

/* --- groups ----------------------------------------------------------------------------------- */

static char grouped[4096];

static int on_group(const struct flows_group *g, void *arg)
{
	size_t n = strlen(grouped), n_by = *(const size_t *)arg;

	for (size_t i = 0; i < n_by; i++)
		n += (size_t)snprintf(grouped + n, sizeof(grouped) - n, "%s ", g->values[i]);
	snprintf(grouped + n, sizeof(grouped) - n, "%u/%u %u-%u\n", (unsigned)g->packets,
		 (unsigned)g->records, (unsigned)((g->first - T0) / SECOND),
		 (unsigned)((g->last - T0) / SECOND));
	return 0;
}

static const char *group(struct flows_reader *r, const struct flows_filter *f,
			 const enum flows_field *by, size_t n, const struct flows_order *o,
			 struct flows_timeline *t, struct flows_totals *totals)
{
	struct bh_err err = BH_ERR_INIT;

	grouped[0] = '\0';
	if (flows_group(r, f, by, n, o, on_group, &n, t, totals, &err) < 0)
		fail_msg("%s", err.msg);
	return grouped;
}

static void groups(void **state)
{
	const enum flows_field by[] = { FLOWS_SERVICE, FLOWS_PEER, FLOWS_PORT };
	const enum flows_field others[] = { FLOWS_DIRECTION, FLOWS_VERDICT, FLOWS_RULE, FLOWS_UID,
					    FLOWS_ADDRESS };
	const struct flows_filter all = { 0 }, late = { .since = T0 + 4 * SECOND };
	const struct flows_order most = { .sort = FLOWS_BY_PACKETS }, time = { 0 },
				 page = { .limit = 2, .skip = 1 },
				 few = { .sort = FLOWS_BY_RECORDS, .reverse = true, .limit = 1 };
	struct flows_totals totals;
	struct flows_reader *r = eight();

	assert_string_equal(group(r, &all, by, 3, &most, NULL, &totals),
			    "payments ledger,books 6379/tcp 1002/3 0-6\n"
			    "web,shop ledger,books 6379/tcp 1/1 1-1\n"
			    "ledger payments 6379/tcp 1/1 3-3\n"
			    "payments fd00::1 icmpv6/echo-request 1/1 4-4\n"
			    "payments ledger,books 53/udp 1/1 5-5\n"
			    "payments   1/1 7-37\n");
	assert_int_equal(totals.groups, 6);
	assert_int_equal(totals.records, 8);
	assert_int_equal(totals.packets, 1007);
	assert_int_equal(totals.first, T0);
	assert_int_equal(totals.last, T0 + 37 * SECOND);
	assert_string_equal(group(r, &late, by, 1, &time, NULL, &totals), "payments 1003/4 4-37\n");
	assert_string_equal(group(r, &all, by, 1, &page, NULL, &totals),
			    "web,shop 1/1 1-1\nledger 1/1 3-3\n");
	assert_int_equal(totals.groups, 3);
	assert_string_equal(group(r, &all, by, 1, &few, NULL, NULL), "web,shop 1/1 1-1\n");
	assert_string_equal(group(r, &all, NULL, 0, &time, NULL, &totals), "1007/8 0-37\n");
	assert_string_equal(group(r, &late, others, 5, &time, NULL, NULL),
			    "egress deny default-deny 1000 fd00::1 1/1 4-4\n"
			    "egress deny default-deny 0 10.0.0.2 1/1 5-5\n"
			    "egress deny no-metadata 1000 10.0.0.2 1000/1 6-6\n"
			    "egress deny default-deny 1000  1/1 7-37\n");
	flows_reader_close(r);
}

/* A second writer gives the same text another number: it is the same group all the same. */
static void groups_over_writers(void **state)
{
	const enum flows_field by = FLOWS_REASON;
	const struct flows_filter all = { 0 };
	const struct flows_order time = { 0 };
	struct flow_record rec = plain(T0);
	struct flows_totals totals;
	struct flows_reader *r;

	for (int i = 0; i < 3; i++) {
		struct flows *f = begin(NULL, T0);

		add(f, &rec);
		flows_close(f, T0);
	}
	r = read_it();
	group(r, &all, &by, 1, &time, NULL, &totals);
	assert_int_equal(totals.groups, 1);
	assert_int_equal(totals.records, 3);
	flows_reader_close(r);
}

static void timeline(void **state)
{
	const struct flows_filter all = { 0 }, until = { .until = T0 + 4 * SECOND };
	const struct flows_order time = { 0 };
	uint64_t packets[8] = { 0 }, halves[2] = { 0 }, wide[4] = { 0 };
	struct flows_timeline t = { .n = 8, .packets = packets },
			      two = { .n = 2, .packets = halves },
			      given = { .from = T0,
					.to = T0 + 16 * SECOND - 1,
					.n = 4,
					.packets = wide };
	struct flows_reader *r = eight();

	group(r, &all, NULL, 0, &time, &t, NULL);
	assert_int_equal(t.from, T0);
	assert_int_equal(t.to, T0 + 7 * SECOND);
	for (int i = 0; i < 8; i++)
		assert_int_equal(packets[i], i == 6 ? 1000 : 1);
	group(r, &until, NULL, 0, &time, &two, NULL);
	assert_int_equal(halves[0], 2);
	assert_int_equal(halves[1], 2);
	group(r, &all, NULL, 0, &time, &given, NULL);
	assert_int_equal(wide[0], 4);
	assert_int_equal(wide[1], 1003);
	assert_int_equal(wide[2], 0);
	flows_reader_close(r);
}

/* --- whose ------------------------------------------------------------------------------------ */

#define TEST_PORT 61000

/* A SYN from that port, as it was logged; SEQ is what tells a test's. */
static void put_syn(struct flow_record *r, uint16_t port, uint32_t seq)
{
	const uint8_t syn[] = { 0x45,
				0,
				0,
				40,
				0,
				0,
				0,
				0,
				64,
				6,
				0,
				0,
				10,
				0,
				0,
				1,
				10,
				0,
				0,
				2,
				(uint8_t)(port >> 8),
				(uint8_t)port,
				0x18,
				0xeb,
				(uint8_t)(seq >> 24),
				(uint8_t)(seq >> 16),
				(uint8_t)(seq >> 8),
				(uint8_t)seq,
				0,
				0,
				0,
				0,
				0x50,
				2,
				4,
				0,
				0,
				0,
				0,
				0 };

	r->source.port = port;
	record_packet_set(&r->packet, syn, sizeof(syn), 0, sizeof(syn));
}

static void make_suspects(struct flows *f)
{
	struct flow_record r[10];

	for (int i = 0; i < 10; i++) {
		r[i] = plain(T0 + i * SECOND);
		put_syn(&r[i], TEST_PORT, 0x62686270);
	}
	/* 0 and 9: before and after the test; 1 is the test's, and so is 2, of a raw socket */
	put_syn(&r[2], TEST_PORT + 1, 0x62686270);
	put_syn(&r[3], 40000, 0x62686270);    /* another port */
	put_syn(&r[4], TEST_PORT, 0x1234567); /* the port alone */
	r[5].packets = 2;                     /* one more than a test has in one record */
	r[5].source.has_port = false;
	r[6].source.has_port = false; /* made of counts */
	r[6].source.port = 0;
	r[6].packet.len = 0;
	r[6].packets = 3;
	r[7] = r[6]; /* the same, and somebody went on behind the end */
	r[7].first_seen = T0 + 7 * SECOND;
	r[7].last_seen = T0 + 20 * SECOND;
	r[8].packet.len = 0; /* no packet, and a port that is not the test's */
	r[8].source.port = 40000;
	for (int i = 0; i < 10; i++)
		add(f, &r[i]);
	commit(f, T0);
}

/* An attempt of the time of a test is left out only when the test made it, by what its packet shows. */
static void by_whose(void **state)
{
	const struct flows_test test = { { T0 + SECOND, T0 + 8 * SECOND }, TEST_PORT };
	const struct flows_test both[] = { { { T0, T0 + 9 * SECOND }, 61500 }, test };
	const enum flows_field by = FLOWS_SERVICE;
	const struct flows_order time = { 0 };
	struct flows_filter f = { .tests = &test, .n_tests = 1 };
	struct flows *w = begin(NULL, T0);
	struct flows_reader *r;

	make_suspects(w);
	flows_close(w, T0);
	r = read_it();
	assert_string_equal(which(r, &f), "0123456789");
	f.whose = FLOWS_OTHERS;
	assert_string_equal(which(r, &f), "0345789");
	assert_string_equal(group(r, &f, &by, 1, &time, NULL, NULL), "payments 10/7 0-20\n");
	f.whose = FLOWS_UNCLEAR;
	assert_string_equal(which(r, &f), "6");
	assert_string_equal(group(r, &f, &by, 1, &time, NULL, NULL), "payments 3/1 6-6\n");
	f.whose = FLOWS_A_TESTS;
	assert_string_equal(which(r, &f), "12");
	f.tests = both; /* at the same time as another one */
	f.n_tests = 2;
	assert_string_equal(which(r, &f), "12");
	f.n_tests = 0;
	assert_string_equal(which(r, &f), "");
	flows_reader_close(r);
}

static void field_names(void **state)
{
	enum flows_field f;

	for (int i = 0; i < FLOWS_FIELDS; i++) {
		assert_int_equal(flows_field_parse(flows_field_name(i), &f), 0);
		assert_int_equal(f, i);
	}
	assert_int_equal(flows_field_parse("", &f), -EINVAL);
	assert_int_equal(flows_field_parse("services", &f), -EINVAL);
}

/* A snapshot while somebody writes: a question that was begun sees nothing of it, the next one does. */
static void reads_beside_a_writer(void **state)
{
	struct flow_record rec = plain(T0);
	const struct flows_filter all = { 0 };
	struct flows *f = begin(NULL, T0);
	struct flows_reader *r;

	add(f, &rec);
	commit(f, T0);
	r = read_it();
	for (size_t n = 1; n < 50; n++) {
		assert_int_equal(ask(r, &all), n);
		add(f, &rec);
		assert_int_equal(ask(r, &all), n);
		commit(f, T0);
		flows_tend(f, T0);
	}
	flows_reader_close(r);
	flows_close(f, T0);
	assert_string_equal(notices, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY(by_words),
		HISTORY(by_address),
		HISTORY(by_port),
		HISTORY(by_number),
		HISTORY(by_whose),
		HISTORY(pages),
		HISTORY(pages_of_one_moment),
		HISTORY(groups),
		HISTORY(groups_over_writers),
		HISTORY(timeline),
		HISTORY(reads_beside_a_writer),
		cmocka_unit_test(field_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
