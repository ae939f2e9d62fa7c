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
	for (unsigned d = 0; d < DIRECTIONS; d++)
		ABOUT("default-deny %s %.100s", direction_name(d), r->deny_where[d]);
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

static void lower_base(struct nft_program *p, unsigned chain, unsigned direction)
{
	RULE(p, chain, NULL, OP2(OP_LOOPBACK, direction), OP1(OP_ACCEPT));
	lower_flows(p, chain, direction);
	lower_ipv6_basics(p, chain, direction);
	RULE(p, chain, "errors of connections, path MTU among them", OP2(OP_L4PROTO, IPPROTO_ICMP),
	     OP1(OP_CT_RELATED), OP1(OP_ACCEPT));
	RULE(p, chain, "errors of connections, path MTU among them",
	     OP2(OP_L4PROTO, IPPROTO_ICMPV6), OP1(OP_CT_RELATED), OP1(OP_ACCEPT));
	RULE(p, chain, NULL, OP2(OP_GOTO, CHAIN_DENY + direction));
}

/* What ends a denied packet: drop, accept in audit mode, or the polite refusal. */
static struct nft_op final_op(const struct ruleset *r, unsigned direction)
{
	if (r->mode == MODE_AUDIT)
		return OP1(OP_ACCEPT);
	if (r->on_deny == ON_DENY_REJECT && direction == DIRECTION_EGRESS)
		return OP2(OP_GOTO, CHAIN_REFUSE);
	return OP1(OP_DROP);
}

/* Count a denied flow in its set; the first packet of a flow makes the element and is logged. */
static void lower_denied_sets(struct nft_program *p, unsigned chain, unsigned direction,
			      unsigned side)
{
	const struct ruleset *r = p->ruleset;
	unsigned log = r->mode == MODE_AUDIT ? NFT_LOG_AUDIT : NFT_LOG_DENY;
	struct nft_op end = final_op(r, direction);

	for (unsigned f = 0; f < FAMILIES; f++) {
		unsigned set = SET_DENIED_OF(direction, f);

		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_LOOKUP, set, side), end);
		RULE(p, chain, NULL, OP2(OP_NFPROTO, f), OP3(OP_ADD, set, side),
		     OP3(OP_LOG, log, direction), end);
		p->has_set[set] = true;
	}
}

static void lower_deny(struct nft_program *p, unsigned direction)
{
	const struct ruleset *r = p->ruleset;
	unsigned chain = CHAIN_DENY + direction;
	struct nft_op end = final_op(r, direction);
	char where[256];

	snprintf(where, sizeof(where), "default-deny %s %.100s", direction_name(direction),
		 r->deny_where[direction]);
	if (r->mode == MODE_AUDIT) /* an audited flow's replies are no denials */
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_ACCEPT));
	RULE(p, chain, where, OP2(OP_COUNTER, COUNTER_DENIED + direction));
	if (r->mode != MODE_AUDIT) {
		RULE(p, chain, "of connections that a newer policy ended", OP2(OP_CT_DIRECTION, 1),
		     OP2(OP_COUNTER, COUNTER_REVOKED + direction));
		if (r->log_denied)
			RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_LIMIT),
			     OP3(OP_LOG, NFT_LOG_REVOKED, direction));
		RULE(p, chain, NULL, OP2(OP_CT_DIRECTION, 1), OP1(OP_DROP));
	}
	if (r->log_denied) {
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMP),
		     OP2(OP_JUMP, CHAIN_ICMP + direction));
		RULE(p, chain, NULL, OP2(OP_L4PROTO, IPPROTO_ICMPV6),
		     OP2(OP_JUMP, CHAIN_ICMP + direction));
		lower_denied_sets(p, chain, direction, 0);
		RULE(p, chain, "of flows that the full sets could not take",
		     OP2(OP_COUNTER, COUNTER_OVERFLOW + direction));
		RULE(p, chain, NULL, OP1(OP_LIMIT), OP3(OP_LOG, NFT_LOG_OVERFLOW, direction));
	}
	RULE(p, chain, NULL, end);
}

static void lower_refuse(struct nft_program *p)
{
	const struct ruleset *r = p->ruleset;

	if (r->mode == MODE_AUDIT || r->on_deny != ON_DENY_REJECT)
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
	RULE(p, CHAIN_FORWARD, NULL, OP2(OP_COUNTER, COUNTER_FORWARDED), OP1(OP_DROP));
	for (unsigned d = 0; d < DIRECTIONS; d++)
		lower_deny(p, d);
	for (unsigned d = 0; r->log_denied && d < DIRECTIONS; d++)
		lower_denied_sets(p, CHAIN_ICMP + d, d, SIDE_SPORT);
	lower_refuse(p);
}

void nft_lower(const struct ruleset *r, struct nft_program *p)
{
	lower(r, 0, p);
}

void nft_lower_state(const struct nft_state *s, struct nft_program *p)
{
	lower(s->ruleset, s->idle_maps, p);
}
