/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_FOREIGN_H
#define BULKHEAD_NFT_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include <bulkhead/base/err.h>
#include <bulkhead/sys/nlsock.h>

/*
 * What others have hooked in a namespace beside our tables. A base chain of somebody else cannot let pass
 * what ours drop; but what changes, redirects or copies packets makes another packet of the one that was
 * judged.
 */
struct nft_foreign_chain {
	const char *family;          /* "inet", "ip", "netdev", ... */
	char table[128], chain[128]; /* hostile; longer names are cut */
	char type[32];               /* "filter", "nat", "route" */
	const char *hook;            /* "input", "egress", ... */
	int32_t priority;
	uint32_t owner; /* netlink port of the socket that owns the table; 0: nobody's */
	const char *
		rewrites; /* what rules of its table do to packets: "payload", "fwd", ...; NULL: nothing */
	bool translates; /* they translate addresses, which conntrack does before ours look */
};

/*
 * FN for each, in the order of the kernel; a negative return ends it. -E2BIG: over BH_FOREIGN_CHAINS_MAX.
 * Other errors as nft_readback(). Hostile: everything.
 */
int nft_foreign(struct nlsock *s, int (*fn)(const struct nft_foreign_chain *c, void *arg),
		void *arg, struct bh_err *err);

#endif
