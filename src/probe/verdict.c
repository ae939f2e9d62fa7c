/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verdict.h"

#include <errno.h>

#include <bulkhead/base/cleanup.h>

static const struct {
	const char *name, *text;
} faults[PROBE_FAULTS] = {
	[PROBE_NO_FAULT] = { "", "" },
	[PROBE_LEFT] = { "left", "the policy of the source denies it, and it left" },
	[PROBE_LET_IN] = { "let-in", "the policy of the destination denies it, and it was let in" },
	[PROBE_HELD_BACK] = { "held-back",
			      "the policy of the source allows it, and it was refused there" },
	[PROBE_KEPT_OUT] = { "kept-out", "the policy of the destination allows it, and the table "
					 "there refused it" },
	[PROBE_FOREIGN_DROP] = { "foreign-drop",
				 "both ends allow it, it came, and something that is "
				 "not Bulkhead's refused it" },
};

static const struct {
	const char *name, *text;
} reasons[PROBE_REASONS] = {
	[PROBE_NO_REASON] = { "", "" },
	[PROBE_NO_NETNS] = { "no-netns", "it has no network namespace on this host" },
	[PROBE_HOST_NETWORK] = { "host-network", "not covered: shares the host's namespace" },
	[PROBE_UNREACHABLE] = { "unreachable", "its namespace cannot be opened" },
	[PROBE_NOT_PROTECTED] = { "not-protected", "no policy holds either end" },
	[PROBE_VANISHED] = { "vanished", "one end went away meanwhile" },
	[PROBE_NO_ROUTE] = { "no-route",
			     "it is allowed, and the source has no way to that address" },
	[PROBE_NO_WAY] = { "no-way", "the source has no way to that address, and none is allowed" },
	[PROBE_OTHER_WAY] = { "other-way", "it did not get to that address, and did to another of "
					   "the same end" },
	[PROBE_LOST] = { "lost", "it left and did not come: something between the two dropped it" },
	[PROBE_UNCOUNTED] = { "uncounted", "it was refused, and no counter of Bulkhead has it" },
	[PROBE_LISTENING] = { "listening", "somebody listens there, and is not to be touched" },
	[PROBE_NOT_SENT] = { "not-sent", "the kernel would not send it" },
	[PROBE_TOO_MANY] = { "too-many",
			     "not covered: policies name more ports or networks than are asked" },
	[PROBE_SPECIAL] = { "special", "not covered: networks of multicast, loopback or no "
				       "address at all are named, and never asked" },
	[PROBE_FROM_OUTSIDE] = { "from-outside",
				 "not covered: it lets in who is outside or the host, and "
				 "nothing was sent from there" },
};

const char *probe_fault_name(enum probe_fault f)
{
	return faults[f].name;
}

const char *probe_fault_text(enum probe_fault f)
{
	return faults[f].text;
}

const char *probe_reason_name(enum probe_reason r)
{
	return reasons[r].name;
}

const char *probe_reason_text(enum probe_reason r)
{
	return reasons[r].text;
}

const char *probe_way_name(enum probe_way w)
{
	static const char *const names[] = {
		[PROBE_STACK] = "stack",
		[PROBE_FRAME] = "frame",
		[PROBE_SPOOF] = "spoof",
	};

	return names[w];
}

/* --- one packet ---------------------------------------------------------------------------------- */

static void agrees(struct probe_cell *c)
{
	c->outcome = PROBE_AGREES;
}

static void differs(struct probe_cell *c, enum probe_fault fault)
{
	c->outcome = PROBE_FINDING;
	c->fault = (uint8_t)fault;
}

static void unknown(struct probe_cell *c, enum probe_reason reason)
{
	c->outcome = PROBE_NOT_PROBED;
	c->reason = (uint8_t)reason;
}

enum probe_reason verdict_no_route(const struct probe_cell *c)
{
	const unsigned both = PROBE_OUT_ALLOWED | PROBE_IN_ALLOWED;

	return (c->facts & both) == both ? PROBE_NO_ROUTE : PROBE_NO_WAY;
}

/*
 * EPERM is a hook's of IP. ENOBUFS is the table netdev's if its counter has it, else the kernel had no
 * room. Anything else is no verdict of anybody.
 */
static void of_refused(struct probe_cell *c)
{
	bool counted = c->facts & PROBE_COUNTED_OUT;

	if (c->error != EPERM && !(c->error == ENOBUFS && counted))
		unknown(c, c->error == ENETUNREACH || c->error == EHOSTUNREACH ? verdict_no_route(c)
									       : PROBE_NOT_SENT);
	else if (c->facts & PROBE_OUT_ALLOWED)
		differs(c, PROBE_HELD_BACK);
	else if (counted)
		agrees(c);
	else
		unknown(c, PROBE_UNCOUNTED);
}

/* It left as it may; what became of it at the destination. */
static void of_arrival(struct probe_cell *c)
{
	bool allowed = c->facts & PROBE_IN_ALLOWED;

	if (c->facts & PROBE_IN)
		allowed ? agrees(c) : differs(c, PROBE_LET_IN);
	else if (c->facts & PROBE_COUNTED_IN)
		allowed ? differs(c, PROBE_KEPT_OUT) : agrees(c);
	else if (!(c->facts & PROBE_SEEN))
		unknown(c, PROBE_LOST);
	else
		allowed ? differs(c, PROBE_FOREIGN_DROP) : unknown(c, PROBE_UNCOUNTED);
}

/*
 * What has no hardware address to go to yet is taken, and refused by the table netdev when it has one:
 * then it is in the counter and never on the wire.
 */
static void of_spoofed(struct probe_cell *c)
{
	if (c->facts & PROBE_OUT)
		differs(c, PROBE_LEFT);
	else if (c->facts & PROBE_COUNTED_OUT)
		agrees(c);
	else
		unknown(c, PROBE_LOST);
}

void verdict_of(struct probe_cell *c, bool observed)
{
	if (c->outcome == PROBE_NOT_PROBED)
		return;
	if (!(c->facts & PROBE_TRIED))
		unknown(c, PROBE_NOT_SENT);
	else if (!(c->facts & PROBE_SENT))
		of_refused(c);
	else if (c->way == PROBE_SPOOF)
		of_spoofed(c);
	else if (!(c->facts & PROBE_OUT_ALLOWED))
		differs(c, PROBE_LEFT);
	else if (observed)
		of_arrival(c);
	else
		agrees(c);
}

/* The same, and it got there, to another address of that family. */
static bool is_another_way(const struct probe_cell *a, const struct probe_cell *b)
{
	return b->from == a->from && b->to == a->to && b->proto == a->proto && b->port == a->port &&
	       b->way == a->way && b->dst.family == a->dst.family && probe_has_passed(b);
}

void verdict_ways(struct probe_cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cells[i].reason != PROBE_LOST && cells[i].reason != PROBE_NO_ROUTE)
			continue;
		for (size_t k = 0; k < n && cells[i].reason != PROBE_OTHER_WAY; k++)
			if ((cells[i].facts & PROBE_IN_ALLOWED) &&
			    is_another_way(&cells[i], &cells[k]))
				cells[i].reason = PROBE_OTHER_WAY;
	}
}

void verdict_vanished(struct probe_cell *c)
{
	bool got_through = c->fault == PROBE_LEFT || c->fault == PROBE_LET_IN;

	if (c->outcome == PROBE_NOT_PROBED || got_through)
		return;
	c->fault = PROBE_NO_FAULT;
	unknown(c, PROBE_VANISHED);
}

int64_t verdict_jump(int64_t start, int64_t end, int64_t took)
{
	int64_t jump = (end - start) - took;

	return jump > 1000000 || jump < -1000000 ? jump : 0;
}

/* --- sums ---------------------------------------------------------------------------------------- */

bool probe_has_passed(const struct probe_cell *c)
{
	return c->outcome == PROBE_AGREES && (c->facts & PROBE_SENT) &&
	       (c->facts & PROBE_IN_ALLOWED);
}

static void add_cell(struct probe_totals *t, const struct probe_cell *c)
{
	t->packets++;
	t->agree += c->outcome == PROBE_AGREES;
	t->findings += c->outcome == PROBE_FINDING;
	t->not_probed += c->outcome == PROBE_NOT_PROBED;
	t->passed += probe_has_passed(c);
	t->denied += c->outcome == PROBE_AGREES && !probe_has_passed(c);
	t->fault[c->fault] += c->fault != PROBE_NO_FAULT;
	t->reason[c->reason] += c->reason != PROBE_NO_REASON;
}

void verdict_sums(struct probe_run *run)
{
	size_t sent = run->totals.sent;

	run->totals = (struct probe_totals) { .sent = sent };
	for (size_t i = 0; i < run->n_cells; i++)
		add_cell(&run->totals, &run->cells[i]);
	for (size_t i = 0; i < run->n_parties; i++) {
		run->totals.tables += run->parties[i].checked;
		run->totals.tables_bad += run->parties[i].table_bad;
	}
}

static bool is_hosts(const struct probe_party *p, size_t *ret_n)
{
	*ret_n = 0;
	return p->asked && p->reason == PROBE_HOST_NETWORK;
}

static bool names_special(const struct probe_party *p, size_t *ret_n)
{
	*ret_n = p->special;
	return p->asked && p->reason != PROBE_HOST_NETWORK && p->special;
}

static bool lets_outside_in(const struct probe_party *p, size_t *ret_n)
{
	*ret_n = p->from_outside;
	return p->aimed_at && p->from_outside;
}

static const struct {
	enum probe_reason reason;
	bool (*is)(const struct probe_party *p, size_t *ret_n);
} gaps[] = {
	{ PROBE_HOST_NETWORK, is_hosts },
	{ PROBE_SPECIAL, names_special },
	{ PROBE_FROM_OUTSIDE, lets_outside_in },
};

bool probe_next_uncovered(const struct probe_run *run, size_t *at, struct probe_gap *ret)
{
	for (; *at < run->n_parties * BH_ARRAY_SIZE(gaps); ++*at) {
		size_t k = *at % BH_ARRAY_SIZE(gaps);

		ret->party = (uint32_t)(*at / BH_ARRAY_SIZE(gaps));
		ret->reason = gaps[k].reason;
		if (gaps[k].is(&run->parties[ret->party], &ret->n)) {
			++*at;
			return true;
		}
	}
	return false;
}

bool probe_reason_matters(enum probe_reason r)
{
	return r != PROBE_NO_REASON && r != PROBE_NO_WAY && r != PROBE_OTHER_WAY;
}

bool probe_is_clean(const struct probe_run *run)
{
	const struct probe_totals *t = &run->totals;

	for (unsigned r = 1; r < PROBE_REASONS; r++)
		if (t->reason[r] && probe_reason_matters(r))
			return false;
	return !t->findings && !t->tables_bad && !run->jump;
}
