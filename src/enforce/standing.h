/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_STANDING_H
#define ENFORCE_STANDING_H

#include <bulkhead/nft/nft.h>

/*
 * What a daemon knows to stand in a namespace: what it wrote or read there last, and by which number
 * of commits in the namespace. As long as that number has not changed nobody has changed it, and a
 * change of ours can be made from here without reading.
 */
struct standing {
	bool known;
	bool stale;                    /* its devices may have changed, or it is to be read */
	bool unsure;                   /* somebody may have made a commit: the number tells */
	const struct ruleset *ruleset; /* kept by SHARE */
	struct ruleset_share *share;
	struct nft_frames frames; /* of its devices, before want_of() */
	uint32_t commit_id;
	uint64_t alternates; /* which maps stand by their second name (struct nft_state) */
};

void standing_done(struct standing *st); /* nothing is known any more */
/* RULESET stands, as of COMMIT_ID; SHARE keeps it (NULL: nobody does, so it is not remembered). */
void standing_set(struct standing *st, const struct ruleset *ruleset, struct ruleset_share *share,
		  const struct nft_frames *frames, uint32_t commit_id, uint64_t alternates);

#endif
