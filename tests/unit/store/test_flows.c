/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flows_fixture.h"

#include "../../../src/store/flows_row.h"

/* What goes into the history comes out of it. */

/* --- random records --------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t dice(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % n;
}

/* Few texts, so that they recur, and some that fill their field, with bytes of any kind. */
static void random_text(char *out, size_t size)
{
	static const char *const some[] = { "",
					    "",
					    "web",
					    "ledger",
					    "shop/payments",
					    "a,b",
					    "\xc3\xa9t\xc3\xa9",
					    "tab\\x09",
					    "\xff\x01 odd",
					    "\xe2\x80\xae" };
	uint32_t n = dice(BH_ARRAY_SIZE(some) + 1);
	size_t len;

	memset(out, 0, size);
	if (n < BH_ARRAY_SIZE(some)) {
		snprintf(out, size, "%s", some[n]);
		return;
	}
	len = dice(2) ? size - 1 : dice((uint32_t)size);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(1 + dice(255));
}

/* As the explaining code leaves it: escaped, and cut where it does not fit. */
static void random_escaped(char *out, size_t size)
{
	char raw[600];
	struct bh_buf b;

	random_text(raw, sizeof(raw));
	bh_buf_init(&b, 8 * sizeof(raw));
	bh_escape(&b, raw, strlen(raw));
	if (dice(4) == 0)
		for (int i = 0; i < 200; i++)
			bh_buf_addstr(&b, "\xe2\x82\xac"); /* cut in the middle of one */
	memset(out, 0, size);
	snprintf(out, size, "%s", bh_buf_str(&b));
	bh_buf_done(&b);
}

static bool is_escaped(size_t i)
{
	const char *name = flows_text_fields[i].name;

	return strcmp(name, "rule_file") == 0 || strcmp(name, "reason") == 0 ||
	       strcmp(name, "near_miss") == 0 || strcmp(name, "other_side") == 0;
}

static void random_texts(struct flow_record *r)
{
	for (size_t i = 0; i < FLOWS_TEXTS; i++) {
		char *out = (char *)r + flows_text_fields[i].offset;

		if (!flows_text_fields[i].size)
			continue;
		if (is_escaped(i))
			random_escaped(out, flows_text_fields[i].size);
		else
			random_text(out, flows_text_fields[i].size);
	}
}

static void random_address(struct bh_addr *a)
{
	static const uint8_t families[] = { 0, AF_INET, AF_INET6 };

	a->family = families[dice(3)];
	for (size_t i = 0; a->family && i < bh_addr_len(a->family); i++)
		a->b[i] = (uint8_t)dice(256);
}

static void random_end(struct record_end *e)
{
	random_address(&e->addr);
	e->has_port = dice(2);
	e->port = e->has_port ? (uint16_t)dice(65536) : 0;
}

static void random_rest(struct flow_record *r)
{
	r->n_samples = dice(3) ? 0 : dice(RECORD_SAMPLES + 1);
	r->flows = r->n_samples ? dice(100000) : 0;
	for (unsigned i = 0; i < r->n_samples; i++) {
		random_address(&r->samples[i].peer);
		r->samples[i].proto = (uint16_t)dice(256);
		r->samples[i].port = (uint16_t)dice(65536);
	}
	r->packet.len = (uint16_t)(dice(2) ? dice(BH_NFLOG_COPY_RANGE + 1) : 0);
	if (!r->packet.len)
		return;
	r->packet.ip_at = (uint16_t)dice(r->packet.len + 1u);
	r->packet.length = r->packet.len + dice(65536);
	for (unsigned i = 0; i < r->packet.len; i++)
		r->packet.bytes[i] = (uint8_t)dice(256);
}

static struct flow_record random_record(void)
{
	static const char *const unknown[] = { NULL, "the socket was closed already", "a\\b" };
	struct flow_record r;

	memset(&r, 0, sizeof(r));
	random_texts(&r);
	random_end(&r.source);
	random_end(&r.destination);
	random_rest(&r);
	r.first_seen = T0 + dice(1000000000);
	r.last_seen = r.first_seen + (dice(2) ? dice(60000000) : 0);
	r.verdict = dice(3);
	r.direction = dice(2);
	r.packets = dice(4) ? 1 + dice(10) : UINT64_MAX - dice(1000);
	r.bytes = dice(4) ? dice(100000) : UINT64_MAX - dice(1000);
	r.proto = (uint16_t)dice(256);
	r.has_icmp = dice(2);
	r.icmp_type = (uint8_t)(r.has_icmp ? dice(256) : 0);
	r.icmp_code = (uint8_t)(r.has_icmp ? dice(256) : 0);
	r.has_tcp_flags = dice(2);
	r.tcp_flags = (uint8_t)(r.has_tcp_flags ? dice(256) : 0);
	r.aggregated = dice(2);
	r.has_frame = dice(2);
	for (int i = 0; r.has_frame && i < 6; i++) {
		r.frame_source[i] = (uint8_t)dice(256);
		r.frame_destination[i] = (uint8_t)dice(256);
	}
	r.frame_type = (uint16_t)(r.has_frame ? dice(65536) : 0);
	r.has_uid = dice(2);
	r.has_gid = dice(2);
	r.uid = r.has_uid ? UINT32_MAX - dice(3) : 0;
	r.gid = r.has_gid ? dice(70000) : 0;
	r.process.pid = dice(2) ? 1 + dice(4000000) : 0;
	r.process.unknown = unknown[dice(3)];
	r.rule_kind = dice(6);
	r.rule_line = dice(2) ? dice(1000) : 0;
	r.logged = dice(2);
	return r;
}

/* --- round trips ------------------------------------------------------------------------------ */

static void assert_same(const struct flow_record *in, const struct flow_record *out)
{
	struct flow_record a = *in, b = *out;

	assert_int_equal(!a.process.unknown, !b.process.unknown);
	if (a.process.unknown)
		assert_string_equal(a.process.unknown, b.process.unknown);
	a.process.unknown = b.process.unknown = NULL;
	/* Fields first: a difference there says which. */
	for (size_t i = 0; i < FLOWS_TEXTS; i++)
		assert_string_equal(flows_text_of(&a, i), flows_text_of(&b, i));
	assert_memory_equal(&a, &b, sizeof(a));
}

static void assert_same_json(const struct flow_record *in, const struct flow_record *out)
{
	struct bh_buf a, b;

	bh_buf_init(&a, 1 << 20);
	bh_buf_init(&b, 1 << 20);
	assert_int_equal(flow_record_json(in, &a), 0);
	assert_int_equal(flow_record_json(out, &b), 0);
	assert_string_equal(bh_buf_str(&a), bh_buf_str(&b));
	bh_buf_done(&a);
	bh_buf_done(&b);
}

#define MANY 2000
static struct flow_record in[MANY];
static size_t at;

static int compare(const struct flow_record *rec, void *arg)
{
	assert_true(at < MANY);
	/* packets above INT64_MAX and all */
	assert_same(&in[at], rec);
	assert_same_json(&in[at], rec);
	at++;
	return 0;
}

/* In the order of time: a random one would be another order than that of IN. */
static void fill(struct flows *f)
{
	for (size_t i = 0; i < MANY; i++) {
		int64_t span;

		in[i] = random_record();
		span = in[i].last_seen - in[i].first_seen;
		in[i].first_seen = T0 + (int64_t)i * 1000;
		in[i].last_seen = in[i].first_seen + span;
		add(f, &in[i]);
		if (i % 100 == 99)
			commit(f, T0);
	}
	commit(f, T0);
}

static void round_trip(void **state)
{
	const struct flows_filter all = { 0 };
	const struct flows_order order = { 0 };
	struct flows_cursor end;
	struct flows_reader *r;
	bool more = true;

	for (seed = 1; seed < 4; seed++) {
		struct flows *f = begin(NULL, T0);
		uint64_t kept = seed;

		fill(f);
		r = read_it();
		at = 0;
		assert_int_equal(flows_query(r, &all, &order, compare, NULL, &end, &more, NULL), 0);
		assert_int_equal(at, MANY);
		assert_false(more);
		flows_reader_close(r);
		flows_close(f, T0);
		seed = kept;
		unlinkat(dir, FLOWS_FILE, 0);
	}
	assert_string_equal(notices, "");
}

/* A second writer goes on where the first one ended, and knows nothing of what it wrote. */
static void goes_on(void **state)
{
	struct flow_record a = plain(T0), b = plain(T0 + SECOND);

	for (int i = 0; i < 3; i++) {
		struct flows *f = begin(NULL, T0);

		add(f, i == 1 ? &b : &a);
		flows_close(f, T0);
	}
	assert_int_equal(count_all(), 3);
	assert_same(&a, &got[0]);
	assert_same(&a, &got[1]);
	assert_same(&b, &got[2]);
}

/* --- signals ---------------------------------------------------------------------------------- */

static struct flow_signal signals[8];
static size_t n_signals;

static int on_signal(const struct flow_signal *s, void *arg)
{
	assert_true(n_signals < BH_ARRAY_SIZE(signals));
	signals[n_signals++] = *s;
	return 0;
}

/* Its one signal is S now; RET_R is open. */
static struct flows *keep_signal(const struct flow_signal *s, struct flows_reader **ret_r)
{
	const struct flows_filter all = { 0 };
	const struct flows_order order = { 0 };
	struct flows *f = begin(NULL, T0);

	assert_int_equal(flows_add_signal(f, s), 0);
	commit(f, T0);
	*ret_r = read_it();
	n_signals = 0;
	assert_int_equal(
		flows_query_signals(*ret_r, &all, &order, on_signal, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(n_signals, 1);
	return f;
}

static void signals_round_trip(void **state)
{
	struct flow_signal s = { .kind = SIGNAL_PORT_SCAN,
				 .when = T0 + 5,
				 .window_s = 60,
				 .ports = 100,
				 .peers = 3,
				 .packets = 117,
				 .record = plain(T0),
				 .reason = "payments looks at many ports" };
	const struct flows_filter other = { .directions = 1 << DIRECTION_INGRESS };
	const struct flows_order order = { 0 };
	struct flows_reader *r;
	struct flows *f = keep_signal(&s, &r);

	assert_same(&s.record, &signals[0].record);
	assert_string_equal(s.reason, signals[0].reason);
	assert_int_equal(signals[0].kind, s.kind);
	assert_int_equal(signals[0].when, s.when);
	assert_int_equal(signals[0].window_s, 60);
	assert_int_equal(signals[0].ports, 100);
	assert_int_equal(signals[0].peers, 3);
	assert_int_equal(signals[0].packets, 117); /* of those before, too */
	assert_string_equal(signals[0].scope, "");
	assert_int_equal(flows_query_signals(r, &other, &order, on_signal, NULL, NULL, NULL, NULL),
			 0);
	assert_int_equal(n_signals, 1);
	flows_reader_close(r);
	flows_close(f, T0);
	assert_int_equal(count_all(), 0); /* a signal is no record */
}

static void scope_round_trip(void **state)
{
	const struct flow_signal s = { .kind = SIGNAL_INTO_SCOPE,
				       .when = T0,
				       .packets = 3,
				       .scope = "cde",
				       .record = plain(T0),
				       .reason = "payments was denied vault in cde" };
	struct flows_reader *r;
	struct flows *f = keep_signal(&s, &r);

	assert_string_equal(signals[0].scope, "cde");
	assert_int_equal(signals[0].packets, 3);
	flows_reader_close(r);
	flows_close(f, T0);
}

/* --- accounts --------------------------------------------------------------------------------- */

static struct flows_account accounts[8];
static size_t n_accounts;

static int on_account(const struct flows_account *a, void *arg)
{
	assert_true(n_accounts < BH_ARRAY_SIZE(accounts));
	accounts[n_accounts++] = *a;
	return 0;
}

static void accounts_replace(void **state)
{
	struct flows_account a = { .endpoint = "c0ffee",
				   .netns = UINT64_MAX,
				   .name = "pay-1",
				   .service = "payments",
				   .denied = 10,
				   .recorded = 7,
				   .not_recorded = 3,
				   .counter = UINT64_MAX - 1,
				   .when = T0 };
	struct flows *f = begin(NULL, T0);
	struct flows_reader *r;

	memset(a.endpoint + 7, 0, sizeof(a.endpoint) - 7);
	assert_int_equal(flows_put_account(f, &a), 0);
	commit(f, T0);
	a.denied = 12;
	a.recorded = 9;
	assert_int_equal(flows_put_account(f, &a), 0);
	a.direction = DIRECTION_INGRESS;
	assert_int_equal(flows_put_account(f, &a), 0);
	flows_close(f, T0);

	f = begin(NULL, T0); /* started again */
	n_accounts = 0;
	assert_int_equal(flows_accounts(f, on_account, NULL, NULL), 0);
	assert_int_equal(n_accounts, 2);
	flows_close(f, T0);

	r = read_it();
	n_accounts = 0;
	assert_int_equal(flows_sums(r, on_account, NULL, NULL), 0);
	assert_int_equal(n_accounts, 2);
	assert_memory_equal(&accounts[1], &a, sizeof(a));
	assert_int_equal(accounts[0].denied, 12);
	flows_reader_close(r);
}

/* --- follow ----------------------------------------------------------------------------------- */

static size_t follow(struct flows_reader *r, const struct flows_filter *f)
{
	struct bh_err err = BH_ERR_INIT;

	n_got = n_signals = 0;
	if (flows_follow(r, f, on_got, on_signal, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return n_got;
}

static void follows(void **state)
{
	const uint32_t uid = 1000;
	const struct flows_filter filter = { .uids = &uid, .n_uids = 1 };
	struct flow_record a = plain(T0), other = plain(T0);
	struct flow_signal s = { .when = T0, .record = a };
	struct flows *f = begin(NULL, T0);
	struct flows_reader *r;
	struct bh_err err = BH_ERR_INIT;

	other.uid = 7;
	add(f, &a);
	commit(f, T0);
	r = read_it();
	assert_int_equal(follow(r, &filter), 0); /* was there before */
	add(f, &other);
	assert_int_equal(follow(r, &filter), 0);
	add(f, &a);
	assert_int_equal(flows_add_signal(f, &s), 0);
	commit(f, T0);
	assert_int_equal(follow(r, &filter), 1);
	assert_int_equal(n_signals, 1);
	assert_same(&a, &got[0]);
	assert_int_equal(follow(r, &filter), 0);
	for (int i = 0; i < 3000; i++) {
		a.first_seen = a.last_seen = T0 + i;
		if (flows_add(f, &a) == 1)
			commit(f, T0);
	}
	commit(f, T0);
	assert_int_equal(follow(r, &filter), 3000);
	flows_close(f, T0);
	assert_int_equal(renameat(dir, FLOWS_FILE, dir, "elsewhere"), 0);
	flows_follow(r, &filter, on_got, on_signal, NULL, &err);
	assert_int_equal(flows_follow(r, &filter, on_got, on_signal, NULL, &err), -ESTALE);
	flows_reader_close(r);
	f = begin(NULL, T0 + 5); /* what the old one had no place for is in the new one at once */
	add(f, &a);
	commit(f, T0 + 5);
	r = read_it();
	assert_int_equal(flows_follow_since(r, T0 + 6, &err), 0);
	assert_int_equal(follow(r, &filter), 0);
	flows_reader_close(r);
	r = read_it();
	assert_int_equal(flows_follow_since(r, T0 + 5, &err), 0);
	assert_int_equal(follow(r, &filter), 1);
	flows_reader_close(r);
	flows_close(f, T0);
}

static void who_keeps_it(void **state)
{
	struct flows *f;

	assert_false(flows_is_kept(dir));
	f = begin(NULL, T0);
	assert_true(flows_is_kept(dir));
	flows_close(f, T0);
	assert_false(flows_is_kept(dir));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HISTORY(round_trip),       HISTORY(goes_on),          HISTORY(signals_round_trip),
		HISTORY(scope_round_trip), HISTORY(accounts_replace), HISTORY(follows),
		HISTORY(who_keeps_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
