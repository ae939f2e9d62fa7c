/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_SYSTEM_RANDOM_H
#define TESTS_SYSTEM_RANDOM_H

/* Random rulesets of every feature, the same for the same seed. */

#include "../unit/nft/fixture.h"

#include <time.h>

#include <bulkhead/base/limits.h>

static uint64_t rnd_state;

static inline uint32_t rnd(uint32_t n)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 11) % n;
}

static inline const char *rnd_text(struct fx *f, size_t max)
{
	size_t len = 1 + (rnd(4) ? rnd(12) : rnd((uint32_t)max));
	char *s = bh_arena_alloc(f->arena, len + 1);

	assert(s);
	for (size_t i = 0; i < len; i++)
		do
			s[i] = (char)(' ' + rnd(95));
		while (s[i] == '"' || s[i] == '\\' || (s[i] == ' ' && i == 0));
	return s;
}

/* In block I of 64 (a /8 of IPv4, a /16 of IPv6); what LOW says within it. */
static inline struct bh_addr rnd_addr(bool v6, unsigned i, uint32_t low)
{
	struct bh_addr a = { .family = v6 ? AF_INET6 : AF_INET };

	a.b[0] = v6 ? 0xfd : (uint8_t)(64 + i);
	a.b[v6 ? 1 : 0] = (uint8_t)(64 + i);
	for (int n = 0; n < 3; n++)
		a.b[(v6 ? 15 : 3) - n] = (uint8_t)(low >> 8 * n);
	return a;
}

static inline struct bh_range rnd_range(bool v6, unsigned i)
{
	uint32_t a = rnd(1 << 24), b = rnd(1 << 24);

	if (rnd(4) ==
	    0) /* all of the block but its last address: it touches the next one's first */
		a = 0, b = (1 << 24) - 1;
	return (struct bh_range) { rnd_addr(v6, i, a < b ? a : b), rnd_addr(v6, i, a < b ? b : a) };
}

static inline int64_t rnd_end(void)
{
	return rnd(5) ? 0 : time(NULL) + 600 + rnd(7200);
}

/* --- policy rules ---------------------------------------------------------------------------- */

#define RND_RULES 10

/* Of ten possible ones a direction, some; a few have moved in their file. Returns how many. */
static inline uint32_t rnd_rules(struct fx *f, const char *direction, uint32_t *ret_first)
{
	char name[BH_NFT_NAME_MAX + 1], where[BH_NFT_COMMENT_MAX + 1];
	uint32_t n = 0;

	*ret_first = (uint32_t)f->rules.n;
	for (unsigned i = 0; i < RND_RULES; i++) {
		size_t len = (size_t)snprintf(name, sizeof(name), "web.%s.rule-%u", direction, i);

		if (rnd(3) == 0)
			continue;
		if (i == 7) { /* as long as can be */
			memset(name + len, 'x', sizeof(name) - 1 - len);
			name[sizeof(name) - 1] = '\0';
		}
		snprintf(where, sizeof(where), "policies/web.yaml:%u", rnd(4) ? i : 100 + rnd(9));
		fx_rule(f, name, i == 3 ? rnd_text(f, BH_NFT_COMMENT_MAX - 1) : where);
		n++;
	}
	return n;
}

/* --- entries --------------------------------------------------------------------------------- */

struct rnd_target {
	struct fx *f;
	enum direction d;
	enum entry_kind kind;
	uint32_t first_rule, n_rules;
};

static inline void rnd_add(const struct rnd_target *t, struct bh_range addr, uint8_t proto_lo,
			   uint8_t proto_hi, uint16_t lo, uint16_t hi)
{
	struct entry *e = bh_vec_push(&t->f->entries[t->d][t->kind]);

	assert(e);
	*e = (struct entry) { addr,     proto_lo, proto_hi, lo, hi, t->first_rule + rnd(t->n_rules),
			      rnd_end() };
}

/* Disjoint ranges of ports, or of types, within 0..MAX. */
static inline void rnd_ports(const struct rnd_target *t, struct bh_range addr, uint8_t proto,
			     uint16_t max)
{
	uint32_t at = rnd(2) ? 0 : rnd(max);

	for (unsigned n = rnd(4); n > 0 && at <= max; n--) {
		uint32_t hi = at + (rnd(3) ? rnd(max / 4u) : 0);

		if (hi > max || rnd(12) == 0)
			hi = max;
		rnd_add(t, addr, proto, proto, (uint16_t)at, (uint16_t)hi);
		at = hi + 1 + (rnd(2) ? 0 : rnd(max / 8u));
	}
}

/* What may be said of one range of addresses: everything, or some ports of some protocols. */
static inline void rnd_boxes(const struct rnd_target *t, struct bh_range addr)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	bool v6 = addr.lo.family == AF_INET6;

	if (t->kind == ENTRY_ICMP_RANGE || t->kind == ENTRY_WORLD_ICMP) {
		rnd_ports(t, addr, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, 255);
		return;
	}
	if (rnd(4) == 0) {
		rnd_add(t, addr, 0, 255, 0, 65535);
		return;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(protos); i++)
		if (rnd(2))
			rnd_ports(t, addr, protos[i], 65535);
}

static inline void rnd_single(const struct rnd_target *t, bool v6, unsigned i)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	struct bh_addr a = rnd_addr(v6, i, rnd(64));
	struct bh_range one = { a, a };
	uint16_t port = (uint16_t)rnd(65536);
	uint8_t proto = protos[rnd(3)];

	if (t->kind == ENTRY_HOST)
		rnd_add(t, one, 0, 255, 0, 65535);
	else if (t->kind == ENTRY_EXACT)
		rnd_add(t, one, proto, proto, port, port);
	else
		rnd_add(t, one, v6 ? 58 : 1, v6 ? 58 : 1, port & 255, port & 255);
}

static inline void rnd_entries(const struct rnd_target *t, bool v6, unsigned size)
{
	struct bh_range all = fx_range(v6 ? FX_ANY6 : FX_ANY4);
	bool world = t->kind == ENTRY_WORLD || t->kind == ENTRY_WORLD_ICMP;
	bool interval = t->kind == ENTRY_RANGE || t->kind == ENTRY_ICMP_RANGE;

	if (rnd(2))
		return;
	if (world || (interval && rnd(8) == 0)) {
		rnd_boxes(t, all);
		return;
	}
	for (unsigned i = 0; i < 64 && size > 0; i += 1 + rnd(3), size--)
		if (interval)
			rnd_boxes(t, rnd_range(v6, i));
		else
			rnd_single(t, v6, i);
}

/* --- guardrails ------------------------------------------------------------------------------ */

static inline uint32_t rnd_guard_rules(struct fx *f, const char *direction, uint32_t *ret_first)
{
	char name[BH_NFT_NAME_MAX + 1], where[64];
	uint32_t n = rnd(4);

	*ret_first = (uint32_t)f->rules.n;
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), RULESET_GUARD_PREFIX "wall.%s.rule-%u", direction, i);
		snprintf(where, sizeof(where), "policies/wall.yaml:%u", rnd(4) ? i : 100 + rnd(9));
		fx_rule(f, name, where);
	}
	return n;
}

/* Disjoint pieces on disjoint ranges, as the allowed ones are, but none of them ends. */
static inline void rnd_guards(struct fx *f, enum direction d, uint32_t first, uint32_t n, bool v6)
{
	for (unsigned i = 0; i < 64; i += 1 + rnd(6)) {
		struct bh_range r = rnd_range(v6, i);
		struct bh_vec *to = &f->guards[d][rnd(GUARD_KINDS)];
		uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, lo = 0, hi = 255;
		uint16_t port = 0, last = 65535;
		struct entry *e = bh_vec_push(to);

		if (to == &f->guards[d][GUARD_PORT])
			proto = rnd(2) ? IPPROTO_TCP : IPPROTO_UDP;
		if (to != &f->guards[d][GUARD_NET]) {
			lo = hi = proto;
			port = (uint16_t)rnd(to == &f->guards[d][GUARD_ICMP] ? 256 : 65536);
			last = to == &f->guards[d][GUARD_ICMP] ? 255 : 65535;
		} else if (rnd(2)) {
			lo = (uint8_t)rnd(256);
		}
		assert(e);
		*e = (struct entry) { r, lo, hi, port, last, first + rnd(n), 0 };
	}
}

/* --- the whole ------------------------------------------------------------------------------- */

static inline void rnd_known(struct fx *f, bool v6)
{
	for (unsigned i = 0; i < 64; i += 2 + rnd(8)) { /* never two that touch */
		struct bh_range *r = bh_vec_push(&f->known);

		assert(r);
		*r = rnd_range(v6, i);
	}
	if (rnd(2))
		fx_known(f, v6 ? "::-::ffff" : "0.0.0.0/8");
	if (rnd(2))
		fx_known(f, v6 ? "ff00::/8" : "224.0.0.0-255.255.255.255");
}

static inline bool rnd_has_world(const struct fx *f)
{
	for (int d = 0; d < DIRECTIONS; d++)
		if (f->entries[d][ENTRY_WORLD].n || f->entries[d][ENTRY_WORLD_ICMP].n)
			return true;
	return false;
}

/* Up to SIZE addresses of each kind. */
static inline const struct ruleset *rnd_ruleset(struct fx *f, unsigned size)
{
	uint32_t n[DIRECTIONS], first[DIRECTIONS], guards[DIRECTIONS], first_guard[DIRECTIONS];

	fx_init(f);
	f->r.open = rnd(6) == 0;
	guards[DIRECTION_INGRESS] = rnd_guard_rules(f, "in", &first_guard[DIRECTION_INGRESS]);
	guards[DIRECTION_EGRESS] = rnd_guard_rules(f, "out", &first_guard[DIRECTION_EGRESS]);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (unsigned v6 = 0; guards[d] && v6 < 2; v6++)
			rnd_guards(f, d, first_guard[d], guards[d], v6);
	n[DIRECTION_INGRESS] = rnd_rules(f, "in", &first[DIRECTION_INGRESS]);
	n[DIRECTION_EGRESS] = rnd_rules(f, "out", &first[DIRECTION_EGRESS]);
	for (unsigned d = 0; d < DIRECTIONS; d++)
		for (unsigned k = 0; n[d] && !f->r.open && k < ENTRY_KINDS; k++)
			for (unsigned v6 = 0; v6 < 2; v6++)
				rnd_entries(&(struct rnd_target) { f, d, k, first[d], n[d] }, v6,
					    size);
	for (unsigned v6 = 0; rnd_has_world(f) && v6 < 2; v6++)
		if (rnd(4))
			rnd_known(f, v6);
	f->r.endpoint = rnd_text(f, 100);
	f->r.services = rnd(8) ? rnd_text(f, 100) : "";
	f->r.generation = rnd_text(f, 16);
	f->r.deny_where[0] = f->r.open ? NULL : rnd_text(f, 100);
	f->r.deny_where[1] = f->r.open ? NULL : rnd_text(f, 100);
	f->r.mode = rnd(4) ? MODE_ENFORCE : MODE_AUDIT;
	f->r.on_deny = rnd(2) ? ON_DENY_DROP : ON_DENY_REJECT;
	f->r.log_denied = rnd(3);
	f->r.log_allowed = rnd(3) == 0;
	return fx_finish(f);
}

#endif
