/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_PROGRAM_H
#define NFT_PROGRAM_H

#include <bulkhead/base/limits.h>
#include <bulkhead/model/ruleset.h>

/*
 * A ruleset in nftables' terms: which sets, counters and chains the table has, and every rule as a
 * short list of operations. Everything that a rule can name is an enum, so a rule is a few bytes
 * that can be compared, hashed, printed (text.c) and turned into expressions (expr.c).
 */

enum family_index { FAMILY4, FAMILY6 };
#define FAMILIES 2

/* Maps come first: one for each direction, family and kind of entry, then those of guardrails. */
#define SET_GUARDS (DIRECTIONS * FAMILIES * ENTRY_KINDS)
#define NFT_MAPS   (SET_GUARDS + DIRECTIONS * FAMILIES * GUARD_KINDS)
#define SET_KNOWN  NFT_MAPS
#define SET_DENIED (SET_KNOWN + FAMILIES)
#define NFT_SETS   (SET_DENIED + FAMILIES)
/*
 * An interval map may stand under either of two names, so that a new one can be filled beside the
 * old: these are the second ones.
 */
#define SET_OTHER(map)     (NFT_SETS + (map))
#define NFT_ALL_SETS       (NFT_SETS + NFT_MAPS)
#define SET_MAP(d, f, k)   (((d)*FAMILIES + (f)) * ENTRY_KINDS + (k))
#define SET_GUARD(d, f, k) (SET_GUARDS + ((d)*FAMILIES + (f)) * GUARD_KINDS + (k))

/* Both are named `bulkhead`. */
enum nft_table { TABLE_INET, TABLE_NETDEV };
#define NFT_TABLES 2

enum nft_chain {
	CHAIN_ABOUT,
	CHAIN_OUTPUT,
	CHAIN_INPUT,
	CHAIN_FORWARD,
	CHAIN_ERRORS,
	CHAIN_RECORD,
	CHAIN_RECORD_ICMP,
	CHAIN_REVOKED,
	CHAIN_GUARD, /* + direction: what a guardrail denies */
	CHAIN_GUARD_RECORD = CHAIN_GUARD + DIRECTIONS,
	CHAIN_GUARD_RECORD_ICMP,
	CHAIN_ALLOW,
	CHAIN_EGRESS, /* from here on in the table netdev: the hook of the devices */
	CHAIN_FRAMES,
	CHAIN_DHCP,
	CHAIN_RAW,
	NFT_CHAINS,
};

/* Counters that tables have beside those of the policy rules: nft_program_has_counter(). */
enum nft_counter {
	COUNTER_DENIED,                                /* + direction */
	COUNTER_REVOKED = COUNTER_DENIED + DIRECTIONS, /* + direction */
	COUNTER_FORWARDED = COUNTER_REVOKED + DIRECTIONS,
	COUNTER_ALLOWED, /* + direction: connections, where what is allowed is logged */
	COUNTER_RAW = COUNTER_ALLOWED + DIRECTIONS, /* in the table netdev */
	NFT_COUNTERS,
};

/* One part of a key, in the order in which it is concatenated. */
enum nft_field {
	FIELD_NONE,
	FIELD_OIF,
	FIELD_ADDR4,
	FIELD_ADDR6,
	FIELD_PROTO,
	FIELD_PORT,
	FIELD_ICMP_TYPE,
	FIELD_ICMPV6_TYPE,
};
#define KEY_FIELDS_MAX 5

struct nft_field_info {
	const char *type; /* nft's name of the datatype */
	uint8_t type_id;  /* enum datatypes of nftables' include/datatype.h */
	uint8_t len;      /* bytes; in a key of several fields each is padded to 4 */
};
extern const struct nft_field_info nft_fields[];

/* What a set of the table looks like; the same in every namespace. */
struct nft_set_info {
	char name[32];                  /* "": a map that has no second name */
	uint8_t fields[KEY_FIELDS_MAX]; /* enum nft_field, FIELD_NONE at the end */
	uint8_t n_fields;
	uint32_t flags;   /* NFT_SET_* */
	uint32_t key_len; /* bytes */
	uint32_t key_type;
	bool is_map, is_interval, is_denied;
	/* of a map */
	bool is_guard;
	uint8_t direction, family;
	uint8_t kind; /* enum entry_kind, or enum guard_kind */
};
const struct nft_set_info *nft_set_info(unsigned set);
uint8_t nft_table_family(unsigned table); /* NFPROTO_* */
/* Is it a family that a table of ours has? Sets *RET_TABLE. */
bool nft_table_by_family(uint8_t family, unsigned *ret_table);
const char *nft_chain_name(unsigned chain);
unsigned nft_chain_table(unsigned chain);
unsigned nft_counter_table(unsigned counter);
/* The hook of a base chain; NULL for the others. */
struct nft_hook {
	uint8_t chain;
	uint32_t number; /* NF_INET_* or NF_NETDEV_* */
	int32_t priority;
	const char *name; /* nft's words */
};
const struct nft_hook *nft_chain_hook(unsigned chain);
const char *nft_counter_name(unsigned counter);
/* Which map a set is, by either name; -1: none. */
int nft_map_of(unsigned set);
/* -1 when there is no such name. */
int nft_set_by_name(const char *name);
int nft_chain_by_name(const char *name);
int nft_counter_by_name(const char *name);

/* --- rules ---------------------------------------------------------------------------------- */

enum nft_op_kind {
	OP_END,
	OP_LOOPBACK,     /* a: direction: oif "lo" or iif "lo" */
	OP_DIRECTION,    /* a: direction: oif != 0 or iif != 0 */
	OP_NFPROTO,      /* a: enum family_index */
	OP_L4PROTO,      /* a: IPPROTO_* */
	OP_CT_DIRECTION, /* a: 0 original, 1 reply */
	OP_CT_RELATED,
	OP_CT_UNKNOWN,   /* conntrack has no connection for it, so it has no direction */
	OP_CT_CONFIRMED, /* it is not the first packet of its connection */
	OP_OBJMAP,       /* a: set, b: enum key_side: counter name <key> map @set */
	OP_LOOKUP,       /* a: set, b: enum key_side: <key> @set */
	OP_LOOKUP_NOT,   /* a: set, b: enum key_side: <key> != @set */
	OP_ADD,          /* a: set, b: enum key_side: add @set { <key> } */
	OP_COUNTER,      /* a: enum nft_counter */
	OP_LIMIT,        /* a: packets a second, and the burst */
	OP_ALLOW_LIMIT,  /* BH_ALLOW_LOG_PER_S */
	OP_LOG,          /* a: enum nft_log_kind */
	OP_ICMP_TYPES,   /* a, b: from, to */
	OP_ICMPV6_TYPES, /* a, b: from, to */
	OP_HOPLIMIT,     /* a: the one hop limit, b: enum family_index */
	OP_ACCEPT,
	OP_DROP,
	OP_CONTINUE,
	OP_GOTO, /* a: chain */
	OP_JUMP, /* a: chain */
	OP_REJECT_TCP,
	OP_REJECT,
	/* of frames */
	OP_PROTOCOL,      /* a: enum nft_protocol: what the kernel takes the frame for */
	OP_NOT_LOOPBACK,  /* a: enum family_index: its source is no loopback address */
	OP_UNSPECIFIED,   /* a: enum family_index: its source is :: or 0.0.0.0 */
	OP_OWN_SOURCE,    /* its source is an address of this namespace */
	OP_STACK,         /* the stack has routed it: what a packet socket sends has no route */
	OP_SOCKET,        /* a socket has sent it */
	OP_NOT_ETHERTYPE, /* a, b: high and low byte of what the frame itself says */
	OP_BROADCAST,     /* to ff:ff:ff:ff:ff:ff, with an IPv4 header without options */
	OP_DHCP,          /* as a client sends when it has no lease yet, or wants it anew */
	OP_MAC_HI,        /* a, b, c: the first half of the frame's source, before OP_MAC_LO */
	OP_MAC_LO,        /* a, b, c: the second half */
	OP_CHADDR,     /* behind OP_MAC_LO: the same stands in the DHCP message as the client's */
	OP_DHCP_LIMIT, /* BH_DHCP_PER_S */
};

enum nft_protocol { PROTOCOL_IP, PROTOCOL_IP6, PROTOCOL_ARP };

/* Where the parts of a key come from. */
enum key_side {
	SIDE_DST = 0,   /* remote address: daddr */
	SIDE_SRC = 1,   /* remote address: saddr */
	SIDE_SPORT = 2, /* port: sport; without it dport */
};

struct nft_op {
	uint8_t kind, a, b, c;
};
#define RULE_OPS_MAX 7

struct nft_rule {
	struct nft_op ops[RULE_OPS_MAX + 1]; /* OP_END behind the last; all bytes behind are zero */
	uint8_t chain;
	char comment[BH_NFT_COMMENT_MAX + 1]; /* "" = none */
};

#define PROGRAM_RULES_MAX (320 + 2 * BH_DEVICES_MAX)

struct nft_frames;

struct nft_program {
	const struct ruleset *ruleset;
	const struct nft_frames *frames; /* NULL: no table netdev */
	bool has_set[NFT_ALL_SETS];
	bool named[NFT_ALL_SETS];         /* maps that rules name */
	uint8_t set_of[NFT_MAPS];         /* by which name each stands */
	struct entry_list maps[NFT_MAPS]; /* the entries of each map: slices of the ruleset's */
	const struct bh_range *known[FAMILIES];
	size_t n_known[FAMILIES];
	bool has_chain[NFT_CHAINS];
	struct nft_rule
		rules[PROGRAM_RULES_MAX]; /* chain by chain, in the order of enum nft_chain */
	size_t n_rules;
};

/* Is there a table of this family? */
bool nft_program_has_table(const struct nft_program *p, unsigned table);
/* Is there this counter? */
bool nft_program_has_counter(const struct nft_program *p, unsigned counter);

/* What is wanted -> program. P borrows from W. Cannot fail: everything is bounded. */
struct nft_want;
void nft_lower(const struct nft_want *w, struct nft_program *p);
/* Its sets alone, and what stands in them; nothing is said of chains and rules. */
void nft_lower_sets(const struct nft_want *w, struct nft_program *p);
/* The program of a table that was read back: with its idle maps, and those that no rule names. */
struct nft_state;
void nft_lower_state(const struct nft_state *s, struct nft_program *p);
/* Does a rule of P speak of the world? */
bool nft_has_world(const struct nft_program *p, unsigned family);
/* The rules of P alone, after its sets, as its RULESET, FRAMES and NAMED have it. */
void nft_lower_rules(struct nft_program *p);

/* The line of the chain about that tells how the table treats what it denies. */
const char *nft_manner(enum mode mode, enum on_deny on_deny, bool log_denied);

/* What comes before the address in the comment of a DHCP client's first rule. */
#define DHCP_COMMENT "client "

/* The prefix of a log rule: "bulkhead:deny". */
const char *nft_log_prefix(unsigned kind);

#endif
