/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "want.h"

#include <stdio.h>

#include "kernel.h"

bool differs(const struct nft_want *want, const struct nft_state *have, char *why, size_t cap)
{
	why[0] = '\0';
	if (!have->intact) {
		snprintf(why, cap, "%s", have->drift);
		return true;
	}
	if (have->leftovers[0] | have->leftovers[1]) {
		snprintf(why, cap, "a change was broken off");
		return true;
	}
	if (want->own && !have->owned) {
		snprintf(why, cap, "nobody owns the tables");
		return true;
	}
	return !ruleset_equal(want->ruleset, have->ruleset, why, cap) ||
	       !nft_frames_equal(want->frames, have->frames, why, cap);
}

void want_of(const struct ruleset *ruleset, struct nft_frames *frames, bool own,
	     struct nft_want *ret)
{
	if (kernel_has(NFT_HAS_LATE_DEVICES))
		nft_frames_add_late(frames);
	*ret = (struct nft_want) {
		.ruleset = ruleset,
		.frames = kernel_has(NFT_HAS_FRAMES) ? frames : NULL,
		.own = own && kernel_has(NFT_HAS_OWNER),
	};
}

bool has_own_namespace(const struct endpoint *e, uint64_t host_ino)
{
	return e->netns && e->obstacle != ENDPOINT_HOST_NETWORK &&
	       (!e->netns_ino || e->netns_ino != host_ino);
}
