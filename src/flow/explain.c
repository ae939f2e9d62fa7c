/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/flow/flow.h>

#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/limits.h>
#include <bulkhead/base/text.h>

#include "proto.h"

#define NAME_STR 128
#define WHAT_STR 64

/* The question behind a record, seen from the namespace that denied. */
struct question {
	struct flow_record *rec;
	const struct flow_context *ctx;
	struct record_end *self_end, *far_end;
	struct flow_party far_party;
	char self[NAME_STR], far[NAME_STR]; /* what a person calls them; escaped */
	char what[WHAT_STR];                /* "6379/tcp", "icmp/echo-request", "protocol 47" */
	struct flow_key key;                /* the connection, as this end's ruleset has it */
	const struct entry *guard;          /* of this end's guardrails, or NULL */
	int64_t when;                       /* seconds */
};

static void put(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What is too long is cut, but never within a character of UTF-8. */
static void put(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = cap - 1;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	if (n < (int)cap)
		return;
	while (len && ((unsigned char)out[len - 1] & 0xc0) == 0x80)
		len--;
	if (len && (unsigned char)out[len - 1] >= 0xc0)
		out[len - 1] = '\0';
}

#define PUT(array, ...) put(array, sizeof(array), __VA_ARGS__)

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* put() of LEN bytes alone, which is most of a record. */
static void copy_n(char *out, size_t cap, const char *s, size_t len)
{
	if (len >= cap) {
		put(out, cap, "%.*s", (int)len, s);
		return;
	}
	memcpy(out, s, len);
	out[len] = '\0';
}

/* NULL is "". */
static void copy(char *out, size_t cap, const char *s)
{
	if (s && *s)
		copy_n(out, cap, s, strnlen(s, cap));
	else
		out[0] = '\0';
}

#define COPY(array, s) copy(array, sizeof(array), s)

/* The first that says something. */
static const char *first_of(const char *a, const char *b, const char *c)
{
	if (a && *a)
		return a;
	if (b && *b)
		return b;
	return or_empty(c);
}

static enum direction opposite(enum direction d)
{
	return d == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
}

/* --- words -------------------------------------------------------------------------------- */

static void say_ports(char out[WHAT_STR], uint16_t proto_lo, uint16_t proto_hi, uint16_t lo,
		      uint16_t hi)
{
	struct port_spec spec = { .proto = proto_lo, .lo = lo, .hi = hi };
	bool known = proto_is_icmp(proto_lo) || proto_lo == IPPROTO_TCP ||
		     proto_lo == IPPROTO_UDP || proto_lo == IPPROTO_SCTP;

	if (proto_lo == proto_hi && known) {
		char text[PORT_SPEC_STR];

		copy(out, WHAT_STR, port_spec_format(text, &spec));
	} else if (proto_lo != proto_hi) {
		put(out, WHAT_STR, "any");
	} else if (proto_has_ports(proto_lo)) {
		put(out, WHAT_STR, "%u/%u", lo, proto_lo);
	} else {
		put(out, WHAT_STR, "protocol %u", proto_lo);
	}
}

/* What the packet is, when its ports could not be read: the protocol alone. */
static void say_record(char out[WHAT_STR], const struct flow_record *rec, const struct flow_key *k)
{
	char name[PROTO_STR];

	if ((proto_has_ports(rec->proto) && !rec->destination.has_port) ||
	    (proto_is_icmp(rec->proto) && !rec->has_icmp))
		put(out, WHAT_STR, "%s without ports", proto_name(name, rec->proto));
	else
		say_ports(out, rec->proto, rec->proto, k->port, k->port);
}

static bool party_of(const struct flow_context *ctx, const struct bh_addr *a,
		     struct flow_party *ret)
{
	*ret = (struct flow_party) { 0 };
	return a->family && ctx->party_of && ctx->party_of(a, ret, ctx->arg);
}

static void say_addr(char out[NAME_STR], const struct bh_addr *a)
{
	char text[BH_ADDR_STR];

	copy(out, NAME_STR, a->family ? bh_addr_format(text, a) : "an unknown address");
}

static void name_self(struct question *q)
{
	const struct endpoint *e = q->ctx->endpoint;
	const char *name = first_of(q->rec->service, e ? e->name : NULL, q->ctx->netns_name);

	if (*name)
		bh_escape_str(q->self, sizeof(q->self), name);
	else
		say_addr(q->self, &q->self_end->addr);
}

static void name_far(struct question *q)
{
	const struct flow_party *p = &q->far_party;
	const char *name = first_of(p->service, p->name, p->endpoint);

	if (p->service && p->name && !strcmp(p->service, q->rec->service))
		name = p->name; /* another one of the same service */
	if (*name)
		bh_escape_str(q->far, sizeof(q->far), name);
	else
		say_addr(q->far, &q->far_end->addr);
}

/* Whom an entry lets in or reach. */
static void say_remote(char out[NAME_STR], const struct question *q, const struct entry *e,
		       const struct entry_list *lists)
{
	const struct entry_list *world = &lists[ENTRY_WORLD], *icmp = &lists[ENTRY_WORLD_ICMP];
	bool is_world = (e >= world->e && e < world->e + world->n) ||
			(e >= icmp->e && e < icmp->e + icmp->n);
	char text[BH_RANGE_STR];
	struct flow_party p;

	if (is_world)
		put(out, NAME_STR, "the world");
	else if (!bh_addr_cmp(&e->addr.lo, &e->addr.hi) && party_of(q->ctx, &e->addr.lo, &p) &&
		 *first_of(p.service, p.name, p.endpoint))
		bh_escape_str(out, NAME_STR, first_of(p.service, p.name, p.endpoint));
	else
		put(out, NAME_STR, "%s", bh_range_format(text, &e->addr));
}

/* --- who ---------------------------------------------------------------------------------- */

static void fill_context(struct flow_record *rec, const struct flow_context *ctx)
{
	const struct endpoint *e = ctx->endpoint;
	const struct ruleset *r = ctx->ruleset;

	COPY(rec->host, ctx->host);
	COPY(rec->netns, first_of(ctx->netns_name, e ? e->netns : NULL, NULL));
	COPY(rec->owner, ctx->owner);
	COPY(rec->scope, ctx->scope);
	COPY(rec->endpoint_id, first_of(e ? e->id : NULL, r ? r->endpoint : NULL, NULL));
	if (r) {
		COPY(rec->service, r->services);
		COPY(rec->generation, r->generation);
	}
	if (!e)
		return;
	COPY(rec->endpoint_name, e->name);
	COPY(rec->runtime, endpoint_runtime_name(e->runtime));
	COPY(rec->image, e->image);
}

static void fill_ends(struct question *q)
{
	COPY(q->self_end->endpoint, q->rec->endpoint_id);
	COPY(q->self_end->name, q->rec->endpoint_name);
	COPY(q->self_end->service, q->rec->service);
	COPY(q->self_end->scope, q->rec->scope);
	COPY(q->far_end->endpoint, q->far_party.endpoint);
	COPY(q->far_end->name, q->far_party.name);
	COPY(q->far_end->service, q->far_party.service);
	COPY(q->far_end->scope, q->far_party.scope);
}

/*
 * A denied packet of an ended connection travels as a reply: the connection itself goes the other
 * way, to the port that the reply comes from.
 */
static void set_key(struct question *q)
{
	const struct flow_record *rec = q->rec;
	bool reply = rec->rule_kind == RECORD_REVOKED;

	q->key.direction = reply ? opposite(rec->direction) : rec->direction;
	q->key.remote = q->far_end->addr;
	q->key.proto = rec->proto;
	if (rec->has_icmp)
		q->key.port = rec->icmp_type;
	else
		q->key.port = reply ? rec->source.port : rec->destination.port;
}

/*
 * Is it a guardrail that denies this? Where the log did not say, the ruleset does; in audit mode
 * guardrails are the only ones that deny.
 */
static void find_guard(struct question *q)
{
	struct flow_record *rec = q->rec;

	if (q->ctx->ruleset && q->key.remote.family && !rec->aggregated)
		q->guard = ruleset_guard(q->ctx->ruleset, &q->key);
	if (!q->guard || rec->logged || rec->rule_kind != RECORD_DEFAULT_DENY)
		return;
	rec->rule_kind = RECORD_GUARDRAIL;
	rec->verdict = RECORD_DENY;
}

static void question_init(struct question *q, struct flow_record *rec,
			  const struct flow_context *ctx)
{
	bool egress = rec->direction == DIRECTION_EGRESS;

	*q = (struct question) {
		.rec = rec,
		.ctx = ctx,
		.self_end = egress ? &rec->source : &rec->destination,
		.far_end = egress ? &rec->destination : &rec->source,
		.when = rec->last_seen / 1000000,
	};
	fill_context(rec, ctx);
	party_of(ctx, &q->far_end->addr, &q->far_party);
	fill_ends(q);
	name_self(q);
	name_far(q);
	set_key(q);
	find_guard(q);
	say_record(q->what, rec, &q->key);
}

/* --- which rule --------------------------------------------------------------------------- */

static const char *deny_where(const struct ruleset *r, enum direction d)
{
	return r && r->deny_where[d] && *r->deny_where[d] ? r->deny_where[d] : NULL;
}

/* "FILE:LINE" in two. */
static void split_where(const char *where, char *file, size_t cap, unsigned *ret_line)
{
	const char *colon = where ? strrchr(where, ':') : NULL;
	uint64_t line;

	if (!colon || bh_parse_u64(colon + 1, 1, UINT_MAX, &line) < 0) {
		copy(file, cap, where);
		return;
	}
	copy_n(file, cap, where, (size_t)(colon - where));
	*ret_line = (unsigned)line;
}

/* The policy rule that allows it; NULL: not known, or none does by now. */
static const struct ruleset_rule *allowing_rule(const struct question *q)
{
	const struct ruleset *r = q->ctx->ruleset;
	const struct entry *e = NULL;

	if (r && q->key.remote.family && !q->rec->aggregated)
		e = ruleset_lookup(r, &q->key, q->when);
	return e ? &r->rules[e->rule] : NULL;
}

static void fill_allowed_rule(struct question *q)
{
	const struct ruleset_rule *rule = allowing_rule(q);
	struct flow_record *rec = q->rec;

	PUT(rec->rule_name, "%s", rule ? rule->name : "allow");
	split_where(rule ? rule->where : NULL, rec->rule_file, sizeof(rec->rule_file),
		    &rec->rule_line);
}

static void fill_rule(struct question *q)
{
	struct flow_record *rec = q->rec;
	const char *where = deny_where(q->ctx->ruleset, q->key.direction);
	char name[RULESET_GUARD_STR];

	if (rec->rule_kind == RECORD_ALLOWED) {
		fill_allowed_rule(q);
		return;
	}

	if (rec->rule_kind == RECORD_GUARDRAIL) {
		const struct ruleset_rule *rule =
			q->guard ? &q->ctx->ruleset->rules[q->guard->rule] : NULL;

		PUT(rec->rule_name, "%s", rule ? ruleset_guard_name(rule, name) : "guardrail");
		split_where(rule ? rule->where : NULL, rec->rule_file, sizeof(rec->rule_file),
			    &rec->rule_line);
		return;
	}
	if (rec->rule_kind == RECORD_RAW_SOCKET) {
		COPY(rec->rule_name, "raw-socket");
		return;
	}
	if (q->guard && rec->rule_kind == RECORD_REVOKED)
		where = q->ctx->ruleset->rules[q->guard->rule].where;
	COPY(rec->rule_name, rec->rule_kind == RECORD_REVOKED ? "revoked" : "default-deny");
	split_where(where, rec->rule_file, sizeof(rec->rule_file), &rec->rule_line);
}

/* Would the far end have allowed it? 1 yes, 0 no, -1 not known. */
static int ask_other_side(struct question *q)
{
	const struct ruleset *r = q->far_party.ruleset;
	struct flow_key k = q->key;
	const struct entry *e;
	enum direction d = opposite(q->key.direction);
	const char *where = deny_where(r, d);
	const char *too = q->rec->rule_kind == RECORD_ALLOWED ? "" : " too";
	char name[RULESET_GUARD_STR];

	if (!r || !q->self_end->addr.family)
		return -1;
	k.direction = d;
	k.remote = q->self_end->addr;
	e = ruleset_guard(r, &k);
	if (e) {
		PUT(q->rec->other_side, "%s denies it%s: guardrail %s (%s)", q->far, too,
		    ruleset_guard_name(&r->rules[e->rule], name), r->rules[e->rule].where);
		return 0;
	}
	if (r->open) {
		PUT(q->rec->other_side, "%s lets it in: only guardrails hold it", q->far);
		return 1;
	}
	e = ruleset_lookup(r, &k, q->when);
	if (e) {
		PUT(q->rec->other_side, "%s allows it: %s (%s)", q->far, r->rules[e->rule].name,
		    r->rules[e->rule].where);
		return 1;
	}
	PUT(q->rec->other_side, "%s denies it%s%s%s%s%s", q->far, too, where ? " (" : "",
	    or_empty(where), where ? ")" : "",
	    r->mode == MODE_AUDIT ? ", but only records: audit mode" : "");
	return 0;
}

/* --- the sentence ------------------------------------------------------------------------- */

struct near {
	const struct entry *entry; /* or NULL */
	enum near_differs differs;
	enum direction direction;
	char what[WHAT_STR], remote[NAME_STR];
	const char *rule, *where;
};

static void find_near(struct question *q, struct near *n)
{
	const struct ruleset *r = q->ctx->ruleset;
	bool to;

	*n = (struct near) { 0 };
	n->entry = ruleset_near_miss(r, &q->key, q->when, &n->differs, &n->direction);
	if (!n->entry)
		return;
	say_ports(n->what, n->entry->proto_lo, n->entry->proto_hi, n->entry->port_lo,
		  n->entry->port_hi);
	say_remote(n->remote, q, n->entry, r->entries[n->direction]);
	n->rule = r->rules[n->entry->rule].name;
	n->where = r->rules[n->entry->rule].where;
	to = n->direction == DIRECTION_EGRESS;
	PUT(q->rec->near_miss, "%s allows %s %s %s (%s)", n->rule, n->what, to ? "to" : "from",
	    n->remote, n->where);
}

/* " (FILE:LINE denies by default)", or nothing. */
static void say_default(char out[BH_NFT_COMMENT_MAX + 32], const struct question *q)
{
	const char *where = deny_where(q->ctx->ruleset, q->key.direction);

	put(out, BH_NFT_COMMENT_MAX + 32, where ? " (%s denies by default)" : "%s",
	    or_empty(where));
}

/* A query to a resolver that the container really uses. */
static bool asks_resolver(const struct question *q)
{
	const struct endpoint *e = q->ctx->endpoint;

	if (q->key.port != 53 || (q->key.proto != IPPROTO_UDP && q->key.proto != IPPROTO_TCP))
		return false;
	for (size_t i = 0; e && i < e->n_resolvers; i++)
		if (bh_addr_cmp(&e->resolvers[i], &q->key.remote) == 0)
			return true;
	return false;
}

static void say_egress(struct question *q, const struct near *n, int other_side)
{
	char by_default[BH_NFT_COMMENT_MAX + 32], text[400];

	say_default(by_default, q);
	if (asks_resolver(q))
		PUT(text, "%s asks its resolver %s on %s, and its policy does not say dns: allow%s",
		    q->self, q->far, q->what, by_default);
	else if (!n->entry)
		PUT(text, "nothing allows %s to send to %s%s", q->self, q->far, by_default);
	else if (n->differs == NEAR_REMOTE)
		PUT(text, "%s may reach %s on %s, not %s: %s", q->self, n->remote, q->what, q->far,
		    n->where);
	else if (n->differs == NEAR_DIRECTION)
		PUT(text, "%s may reach %s on %s (%s), but nothing allows %s to send to %s", q->far,
		    q->self, n->what, n->where, q->self, q->far);
	else
		PUT(text, "%s may reach %s on %s, not %s: %s", q->self, q->far, n->what, q->what,
		    n->where);
	PUT(q->rec->reason, "%s%s%s%s", text, other_side == 1 ? "; " : "",
	    other_side == 1 ? q->far : "", other_side == 1 ? " would let it in" : "");
}

static void say_ingress(struct question *q, const struct near *n, int other_side)
{
	char by_default[BH_NFT_COMMENT_MAX + 32], text[400];

	say_default(by_default, q);
	if (!n->entry)
		PUT(text, "%s lets nobody in on %s%s", q->self, q->what, by_default);
	else if (n->differs == NEAR_REMOTE)
		PUT(text, "%s lets %s in on %s, not %s: %s", q->self, n->remote, q->what, q->far,
		    n->where);
	else if (n->differs == NEAR_DIRECTION)
		PUT(text, "%s may reach %s on %s (%s), but does not let it in", q->self, q->far,
		    n->what, n->where);
	else
		PUT(text, "%s lets %s in on %s, not %s: %s", q->self, q->far, n->what, q->what,
		    n->where);
	PUT(q->rec->reason, "%s%s%s", other_side == 1 ? q->far : "",
	    other_side == 1 ? " may send, but " : "", text);
}

static void say_revoked(struct question *q)
{
	bool in = q->key.direction == DIRECTION_INGRESS;
	char by_default[BH_NFT_COMMENT_MAX + RULESET_GUARD_STR + 32], name[RULESET_GUARD_STR];

	if (q->guard)
		PUT(by_default, " (guardrail %s denies it: %s)",
		    ruleset_guard_name(&q->ctx->ruleset->rules[q->guard->rule], name),
		    q->ctx->ruleset->rules[q->guard->rule].where);
	else
		say_default(by_default, q);
	PUT(q->rec->reason,
	    "the connection from %s to %s on %s was allowed by an older policy and is no longer%s",
	    in ? q->far : q->self, in ? q->self : q->far, q->what, by_default);
}

/* "guardrail no-metadata denies 169.254.169.254 to web on 80/tcp: FILE:LINE" */
static void say_guardrail(struct question *q)
{
	bool out = q->key.direction == DIRECTION_EGRESS;
	const struct ruleset_rule *rule;
	char name[RULESET_GUARD_STR];

	if (!q->guard) {
		PUT(q->rec->reason,
		    "a guardrail denied %s to %s on %s; the present ones do not, so this came "
		    "before",
		    out ? q->far : q->self, out ? q->self : q->far, q->what);
		return;
	}
	rule = &q->ctx->ruleset->rules[q->guard->rule];
	PUT(q->rec->reason, "guardrail %s denies %s to %s on %s: %s",
	    ruleset_guard_name(rule, name), out ? q->far : q->self, out ? q->self : q->far, q->what,
	    rule->where);
}

static bool is_own_address(const struct question *q, const struct bh_addr *a)
{
	const struct endpoint *e = q->ctx->endpoint;

	for (size_t i = 0; e && i < e->n_addrs; i++)
		if (bh_addr_cmp(&e->addrs[i], a) == 0)
			return true;
	return !e;
}

/* What no policy was asked about: it did not come through the stack, or pretends to be another's. */
static void say_raw(struct question *q)
{
	const struct flow_record *rec = q->rec;
	char source[NAME_STR];

	if (rec->has_frame && !rec->source.addr.family) {
		PUT(q->rec->reason,
		    "%s sent a frame that was made by hand (a packet socket), which no policy can "
		    "judge",
		    q->self);
		return;
	}
	say_addr(source, &rec->source.addr);
	if (is_own_address(q, &rec->source.addr))
		PUT(q->rec->reason,
		    "%s sent to %s on %s with a frame that was made by hand (a packet socket), "
		    "past its policy",
		    q->self, q->far, q->what);
	else
		PUT(q->rec->reason, "%s sent to %s on %s from %s, which is none of its addresses",
		    q->self, q->far, q->what, source);
}

/* Only what is not from here is denied on the loopback device. */
static bool is_loopback(const struct flow_record *rec)
{
	return strcmp(rec->interface, "lo") == 0;
}

/* Who answers it sends to a host that asked nothing. */
static void say_loopback(struct question *q)
{
	char source[NAME_STR];

	say_addr(source, &q->rec->source.addr);
	PUT(q->rec->reason,
	    "%s sent itself a packet on %s from %s, which is none of its addresses: the answer "
	    "would leave as if %s had asked",
	    q->self, q->what, source, source);
}

static void say_aggregated(struct question *q)
{
	const char *verb = q->rec->direction == DIRECTION_EGRESS ? "sent" : "was sent";

	if (q->rec->rule_kind == RECORD_ALLOWED)
		PUT(q->rec->reason,
		    "connections that %s %s, which its policy allows: too many to be recorded one "
		    "by one",
		    q->self, q->rec->direction == DIRECTION_EGRESS ? "opened" : "let in");
	else if (q->rec->rule_kind == RECORD_RAW_SOCKET)
		PUT(q->rec->reason,
		    "frames that %s sent, made by hand (a packet socket) or from addresses that "
		    "are not its own",
		    q->self);
	else if (q->rec->rule_kind == RECORD_REVOKED)
		PUT(q->rec->reason,
		    "packets that %s %s on connections which an older policy allowed and the "
		    "present one does not",
		    q->self, verb);
	else
		PUT(q->rec->reason,
		    "packets that %s %s in flows that were not remembered one by one: there were "
		    "too many, or their counts were deleted",
		    q->self, verb);
}

/* "web may reach db on 5432/tcp: FILE:LINE" */
static void say_allowed_by_rule(struct question *q)
{
	const struct ruleset_rule *rule = allowing_rule(q);
	bool out = q->rec->direction == DIRECTION_EGRESS;

	if (q->key.remote.family)
		ask_other_side(q);
	if (!rule)
		PUT(q->rec->reason,
		    "%s was allowed to reach %s on %s, by a rule that is not known here any more",
		    out ? q->self : q->far, out ? q->far : q->self, q->what);
	else if (out)
		PUT(q->rec->reason, "%s may reach %s on %s: %s", q->self, q->far, q->what,
		    rule->where);
	else
		PUT(q->rec->reason, "%s lets %s in on %s: %s", q->self, q->far, q->what,
		    rule->where);
}

/* The policy that is known now lets it pass: the denial is older, or the ruleset is another. */
static void say_allowed(struct question *q, const struct entry *e)
{
	PUT(q->rec->reason, "%s and %s may talk on %s by now (%s); this came before", q->self,
	    q->far, q->what, q->ctx->ruleset->rules[e->rule].where);
}

/* Only guardrails hold it by now, and none of them denies this. */
static void say_open(struct question *q)
{
	PUT(q->rec->reason,
	    "only guardrails hold %s by now, and none denies it %s on %s; this came "
	    "before",
	    q->self, q->far, q->what);
}

static void say_unknown(struct question *q)
{
	bool out = q->rec->direction == DIRECTION_EGRESS;

	PUT(q->rec->reason,
	    "%s sent to %s on %s, which was denied; the policy behind it is not known here",
	    out ? q->self : q->far, out ? q->far : q->self, q->what);
}

static void say_reason(struct question *q)
{
	const struct ruleset *r = q->ctx->ruleset;
	const struct entry *allow = NULL;
	int other_side = -1;
	struct near n = { 0 };

	if (q->rec->aggregated) {
		say_aggregated(q);
		return;
	}
	if (q->rec->rule_kind == RECORD_RAW_SOCKET) {
		say_raw(q);
		return;
	}
	if (q->rec->rule_kind == RECORD_ALLOWED) {
		say_allowed_by_rule(q);
		return;
	}
	if (is_loopback(q->rec)) {
		say_loopback(q);
		return;
	}
	if (q->key.remote.family)
		other_side = ask_other_side(q);
	if (r && q->key.remote.family && q->rec->rule_kind != RECORD_GUARDRAIL) {
		allow = ruleset_lookup(r, &q->key, q->when);
		if (!allow && !r->open)
			find_near(q, &n);
	}
	if (!r)
		say_unknown(q);
	else if (q->rec->rule_kind == RECORD_GUARDRAIL)
		say_guardrail(q);
	else if (q->rec->rule_kind == RECORD_REVOKED)
		say_revoked(q);
	else if (r->open && !q->guard)
		say_open(q);
	else if (allow)
		say_allowed(q, allow);
	else if (q->rec->direction == DIRECTION_EGRESS)
		say_egress(q, &n, other_side);
	else
		say_ingress(q, &n, other_side);
}

void flow_explain(struct flow_record *rec, const struct flow_context *ctx)
{
	struct question q;
	size_t len;

	question_init(&q, rec, ctx);
	fill_rule(&q);
	say_reason(&q);
	len = strlen(rec->reason);
	if (rec->verdict == RECORD_AUDIT)
		put(rec->reason + len, sizeof(rec->reason) - len, " (audit mode: it passed)");
}
