/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/launch/launch.h>

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/nft/nft.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

/* Who else writes does so in some batches. */
#define MEETINGS_MAX 16

/* What a kernel may lack is tried without, and not asked for first: this is for when all else failed. */
static const struct {
	bool own, frames, late;
} tries[] = {
	{ true, true, true },
	{ true, true, false },
	{ false, true, false },
	{ false, false, false },
};

static int write_one(struct nlsock *s, const struct ruleset *nothing, const struct nft_frames *has,
		     const struct nft_state *have, size_t i, struct bh_err *err)
{
	struct nft_frames frames = *has;
	const struct nft_want want = {
		.ruleset = nothing,
		.frames = tries[i].frames ? &frames : NULL,
		.own = tries[i].own,
	};

	if (tries[i].late)
		nft_frames_add_late(&frames);
	return nft_apply(s, &want, have, NULL, err);
}

/* Somebody else is at it: the daemon, whose tables deny what is not known. */
static bool is_held(struct nlsock *s)
{
	bool owned = false;

	return nft_owned_by_other(s, &owned, NULL) >= 0 && owned;
}

static int write_any(struct nlsock *s, uint64_t ino, const struct nft_frames *frames,
		     const struct nft_state *have, struct bh_err *err)
{
	struct ruleset nothing;
	char who[32];
	int r = -EINVAL;

	snprintf(who, sizeof(who), "net:[%llu]", (unsigned long long)ino);
	ruleset_deny_all(&nothing, who);
	for (size_t i = 0; r < 0 && i < BH_ARRAY_SIZE(tries); i++) {
		r = write_one(s, &nothing, frames, have, i, err);
		if (r == -EPERM && is_held(s))
			r = 0;
	}
	return r;
}

/* Tables that could not be read may let anything pass. */
static bool lets_pass(const struct nft_state *have)
{
	const struct ruleset *r = have->ruleset;
	size_t n = 0;

	for (unsigned d = 0; r && d < DIRECTIONS; d++)
		for (unsigned k = 0; k < ENTRY_KINDS; k++)
			n += r->entries[d][k].n;
	return !r || r->open || r->mode != MODE_ENFORCE || n;
}

static int deny_once(int netns, uint64_t ino, struct nlsock *s, struct bh_err *err)
{
	struct nft_state have = { 0 };
	struct net_devices devices;
	struct nft_frames frames;
	int r = nft_readback(s, &have, err);

	if (r >= 0 && have.present && (have.intact || is_held(s))) {
		r = lets_pass(&have);
		nft_state_done(&have);
		return r;
	}
	if (r >= 0)
		r = runtime_devices(netns, &devices, err);
	if (r >= 0) {
		nft_frames_of(&devices, &frames);
		r = write_any(s, ino, &frames, &have, err);
	}
	nft_state_done(&have);
	return r;
}

/* The daemon may have heard of it by then, and be at it: what it writes is looked at. */
static int deny_in(int netns, uint64_t ino, struct nlsock *s, struct bh_err *err)
{
	int r = -ERESTART;

	for (int i = 0; r == -ERESTART && i < MEETINGS_MAX; i++)
		r = deny_once(netns, ino, s, err);
	return r;
}

int launch_deny(const char *netns, uint64_t ino, struct bh_err *err)
{
	bh_autoclose int fd = -1;
	struct nlsock s = NLSOCK_INIT;
	uint64_t there;
	int r = netns_open(netns, &fd, &there, err);

	if (r < 0)
		return r;
	if (there == netns_own_ino())
		return bh_err_set(err, -EINVAL, "its namespace is the host's own");
	if (ino && ino != there)
		return bh_err_set(err, -ESTALE, "its namespace is another by now");
	r = nlsock_open(&s, fd, NETLINK_NETFILTER, err);
	if (r >= 0)
		r = deny_in(fd, there, &s, err);
	nlsock_done(&s);
	return r;
}
