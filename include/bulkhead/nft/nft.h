/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_NFT_H
#define BULKHEAD_NFT_NFT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/model/ruleset.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Rulesets in the kernel: table `inet bulkhead` of one namespace, through libnftnl and libmnl.
 * The shape is docs/kernel.md. Nothing but tables named `bulkhead` is ever read or written.
 */

#define NFT_TABLE_NAME  "bulkhead"
#define NFT_NFLOG_GROUP 48

/* Packets by the counters that every table has. */
struct nft_totals {
	uint64_t denied[DIRECTIONS];
	uint64_t revoked[DIRECTIONS]; /* denied, of connections that a newer policy ended */
	uint64_t forwarded;           /* routed through the container: dropped */
};

/* What a policy rule let through since the table was made. */
struct nft_rule_count {
	uint64_t packets, bytes;
};

/* What stands in the kernel. */
struct nft_state {
	bool present;            /* table inet bulkhead exists */
	bool intact;             /* it is, to the last rule, what we would write for `ruleset` */
	struct ruleset *ruleset; /* when it could be read back at all, else NULL; owned */
	char drift[256];         /* when not intact: the first difference, in words, escaped */
	struct nft_totals totals;
	struct nft_rule_count *rule_counts; /* parallel to ruleset->rules */
	uint32_t commit_id; /* of the namespace's nf_tables, as nft_commit_id() tells */
	uint32_t idle_maps; /* private: there, though the last of their elements has expired */
};

void nft_state_done(struct nft_state *s);

/*
 * Kernel -> ruleset: the reverse of nft_apply(), through dumps of the table, chains, sets, elements,
 * counters and rules. An altered or unreadable table is not an error: intact is false and drift
 * says why. Errors: -EPERM, -EINTR after several interrupted dumps, -ENOMEM, ...
 * Hostile: everything, a container with NET_ADMIN may have written it.
 */
int nft_readback(struct nlsock *s, struct nft_state *ret, struct bh_err *err);

/*
 * Make the namespace enforce R in one atomic batch. HAVE is the present state as nft_readback()
 * gave it: base chains are kept, rules and sets are refilled, counters of rules that stay go on
 * counting; a table that is not of our making is replaced within the same batch. -ERESTART: somebody
 * changed nf_tables in the namespace since HAVE was read, or an element has expired; read again. On
 * an error nothing changed.
 */
int nft_apply(struct nlsock *s, const struct ruleset *r, const struct nft_state *have,
	      struct bh_err *err);

/* Delete the table. *ret_was_there (may be NULL). Absent is not an error. */
int nft_remove(struct nlsock *s, bool *ret_was_there, struct bh_err *err);

/* A number that changes with every nftables commit in the namespace, whoever makes it. */
int nft_commit_id(struct nlsock *s, uint32_t *ret, struct bh_err *err);

/* True when a table of ours is there: one small request. */
int nft_present(struct nlsock *s, bool *ret, struct bh_err *err);

/*
 * The same table as text for `nft -f`; what that loads reads back as intact. Appends to OUT. NOW
 * (seconds since the epoch) turns the ends of temporary rules into timeouts.
 */
int nft_text(const struct ruleset *r, int64_t now, struct bh_buf *out);

/*
 * What this kernel lacks of what our tables are made of: each feature is tried in a scratch
 * namespace, never guessed from a version. MISSING gets their names, joined; "" = all is there.
 */
int nft_probe(char *missing, size_t cap, struct bh_err *err);

/* --- denied flows ------------------------------------------------------------------------- */

/* One element of the kernel's denied sets. */
struct nft_denied {
	enum direction direction;
	uint32_t oif; /* the interface it would have left by; 0: ingress */
	struct bh_addr source, destination;
	uint8_t proto;
	uint16_t port; /* destination port; for ICMP and ICMPv6 type << 8 | code */
	uint64_t packets, bytes;
	uint64_t expires_ms; /* until the kernel forgets it */
};

/* Read all denied sets; FN is called for each element, a negative return ends it. */
int nft_denied_dump(struct nlsock *s, int (*fn)(const struct nft_denied *, void *), void *arg,
		    struct bh_err *err);

/*
 * Retire N (at most 1000) flows; FN gets each with its final count, exactly once. Gone: no
 * call.
 */
int nft_denied_retire(struct nlsock *s, const struct nft_denied *flows, size_t n,
		      int (*fn)(const struct nft_denied *, void *), void *arg, struct bh_err *err);

/* The totals alone. */
int nft_denied_totals(struct nlsock *s, struct nft_totals *ret, struct bh_err *err);

/* The NFLOG prefixes of our rules: "bulkhead:deny" and so on. */
enum nft_log_kind {
	NFT_LOG_DENY,
	NFT_LOG_AUDIT,
	NFT_LOG_REVOKED,
	NFT_LOG_GUARD, /* a guardrail denies it */
};
bool nft_prefix_parse(const char *prefix, enum nft_log_kind *ret_kind);

#endif
