/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <bulkhead/enforce/enforce.h>

#include <stdio.h>
#include <string.h>

#include <bulkhead/sys/netns.h>

#include "handle.h"
#include "kernel.h"
#include "want.h"

static const struct {
	const char *name;
	bool finding;
} states[] = {
	[STATE_PROTECTED] = { "protected", false },
	[STATE_AUDIT] = { "audit", false },
	[STATE_GUARDED] = { "guarded", false },
	[STATE_DRIFT] = { "drift", true },
	[STATE_MISSING] = { "unprotected", true },
	[STATE_WEAK] = { "weak", true },
	[STATE_UNREACHABLE] = { "unreachable", true },
	[STATE_HOST_NETWORK] = { "host-network", true },
	[STATE_OFF] = { "off", false },
	[STATE_UNMANAGED] = { "unmanaged", false },
	[STATE_PEER] = { "peer", false },
};

const char *endpoint_state_name(enum endpoint_state s)
{
	return states[s].name;
}

bool endpoint_state_is_finding(enum endpoint_state s)
{
	return states[s].finding;
}

static void say(struct endpoint_status *st, enum endpoint_state state, const char *why)
{
	st->state = state;
	snprintf(st->why, sizeof(st->why), "%s", why);
}

/* Why the wanted table does not hold it. */
static const char *weakness(const struct endpoint *e, const struct nft_want *want)
{
	if (e->obstacle == ENDPOINT_RAW_SOCKETS && want->frames)
		return "it may open AF_XDP sockets (CAP_NET_RAW), whose frames pass all hooks; "
		       "drop the capability";
	return endpoint_obstacle_text(e->obstacle);
}

/* The kernel's table against the wanted ruleset; the endpoint can be held unless it says not. */
static void judge(const struct endpoint *e, const struct nft_want *want,
		  const struct nft_state *have, struct endpoint_status *st)
{
	char what[256];

	if (!have->present) {
		say(st, STATE_MISSING,
		    "no table of Bulkhead is in its namespace; run bulkhead apply");
		return;
	}
	st->counted = true;
	st->totals = have->totals;
	if (!have->intact)
		snprintf(st->why, sizeof(st->why), "the table was altered: %s", have->drift);
	else if (differs(want, have, what, sizeof(what)))
		snprintf(st->why, sizeof(st->why), "the table is not what the policies say: %s",
			 what);
	if (st->why[0])
		st->state = STATE_DRIFT;
	else if (e->obstacle != ENDPOINT_HOLDABLE)
		say(st, STATE_WEAK, weakness(e, want));
	else if (want->ruleset->open)
		say(st, STATE_GUARDED,
		    "only guardrails hold it: what they do not deny passes, both ways");
	else
		st->state = want->ruleset->mode == MODE_AUDIT ? STATE_AUDIT : STATE_PROTECTED;
}

static void read_and_judge(struct handles *h, const struct endpoint *e, const struct ruleset *want,
			   struct endpoint_status *st)
{
	struct bh_err err = BH_ERR_INIT;
	struct nft_state have = { 0 };
	struct nft_frames frames;
	struct nft_want wanted;
	struct nlsock *sock;
	int r;

	r = handles_open(h, e, &sock, &frames, &err);
	if (r >= 0)
		r = nft_readback(sock, &have, &err);
	if (r < 0) {
		say(st, STATE_UNREACHABLE, err.msg);
		return;
	}
	want_of(want, &frames, &wanted);
	judge(e, &wanted, &have, st);
	nft_state_done(&have);
}

/* Is every service that selects this endpoint off? */
static bool is_off(const struct site *s, size_t i)
{
	const struct selection_list *l = &s->selection->services_of[i];

	for (size_t k = 0; k < l->n; k++)
		if (s->policies->services[l->i[k]].mode != MODE_OFF)
			return false;
	return l->n > 0;
}

static void judge_endpoint(struct site *s, struct handles *h, size_t i, uint64_t host_ino,
			   struct endpoint_status *st)
{
	const struct endpoint *e = &s->endpoints->endpoints[i];
	const struct ruleset_item *item = site_item_of(s, i);

	if (s->selection->services_of[i].n == 0 && !item && !s->rulesets->guarded[i])
		say(st, STATE_UNMANAGED, "no service or guardrail selects it: nothing is enforced");
	else if (is_off(s, i) && !item && !s->rulesets->guarded[i])
		say(st, STATE_OFF, "its service has mode: off: nothing is enforced");
	else if (e->obstacle == ENDPOINT_HOST_NETWORK || (e->netns_ino && e->netns_ino == host_ino))
		say(st, STATE_HOST_NETWORK, endpoint_obstacle_text(ENDPOINT_HOST_NETWORK));
	else if (e->obstacle == ENDPOINT_NO_NETNS)
		say(st, STATE_UNREACHABLE, endpoint_obstacle_text(ENDPOINT_NO_NETNS));
	else if (!e->netns)
		say(st, STATE_PEER, "it has no network namespace on this host");
	else if (!item)
		say(st, STATE_MISSING, "no ruleset was made for its namespace");
	else
		read_and_judge(h, e, item->ruleset, st);
}

int enforce_status(struct site *s, int (*fn)(const struct endpoint_status *, void *), void *arg,
		   struct bh_err *err)
{
	uint64_t host_ino = netns_own_ino();
	struct handles h;
	int r = kernel_learn(err);

	if (r < 0)
		return bh_err_prefix(err, r, "asking the kernel what it can do");
	handles_init(&h);
	for (size_t i = 0; i < s->endpoints->n && r >= 0; i++) {
		struct endpoint_status st = { .endpoint = i };

		judge_endpoint(s, &h, i, host_ino, &st);
		r = fn(&st, arg);
	}
	handles_done(&h);
	return r;
}
