/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_NFT_FIXTURE_H
#define TESTS_UNIT_NFT_FIXTURE_H

/* Rulesets written down in a few lines; everything is checked by assert(). */

#include <assert.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/base/cleanup.h>
#include <bulkhead/model/ruleset.h>
#include <bulkhead/nft/nft.h>

#define FX_NOW 1700000000

/* A ruleset in the making; fx_finish() puts all in its canonical order. */
struct fx {
	struct bh_arena *arena;
	struct bh_vec rules, known, entries[DIRECTIONS][ENTRY_KINDS];
	struct bh_vec guards[DIRECTIONS][GUARD_KINDS];
	struct ruleset r;
};

static inline void fx_init(struct fx *f)
{
	*f = (struct fx) { .arena = bh_arena_new() };
	assert(f->arena);
	bh_vec_init(&f->rules, sizeof(struct ruleset_rule), 10000);
	bh_vec_init(&f->known, sizeof(struct bh_range), 100000);
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			bh_vec_init(&f->entries[d][k], sizeof(struct entry), 1000000);
		for (int k = 0; k < GUARD_KINDS; k++)
			bh_vec_init(&f->guards[d][k], sizeof(struct entry), 1000000);
	}
	f->r = (struct ruleset) {
		.endpoint = "shop/payments",
		.services = "payments",
		.generation = "0123456789abcdef",
		.deny_where = { "policies/payments.yaml:12", "policies/payments.yaml:7" },
		.log_denied = true,
	};
}

static inline void fx_done(struct fx *f)
{
	bh_vec_done(&f->rules);
	bh_vec_done(&f->known);
	for (int d = 0; d < DIRECTIONS; d++) {
		for (int k = 0; k < ENTRY_KINDS; k++)
			bh_vec_done(&f->entries[d][k]);
		for (int k = 0; k < GUARD_KINDS; k++)
			bh_vec_done(&f->guards[d][k]);
	}
	bh_arena_free(f->arena);
}

/* What enforces R, with a device and a DHCP client. Valid until the next call. */
static inline const struct nft_want *fx_want(const struct ruleset *r)
{
	static struct nft_frames frames = { .devices = { "eth0", "eth1" },
					    .n_devices = 2,
					    .dhcp = { { 0x02, 0x42, 0xac, 0x11, 0x00, 0x02 } },
					    .n_dhcp = 1 };
	static struct nft_want want;

	want = (struct nft_want) { .ruleset = r, .frames = &frames };
	return &want;
}

/* "payments.in.checkout"; in the order of names. Returns its index. */
static inline uint32_t fx_rule(struct fx *f, const char *name, const char *where)
{
	struct ruleset_rule *r = bh_vec_push(&f->rules);
	const char *dot = strchr(name, '.');

	assert(r && dot);
	assert(f->rules.n < 2 || strcmp(r[-1].name, name) < 0);
	*r = (struct ruleset_rule) {
		.name = bh_arena_strdup(f->arena, name),
		.where = bh_arena_strdup(f->arena, where),
		.direction = strncmp(dot, ".in.", 4) == 0 ? DIRECTION_INGRESS : DIRECTION_EGRESS,
	};
	return (uint32_t)f->rules.n - 1;
}

/* "10.0.0.1", "10.0.0.0/8", "10.0.0.1-10.0.0.9" */
static inline struct bh_range fx_range(const char *s)
{
	const char *dash = strchr(s, '-');
	struct bh_prefix p;
	struct bh_range r;
	char lo[64];

	if (!dash) {
		assert(bh_prefix_parse(s, &p) == 0);
		return bh_prefix_range(&p);
	}
	snprintf(lo, sizeof(lo), "%.*s", (int)(dash - s), s);
	assert(bh_addr_parse(lo, &r.lo) == 0 && bh_addr_parse(dash + 1, &r.hi) == 0);
	return r;
}

static inline void fx_known(struct fx *f, const char *range)
{
	struct bh_range *r = bh_vec_push(&f->known);

	assert(r);
	*r = fx_range(range);
}

/* What fx_add() does not say: protocols, ports. */
#define FX_TCP(port)    IPPROTO_TCP, IPPROTO_TCP, port, port
#define FX_UDP(lo, hi)  IPPROTO_UDP, IPPROTO_UDP, lo, hi
#define FX_ALL          0, 255, 0, 65535
#define FX_ICMP(lo, hi) IPPROTO_ICMP, IPPROTO_ICMP, lo, hi
#define FX_ICMP6(l, h)  IPPROTO_ICMPV6, IPPROTO_ICMPV6, l, h

static inline void fx_add(struct fx *f, enum direction d, enum entry_kind kind, const char *range,
			  uint8_t proto_lo, uint8_t proto_hi, uint16_t port_lo, uint16_t port_hi,
			  uint32_t rule, int64_t expires)
{
	struct entry *e = bh_vec_push(&f->entries[d][kind]);

	assert(e);
	*e =
		(struct entry) { fx_range(range), proto_lo, proto_hi, port_lo,
				 port_hi,         rule,     expires };
}

/* What a guardrail denies. */
static inline void fx_guard(struct fx *f, enum direction d, enum guard_kind kind, const char *range,
			    uint8_t proto_lo, uint8_t proto_hi, uint16_t port_lo, uint16_t port_hi,
			    uint32_t rule)
{
	struct entry *e = bh_vec_push(&f->guards[d][kind]);

	assert(e);
	*e = (struct entry) { fx_range(range), proto_lo, proto_hi, port_lo, port_hi, rule, 0 };
}

static inline int fx_order(const void *a, const void *b)
{
	return entry_cmp(a, b);
}

static inline int fx_order_ranges(const void *a, const void *b)
{
	return bh_addr_cmp(&((const struct bh_range *)a)->lo, &((const struct bh_range *)b)->lo);
}

static inline const struct ruleset *fx_finish(struct fx *f)
{
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < ENTRY_KINDS; k++) {
			struct bh_vec *v = &f->entries[d][k];

			if (v->n)
				qsort(v->data, v->n, v->size, fx_order);
			f->r.entries[d][k] = (struct entry_list) { v->data, v->n };
		}
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < GUARD_KINDS; k++) {
			struct bh_vec *v = &f->guards[d][k];

			if (v->n)
				qsort(v->data, v->n, v->size, fx_order);
			f->r.guards[d][k] = (struct entry_list) { v->data, v->n };
		}
	if (f->known.n)
		qsort(f->known.data, f->known.n, f->known.size, fx_order_ranges);
	f->r.known = f->known.data;
	f->r.n_known = f->known.n;
	f->r.rules = f->rules.data;
	f->r.n_rules = f->rules.n;
	return &f->r;
}

#define FX_ANY4 "0.0.0.0/0"
#define FX_ANY6 "::/0"

/* Every kind of what guardrails deny, in both directions and families. Before all other rules. */
static inline void fx_add_guards(struct fx *f)
{
	uint32_t in = fx_rule(f, "guardrail_cde.in.boundary", "policies/guardrails.yaml:12");
	uint32_t out = fx_rule(f, "guardrail_no-metadata.out.all", "policies/guardrails.yaml:4");

	fx_guard(f, 0, GUARD_NET, "169.254.0.0/16", FX_ALL, out);
	fx_guard(f, 0, GUARD_NET, "fd00:ec2::254", FX_ALL, out);
	fx_guard(f, 0, GUARD_PORT, "10.0.0.0-10.0.0.9", FX_TCP(25), out);
	fx_guard(f, 0, GUARD_PORT, "2001:db8::/32", FX_UDP(0, 442), out);
	fx_guard(f, 0, GUARD_ICMP, "10.0.0.0-10.0.0.9", FX_ICMP(0, 7), out);
	fx_guard(f, 0, GUARD_ICMP, "2001:db8::/32", FX_ICMP6(129, 255), out);
	fx_guard(f, 1, GUARD_NET, "0.0.0.0-10.77.0.255", FX_ALL, in);
	fx_guard(f, 1, GUARD_NET, "10.78.0.0-255.255.255.255", 0, 5, 0, 65535, in);
	fx_guard(f, 1, GUARD_NET, "fd78::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", FX_ALL, in);
	fx_guard(f, 1, GUARD_PORT, "10.78.0.0-255.255.255.255", IPPROTO_TCP, IPPROTO_TCP, 0, 8442,
		 in);
	fx_guard(f, 1, GUARD_PORT, "::-fd76::", FX_TCP(22), in);
	fx_guard(f, 1, GUARD_ICMP, "11.0.0.0/8", FX_ICMP(8, 8), in);
	fx_guard(f, 1, GUARD_ICMP, "fd76:1::/32", FX_ICMP6(128, 128), in);
}

/* Held by guardrails only. */
static inline void fx_open(struct fx *f)
{
	fx_init(f);
	f->r.open = true;
	f->r.services = "";
	f->r.deny_where[0] = f->r.deny_where[1] = NULL;
	fx_add_guards(f);
	fx_finish(f);
}

/*
 * Every kind of entry in both directions and families, and one rule that only counts. GUARDED: and
 * of what guardrails deny.
 */
static inline void fx_full_and(struct fx *f, bool guarded)
{
	uint32_t in_all, in_ping, in_web, out_db, out_dns, out_end;

	fx_init(f);
	if (guarded)
		fx_add_guards(f);
	in_all = fx_rule(f, "payments.in.agent", "policies/payments.yaml:20");
	in_ping = fx_rule(f, "payments.in.ping", "policies/payments.yaml:16");
	in_web = fx_rule(f, "payments.in.web", "policies/payments.yaml:9");
	fx_rule(f, "payments.out.counted", "policies/payments.yaml:40");
	out_db = fx_rule(f, "payments.out.db", "policies/payments.yaml:14");
	out_dns = fx_rule(f, "payments.out.dns", "policies/payments.yaml:30");
	out_end = fx_rule(f, "payments.out.migration", "policies/payments.yaml:33");

	fx_add(f, 0, ENTRY_EXACT, "10.77.1.2", FX_TCP(5432), out_db, 0);
	fx_add(f, 0, ENTRY_EXACT, "10.77.1.3", FX_UDP(53, 53), out_dns, 0);
	fx_add(f, 0, ENTRY_EXACT, "fd77::2", FX_TCP(5432), out_end, FX_NOW + 90);
	fx_add(f, 0, ENTRY_HOST, "10.77.1.9", FX_ALL, out_db, 0);
	fx_add(f, 0, ENTRY_HOST, "fd77::9", FX_ALL, out_db, 0);
	fx_add(f, 0, ENTRY_ICMP, "10.77.1.2", FX_ICMP(8, 8), out_db, 0);
	fx_add(f, 0, ENTRY_ICMP, "10.77.1.2", FX_ICMP(0, 0), out_db, 0);
	fx_add(f, 0, ENTRY_ICMP, "fd77::2", FX_ICMP6(128, 128), out_db, 0);
	fx_add(f, 0, ENTRY_RANGE, "203.0.113.0/24", FX_UDP(8000, 9000), out_end, FX_NOW + 3600);
	fx_add(f, 0, ENTRY_RANGE, "198.51.100.1-198.51.100.9", FX_ALL, out_db, 0);
	fx_add(f, 0, ENTRY_RANGE, "2001:db8:1::/48", FX_TCP(443), out_db, 0);
	fx_add(f, 0, ENTRY_ICMP_RANGE, "203.0.113.0/24", FX_ICMP(0, 255), out_db, 0);
	fx_add(f, 0, ENTRY_ICMP_RANGE, "2001:db8::/32", FX_ICMP6(128, 129), out_db, 0);
	fx_add(f, 0, ENTRY_WORLD, FX_ANY4, FX_TCP(443), out_db, 0);
	fx_add(f, 0, ENTRY_WORLD, FX_ANY6, FX_TCP(443), out_db, 0);
	fx_add(f, 0, ENTRY_WORLD_ICMP, FX_ANY4, FX_ICMP(8, 8), out_db, 0);
	fx_add(f, 0, ENTRY_WORLD_ICMP, FX_ANY6, FX_ICMP6(128, 128), out_db, 0);

	fx_add(f, 1, ENTRY_EXACT, "10.77.1.1", FX_TCP(8443), in_web, 0);
	fx_add(f, 1, ENTRY_EXACT, "fd77::1", FX_TCP(8443), in_web, 0);
	fx_add(f, 1, ENTRY_HOST, "10.77.1.8", FX_ALL, in_all, 0);
	fx_add(f, 1, ENTRY_HOST, "fd77::8", FX_ALL, in_all, 0);
	fx_add(f, 1, ENTRY_ICMP, "10.77.1.1", FX_ICMP(8, 8), in_ping, 0);
	fx_add(f, 1, ENTRY_ICMP, "fd77::1", FX_ICMP6(128, 128), in_ping, 0);
	fx_add(f, 1, ENTRY_RANGE, "10.88.0.0/16", FX_TCP(9090), in_web, 0);
	fx_add(f, 1, ENTRY_RANGE, "fd88::/16", FX_TCP(9090), in_web, 0);
	fx_add(f, 1, ENTRY_ICMP_RANGE, "10.88.0.0/16", FX_ICMP(8, 8), in_ping, 0);
	fx_add(f, 1, ENTRY_ICMP_RANGE, "fd88::/16", FX_ICMP6(128, 128), in_ping, 0);
	fx_add(f, 1, ENTRY_WORLD, FX_ANY4, FX_TCP(80), in_web, 0);
	fx_add(f, 1, ENTRY_WORLD, FX_ANY6, FX_TCP(80), in_web, 0);
	fx_add(f, 1, ENTRY_WORLD_ICMP, FX_ANY4, FX_ICMP(8, 8), in_ping, 0);
	fx_add(f, 1, ENTRY_WORLD_ICMP, FX_ANY6, FX_ICMP6(128, 128), in_ping, 0);

	fx_known(f, "10.77.0.0/16");
	fx_known(f, "169.254.0.0/16");
	fx_known(f, "224.0.0.0-255.255.255.255");
	fx_known(f, "fd77::/16");
	fx_known(f, "fe80::/10");
	fx_finish(f);
}

static inline void fx_full(struct fx *f)
{
	fx_full_and(f, false);
}

/* The same, but its temporary rules end AFTER seconds from now; 0 = they are for ever. */
static inline void fx_full_until_and(struct fx *f, int64_t after, bool guarded)
{
	fx_full_and(f, guarded);
	for (int d = 0; d < DIRECTIONS; d++)
		for (int k = 0; k < ENTRY_KINDS; k++)
			for (size_t i = 0; i < f->entries[d][k].n; i++) {
				struct entry *e = f->entries[d][k].data;

				if (e[i].expires)
					e[i].expires = after ? time(NULL) + after : 0;
			}
}

static inline void fx_full_until(struct fx *f, int64_t after)
{
	fx_full_until_and(f, after, false);
}

#endif
