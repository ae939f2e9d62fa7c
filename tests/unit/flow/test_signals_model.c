/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/flow/signals.h>

#include "records.h"

/*
 * Random streams of records among few parties, and a model that keeps every record and every signal of
 * its own and looks through all of them each time: docs/signals.md said again, without a bound on
 * memory, a digest or a table.
 */

#define RECORDS_MAX 3000
#define SIGNALS_MAX 20000

static const struct party parties[] = {
	{ "shop/web", "web", "web", "shop", { 10, 0, 0, 1 } },
	{ "shop/web2", "web2", "web", "shop", { 10, 0, 0, 2 } },
	{ "shop/db", "db", "db", "shop, cde", { 10, 0, 0, 3 } },
	{ "shop/cache", "cache", NULL, NULL, { 10, 0, 0, 4 } },
	{ "shop/pay", "pay", "pay", "cde", { 10, 0, 0, 5 } },
	{ .addr = { 192, 0, 2, 7 } },
	{ .addr = { 192, 0, 2, 8 } },
	{ .addr = { 198, 51, 100, 9 } },
};
#define N_PARTIES BH_ARRAY_SIZE(parties)
#define N_LOCAL   5

/* --- the model ------------------------------------------------------------------------------ */

struct seen {
	const struct party *from, *to;
	unsigned port;
	enum direction direction;
	bool later, answer, raw;
	uint64_t packets;
	int64_t when;
	bool adds;      /* to what a scan is counted by */
	bool continues; /* an open connection: no attempt */
};

struct said {
	enum signal_kind kind;
	const struct seen *of;
	char scope[16];
	int64_t when;
	uint32_t ports, peers;
	uint64_t packets;
	size_t record; /* index of OF */
};

/* How a kind was asked for at an endpoint and way: the windows begin with an ask. */
struct asked {
	int64_t since;
	unsigned told;
};

struct model {
	struct seen seen[RECORDS_MAX];
	size_t n;
	struct said said[SIGNALS_MAX];
	size_t n_said;
	struct asked asked[SIGNAL_KINDS][N_PARTIES][3];
	size_t kept_back;
	/* what came */
	size_t n_came;
};

static const struct party *self_of(const struct seen *e)
{
	return e->direction == DIRECTION_EGRESS ? e->from : e->to;
}

static int way_of(const struct seen *e)
{
	return e->direction == DIRECTION_EGRESS ? 0 : e->from->endpoint ? 1 : 2;
}

static const char *who(const struct party *p, char out[32])
{
	snprintf(out, 32, "%s%u.%u",
		 p->service ? p->service
		 : p->name  ? p->name
			    : "",
		 p->endpoint ? 0 : p->addr[2], p->endpoint ? 0 : p->addr[3]);
	return out;
}

static bool same_who(const struct party *a, const struct party *b)
{
	char x[32], y[32];

	return strcmp(who(a, x), who(b, y)) == 0;
}

static bool same_pair(const struct seen *a, const struct seen *b)
{
	return same_who(a->from, b->from) && same_who(a->to, b->to) && a->port == b->port;
}

static bool ask(struct model *m, enum signal_kind kind, const struct seen *e)
{
	struct asked *a = &m->asked[kind][self_of(e) - parties][way_of(e)];

	if (!a->since || e->when - a->since >= BH_SIGNAL_TOLD_S * SECOND)
		*a = (struct asked) { e->when, 0 };
	if (a->told >= BH_SIGNAL_TOLD_EACH_MAX) {
		m->kept_back++;
		return false;
	}
	a->told++;
	return true;
}

static struct said *say(struct model *m, enum signal_kind kind, const struct seen *e)
{
	struct said *s = &m->said[m->n_said++];

	assert_in_range(m->n_said, 1, SIGNALS_MAX);
	*s = (struct said) {
		.kind = kind, .of = e, .when = e->when, .record = (size_t)(e - m->seen)
	};
	return s;
}

static void model_raw(struct model *m, const struct seen *e)
{
	const struct said *last = NULL;
	uint64_t packets = 0;

	if (!e->raw)
		return;
	for (size_t i = 0; i < m->n_said; i++)
		if (m->said[i].kind == SIGNAL_RAW_SOCKET && self_of(m->said[i].of) == self_of(e))
			last = &m->said[i];
	if (last && e->when - last->when < BH_SIGNAL_RAW_S * SECOND)
		return;
	for (size_t i = last ? last->record + 1 : 0; i < m->n; i++)
		if (m->seen[i].raw && self_of(&m->seen[i]) == self_of(e))
			packets += m->seen[i].packets;
	if (ask(m, SIGNAL_RAW_SOCKET, e))
		say(m, SIGNAL_RAW_SOCKET, e)->packets = packets;
}

/* Distinct ports, or peers, that FROM tried within the window. */
static uint32_t distinct(const struct model *m, const struct seen *e, bool peers)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct seen *x = &m->seen[i];
		bool again = false;

		if (!x->adds || x->from != e->from ||
		    e->when / SECOND - x->when / SECOND >= BH_SIGNAL_SCAN_S)
			continue;
		for (size_t k = i + 1; k < m->n; k++)
			again |= m->seen[k].adds && m->seen[k].from == e->from &&
				 (peers ? m->seen[k].to == x->to : m->seen[k].port == x->port);
		n += !again; /* the last time counts */
	}
	return n;
}

static bool more(uint32_t n, uint32_t told)
{
	return n >= 15 && (told < 15 || n >= 2 * told);
}

static const struct said *last_scan(const struct model *m, const struct seen *e)
{
	const struct said *last = NULL;

	for (size_t i = 0; i < m->n_said; i++)
		if (m->said[i].kind == SIGNAL_PORT_SCAN && m->said[i].of->from == e->from)
			last = &m->said[i];
	return last;
}

static bool is_scanning(const struct model *m, const struct seen *e)
{
	const struct said *last = last_scan(m, e);

	return last && e->when - last->when < BH_SIGNAL_SCAN_S * SECOND;
}

static void model_scan(struct model *m, struct seen *e)
{
	const struct said *last = last_scan(m, e);
	uint32_t ports, peers;
	uint64_t packets = 0;
	struct said *s;

	if (e->later)
		return;
	e->adds = true;
	ports = distinct(m, e, false);
	peers = distinct(m, e, true);
	if (is_scanning(m, e) ? !more(ports, last->ports) && !more(peers, last->peers)
			      : ports < 15 && peers < 15)
		return;
	for (size_t i = last ? last->record + 1 : 0; i < m->n; i++)
		if (m->seen[i].from == e->from && !m->seen[i].continues)
			packets += m->seen[i].packets;
	if (!ask(m, SIGNAL_PORT_SCAN, e))
		return;
	s = say(m, SIGNAL_PORT_SCAN, e);
	s->ports = ports;
	s->peers = peers;
	s->packets = packets;
}

static void model_first(struct model *m, const struct seen *e)
{
	if (e->raw)
		return;
	for (size_t i = 0; i < m->n_said; i++)
		if (m->said[i].kind == SIGNAL_FIRST_DENIED && same_pair(m->said[i].of, e))
			return;
	if (is_scanning(m, e))
		m->kept_back++;
	else if (ask(m, SIGNAL_FIRST_DENIED, e))
		say(m, SIGNAL_FIRST_DENIED, e)->packets = e->packets;
}

static bool is_in(const struct party *p, const char *scope)
{
	return p->scope && strstr(p->scope, scope);
}

/* Who remembers an attempt: its source, or for one from afar the endpoint. */
static const struct party *memory_of(const struct seen *e)
{
	return e->from->endpoint ? e->from : self_of(e);
}

static void model_into(struct model *m, const struct seen *e, const char *scope)
{
	const struct said *last = NULL;
	uint64_t packets = 0;

	if (!is_in(e->to, scope) || is_in(e->from, scope))
		return;
	for (size_t i = 0; i < m->n_said; i++) {
		const struct said *s = &m->said[i];

		if (s->kind == SIGNAL_INTO_SCOPE && strcmp(s->scope, scope) == 0 &&
		    memory_of(s->of) == memory_of(e) && same_who(s->of->from, e->from))
			last = s;
	}
	if (last && e->when - last->when < BH_SIGNAL_SCOPE_S * SECOND)
		return;
	if (!ask(m, SIGNAL_INTO_SCOPE, e))
		return;
	for (size_t i = last ? last->record + 1 : 0; i < m->n; i++)
		if (memory_of(&m->seen[i]) == memory_of(e) && same_who(m->seen[i].from, e->from) &&
		    is_in(m->seen[i].to, scope) && !m->seen[i].continues)
			packets += m->seen[i].packets;
	*say(m, SIGNAL_INTO_SCOPE, e)->scope = '\0';
	m->said[m->n_said - 1].packets = packets;
	snprintf(m->said[m->n_said - 1].scope, sizeof(m->said->scope), "%s", scope);
}

/* Counted packets of a flow whose first packet, as it was seen last there, was an answer. */
static bool was_answer(const struct model *m, const struct seen *e)
{
	for (size_t i = m->n; i-- > 0;)
		if (&m->seen[i] != e && self_of(&m->seen[i]) == self_of(e) &&
		    same_pair(&m->seen[i], e) && !m->seen[i].later)
			return m->seen[i].answer;
	return false;
}

static bool continues(const struct model *m, const struct seen *e)
{
	return e->answer || (e->later && was_answer(m, e));
}

static void model_record(struct model *m, const struct seen *e)
{
	struct seen *mine = &m->seen[m->n++];

	*mine = *e;
	model_raw(m, mine);
	mine->continues = continues(m, mine);
	if (mine->continues)
		return;
	model_scan(m, mine);
	model_first(m, mine);
	model_into(m, mine, "shop");
	model_into(m, mine, "cde");
}

/* --- streams -------------------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state % n);
}

struct shape {
	unsigned ports, gap_ms, raw_in, answer_in, pause_in; /* _in: one in so many */
};

static struct seen random_seen(const struct shape *shape, const struct model *m, int64_t *now)
{
	const struct seen *before = m->n ? &m->seen[m->n - 1] : NULL;
	struct seen e = { .direction = random_below(2) ? DIRECTION_EGRESS : DIRECTION_INGRESS };
	bool out = e.direction == DIRECTION_EGRESS;

	*now += random_below(shape->gap_ms) * INT64_C(1000);
	if (random_below(shape->pause_in) == 0)
		*now += random_below(700) * SECOND;
	if (before && before->answer && random_below(3) == 0) {
		e = *before;
		e.later = true;
		e.answer = false;
		e.when = *now;
		return e;
	}
	e.when = *now;
	e.from = &parties[random_below(out ? N_LOCAL : N_PARTIES)];
	do {
		e.to = &parties[random_below(out ? N_PARTIES : N_LOCAL)];
	} while (e.to == e.from);
	e.port = 1 + random_below(shape->ports);
	e.packets = 1 + random_below(9);
	e.raw = out && random_below(shape->raw_in) == 0;
	e.later = !e.raw && random_below(3) == 0;
	if (e.later && was_answer(m, &e)) /* may be forgotten, but when it comes at once */
		e.later = false;
	e.answer = !e.later && random_below(shape->answer_in) == 0;
	return e;
}

static struct flow_record record_of(const struct seen *e)
{
	struct flow_record r = denied(e->from, e->to, e->port, e->direction, e->when);

	r.packets = e->packets;
	if (e->answer)
		r.tcp_flags = 0x12;
	if (e->raw)
		r.rule_kind = RECORD_RAW_SOCKET;
	return e->later ? counted_later(r, e->packets) : r;
}

static int compare(const struct flow_signal *s, void *arg)
{
	struct model *m = arg;
	const struct said *want = &m->said[m->n_came++];

	assert_in_range(m->n_came, 1, m->n_said);
	assert_string_equal(signal_kind_name(s->kind), signal_kind_name(want->kind));
	assert_int_equal(s->when, want->when);
	assert_int_equal(s->ports, want->ports);
	assert_int_equal(s->peers, want->peers);
	assert_int_equal(s->packets, want->packets);
	assert_string_equal(s->scope, want->scope);
	assert_string_equal(s->record.source.name,
			    want->of->from->name ? want->of->from->name : "");
	assert_int_equal(s->record.destination.port, want->of->port);
	return 0;
}

static void run(const struct shape *shape, uint64_t seed, size_t records, size_t told[SIGNAL_KINDS])
{
	struct model *m = calloc(1, sizeof(*m));
	const struct signals_options o = { .key = "sixteen bytes...", .emit = compare, .arg = m };
	struct signals_stats stats;
	struct signals *s;
	int64_t now = BEGIN;
	size_t kept = 0;

	assert_non_null(m);
	random_state = seed * 0x9e3779b97f4a7c15u + 1;
	assert_int_equal(signals_new(&o, &s, NULL), 0);
	for (size_t i = 0; i < records; i++) {
		const struct seen e = random_seen(shape, m, &now);
		const struct flow_record r = record_of(&e);

		model_record(m, &e);
		assert_int_equal(signals_record(s, &r), 0);
		assert_int_equal(m->n_came, m->n_said);
	}
	signals_stats(s, &stats);
	for (int k = 0; k < SIGNAL_KINDS; k++) {
		told[k] += stats.told[k];
		kept += stats.kept_back[k];
	}
	assert_int_equal(kept, m->kept_back);
	assert_int_equal(stats.pairs_forgotten + stats.sources_forgotten + stats.no_memory, 0);
	signals_free(s);
	free(m);
}

static void streams_are_as_the_model_says(void **state)
{
	static const struct shape shapes[] = {
		{ .ports = 5, .gap_ms = 3000, .raw_in = 20, .answer_in = 10, .pause_in = 50 },
		{ .ports = 60, .gap_ms = 2000, .raw_in = 5, .answer_in = 3, .pause_in = 100 },
		{ .ports = 1000, .gap_ms = 20, .raw_in = 100, .answer_in = 50, .pause_in = 300 },
		{ .ports = 5000, .gap_ms = 2000, .raw_in = 50, .answer_in = 50, .pause_in = 500 },
		{ .ports = 20, .gap_ms = 30000, .raw_in = 10, .answer_in = 10, .pause_in = 10 },
	};
	size_t told[SIGNAL_KINDS] = { 0 };

	for (size_t k = 0; k < BH_ARRAY_SIZE(shapes); k++)
		for (uint64_t seed = 1; seed <= 10; seed++)
			run(&shapes[k], seed, 400 + 100 * seed, told);
	for (int k = 0; k < SIGNAL_KINDS; k++) /* it did say things */
		assert_in_range(told[k], 100, SIGNALS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_as_the_model_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
