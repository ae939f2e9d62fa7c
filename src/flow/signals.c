/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/signals.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"
#include "signal_say.h"
#include "watched.h"

#define SECOND     INT64_C(1000000)
#define CLOCK_BACK (3600 * SECOND) /* by more than this it was set; by less, records came late */

struct signals {
	struct signals_options o;
	struct cmac_aes128_ctx key;
	struct pairs pairs;
	struct watchlist watched;
	struct allowance total[SIGNAL_KINDS];
	struct signals_stats stats; /* but for what the tables know */
	int64_t now;
	struct flow_signal out;
};

/* One record, and where what it is compared with is kept. */
struct finding {
	struct attempt a;
	struct watched *self, *source_at; /* source_at: of a source of this host; may be self */
	bool scanning;                    /* its source is, and that was told */
};

int signals_new(const struct signals_options *o, struct signals **ret, struct bh_err *err)
{
	struct signals *s = calloc(1, sizeof(*s));

	if (!s)
		return bh_err_oom(err);
	s->o = *o;
	cmac_aes128_set_key(&s->key, o->key);
	*ret = s;
	return 0;
}

void signals_free(struct signals *s)
{
	if (!s)
		return;
	pairs_done(&s->pairs);
	watchlist_done(&s->watched);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

/* --- how much is told ----------------------------------------------------------------------- */

static bool is_over(int64_t now, int64_t since, unsigned seconds)
{
	return !since || now < since || now - since >= seconds * SECOND;
}

static bool allows(struct allowance *a, int64_t now, unsigned max)
{
	if (is_over(now, a->since, BH_SIGNAL_TOLD_S)) {
		a->since = now;
		a->told = 0;
	}
	return a->told < max;
}

/* May one more of this kind be told? Else it counts as kept back. */
static bool may_tell(struct signals *s, const struct finding *f, enum signal_kind kind)
{
	struct allowance *mine = &f->self->told[kind][f->a.way], *all = &s->total[kind];

	if (allows(mine, s->now, BH_SIGNAL_TOLD_EACH_MAX) &&
	    allows(all, s->now, BH_SIGNAL_TOLD_MAX)) {
		mine->told++;
		all->told++;
		return true;
	}
	mine->kept_back++;
	s->stats.kept_back[kind]++;
	return false;
}

/* The signal, to be filled in and told. */
static struct flow_signal *begin(struct signals *s, const struct finding *f, enum signal_kind kind,
				 uint64_t packets)
{
	struct flow_signal *out = &s->out;

	out->kind = kind;
	out->when = s->now;
	out->record = *f->a.rec;
	out->packets = packets;
	out->window_s = out->ports = out->peers = 0;
	out->scope[0] = '\0';
	return out;
}

static int tell(struct signals *s, const struct finding *f)
{
	struct allowance *mine = &f->self->told[s->out.kind][f->a.way];
	const struct signal_words w = { .kept = s->o.kept, .kept_back = mine->kept_back };

	mine->kept_back = 0;
	s->stats.told[s->out.kind]++;
	signal_say(&s->out, &w);
	return s->o.emit(&s->out, s->o.arg);
}

/* --- raw sockets ---------------------------------------------------------------------------- */

static int look_for_raw(struct signals *s, const struct finding *f)
{
	struct repeated *raw = &f->self->raw;

	if (f->a.rec->rule_kind != RECORD_RAW_SOCKET)
		return 0;
	raw->packets += f->a.packets;
	if (!is_over(s->now, raw->told, BH_SIGNAL_RAW_S) || !may_tell(s, f, SIGNAL_RAW_SOCKET))
		return 0;
	begin(s, f, SIGNAL_RAW_SOCKET, raw->packets);
	raw->told = s->now;
	raw->packets = 0;
	return tell(s, f);
}

/* --- first denied --------------------------------------------------------------------------- */

static int look_for_first(struct signals *s, const struct finding *f)
{
	const struct signals_known k = { f->a.pair, f->a.owner, s->now };

	if (f->a.rec->rule_kind == RECORD_RAW_SOCKET || pairs_see(&s->pairs, k.pair, s->now))
		return 0;
	/* What is not told is not learnt either: it is told when it comes again later. */
	if (f->scanning) {
		s->stats.kept_back[SIGNAL_FIRST_DENIED]++;
		return 0;
	}
	if (!may_tell(s, f, SIGNAL_FIRST_DENIED))
		return 0;
	if (pairs_add(&s->pairs, &k) < 0)
		s->stats.no_memory++;
	begin(s, f, SIGNAL_FIRST_DENIED, f->a.packets);
	return tell(s, f);
}

/* --- scans ---------------------------------------------------------------------------------- */

static struct source *source_of(struct signals *s, const struct finding *f)
{
	return f->a.local ? &f->source_at->own
			  : watchlist_source(&s->watched, f->self, f->a.from,
					     (uint32_t)(s->now / SECOND));
}

static bool has_grown(uint32_t n, uint32_t told)
{
	return n >= BH_SIGNAL_SCAN_MIN && (told < BH_SIGNAL_SCAN_MIN || n >= 2 * told);
}

static bool is_worth_telling(const struct signals *s, const struct source *src, uint32_t ports,
			     uint32_t peers)
{
	if (is_over(s->now, src->told, BH_SIGNAL_SCAN_S))
		return ports >= BH_SIGNAL_SCAN_MIN || peers >= BH_SIGNAL_SCAN_MIN;
	return has_grown(ports, src->told_ports) || has_grown(peers, src->told_peers);
}

static int tell_scan(struct signals *s, const struct finding *f, struct source *src, uint32_t ports,
		     uint32_t peers)
{
	struct flow_signal *out = begin(s, f, SIGNAL_PORT_SCAN, src->packets);

	out->window_s = BH_SIGNAL_SCAN_S;
	out->ports = ports;
	out->peers = peers;
	src->told = s->now;
	src->told_ports = ports;
	src->told_peers = peers;
	src->packets = 0;
	return tell(s, f);
}

static int look_for_scan(struct signals *s, struct finding *f)
{
	struct source *src = source_of(s, f);
	uint32_t now = (uint32_t)(s->now / SECOND), ports, peers;

	if (!src) {
		s->stats.no_memory++;
		return 0;
	}
	src->packets += f->a.packets;
	f->scanning = !is_over(s->now, src->told, BH_SIGNAL_SCAN_S);
	if (f->a.is_later) /* what its first packet said already */
		return 0;
	src->last = now;
	if ((f->a.has_port && distinct_add(&src->ports, f->a.port, now) < 0) ||
	    distinct_add(&src->peers, f->a.peer, now) < 0)
		s->stats.no_memory++;
	ports = distinct_count(&src->ports, now);
	peers = distinct_count(&src->peers, now);
	if (!is_worth_telling(s, src, ports, peers) || !may_tell(s, f, SIGNAL_PORT_SCAN))
		return 0;
	f->scanning = true;
	return tell_scan(s, f, src, ports, peers);
}

/* Where so much was denied that flows were recorded together, some of them are shown. */
static int look_at_samples(struct signals *s, struct finding *f)
{
	int r = 0;

	if (f->a.way != WAY_OUT || f->a.rec->rule_kind == RECORD_REVOKED)
		return 0;
	for (unsigned i = 0; i < f->a.rec->n_samples && i < RECORD_SAMPLES && r >= 0; i++) {
		attempt_sample(&s->key, i, &f->a);
		r = look_for_scan(s, f);
	}
	return r;
}

/* --- into a scope --------------------------------------------------------------------------- */

/*
 * The next name of a list that is joined with ", "; *AT moves on. 0 = none. A name at the end of a list
 * that fills its array may be cut, and is none.
 */
static size_t next_scope(const char *list, const char **at)
{
	const char *name = *at + strspn(*at, ", ");
	size_t len = strcspn(name, ",");

	*at = name;
	return !name[len] && strlen(list) >= RECORD_STR - 1 ? 0 : len;
}

static bool is_in(const char *list, const char *scope, size_t scope_len)
{
	const char *at = list;
	size_t len;

	for (; (len = next_scope(list, &at)) != 0; at += len)
		if (len == scope_len && memcmp(at, scope, len) == 0)
			return true;
	return false;
}

static int tell_into(struct signals *s, const struct finding *f, struct repeated *e,
		     const char *scope, size_t len)
{
	struct flow_signal *out = begin(s, f, SIGNAL_INTO_SCOPE, e->packets);

	memcpy(out->scope, scope, len);
	out->scope[len] = '\0';
	e->told = s->now;
	e->packets = 0;
	return tell(s, f);
}

static int attempt_into(struct signals *s, const struct finding *f, const char *scope, size_t len)
{
	struct watched *at = f->a.local ? f->source_at : f->self;
	uint64_t id = attempt_digest(&s->key, f->a.from_who, scope, len);
	bool full;
	struct repeated *e = watched_into(at, id, s->now - BH_SIGNAL_SCOPE_S * SECOND, &full);

	if (!e) {
		s->stats.no_memory += !full;
		s->stats.kept_back[SIGNAL_INTO_SCOPE] += full;
		return 0;
	}
	e->packets += f->a.packets;
	if (!is_over(s->now, e->told, BH_SIGNAL_SCOPE_S) || !may_tell(s, f, SIGNAL_INTO_SCOPE))
		return 0;
	return tell_into(s, f, e, scope, len);
}

static int look_for_into(struct signals *s, const struct finding *f)
{
	const char *to = f->a.rec->destination.scope, *from = f->a.rec->source.scope, *at = to;
	size_t len;
	int r = 0;

	for (int i = 0; i < BH_SIGNAL_SCOPES_MAX && r >= 0; i++, at += len) {
		len = next_scope(to, &at);
		if (!len)
			break;
		if (!is_in(from, at, len))
			r = attempt_into(s, f, at, len);
	}
	return r;
}

/* --- a record ------------------------------------------------------------------------------- */

static void advance(struct signals *s, int64_t when)
{
	if (when > s->now || s->now - when > CLOCK_BACK)
		s->now = when;
}

/*
 * A packet of a connection that is open as far as its sender knows: a server's late answer, or what a
 * newer policy ended. What the kernel counts of it is recorded later without flags, so the pair is
 * remembered, for as long as no other takes its place.
 */
static bool belongs_to_connection(const struct finding *f)
{
	uint64_t *mark = &f->self->answers[f->a.pair % ANSWERS];

	if (f->a.rec->rule_kind == RECORD_REVOKED)
		return true;
	if (f->a.is_answer)
		*mark = f->a.pair;
	else if (!f->a.is_later && *mark == f->a.pair)
		*mark = 0;
	return f->a.is_answer || (f->a.is_later && *mark == f->a.pair);
}

static bool find_places(struct signals *s, struct finding *f)
{
	f->self = watchlist_get(&s->watched, f->a.self);
	f->source_at = f->self;
	if (f->self && f->a.local && f->a.from != f->a.self)
		f->source_at = watchlist_get(&s->watched, f->a.from);
	return f->self && f->source_at;
}

int signals_record(struct signals *s, const struct flow_record *rec)
{
	struct finding f;
	int r;

	if (rec->verdict == RECORD_ALLOW)
		return 0;
	advance(s, rec->last_seen);
	attempt_read(&s->key, rec, &f.a);
	if (!find_places(s, &f)) {
		s->stats.no_memory++;
		return 0;
	}
	r = look_for_raw(s, &f);
	if (r >= 0 && rec->aggregated)
		r = look_at_samples(s, &f);
	if (r < 0 || !f.a.has_ends || belongs_to_connection(&f))
		return r;
	r = look_for_scan(s, &f);
	if (r >= 0)
		r = look_for_first(s, &f);
	return r < 0 ? r : look_for_into(s, &f);
}

/* --- what is known, and how it went --------------------------------------------------------- */

int signals_known_add(struct signals *s, const struct signals_known *k)
{
	struct signals_known in = *k;

	if (in.seen < 0) /* a file says so, not a clock */
		in.seen = 0;
	return pairs_add(&s->pairs, &in);
}

int signals_known_each(struct signals *s, uint64_t *mark,
		       int (*fn)(const struct signals_known *k, void *arg), void *arg)
{
	int r = pairs_each(&s->pairs, *mark, fn, arg);

	if (r >= 0)
		*mark = s->pairs.serial;
	return r;
}

void signals_stats(const struct signals *s, struct signals_stats *ret)
{
	*ret = s->stats;
	ret->pairs = s->pairs.n;
	ret->pairs_forgotten = s->pairs.forgotten;
	ret->sources_forgotten = s->watched.forgotten;
}
