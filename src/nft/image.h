/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFT_IMAGE_H
#define NFT_IMAGE_H

#include <bulkhead/base/arena.h>
#include <bulkhead/base/buf.h>
#include <bulkhead/nft/nft.h>

#include "program.h"

/*
 * What the kernel's dumps say of our table, before anybody judges it. Every string is copied and
 * bounded; whatever cannot be ours is noted as drift when it is read.
 */
struct image_counter {
	char name[BH_NFT_NAME_MAX + 1];
	char comment[BH_NFT_COMMENT_MAX + 1];
	uint64_t packets, bytes;
};

struct image_rule {
	uint8_t chain;
	char comment[BH_NFT_COMMENT_MAX + 1];
	const struct nlattr *expressions; /* a copy, in the arena */
};

struct image {
	struct bh_arena *arena;
	bool has_table[NFT_TABLES];
	uint32_t flags[NFT_TABLES], owner[NFT_TABLES];
	struct nft_frames frames; /* the devices that the table netdev is hooked on */
	bool has_chain[NFT_CHAINS], has_set[NFT_ALL_SETS];
	bool named[NFT_ALL_SETS]; /* by a rule */
	struct bh_vec counters;   /* struct image_counter: those of policy rules, sorted by name */
	struct image_counter fixed[NFT_COUNTERS];
	bool has_fixed[NFT_COUNTERS];
	struct bh_vec rules;                 /* struct image_rule, in the kernel's order */
	struct bh_vec entries[NFT_ALL_SETS]; /* of maps: struct entry; rule indexes into counters */
	struct bh_vec ranges[FAMILIES];      /* struct bh_range of known4, known6 */
	char drift[256];                     /* "" = nothing strange so far */
	int64_t now;
};

int image_init(struct image *im, struct bh_err *err);
void image_done(struct image *im);
/* Read the table. -EINTR when it changed meanwhile. */
int image_read(struct image *im, struct nlsock *s, struct bh_err *err);
/* Note what is strange; the first word counts. */
void image_drift(struct image *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
