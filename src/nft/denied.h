/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_DENIED_H
#define NFT_DENIED_H

#include <bulkhead/base/buf.h>
#include <bulkhead/nft/nft.h>

#include "program.h"

struct nlmsghdr;

/* Reading what the kernel says of denied flows; bounds-checked. */

struct denied_reader {
	int set; /* -1: each message names its own */
	int (*fn)(const struct nft_denied *, void *);
	void *arg;
};

/* The elements in one message; ARG is a struct denied_reader. */
int denied_elements(const struct nlmsghdr *nlh, void *arg);

/* The elements of one set. */
struct denied_list {
	unsigned set;
	struct bh_vec v; /* bh_vec_done() */
};
void denied_list_begin(struct denied_list *l, unsigned set);
int denied_list_add(const struct nft_denied *d, void *arg); /* a reader's FN; ARG is the list */
/* False: one is there twice, so others are missing (nft_wait_for_resize()). */
bool denied_list_sort(struct denied_list *l);
int denied_list_each(const struct denied_list *l, int (*fn)(const struct nft_denied *, void *),
		     void *arg);

/* One of our counters; ARG is uint64_t[NFT_COUNTERS], of packets. */
int denied_total(const struct nlmsghdr *nlh, void *arg);
void denied_totals_of(const uint64_t packets[NFT_COUNTERS], struct nft_totals *ret);

#endif
