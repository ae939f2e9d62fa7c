/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <stdio.h>

#include <bulkhead/sys/netns.h>

#include "handle.h"
#include "kernel.h"
#include "want.h"

static void judge(const struct ruleset *ruleset, struct nft_frames *frames, bool own,
		  const struct nft_state *have, struct plan_item *item)
{
	struct nft_want want;

	item->have = have->ruleset;
	item->want = ruleset;
	if (!ruleset) {
		item->outcome = have->present || have->frames ? APPLY_REMOVED : APPLY_UNCHANGED;
		return;
	}
	want_of(ruleset, frames, own, &want);
	if (!have->present)
		item->outcome = APPLY_CREATED;
	else if (differs(&want, have, item->why, sizeof(item->why)))
		item->outcome = APPLY_UPDATED;
	else
		item->outcome = APPLY_UNCHANGED;
}

static int plan_one(struct site *s, struct handles *h, size_t i, const struct ruleset *ruleset,
		    int (*fn)(const struct plan_item *, void *), void *arg)
{
	struct plan_item item = { .endpoint = i, .outcome = APPLY_FAILED };
	struct bh_err err = BH_ERR_INIT;
	struct nft_state have = { 0 };
	struct nft_frames frames;
	struct nlsock *sock;
	int r = handles_open(h, &s->endpoints->endpoints[i], &sock, &frames, &err);

	if (r >= 0)
		r = nft_readback(sock, &have, &err);
	if (r < 0)
		snprintf(item.why, sizeof(item.why), "%s", err.msg);
	else
		judge(ruleset, &frames, s->holds != NULL, &have, &item);
	/* nothing was to be there, and nothing is: no news */
	r = ruleset || item.outcome != APPLY_UNCHANGED ? fn(&item, arg) : 0;
	nft_state_done(&have);
	return r;
}

int enforce_plan(struct site *s, int (*fn)(const struct plan_item *, void *), void *arg,
		 struct bh_err *err)
{
	uint64_t host_ino = netns_own_ino();
	struct handles h;
	int r = kernel_learn(err);

	if (r < 0)
		return bh_err_prefix(err, r, "asking the kernel what it can do");
	handles_init(&h);
	for (size_t i = 0; i < s->endpoints->n && r >= 0; i++) {
		const struct ruleset_item *item = site_item_of(s, i);

		/* another endpoint of this namespace may stand for it */
		if (has_own_namespace(&s->endpoints->endpoints[i], host_ino) &&
		    (!item || item->endpoint == i))
			r = plan_one(s, &h, i, item ? item->ruleset : NULL, fn, arg);
	}
	handles_done(&h);
	return r;
}
