/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accounting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAIVED_SNAPSHOTS 2 /* the first ones still count what was denied unlogged */

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

void account_drop(struct flow_account *a, struct flow *f)
{
	flow_table_remove(&a->flows, f);
	free(f);
	a->o.budget->used--;
	a->n_flows--;
}

void flow_account_free(struct flow_account *a)
{
	if (!a)
		return;
	while (a->flows)
		account_drop(a, a->flows);
	refused_done(&a->refused);
	free(a);
}

static bool has_room(const struct flow_account *a)
{
	const struct flow_budget *b = a->o.budget;

	return b->used < b->max || a->n_flows < b->own;
}

int account_add(struct flow_account *a, const struct flow_id *id, struct flow **ret)
{
	struct flow *f;

	*ret = NULL;
	if (!has_room(a) || refused_has(&a->refused, id))
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
	a->n_flows++;
	*ret = f;
	return 0;
}

struct flow_id account_id(uint32_t oif, const struct bh_addr *source,
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

void account_count(const struct flow *f, struct flow_count *ret)
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

/* --- sums --------------------------------------------------------------------------------- */

int flow_account_finish(struct flow_account *a, int64_t now)
{
	int r = 0;

	for (struct flow *f = a->flows; f && r >= 0; f = flow_table_next(f))
		if (f->pending)
			r = account_emit_pending(a, f);
	for (int k = 0; k < TALLIES; k++)
		for (int d = 0; d < DIRECTIONS && r >= 0; d++)
			r = account_emit_tally(a, k, d,
					       k == TALLY_REST ? a->tallies[k][d].settled
							       : a->tallies[k][d].delta,
					       now);
	return r;
}

void flow_account_sums(const struct flow_account *a, enum direction d, struct flow_sums *ret)
{
	const struct tally *raw = &a->tallies[TALLY_RAW][d];

	/* An event may be ahead of the totals, or of a table whose totals were never read. */
	ret->denied = at_least(a->denied[d] + at_least(raw->delta, raw->done), a->recorded[d]);
	ret->recorded = a->recorded[d];
	ret->not_recorded = ret->denied - ret->recorded;
}

void flow_account_allowed(const struct flow_account *a, enum direction d, struct flow_allowed *ret)
{
	ret->allowed = at_least(a->allowed[d], a->allowed_recorded[d]);
	ret->recorded = a->allowed_recorded[d];
	ret->not_recorded = ret->allowed - ret->recorded;
}
