/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accounting.h"

#include <string.h>

static int revoked_event(struct flow_account *a, const struct flow_log_event *ev)
{
	struct flow_record rec = {
		/* in audit mode only a guardrail ends connections */
		.verdict = RECORD_DENY,
		.direction = flow_direction(ev->ifindex_out),
		.rule_kind = RECORD_REVOKED,
	};

	account_put_event(&rec, ev);
	a->tallies[TALLY_REVOKED][rec.direction].done++;
	return account_emit(a, &rec);
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

	account_put_event(&rec, ev);
	a->raw_passes = kind == FLOW_LOG_RAW_AUDIT;
	a->tallies[TALLY_RAW][DIRECTION_EGRESS].done++;
	return account_emit(a, &rec);
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

	account_put_event(&rec, ev);
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

	account_put_event(&rec, ev);
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
	return account_emit(a, &rec);
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
	return account_emit(a, &rec);
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
	id = account_id(ev->ifindex_out, &p->source, &p->destination, p->proto, p->key);
	f = flow_table_find(a->flows, &id);
	if (!f) {
		r = account_add(a, &id, &f);
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
						       : account_emit_pending(a, f);
	f->due = true;
	return 0;
}
