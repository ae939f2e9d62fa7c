/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_QUERY_H
#define NFT_QUERY_H

#include <stdbool.h>

#include <bulkhead/base/err.h>
#include <bulkhead/sys/nlsock.h>

struct nlmsghdr;

/*
 * Send one nf_tables request (NFT_MSG_GET*) about our table; TABLE_ATTR is the number of its name
 * attribute for this message (0 = none), SET names a set for element requests or is NULL.
 */
int nft_query(struct nlsock *s, uint8_t message, uint16_t flags, uint16_t table_attr,
	      const char *set, int (*fn)(const struct nlmsghdr *, void *), void *arg,
	      struct bh_err *err);

/*
 * A hash that the kernel is resizing is listed in disorder: some elements twice, and as many not at
 * all. Whoever finds one twice waits (true) and reads again, TRY = 0, 1, ...; false: often enough.
 */
bool nft_wait_for_resize(unsigned try);

#endif
