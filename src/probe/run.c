/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/probe/probe.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <bulkhead/base/text.h>
#include <bulkhead/enforce/enforce.h>

#include "count.h"
#include "exchange.h"
#include "lookup.h"
#include "plan.h"
#include "ports.h"
#include "station.h"
#include "verdict.h"

/* Even ones, since raw packets have the next one. */
#define SOURCE_N   ((BH_PROBE_PORT_LAST - BH_PROBE_PORT_FIRST + 1) / 2)
#define PORT_TRIES 16

static int64_t clock_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- the source port ----------------------------------------------------------------------------- */

static void leave_all(struct probe_run *run)
{
	for (size_t i = 0; i < run->n_parties; i++)
		station_close(run->parties[i].station);
	free(run->parties);
	bh_vec_done(&run->askers);
	run->parties = NULL;
	run->n_parties = 0;
}

/* One that is free everywhere; nobody can foresee it. */
static int enter_all(struct probe_run *run, const struct probe_options *o, struct bh_err *err)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < PORT_TRIES && r == -EADDRINUSE; i++) {
		uint16_t dice = 0;

		if (getrandom(&dice, sizeof(dice), 0) != sizeof(dice))
			return bh_err_errno(err, -errno, "a random source port");
		leave_all(run);
		run->source_port = (uint16_t)(BH_PROBE_PORT_FIRST + 2 * (dice % SOURCE_N));
		r = plan_parties(run, o, err);
	}
	return r;
}

/* --- tables -------------------------------------------------------------------------------------- */

static struct probe_party *party_of(struct probe_run *run, size_t endpoint)
{
	for (size_t i = 0; i < run->n_parties; i++)
		if (run->parties[i].kind == PROBE_ENDPOINT && run->parties[i].endpoint == endpoint)
			return &run->parties[i];
	return NULL; /* another stands for it */
}

static int on_status(const struct endpoint_status *st, void *arg)
{
	struct probe_party *p = party_of(arg, st->endpoint);

	if (!p || !p->ruleset || !p->station || st->state == STATE_UNREACHABLE)
		return 0;
	p->checked = true;
	if ((st->state != STATE_DRIFT && st->state != STATE_MISSING) || p->table_bad)
		return 0;
	p->table_bad = true;
	snprintf(p->table_why, sizeof(p->table_why), "%s", st->why);
	return 0;
}

static int compare_all(struct probe_run *run, struct bh_err *err)
{
	return enforce_status(run->site, on_status, run, err);
}

/* --- what it comes to ------------------------------------------------------------------------------ */

static bool has_vanished(const struct probe_run *run, const struct probe_party *p)
{
	return p->station &&
	       !station_stands(p->station, &run->site->endpoints->endpoints[p->endpoint]);
}

/* The cells between two ends stand together. */
static void judge_ways(struct probe_run *run)
{
	for (size_t i = 0, n; i < run->n_cells; i += n) {
		struct probe_cell *c = &run->cells[i];

		for (n = 1; i + n < run->n_cells && c[n].from == c->from && c[n].to == c->to; n++)
			;
		verdict_ways(c, n);
	}
}

/* What is not asked about is not looked at: it stands as well as before. */
static void judge(struct probe_run *run)
{
	for (size_t i = 0; i < run->n_parties; i++)
		if (has_vanished(run, &run->parties[i]))
			run->parties[i].reason = PROBE_VANISHED;
	for (size_t i = 0; i < run->n_cells; i++) {
		struct probe_cell *c = &run->cells[i];
		const struct probe_party *from = &run->parties[c->from], *to = &run->parties[c->to];

		verdict_of(c, to->station != NULL);
		if (from->reason == PROBE_VANISHED || to->reason == PROBE_VANISHED)
			verdict_vanished(c);
	}
	judge_ways(run);
}

static int exchange(struct probe_run *run, const struct probe_options *o, struct bh_err *err)
{
	struct counts *c = NULL;
	int64_t began = clock_us(CLOCK_BOOTTIME);
	int r;

	run->start = clock_us(CLOCK_REALTIME);
	r = compare_all(run, err);
	if (r >= 0)
		r = counts_begin(run, &c, err);
	if (r >= 0)
		r = exchange_run(run, o, err);
	if (r >= 0)
		r = counts_end(c, run, err);
	counts_free(c);
	if (r >= 0)
		r = compare_all(run, err);
	run->end = clock_us(CLOCK_REALTIME);
	run->took = clock_us(CLOCK_BOOTTIME) - began;
	run->jump = verdict_jump(run->start, run->end, run->took);
	return r;
}

int probe_run(struct site *s, const struct probe_options *o, struct probe_run *ret,
	      struct bh_err *err)
{
	int r;

	*ret = (struct probe_run) { .site = s };
	if (o->port && !ask_is_possible(o->port))
		return bh_err_set(
			err, -EINVAL,
			"of ICMP only echo-request and timestamp-request can be probed, of "
			"other protocols TCP, UDP and SCTP");
	r = enter_all(ret, o, err);
	if (r >= 0)
		r = plan_cells(ret, o, err);
	if (r >= 0)
		r = lookup_init(ret);
	if (r >= 0 && o->begin)
		r = o->begin(ret->source_port, ret->n_cells, o->arg, err);
	if (r >= 0)
		r = exchange(ret, o, err);
	if (r < 0)
		return r == -ENOMEM ? bh_err_oom(err) : r;
	judge(ret);
	verdict_sums(ret);
	return 0;
}

void probe_done(struct probe_run *run)
{
	leave_all(run);
	free(run->cells);
	free(run->order);
	*run = (struct probe_run) { 0 };
}

/* --- for people ------------------------------------------------------------------------------------ */

const char *probe_where(const struct probe_run *run, const struct probe_cell *c, enum direction d)
{
	bool out = d == DIRECTION_EGRESS;
	const struct ruleset *r = run->parties[out ? c->from : c->to].ruleset;
	const struct flow_key k = { d, out ? c->dst : c->src, c->proto, c->port };
	const struct entry *e;

	if (!r)
		return NULL;
	e = ruleset_guard(r, &k);
	if (!e && c->way == PROBE_STACK)
		e = ruleset_lookup(r, &k, run->site->now);
	return e ? r->rules[e->rule].where : r->deny_where[d];
}

static const struct endpoint *endpoint_of(const struct probe_run *run, uint32_t party)
{
	const struct probe_party *p = &run->parties[party];

	return p->kind == PROBE_ENDPOINT ? &run->site->endpoints->endpoints[p->endpoint] : NULL;
}

static const char *name_of_other(const struct probe_party *p, char *out, size_t cap)
{
	char addr[BH_ADDR_STR];

	snprintf(out, cap, "%s", p->kind == PROBE_HOST ? "host" : bh_addr_format(addr, &p->addr));
	return out;
}

const char *probe_party_id(const struct probe_run *run, uint32_t party, char *out, size_t cap)
{
	const struct endpoint *e = endpoint_of(run, party);

	return e ? bh_escape_str(out, cap, e->id) : name_of_other(&run->parties[party], out, cap);
}

const char *probe_party_name(const struct probe_run *run, uint32_t party, char *out, size_t cap)
{
	const struct endpoint *e = endpoint_of(run, party);

	return e ? endpoint_format(out, cap, e) : name_of_other(&run->parties[party], out, cap);
}
