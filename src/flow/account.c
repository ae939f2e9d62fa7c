/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/account.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto.h"
#include "refused.h"
#include "table.h"

#define MISSING_MAX        2 /* a dump during a resize may miss a flow once */
#define IDLE_SNAPSHOTS     2
#define LOGGED_USEC        1000000  /* a second event of another processor was read by then */
#define UNLOGGED_USEC      10000000 /* the event was read by then, or is lost */
#define EXPIRY_MARGIN_MS   10000    /* several snapshots before the kernel forgets */
#define EXPIRY_JITTER_MS   1000
#define SETTLING_SNAPSHOTS 2 /* are compared, with no known flow missing */
#define WAIVED_SNAPSHOTS   2 /* the first ones still count what was denied unlogged */

/* Packets of no single flow, since the baseline. */
struct tally {
	uint64_t delta;   /* as of this snapshot */
	uint64_t settled; /* those that may be recorded now */
	uint64_t done;    /* in records, or never to be recorded */
	int64_t since;
};

/*
 * REST: those that neither a known flow nor the kernel's counter of revoked packets counts. RAW:
 * frames made by hand, which belong to no flow.
 */
enum tally_kind { TALLY_REST, TALLY_REVOKED, TALLY_RAW };
#define TALLIES 3

struct flow_account {
	struct flow_account_options o;
	struct flow *flows;
	bool in_baseline;
	bool raw_passes;        /* as the last of them was logged */
	struct refused refused; /* counted in the rest for good, or part of the baseline */
	unsigned waived;        /* snapshots to come whose tallies are not recorded */
	unsigned doubt;         /* snapshots that settle nothing: a dump lacked a known flow */
	unsigned snapshot;
	int64_t now, before; /* of this snapshot and the one before it */
	struct flow_totals last;
	uint64_t denied[DIRECTIONS], recorded[DIRECTIONS];
	uint64_t allowed[DIRECTIONS], allowed_recorded[DIRECTIONS];
	uint64_t claimed[DIRECTIONS]; /* denied since the baseline, and counted by known flows */
	struct tally tallies[TALLIES][DIRECTIONS];
};

int flow_account_new(const struct flow_account_options *o, struct flow_account **ret,
		     struct bh_err *err)
{
	struct flow_account *a = calloc(1, sizeof(*a));

	if (!a)
		return bh_err_oom(err);
	a->o = *o;
	a->waived = o->logged ? 0 : WAIVED_SNAPSHOTS;
	*ret = a;
	return 0;
}

void flow_account_set_mode(struct flow_account *a, bool audit, bool logged)
{
	a->o.audit = audit;
	a->o.logged = logged;
	if (!logged)
		a->waived = WAIVED_SNAPSHOTS;
	/* Where nothing is logged, what grows is a guardrail's still. */
	for (struct flow *f = a->flows; logged && f; f = flow_table_next(f)) {
		if (f->guard)
			f->audit = audit; /* unless a guardrail still denies it */
		f->told = f->guard = false;
	}
}

/* --- flows -------------------------------------------------------------------------------- */

static void flow_drop(struct flow_account *a, struct flow *f)
{
	flow_table_remove(&a->flows, f);
	free(f);
	a->o.budget->used--;
}

void flow_account_free(struct flow_account *a)
{
	if (!a)
		return;
	while (a->flows)
		flow_drop(a, a->flows);
	refused_done(&a->refused);
	free(a);
}

/*
 * *ret is NULL when the budget is used up. A flow that was refused stays refused though there be
 * room: what it counts may be in a record of the rest, or of the baseline.
 */
static int flow_add(struct flow_account *a, const struct flow_id *id, struct flow **ret)
{
	struct flow *f;

	*ret = NULL;
	if (a->o.budget->used >= a->o.budget->max || refused_has(&a->refused, id))
		return refused_add(&a->refused, id);
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->id = *id;
	f->born = a->snapshot;
	f->audit = a->o.audit;
	if (flow_table_add(&a->flows, f) < 0) {
		free(f);
		return -ENOMEM;
	}
	a->o.budget->used++;
	*ret = f;
	return 0;
}

static struct flow_id id_of(uint32_t oif, const struct bh_addr *source,
			    const struct bh_addr *destination, uint8_t proto, uint16_t port)
{
	struct flow_id id = {
		.oif = oif,
		.port = port,
		.family = source->family,
		.proto = proto,
	};

	_Static_assert(sizeof(id) == 40, "a flow's id has no padding");
	memcpy(id.source, source->b, sizeof(id.source));
	memcpy(id.destination, destination->b, sizeof(id.destination));
	return id;
}

static void count_of(const struct flow *f, struct flow_count *ret)
{
	*ret = (struct flow_count) {
		.oif = f->id.oif,
		.source.family = f->id.family,
		.destination.family = f->id.family,
		.proto = f->id.proto,
		.port = f->id.port,
		.packets = f->seen,
		.bytes = f->seen_bytes,
		.expires_ms = f->expires_ms,
	};
	memcpy(ret->source.b, f->id.source, sizeof(f->id.source));
	memcpy(ret->destination.b, f->id.destination, sizeof(f->id.destination));
}

/* --- records ------------------------------------------------------------------------------ */

static int emit(struct flow_account *a, struct flow_record *rec)
{
	if (!a->o.logged && rec->rule_kind != RECORD_GUARDRAIL &&
	    rec->rule_kind != RECORD_RAW_SOCKET)
		return 0;
	a->recorded[rec->direction] += rec->packets;
	return a->o.emit(rec, a->o.arg);
}

static void put_icmp(struct flow_record *rec, uint16_t key)
{
	rec->has_icmp = true;
	rec->icmp_type = (uint8_t)(key >> 8);
	rec->icmp_code = (uint8_t)key;
}

static void put_event(struct flow_record *rec, const struct flow_log_event *ev)
{
	const struct packet *p = &ev->packet;

	rec->first_seen = rec->last_seen = ev->when;
	rec->packets = 1;
	rec->has_uid = ev->has_uid;
	rec->uid = ev->uid;
	rec->has_gid = ev->has_gid;
	rec->gid = ev->gid;
	memcpy(rec->interface, ev->interface, sizeof(rec->interface));
	rec->has_frame = ev->has_frame;
	if (ev->has_frame) {
		memcpy(rec->frame_source, ev->frame.source, sizeof(rec->frame_source));
		memcpy(rec->frame_destination, ev->frame.destination,
		       sizeof(rec->frame_destination));
		rec->frame_type = ev->frame.type;
	}
	if (ev->data_len)
		record_packet_set(&rec->packet, ev->data, ev->data_len, ev->ip_at,
				  (uint32_t)ev->ip_at + p->length);
	if (!ev->has_packet)
		return;
	rec->bytes = p->length;
	rec->proto = p->proto;
	rec->source.addr = p->source;
	rec->destination.addr = p->destination;
	rec->source.has_port = rec->destination.has_port = p->has_ports;
	rec->source.port = p->sport;
	rec->destination.port = p->dport;
	if (p->has_icmp)
		put_icmp(rec, p->key);
	rec->has_tcp_flags = p->has_tcp_flags;
	rec->tcp_flags = p->tcp_flags;
}

/* The pending packets of a flow. The source port is not part of a flow. */
static int emit_pending(struct flow_account *a, struct flow *f)
{
	struct flow_record rec = {
		.first_seen = f->since,
		.last_seen = f->last,
		.verdict = f->audit ? RECORD_AUDIT : RECORD_DENY,
		.direction = flow_direction(f->id.oif),
		.rule_kind = f->guard ? RECORD_GUARDRAIL : RECORD_DEFAULT_DENY,
		.logged = f->told,
		.packets = f->pending,
		.bytes = f->pending_bytes,
		.proto = f->id.proto,
		.has_uid = f->has_uid,
		.uid = f->uid,
		.has_gid = f->has_gid,
		.gid = f->gid,
	};
	struct flow_count c;

	count_of(f, &c);
	rec.source.addr = c.source;
	rec.destination.addr = c.destination;
	memcpy(rec.interface, f->interface, sizeof(rec.interface));
	if (proto_is_icmp(c.proto)) {
		put_icmp(&rec, c.port);
	} else if (proto_has_ports(c.proto)) {
		rec.destination.has_port = true;
		rec.destination.port = c.port;
	}
	f->since = f->last;
	f->pending = f->pending_bytes = 0;
	f->recorded = true;
	f->due = false;
	return emit(a, &rec);
}

/* In audit mode only a guardrail ends connections. */
static bool tally_passes(const struct flow_account *a, enum tally_kind kind)
{
	return kind == TALLY_RAW ? a->raw_passes : a->o.audit && kind != TALLY_REVOKED;
}

/* Packets of a tally that no event showed, as one record. */
static int emit_tally(struct flow_account *a, enum tally_kind kind, enum direction d, uint64_t upto,
		      int64_t now)
{
	static const enum record_rule_kind rules[TALLIES] = {
		[TALLY_REST] = RECORD_DEFAULT_DENY,
		[TALLY_REVOKED] = RECORD_REVOKED,
		[TALLY_RAW] = RECORD_RAW_SOCKET,
	};
	struct tally *t = &a->tallies[kind][d];
	struct flow_record rec = {
		.first_seen = t->since,
		.last_seen = now,
		.verdict = tally_passes(a, kind) ? RECORD_AUDIT : RECORD_DENY,
		.direction = d,
		.aggregated = true,
		.rule_kind = rules[kind],
	};

	if (upto <= t->done)
		return 0;
	rec.packets = upto - t->done;
	t->done = upto;
	t->since = now;
	return emit(a, &rec);
}

/* --- events ------------------------------------------------------------------------------- */

static int revoked_event(struct flow_account *a, const struct flow_log_event *ev)
{
	struct flow_record rec = {
		/* in audit mode only a guardrail ends connections */
		.verdict = RECORD_DENY,
		.direction = flow_direction(ev->ifindex_out),
		.rule_kind = RECORD_REVOKED,
	};

	put_event(&rec, ev);
	a->tallies[TALLY_REVOKED][rec.direction].done++;
	return emit(a, &rec);
}

static int raw_event(struct flow_account *a, enum flow_log_kind kind,
		     const struct flow_log_event *ev)
{
	struct flow_record rec = {
		.verdict = kind == FLOW_LOG_RAW_AUDIT ? RECORD_AUDIT : RECORD_DENY,
		.direction = DIRECTION_EGRESS,
		.rule_kind = RECORD_RAW_SOCKET,
		.logged = true,
	};

	put_event(&rec, ev);
	a->raw_passes = kind == FLOW_LOG_RAW_AUDIT;
	a->tallies[TALLY_RAW][DIRECTION_EGRESS].done++;
	return emit(a, &rec);
}

/* It passed, so no count of what is denied has it. */
static int allow_event(struct flow_account *a, const struct flow_log_event *ev)
{
	struct flow_record rec = {
		.verdict = RECORD_ALLOW,
		.direction = flow_direction(ev->ifindex_out),
		.rule_kind = RECORD_ALLOWED,
		.logged = true,
	};

	put_event(&rec, ev);
	a->allowed_recorded[rec.direction]++;
	return a->o.emit(&rec, a->o.arg);
}

static void remember(struct flow *f, enum flow_log_kind kind, const struct flow_log_event *ev)
{
	f->missing = 0; /* the next dump may miss what this is the first packet of */
	f->logged = true;
	f->audit = kind == FLOW_LOG_AUDIT;
	f->told = true;
	f->guard = kind == FLOW_LOG_GUARD;
	f->has_uid = ev->has_uid;
	f->uid = ev->uid;
	f->has_gid = ev->has_gid;
	f->gid = ev->gid;
	memcpy(f->interface, ev->interface, sizeof(f->interface));
}

static struct flow_record first_of(const struct flow *f, const struct flow_log_event *ev)
{
	struct flow_record rec = {
		.verdict = f->audit ? RECORD_AUDIT : RECORD_DENY,
		.direction = flow_direction(f->id.oif),
		.rule_kind = f->guard ? RECORD_GUARDRAIL : RECORD_DEFAULT_DENY,
		.logged = true,
	};

	put_event(&rec, ev);
	return rec;
}

/*
 * The count was read before the event came, and has one packet: this one. It is recorded with all that
 * the event says.
 */
static int record_counted(struct flow_account *a, struct flow *f, const struct flow_log_event *ev)
{
	struct flow_record rec = first_of(f, ev);

	rec.bytes = f->pending_bytes;
	f->since = f->last;
	f->pending = f->pending_bytes = 0;
	f->recorded = true;
	f->due = false;
	return emit(a, &rec);
}

/* The first packet of a flow of which no count is known: it can be in no record yet. */
static int record_first(struct flow_account *a, struct flow *f, const struct flow_log_event *ev)
{
	struct flow_record rec = first_of(f, ev);

	a->claimed[rec.direction]++;
	f->ahead++;
	f->ahead_bytes += rec.bytes;
	f->since = f->last = ev->when;
	f->recorded = true;
	return emit(a, &rec);
}

int flow_account_event(struct flow_account *a, enum flow_log_kind kind,
		       const struct flow_log_event *ev)
{
	const struct packet *p = &ev->packet;
	struct flow_id id;
	struct flow *f;
	int r;

	if (kind == FLOW_LOG_ALLOW)
		return allow_event(a, ev);
	if (kind == FLOW_LOG_REVOKED)
		return revoked_event(a, ev);
	if (kind == FLOW_LOG_RAW || kind == FLOW_LOG_RAW_AUDIT)
		return raw_event(a, kind, ev);
	/* Without the key it cannot be told which count has this packet: that count will show it.
	 */
	if (!ev->has_packet || !p->has_key)
		return 0;
	id = id_of(ev->ifindex_out, &p->source, &p->destination, p->proto, p->key);
	f = flow_table_find(a->flows, &id);
	if (!f) {
		r = flow_add(a, &id, &f);
		if (!f)
			return r;
	}
	remember(f, kind, ev);
	if (!f->seen && !f->owed)
		return record_first(a, f, ev);
	/*
	 * The count of this flow is known. Either it has this packet already, or the kernel forgot
	 * the flow and met it again: the next snapshot tells.
	 */
	if (f->pending)
		return f->seen == 1 && f->pending == 1 ? record_counted(a, f, ev)
						       : emit_pending(a, f);
	f->due = true;
	return 0;
}

/* --- counts ------------------------------------------------------------------------------- */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Does C go on counting what `seen` counted? The kernel's timeout of an element only runs down; a
 * later element of the same flow starts with all of it. (Clocks may jump, this may not.)
 */
static bool goes_on(const struct flow *f, const struct flow_count *c)
{
	return c->packets >= f->seen && c->expires_ms <= f->expires_ms + EXPIRY_JITTER_MS;
}

/* Take over the kernel's count of a flow. What is new in it is ours, but not in the baseline. */
static void learn(struct flow_account *a, struct flow *f, const struct flow_count *c, int64_t now)
{
	bool same = f->seen && goes_on(f, c);
	uint64_t grown = same ? c->packets - f->seen : c->packets;
	uint64_t grown_bytes = same ? less(c->bytes, f->seen_bytes) : c->bytes;
	uint64_t known = least(grown, f->ahead), known_bytes = least(grown_bytes, f->ahead_bytes);

	if (!same) {
		f->met_at = now;
		f->logged = f->due || f->ahead;
	}
	f->seen = c->packets;
	f->seen_bytes = c->bytes;
	f->expires_ms = c->expires_ms;
	f->ahead -= known;
	f->ahead_bytes = f->ahead ? f->ahead_bytes - known_bytes : 0;
	if (!grown)
		return;
	f->grown = a->snapshot;
	if (a->in_baseline)
		return;
	a->claimed[flow_direction(f->id.oif)] += grown - known;
	f->pending += grown - known;
	f->pending_bytes += grown_bytes - known_bytes;
	f->last = now;
}

static void begin(struct flow_account *a, int64_t now, bool baseline)
{
	bool first = !a->snapshot;

	a->in_baseline = baseline;
	a->snapshot++;
	a->before = baseline || first ? now : a->now;
	a->now = now;
	for (int k = 0; first && k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS; d++)
			a->tallies[k][d].since = now;
}

void flow_account_baseline(struct flow_account *a, int64_t now)
{
	begin(a, now, true);
}

void flow_account_snapshot(struct flow_account *a, int64_t now)
{
	begin(a, now, false);
}

int flow_account_flow(struct flow_account *a, const struct flow_count *c)
{
	struct flow_id id = id_of(c->oif, &c->source, &c->destination, c->proto, c->port);
	struct flow *f = flow_table_find(a->flows, &id);
	int r;

	if (!f) {
		r = flow_add(a, &id, &f);
		if (!f)
			return r;
		f->since = a->before;
	}
	f->present = a->snapshot;
	f->owed = false;
	learn(a, f, c, a->now);
	return 0;
}

/* Growth of a kernel counter; one that fell was made anew. */
static uint64_t advance(uint64_t *last, uint64_t now)
{
	uint64_t grown = now >= *last ? now - *last : now;

	*last = now;
	return grown;
}

/* A revoked packet, or a frame, has its event before its count is known, or never. */
static void take_logged(struct tally *t, uint64_t grown)
{
	t->settled = t->delta;
	t->delta += grown;
}

/*
 * What the dump missed is in the rest of this one snapshot. If it is a flow we know, this and the
 * next snapshot settle nothing; if not, the smaller of two is right.
 */
static void take_rest(struct tally *t, uint64_t rest, bool settles)
{
	if (settles)
		t->settled = least(t->delta, rest);
	t->delta = rest;
}

static void take_totals(struct flow_account *a, const struct flow_totals *t)
{
	for (int d = 0; d < DIRECTIONS; d++) {
		struct tally *revoked = &a->tallies[TALLY_REVOKED][d];

		a->denied[d] += advance(&a->last.denied[d], t->denied[d]);
		a->allowed[d] += advance(&a->last.allowed[d], t->allowed[d]);
		take_logged(revoked, advance(&a->last.revoked[d], t->revoked[d]));
		/* The counter of a table made anew may have been overtaken by events. */
		take_rest(&a->tallies[TALLY_REST][d],
			  less(a->denied[d], a->claimed[d] + most(revoked->delta, revoked->done)),
			  !a->doubt);
	}
	take_logged(&a->tallies[TALLY_RAW][DIRECTION_EGRESS], advance(&a->last.raw, t->raw));
}

static void start_tallies(struct flow_account *a, const struct flow_totals *t)
{
	a->last = *t;
	for (int k = 0; k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS; d++)
			a->tallies[k][d].since = a->now;
}

static bool update_is_due(const struct flow_account *a, int64_t since)
{
	return a->o.update_usec && a->now - since >= a->o.update_usec;
}

/*
 * A record for what is pending? A flow without an event waits one snapshot for it. Unlogged packets
 * do not wait until they are logged.
 */
static bool is_due(const struct flow_account *a, const struct flow *f)
{
	return f->pending &&
	       ((!a->o.logged && !f->guard) || f->due || (!f->recorded && f->born < a->snapshot) ||
		update_is_due(a, f->since));
}

/* What a snapshot says of one flow. */
static int end_flow(struct flow_account *a, struct flow *f)
{
	bool gone;
	int r = 0;

	f->missing = f->present == a->snapshot ? 0 : f->missing + 1;
	f->idle = f->grown == a->snapshot ? 0 : f->idle < UINT8_MAX ? f->idle + 1 : UINT8_MAX;
	gone = f->missing >= MISSING_MAX;
	if (f->missing && !gone && !f->owed)
		a->doubt = SETTLING_SNAPSHOTS;
	if (is_due(a, f) || (gone && f->pending))
		r = emit_pending(a, f);
	if (f->present == a->snapshot)
		f->due = false;
	if (gone)
		flow_drop(a, f);
	return r;
}

static int end_tally(struct flow_account *a, enum tally_kind kind, enum direction d)
{
	struct tally *t = &a->tallies[kind][d];

	if (a->waived)
		t->done = most(t->done, t->delta);
	if (t->delta <= t->done)
		t->since = a->now;
	return update_is_due(a, t->since) ? emit_tally(a, kind, d, t->settled, a->now) : 0;
}

static int end_tallies(struct flow_account *a)
{
	int r = 0;

	for (int k = 0; k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS && r >= 0; d++)
			r = end_tally(a, k, d);
	if (a->waived && a->o.logged)
		a->waived--;
	return r;
}

int flow_account_end(struct flow_account *a, const struct flow_totals *totals)
{
	struct flow *f, *next;
	int r = 0;

	refused_turn(&a->refused);
	if (a->in_baseline) {
		a->in_baseline = false;
		start_tallies(a, totals);
		return 0;
	}
	if (a->doubt)
		a->doubt--;
	for (f = a->flows; f; f = next) {
		next = flow_table_next(f);
		r = end_flow(a, f);
		if (r < 0)
			return r;
	}
	take_totals(a, totals);
	return end_tallies(a);
}

/* --- retiring ----------------------------------------------------------------------------- */

/* An event that comes after the final count would be recorded a second time. */
static bool may_retire(const struct flow_account *a, const struct flow *f)
{
	int64_t age = a->now - f->met_at;

	if (!f->seen || f->present != a->snapshot ||
	    age < (f->logged ? LOGGED_USEC : UNLOGGED_USEC))
		return false;
	return f->idle >= IDLE_SNAPSHOTS || f->expires_ms < EXPIRY_MARGIN_MS;
}

size_t flow_account_candidates(struct flow_account *a, struct flow_count *out, size_t cap)
{
	size_t n = 0;

	for (const struct flow *f = a->flows; f && n < cap; f = flow_table_next(f))
		if (may_retire(a, f))
			count_of(f, &out[n++]);
	return n;
}

int flow_account_retired(struct flow_account *a, const struct flow_count *final, int64_t now)
{
	struct flow_id id =
		id_of(final->oif, &final->source, &final->destination, final->proto, final->port);
	struct flow *f = flow_table_find(a->flows, &id);
	bool met_again;
	int r = 0;

	if (!f)
		return 0;
	met_again = final->packets < f->seen;
	/* Still active, so perhaps met anew: an event that comes now would be counted already. */
	f->owed = final->packets != f->seen || !f->idle;
	learn(a, f, final, now);
	f->seen = 0;
	if (f->pending && !met_again)
		r = emit_pending(a, f);
	if (!f->owed)
		flow_drop(a, f);
	return r;
}

bool flow_account_settled(const struct flow_account *a)
{
	return !a->doubt;
}

bool flow_account_rests(const struct flow_account *a)
{
	bool rests = !a->flows && !a->doubt && !a->waived;

	for (int k = 0; k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS; d++)
			rests &= a->tallies[k][d].delta <= a->tallies[k][d].done;
	return rests;
}

int flow_account_finish(struct flow_account *a, int64_t now)
{
	int r = 0;

	for (struct flow *f = a->flows; f && r >= 0; f = flow_table_next(f))
		if (f->pending)
			r = emit_pending(a, f);
	for (int k = 0; k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS && r >= 0; d++)
			r = emit_tally(a, k, d,
				       k == TALLY_REST ? a->tallies[k][d].settled
						       : a->tallies[k][d].delta,
				       now);
	return r;
}

void flow_account_sums(const struct flow_account *a, enum direction d, struct flow_sums *ret)
{
	const struct tally *raw = &a->tallies[TALLY_RAW][d];

	/* An event may be ahead of the totals, or of a table whose totals were never read. */
	ret->denied = most(a->denied[d] + most(raw->delta, raw->done), a->recorded[d]);
	ret->recorded = a->recorded[d];
	ret->not_recorded = ret->denied - ret->recorded;
}

void flow_account_allowed(const struct flow_account *a, enum direction d, struct flow_allowed *ret)
{
	ret->allowed = most(a->allowed[d], a->allowed_recorded[d]);
	ret->recorded = a->allowed_recorded[d];
	ret->not_recorded = ret->allowed - ret->recorded;
}
