/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_BATCH_H
#define NFT_BATCH_H

#include <bulkhead/base/err.h>
#include <bulkhead/sys/nlsock.h>

#include <bulkhead/nft/nft.h>

#include "program.h"

/*
 * One atomic change, message by message. Errors stick and come out of batch_commit(). Nothing is
 * sent before that.
 */
struct batch {
	char *data;
	size_t len, cap;
	uint32_t seq; /* of the last message */
	int error;
};

void batch_begin(struct batch *b);
/*
 * The batch holds only while the namespace's nf_tables are as of COMMIT_ID (nft_commit_id); after
 * any other change its commit is refused with -ERESTART (NFNL_BATCH_GENID). 0: at any time.
 */
void batch_begin_at(struct batch *b, uint32_t commit_id);
void batch_done(struct batch *b);
size_t batch_messages(const struct batch *b); /* without begin and end */
/* Send it and require that all of it was done. Echoed messages go to ON_MESSAGE (may be NULL). */
int batch_commit(struct batch *b, struct nlsock *s,
		 int (*on_message)(const struct nlmsghdr *, void *), void *arg, struct bh_err *err);

/* FLAGS: NFT_TABLE_F_* of a table that is made, or adopted from a socket that is gone. */
void batch_new_table(struct batch *b, unsigned table, uint32_t flags);
void batch_delete_table(struct batch *b, unsigned table);
/* FRAMES: the devices of CHAIN_EGRESS. */
void batch_new_chain(struct batch *b, unsigned chain, const struct nft_frames *frames);
void batch_delete_chain(struct batch *b, unsigned chain);
void batch_flush_chain(struct batch *b, unsigned chain);
void batch_new_rule(struct batch *b, const struct nft_rule *r);
void batch_new_set(struct batch *b, unsigned set);
void batch_delete_set(struct batch *b, unsigned set);
void batch_flush_set(struct batch *b, unsigned set);
void batch_new_counter(struct batch *b, unsigned table, const char *name, const char *comment,
		       uint64_t packets, uint64_t bytes);
/* Of a policy rule. */
void batch_delete_counter(struct batch *b, const char *name);

/* Elements of a map: those entries of L for which PICK[i] is set (NULL = all). */
void batch_new_entries(struct batch *b, unsigned set, const struct ruleset *r,
		       const struct entry_list *l, const bool *pick, int64_t now);
void batch_delete_entries(struct batch *b, unsigned set, const struct entry_list *l,
			  const bool *pick);
/* Elements of known4 and known6. */
void batch_new_ranges(struct batch *b, unsigned set, const struct bh_range *ranges, size_t n);
/* Retire keys of a denied set, final counts echoed. */
struct denied_key {
	uint8_t bytes[44];
};
/* From Linux 6.3 on; one that is not there is passed over. */
void batch_destroy_keys(struct batch *b, unsigned set, const struct denied_key *keys, size_t n);
/* On any kernel; -ENOENT from the commit when it is not there. */
void batch_delete_key(struct batch *b, unsigned set, const struct denied_key *key);

/* The bytes of an entry's key (LO: lowest, else highest of the intervals); returns the length. */
size_t entry_key(const struct nft_set_info *s, const struct entry *e, bool lo, uint8_t out[40]);

#endif
