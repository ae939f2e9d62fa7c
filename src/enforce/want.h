/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENFORCE_WANT_H
#define ENFORCE_WANT_H

#include <bulkhead/model/endpoint.h>
#include <bulkhead/nft/nft.h>

/*
 * What a namespace shall enforce on this kernel: its ruleset, and of FRAMES (from its devices) and
 * of OWN (keep others out as long as the socket is open) what the kernel can do. *RET borrows.
 */
void want_of(const struct ruleset *ruleset, struct nft_frames *frames, bool own,
	     struct nft_want *ret);

/* Do they differ? WHY gets the first difference. */
bool differs(const struct nft_want *want, const struct nft_state *have, char *why, size_t cap);

/* Nothing of ours is ever in the host's namespace, so nothing is looked for there. */
bool has_own_namespace(const struct endpoint *e, uint64_t host_ino);

#endif
