/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/nft/nft.h>

/* --- a small way of writing rules down ------------------------------------------------------- */

#define OP1(k)       ((struct nft_op) { .kind = (k) })
#define OP2(k, x)    ((struct nft_op) { .kind = (k), .a = (uint8_t)(x) })
#define OP3(k, x, y) ((struct nft_op) { .kind = (k), .a = (uint8_t)(x), .b = (uint8_t)(y) })

/* RULE(program, chain, comment, op, op, ...) */
#define RULE(p, chain, comment, ...)                                                               \
	add_rule(p, chain, comment, (const struct nft_op[]) { __VA_ARGS__, { 0 } })

static void add_rule(struct nft_program *p, unsigned chain, const char *comment,
		     const struct nft_op *ops)
{
	struct nft_rule *r = &p->rules[p->n_rules];

	if (p->n_rules == PROGRAM_RULES_MAX)
		abort(); /* the shape below is bounded: this is a defect of ours */
	p->n_rules++;
	memset(r, 0, sizeof(*r));
	r->chain = (uint8_t)chain;
	for (int i = 0; i < RULE_OPS_MAX && ops[i].kind; i++)
		r->ops[i] = ops[i];
	snprintf(r->comment, sizeof(r->comment), "%s", comment ? comment : "");
	p->has_chain[chain] = true;
}

/* --- sets ------------------------------------------------------------------------------------ */

/* IPv4 comes first in every list: cut it in two. */
static void slice_list(struct nft_program *p, const struct entry_list *l, unsigned set4,
		       unsigned set6)
{
	size_t n4 = 0;

	while (n4 < l->n && l->e[n4].addr.lo.family == AF_INET)
		n4++;
	p->maps[set4] = (struct entry_list) { l->e, n4 };
	p->maps[set6] = (struct entry_list) { l->e + n4, l->n - n4 };
}

static void slice_entries(struct nft_program *p, uint32_t idle)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (unsigned k = 0; k < ENTRY_KINDS; k++)
			slice_list(p, &p->ruleset->entries[d][k], SET_MAP(d, FAMILY4, k),
				   SET_MAP(d, FAMILY6, k));
		for (unsigned k = 0; k < GUARD_KINDS; k++)
			slice_list(p, &p->ruleset->guards[d][k], SET_GUARD(d, FAMILY4, k),
				   SET_GUARD(d, FAMILY6, k));
	}
	for (unsigned i = 0; i < NFT_MAPS; i++)
		p->has_set[i] = p->maps[i].n > 0 || (i < SET_GUARDS && (idle >> i & 1));
}

static bool has_world(const struct nft_program *p, unsigned family)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (p->has_set[SET_MAP(d, family, ENTRY_WORLD)] ||
		    p->has_set[SET_MAP(d, family, ENTRY_WORLD_ICMP)])
			return true;
	return false;
}

static void slice_known(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;
	size_t n4 = 0;

	while (n4 < r->n_known && r->known[n4].lo.family == AF_INET)
		n4++;
	p->known[FAMILY4] = r->known;
	p->n_known[FAMILY4] = n4;
	p->known[FAMILY6] = r->known ? r->known + n4 : NULL;
	p->n_known[FAMILY6] = r->n_known - n4;
	/* A world map needs it even empty; a full one is kept without, so that it reads back. */
	for (unsigned f = 0; f < FAMILIES; f++)
		p->has_set[SET_KNOWN + f] = has_world(p, f) || p->n_known[f];
}

/* --- chains ---------------------------------------------------------------------------------- */

static void lower_about(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;
	static const char *const modes[] = {
		[MODE_ENFORCE] = "mode enforce",
		[MODE_AUDIT] = "mode audit",
		[MODE_OFF] = "mode off",
	};
	char line[256];

#define ABOUT(...)                                                                                 \
	do {                                                                                       \
		snprintf(line, sizeof(line), __VA_ARGS__);                                         \
		RULE(p, CHAIN_ABOUT, line, OP1(OP_CONTINUE));                                      \
	} while (0)
	ABOUT("endpoint %s", r->endpoint);
	ABOUT("services %s", r->services);
	ABOUT("generation %s", r->generation);
	ABOUT("%s", modes[r->mode]);
	ABOUT("on-deny %s", r->on_deny == ON_DENY_REJECT ? "reject" : "drop");
	ABOUT("log-denied %s", r->log_denied ? "true" : "false");
	if (r->open)
		ABOUT("default accept");
	for (unsigned d = 0; !r->open && d < DIRECTIONS; d++)
		ABOUT("default-deny %s %.100s", direction_name(d), r->deny_where[d]);
#undef ABOUT
}

/* The matches that a map of this kind needs before its key can be loaded. */
static void flow_rule(struct nft_program *p, unsigned chain, unsigned set, unsigned side,
		      bool reply)
{
	unsigned kind = nft_set_info(set)->kind, family = nft_set_info(set)->family, n = 0;
	bool icmp = kind == ENTRY_ICMP || kind == ENTRY_ICMP_RANGE || kind == ENTRY_WORLD_ICMP;
	bool world = kind == ENTRY_WORLD || kind == ENTRY_WORLD_ICMP;
	struct nft_op ops[RULE_OPS_MAX + 1] = { 0 };

	ops[n++] = OP2(OP_CT_DIRECTION, reply);
	ops[n++] = OP2(OP_NFPROTO, family);
	if (icmp)
		ops[n++] = OP2(OP_L4PROTO, family == FAMILY4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (world)
		ops[n++] = OP3(OP_LOOKUP_NOT, SET_KNOWN + family, side & SIDE_SRC);
	if (reply)
		ops[n++] = OP3(OP_LOOKUP, set, side | SIDE_SPORT);
	else
		ops[n++] = OP3(OP_OBJMAP, set, side);
	ops[n++] = OP1(OP_ACCEPT);
	add_rule(p, chain, NULL, ops);
}

/*
 * The flows of one hook: originals by its own direction's maps, replies by the other's. Exact flows
 * of IPv4 and IPv6 come first, the rest kind by kind.
 */
static void lower_flows(struct nft_program *p, unsigned chain, unsigned direction)
{
	unsigned other = direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	unsigned side = direction == DIRECTION_EGRESS ? SIDE_DST : SIDE_SRC;

	for (unsigned k = 0; k < ENTRY_KINDS; k++)
		for (unsigned f = 0; f < FAMILIES; f++) {
			if (p->has_set[SET_MAP(direction, f, k)])
				flow_rule(p, chain, SET_MAP(direction, f, k), side, false);
			if (p->has_set[SET_MAP(other, f, k)])
				flow_rule(p, chain, SET_MAP(other, f, k), side, true);
		}
}

/*
 * Neighbour discovery never leaves the link (RFC 4861: hop limit 255), multicast listener discovery
 * neither (RFC 2710, RFC 3810: hop limit 1), and what a container says by it goes to a group.
 */
static void lower_ipv6_basics(struct nft_program *p, unsigned chain, unsigned direction)
{
	bool out = direction == DIRECTION_EGRESS;
	struct nft_op group = OP1(out ? OP_MULTICAST6 : OP_ACCEPT);

#define ICMPV6(comment, from, to, limit, ...)                                                      \
	RULE(p, chain, comment, OP2(OP_NFPROTO, FAMILY6), OP2(OP_L4PROTO, IPPROTO_ICMPV6),         \
	     OP3(OP_ICMPV6_TYPES, from, to), OP2(OP_HOPLIMIT, limit), __VA_ARGS__)
	if (out)
		ICMPV6("router solicitation", 133, 133, 255, OP1(OP_MULTICAST6), OP1(OP_ACCEPT));
	else
		ICMPV6("router advertisement", 134, 134, 255, OP1(OP_ACCEPT));
	ICMPV6("neighbour discovery", 135, 136, 255, OP1(OP_ACCEPT));
	ICMPV6("multicast listener discovery", 130, 132, 1, group, OP1(out ? OP_ACCEPT : OP_END));
	ICMPV6("multicast listener discovery 2", 143, 143, 1, group, OP1(out ? OP_ACCEPT : OP_END));
#undef ICMPV6
}

/* Errors of connections that exist. */
static void lower_errors(struct nft_program *p, unsigned chain)
{
	RULE(p, chain, "errors of connections, path MTU among them", OP2(OP_L4PROTO, IPPROTO_ICMP),
	     OP1(OP_CT_RELATED), OP1(OP_ACCEPT));
	RULE(p, chain, "errors of connections, path MTU among them",
	     OP2(OP_L4PROTO, IPPROTO_ICMPV6), OP1(OP_CT_RELATED), OP1(OP_ACCEPT));
}

/* --- guardrails ------------------------------------------------------------------------------ */

/* MATCH tells originals, replies and what conntrack does not know from each other. */
static void guard_rule(struct nft_program *p, unsigned chain, unsigned set, struct nft_op match,
		       unsigned side, unsigned to)
{
	const struct nft_set_info *s = nft_set_info(set);
	bool reply = match.kind == OP_CT_DIRECTION && match.a;
	struct nft_op ops[RULE_OPS_MAX + 1] = { 0 };
	unsigned n = 0;

	if (!p->has_set[set])
		return;
	ops[n++] = match;
	ops[n++] = OP2(OP_NFPROTO, s->family);
	if (s->kind == GUARD_ICMP)
		ops[n++] = OP2(OP_L4PROTO, s->family == FAMILY4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (reply)
		ops[n++] = OP3(OP_LOOKUP, set, side | SIDE_SPORT);
	else
		ops[n++] = OP3(OP_OBJMAP, set, side);
	ops[n++] = OP2(OP_GOTO, CHAIN_GUARD + to);
	add_rule(p, chain, NULL, ops);
}

/*
 * Packets of connections that go in DIRECTION (replies travel the other way), where the remote end
 * is at SIDE.
 */
static void lower_guards_of(struct nft_program *p, unsigned chain, unsigned direction,
			    struct nft_op match, unsigned side, unsigned to)
{
	for (unsigned k = 0; k < GUARD_KINDS; k++)
		for (unsigned f = 0; f < FAMILIES; f++)
			guard_rule(p, chain, SET_GUARD(direction, f, k), match, side, to);
}

/* Where everything else passes, what conntrack does not know would pass as well. */
static bool lets_unknown_pass(const struct ruleset *r)
{
	return r->open || r->mode == MODE_AUDIT;
}

static void lower_guards(struct nft_program *p, unsigned chain, unsigned direction)
{
	unsigned other = direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	unsigned side = direction == DIRECTION_EGRESS ? SIDE_DST : SIDE_SRC;

	lower_guards_of(p, chain, direction, OP2(OP_CT_DIRECTION, 0), side, direction);
	lower_guards_of(p, chain, other, OP2(OP_CT_DIRECTION, 1), side, direction);
	if (lets_unknown_pass(p->ruleset))
		lower_guards_of(p, chain, direction, OP1(OP_CT_UNKNOWN), side, direction);
}

/* What is routed through an open container may not go where its own packets may not. */
static void lower_forward(struct nft_program *p)
{
	if (!p->ruleset->open) {
		RULE(p, CHAIN_FORWARD, NULL, OP2(OP_COUNTER, COUNTER_FORWARDED), OP1(OP_DROP));
		return;
	}
	lower_guards_of(p, CHAIN_FORWARD, DIRECTION_EGRESS, OP2(OP_CT_DIRECTION, 0), SIDE_DST,
			DIRECTION_EGRESS);
	lower_guards_of(p, CHAIN_FORWARD, DIRECTION_EGRESS, OP2(OP_CT_DIRECTION, 1), SIDE_SRC,
			DIRECTION_INGRESS);
	lower_guards_of(p, CHAIN_FORWARD, DIRECTION_EGRESS, OP1(OP_CT_UNKNOWN), SIDE_DST,
			DIRECTION_EGRESS);
	RULE(p, CHAIN_FORWARD, NULL, OP1(OP_ACCEPT));
}

static bool has_guards(const struct nft_program *p)
{
	for (unsigned i = SET_GUARDS; i < NFT_MAPS; i++)
		if (p->has_set[i])
			return true;
	return false;
}

static void lower_base(struct nft_program *p, unsigned chain, unsigned direction)
{
	bool guarded = has_guards(p);

	RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction), OP1(OP_ACCEPT));
	if (guarded) { /* the basics pass whatever guardrails say */
		lower_ipv6_basics(p, chain, direction);
		lower_errors(p, chain);
		lower_guards(p, chain, direction);
	}
	if (p->ruleset->open) {
		RULE(p, chain, NULL, OP1(OP_ACCEPT));
		return;
	}
	lower_flows(p, chain, direction);
	if (!guarded) {
		lower_ipv6_basics(p, chain, direction);
		lower_errors(p, chain);
	}
	RULE(p, chain, NULL, OP2(OP_GOTO, CHAIN_DENY + direction));
}

/* --- denied packets -------------------------------------------------------------------------- */

/* How a denied packet is counted, told and ended. */
struct manner {
	unsigned log; /* enum nft_log_kind */
	bool is_logged;
	struct nft_op end; /* drop, accept in audit mode, or the polite refusal */
};

static bool is_polite(const struct ruleset *r, unsigned direction)
{
	return r->on_deny == ON_DENY_REJECT && direction == DIRECTION_EGRESS;
}

static struct manner default_manner(const struct ruleset *r, unsigned direction)
{
	bool audit = r->mode == MODE_AUDIT;

	return (struct manner) {
		.log = audit ? NFT_LOG_AUDIT : NFT_LOG_DENY,
		.is_logged = r->log_denied,
		.end = audit                     ? OP1(OP_ACCEPT)
		       : is_polite(r, direction) ? OP2(OP_GOTO, CHAIN_REFUSE)
						 : OP1(OP_DROP),
	};
}

/* Neither audit mode nor `log: {denied: false}` of a service is a way round a guardrail. */
static struct manner guard_manner(const struct ruleset *r, unsigned direction)
{
	return (struct manner) {
		.log = NFT_LOG_GUARD,
		.is_logged = true,
		.end = is_polite(r, direction) ? OP2(OP_GOTO, CHAIN_REFUSE) : OP1(OP_DROP),
	};
}

/* Count a denied flow in its set; the first packet of a flow makes the element and is logged. */
static void lower_denied_sets(struct nft_program *p, unsigned chain, unsigned direction,
			      unsigned side, const struct manner *m)
{
	for (unsigned f = 0; f < FAMILIES; f++) {
		unsigned set = SET_DENIED_OF(direction, f);

		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_LOOKUP, set, side), m->end);
		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_ADD, set, side),
		     OP3(OP_LOG, m->log, direction), m->end);
		p->has_set[set] = true;
	}
}

/* Replies of connections that are allowed no longer; the request is met in the other chain. */
static void lower_revoked(struct nft_program *p, unsigned chain, unsigned direction, bool is_logged)
{
	RULE(p, chain, "of connections that a newer policy ended", OP2(OP_CT_DIRECTION, 1),
	     OP2(OP_COUNTER, COUNTER_REVOKED + direction));
	if (is_logged)
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_LIMIT),
		     OP3(OP_LOG, NFT_LOG_REVOKED, direction));
	RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_DROP));
}

/* The rest of a chain of denied packets; for ICMP it goes through the chain ICMP. */
static void lower_record(struct nft_program *p, unsigned chain, unsigned icmp, unsigned direction,
			 const struct manner *m)
{
	if (m->is_logged) {
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMP), OP2(OP_JUMP, icmp));
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMPV6), OP2(OP_JUMP, icmp));
		lower_denied_sets(p, chain, direction, 0, m);
		RULE(p, chain, "of flows that the full sets could not take",
		     OP2(OP_COUNTER, COUNTER_OVERFLOW + direction));
		RULE(p, chain, NULL, OP1(OP_LIMIT), OP3(OP_LOG, NFT_LOG_OVERFLOW, direction));
	}
	RULE(p, chain, NULL, m->end);
}

static void lower_deny(struct nft_program *p, unsigned direction)
{
	const struct ruleset *r = p->ruleset;
	struct manner m = default_manner(r, direction);
	unsigned chain = CHAIN_DENY + direction;
	char where[256];

	snprintf(where, sizeof(where), "default-deny %s %.100s", direction_name(direction),
		 r->deny_where[direction]);
	if (r->mode == MODE_AUDIT) /* an audited flow's replies are no denials */
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_ACCEPT));
	RULE(p, chain, where, OP2(OP_COUNTER, COUNTER_DENIED + direction));
	if (r->mode != MODE_AUDIT)
		lower_revoked(p, chain, direction, r->log_denied);
	lower_record(p, chain, CHAIN_ICMP + direction, direction, &m);
}

static void lower_guard(struct nft_program *p, unsigned direction)
{
	struct manner m = guard_manner(p->ruleset, direction);
	unsigned chain = CHAIN_GUARD + direction;

	RULE(p, chain, "denied by a guardrail", OP2(OP_COUNTER, COUNTER_DENIED + direction));
	lower_revoked(p, chain, direction, true);
	lower_record(p, chain, CHAIN_GUARD_ICMP + direction, direction, &m);
}

static void lower_icmp(struct nft_program *p, unsigned direction)
{
	struct manner m = default_manner(p->ruleset, direction);

	if (m.is_logged)
		lower_denied_sets(p, CHAIN_ICMP + direction, direction, SIDE_SPORT, &m);
}

static void lower_guard_icmp(struct nft_program *p, unsigned direction)
{
	struct manner m = guard_manner(p->ruleset, direction);

	lower_denied_sets(p, CHAIN_GUARD_ICMP + direction, direction, SIDE_SPORT, &m);
}

static void lower_refuse(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if (r->on_deny != ON_DENY_REJECT || (r->mode == MODE_AUDIT && !has_guards(p)))
		return;
	RULE(p, CHAIN_REFUSE, NULL, OP2(OP_L4PROTO, IPPROTO_TCP), OP1(OP_REJECT_TCP));
	RULE(p, CHAIN_REFUSE, NULL, OP1(OP_REJECT));
}

static void lower(const struct ruleset *r, uint32_t idle, struct nft_program *p)
{
	p->ruleset = r;
	p->n_rules = 0;
	memset(p->has_set, 0, sizeof(p->has_set));
	memset(p->has_chain, 0, sizeof(p->has_chain));
	slice_entries(p, idle);
	slice_known(p);
	lower_about(p);
	lower_base(p, CHAIN_OUTPUT, DIRECTION_EGRESS);
	lower_base(p, CHAIN_INPUT, DIRECTION_INGRESS);
	lower_forward(p);
	for (unsigned d = 0; !r->open && d < DIRECTIONS; d++)
		lower_deny(p, d);
	for (unsigned d = 0; !r->open && d < DIRECTIONS; d++)
		lower_icmp(p, d);
	lower_refuse(p);
	for (unsigned d = 0; has_guards(p) && d < DIRECTIONS; d++)
		lower_guard(p, d);
	for (unsigned d = 0; has_guards(p) && d < DIRECTIONS; d++)
		lower_guard_icmp(p, d);
}

void nft_lower(const struct ruleset *r, struct nft_program *p)
{
	lower(r, 0, p);
}

void nft_lower_state(const struct nft_state *s, struct nft_program *p)
{
	lower(s->ruleset, s->idle_maps, p);
}
