/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BULKHEAD_NFT_COUNTS_H
#define BULKHEAD_NFT_COUNTS_H

#include <bulkhead/nft/nft.h>

/*
 * The counts of one namespace, read by somebody who may not ask the kernel: who has CAP_NET_ADMIN
 * sends the question on a socket that both have, and the answer is read here. (The kernel asks for the
 * capability of the sender of each message, and of nobody who reads: net/netfilter/nfnetlink.c,
 * nfnetlink_rcv().)
 */

enum nft_counts_question {
	NFT_ASK_TOTALS,
	NFT_ASK_FLOWS4, /* the denied sets */
	NFT_ASK_FLOWS6,
	NFT_ASK_RULES, /* the counters of policy rules and guardrails */
};
#define NFT_ASKS 4

/* Send the question, without waiting for the answer. SEQ marks the answer. 0 or -errno. */
int nft_counts_ask(const struct nlsock *s, enum nft_counts_question q, uint32_t seq,
		   struct bh_err *err);

/* An answer as it comes in. */
struct nft_counts;
struct nft_counts *nft_counts_new(void);    /* NULL: out of memory */
void nft_counts_free(struct nft_counts *c); /* takes NULL */
/* The next answer is to this question; what is there of an older one is forgotten. */
void nft_counts_begin(struct nft_counts *c, enum nft_counts_question q, uint32_t seq);
/*
 * Messages that were read from the socket, FROM the port nl_pid (those of others than the kernel are
 * passed over), hostile. 1: the answer is complete; 0: more is to come; -EINTR: it is of no use, ask
 * again a little later (the kernel changed something meanwhile); -errno of the kernel. No table, or no
 * denied sets: complete and empty.
 */
int nft_counts_feed(struct nft_counts *c, uint32_t from, const void *data, size_t len);
/* Of a complete answer. */
void nft_counts_totals(const struct nft_counts *c, struct nft_totals *ret);
/* FN for each flow; a negative return ends it and is returned. */
int nft_counts_each(const struct nft_counts *c, int (*fn)(const struct nft_denied *, void *),
		    void *arg);
/* The same of NFT_ASK_RULES; NAME (hostile) is the counter's. *RET_LEFT_OUT: over BH_RULESET_RULES_MAX. */
int nft_counts_each_rule(const struct nft_counts *c,
			 int (*fn)(const char *name, const struct nft_rule_count *, void *),
			 void *arg, size_t *ret_left_out);

#endif
