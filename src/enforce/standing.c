/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "standing.h"

void standing_done(struct standing *st)
{
	ruleset_share_put(st->share);
	*st = (struct standing) { 0 };
}

void standing_set(struct standing *st, const struct ruleset *ruleset, struct ruleset_share *share,
		  const struct nft_frames *frames, uint32_t commit_id, uint64_t alternates)
{
	struct ruleset_share *before = st->share;

	*st = (struct standing) {
		.known = share != NULL,
		.ruleset = ruleset,
		.share = share ? ruleset_share_get(share) : NULL,
		.frames = *frames,
		.commit_id = commit_id,
		.alternates = alternates,
	};
	ruleset_share_put(before);
}
