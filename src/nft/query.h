/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_QUERY_H
#define NFT_QUERY_H

#include <stdbool.h>

#include <bulkhead/base/err.h>
#include <bulkhead/sys/nlsock.h>

struct nlmsghdr;

/*
 * Send one nf_tables request (NFT_MSG_GET*) about our tables; TABLE_ATTR is the number of the name
 * attribute for this message (0 = none), SET names a set for element requests or is NULL. A dump is
 * of the tables with our name in all families (nft_message_table() tells which are ours); of table
 * inet when it is of elements.
 */
int nft_query(struct nlsock *s, uint8_t message, uint16_t flags, uint16_t table_attr,
	      const char *set, int (*fn)(const struct nlmsghdr *, void *), void *arg,
	      struct bh_err *err);

/* The same of one table: of sets and rules the kernel lists no more at a time. */
int nft_query_table(struct nlsock *s, unsigned table, uint8_t message, uint16_t flags,
		    uint16_t table_attr, int (*fn)(const struct nlmsghdr *, void *), void *arg,
		    struct bh_err *err);

/* Which of our tables a message of a dump speaks of; false: one of another family. */
bool nft_message_table(const struct nlmsghdr *nlh, unsigned *ret_table);

/* Is there a table of ours of this family? */
int nft_table_present(struct nlsock *s, unsigned table, bool *ret, struct bh_err *err);

/*
 * A hash that the kernel is resizing is listed in disorder: some elements twice, and as many not at
 * all. Whoever finds one twice waits (true) and reads again, TRY = 0, 1, ...; false: often enough.
 */
bool nft_wait_for_resize(unsigned try);

#endif
