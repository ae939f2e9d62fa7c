/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bulkhead/nft/nft.h>

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

static void slice_entries(struct nft_program *p)
{
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		for (unsigned k = 0; k < ENTRY_KINDS; k++)
			slice_list(p, &p->ruleset->entries[d][k], SET_MAP(d, FAMILY4, k),
				   SET_MAP(d, FAMILY6, k));
		for (unsigned k = 0; k < GUARD_KINDS; k++)
			slice_list(p, &p->ruleset->guards[d][k], SET_GUARD(d, FAMILY4, k),
				   SET_GUARD(d, FAMILY6, k));
	}
}

/* Only maps with something in them are there, and idle ones, each by one of its names. */
static void place_maps(struct nft_program *p, uint32_t idle, uint64_t alternates)
{
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		unsigned set = alternates >> i & 1 ? SET_OTHER(i) : i;

		p->set_of[i] = (uint8_t)set;
		p->has_set[set] = p->maps[i].n > 0 || (i < SET_GUARDS && (idle >> i & 1));
		p->named[set] = p->has_set[set];
	}
}

static bool map_is_named(const struct nft_program *p, unsigned map)
{
	return p->named[map] || p->named[SET_OTHER(map)];
}

bool nft_has_world(const struct nft_program *p, unsigned family)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		if (map_is_named(p, SET_MAP(d, family, ENTRY_WORLD)) ||
		    map_is_named(p, SET_MAP(d, family, ENTRY_WORLD_ICMP)))
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
		p->has_set[SET_KNOWN + f] = nft_has_world(p, f) || p->n_known[f];
}

/* --- chains ---------------------------------------------------------------------------------- */

const char *nft_manner(enum mode mode, enum on_deny on_deny, bool log_denied)
{
	static const char *const manners[2][2][2] = {
		{ { "mode enforce, on-deny drop, log-denied false",
		    "mode enforce, on-deny drop, log-denied true" },
		  { "mode enforce, on-deny reject, log-denied false",
		    "mode enforce, on-deny reject, log-denied true" } },
		{ { "mode audit, on-deny drop, log-denied false",
		    "mode audit, on-deny drop, log-denied true" },
		  { "mode audit, on-deny reject, log-denied false",
		    "mode audit, on-deny reject, log-denied true" } },
	};

	return manners[mode == MODE_AUDIT][on_deny == ON_DENY_REJECT][log_denied];
}

static void lower_about(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;
	char line[256];

#define ABOUT(...)                                                                                 \
	do {                                                                                       \
		snprintf(line, sizeof(line), __VA_ARGS__);                                         \
		RULE(p, CHAIN_ABOUT, line, OP1(OP_CONTINUE));                                      \
	} while (0)
	ABOUT("endpoint %s", r->endpoint);
	ABOUT("services %s", r->services);
	ABOUT("generation %s", r->generation);
	ABOUT("%s", nft_manner(r->mode, r->on_deny, r->log_denied));
	if (r->open)
		ABOUT("default accept");
	if (r->log_allowed)
		ABOUT("log-allowed true");
#undef ABOUT
}

static bool logs_allowed(const struct nft_program *p)
{
	return p->ruleset->log_allowed && !p->ruleset->open;
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
	if (!reply && logs_allowed(p))
		ops[n++] = OP2(OP_GOTO, CHAIN_ALLOW);
	else
		ops[n++] = OP1(OP_ACCEPT);
	program_add_rule(p, chain, NULL, ops);
}

/* By each of its names. */
static void flow_rules(struct nft_program *p, unsigned chain, unsigned map, unsigned side,
		       bool reply)
{
	if (p->named[map])
		flow_rule(p, chain, map, side, reply);
	if (p->named[SET_OTHER(map)])
		flow_rule(p, chain, SET_OTHER(map), side, reply);
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
			flow_rules(p, chain, SET_MAP(direction, f, k), side, false);
			flow_rules(p, chain, SET_MAP(other, f, k), side, true);
		}
}

/*
 * Neighbour discovery never leaves the link (RFC 4861: hop limit 255), who listens to which group
 * neither (RFC 2236, RFC 3376, RFC 2710, RFC 3810: 1). What hosts say goes out, what routers say
 * comes in.
 */
static void lower_link_basics(struct nft_program *p, unsigned direction)
{
#define ICMPV6(chain, comment, from, to, limit)                                                    \
	RULE(p, chain, comment, OP2(OP_NFPROTO, FAMILY6), OP2(OP_L4PROTO, IPPROTO_ICMPV6),         \
	     OP3(OP_ICMPV6_TYPES, from, to), OP3(OP_HOPLIMIT, limit, FAMILY6), OP1(OP_ACCEPT))
	unsigned chain = direction == DIRECTION_INGRESS ? CHAIN_INPUT : CHAIN_OUTPUT;

	RULE(p, chain, "multicast group membership", OP2(OP_NFPROTO, FAMILY4),
	     OP3(OP_HOPLIMIT, 1, FAMILY4), OP2(OP_L4PROTO, IPPROTO_IGMP), OP1(OP_ACCEPT));
	if (direction == DIRECTION_INGRESS) {
		ICMPV6(CHAIN_INPUT, "router advertisement, neighbour discovery", 134, 136, 255);
		ICMPV6(CHAIN_INPUT, "multicast listener query", 130, 130, 1);
		return;
	}
	ICMPV6(CHAIN_OUTPUT, "neighbour discovery", 135, 136, 255);
	ICMPV6(CHAIN_OUTPUT, "router solicitation", 133, 133, 255);
	ICMPV6(CHAIN_OUTPUT, "multicast listener report", 131, 132, 1);
	ICMPV6(CHAIN_OUTPUT, "multicast listener report 2", 143, 143, 1);
#undef ICMPV6
}

static void lower_related(struct nft_program *p, unsigned chain)
{
	RULE(p, chain, "errors of connections, path MTU among them", OP1(OP_CT_RELATED),
	     OP2(OP_JUMP, CHAIN_ERRORS));
}

/* --- guardrails ------------------------------------------------------------------------------ */

/*
 * Packets of connections that go in DIRECTION, whose remote end is at SIDE; replies travel the
 * other way. MATCH tells originals, replies and what conntrack does not know from each other, END
 * (one or two operations) is what becomes of those that a guardrail denies.
 */
struct guarding {
	unsigned chain, direction, side;
	struct nft_op match, end[2];
};

static void guard_rule(struct nft_program *p, unsigned set, const struct guarding *g)
{
	const struct nft_set_info *s = nft_set_info(set);
	bool reply = g->match.kind == OP_CT_DIRECTION && g->match.a;
	struct nft_op ops[RULE_OPS_MAX + 1] = { 0 };
	unsigned n = 0;

	ops[n++] = g->match;
	ops[n++] = OP2(OP_NFPROTO, s->family);
	if (s->kind == GUARD_ICMP)
		ops[n++] = OP2(OP_L4PROTO, s->family == FAMILY4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (reply)
		ops[n++] = OP3(OP_LOOKUP, set, g->side | SIDE_SPORT);
	else
		ops[n++] = OP3(OP_OBJMAP, set, g->side);
	ops[n++] = g->end[0];
	ops[n] = g->end[1];
	program_add_rule(p, g->chain, NULL, ops);
}

static void lower_guarding(struct nft_program *p, const struct guarding *g)
{
	for (unsigned k = 0; k < GUARD_KINDS; k++)
		for (unsigned f = 0; f < FAMILIES; f++) {
			unsigned map = SET_GUARD(g->direction, f, k);

			if (p->named[map])
				guard_rule(p, map, g);
			if (p->named[SET_OTHER(map)])
				guard_rule(p, SET_OTHER(map), g);
		}
}

#define ORIGINAL OP2(OP_CT_DIRECTION, 0)
#define REPLY    OP2(OP_CT_DIRECTION, 1)
#define UNKNOWN  OP1(OP_CT_UNKNOWN)

static void lower_guards(struct nft_program *p, unsigned chain, unsigned direction)
{
	unsigned other = direction == DIRECTION_EGRESS ? DIRECTION_INGRESS : DIRECTION_EGRESS;
	unsigned side = direction == DIRECTION_EGRESS ? SIDE_DST : SIDE_SRC;
	struct nft_op to = OP2(OP_GOTO, CHAIN_GUARD + direction);

	lower_guarding(p, &(struct guarding) { chain, direction, side, ORIGINAL, { to } });
	lower_guarding(p, &(struct guarding) { chain, other, side, REPLY, { to } });
	/* Where everything else passes, what conntrack does not know would pass as well. */
	if (p->ruleset->open || p->ruleset->mode == MODE_AUDIT)
		lower_guarding(p, &(struct guarding) { chain, direction, side, UNKNOWN, { to } });
}

/*
 * Nothing is routed through a container. Through an open or an audited one it may, but for where
 * its own packets may not go.
 */
static void lower_forward(struct nft_program *p)
{
	struct nft_op count = OP2(OP_COUNTER, COUNTER_FORWARDED), drop = OP1(OP_DROP);
	struct guarding g = {
		CHAIN_FORWARD, DIRECTION_EGRESS, SIDE_DST, ORIGINAL, { count, drop }
	};

	bool audit = p->ruleset->mode == MODE_AUDIT;

	if (!p->ruleset->open && !audit) {
		RULE(p, CHAIN_FORWARD, NULL, count, drop);
		return;
	}
	lower_guarding(p, &g);
	g.match = UNKNOWN;
	lower_guarding(p, &g);
	g.match = REPLY;
	g.side = SIDE_SRC;
	lower_guarding(p, &g);
	if (audit)
		RULE(p, CHAIN_FORWARD, NULL, count, OP1(OP_ACCEPT));
	else
		RULE(p, CHAIN_FORWARD, NULL, OP1(OP_ACCEPT));
}

/* --- the hooks ------------------------------------------------------------------------------- */

/* Count, and let nothing on. Strangers get no answer, our own is told at once if it shall be. */
static void lower_refusal(struct nft_program *p, unsigned chain, unsigned direction,
			  const char *comment)
{
	struct nft_op count = OP2(OP_COUNTER, COUNTER_DENIED + direction);

	if (p->ruleset->on_deny == ON_DENY_REJECT && direction == DIRECTION_EGRESS) {
		RULE(p, chain, NULL, REPLY, count, OP1(OP_DROP));
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_TCP), count, OP1(OP_REJECT_TCP));
		RULE(p, chain, comment, count, OP1(OP_REJECT));
	} else {
		RULE(p, chain, comment, count, OP1(OP_DROP));
	}
}

/* The last rules of a base chain: in audit mode all goes on. */
static void lower_end(struct nft_program *p, unsigned chain, unsigned direction)
{
	const struct ruleset *r = p->ruleset;
	char where[256];

	if (r->open) {
		RULE(p, chain, NULL, OP1(OP_ACCEPT));
		return;
	}
	snprintf(where, sizeof(where), "default-deny %s %.100s", direction_name(direction),
		 r->deny_where[direction]);
	if (r->mode == MODE_AUDIT) /* an audited flow's replies are no denials */
		RULE(p, chain, NULL, REPLY, OP1(OP_ACCEPT));
	if (r->log_denied)
		RULE(p, chain, NULL, OP2(OP_JUMP, CHAIN_RECORD));
	else if (r->mode != MODE_AUDIT)
		RULE(p, chain, NULL, REPLY, OP2(OP_JUMP, CHAIN_REVOKED));
	if (r->mode == MODE_AUDIT)
		RULE(p, chain, where, OP2(OP_COUNTER, COUNTER_DENIED + direction), OP1(OP_ACCEPT));
	else
		lower_refusal(p, chain, direction, where);
}

/*
 * What comes by the loopback device is from here. With a source that is not, its answers would be
 * replies to somebody who never sent anything: a way out past all that is denied.
 */
static void lower_loopback(struct nft_program *p, unsigned chain, unsigned direction)
{
	const struct ruleset *r = p->ruleset;
	bool enforced = !r->open && r->mode != MODE_AUDIT;

	if (!enforced && !program_has_guards(p)) {
		RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction), OP1(OP_ACCEPT));
		return;
	}
	RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction), OP1(OP_OWN_SOURCE), OP1(OP_ACCEPT));
	if (r->on_deny == ON_DENY_REJECT)
		RULE(p, chain, "our own refusals, in the name of who was called",
		     OP2(OP_LOOPBACK, direction), OP1(OP_CT_RELATED), OP1(OP_ACCEPT));
	if (!enforced || r->log_denied)
		RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction),
		     OP2(OP_JUMP, enforced ? CHAIN_RECORD : CHAIN_GUARD_RECORD));
	RULE(p, chain, "with a source that is not our own", OP2(OP_LOOPBACK, direction),
	     OP2(OP_COUNTER, COUNTER_DENIED + direction), OP1(OP_DROP));
}

/* What guardrails deny comes before all that is allowed; the basics pass whatever they say. */
static void lower_base(struct nft_program *p, unsigned chain, unsigned direction)
{
	bool guarded = program_has_guards(p);

	lower_loopback(p, chain, direction);
	if (guarded) {
		lower_link_basics(p, direction);
		lower_related(p, chain);
		lower_guards(p, chain, direction);
	}
	lower_flows(p, chain, direction); /* an open table has none, but for a moment */
	if (!guarded && !p->ruleset->open) {
		lower_link_basics(p, direction);
		lower_related(p, chain);
	}
	lower_end(p, chain, direction);
}

/* --- denied packets -------------------------------------------------------------------------- */

/* What tells of a connection that exists; a redirect tells of another way, and is no error. */
static void lower_errors(struct nft_program *p)
{
#define ERRORS(comment, family, proto, kind, from, to)                                             \
	RULE(p, CHAIN_ERRORS, comment, OP2(OP_NFPROTO, family), OP2(OP_L4PROTO, proto),            \
	     OP3(kind, from, to), OP1(OP_ACCEPT))
	ERRORS("unreachable, path MTU", FAMILY4, IPPROTO_ICMP, OP_ICMP_TYPES, 3, 3);
	ERRORS("time exceeded, parameter problem", FAMILY4, IPPROTO_ICMP, OP_ICMP_TYPES, 11, 12);
	ERRORS("unreachable, path MTU, time exceeded, parameter problem", FAMILY6, IPPROTO_ICMPV6,
	       OP_ICMPV6_TYPES, 1, 4);
#undef ERRORS
}

/*
 * Every packet of a flow is counted in its element. The first one makes the element and is logged;
 * at those that follow, the element's own limit ends the rule before its log.
 */
static void lower_denied_sets(struct nft_program *p, unsigned chain, unsigned side, unsigned log)
{
	for (unsigned f = 0; f < FAMILIES; f++) {
		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_ADD, SET_DENIED + f, side),
		     OP2(OP_LOG, log));
		p->has_set[SET_DENIED + f] = true;
	}
}

/* For ICMP, type and code stand where other protocols have the source port. */
static void lower_record_chains(struct nft_program *p, unsigned chain, unsigned icmp, unsigned log)
{
	if (log != NFT_LOG_AUDIT)
		RULE(p, chain, NULL, REPLY, OP2(OP_GOTO, CHAIN_REVOKED));
	RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMP), OP2(OP_GOTO, icmp));
	RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMPV6), OP2(OP_GOTO, icmp));
	lower_denied_sets(p, chain, 0, log);
	lower_denied_sets(p, icmp, SIDE_SPORT, log);
}

static void lower_record(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if (r->log_denied && !r->open)
		lower_record_chains(p, CHAIN_RECORD, CHAIN_RECORD_ICMP,
				    r->mode == MODE_AUDIT ? NFT_LOG_AUDIT : NFT_LOG_DENY);
}

/* Neither audit mode nor `log: {denied: false}` of a service is a way round a guardrail. */
static void lower_guard_chains(struct nft_program *p)
{
	if (!program_has_guards(p))
		return;
	for (unsigned d = 0; d < DIRECTIONS; d++) {
		RULE(p, CHAIN_GUARD + d, NULL, OP2(OP_JUMP, CHAIN_GUARD_RECORD));
		lower_refusal(p, CHAIN_GUARD + d, d, "denied by a guardrail");
	}
	lower_record_chains(p, CHAIN_GUARD_RECORD, CHAIN_GUARD_RECORD_ICMP, NFT_LOG_GUARD);
}

static void lower_revoked(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if ((r->mode == MODE_AUDIT || r->open) && !program_has_guards(p))
		return;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		RULE(p, CHAIN_REVOKED, d ? NULL : "of connections that a newer policy ended",
		     OP2(OP_DIRECTION, d), OP2(OP_COUNTER, COUNTER_REVOKED + d));
	if (r->log_denied)
		RULE(p, CHAIN_REVOKED, NULL, OP2(OP_LIMIT, BH_REVOKED_LOG_PER_S),
		     OP2(OP_LOG, NFT_LOG_REVOKED));
}

static bool is_reached(const struct nft_program *p, unsigned chain)
{
	for (size_t i = 0; i < p->n_rules; i++)
		for (const struct nft_op *op = p->rules[i].ops; op->kind; op++)
			if (op->kind == OP_GOTO && op->a == chain)
				return true;
	return false;
}

/*
 * Conntrack confirms a connection when its first packet has passed all hooks, so that is the only one
 * which is not confirmed here, whether or not anybody ever answers.
 */
static void lower_allow(struct nft_program *p)
{
	if (!is_reached(p, CHAIN_ALLOW))
		return;
	RULE(p, CHAIN_ALLOW, "not the first packet of its connection", OP1(OP_CT_CONFIRMED),
	     OP1(OP_ACCEPT));
	for (unsigned d = 0; d < DIRECTIONS; d++)
		RULE(p, CHAIN_ALLOW, NULL, OP2(OP_DIRECTION, d),
		     OP2(OP_COUNTER, COUNTER_ALLOWED + d));
	RULE(p, CHAIN_ALLOW, NULL, OP1(OP_ALLOW_LIMIT), OP2(OP_LOG, NFT_LOG_ALLOW));
	RULE(p, CHAIN_ALLOW, NULL, OP1(OP_ACCEPT));
}

void nft_lower_rules(struct nft_program *p)
{
	p->n_rules = 0;
	memset(p->has_chain, 0, sizeof(p->has_chain));
	memset(&p->has_set[SET_DENIED], 0, FAMILIES * sizeof(p->has_set[0]));
	lower_about(p);
	lower_base(p, CHAIN_OUTPUT, DIRECTION_EGRESS);
	lower_base(p, CHAIN_INPUT, DIRECTION_INGRESS);
	lower_forward(p);
	if (program_has_guards(p) || !p->ruleset->open)
		lower_errors(p);
	lower_record(p);
	lower_revoked(p);
	lower_guard_chains(p);
	lower_allow(p);
	if (p->frames)
		lower_frames(p);
}

static void place_sets(const struct nft_want *w, uint32_t idle, uint64_t alternates,
		       struct nft_program *p)
{
	p->ruleset = w->ruleset;
	p->frames = w->frames;
	memset(p->has_set, 0, sizeof(p->has_set));
	memset(p->named, 0, sizeof(p->named));
	slice_entries(p);
	place_maps(p, idle, alternates);
	slice_known(p);
}

bool nft_program_has_table(const struct nft_program *p, unsigned table)
{
	return table == TABLE_INET || p->frames;
}

bool nft_program_has_counter(const struct nft_program *p, unsigned counter)
{
	if (counter >= COUNTER_ALLOWED && counter < COUNTER_ALLOWED + DIRECTIONS)
		return logs_allowed(p);
	return nft_program_has_table(p, nft_counter_table(counter));
}

void nft_lower_sets(const struct nft_want *w, struct nft_program *p)
{
	place_sets(w, 0, 0, p);
}

void nft_lower(const struct nft_want *w, struct nft_program *p)
{
	nft_lower_sets(w, p);
	nft_lower_rules(p);
}

void nft_lower_state(const struct nft_state *s, struct nft_program *p)
{
	const struct nft_want w = { .ruleset = s->ruleset, .frames = s->frames };

	place_sets(&w, s->idle_maps, s->alternates, p);
	for (unsigned i = 0; i < NFT_MAPS; i++) {
		p->has_set[i] |= s->leftovers[0] >> i & 1;
		p->has_set[SET_OTHER(i)] |= s->leftovers[1] >> i & 1;
	}
	nft_lower_rules(p);
}
