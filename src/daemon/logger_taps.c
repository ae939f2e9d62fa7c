/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logger_private.h"

#define DETACH_USEC  90000000 /* five last looks, none of which is answered, and some more */
#define OPEN_AT_ONCE 32       /* namespaces, before the others' turn */

static void tap_free(struct logger_link *k, struct tap *t)
{
	HASH_DEL(k->taps, t);
	flow_log_close(t->log);
	nlsock_done(&t->counts);
	ruleset_share_put(t->share);
	free(t);
}

struct tap *taps_find(struct logger_link *k, uint64_t ino)
{
	struct tap *t;

	HASH_FIND(hh, k->taps, &ino, sizeof(ino), t);
	return t;
}

static int tap_open(struct logger_link *k, struct hold *h, struct bh_err *err)
{
	struct tap *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return bh_err_oom(err);
	t->ino = hold_ino(h);
	t->counts = (struct nlsock)NLSOCK_INIT;
	t->wanted = true;
	HASH_ADD(hh, k->taps, ino, sizeof(t->ino), t);
	r = flow_log_open(hold_netns(h), NFT_NFLOG_GROUP, &t->log, err);
	if (r >= 0)
		r = nlsock_open(&t->counts, hold_netns(h), NETLINK_NETFILTER, err);
	if (r < 0)
		tap_free(k, t);
	return r;
}

static void attach(struct logger_link *k, struct tap *t)
{
	const struct lg_head m = { .type = LG_ATTACH, .netns = t->ino };
	const int fds[] = { flow_log_fd(t->log), t->counts.fd };

	t->attached = logger_send(k, &m, sizeof(m), fds, 2) >= 0;
}

/* What the kernel holds back of the log comes at once, and then nothing more. */
static void detach(struct logger_link *k, struct tap *t)
{
	const struct lg_head m = { .type = LG_DETACH, .netns = t->ino };

	t->detaching = true;
	t->detached_at = logger_link_clock();
	flow_log_end(t->log);
	logger_send(k, &m, sizeof(m), NULL, 0);
}

void taps_detached(struct logger_link *k, uint64_t ino)
{
	struct tap *t = taps_find(k, ino);

	if (!t)
		return;
	if (t->detaching)
		tap_free(k, t);
	else
		t->attached = false; /* it could not take it */
	k->again = true;             /* it may be wanted once more */
}

void taps_logger_gone(struct logger_link *k)
{
	struct tap *each, *next;

	HASH_ITER (hh, k->taps, each, next) {
		each->owed |= each->detaching; /* its last counts are the next one's to read */
		each->attached = each->detaching = false;
		each->told = NULL;
		ruleset_share_put(each->share);
		each->share = NULL;
		/* half an answer may be in there */
		if (nlsock_adopt(&each->counts, each->counts.fd, NETLINK_NETFILTER, NULL) < 0)
			tap_free(k, each);
	}
}

/* Which namespaces are to be listened to: those that are held. Those that are new are opened. */
static bool open_wanted(struct logger_link *k)
{
	const struct endpoint_set *all = k->c->site.endpoints;
	unsigned opened = 0;

	k->unheard = 0;
	for (size_t i = 0; all && i < all->n; i++) {
		struct hold *h = holds_find(k->c->holds, all->endpoints[i].netns_ino);
		struct tap *t = h ? taps_find(k, hold_ino(h)) : NULL;
		struct bh_err err = BH_ERR_INIT;

		if (t)
			t->wanted = true;
		if (!h || t)
			continue;
		if (opened == OPEN_AT_ONCE)
			return false;
		if (tap_open(k, h, &err) >= 0)
			opened++;
		else {
			k->unheard++;
			snprintf(k->deaf_why, sizeof(k->deaf_why), "%s", err.msg);
		}
	}
	return true;
}

bool taps_sync(struct logger_link *k)
{
	struct tap *each, *next;
	bool all;

	HASH_ITER (hh, k->taps, each, next)
		each->wanted = false;
	all = open_wanted(k);
	HASH_ITER (hh, k->taps, each, next) {
		if (!each->wanted && all && !each->attached && !each->owed)
			tap_free(k, each);
		else if (!each->wanted && all && !each->detaching && !each->owed)
			detach(k, each);
	}
	return all;
}

bool taps_attach(struct logger_link *k)
{
	struct tap *each, *next;

	HASH_ITER (hh, k->taps, each, next) {
		if (k->line.n)
			return false;
		if (each->attached || !(each->wanted || each->owed))
			continue;
		attach(k, each);
		if (each->owed && !each->wanted)
			detach(k, each);
		each->owed = false;
	}
	return true;
}

bool taps_are_stuck(const struct logger_link *k)
{
	for (const struct tap *t = k->taps; t; t = t->hh.next)
		if (t->detaching && logger_link_clock() - t->detached_at > DETACH_USEC)
			return true;
	return false;
}

void taps_free(struct logger_link *k)
{
	while (k->taps)
		tap_free(k, k->taps);
}
