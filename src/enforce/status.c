/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <bulkhead/enforce/holds.h>

#include "handle.h"
#include "judge.h"
#include "kernel.h"
#include "privileges.h"
#include "want.h"

/* What a daemon holds is open already; a descriptor more for each would be as many again. */
static int open_namespace(const struct site *s, const struct endpoint *e, struct handles *h,
			  struct nlsock **ret, struct nft_frames *frames, struct bh_err *err)
{
	struct hold *held = s->holds ? holds_find(s->holds, e->netns_ino) : NULL;

	if (!held)
		return handles_open(h, e, ret, frames, err);
	*ret = hold_socket(held);
	return frames_of(hold_netns(held), frames, err);
}

static void read_and_judge(const struct members *m, struct handles *h, struct endpoint_status *st)
{
	const struct endpoint *e = &m->site->endpoints->endpoints[st->endpoint];
	struct bh_err err = BH_ERR_INIT;
	const struct ruleset *ruleset = site_item_of(m->site, st->endpoint)->ruleset;
	struct nft_state have = { 0 };
	struct nft_frames frames;
	struct nft_want want;
	struct nlsock *sock;
	int r;

	r = open_namespace(m->site, e, h, &sock, &frames, &err);
	if (r >= 0)
		r = nft_readback(sock, &have, &err);
	if (r < 0) {
		judge_unreachable(m, err.msg, st);
		return;
	}
	want_of(ruleset, &frames, m->site->holds != NULL, &want);
	judge_table(m, &want, &have, st);
	nft_state_done(&have);
}

/* Those from FIRST to before END. */
static int look_at(struct site *s, size_t first, size_t end,
		   int (*fn)(const struct endpoint_status *, void *), void *arg, struct bh_err *err)
{
	struct members m;
	struct handles h;
	int r = members_init(&m, s, err);

	if (r < 0)
		return r;
	handles_init(&h);
	for (size_t i = first; i < end && r >= 0; i++) {
		struct endpoint_status st = { .endpoint = i,
					      .raw_sockets = privileges_raw_sockets(s, i) };

		if (!judge_endpoint(&m, &st))
			read_and_judge(&m, &h, &st);
		judge_privileges(&st);
		r = fn(&st, arg);
	}
	handles_done(&h);
	members_done(&m);
	return r;
}

int enforce_status(struct site *s, int (*fn)(const struct endpoint_status *, void *), void *arg,
		   struct bh_err *err)
{
	return look_at(s, 0, s->endpoints->n, fn, arg, err);
}

int enforce_status_of(struct site *s, size_t endpoint,
		      int (*fn)(const struct endpoint_status *, void *), void *arg,
		      struct bh_err *err)
{
	return look_at(s, endpoint, endpoint + 1, fn, arg, err);
}

int enforce_kernel_status(struct kernel_status *ret, struct bh_err *err)
{
	struct bh_err why = BH_ERR_INIT;
	int r = kernel_learn(&why);

	judge_kernel(r, kernel_features(), &why, ret);
	return r < 0 ? bh_err_set(err, r, "%s", why.msg) : 0;
}
