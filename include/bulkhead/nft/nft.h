/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_NFT_H
#define BULKHEAD_NFT_NFT_H

#include <bulkhead/base/buf.h>
#include <bulkhead/base/err.h>
#include <bulkhead/base/limits.h>
#include <bulkhead/model/ruleset.h>
#include <bulkhead/sys/nlsock.h>

/*
 * Rulesets in the kernel: the tables `inet bulkhead` (policy) and `netdev bulkhead` (what may leave
 * as a frame) of one namespace, through libnftnl and libmnl. The shape is docs/kernel.md. Nothing
 * but tables named `bulkhead` is ever read or written.
 */

#define NFT_TABLE_NAME  "bulkhead"
#define NFT_NFLOG_GROUP 48

/* Packets by our counters; 0 for those that a table does not have. */
struct nft_totals {
	uint64_t denied[DIRECTIONS];
	uint64_t revoked[DIRECTIONS]; /* denied, of connections that a newer policy ended */
	uint64_t forwarded;           /* routed through the container: dropped */
	uint64_t raw; /* frames that no stack has made, or of sources not its own: dropped */
	/* first packets of connections that policy rules allow, where that is logged */
	uint64_t allowed[DIRECTIONS];
};

/*
 * The table netdev: every frame that leaves by a device must have come through the stack, with a
 * source address that is the namespace's own. What belongs to it beside the ruleset.
 */
struct nft_frames {
	/* the names that are hooked; from Linux 6.16 on before such a device is there */
	char devices[BH_DEVICES_MAX + BH_LATE_DEVICES][16];
	size_t n_devices;
	bool more; /* of WANT: there are devices beyond these, which nothing holds */
	/* the addresses of Ethernet devices whose DHCP client may make frames of its own */
	uint8_t dhcp[BH_DEVICES_MAX][6];
	size_t n_dhcp;
};

/*
 * Does HAVE, as read back, hold what WANT says? All devices of WANT are hooked, and the DHCP clients
 * are the same. On false OUT (CAP bytes, may be NULL) says what differs, escaped. Either may be NULL:
 * no table.
 */
bool nft_frames_equal(const struct nft_frames *want, const struct nft_frames *have, char *out,
		      size_t cap);
/* What the devices of a namespace, as they were listed, ask of its table. */
struct net_devices;
void nft_frames_of(const struct net_devices *devices, struct nft_frames *ret);
/* Hook the names that devices get which come later (eth0 to eth15), beside those that are there. */
void nft_frames_add_late(struct nft_frames *f);

/* What a namespace shall enforce. All borrowed. */
struct nft_want {
	const struct ruleset *ruleset;
	const struct nft_frames *frames; /* NULL: no table netdev, the kernel cannot */
	bool own; /* keep others from changing the tables as long as the socket is open */
};

/* What a policy rule let through since the table was made. */
struct nft_rule_count {
	uint64_t packets, bytes;
};

/* What stands in the kernel. */
struct nft_state {
	bool present;            /* table inet bulkhead exists */
	bool intact;             /* they are, to the last rule, what we would write for `ruleset` */
	struct ruleset *ruleset; /* when it could be read back at all, else NULL; owned */
	struct nft_frames *frames; /* of table netdev bulkhead; NULL: it does not exist; owned */
	bool persists;             /* kept by the kernel for us: flags owner and persist */
	bool owned;                /* by a socket that is open: nobody else can change them */
	uint32_t owner;            /* that socket's netlink port */
	char drift[256];           /* when not intact: the first difference, in words, escaped */
	struct nft_totals totals;
	struct nft_rule_count *rule_counts; /* parallel to ruleset->rules; NULL: not read */
	uint32_t commit_id;    /* of the namespace's nf_tables, as nft_commit_id() tells */
	uint32_t idle_maps;    /* private: there, though the last of their elements has expired */
	uint64_t alternates;   /* private: maps that stand by their second name */
	uint64_t leftovers[2]; /* private: maps that no rule names, by first and second name */
};

void nft_state_done(struct nft_state *s);

/*
 * Kernel -> ruleset: the reverse of nft_apply(), through dumps of the table, chains, sets, elements,
 * counters and rules. An altered or unreadable table is not an error: intact is false and drift
 * says why. Errors: -EPERM, -EINTR after several interrupted dumps, -ENOMEM, ...
 * Hostile: everything, a container with NET_ADMIN may have written it.
 */
int nft_readback(struct nlsock *s, struct nft_state *ret, struct bh_err *err);

/* What a call has written; also when it failed on its way. */
struct nft_written {
	uint32_t commits;    /* so many */
	uint32_t commit_id;  /* the number after the last of them, as nft_commit_id() would tell */
	uint64_t alternates; /* when all is done: for nft_state.alternates */
};

/*
 * Make the namespace enforce WANT, in atomic batches over both tables: in one where that will do,
 * else in as many as it takes that no packet which both HAVE and WANT allow is lost in between, and
 * none passes that both deny. HAVE is the present state as nft_readback() gave it: base chains are
 * kept, counters of rules that stay go on counting; tables that are not of our making are replaced.
 * HAVE may as well be what the caller wrote last, with the number of the last commit; then a policy
 * rule whose place in the policies moved is -ERESTART.
 * -ERESTART: somebody changed nf_tables in the namespace since HAVE was read, or an element has
 * expired; read again, and go on from there. -EPERM: the tables belong to another process.
 * On an error what stands is HAVE, or on the way to WANT, and a readback understands it. RET may be
 * NULL.
 */
int nft_apply(struct nlsock *s, const struct nft_want *want, const struct nft_state *have,
	      struct nft_written *ret, struct bh_err *err);

/* Delete the tables. *ret_was_there (may be NULL). Absent is not an error. */
int nft_remove(struct nlsock *s, bool *ret_was_there, struct bh_err *err);

/* A number that changes with every nftables commit in the namespace, whoever makes it. */
int nft_commit_id(struct nlsock *s, uint32_t *ret, struct bh_err *err);

/* True when a table of ours is there, of either family: one small request each. */
int nft_present(struct nlsock *s, bool *ret, struct bh_err *err);

/* True when a table of ours belongs to another socket than S, which is open somewhere. */
int nft_owned_by_other(struct nlsock *s, bool *ret, struct bh_err *err);

/*
 * The same tables as text for `nft -f`; what that loads reads back as intact. Appends to OUT. NOW
 * (seconds since the epoch) turns the ends of temporary rules into timeouts.
 */
int nft_text(const struct nft_want *w, int64_t now, struct bh_buf *out);

/* --- what the kernel gives ---------------------------------------------------------------- */

enum nft_feature {
	NFT_HAS_INET,
	NFT_HAS_MAPS,
	NFT_HAS_INTERVALS,
	NFT_HAS_RANGES,
	NFT_HAS_DENIED,
	NFT_HAS_CT,
	NFT_HAS_OBJMAP,
	NFT_HAS_LOG,
	NFT_HAS_LIMIT,
	NFT_HAS_REJECT,
	NFT_HAS_FIB,
	/* those it can be done without */
	NFT_HAS_FRAMES,
	NFT_HAS_LATE_DEVICES,
	NFT_HAS_OWNER,
	NFT_HAS_DESTROY,
	NFT_FEATURES,
};

struct nft_feature_info {
	const char *name;
	const char *without; /* what it costs not to have it; NULL: nothing can be enforced */
};
const struct nft_feature_info *nft_feature_info(unsigned feature);

struct nft_kernel {
	bool has[NFT_FEATURES];
};

/*
 * What this kernel has of what our tables are made of: each feature is tried in a scratch namespace,
 * never guessed from a version. Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. What is refused takes the
 * kernel 8 to 16 ms, what is there less than one.
 */
int nft_probe(struct nft_kernel *ret, struct bh_err *err);
/* Can it be done on this kernel? If not, MISSING (CAP bytes) gets the names of what it lacks. */
bool nft_kernel_suffices(const struct nft_kernel *k, char *missing, size_t cap);

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
	NFT_LOG_GUARD,     /* a guardrail denies it */
	NFT_LOG_RAW,       /* a frame that the stack has not made */
	NFT_LOG_RAW_AUDIT, /* the same, and it passed */
	NFT_LOG_ALLOW,     /* the first packet of a connection that a policy rule allows */
};
bool nft_prefix_parse(const char *prefix, enum nft_log_kind *ret_kind);

#endif
