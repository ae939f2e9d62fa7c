/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_MODEL_RULESET_H
#define BULKHEAD_MODEL_RULESET_H

#include <bulkhead/base/addr.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/flowspec.h>

/*
 * What one network namespace enforces: our own intermediate form. compile makes it, nft writes
 * it to the kernel and reads the very same struct back, explain and the logger look flows up in
 * it. How it stands in the kernel: docs/kernel.md.
 *
 * A flow is judged by (direction, remote address, protocol, destination port or ICMP type). It is
 * looked up in the kinds of entries below, in the order of the enum, and the first hit names the
 * policy rule that allows it. No hit = denied.
 */

enum entry_kind {
	ENTRY_EXACT,      /* one address, one of tcp/udp/sctp, one port: hash */
	ENTRY_HOST,       /* one address, any protocol: hash */
	ENTRY_ICMP,       /* one address, one ICMP or ICMPv6 type: hash */
	ENTRY_RANGE,      /* addresses x protocols x ports, intervals: disjoint boxes */
	ENTRY_ICMP_RANGE, /* addresses x types, intervals: disjoint boxes */
	ENTRY_WORLD,      /* any address not in `known`: protocols x ports, disjoint boxes */
	ENTRY_WORLD_ICMP, /* the same for ICMP types */
};
#define ENTRY_KINDS 7

/*
 * What guardrails deny is looked up before all that, in three kinds of intervals. A key of the
 * first kind holds nothing of the transport header, so it also covers packets that have none.
 */
enum guard_kind {
	GUARD_NET,  /* addresses x protocols, every port */
	GUARD_PORT, /* addresses x one of tcp/udp/sctp x ports */
	GUARD_ICMP, /* addresses x ICMP or ICMPv6 types */
};
#define GUARD_KINDS 3

/*
 * One allowed (or, of a guardrail, denied) piece. Single-address kinds have lo == hi. addr.family is always set; for the WORLD
 * kinds lo/hi are the lowest and highest address of the family. proto_lo..proto_hi are protocol
 * numbers (for the ICMP kinds both are IPPROTO_ICMP or IPPROTO_ICMPV6, as the family has it).
 * port_lo..port_hi are destination ports, or types for the ICMP kinds; 0..65535 when the protocol
 * range is not a single port protocol (it is then not looked at).
 */
struct entry {
	struct bh_range addr;
	uint8_t proto_lo, proto_hi;
	uint16_t port_lo, port_hi;
	uint32_t rule;   /* index into ruleset.rules */
	int64_t expires; /* seconds since the epoch, 0 = never: the kernel ends it by itself */
};

/*
 * In canonical order (entry_cmp), unique keys; intervals are disjoint boxes whose address ranges are
 * equal or disjoint, too.
 */
struct entry_list {
	const struct entry *e;
	size_t n;
};

/* The entries whose addresses hold A, which stand together: the first of *ret_n. O(log n). */
const struct entry *entry_list_at(const struct entry_list *l, const struct bh_addr *a,
				  size_t *ret_n);

/*
 * A policy rule that allows something here. name is the kernel counter's name: stable over edits
 * that do not touch the rule, unique in the ruleset, [a-z0-9._-], at most BH_NFT_NAME_MAX:
 * "payments.in.checkout". where is "FILE:LINE", printable, at most BH_NFT_COMMENT_MAX bytes.
 */
struct ruleset_rule {
	const char *name;
	const char *where;
	enum direction direction;
};

/*
 * An entry of a guardrail's deny: is such a rule, too, with this in front of its name, which no
 * service can have: "guardrail_no-metadata.out.to-169.254.0.0-16".
 */
#define RULESET_GUARD_PREFIX "guardrail_"
bool ruleset_rule_is_guard(const struct ruleset_rule *r);
/* The guardrail's own name. Returns OUT. */
#define RULESET_GUARD_STR 64
const char *ruleset_guard_name(const struct ruleset_rule *r, char out[RULESET_GUARD_STR]);

struct bh_arena;

struct ruleset {
	struct bh_arena *arena; /* owned when it stands alone; NULL when in a ruleset_list */
	const char *endpoint;   /* endpoint id, escaped, at most 100 bytes */
	const char *services;   /* names joined with ",", at most 100 bytes ("a,b,..." when cut) */
	const char *generation; /* first 16 hex digits of the policy set's digest */
	/* no service speaks for it: what no guardrail denies passes, and deny_where is NULL */
	bool open;
	/* "FILE:LINE" that makes this direction default-deny, at most 100 bytes */
	const char *deny_where[DIRECTIONS];
	enum mode mode; /* ENFORCE or AUDIT: an OFF endpoint has no ruleset */
	enum on_deny on_deny;
	bool log_denied;
	bool log_allowed; /* the first packet of each connection that a policy rule allows */
	const struct ruleset_rule *rules; /* by name; those with an entry or kept for counting */
	size_t n_rules;
	/* both families in one list, IPv4 first */
	struct entry_list entries[DIRECTIONS][ENTRY_KINDS];
	/* the same for what guardrails deny; no piece is in two of them, none expires */
	struct entry_list guards[DIRECTIONS][GUARD_KINDS];
	/* addresses that are not the world: sorted, disjoint; none without a WORLD entry */
	const struct bh_range *known;
	size_t n_known;
};

void ruleset_free(struct ruleset *r); /* takes NULL; only for those that own an arena */

/* Canonical order and equality of entries; expires within 2 s counts as equal (ruleset_equal). */
int entry_cmp(const struct entry *a, const struct entry *b);

/*
 * Is HAVE what WANT says: meaning, names, places, generation? HAVE may hold more that allows
 * nothing, of policy rules that have expired since: rules that no entry refers to, and `known`
 * without a WORLD entry. One and the same is equal at once. On false OUT (CAP bytes, may be NULL) says what differs first.
 */
bool ruleset_equal(const struct ruleset *want, const struct ruleset *have, char *out, size_t cap);

/* Do two ends (ENTRY.expires) count as one? */
bool entry_same_end(int64_t a, int64_t b);

/* One piece that a change of rulesets adds or takes away. Borrows from the ruleset that has it. */
struct ruleset_change {
	bool added;
	bool guard; /* what a guardrail denies; else what is allowed */
	enum direction direction;
	const struct entry *entry;
	const struct ruleset_rule *rule;
};

/*
 * What NEW allows and denies otherwise than OLD; either may be NULL: nothing. A piece that only
 * moved to another policy rule is no change. FN may be NULL. Returns how many.
 */
size_t ruleset_diff(const struct ruleset *old, const struct ruleset *new,
		    void (*fn)(const struct ruleset_change *, void *), void *arg);

/* "+ allow egress 10.77.0.2 5432/tcp (web.out.db, web.yaml:7)". Returns OUT. */
#define RULESET_CHANGE_STR (BH_RANGE_STR + PORT_SPEC_STR + 2 * BH_NFT_COMMENT_MAX + 64)
const char *ruleset_change_format(char out[RULESET_CHANGE_STR], const struct ruleset_change *c);

/* One ruleset per namespace that gets a table. */
struct ruleset_item {
	const struct ruleset *ruleset;
	size_t endpoint; /* index into the endpoint set: the first endpoint of the namespace */
};

/*
 * Memory that rulesets of several lists share: an arena, or SIZE zeroed bytes, or both. Counted, and
 * freed with its last user; not for several threads.
 */
struct ruleset_share;

/* Takes ARENA (may be NULL) with the first reference, which is the caller's. NULL: out of memory,
 * and then ARENA is still the caller's. */
struct ruleset_share *ruleset_share_new(size_t size, struct bh_arena *arena);
void *ruleset_share_data(struct ruleset_share *s); /* the SIZE bytes */
struct ruleset_share *ruleset_share_get(struct ruleset_share *s);
void ruleset_share_put(struct ruleset_share *s); /* takes NULL */
/* S points into OTHER: keep it as long as S. At most RULESET_SHARE_NEEDS others. */
#define RULESET_SHARE_NEEDS 4
void ruleset_share_need(struct ruleset_share *s, struct ruleset_share *other);

struct ruleset_list {
	struct bh_arena *arena;
	struct ruleset_item *items; /* by endpoint */
	size_t n;
	/* [endpoint] -> the first endpoint of its namespace: by inode, else by path */
	const uint32_t *home_of;
	/* [endpoint]: does some guardrail select it? */
	const bool *guarded;
	/* what the rulesets live in when it is not ARENA; one reference each is the list's */
	struct ruleset_share **shares;
	size_t n_shares;
};

/* Nothing passes, either way, by word of the host file. It borrows ENDPOINT, and owns nothing. */
void ruleset_deny_all(struct ruleset *ret, const char *endpoint);

void ruleset_list_free(struct ruleset_list *l); /* takes NULL */
/* What keeps the ruleset of an item of L; NULL: L alone does. No reference is taken. */
struct ruleset_share *ruleset_list_share(const struct ruleset_list *l,
					 const struct ruleset_item *item);
/* Of the namespace that ENDPOINT is in; NULL when that gets no table. */
const struct ruleset_item *ruleset_list_find(const struct ruleset_list *l, size_t endpoint);

/* A flow as one end sees it. port is the destination port, or the ICMP type. */
struct flow_key {
	enum direction direction;
	struct bh_addr remote;
	uint16_t proto; /* 0..255 */
	uint16_t port;
};

/* Is there anything that guardrails deny here? */
bool ruleset_has_guards(const struct ruleset *r);
/* The guardrail's entry that denies a flow, or NULL. It comes first, whatever services allow. */
const struct entry *ruleset_guard(const struct ruleset *r, const struct flow_key *k);

/*
 * Look a flow up exactly as the kernel does. The entry that allows it, or NULL = denied (unless the
 * ruleset is open). Guardrails are not looked at: ruleset_guard() is asked first. O(log n). NOW: seconds since the epoch; expired entries do not match.
 */
const struct entry *ruleset_lookup(const struct ruleset *r, const struct flow_key *k, int64_t now);

/*
 * The allow that comes closest to a denied flow: same remote and protocol with another port, then
 * same remote with another protocol, then same protocol and port with another remote (but no
 * ENTRY_HOST, which allows that one everything), in the same direction; then the opposite
 * direction. NULL when nothing is near. *ret_differs: what differs.
 */
enum near_differs { NEAR_PORT, NEAR_PROTOCOL, NEAR_REMOTE, NEAR_DIRECTION };
const struct entry *ruleset_near_miss(const struct ruleset *r, const struct flow_key *k,
				      int64_t now, enum near_differs *ret_differs,
				      enum direction *ret_direction);

#endif
