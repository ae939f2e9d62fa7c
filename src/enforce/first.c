/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/sys/netns.h>

#include "handle.h"
#include "want.h"

/*
 * The first table of a namespace, before it is known whose it is. What is written is not read back
 * here: each 100 us count, and whoever looks next reads it.
 */

static int deny(struct hold *h, struct bh_err *err)
{
	char who[32];
	struct ruleset nothing;
	const struct nft_state nothing_there = { 0 };
	struct nft_frames frames;
	struct nft_want want;
	int r = frames_of(hold_netns(h), &frames, err);

	if (r < 0)
		return r;
	snprintf(who, sizeof(who), "net:[%llu]", (unsigned long long)hold_ino(h));
	ruleset_deny_all(&nothing, who);
	want_of(&nothing, &frames, true, &want);
	return nft_apply(hold_socket(h), &want, &nothing_there, NULL, err);
}

/* A file is there before the namespace is mounted on it. */
static int open_new(const char *path, uint64_t *ret_ino, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	int r = netns_open(path, &fd, ret_ino, err);

	if (r == -EINVAL)
		return -EAGAIN;
	if (r >= 0 && *ret_ino == netns_own_ino())
		return bh_err_set(err, -EINVAL, "its namespace is the host's own");
	return r;
}

int enforce_deny_first(struct holds *holds, const char *path, uint64_t *ret_ino, struct bh_err *err)
{
	struct endpoint e = { .netns = path };
	struct hold *h;
	int r = open_new(path, &e.netns_ino, err);

	if (r < 0)
		return r;
	*ret_ino = e.netns_ino;
	if (holds_find(holds, e.netns_ino))
		return -EEXIST;
	r = holds_open(holds, &e, &h, err);
	return r < 0 ? r : deny(h, err);
}
