/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bulkhead/base/cleanup.h>
#include <bulkhead/enforce/holds.h>
#include <bulkhead/runtime/runtime.h>
#include <bulkhead/sys/netns.h>

#include "handle.h"
#include "standing.h"
#include "task.h"
#include "want.h"

/*
 * A daemon's way: it knows what it left in each namespace. Where nothing else is wanted nothing is
 * asked, and a change is a batch or a few that the kernel refuses if anybody made another one meanwhile.
 */

/* At a look so many are read back whole, or a part of all of them if that is more. */
#define READ_MIN  64
#define READ_PART 8

struct keeping {
	struct site *site;
	struct holds *holds;
	enum keep_care care;
	size_t read_from, read_to; /* which of the namespaces are read, by their turn */
	size_t turn;
	size_t *later, n_later; /* endpoints; NULL: nothing is put off */
	int (*fn)(const struct apply_result *, void *);
	void *arg;
};

/* --- one namespace ---------------------------------------------------------------------------- */

static bool is_turn(const struct keeping *k)
{
	if (k->care != KEEP_LOOK)
		return k->care == KEEP_READ_ALL;
	if (k->read_from <= k->read_to)
		return k->turn >= k->read_from && k->turn < k->read_to;
	return k->turn >= k->read_from || k->turn < k->read_to;
}

static bool is_as_left(struct hold *h)
{
	struct standing *st = hold_standing(h);
	uint32_t commit;

	if (!st->known || nft_commit_id(hold_socket(h), &commit, NULL) < 0)
		return false;
	st->unsure = commit != st->commit_id;
	return !st->unsure;
}

/* Is there anything to ask or to do? */
static bool is_due(const struct keeping *k, struct hold *h, const struct ruleset *want)
{
	const struct standing *st = h ? hold_standing(h) : NULL;

	if (!st || !st->known || st->stale || st->ruleset != want)
		return true;
	return is_turn(k) || ((k->care == KEEP_LOOK || st->unsure) && !is_as_left(h));
}

/*
 * From what is known to stand to what is wanted, without reading. False: it has to be read. The batches
 * name the number of commits, so who has written one has not to ask whether it was still the same, nor
 * which it is now.
 */
static bool write_over(struct hold *h, struct task *t, struct bh_err *err)
{
	const struct standing *st = hold_standing(h);
	struct nft_frames frames = st->frames;
	struct nft_want want, stands;
	struct nft_written written;
	struct nft_state have;
	char why[256];

	want_of(t->ruleset, &t->frames, t->own, &want);
	want_of(st->ruleset, &frames, t->own, &stands);
	have = (struct nft_state) {
		.present = true,
		.intact = true,
		.ruleset = (struct ruleset *)stands.ruleset,
		.frames = (struct nft_frames *)stands.frames,
		.persists = stands.own,
		.owned = stands.own,
		.owner = t->sock->portid,
		.commit_id = st->commit_id,
		.alternates = st->alternates,
	};
	t->res->outcome = APPLY_UNCHANGED;
	t->commit_id = st->commit_id;
	t->alternates = st->alternates;
	t->stands = true;
	if (!differs(&want, &have, why, sizeof(why)))
		return is_as_left(h);
	t->res->outcome = APPLY_UPDATED;
	if (nft_apply(t->sock, &want, &have, &written, err) < 0)
		return false;
	t->commit_id = written.commit_id;
	t->alternates = written.alternates;
	return written.commits > 0 || is_as_left(h);
}

static int bring_about(struct hold *h, struct task *t, bool read, struct bh_err *err)
{
	struct bh_err passed_over = BH_ERR_INIT;

	if (!read && write_over(h, t, &passed_over))
		return 0;
	t->stands = false;
	return task_bring_about(t, err);
}

/* Their devices are known, too, unless there is a doubt: ASKED. */
static int learn_devices(struct hold *h, bool ask, struct net_devices *asked, struct task *t,
			 struct bh_err *err)
{
	int r = ask ? runtime_devices(hold_netns(h), asked, err) : 0;

	if (!ask)
		t->frames = hold_standing(h)->frames;
	else if (r >= 0)
		nft_frames_of(asked, &t->frames);
	return r;
}

static int hold_it(const struct keeping *k, const struct ruleset_item *item, struct hold *h,
		   struct task *t, struct bh_err *err)
{
	struct standing *st = hold_standing(h);
	bool read = !st->known || is_turn(k), ask = read || st->stale;
	struct net_devices asked;
	int r = learn_devices(h, ask, &asked, t, err);

	t->ruleset = item->ruleset;
	t->sock = hold_socket(h);
	t->own = true;
	hold_keep(h); /* before there is a table: it is never nobody's */
	if (r >= 0)
		r = bring_about(h, t, read, err);
	if (r < 0 || !t->stands)
		standing_done(st);
	else
		standing_set(st, item->ruleset, ruleset_list_share(k->site->rulesets, item),
			     &t->frames, t->commit_id, t->alternates);
	if (r >= 0 && ask)
		hold_take_queues(h, &asked); /* who cannot is weak, and said to be */
	return r;
}

static int let_go(const struct keeping *k, struct hold *h, struct task *t, struct bh_err *err)
{
	uint64_t ino = hold_ino(h);
	int r;

	t->sock = hold_socket(h);
	r = task_remove(t, err);
	standing_done(hold_standing(h));
	if (r < 0)
		return r;
	holds_release(k->holds, ino);
	return holds_note_bare(k->holds, ino) < 0 ? bh_err_oom(err) : 0;
}

static int work_on(const struct keeping *k, size_t endpoint, const struct ruleset_item *item,
		   struct hold *h, struct task *t, struct bh_err *err)
{
	int r = 0;

	if (!h)
		r = holds_open(k->holds, &k->site->endpoints->endpoints[endpoint], &h, err);
	if (r < 0)
		return r;
	return item ? hold_it(k, item, h, t, err) : let_go(k, h, t, err);
}

/* --- all of them ------------------------------------------------------------------------------ */

/*
 * One that is held and has to be read: it is closed as it is, and takes longer than ten of the others,
 * which are only written to. And one that is opened may have an address that others still let pass for
 * who had it before: it is opened when they do not any more.
 */
static bool can_wait(const struct keeping *k, const struct ruleset_item *item, struct hold *h)
{
	if (!k->later)
		return false;
	return !item || (k->care == KEEP_CHANGED && h &&
			 (!hold_standing(h)->known || hold_standing(h)->stale));
}

static int keep_one(struct keeping *k, size_t endpoint, const struct ruleset_item *item)
{
	uint64_t ino = k->site->endpoints->endpoints[endpoint].netns_ino;
	struct hold *h = holds_find(k->holds, ino);
	struct apply_result res = { .endpoint = endpoint };
	struct task t = { .res = &res };
	struct bh_err err = BH_ERR_INIT;
	int r;

	if (item ? !is_due(k, h, item->ruleset) : !h && !is_turn(k) && holds_is_bare(k->holds, ino))
		return 0;
	if (can_wait(k, item, h)) {
		k->later[k->n_later++] = endpoint;
		return 0;
	}
	r = work_on(k, endpoint, item, h, &t, &err);
	if (r < 0) {
		res.outcome = APPLY_FAILED;
		res.error = r;
		snprintf(res.why, sizeof(res.why), "%s", err.msg);
	}
	if (res.outcome == APPLY_UNCHANGED && !(item && k->care == KEEP_READ_ALL))
		return 0;
	return k->fn(&res, k->arg);
}

/* Those that are put off: the ones that are CLOSED, or the others. */
static int keep_later(struct keeping *k, const size_t *later, bool closed)
{
	int r = 0;

	for (size_t i = 0; i < k->n_later && r >= 0; i++) {
		const struct ruleset_item *item = site_item_of(k->site, later[i]);

		k->turn = later[i];
		if (!item == !closed)
			r = keep_one(k, later[i], item);
	}
	return r;
}

static void choose_turns(struct keeping *k, size_t n)
{
	size_t part = n / READ_PART > READ_MIN ? n / READ_PART : READ_MIN;
	size_t from = holds_next_turn(k->holds, part, n);

	k->read_from = from;
	k->read_to = part >= n ? n : (from + part) % n;
	if (part >= n)
		k->read_from = 0;
}

int enforce_keep(struct site *s, enum keep_care care,
		 int (*fn)(const struct apply_result *, void *), void *arg, struct bh_err *err)
{
	bh_autofree size_t *later = calloc(s->endpoints->n + 1, sizeof(*later));
	struct keeping k = {
		.site = s, .holds = s->holds, .care = care, .later = later, .fn = fn, .arg = arg
	};
	uint64_t host_ino = netns_own_ino();
	int r = 0;

	if (care == KEEP_LOOK)
		choose_turns(&k, s->endpoints->n);
	for (size_t i = 0; i < s->endpoints->n && r >= 0; i++, k.turn++) {
		const struct ruleset_item *item = site_item_of(s, i);

		/* another endpoint of this namespace may stand for it */
		if (has_own_namespace(&s->endpoints->endpoints[i], host_ino) &&
		    (!item || item->endpoint == i))
			r = keep_one(&k, i, item);
	}
	k.later = NULL;
	r = r < 0 ? r : keep_later(&k, later, true);
	return r < 0 ? r : keep_later(&k, later, false);
}

bool enforce_stands(const struct site *s, size_t endpoint)
{
	const struct ruleset_item *item = site_item_of(s, endpoint);
	struct hold *h = holds_find(s->holds, s->endpoints->endpoints[endpoint].netns_ino);

	if (!item)
		return !h;
	return h && hold_is_sure(h) && hold_standing(h)->ruleset == item->ruleset;
}
