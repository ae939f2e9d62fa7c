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
static void slice_entries(struct nft_program *p, uint32_t idle)
{
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (unsigned k = 0; k < ENTRY_KINDS; k++) {
			const struct entry_list *l = &p->ruleset->entries[d][k];
			size_t n4 = 0;

			while (n4 < l->n && l->e[n4].addr.lo.family == AF_INET)
				n4++;
			p->maps[SET_MAP(d, FAMILY4, k)] = (struct entry_list) { l->e, n4 };
			p->maps[SET_MAP(d, FAMILY6, k)] =
				(struct entry_list) { l->e + n4, l->n - n4 };
		}
	for (unsigned i = 0; i < NFT_MAPS; i++)
		p->has_set[i] = p->maps[i].n > 0 || (idle >> i & 1);
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
#undef ABOUT
}

/* The matches that a map of this kind needs before its key can be loaded. */
static void flow_rule(struct nft_program *p, unsigned chain, unsigned set, unsigned side,
		      bool reply)
{
	unsigned kind = set % ENTRY_KINDS, family = set / ENTRY_KINDS % FAMILIES, n = 0;
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
 * neither (RFC 2710, RFC 3810: hop limit 1). What hosts say goes out, what routers say comes in.
 */
static void lower_ipv6_basics(struct nft_program *p, unsigned direction)
{
#define ICMPV6(chain, comment, from, to, limit)                                                    \
	RULE(p, chain, comment, OP2(OP_NFPROTO, FAMILY6), OP2(OP_L4PROTO, IPPROTO_ICMPV6),         \
	     OP3(OP_ICMPV6_TYPES, from, to), OP2(OP_HOPLIMIT, limit), OP1(OP_ACCEPT))
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

/* The last rules of a base chain: count, and let nothing on; but in audit mode let all on. */
static void lower_end(struct nft_program *p, unsigned chain, unsigned direction)
{
	const struct ruleset *r = p->ruleset;
	struct nft_op count = OP2(OP_COUNTER, COUNTER_DENIED + direction);
	bool polite = r->on_deny == ON_DENY_REJECT && direction == DIRECTION_EGRESS;
	char where[256];

	snprintf(where, sizeof(where), "default-deny %s %.100s", direction_name(direction),
		 r->deny_where[direction]);
	if (r->mode == MODE_AUDIT) {
		RULE(p, chain, where, count, OP1(OP_ACCEPT));
	} else if (polite) { /* strangers get no answer, our own is told at once */
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), count, OP1(OP_DROP));
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_TCP), count, OP1(OP_REJECT_TCP));
		RULE(p, chain, where, count, OP1(OP_REJECT));
	} else {
		RULE(p, chain, where, count, OP1(OP_DROP));
	}
}

static void lower_base(struct nft_program *p, unsigned chain, unsigned direction)
{
	const struct ruleset *r = p->ruleset;

	RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction), OP1(OP_ACCEPT));
	lower_flows(p, chain, direction);
	lower_ipv6_basics(p, direction);
	RULE(p, chain, "errors of connections, path MTU among them", OP1(OP_CT_RELATED),
	     OP2(OP_JUMP, CHAIN_ERRORS));
	if (r->mode == MODE_AUDIT) /* an audited flow's replies are no denials */
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_ACCEPT));
	if (r->log_denied)
		RULE(p, chain, NULL, OP2(OP_JUMP, CHAIN_RECORD));
	else if (r->mode != MODE_AUDIT)
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP2(OP_JUMP, CHAIN_REVOKED));
	lower_end(p, chain, direction);
}

static void lower_errors(struct nft_program *p)
{
	RULE(p, CHAIN_ERRORS, NULL, OP2(OP_L4PROTO, IPPROTO_ICMP), OP1(OP_ACCEPT));
	RULE(p, CHAIN_ERRORS, NULL, OP2(OP_L4PROTO, IPPROTO_ICMPV6), OP1(OP_ACCEPT));
}

/*
 * Every packet of a flow is counted in its element. The first one makes the element and is logged;
 * at those that follow, the element's own limit ends the rule before its log.
 */
static void lower_denied_sets(struct nft_program *p, unsigned chain, unsigned side)
{
	unsigned log = p->ruleset->mode == MODE_AUDIT ? NFT_LOG_AUDIT : NFT_LOG_DENY;

	for (unsigned f = 0; f < FAMILIES; f++) {
		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_ADD, SET_DENIED + f, side),
		     OP2(OP_LOG, log));
		p->has_set[SET_DENIED + f] = true;
	}
}

/* For ICMP, type and code stand where other protocols have the source port. */
static void lower_record(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if (!r->log_denied)
		return;
	if (r->mode != MODE_AUDIT)
		RULE(p, CHAIN_RECORD, NULL, OP2(OP_CT_DIRECTION, 1), OP2(OP_GOTO, CHAIN_REVOKED));
	RULE(p, CHAIN_RECORD, NULL, OP2(OP_L4PROTO, IPPROTO_ICMP), OP2(OP_GOTO, CHAIN_RECORD_ICMP));
	RULE(p, CHAIN_RECORD, NULL, OP2(OP_L4PROTO, IPPROTO_ICMPV6),
	     OP2(OP_GOTO, CHAIN_RECORD_ICMP));
	lower_denied_sets(p, CHAIN_RECORD, 0);
	lower_denied_sets(p, CHAIN_RECORD_ICMP, SIDE_SPORT);
}

static void lower_revoked(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if (r->mode == MODE_AUDIT)
		return;
	for (unsigned d = 0; d < DIRECTIONS; d++)
		RULE(p, CHAIN_REVOKED, d ? NULL : "of connections that a newer policy ended",
		     OP2(OP_DIRECTION, d), OP2(OP_COUNTER, COUNTER_REVOKED + d));
	if (r->log_denied)
		RULE(p, CHAIN_REVOKED, NULL, OP1(OP_LIMIT), OP2(OP_LOG, NFT_LOG_REVOKED));
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
	RULE(p, CHAIN_FORWARD, NULL, OP2(OP_COUNTER, COUNTER_FORWARDED), OP1(OP_DROP));
	lower_errors(p);
	lower_record(p);
	lower_revoked(p);
}

void nft_lower(const struct ruleset *r, struct nft_program *p)
{
	lower(r, 0, p);
}

void nft_lower_state(const struct nft_state *s, struct nft_program *p)
{
	lower(s->ruleset, s->idle_maps, p);
}
