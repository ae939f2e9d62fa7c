/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accounting.h"

#include <errno.h>
#include <stdlib.h>

#include "elapsed.h"

#define MISSING_MAX        2 /* a dump during a resize may miss a flow once */
#define IDLE_SNAPSHOTS     2
#define LOGGED_USEC        1000000  /* a second event of another processor was read by then */
#define UNLOGGED_USEC      10000000 /* the event was read by then, or is lost */
#define EXPIRY_MARGIN_MS   10000    /* several snapshots before the kernel forgets */
#define EXPIRY_JITTER_MS   1000
#define SETTLING_SNAPSHOTS 2 /* are compared, with no known flow missing */

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
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
	uint64_t known = at_most(grown, f->ahead),
		 known_bytes = at_most(grown_bytes, f->ahead_bytes);

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
	struct flow_id id = account_id(c->oif, &c->source, &c->destination, c->proto, c->port);
	struct flow *f = flow_table_find(a->flows, &id);
	int r;

	if (!f) {
		r = account_add(a, &id, &f);
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
		t->settled = at_most(t->delta, rest);
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
		take_rest(
			&a->tallies[TALLY_REST][d],
			less(a->denied[d], a->claimed[d] + at_least(revoked->delta, revoked->done)),
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
	return a->o.update_usec && has_elapsed(since, a->now, a->o.update_usec);
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
		r = account_emit_pending(a, f);
	if (f->present == a->snapshot)
		f->due = false;
	if (gone)
		account_drop(a, f);
	return r;
}

static int end_tally(struct flow_account *a, enum tally_kind kind, enum direction d)
{
	struct tally *t = &a->tallies[kind][d];

	if (a->waived)
		t->done = at_least(t->done, t->delta);
	if (t->delta <= t->done)
		t->since = a->now;
	return update_is_due(a, t->since) ? account_emit_tally(a, kind, d, t->settled, a->now) : 0;
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
	if (!f->seen || f->present != a->snapshot ||
	    !has_elapsed(f->met_at, a->now, f->logged ? LOGGED_USEC : UNLOGGED_USEC))
		return false;
	return f->idle >= IDLE_SNAPSHOTS || f->expires_ms < EXPIRY_MARGIN_MS;
}

size_t flow_account_candidates(struct flow_account *a, struct flow_count *out, size_t cap)
{
	size_t n = 0;

	for (const struct flow *f = a->flows; f && n < cap; f = flow_table_next(f))
		if (may_retire(a, f))
			account_count(f, &out[n++]);
	return n;
}

int flow_account_retired(struct flow_account *a, const struct flow_count *final, int64_t now)
{
	struct flow_id id = account_id(final->oif, &final->source, &final->destination,
				       final->proto, final->port);
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
		r = account_emit_pending(a, f);
	if (!f->owed)
		account_drop(a, f);
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
